"""How a flow is doing: signals over every request, and what scorers say of all of it."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from gatewatch.core.score import Source
from gatewatch.online.monitor import DAY_S, HOUR_S
from gatewatch.online.signals import Signals, signals_of
from gatewatch.online.window import By, Figure, Of, Windows, by_bucket
from gatewatch.store.base import Store
from gatewatch.store.rows import TIER_S, ScoreCell, SignalCell, Tier

ALL = Of()


class PartFigure(Struct, frozen=True):
    """What a scorer says of a part of a window: of the slice, variant or version (`by`) of that name."""

    by: By
    name: str
    total: Figure


class PartSignals(Struct, frozen=True):
    """Signals of a part of a window: of the slice, variant or version (`by`) of that name."""

    by: By
    name: str
    signals: Signals


class ScorerTrend(Struct, frozen=True):
    """A scorer by one fingerprint and source: over the whole window, by bucket, and by part where that was asked for.
    Parts have those with the most scores first."""

    scorer: str
    fingerprint: str
    source: Source
    total: Figure
    points: tuple[tuple[float, Figure], ...]
    parts: tuple[PartFigure, ...] = ()


class JudgeCost(Struct, frozen=True):
    """What judges cost on the days of a window, in US dollars; `unknown` calls have no known price."""

    calls: int = 0
    cost: float = 0.0
    unknown: int = 0


class Erased(Struct, frozen=True):
    """What of the days of a window was erased on request, and is in no figure any more."""

    requests: int = 0
    scores: int = 0


class Trend(Struct, frozen=True):
    """A flow, or a part `of` it, over a window, in seconds since the epoch; parts have the largest first."""

    flow: str
    since: float
    until: float
    tier: Tier
    signals: Signals
    points: tuple[tuple[float, Signals], ...]
    scorers: tuple[ScorerTrend, ...]
    judges: JudgeCost = JudgeCost()
    erased: Erased = Erased()
    of: Of = ALL
    parts: tuple[PartSignals, ...] = ()


def tier_of(seconds: float) -> Tier:
    """The tier whose buckets suit a window: some 60 at the most."""
    if seconds <= HOUR_S:
        return "minute"
    return "hour" if seconds <= 2.5 * DAY_S else "day"


def trend(
    store: Store,
    flow: str,
    *,
    since: float,
    until: float,
    tier: Tier | None = None,
    of: Of = ALL,
    by: Sequence[By] = (),
) -> Trend:
    """How a flow did in a window; its cost is in the number of buckets, not of requests.

    Args:
        store: where it is kept.
        flow: the flow.
        since: the window's start; its bucket is taken in whole.
        until: the window's end.
        tier: how long buckets are; by default as suits the window.
        of: only this part of it.
        by: by what its parts are told, too.
    """
    tier = tier or tier_of(until - since)
    since -= since % TIER_S[tier]
    signals = of.chosen(store.signals(flow, tier, since, until))
    finely = bool(of.variant or of.version or {"variant", "version"} & {*by})
    undone = store.unsettled(flow, since, until, finely=finely)
    backfills = [each for each in store.backfills() if each.flow == flow and each.state != "done"]
    works = {(work.scorer, work.fingerprint, work.source): work for work in store.works() if work.flow == flow}
    scorers = []
    for key, cells in _by_scorer(store.cells(flow, tier, since, until)):
        if not (mine := of.chosen(cells)):
            continue
        windows = Windows(
            store,
            flow,
            works.get(key),
            cells,
            undone=undone,
            backfills=backfills,
            since=since,
            until=until,
            tier=tier,
        )
        window = windows.of(of)
        parts = [
            PartFigure(each, name, windows.of(of, each, name).total()) for each in by for name in _names(each, mine)
        ]
        scorers.append(ScorerTrend(*key, window.total(), window.points(), tuple(parts)))
    return Trend(
        flow,
        since,
        until,
        tier,
        signals_of(signals),
        tuple((bucket, signals_of(each)) for bucket, each in by_bucket(signals)),
        tuple(scorers),
        _judges(store, flow, since, until),
        erased(store, since, until, flow),
        of,
        tuple(
            PartSignals(each, name, signals_of(cell for cell in signals if getattr(cell, each) == name))
            for each in by
            for name in _names(each, signals)
        ),
    )


def _by_scorer(cells: Iterable[ScoreCell]) -> list[tuple[tuple[str, str, Source], list[ScoreCell]]]:
    found: dict[tuple[str, str, Source], list[ScoreCell]] = {}
    for cell in cells:
        found.setdefault((cell.scorer, cell.fingerprint, cell.source), []).append(cell)
    return sorted(found.items())


def _names(by: By, cells: Sequence[ScoreCell] | Sequence[SignalCell]) -> list[str]:
    """What parts there are in some cells, the largest first."""
    found: dict[str, int] = {}
    for cell in cells:
        name = getattr(cell, by)
        found[name] = found.get(name, 0) + cell.n
    return sorted(found, key=lambda name: (-found[name], name))


def erased(store: Store, since: float, until: float, flow: str = "") -> Erased:
    """What was erased of the days of a window, of a flow or of all."""
    days = [day for day in store.erased(since, until) if flow in ("", day.flow)]
    return Erased(sum(day.requests for day in days), sum(day.scores for day in days))


def _judges(store: Store, flow: str, since: float, until: float) -> JudgeCost:
    cells = [cell for cell in store.spend(since, until) if cell.kind == "judge" and cell.flow == flow]
    return JudgeCost(sum(c.calls for c in cells), sum(c.cost for c in cells), sum(c.unknown for c in cells))
