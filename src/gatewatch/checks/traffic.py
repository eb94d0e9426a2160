"""Live traffic in a few words, for tests of stores and of what uses them: requests, feedback, scores, leased work.

And the trends that the rows of a store come to, which must be those that it keeps.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace, Usage
from gatewatch.store.base import Store
from gatewatch.store.bins import bin_of
from gatewatch.store.rows import (
    TIER_S,
    Arrival,
    Arrivals,
    Leased,
    Plan,
    Said,
    ScoreCell,
    SignalCell,
    Spent,
    TakenIn,
    Tier,
    Work,
)

DAY = 86_400.0
NOW = 20_000 * DAY + 36_000
"""Ten in the morning of some day."""
FLOW = "support"


def request(
    name: str,
    *,
    at: float = NOW,
    u: float = 0.5,
    marks: int = 0,
    payload: bytes = b'{"input":"?"}',
    cost: float | None = 0.001,
    spent: tuple[Spent, ...] = (),
    **fields: Any,
) -> Arrival:
    """A request, with further fields of its trace."""
    known: dict[str, Any] = {
        "flow": FLOW,
        "usage": Usage(100, 20),
        "latency_s": 0.5,
        "cost": None if cost is None else Cost(cost),
    }
    return Arrival(Trace(id=name, **known | fields), payload, at, u, marks, spent)


def thumb(
    name: str, trace: str = "", *, up: bool = False, at: float = NOW, external_id: str = "", author: str = "u"
) -> Said:
    """A thumb, up or down."""
    score = Score(float(up), name="thumbs", source="feedback", fingerprint="feedback:thumbs 1")
    return Said(name, at, trace, external_id, 4 if up else 2, (score,), author=author)


def judged(
    value: float | None = 1.0, *, cost: float | None = 0.01, name: str = "helpful", split: bool = False
) -> Score:
    """A judge's score; None is one that failed."""
    status = "scored" if value is not None else "scorer_error"
    return Score(
        *(value, "good", "because", status, name, "judge", "f" * 12),  # type: ignore[arg-type]
        None if cost is None else Cost(cost),
        Usage(50, 5),
        "m-1",
        split=split,
    )


def take(store: Store, *traces: Arrival, said: Iterable[Said] = (), now: float = NOW) -> TakenIn:
    """Have a store take in requests and feedback."""
    return store.take_in(Arrivals(traces, tuple(said)), now)


def planned(store: Store, *names: str, pi: float = 0.5) -> Work:
    """The work of a judge with a task for each of some new requests, due one second after the other."""
    take(store, *map(request, names))
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    found = store.unplanned(work, 1000)
    tasks = tuple((row.seq, NOW + row.seq, pi) for row in found.new)
    store.plan(work.id, Plan(tasks, through=found.through, changes=found.changes))
    return work


def lease(store: Store, work: Work, owner: str = "w", *, most: int = 100, now: float = NOW + 100) -> list[Leased]:
    """Lease what is due, for a minute."""
    return store.lease([work.id], owner, most, now, now + 60)


def signals_of_rows(store: Store, flow: str, tier: Tier) -> list[SignalCell]:
    """What a store's signals have to be, from its rows."""
    found: dict[tuple[float, str, str, str, float], SignalCell] = {}
    for row in store.latest(flow, most=1_000_000):
        key = (row.at // TIER_S[tier] * TIER_S[tier], row.slice, row.variant, row.version, row.share)
        cell = found.get(key, SignalCell(*key[:3], version=row.version, share=row.share))
        found[key] = replace(
            cell,
            n=cell.n + 1,
            errors=cell.errors + (row.error == "error"),
            timeouts=cell.timeouts + (row.error == "timeout"),
            cost=round(cell.cost + (row.cost or 0.0), 9),
            unknown_cost=cell.unknown_cost + (row.cost is None),
            input_tokens=cell.input_tokens + (row.input_tokens or 0),
            output_tokens=cell.output_tokens + (row.output_tokens or 0),
            latency=_more(cell.latency, [] if row.latency_s is None else [bin_of(row.latency_s)]),
            first_token=_more(cell.first_token, [] if row.first_token_s is None else [bin_of(row.first_token_s)]),
            marks=_more(cell.marks, [1 << place for place in range(16) if (row.marks | row.late) >> place & 1]),
        )
    return [found[key] for key in sorted(found)]


def _more(histogram: dict[int, int], places: list[int]) -> dict[int, int]:
    return dict(Counter(histogram) + Counter(places))


def cells_of_rows(store: Store, flow: str, tier: Tier) -> list[ScoreCell]:
    """What a store's cells of scores have to be, from its rows."""
    found: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0] * 5)
    for row in store.latest(flow, most=1_000_000):
        for kept in store.scores(row.seq):
            score, value = kept.score, kept.score.value
            bucket = row.at // TIER_S[tier] * TIER_S[tier]
            key = (bucket, score.name, row.slice, row.variant, kept.pi, score.fingerprint, score.source, row.version)
            sums = found[key]
            sums[0] += value is not None
            sums[1] += round((value or 0.0) * 1e9)
            sums[2] += round((value or 0.0) ** 2 * 1e9)
            sums[3] += value is None and score.status != "skipped"
            sums[4] += value is None and score.status == "skipped"
    cells = []
    for (bucket, name, part, variant, pi, fingerprint, source, version), sums in sorted(found.items()):
        n, total, squares, unknown, skipped = sums
        values = (int(n), total / 1e9, squares / 1e9, int(unknown), int(skipped))
        cells.append(ScoreCell(bucket, part, variant, name, fingerprint, source, pi, *values, version))
    return cells


def trends_agree_with_rows(store: Store, flow: str = FLOW) -> None:
    """Signals and cells are what the rows come to, in each tier."""
    for tier in TIER_S:
        signals = [replace(cell, cost=round(cell.cost, 9)) for cell in store.signals(flow, tier, 0, NOW * 2)]
        expected = signals_of_rows(store, flow, tier)
        assert signals == expected, f"signals by {tier} are not what the rows come to: {signals} != {expected}"
        cells = sorted(store.cells(flow, tier, 0, NOW * 2), key=_place)
        wanted = sorted(cells_of_rows(store, flow, tier), key=_place)
        assert cells == wanted, f"cells of scores by {tier} are not what the rows come to: {cells} != {wanted}"


def _place(cell: ScoreCell) -> tuple[Any, ...]:
    return cell.bucket, cell.scorer, cell.slice, cell.variant, cell.pi, cell.fingerprint, cell.source, cell.version
