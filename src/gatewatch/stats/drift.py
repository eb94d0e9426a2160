"""Did it get worse than it was? A detector that takes one value a conversation and knows how often it cries wolf.

Values are in 0..1, and 1 is good; a signal of which 0 is good is given as 1 - x. Each is held against what its stratum
(such as a slice) was like before, so that other traffic is not taken for another quality.
"""

from collections.abc import Iterable, Sequence
from math import fsum, inf, sqrt
from typing import TYPE_CHECKING

from msgspec import Struct

from gatewatch.stats.intervals import ROUNDING, Interval
from gatewatch.stats.special import t_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BETS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""How much is bet on every value being worse. Small bets find small drops, large ones find large drops soon."""
WEIGHTS = (32 / 63, 16 / 63, 8 / 63, 4 / 63, 2 / 63, 1 / 63)
"""What each bet has a share of. Large bets gain by chance what a tolerance does not take from them, so they have less:
with equal shares there are twice the false alarms, and a drop is seen a few values sooner (docs/design/watching.md)."""
KNOWN = 5
"""Of how many values a reference must know a stratum before others are held against it."""
LEAST_TOLERANCE = 0.01
LEAST_THRESHOLD = 1_000.0
FEWEST_AFTER = 5
AS_EXPECTED = 10
"""A change begins at 5 values before the last or earlier, and so many as expected are counted with those after it."""

_MOST = 0.95  # of the wealth at stake: a value of 1 leaves a twentieth
_ERRORS = 1.5  # standard errors of the reference's mean that are no drop
_OWN_ERRORS = 0.5
_CAP = 1e100
_QUIET = 300
_CHOSEN = 1.5


class Reference(Struct, frozen=True):
    """What values were like before, by stratum: (n, mean, sum of squared deviations from that mean).

    tolerance: by how much the mean may be lower and nothing is said of it; at least what `n` values do not know of
        their own mean.
    level: what every value of every stratum is held against, instead of what was before: a floor.
    """

    strata: dict[str, tuple[int, float, float]]
    tolerance: float
    level: float | None = None

    @classmethod
    def of(cls, values: Iterable[tuple[str, float]], *, tolerance: float | None = None) -> "Reference":
        """The reference that (stratum, value in 0..1) make, in whatever order.

        Args:
            values: one for each conversation.
            tolerance: in place of max(0.01, 1.5 sd / sqrt(n)), with sd within strata and n of all: with it a reference
                of 200 values makes 1 false alarm a month, and one of 7,000 a hundredth (STATISTICS of the project).

        Raises:
            ValueError: for a value out of 0..1, or NaN.
        """
        kept: dict[str, list[float]] = {}
        for stratum, value in values:
            _check(value)
            kept.setdefault(stratum, []).append(value)
        strata = {}
        for stratum, each in sorted(kept.items()):
            mean = fsum(each) / len(each)
            strata[stratum] = (len(each), mean, fsum((value - mean) ** 2 for value in each))
        return cls.of_sums(strata, tolerance=tolerance)

    @classmethod
    def of_sums(cls, strata: dict[str, tuple[int, float, float]], *, tolerance: float | None = None) -> "Reference":
        """As `of`, from each stratum's count, mean and sum of squared deviations."""
        plain = cls(strata, LEAST_TOLERANCE if tolerance is None else tolerance)
        if tolerance is not None or not plain.n:
            return plain
        return cls(strata, max(LEAST_TOLERANCE, _ERRORS * plain.sd / sqrt(plain.n)))

    @classmethod
    def fixed(cls, level: float) -> "Reference":
        """A floor: every value is held against `level`, in 0..1, whatever its stratum. A ceiling c is 1 - c of 1 - x.

        Raises:
            ValueError: for a level out of 0..1.
        """
        _check(level)
        return cls({}, 0.0, level)

    @property
    def n(self) -> int:
        """How many values it was made of."""
        return sum(n for n, _, _ in self.strata.values())

    @property
    def mean(self) -> float:
        """The mean of all values; the level of a fixed one. NaN without values."""
        if self.level is not None:
            return self.level
        n = self.n
        return fsum(n * mean for n, mean, _ in self.strata.values()) / n if n else float("nan")

    @property
    def sd(self) -> float:
        """The standard deviation within strata; of a fixed one, the largest that values of its mean can have."""
        if self.level is not None:
            return sqrt(self.level * (1.0 - self.level))
        free = sum(n - 1 for n, _, _ in self.strata.values())
        return sqrt(fsum(squares for _, _, squares in self.strata.values()) / free) if free else 0.0

    def knows(self, stratum: str) -> bool:
        """Whether values of a stratum can be held against it: it had 5 or more of them. A fixed one knows all."""
        return self.level is not None or (stratum in self.strata and self.strata[stratum][0] >= KNOWN)

    def expected(self, stratum: str) -> float:
        """The mean of a stratum; of one that it does not know, the mean of all."""
        return self.strata[stratum][1] if self.level is None and self.knows(stratum) else self.mean

    def edge(self, stratum: str) -> float:
        """Below what a value speaks for a drop: the expected mean less the tolerance.

        A thin stratum's mean is less certain than that of all, and if its share of the traffic grows, so does its say.
        So it has a tolerance of its own, sd / sqrt(n of the stratum) / 2, where that is the larger. (Twice as much, and
        with twenty strata of 50 values each a drop of 0.05 takes 4,400 values to see, and not 930.)
        """
        if self.level is not None:
            return self.level
        own = _OWN_ERRORS * self.sd / sqrt(self.strata[stratum][0]) if self.knows(stratum) else 0.0
        return self.expected(stratum) - max(self.tolerance, own)

    def flipped(self, drop: float) -> "Reference":
        """The reference of 1 - x whose alarm says that what fell by `drop` is back, at least half of the way.

        To say so wrongly is no false alarm: the least threshold will do (with 100 it is said too soon).
        """
        if self.level is not None:
            return Reference({}, 0.0, min(1.0, 1.0 - self.level + drop / 2))
        back = {name: (n, min(1.0, 1.0 - mean + drop / 2), 0.0) for name, (n, mean, _) in self.strata.items()}
        return Reference(back, 0.0)


class State(Struct, frozen=True):
    """How far a detector is: the wealth of each of its bets, and how many values moved it."""

    wealth: tuple[float, float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    n: int = 0


class Detector:
    """A mixture Shiryaev-Roberts e-detector of a fall of the mean below a reference, less its tolerance.

    While the mean of every stratum is at least its edge, an alarm comes after `threshold` values or more on average,
    whatever their distribution and however the strata are mixed. The state is that of a fold over the values: bitwise
    the same wherever it is cut, saved and loaded.

    Source: Shin, Ramdas and Rinaldo (2022), arXiv:2203.03532: M <- (M + weight)(1 + bet (edge - x)) for each of
    `BETS`, cut so that no factor is below a twentieth; the alarm is on their sum.

        >>> detector = Detector(Reference.fixed(0.9), threshold=1000)
        >>> [detector.update("", x) for x in (1.0, 0.2, 0.1, 0.0)]
        [False, False, False, True]
    """

    __slots__ = ("_n", "_other", "_plans", "_wealth", "threshold")

    def __init__(self, reference: Reference, *, threshold: float, state: State | None = None) -> None:
        self.threshold = threshold
        # By stratum its edge and its bets; of one that is not in here there is nothing to say.
        self._plans = {name: _plan(reference.edge(name)) for name in reference.strata if reference.knows(name)}
        self._other = None if reference.level is None else _plan(reference.level)
        begin = state or State()
        self._wealth, self._n = begin.wealth, begin.n

    def update(self, stratum: str, x: float) -> bool:
        """Take one value in 0..1 and say whether there is an alarm. A value of an unknown stratum moves nothing.

        Raises:
            ValueError: for a value out of 0..1, or NaN.
        """
        if not 0.0 <= x <= 1.0:
            _check(x)
        plan = self._plans.get(stratum, self._other)
        if plan is None:
            return False
        edge, b0, b1, b2, b3, b4, b5 = plan
        m0, m1, m2, m3, m4, m5 = self._wealth
        w0, w1, w2, w3, w4, w5 = WEIGHTS
        gap = edge - x
        m0 = (m0 + w0) * (1.0 + b0 * gap)
        m1 = (m1 + w1) * (1.0 + b1 * gap)
        m2 = (m2 + w2) * (1.0 + b2 * gap)
        m3 = (m3 + w3) * (1.0 + b3 * gap)
        m4 = (m4 + w4) * (1.0 + b4 * gap)
        m5 = (m5 + w5) * (1.0 + b5 * gap)
        total = m0 + m1 + m2 + m3 + m4 + m5
        self._n += 1
        if total < _CAP:
            self._wealth = (m0, m1, m2, m3, m4, m5)
        else:
            self._wealth = (min(m0, _CAP), min(m1, _CAP), min(m2, _CAP), min(m3, _CAP), min(m4, _CAP), min(m5, _CAP))
        return total >= self.threshold

    @property
    def level(self) -> float:
        """What is held against the threshold: all wealth, 0 or more."""
        m0, m1, m2, m3, m4, m5 = self._wealth
        return m0 + m1 + m2 + m3 + m4 + m5

    @property
    def state(self) -> State:
        """What to save, and to begin with again."""
        return State(self._wealth, self._n)

    def restart(self) -> None:
        """Begin anew, as after an alarm: its wealth would take long to be lost again."""
        self._wealth, self._n = State().wealth, 0


class Change(Struct, frozen=True):
    """What `n` values are like (`after`) beside what their strata were like (`before`), and the 95 % interval of the
    difference; None where nothing can be said."""

    n: int
    before: float | None = None
    after: float | None = None
    interval: Interval | None = None

    @property
    def effect(self) -> float | None:
        """After less before: below 0 is a fall."""
        return None if self.after is None or self.before is None else self.after - self.before


def threshold(days: float, *, per_day: float, monitors: int) -> float:
    """The threshold with which all detectors together make at most one false alarm in `days` on average.

    It is at least 1,000, so that a handful of bad conversations of a flow that has hardly any is no alarm.

    Args:
        days: between two false alarms.
        per_day: how many values a detector takes a day; of several detectors, the largest.
        monitors: how many detectors there are.

    Raises:
        ValueError: for a number that is negative or not one, or no detector.
    """
    if not (0 <= days < inf and 0 <= per_day < inf and monitors >= 1):
        raise ValueError(f"needs days, values a day and detectors, got {days}, {per_day} and {monitors}")
    return max(LEAST_THRESHOLD, days * per_day * monitors)


def onset(values: Sequence[tuple[str, float]], reference: Reference) -> int:
    """The place in (stratum, value) at which a fall most likely began, once an alarm says that there is one.

    It is where a mean that changes once, from what was expected by any amount, fits best: the sum from there to the end
    of what is missing, squared, over how many they are, is the largest. So that a few bad values at the end are not
    taken for all of it, 10 as expected are counted with them, and it is no later than 5 known values before the end. It
    is the end itself if nothing is missing from any place on.

    Source: Hinkley (1970), "Inference about the change-point in a sequence of random variables".
    """
    best, place, missing, count = 0.0, len(values), 0.0, 0
    expected = {stratum: reference.expected(stratum) for stratum in {stratum for stratum, _ in values}}
    for index in range(len(values) - 1, -1, -1):
        stratum, value = values[index]
        if not reference.knows(stratum):
            continue
        missing += expected[stratum] - value
        count += 1
        fit = missing * missing / (count + AS_EXPECTED)
        if count >= FEWEST_AFTER and missing > 0.0 and fit > best:
            best, place = fit, index
    return place


def effect(values: Iterable[tuple[str, float]], reference: Reference, *, chosen: bool = False) -> Change:
    """How much values differ from what their strata were like; those of unknown strata are left out.

    Args:
        values: (stratum, value in 0..1).
        reference: what was before. What it does not know of its own means is in the interval.
        chosen: the values are those from an `onset` to an alarm. They were chosen for being low: their interval would
            cover in 78 to 95 of 100, and is made half as wide again; the effect is too large by a tenth to a third
            (of drops by which an alarm is rare, by twice). Values that came after the alarm are free of that.

    Source: Student's t with n - 1 degrees of freedom on the deviations from the strata's means. Deviations that do not
    vary are taken to vary as the reference did: they are no certainty.
    """
    known = [(stratum, value) for stratum, value in values if reference.knows(stratum)]
    n = len(known)
    if not n:
        return Change(0)
    counts: dict[str, int] = {}
    for stratum, _ in known:
        counts[stratum] = counts.get(stratum, 0) + 1
    expected = {stratum: reference.expected(stratum) for stratum in counts}
    before = fsum(count * expected[stratum] for stratum, count in counts.items()) / n
    after = fsum(value for _, value in known) / n
    if n < 2:
        return Change(n, before, after)
    squares = fsum((value - expected[stratum] - after + before) ** 2 for stratum, value in known)
    sd = sqrt(squares / (n - 1))
    variance = (sd if sd > ROUNDING else reference.sd) ** 2 / n
    if reference.level is None:
        variance += reference.sd**2 * fsum(
            (count / n) ** 2 / reference.strata[name][0] for name, count in counts.items()
        )
    half = -t_quantile(0.025, n - 1) * sqrt(variance) * (_CHOSEN if chosen else 1.0)
    change = after - before
    return Change(n, before, after, Interval(max(-1.0, change - half), min(1.0, change + half), "t"))


class Delay(Struct, frozen=True):
    """How many values it takes to see a drop: in half of the runs, and in 9 of 10; None where it takes more than were
    simulated. `after` is the mean of the lowered values."""

    after: float
    median: int | None
    most: int | None


def delay(
    values: Sequence[tuple[str, float]],
    reference: Reference,
    *,
    drop: float,
    threshold: float,
    runs: int = 200,
    longest: int = 20_000,
    seed: int = 0,
) -> Delay:
    """How many values it takes until a detector tells that the mean fell by `drop`, by what values were like so far.

    Past values are drawn anew, the lower ones the more often, as much as the drop asks for (exponential tilting within
    strata, whose shares stay): a rubric's levels stay its levels, and 0 or 1 stays 0 or 1. So that there are lower
    ones, half a value of 0 is added to each stratum. The detector has seen 300 values as they were when the drop comes.

    Args:
        values: (stratum, value in 0..1) of the past; those of strata that the reference does not know are left out.
        reference: against which they are held.
        drop: of the mean, above 0.
        threshold: of the detector.
        runs: how many are simulated.
        longest: how many values a run takes at most.
        seed: of the draws.

    Raises:
        ValueError: without values of known strata, or unless the drop is above 0 and at most their mean.
    """
    import numpy as np

    by: dict[str, list[float]] = {}
    for stratum, value in values:
        if reference.knows(stratum):
            by.setdefault(stratum, [0.0]).append(value)
    x = np.concatenate([np.zeros(0), *map(np.array, by.values())])
    strata = np.repeat(np.arange(len(by)), [len(each) for each in by.values()])
    counts = np.bincount(strata, minlength=len(by)) - 1
    mean = float(x.sum() / counts.sum()) if by else 0.0
    if not 0.0 < drop <= mean:
        raise ValueError(f"needs values of strata that are known, and a drop above 0 and up to their mean, got {drop}")
    plans = np.array([_plan(reference.edge(stratum)) for stratum in by])
    first = np.concatenate([[0], np.cumsum(counts + 1)[:-1]])

    def chances(tilt: float) -> "NDArray[np.float64]":
        tilted = np.exp(-tilt * x)
        tilted[first] *= 0.5
        return np.asarray(tilted * (counts / counts.sum() / np.bincount(strata, tilted))[strata])

    low, high = 0.0, 1e4
    for _ in range(60):
        tilt = (low + high) / 2
        low, high = (tilt, high) if chances(tilt) @ x > mean - drop else (low, tilt)
    places = (np.cumsum(chances(0.0)), np.cumsum(chances(high)))
    rng = np.random.default_rng(seed)
    weights, wealth = np.array(WEIGHTS), np.zeros((runs, len(WEIGHTS)))
    seen = np.full(runs, longest + 1)
    for number in range(1 - _QUIET, longest + 1):
        drawn = np.minimum(np.searchsorted(places[number > 0], rng.random(runs)), len(x) - 1)
        plan = plans[strata[drawn]]
        wealth = np.minimum((wealth + weights) * (1.0 + plan[:, 1:] * (plan[:, :1] - x[drawn][:, None])), _CAP)
        seen[(wealth.sum(axis=1) >= threshold) & (seen > longest)] = max(1, number)
        if number % 100 == 0 and seen.max() <= longest:
            break
    median, most = (int(np.quantile(seen, q, method="higher")) for q in (0.5, 0.9))
    return Delay(float(chances(high) @ x), median if median <= longest else None, most if most <= longest else None)


def _plan(edge: float) -> tuple[float, float, float, float, float, float, float]:
    most = _MOST / max(1.0 - edge, 1e-9)
    b0, b1, b2, b3, b4, b5 = (min(bet, most) for bet in BETS)
    return edge, b0, b1, b2, b3, b4, b5


def _check(value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"a value is in 0..1, got {value}")
