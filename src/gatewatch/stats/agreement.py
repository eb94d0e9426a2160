"""Agreement between raters: a judge and people, or people among themselves."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from math import fsum, log, sqrt, tanh
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from gatewatch.stats.intervals import ROUNDING, Interval, newcombe_difference, wilson
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
    Everitt (1969), for large samples: below 50 things the interval is wide, and rough. Where that variance is 0, as it
    is when they agree on everything, the interval is Wilson's of the agreement, at the agreement that chance gives.

    Raises:
        ValueError: unless both have rated the same number of things, at least one.
    """
    return _kappa(one, other, lambda a, b: float(a == b))


def weighted_kappa(
    one: Sequence[float], other: Sequence[float], *, weights: Literal["linear", "quadratic"] = "linear"
) -> Kappa:
    """Cohen's kappa of grades, which counts by how much two raters differ, with its 95 % interval.

    Source: Cohen (1968), "Weighted kappa"; the interval is as for `cohen_kappa`. Grades are numbers, of which the
    distance is their difference.

    Raises:
        ValueError: unless both have rated the same number of things, at least one.
    """
    power = 1 if weights == "linear" else 2
    widest = max([*one, *other], default=0.0) - min([*one, *other], default=0.0) or 1.0
    return _kappa(one, other, lambda a, b: 1 - (abs(a - b) / widest) ** power)


def _kappa(one: Sequence[Any], other: Sequence[Any], weight: Callable[[Any, Any], float]) -> Kappa:
    """Kappa where two values agree by a weight in 0..1."""
    n = _paired(one, other)
    rows, columns = Counter(one), Counter(other)
    of_row = {a: sum(count * weight(a, b) for b, count in columns.items()) / n for a in rows}
    of_column = {b: sum(count * weight(a, b) for a, count in rows.items()) / n for b in columns}
    table = Counter(zip(one, other, strict=True))
    agreed = sum(count * weight(a, b) for (a, b), count in table.items()) / n
    chance = sum(count * of_row[a] for a, count in rows.items()) / n
    if chance >= 1.0 - ROUNDING:
        return Kappa(None)
    kappa = (agreed - chance) / (1 - chance)
    squares = sum(
        count / n * (weight(a, b) * (1 - chance) - (of_row[a] + of_column[b]) * (1 - agreed)) ** 2
        for (a, b), count in table.items()
    )
    variance = (squares - (agreed * chance - 2 * chance + agreed) ** 2) / n
    if variance <= ROUNDING:
        ends = wilson(min(max(agreed, 0.0), 1.0) * n, n)
        low, high = ((end - chance) / (1 - chance) for end in (ends.low, ends.high))
        return Kappa(kappa, Interval(max(-1.0, low), min(1.0, high), "Wilson"))
    half = _Z * sqrt(variance) / (1 - chance) ** 2
    return Kappa(kappa, Interval(max(-1.0, kappa - half), min(1.0, kappa + half), "Fleiss-Cohen-Everitt"))


def design_effect(parts: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """By how much the variance of a sum grows, 1 or more, when only clusters are independent.

    `parts` are what each thing adds to the estimate's error, with a sum of about 0. Where no part differs from 0, the
    clusters count as one thing each.

    Source: Kish, Survey Sampling (1965), section 5.4; the variance is that of `cluster_se`.
    """
    n, groups = len(parts), len(set(clusters))
    if groups == n:
        return 1.0
    alone = sum(part**2 for part in parts) * n / (n - 1)
    if groups < 2 or alone <= ROUNDING:
        return n / groups
    sums: dict[Hashable, float] = {}
    for part, cluster in zip(parts, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + part
    return max(1.0, sum(each**2 for each in sums.values()) * groups / (groups - 1) / alone)


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
    if len(totals) < 2:
        return None
    n = fsum(totals.values())
    if level == "nominal":
        observed = fsum(count for (a, b), count in coincidences.items() if a != b)
        chance = n**2 - fsum(count**2 for count in totals.values())
    else:
        at = _positions(totals, level)
        middle = sum(count * at[value] for value, count in totals.items()) / n
        observed = sum(count * (at[a] - at[b]) ** 2 for (a, b), count in coincidences.items())
        chance = 2 * n * sum(count * (at[value] - middle) ** 2 for value, count in totals.items())
    return 1 - (n - 1) * observed / chance


def _positions(totals: Counter[float | str], level: Level) -> dict[float | str, float]:
    """Where values lie: of ordinal ones, at the middle of their ranks."""
    if level == "interval":
        return {value: float(value) for value in totals}
    below, at = 0.0, {}
    for value in sorted(totals, key=float):
        at[value] = below + totals[value] / 2
        below += totals[value]
    return at


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
    def of(
        cls,
        good: Sequence[bool],
        passed: Sequence[bool],
        weights: Sequence[float] | None = None,
        clusters: Sequence[Hashable] | None = None,
    ) -> "Confusion":
        """Count things, each with a weight (1 over its probability of having been labelled), scaled to their number.

        Things of one cluster, a document say, tell less than as many that are independent: `effective` is less by the
        design effect on J (on the agreement, where all is good or all bad).
        """
        weights = weights or [1.0] * len(good)
        total = sum(weights)
        cells = Counter[tuple[bool, bool]]()
        for is_good, has_passed, weight in zip(good, passed, weights, strict=True):
            cells[is_good, has_passed] += weight * len(good) / total  # type: ignore[assignment]
        effective = total**2 / sum(weight**2 for weight in weights) if weights else 0.0
        if clusters is not None and good:
            effective /= design_effect(_parts(good, passed, weights), clusters)
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


def _parts(good: Sequence[bool], passed: Sequence[bool], weights: Sequence[float]) -> list[float]:
    """What each thing adds to the error of J, or of the agreement where there is no J."""
    rows = list(zip(good, passed, weights, strict=True))
    sizes = {side: sum(weight for is_good, _, weight in rows if is_good is side) for side in (True, False)}
    if not all(sizes.values()):
        sizes = dict.fromkeys(sizes, sum(weights))
    rates = {side: sum(w for is_good, p, w in rows if is_good is side and p) / sizes[side] for side in sizes}
    return [w * (p - rates[is_good]) / sizes[is_good] * (1 if is_good else -1) for is_good, p, w in rows]


def auc(
    scores: Sequence[float],
    good: Sequence[bool],
    clusters: Sequence[Hashable] | None = None,
    weights: Sequence[float] | None = None,
) -> tuple[float, Interval] | None:
    """The probability that something good is scored above something bad (ties count half), with its 95 % interval.

    The variance is nonparametric and allows for clusters, things of one origin, and for weights (1 over a thing's
    probability of having been labelled); without either it is DeLong's. The interval is symmetric on the logit scale.
    None where all is good, or all bad.

    Source: Obuchowski (1997), "Nonparametric analysis of clustered ROC curve data"; DeLong et al. (1988).
    """
    import numpy as np

    values, flags = np.asarray(scores, dtype=float), np.asarray(good, dtype=bool)
    weighed = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    if flags.all() or not flags.any():
        return None
    of_good, of_bad = weighed[flags] / weighed[flags].sum(), weighed[~flags] / weighed[~flags].sum()
    above = _placed(values[flags], values[~flags], of_bad)
    below = 1 - _placed(values[~flags], values[flags], of_good)
    area = min(1.0, float(above @ of_good))
    groups = range(len(values)) if clusters is None else clusters
    each = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    where = np.asarray([each[group] for group in groups])
    a = np.bincount(where[flags], weights=of_good * (above - area), minlength=len(each))
    b = np.bincount(where[~flags], weights=of_bad * (below - area), minlength=len(each))
    goods, bads = (len(np.unique(where[mask])) for mask in (flags, ~flags))
    variance = _spread(goods) * float(a @ a) + _spread(bads) * float(b @ b) + 2 * _spread(len(each)) * float(a @ b)
    return area, logit_interval(area, variance, min(goods, bads))


def _placed(
    values: "NDArray[np.float64]", others: "NDArray[np.float64]", shares: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """For each value the share of the others that it is above, ties counting half."""
    import numpy as np

    order = np.argsort(others)
    ranked, below = others[order], np.concatenate(([0.0], np.cumsum(shares[order])))
    low, high = np.searchsorted(ranked, values, "left"), np.searchsorted(ranked, values, "right")
    return np.asarray((below[low] + below[high]) / 2)


def _spread(groups: int) -> float:
    return groups / (groups - 1) if groups > 1 else 1.0


def logit_interval(p: float, variance: float, n: float, method: str = "logit") -> Interval:
    """The 95 % interval of an estimate in 0..1, symmetric on the logit scale; at the ends of 0..1 Wilson's of n."""
    if not ROUNDING < p < 1 - ROUNDING or variance <= 0:
        ends = wilson(p * n, n)
        return Interval(ends.low, ends.high, method)
    half, at = _Z * sqrt(variance) / (p * (1 - p)), log(p / (1 - p))
    return Interval(_share(at - half), _share(at + half), method)


def _share(logit: float) -> float:
    return 0.5 * (1 + tanh(logit / 2))


def _paired(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    if not one or len(one) != len(other):
        raise ValueError(f"both must have rated the same things, at least one, got {len(one)} and {len(other)}")
    return len(one)
