"""What a monitor can see: after how many hours a drop of a score is noticed, at which sampling rate, for what money.

It goes by the traffic that is stored: how many conversations there are a day, how much their scores vary within
slices, and what a score costs.
"""

from collections.abc import Sequence
from math import sqrt
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.online.monitor import DAY_S, HOUR_S
from gatewatch.stats.drift import KNOWN, LEAST_TOLERANCE, Delay, Reference, delay, threshold
from gatewatch.store.base import Store
from gatewatch.store.rows import Value, Work

RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
FEWEST = 50
"""With fewer scored conversations than so many nothing is foreseen."""
_NEWEST = 20_000
_RECENT = 200
_LOOKS_DAYS = 90.0
_MOST = 20_000  # conversations that are simulated


class Asked(Struct, frozen=True, kw_only=True):
    """What is to be seen, and by what.

    drop: of the mean score, above 0.
    within_h: hours within which it is to be seen.
    days: between two false alarms of all `detectors` of the project together.
    reference_days, reference_n: of how much a reference is learnt; both are to be reached.
    session_end_s: after how long without a turn a session has ended.
    """

    drop: float
    within_h: float
    days: float
    detectors: int
    reference_days: float
    reference_n: int
    session_end_s: float


class AtRate(Struct, frozen=True):
    """At one sampling rate: scored conversations a day, the detector's tolerance, after how many conversations and
    hours the drop is seen in half of all cases and in 9 of 10 (None: not within 90 days), and US dollars a day (None:
    unknown). `enough` says that 9 of 10 are within the time that was asked for, `present` that this is today's rate.
    """

    rate: float
    per_day: float
    tolerance: float
    delay: Delay
    median_h: float | None
    most_h: float | None
    dollars: float | None
    enough: bool
    present: bool = False


class Foreseen(Struct, frozen=True):
    """What is foreseen for one scorer of a monitor.

    n: scored conversations that it goes by, of `window_days`.
    mean, sd: of their scores; the sd is within slices.
    per_day: conversations a day, scored or not. `scores` is how many scores one takes.
    rate: the share of conversations that chance alone chooses today; None where nothing was scored of late.
    cost: US dollars a score; None where it is unknown.
    rows: by rate. `smallest` is the smallest rate that is enough.
    flaw: why nothing is foreseen.
    """

    scorer: str
    fingerprint: str
    n: int
    window_days: float
    per_day: float
    mean: float | None = None
    sd: float | None = None
    scores: float = 1.0
    rate: float | None = None
    cost: float | None = None
    rows: tuple[AtRate, ...] = ()
    smallest: float | None = None
    flaw: str = ""


def foresee(store: Store, work: Work, asked: Asked, *, now: float, days: float = 28.0) -> Foreseen:
    """What a monitor's scorer can see, from the traffic of the last days.

    Args:
        store: where it is kept.
        work: the scorer on its flow.
        asked: what is to be seen.
        now: in seconds since the epoch.
        days: how far back is looked.
    """
    since = now - days * DAY_S
    cells = store.signals(work.flow, "hour", since, now)
    began = max(since, min((cell.bucket for cell in cells), default=now))
    window = max((now - began) / DAY_S, HOUR_S / DAY_S)
    requests = sum(cell.n for cell in cells)
    sessions, turns = store.session_counts(work.flow, began, now)
    talks = sessions if work.of_sessions else max(0, requests - turns + sessions)
    values = store.values(work.flow, work.scorer, work.fingerprint, work.source, since, now, _NEWEST)
    drawn, base = _drawn(values)
    known = len({each.cluster for each in values})
    found = Foreseen(work.scorer, work.fingerprint, known, window, talks / window)
    if known < FEWEST:
        flaw = f"too little is known: {known} scored conversations in {window:.3g} days, and it takes {FEWEST}"
        return replace(found, flaw=flaw)
    seen = Reference.of(drawn)
    cost, scores = _cost(store, work, since, now), len(values) / known
    found = replace(found, mean=seen.mean, sd=seen.sd, scores=scores, rate=base, cost=cost)
    drawn = [each for each in drawn if seen.knows(each[0])]
    if not drawn:
        return replace(found, flaw=f"too little is known: no slice has {KNOWN} scored conversations")
    mean = sum(value for _, value in drawn) / len(drawn)
    if asked.drop >= mean:
        return replace(found, flaw=f"a drop of {100 * asked.drop:.3g} points cannot be: the mean is {mean:.3f}")
    rows = [
        _at(rate, drawn, seen, asked, found.per_day, None if cost is None else cost * scores, present=rate == base)
        for rate in sorted({*RATES, *([] if base is None else [base])})
    ]
    return replace(found, rows=tuple(rows), smallest=next((row.rate for row in rows if row.enough), None))


def _drawn(values: Sequence[Value]) -> tuple[list[tuple[str, float]], float | None]:
    """Conversations as chance alone would have chosen them: (slice, mean score); and the rate by which it did lately.

    What was scored for being special is in the values too often. So they are drawn anew, as often as they weigh.
    """
    talks: dict[str, list[Value]] = {}
    for value in values:
        if value.pi > 0:
            talks.setdefault(value.cluster, []).append(value)
    if not talks:
        return [], None
    points = [(each[-1].slice, sum(v.value for v in each) / len(each)) for each in talks.values()]
    weights = [1.0 / max(v.pi for v in each) for each in talks.values()]
    base = min(value.pi for value in values[:_RECENT] if value.pi > 0)
    if max(weights) - min(weights) <= 1e-9:
        return points, base
    size = sum(weights) ** 2 / sum(w * w for w in weights)
    return Random(0).choices(points, weights, k=max(FEWEST, round(size))), base


def _at(
    rate: float,
    drawn: Sequence[tuple[str, float]],
    seen: Reference,
    asked: Asked,
    per_day: float,
    cost: float | None,
    *,
    present: bool,
) -> AtRate:
    scored = per_day * rate
    learnt = max(float(asked.reference_n), asked.reference_days * scored)
    scale = learnt / seen.n
    tolerance = max(LEAST_TOLERANCE, 1.5 * seen.sd / sqrt(learnt))
    # As it would be learnt at this rate; no slice becomes so thin by that that it would be let go of.
    strata = {
        name: (max(round(n * scale), min(n, KNOWN)), mean, squares * scale)
        for name, (n, mean, squares) in seen.strata.items()
    }
    found = delay(
        drawn,
        Reference(strata, tolerance),
        drop=asked.drop,
        threshold=threshold(asked.days, per_day=scored, monitors=asked.detectors),
        longest=max(1, min(_MOST, int(scored * _LOOKS_DAYS))),
    )
    settled = asked.session_end_s / HOUR_S
    median, most = (None if count is None else count / scored * 24 + settled for count in (found.median, found.most))
    money = None if cost is None else scored * cost
    enough = most is not None and most <= asked.within_h
    return AtRate(rate, scored, tolerance, found, median, most, money, enough, present)


def _cost(store: Store, work: Work, since: float, until: float) -> float | None:
    """US dollars a score, by the judge's calls of late; 0 where no model is asked, None where it is unknown."""
    if work.source != "judge":
        return 0.0
    cells = [
        cell
        for cell in store.spend(since, until)
        if (cell.kind, cell.flow, cell.scorer) == ("judge", work.flow, work.scorer)
    ]
    scores = sum(cell.scores for cell in cells)
    return None if not scores or any(cell.unknown for cell in cells) else sum(cell.cost for cell in cells) / scores
