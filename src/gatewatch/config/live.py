"""How a flow stands live, as the Monitor page shows it: one scorer over a window against the offline baseline, what was
changed and what was told of, and the flow's signals in the same buckets."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from gatewatch.config.beside import besides, pinned
from gatewatch.config.project import Project
from gatewatch.config.shown import Ruler, shown, told_of
from gatewatch.core.score import Source
from gatewatch.core.watch import Alert, Marker
from gatewatch.online.beside import Beside
from gatewatch.online.monitor import DAY_S, HOUR_S
from gatewatch.online.pulse import Beat, bucket_of, merged
from gatewatch.online.signals import Signals, Total, signals_of
from gatewatch.online.trends import PartFigure, PartSignals, ScorerTrend, Trend
from gatewatch.online.window import By, Figure, Of, Windows, by_bucket
from gatewatch.stats.intervals import Interval
from gatewatch.store.base import Store
from gatewatch.store.rows import TIER_S, ScoreCell, SignalCell, Tier

MOST_PARTS = 5
"""Parts of the traffic that are drawn apart, the largest."""
FEW = 20
"""Of fewer scores than so many a bucket says little."""
_LONGER: dict[Tier, Tier] = {"minute": "hour", "hour": "day"}
_FEWEST = 5
_ALERTS = 200
_SAID = {"judge": 0, "rule": 1, "human": 2, "feedback": 3, "signal": 4}

Points = tuple[tuple[float, Figure], ...]


class Asked(Struct, frozen=True, kw_only=True):
    """What is to be shown: a scorer ("": the one of which there is something to be
    seen) of a flow over a window, in seconds since the epoch; of a part of
    it; by slice or version; with the period before; in buckets of a `tier` ("": as suits the window)."""

    flow: str
    since: float
    until: float
    scorer: str = ""
    of: Of = Of()
    by: By | Literal[""] = ""
    before: bool = False
    tier: Tier | Literal[""] = ""


class Part(Struct, frozen=True):
    """A part of the traffic: what the scorer says of it, over the window and by bucket."""

    name: str
    total: Figure
    points: Points


class Money(Struct, frozen=True):
    """What the flow's requests cost, and judging them, on the whole days that the window touches, in US dollars, and
    how many requests these days had; of how many of these it is `known` what the application's calls cost, and their
    `cost`. `unknown` calls have no known price."""

    requests: float = 0.0
    known: float = 0.0
    cost: float = 0.0
    task: float = 0.0
    judge: float = 0.0
    unknown: int = 0

    @property
    def per_thousand(self) -> float | None:
        """What a thousand requests cost, their judges' calls included; None where of no request it is known."""
        if not self.known:
            return None
        return 1000 * (self.cost / self.known + self.judge / self.requests)


class Queue(Struct, frozen=True):
    """Work on the window's requests: how many were scored, by the scorer shown, of how many; how many scores wait, and
    since when the first of these does (to the hour; None: nothing waits)."""

    scored: int = 0
    requests: float = 0.0
    waiting: int = 0
    since: float | None = None


class Live(Struct, frozen=True, kw_only=True):
    """How a flow stands. `ruler` is the scorer shown, None where there is none; buckets are `step` seconds long."""

    asked: Asked
    flows: tuple[str, ...]
    rulers: tuple[Ruler, ...]
    ruler: Ruler | None
    tier: Tier
    step: int
    total: Figure | None
    points: Points
    before_total: Figure | None
    before: Points
    parts: tuple[Part, ...]
    beside: Beside | None
    signals: Signals
    beats: tuple[Beat, ...]
    money: Money
    queue: Queue
    marks: tuple[Marker, ...]
    alerts: tuple[Alert, ...]
    slices: tuple[str, ...]
    versions: tuple[str, ...]


def tier_for(seconds: float) -> Tier:
    """How long the buckets of a window are, so that there are some 200 at the most."""
    if seconds <= 3 * HOUR_S:
        return "minute"
    return "hour" if seconds <= 8 * DAY_S else "day"


def flows_of(store: Store, project: Project | None) -> tuple[str, ...]:
    """The flows that are watched, or that there are requests of, those of monitors first."""
    watched = [each.flow for each in project.settings.monitors.values()] if project else []
    return tuple(dict.fromkeys([*watched, *(each.flow for each in store.works()), *filter(None, store.flows())]))


def live(store: Store, project: Project | None, asked: Asked, *, drawn: bool = True) -> Live:
    """How a flow stands; its cost is in the number of buckets, not of requests or scores.

    Args:
        store: where it is kept.
        project: whose baselines are laid beside; None where its files are not at hand.
        asked: what is to be shown.
        drawn: False leaves out what only its page draws: signals but for the number of requests, money, signs.
    """
    tier, cells = _cells(store, asked)
    step = TIER_S[tier]
    since = asked.since - asked.since % step
    every = store.signals(asked.flow, tier, since, asked.until)
    signals = asked.of.chosen(every)
    buckets = [bucket_of(at, cells) for at, cells in by_bucket(signals)]
    whole = merged(cell for cells, _ in buckets for cell in cells)
    rulers = _rulers(cells)
    if asked.scorer:
        ruler = next((each for each in rulers if each.scorer == asked.scorer), None)
    else:
        ruler = shown(rulers, told_of(store, asked.flow), pinned(project) if project else (), cells)
    scored = _Scored(store, asked, tier, since, ruler, cells) if ruler else None
    length = asked.until - since
    past = None
    if ruler and asked.before:
        earlier = store.cells(asked.flow, tier, since - length, since)
        past = _Scored(store, replaced(asked, since - length, since), tier, since - length, ruler, earlier)
    beside = None
    if project and ruler and scored:
        found = _trend(asked, since, tier, signals, scored)
        beside = besides(project, found).get((ruler.scorer, ruler.fingerprint))
    total = scored.total() if scored else None
    return Live(
        asked=asked,
        flows=flows_of(store, project) if drawn else (asked.flow,),
        rulers=tuple(rulers),
        ruler=ruler,
        tier=tier,
        step=step,
        total=total,
        points=scored.points() if scored else (),
        before_total=past.total() if past else None,
        before=tuple((at + length, figure) for at, figure in past.points()) if past else (),
        parts=tuple(scored.parts(asked.by, signals)) if scored and asked.by else (),
        beside=beside,
        signals=signals_of(whole) if drawn else _counted(whole),
        beats=tuple(beat for _, beat in buckets),
        money=_money(store, asked) if drawn else Money(),
        queue=_queue(store, asked, since, total, whole),
        marks=tuple(store.markers(asked.flow, since=since, until=asked.until, most=_ALERTS)) if drawn else (),
        alerts=tuple(_alerts(store, asked, since)) if drawn else (),
        slices=tuple(_names("slice", every)),
        versions=tuple(_names("version", every)),
    )


def _cells(store: Store, asked: Asked) -> tuple[Tier, list[ScoreCell]]:
    """Sums of scores, in buckets so long that most have scores enough to tell something, where there are so many."""
    tier = asked.tier or tier_for(asked.until - asked.since)
    while True:
        since = asked.since - asked.since % TIER_S[tier]
        cells = store.cells(asked.flow, tier, since, asked.until)
        longer = None if asked.tier else _LONGER.get(tier)
        if longer is None or asked.until - asked.since < _FEWEST * TIER_S[longer]:
            return tier, cells
        n: dict[tuple[str, float], int] = {}
        for cell in cells:
            n[cell.scorer, cell.bucket] = n.get((cell.scorer, cell.bucket), 0) + cell.n
        if not n or sum(each >= FEW for each in n.values()) >= len(n) / 2:
            return tier, cells
        tier = longer


def replaced(asked: Asked, since: float, until: float) -> Asked:
    """The same of another window."""
    return Asked(flow=asked.flow, since=since, until=until, scorer=asked.scorer, of=asked.of)


class _Scored:
    """What one scorer says of a window."""

    def __init__(
        self, store: Store, asked: Asked, tier: Tier, since: float, ruler: Ruler, cells: Iterable[ScoreCell]
    ) -> None:
        key = ruler.scorer, ruler.fingerprint, ruler.source
        self._cells = [each for each in cells if (each.scorer, each.fingerprint, each.source) == key]
        self._of, self._windows, self.ruler = asked.of, None, ruler
        if not self._cells:
            return
        flow = asked.flow
        finely = bool(asked.of.variant or asked.of.version or asked.by in ("variant", "version"))
        self._windows = Windows(
            store,
            flow,
            next((w for w in store.works() if (w.flow, w.scorer, w.fingerprint, w.source) == (flow, *key)), None),
            self._cells,
            undone=store.unsettled(flow, since, asked.until, finely=finely),
            backfills=[each for each in store.backfills() if each.flow == flow and each.state != "done"],
            since=since,
            until=asked.until,
            tier=tier,
        )

    def total(self) -> Figure | None:
        return self._windows.of(self._of).total() if self._windows else None

    def points(self) -> Points:
        return self._windows.of(self._of).points() if self._windows else ()

    def parts(self, by: By | Literal[""], signals: Iterable[SignalCell]) -> Iterable[Part]:
        """The largest parts."""
        if self._windows is None or not by:
            return
        for name in _names(by, signals)[:MOST_PARTS]:
            window = self._windows.of(self._of, by, name)
            yield Part(name, window.total(), window.points())

    def by_slice(self, names: Iterable[str]) -> tuple[PartFigure, ...]:
        """What it says of each slice, over the whole window."""
        if self._windows is None:
            return ()
        return tuple(PartFigure("slice", name, self._windows.of(self._of, "slice", name).total()) for name in names)


def _rulers(cells: Iterable[ScoreCell]) -> list[Ruler]:
    """The scorers of some cells: of each name the fingerprint that spoke last, judges first."""
    last: dict[tuple[str, Source], tuple[float, str]] = {}
    n: dict[tuple[str, str, Source], int] = {}
    for cell in cells:
        key = cell.scorer, cell.source
        last[key] = max(last.get(key, (0.0, "")), (cell.bucket, cell.fingerprint))
        whole = cell.scorer, cell.fingerprint, cell.source
        n[whole] = n.get(whole, 0) + cell.n
    found = [
        Ruler(name, fingerprint, source, n[name, fingerprint, source])
        for (name, source), (_, fingerprint) in last.items()
    ]
    return sorted(found, key=lambda each: (_SAID[each.source], each.scorer))


def _trend(asked: Asked, since: float, tier: Tier, signals: Iterable[SignalCell], scored: _Scored) -> Trend:
    """As much of a trend as a baseline is held against: the scorer and the traffic, by slice."""
    by_slice: dict[str, list[SignalCell]] = {}
    for cell in signals:
        by_slice.setdefault(cell.slice, []).append(cell)
    parts = tuple(PartSignals("slice", name, _counted(cells)) for name, cells in by_slice.items())
    total = scored.total()
    trends = []
    if total is not None:
        ruler = scored.ruler
        trends = [ScorerTrend(ruler.scorer, ruler.fingerprint, ruler.source, total, (), scored.by_slice(by_slice))]
    return Trend(asked.flow, since, asked.until, tier, Signals(), (), tuple(trends), of=asked.of, parts=parts)


def _counted(cells: Iterable[SignalCell]) -> Signals:
    """How many requests there were, about, and nothing else of them."""
    every = sum(cell.n / cell.share for cell in cells)
    return Signals(round(every), requests=Total(every, Interval(every, every, "counted")))


def _names(by: By, cells: Iterable[SignalCell]) -> list[str]:
    found: dict[str, int] = {}
    for cell in cells:
        name = getattr(cell, by)
        found[name] = found.get(name, 0) + cell.n
    return sorted(found, key=lambda name: (-found[name], name))


def _money(store: Store, asked: Asked) -> Money:
    first = asked.since - asked.since % DAY_S
    spent = [each for each in store.spend(first, asked.until) if each.flow == asked.flow]
    cells = store.signals(asked.flow, "day", first, asked.until)
    return Money(
        sum(each.n / each.share for each in cells),
        sum((each.n - each.unknown_cost) / each.share for each in cells),
        sum(each.cost / each.share for each in cells),
        sum(each.cost for each in spent if each.kind == "task"),
        sum(each.cost for each in spent if each.kind == "judge"),
        sum(each.unknown for each in spent),
    )


def _queue(store: Store, asked: Asked, since: float, total: Figure | None, whole: Iterable[SignalCell]) -> Queue:
    waiting = [each for each in store.unsettled(asked.flow, since, asked.until) if each.state in ("waiting", "leased")]
    requests = sum(each.n / each.share for each in whole)
    scored = 0 if total is None else total.estimate.n
    first = min((each.bucket for each in waiting), default=None)
    return Queue(scored, requests, sum(each.n for each in waiting), first)


def _alerts(store: Store, asked: Asked, since: float) -> list[Alert]:
    found = store.alerts(flow=asked.flow, every=True, most=_ALERTS)
    return [each for each in found if since <= each.opened < asked.until]
