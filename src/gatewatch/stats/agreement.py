"""Agreement between raters: a judge and people, or people among themselves."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from gatewatch.stats.intervals import Interval, newcombe_difference, wilson
from gatewatch.stats.special import normal_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Level = Literal["nominal", "ordinal", "interval"]
_Z = -normal_quantile(0.025)


class Kappa(Struct, frozen=True):
    """Agreement beyond chance: 1 is perfect, 0 what chance gives; None where chance alone agrees always."""

    value: float | None
    interval: Interval | None = None


def cohen_kappa(one: Sequence[Hashable], other: Sequence[Hashable]) -> Kappa:
    """Cohen's kappa of two raters over the same things, with its 95 % interval.

    Source: Cohen (1960), "A coefficient of agreement for nominal scales"; the variance is that of Fleiss, Cohen and
    Everitt (1969), for large samples: below 50 things the interval is wide, and rough.

    Raises:
        ValueError: unless both have rated the same number of things, at least one.
    """
    n = _paired(one, other)
    table = Counter(zip(one, other, strict=True))
    rows, columns = Counter(one), Counter(other)
    kinds = list(dict.fromkeys([*one, *other]))
    agreed = sum(table[each, each] for each in kinds) / n
    chance = sum(rows[each] * columns[each] for each in kinds) / n**2
    if chance >= 1.0:
        return Kappa(None)
    kappa = (agreed - chance) / (1 - chance)
    term_a = sum(
        table[each, each] / n * ((1 - chance) - (rows[each] + columns[each]) / n * (1 - agreed)) ** 2 for each in kinds
    )
    term_b = (1 - agreed) ** 2 * sum(
        count / n * ((rows[b] + columns[a]) / n) ** 2 for (a, b), count in table.items() if a != b
    )
    term_c = (agreed * chance - 2 * chance + agreed) ** 2
    half = _Z * sqrt(max(0.0, (term_a + term_b - term_c) / n)) / (1 - chance) ** 2
    return Kappa(kappa, Interval(max(-1.0, kappa - half), min(1.0, kappa + half), "Fleiss-Cohen-Everitt"))


def weighted_kappa(
    one: Sequence[int], other: Sequence[int], *, weights: Literal["linear", "quadratic"] = "linear"
) -> float | None:
    """Cohen's kappa of grades, which counts by how much two raters differ; None where chance alone agrees always.

    Source: Cohen (1968), "Weighted kappa". Grades are whole numbers; those that nobody gave do not matter.

    Raises:
        ValueError: unless both have rated the same number of things, at least one.
    """
    n = _paired(one, other)
    power = 1 if weights == "linear" else 2
    observed = sum(abs(a - b) ** power for a, b in zip(one, other, strict=True)) / n
    rows, columns = Counter(one), Counter(other)
    chance = sum(rows[a] * columns[b] * abs(a - b) ** power for a in rows for b in columns) / n**2
    return None if chance == 0 else 1 - observed / chance


def fleiss_kappa(ratings: Sequence[Sequence[Hashable]]) -> float | None:
    """Fleiss' kappa of several raters, of whom each thing has the same number; None where chance alone agrees always.

    Source: Fleiss (1971), "Measuring nominal scale agreement among many raters".

    Raises:
        ValueError: unless there are things, each with the same number of raters, two or more.
    """
    raters = len(ratings[0]) if ratings else 0
    if raters < 2 or any(len(each) != raters for each in ratings):
        raise ValueError("each thing must have the same number of raters, two or more")
    every = Counter(value for each in ratings for value in each)
    chance = sum((count / (raters * len(ratings))) ** 2 for count in every.values())
    agreed = pairwise_agreement(ratings)
    assert agreed is not None
    return None if chance >= 1.0 else (agreed - chance) / (1 - chance)


def pairwise_agreement(ratings: Sequence[Sequence[Hashable]]) -> float | None:
    """How often two raters of the same thing agree: the mean, over things with two or more, of the share of pairs.

    It is the ceiling for a judge: nobody can agree with people more than they do among themselves. None without pairs.
    """
    shares = []
    for each in ratings:
        pairs = len(each) * (len(each) - 1)
        if pairs:
            shares.append(sum(count * (count - 1) for count in Counter(each).values()) / pairs)
    return sum(shares) / len(shares) if shares else None


def krippendorff_alpha(ratings: Sequence[Sequence[float | str]], *, level: Level = "nominal") -> float | None:
    """Krippendorff's alpha: agreement beyond chance of any number of raters, where not everybody rated everything.

    Source: Krippendorff (2011), "Computing Krippendorff's alpha-reliability", by the matrix of coincidences. Things
    with fewer than two ratings are left out. None where no two values differ.

    Args:
        ratings: for each thing, the values that it was given.
        level: "nominal" for names; "ordinal" and "interval" for numbers.
    """
    paired = [list(each) for each in ratings if len(each) > 1]
    coincidences: Counter[tuple[float | str, float | str]] = Counter()
    for each in paired:
        for place, a in enumerate(each):
            for other, b in enumerate(each):
                if place != other:
                    coincidences[a, b] += 1 / (len(each) - 1)  # type: ignore[assignment]
    totals: Counter[float | str] = Counter()
    for (a, _), count in coincidences.items():
        totals[a] += count
    n = sum(totals.values())
    distance = _distance(totals, level)
    observed = sum(count * distance(a, b) for (a, b), count in coincidences.items())
    chance = sum(totals[a] * totals[b] * distance(a, b) for a in totals for b in totals)
    return None if chance == 0 else 1 - (n - 1) * observed / chance


def _distance(totals: Counter[float | str], level: Level) -> Callable[[float | str, float | str], float]:
    if level == "nominal":
        return lambda a, b: float(a != b)
    if level == "interval":
        return lambda a, b: (float(a) - float(b)) ** 2
    below, at = 0.0, {}
    for value in sorted(totals, key=float):  # the middle of a value's ranks
        at[value] = below + totals[value] / 2
        below += totals[value]
    return lambda a, b: (at[a] - at[b]) ** 2


class Confusion(Struct, frozen=True):
    """What a judge said of things that are good or bad by people's word. Counts may be weighted, and then are no whole.

    `effective` is how many unweighted labels tell as much: all of them, where the weights are the same.
    """

    good_passed: float = 0.0
    good_failed: float = 0.0
    bad_passed: float = 0.0
    bad_failed: float = 0.0
    effective: float = 0.0

    @classmethod
    def of(cls, good: Sequence[bool], passed: Sequence[bool], weights: Sequence[float] | None = None) -> "Confusion":
        """Count things, each with a weight (1 over its probability of having been labelled), scaled to their number."""
        weights = weights or [1.0] * len(good)
        total = sum(weights)
        cells = Counter[tuple[bool, bool]]()
        for is_good, has_passed, weight in zip(good, passed, weights, strict=True):
            cells[is_good, has_passed] += weight * len(good) / total  # type: ignore[assignment]
        effective = total**2 / sum(weight**2 for weight in weights) if weights else 0.0
        return cls(
            good_passed=float(cells[True, True]),
            good_failed=float(cells[True, False]),
            bad_passed=float(cells[False, True]),
            bad_failed=float(cells[False, False]),
            effective=effective,
        )

    @property
    def n(self) -> float:
        """How many things there are."""
        return self.good_passed + self.good_failed + self.bad_passed + self.bad_failed

    @property
    def accuracy(self) -> float:
        """The share that is judged as people judge it."""
        return (self.good_passed + self.bad_failed) / self.n

    def rate(self, k: float, n: float) -> tuple[float, Interval] | None:
        """A share of some of the things, with Wilson's interval at the effective number; None where there are none."""
        if n <= 0:
            return None
        scale = self.effective / self.n
        return k / n, wilson(min(k, n) * scale, n * scale)

    @property
    def sensitivity(self) -> tuple[float, Interval] | None:
        """The share of what is good that the judge passes."""
        return self.rate(self.good_passed, self.good_passed + self.good_failed)

    @property
    def specificity(self) -> tuple[float, Interval] | None:
        """The share of what is bad that the judge fails."""
        return self.rate(self.bad_failed, self.bad_passed + self.bad_failed)

    @property
    def ppv(self) -> tuple[float, Interval] | None:
        """The share of what the judge passes that is good (precision)."""
        return self.rate(self.good_passed, self.good_passed + self.bad_passed)

    @property
    def npv(self) -> tuple[float, Interval] | None:
        """The share of what the judge fails that is bad."""
        return self.rate(self.bad_failed, self.good_failed + self.bad_failed)

    @property
    def youden(self) -> tuple[float, Interval] | None:
        """J = sensitivity + specificity - 1: by this factor a drop of quality is seen through the judge.

        1 is perfect sight, 0 blindness. The interval is Newcombe's for the difference of the pass rates of what is good
        and what is bad. None where there is nothing of either.
        """
        good, bad = self.good_passed + self.good_failed, self.bad_passed + self.bad_failed
        if good <= 0 or bad <= 0:
            return None
        s = self.effective / self.n
        j = self.good_passed / good - self.bad_passed / bad
        return j, newcombe_difference(self.good_passed * s, good * s, self.bad_passed * s, bad * s)


def auc(
    scores: Sequence[float], good: Sequence[bool], clusters: Sequence[Hashable] | None = None
) -> tuple[float, Interval] | None:
    """The probability that something good is scored above something bad (ties count half), with its 95 % interval.

    The variance is nonparametric and allows for clusters, things of one origin; without clusters it is DeLong's. The
    interval is symmetric on the logit scale. None where all is good, or all bad.

    Source: Obuchowski (1997), "Nonparametric analysis of clustered ROC curve data"; DeLong et al. (1988).
    """
    import numpy as np

    x = np.asarray([score for score, is_good in zip(scores, good, strict=True) if is_good], dtype=float)
    y = np.asarray([score for score, is_good in zip(scores, good, strict=True) if not is_good], dtype=float)
    if not len(x) or not len(y):
        return None
    above = _placed(x, y)
    below = 1 - _placed(y, x)
    area = float(above.mean())
    groups = list(range(len(scores))) if clusters is None else list(clusters)
    each = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    where = np.asarray([each[group] for group in groups])
    flags = np.asarray(list(good), dtype=bool)
    a = np.bincount(where[flags], weights=above - area, minlength=len(each))
    b = np.bincount(where[~flags], weights=below - area, minlength=len(each))
    of_good, of_bad = (len(np.unique(where[mask])) for mask in (flags, ~flags))
    variance = (
        _spread(of_good) * float(a @ a) / len(x) ** 2
        + _spread(of_bad) * float(b @ b) / len(y) ** 2
        + 2 * _spread(len(each)) * float(a @ b) / (len(x) * len(y))
    )
    return area, _logit_interval(area, variance, min(of_good, of_bad))


def _placed(values: "NDArray[np.float64]", others: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """For each value the share of the others that it is above, ties counting half."""
    import numpy as np

    ranked = np.sort(others)
    low, high = np.searchsorted(ranked, values, "left"), np.searchsorted(ranked, values, "right")
    return np.asarray((low + high) / (2 * len(others)))


def _spread(groups: int) -> float:
    return groups / (groups - 1) if groups > 1 else 1.0


def _logit_interval(p: float, variance: float, n: int) -> Interval:
    if not 0 < p < 1 or variance <= 0:
        bounds = wilson(p * n, n)
        return Interval(bounds.low, bounds.high, "Wilson")
    half = _Z * sqrt(variance) / (p * (1 - p))
    at = log(p / (1 - p))
    return Interval(1 / (1 + exp(half - at)), 1 / (1 + exp(-half - at)), "logit")


def _paired(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    if not one or len(one) != len(other):
        raise ValueError(f"both must have rated the same things, at least one, got {len(one)} and {len(other)}")
    return len(one)
