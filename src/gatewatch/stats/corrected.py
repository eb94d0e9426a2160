"""What people would have said of everything, from a judge's verdicts on all of it and people's on a part."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from math import sqrt
from typing import Any

from msgspec import Struct

from gatewatch.stats.agreement import design_effect, logit_interval
from gatewatch.stats.intervals import Interval
from gatewatch.stats.special import normal_quantile

LEAST_OF_A_VERDICT = 5
"""Labels that a verdict must have to be a stratum of its own."""

_Z = -normal_quantile(0.025)


class Corrected(Struct, frozen=True):
    """An estimate of people's mean, with its 95 % interval."""

    mean: float
    interval: Interval


def post_stratified(
    verdicts: Sequence[Hashable],
    values: Sequence[float],
    population: Mapping[Any, float],
    *,
    weights: Sequence[float] | None = None,
    clusters: Sequence[Hashable] | None = None,
) -> Corrected:
    """People's mean over a population, from labels stratified by the judge's verdict: the sum of p(v) times mean(v).

    For a binary judge that is p PPV + (1 - p)(1 - NPV). It is unbiased however the labels were drawn by verdict, and
    needs nothing of the judge: one that knows nothing only makes it no narrower. Verdicts with fewer than five labels
    are put together (those of replies that could not be read, say); where that is still too few, with the commonest.
    The variance has a part for the labels within each verdict (of which a rate is drawn towards a half by one label
    each way, so that a few labels that agree are no certainty) and one for the population itself being a sample: the
    interval is about things like these, so that it keeps a width where all of them are labelled.

    Source: Cochran, Sampling Techniques, section 5A.9 (post-stratification); for judges Angelopoulos et al.,
    arXiv 2301.09633.

    Args:
        verdicts: for each label, the judge's verdict.
        values: for each label, what people say, in 0..1.
        population: how often the judge gave each verdict, labelled or not: a count of verdicts, or of as many as tell
            as much.
        weights: for each label, 1 over its probability of having been drawn; by default all the same.
        clusters: for each label, the origin that it shares with others; by default each has its own.

    Raises:
        ValueError: without labels, or without a population.
    """
    if not values or sum(population.values()) <= 0:
        raise ValueError("there must be labels, and a population that they are a part of")
    strata = _strata(Counter(verdicts), population)
    total = sum(population.values())
    counts: dict[int, float] = {}
    for verdict, count in population.items():
        counts[strata[verdict]] = counts.get(strata[verdict], 0.0) + count
    share = {stratum: count / total for stratum, count in counts.items()}
    weights = weights or [1.0] * len(values)
    drawn: dict[int, list[tuple[float, float]]] = {}
    for verdict, value, weight in zip(verdicts, values, weights, strict=True):
        drawn.setdefault(strata[verdict], []).append((value, weight))
    means, sizes, variance = {}, {}, 0.0
    for stratum, labels in drawn.items():
        weighed = sum(weight for _, weight in labels)
        mean = sum(value * weight for value, weight in labels) / weighed
        effective = weighed**2 / sum(weight**2 for _, weight in labels)
        smooth = (mean * effective + 1) / (effective + 2)
        within = sum(weight * (value - mean) ** 2 for value, weight in labels) / weighed
        # Of 0 and 1 alone `within` is mean (1 - mean): then this is the variance at the drawn-in mean.
        rough = within / (mean * (1 - mean)) if 0 < mean < 1 else 1.0
        means[stratum], sizes[stratum] = mean, weighed
        variance += share[stratum] ** 2 * rough * smooth * (1 - smooth) / effective
    if clusters is not None:
        parts = [
            share[strata[verdict]] * weight * (value - means[strata[verdict]]) / sizes[strata[verdict]]
            for verdict, value, weight in zip(verdicts, values, weights, strict=True)
        ]
        variance *= design_effect(parts, clusters)
    theta = min(1.0, sum(share[stratum] * mean for stratum, mean in means.items()))
    variance += sum(share[stratum] * (mean - theta) ** 2 for stratum, mean in means.items()) / total
    return Corrected(theta, logit_interval(theta, variance, len(values), "post-stratified on the verdict"))


def _strata(labels: Counter[Hashable], population: Mapping[Any, float]) -> dict[Hashable, int]:
    """The stratum of each verdict: its own, or the one of those that are rare. Every stratum has labels."""
    common = [verdict for verdict in population if labels[verdict] >= LEAST_OF_A_VERDICT]
    found: dict[Hashable, int] = {verdict: place for place, verdict in enumerate(common)}
    rare = [verdict for verdict in {**population, **labels} if verdict not in found]
    together = sum(labels[verdict] for verdict in rare)
    most = max(common, key=lambda verdict: population[verdict], default=None)
    place = len(common) if together >= LEAST_OF_A_VERDICT or most is None else found[most]
    return found | dict.fromkeys(rare, place)


def prediction_powered(
    values: Sequence[float],
    judged: Sequence[float],
    others: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    tuning: float | None = None,
    logit: bool = True,
) -> Corrected:
    """People's mean, from a judge's scores on everything and people's on a random part (PPI++).

    mean(others) * l + mean(values - l * judged), with the tuning l in 0..1 that makes the variance least: 1 is plain
    PPI, 0 uses the labels alone.

    Source: Angelopoulos, Duchi and Zrnic, PPI++, arXiv 2311.01453. Their interval is the normal one, here on the logit
    scale, where it stays within 0..1 and holds what it promises near the ends.

    Args:
        values: what people say, for each label, in 0..1.
        judged: what the judge says, for each label, in 0..1.
        others: what the judge says of what has no label.
        clusters: for each label, the origin that it shares with others; by default each has its own.
        tuning: a fixed l, in the place of the best.
        logit: whether the interval is symmetric on the logit scale, and the mean kept within 0..1.

    Raises:
        ValueError: unless there are two labels or more, and something that has none.
    """
    n, more = len(values), len(others)
    if n < 2 or more < 1 or n != len(judged):
        raise ValueError(
            f"there must be two labels or more, each judged, and something without one, got {n} and {more}"
        )
    if tuning is None:
        every = [*judged, *others]
        spread = _variance(every) * len(every) / (len(every) - 1)
        mean_y, mean_f = sum(values) / n, sum(judged) / n
        together = sum((y - mean_y) * (f - mean_f) for y, f in zip(values, judged, strict=True)) / n
        tuning = min(1.0, max(0.0, together / (spread * (1 + n / more)))) if spread else 0.0
    rest = [y - tuning * f for y, f in zip(values, judged, strict=True)]
    of_rest = sum(rest) / n
    mean = tuning * sum(others) / more + of_rest
    within = _variance(rest) / n
    if clusters is not None:
        within *= design_effect([each - of_rest for each in rest], clusters)
    variance = tuning**2 * _variance(others) / more + within
    if logit:
        mean = min(1.0, max(0.0, mean))
        return Corrected(mean, logit_interval(mean, variance, n, "PPI++"))
    half = _Z * sqrt(variance)
    return Corrected(mean, Interval(mean - half, mean + half, "PPI++"))


def rogan_gladen(rate: float, n: int, *, sensitivity: float, good: float, specificity: float, bad: float) -> Corrected:
    """People's rate in another population, from the judge's pass rate there and its errors where it was calibrated.

    (rate + specificity - 1) / (sensitivity + specificity - 1), within 0..1. It assumes that the judge errs as often
    there as it did on the labels; where there are labels of the population itself, `post_stratified` is narrower.

    Source: Rogan and Gladen (1978); the interval is that of Lee et al., arXiv 2511.21140, with its adjusted counts.

    Args:
        rate: the judge's pass rate in the other population.
        n: how many verdicts that is of.
        sensitivity: the share of good things that the judge passed.
        good: how many good things that is of; where they are weighted or hang together, how many count as independent.
        specificity: the share of bad things that the judge failed.
        bad: the same of bad things.

    Raises:
        ValueError: when the judge is no better than chance (sensitivity + specificity is at most 1).
    """
    if sensitivity + specificity <= 1:
        raise ValueError("a judge that is no better than chance cannot be corrected")
    theta = min(1.0, max(0.0, (rate + specificity - 1) / (sensitivity + specificity - 1)))
    square = _Z**2
    p = (n * rate + square / 2) / (n + square)
    q0, q1 = (bad * specificity + 1) / (bad + 2), (good * sensitivity + 1) / (good + 2)
    m0, m1 = bad + 2, good + 2
    j = q0 + q1 - 1
    if j <= 0:
        return Corrected(theta, Interval(0.0, 1.0, "Lee"))
    at = (p + q0 - 1) / j
    bias = 2 * square * (-(1 - at) * q0 * (1 - q0) / m0 + at * q1 * (1 - q1) / m1)
    se = sqrt(p * (1 - p) / (n + square) + (1 - at) ** 2 * q0 * (1 - q0) / m0 + at**2 * q1 * (1 - q1) / m1) / j
    low, high = (min(1.0, max(0.0, at + bias + side * _Z * se)) for side in (-1, 1))
    return Corrected(theta, Interval(low, high, "Lee"))


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / len(values)
