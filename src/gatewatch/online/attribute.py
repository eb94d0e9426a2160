"""Where a change comes from: when it began, how large it is, and which part of the traffic it is in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import fsum, sqrt

from msgspec import Struct

from gatewatch.core.watch import Evidence, Marker, Segment, components_of
from gatewatch.online.detect import stratum_of
from gatewatch.online.monitor import DAY_S
from gatewatch.online.probe import OVER, Probe, good
from gatewatch.stats.drift import Change, Reference, effect, onset
from gatewatch.stats.special import t_cdf
from gatewatch.store.watching import Entry

_FEWEST = 4
_SHOWN = 5
_TRACES = 10
_MOST_SHARE = 0.9
_USUAL = 0.95
_CHANCE = 0.05
_STRAYS, _CAME = 3, 0.8
_VARIED = 5


class Found(Struct, frozen=True):
    """The evidence of a change, the numbers of requests that show it, and the segment that all of it is in, if so. Of
    times, by which part the 95th percentile is longer than the reference's (`slower`)."""

    evidence: Evidence
    worst: tuple[int, ...]
    where: Segment | None = None
    slower: float | None = None


def attribute(
    probe: Probe,
    entries: Sequence[Entry],
    reference: Reference,
    measured: float,
    markers: Iterable[Marker] = (),
) -> Found:
    """What is to be said of a probe's alarm.

    Args:
        probe: what alarmed.
        entries: the last conversations of its stream, up to the one with which it did.
        reference: what they are held against.
        measured: what amounts are measured by (`detect.reference_of`).
        markers: what was changed on the flow.
    """
    known = good(probe, entries, measured)
    values = [(stratum_of(entry.slice, reference), x) for entry, x in known]
    first = onset(values, reference)
    after = known[first:] or known
    began = min(entry.at for entry, _ in after)
    newest = max(entry.at for entry, _ in after)
    shown = scale_of(probe, measured)
    change = effect(((stratum_of(entry.slice, reference), x) for entry, x in after), reference, chosen=True)
    shares = _shares(entry for entry, _ in known)
    segments = _segments(after, shares, reference, shown)
    where = _alone(known[:first], after, shares, reference, segments)
    near = sorted(
        (each for each in markers if began - DAY_S <= each.at <= newest), key=lambda each: abs(each.at - began)
    )
    low, high = _ends(change, shown)
    evidence = Evidence(
        n=change.n,
        before=None if change.before is None else shown(change.before, False),
        after=None if change.after is None else shown(change.after, False),
        effect=None if change.effect is None else shown(change.effect, True),
        low=low,
        high=high,
        onset=began,
        segments=segments[:_SHOWN],
        markers=tuple(near[:_SHOWN]),
        note=_note(probe, reference, measured, [entry for entry, _ in after]),
    )
    slower = _slowest(probe, [entry for entry, _ in after]) / measured - 1.0 if _is_slow(probe, measured) else None
    return Found(evidence, _worst(after), where, slower)


def _is_slow(probe: Probe, measured: float) -> bool:
    return probe.measure == "slow" and probe.limit is None and measured > 0.0


def _slowest(probe: Probe, after: Sequence[Entry]) -> float:
    """The 95th percentile of some times, in seconds."""
    times = sorted(value for each in after if (value := each.values[probe.place]) is not None)
    return times[int(_USUAL * (len(times) - 1))]


def _note(probe: Probe, reference: Reference, measured: float, after: Sequence[Entry]) -> str:
    if probe.measure == "slow":
        slowest = f"95 % take less than {_slowest(probe, after):.3g} s"
        limit = measured if probe.limit is None else probe.limit
        kind = "as 5 % of the reference were" if probe.limit is None else "the limit"
        return f"slow is more than {limit:.3g} s ({kind}); {slowest}"
    if probe.limit is not None:
        return f"held against the limit of {probe.limit:g}"
    return f"held against {reference.n:,} conversations, within slices"


Shown = Callable[[float, bool], float]
"""From a value in 0..1 of which 1 is good, or (True) a difference of two, to the signal's own scale."""


def scale_of(probe: Probe, measured: float) -> Shown:
    """What takes a mean (or a difference of means) of which 1 is good to the signal's own scale."""
    if probe.measure == "score":
        return lambda x, _: x
    if probe.measure in ("rate", "better", "slow"):
        return lambda x, difference: -x if difference else 1.0 - x
    if probe.measure == "short":
        return lambda x, _: x * measured
    whole = measured if probe.limit is None else OVER * probe.limit
    return lambda x, difference: whole * (-x if difference else 1.0 - x)


def _ends(change: Change, shown: Shown) -> tuple[float | None, float | None]:
    if change.interval is None:
        return None, None
    ends = sorted(shown(each, True) for each in (change.interval.low, change.interval.high))
    return ends[0], ends[1]


def _shares(entries: Iterable[Entry]) -> dict[tuple[str, str], float]:
    """The shares of the parts of the traffic, of which there are several."""
    counts: dict[tuple[str, str], int] = {}
    n = 0
    for entry in entries:
        n += 1
        for key in _parts(entry):
            counts[key] = counts.get(key, 0) + 1
    return {key: count / n for key, count in counts.items() if count < n}


def _segments(
    after: Sequence[tuple[Entry, float]],
    shares: Mapping[tuple[str, str], float],
    reference: Reference,
    shown: Shown,
) -> tuple[Segment, ...]:
    """The parts of the traffic in which there is a change, those first that most of it is in."""
    groups: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for entry, x in after:
        for key in _parts(entry):
            groups.setdefault(key, []).append((stratum_of(entry.slice, reference), x))
    found: list[tuple[float, Segment]] = []
    for (by, name), values in groups.items():
        change = (
            effect(values, reference, chosen=True) if (by, name) in shares and len(values) >= _FEWEST else Change(0)
        )
        if change.effect is None or change.interval is None or change.interval.high >= 0.0:
            continue
        low, high = _ends(change, shown)
        segment = Segment(by, name, change.n, shown(change.effect, True), low or 0.0, high or 0.0, shares[by, name])
        found.append((len(values) * change.effect, segment))
    found.sort(key=lambda each: (each[0], each[1].by, each[1].name))
    return tuple(segment for _, segment in found)


def _parts(entry: Entry) -> Iterable[tuple[str, str]]:
    yield "slice", entry.slice
    yield "variant", entry.variant
    yield from components_of(entry.version).items()


def _alone(
    before: Sequence[tuple[Entry, float]],
    after: Sequence[tuple[Entry, float]],
    shares: Mapping[tuple[str, str], float],
    reference: Reference,
    segments: Sequence[Segment],
) -> Segment | None:
    """The version that it came with; or else the segment in which it fell by more than in the rest, so that chance
    would hardly make it look so.

    By Welch's t, one-sided, over as many parts as there are; of values that do not vary, by what the reference's did.
    """
    for each in segments:
        if each.by not in ("slice", "variant"):
            old, new = (sum((each.by, each.name) in _parts(entry) for entry, _ in part) for part in (before, after))
            if old <= max(_STRAYS, new / 10) and new >= _CAME * len(after):
                return each
    tests = max(1, len(shares))
    for each in segments:
        if each.share > _MOST_SHARE or each.by not in ("slice", "variant"):
            continue
        inside: list[float] = []
        rest: list[float] = []
        for entry, x in after:
            stratum = stratum_of(entry.slice, reference)
            if reference.knows(stratum):
                part = inside if (each.by, each.name) in _parts(entry) else rest
                part.append(x - reference.expected(stratum))
        if not rest:
            if each.share ** len(inside) < _CHANCE / tests:
                return each
            continue
        (mean, error), (other, other_error) = (_mean(part, reference.sd) for part in (inside, rest))
        t = (mean - other) / sqrt(error + other_error) if error + other_error else 0.0
        if t_cdf(t, max(1, len(inside) + len(rest) - 2)) < _CHANCE / tests:
            return each
    return None


def _mean(values: Sequence[float], sd: float) -> tuple[float, float]:
    """The mean of some values, and the variance of it."""
    n = len(values)
    mean = fsum(values) / n
    variance = fsum((each - mean) ** 2 for each in values) / (n - 1) if n >= _VARIED else 0.0
    return mean, max(variance, sd * sd if n < _VARIED or not variance else 0.0) / n


def _worst(after: Sequence[tuple[Entry, float]]) -> tuple[int, ...]:
    """Requests with the worst values, the newest first among equals."""
    worst = sorted(after, key=lambda each: (each[1], -each[0].number))[:_TRACES]
    return tuple(entry.seq for entry, _ in worst)
