"""Detecting: what a stream's conversations, one after another, say of the reference that its first ones made.

A fold without side effects: the same entries give the same state and the same findings, wherever it is cut.
"""

from collections.abc import Mapping
from math import log
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.watch import SIGNALS, SIZES
from gatewatch.online.mix import Mix, MixState
from gatewatch.online.monitor import DAY_S, HOUR_S
from gatewatch.online.probe import OVER, Plan, Probe, measured_good
from gatewatch.online.recent import Recent
from gatewatch.stats.between import spread_between
from gatewatch.stats.drift import KNOWN, LEAST_THRESHOLD, LEAST_TOLERANCE, Detector, Reference
from gatewatch.stats.drift import State as Wealth
from gatewatch.store.bins import bin_of, quantile, seconds_of
from gatewatch.store.watching import Entry

_SLOW, _LARGEST = 0.95, 0.99
_CAPPED = 3.0  # times the 99th percentile
_FEW, _LONGEST_S = 100, 4  # a reference of so many will do, when so many times the time asked for is over
_MOST_STRATA = 200
REST = "(other)"
"""The stratum of all that have hardly any conversations, where that is many of them: it stands for those that are new,
too."""
_MANY = 0.2
_DAYS, _MOST_BLOCKS = 3, 60
_ORDINARY, _UNEVENEST = 2.0, 0.02  # an incident in the reference is not to make it blind
_RISE = 0.05
_LATELY = 7


Sums = tuple[int, float, float]
"""How many values, their mean, and the sum of squared deviations from it."""


class Fallen(Struct):
    """A probe that alarmed: by about how much its mean fell, and what says whether it is back."""

    drop: float
    back: Wealth


class State(Struct, kw_only=True):
    """Where a stream stands.

    plan: what it is folded by: that of whoever began to work at `born`, in seconds since the epoch.
    anchor: the accepted marker from which on it learns (its time is `since`).
    first: when the first conversation of all came; `began`, when that of this reference did.
    per_day: how many conversations the last days had; `busy` is the most that there were a day before today.
    learnt: the number of the entry with which it had learnt, 0 before.
    sums, bins: what it learnt, by value and stratum.
    good: by probe, the entry with which it was back the last time.
    """

    version: int = 1
    plan: Plan | None = None
    born: float = 0.0
    anchor: int = 0
    first: float = 0.0
    since: float = 0.0
    began: float = 0.0
    newest: float = 0.0
    n: int = 0
    per_day: dict[int, int] = {}
    busy: float = 0.0
    learnt: int = 0
    sums: dict[int, dict[str, tuple[int, float, float]]] = {}
    bins: dict[int, dict[str, dict[int, int]]] = {}
    days: dict[int, dict[int, dict[str, tuple[int, float]]]] = {}
    """By value, day (hour, where less than days are learnt from) and stratum: how many and their sum; of amounts, the
    sum of their bins."""
    wealth: dict[str, Wealth] = {}
    recent: dict[str, Recent] = {}
    fallen: dict[str, Fallen] = {}
    good: dict[str, int] = {}
    mix: MixState | None = None

    def encoded(self) -> bytes:
        """As the store keeps it."""
        return msgspec.msgpack.encode(self)


def state_of(data: bytes) -> State:
    """A state as it was kept; an empty one is a new one."""
    return msgspec.msgpack.decode(data, type=State) if data else State()


class Finding(Struct, frozen=True):
    """Something that an entry (by its number and time) showed of a probe, or of a trait of the input.

    `began` is about when it did. Of a mix, `told` says it in words.
    """

    what: Literal["fell", "back", "learnt", "mix", "mix back", "unknown"]
    name: str
    number: int
    at: float
    probe: Probe | None = None
    began: float = 0.0
    told: str = ""


class _Watching:
    """A probe at work: its detector, what each stratum is held against, and what came lately."""

    __slots__ = (
        "back",
        "detector",
        "expected",
        "key",
        "level",
        "measured",
        "place",
        "plain",
        "probe",
        "recent",
        "reference",
    )

    def __init__(self, probe: Probe, reference: Reference, measured: float, state: State) -> None:
        key = self.key = probe.key
        self.probe, self.reference, self.measured = probe, reference, measured
        self.place, self.plain = probe.place, probe.measure == "score"
        self.level = reference.level
        self.expected = {name: reference.expected(name) for name in reference.strata if reference.knows(name)}
        self.detector = Detector(reference, threshold=0.0, state=state.wealth.get(key))
        self.recent = state.recent.setdefault(key, Recent())
        self.back: Detector | None = None
        if key in state.fallen:
            fallen = state.fallen[key]
            self.back = Detector(reference.flipped(fallen.drop), threshold=LEAST_THRESHOLD, state=fallen.back)


class Fold:
    """A stream's state, which entries are folded into."""

    def __init__(self, plan: Plan, state: State) -> None:
        self.plan = plan
        self._state = state
        self._day, self._busy = max(state.per_day, default=-1), state.busy
        self._today = state.per_day.get(self._day, 0)
        self._factor = plan.days * plan.detectors
        self._mix = Mix(state.mix or MixState()) if plan.of_signals else None
        self._watching = [_Watching(each, _fixed(each), 0.0, state) for each in plan.probes if each.limit is not None]
        if state.learnt:
            self._begin()

    def _begin(self) -> None:
        """Hold what comes against what was learnt."""
        for probe in self.plan.probes:
            if probe.limit is None:
                reference, measured = reference_of(probe, self._state)
                if reference.n:
                    self._watching.append(_Watching(probe, reference, measured, self._state))

    def holds(self, state: State, plan: Plan) -> bool:
        """Whether this is a state as it is, to be folded on by a plan."""
        return self._state is state and self.plan == plan

    def take(self, entry: Entry) -> list[Finding]:
        """Take the next entry, and give what it shows."""
        state = self._state
        number, _, at, part, _, _, sampled, values, traits = entry
        if not sampled or at < state.since:
            return []
        found: list[Finding] = []
        state.n += 1
        if state.n == 1:
            state.began = at
            state.first = state.first or at
        if at > state.newest:  # noqa: PLR1730 - for each of a million, this is quicker
            state.newest = at
        self._count(at)
        limit = self._threshold()
        for each in self._watching:
            value = values[each.place]
            if value is None:
                continue
            stratum = part
            expected = each.expected.get(stratum, each.level)
            if expected is None:
                stratum = REST
                expected = each.expected.get(REST)
                if expected is None:  # of a stratum that is not known there is nothing to say
                    continue
            x = value if each.plain else measured_good(each.probe, value, each.measured)
            each.detector.threshold = limit
            alarm = each.detector.update(stratum, x)
            each.recent.add(expected - x, at)
            if alarm or each.back is not None:
                found += self._told(each, alarm, entry, stratum, x)
        if not state.learnt:
            self._learn(entry)
            if self._has_learnt():
                state.learnt = number
                self._begin()
                found.append(Finding("learnt", "", number, at))
        if self._mix is not None:
            for what, name, told in self._mix.take(at, part, traits, learning=state.learnt in (0, number)):
                found.append(Finding(what, name, number, at, told=told))
        return found

    def _told(self, each: _Watching, alarm: bool, entry: Entry, stratum: str, x: float) -> list[Finding]:
        """What a probe tells that alarms, or of which it is to be seen whether it is back."""
        number, at, probe, reference = entry.number, entry.at, each.probe, each.reference
        if alarm:
            missing, began = each.recent.fall()
            drop = max(missing, reference.tolerance, LEAST_TOLERANCE)
            each.detector.restart()
            self._state.fallen[each.key] = Fallen(drop, Wealth())
            each.back = Detector(reference.flipped(drop), threshold=LEAST_THRESHOLD)
            return [Finding("fell", probe.name, number, at, probe, began)]
        if each.back is not None and each.back.update(stratum, 1.0 - x):
            each.back = None
            del self._state.fallen[each.key]
            self._state.good[each.key] = number
            return [Finding("back", probe.name, number, at, probe)]
        return []

    def _threshold(self) -> float:
        """By how many conversations a day there were lately: today so far, yesterday, or in the mean of the week,
        whatever is most. It is `stats.drift.threshold` without its checks, since each value asks for it."""
        limit = self._factor * (self._busy if self._busy > self._today else self._today)
        return limit if limit > LEAST_THRESHOLD else LEAST_THRESHOLD

    def _count(self, at: float) -> None:
        """Count a conversation among those of its day; of the newest day they are counted apart until it is kept."""
        day = int(at // DAY_S)
        if day == self._day:
            self._today += 1
            return
        per_day = self._state.per_day
        if day < self._day:
            if day > self._day - _LATELY:
                per_day[day] = per_day.get(day, 0) + 1
            return
        if self._day >= 0:
            per_day[self._day] = self._today
        self._day, self._today = day, 1
        for old in [each for each in per_day if each <= day - _LATELY]:
            del per_day[old]
        days = min(_LATELY, max(1, day - int(self._state.began // DAY_S)))
        self._busy = max(sum(per_day.values()) / days, per_day.get(day - 1, 0))

    def _learn(self, entry: Entry) -> None:
        state = self._state
        block = int(entry.at // (DAY_S if self.plan.learn_s >= _DAYS * DAY_S else HOUR_S))
        for place, name in enumerate(SIGNALS if self.plan.of_signals else ("",)):
            value = entry.values[place]
            if value is None:
                continue
            measured = float(bin_of(value)) if name in SIZES else value
            blocks = state.days.setdefault(place, {})
            if block in blocks or len(blocks) < _MOST_BLOCKS:
                parts = blocks.setdefault(block, {})
                part = _stratum(entry.slice, parts)
                n, total = parts.get(part, (0, 0.0))
                parts[part] = n + 1, total + measured
            if name in SIZES:
                strata = state.bins.setdefault(place, {})
                histogram = strata.setdefault(_stratum(entry.slice, strata), {})
                place_of = bin_of(value)
                histogram[place_of] = histogram.get(place_of, 0) + 1
            else:
                sums = state.sums.setdefault(place, {})
                stratum = _stratum(entry.slice, sums)
                n, mean, squares = sums.get(stratum, (0, 0.0, 0.0))
                off = value - mean
                mean += off / (n + 1)
                sums[stratum] = n + 1, mean, squares + off * (value - mean)

    def _has_learnt(self) -> bool:
        state, plan = self._state, self.plan
        lasted = state.newest - state.began
        if state.n >= plan.learn_n and lasted >= plan.learn_s:
            return True
        return state.n >= min(_FEW, plan.learn_n) and plan.learn_s > 0 and lasted >= _LONGEST_S * plan.learn_s

    def near(self) -> list[tuple[Probe, float]]:
        """How near each probe is to its alarm, 0..1, on a logarithmic scale."""
        limit = log(self._threshold())
        return [(each.probe, max(0.0, log(max(each.detector.level, 1.0)) / limit)) for each in self._watching]

    @property
    def state(self) -> State:
        """Where the stream stands now."""
        state = self._state
        if self._day >= 0:
            state.per_day[self._day] = self._today
        state.plan, state.busy = self.plan, self._busy
        state.wealth = {each.key: each.detector.state for each in self._watching}
        for each in self._watching:
            if each.back is not None:
                state.fallen[each.key].back = each.back.state
        state.mix = None if self._mix is None else self._mix.state
        return state


def reference_of(probe: Probe, state: State) -> tuple[Reference, float]:
    """What a probe's values are held against, and what they are measured by: the duration from which on one is slow,
    or the amount that is as bad as can be.

    Its tolerance is twice that by which days differ ordinarily, where they do: a weekend is no incident.
    """
    if probe.limit is not None:
        return _fixed(probe), 0.0
    days = state.days.get(probe.place, {})
    if probe.measure in ("score", "better", "rate"):
        sums = state.sums.get(probe.place, {})
        uneven = _unevenness(days, {name: mean for name, (_, mean, _) in sums.items()}, Reference.of_sums(sums).sd)
        if probe.measure != "score":
            sums = {name: (n, 1.0 - mean, squares) for name, (n, mean, squares) in sums.items()}
        reference = _tolerant(Reference.of_sums(_pooled(sums)), uneven)
        if probe.measure == "better":  # nobody has to hurry
            reference = replace(reference, tolerance=max(_RISE, 2 * reference.tolerance))
        return reference, 0.0
    strata = state.bins.get(probe.place, {})
    whole: dict[int, int] = {}
    for histogram in strata.values():
        for place, count in histogram.items():
            whole[place] = whole.get(place, 0) + count
    at = quantile(whole, _SLOW if probe.measure == "slow" else _LARGEST)
    measured = 0.0 if at is None else at[2] if probe.measure == "slow" else _CAPPED * at[0]
    reference = Reference.of_sums(_pooled({name: _summed(probe, each, measured) for name, each in strata.items()}))
    places = Reference.of_sums({name: _of_bins(each) for name, each in strata.items()})
    uneven = _unevenness(days, {name: mean for name, (_, mean, _) in places.strata.items()}, places.sd)
    return _tolerant(reference, uneven * reference.sd / places.sd if places.sd else 0.0), measured


def _unevenness(days: Mapping[int, Mapping[str, tuple[int, float]]], means: Mapping[str, float], sd: float) -> float:
    """By how much days (or hours) differ beyond chance, within strata."""
    blocks = []
    for strata in days.values():
        known = [(n, total - n * means[name]) for name, (n, total) in strata.items() if name in means]
        if n := sum(each for each, _ in known):
            blocks.append((n, sum(off for _, off in known) / n))
    return spread_between(blocks, sd)


def _tolerant(reference: Reference, uneven: float) -> Reference:
    return replace(reference, tolerance=max(reference.tolerance, _ORDINARY * min(uneven, _UNEVENEST)))


def _of_bins(histogram: Mapping[int, int]) -> tuple[int, float, float]:
    n = sum(histogram.values())
    mean = sum(place * count for place, count in histogram.items()) / n
    return n, mean, sum(count * (place - mean) ** 2 for place, count in histogram.items())


def _summed(probe: Probe, histogram: Mapping[int, int], measured: float) -> tuple[int, float, float]:
    values = [(measured_good(probe, seconds_of(place), measured), count) for place, count in sorted(histogram.items())]
    n = sum(count for _, count in values)
    mean = sum(x * count for x, count in values) / n
    return n, mean, sum(count * (x - mean) ** 2 for x, count in values)


def _fixed(probe: Probe) -> Reference:
    limit = probe.limit or 0.0
    levels = {"score": limit, "rate": 1.0 - limit, "slow": _SLOW, "amount": 1.0 - 1.0 / OVER, "short": 0.0}
    return Reference.fixed(levels[probe.measure])


def _stratum(name: str, known: Mapping[str, object]) -> str:
    return name if name in known or len(known) < _MOST_STRATA else REST


def stratum_of(name: str, reference: Reference) -> str:
    """By which stratum a slice is judged."""
    return name if reference.knows(name) else REST


def _pooled(strata: Mapping[str, Sums]) -> dict[str, Sums]:
    """Strata, of which the thin ones are one where they are many conversations."""
    total = sum(n for n, _, _ in strata.values())
    thin = {name: each for name, each in strata.items() if each[0] < KNOWN or name == REST}
    n = sum(each for each, _, _ in thin.values())
    if n < max(KNOWN, _MANY * total):
        return dict(strata)
    mean = sum(each * its for each, its, _ in thin.values()) / n
    squares = sum(rest + each * (its - mean) ** 2 for each, its, rest in thin.values())
    return {**{name: each for name, each in strata.items() if name not in thin}, REST: (n, mean, squares)}
