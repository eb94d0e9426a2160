"""Means of what was sampled with known, unequal probabilities: what online numbers are estimated with.

Every value weighs 1 / pi, where pi is the probability with which it came to be in the sample. So a sample that takes
all that went wrong and a twentieth of the rest tells of all traffic, without bias.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from math import fsum, sqrt

from msgspec import Struct

from gatewatch.stats.agreement import design_effect, logit_interval
from gatewatch.stats.intervals import Estimate, Interval
from gatewatch.stats.special import normal_quantile

_Z = -normal_quantile(0.025)
_MORE = 0.25
_ALIKE = 1e-7
"""A standard error that sums of equal values may come to by rounding: the values are alike."""


class Cell(Struct, frozen=True):
    """Values that were sampled with one probability `pi`: how many, their sum, and the sum of their squares."""

    pi: float
    n: int
    total: float
    squares: float


def hajek(values: Sequence[float], probabilities: Sequence[float]) -> tuple[float, float, float]:
    """The weighted mean of independent values, its linearised standard error, and Kish's effective sample size.

    Source: Hajek (1971); Särndal, Swensson and Wretman (1992), "Model assisted survey sampling", section 5.7. The
    standard error is that of a weighted least-squares mean, HC0.

    Raises:
        ValueError: without values, or for a probability out of (0, 1]: what could not be sampled is not estimated.
    """
    weights = _weights(probabilities)
    every = fsum(weights)
    mean = fsum(w * x for w, x in zip(weights, values, strict=True)) / every
    squares = fsum((w * (x - mean)) ** 2 for w, x in zip(weights, values, strict=True))
    return mean, sqrt(squares) / every, every**2 / fsum(w * w for w in weights)


def weighted_mean(
    values: Sequence[float], probabilities: Sequence[float], clusters: Sequence[Hashable] | None = None
) -> Estimate:
    """The mean of values in 0..1 over all that they were sampled from, with its 95 % interval on the logit scale.

    Args:
        values: what was sampled.
        probabilities: with which each came to be sampled, in (0, 1]: the final ones, not those of the day.
        clusters: what each belongs to, such as its session: only clusters are independent. By default each is alone.

    Returns:
        The estimate. Where the values do not differ its interval is Wilson's of the effective size; there is none for
        fewer than two values.

    Source: as `hajek`, times n / (n - 1), and the design effect of the clusters (Kish, Survey Sampling, 1965).

    Raises:
        ValueError: for a probability out of (0, 1].
    """
    if not values:
        return Estimate(None, 0)
    mean, se, effective = hajek(values, probabilities)
    return _estimate(mean, se, effective, len(values), spread_by(values, probabilities, clusters))


def weighted_mean_of_cells(cells: Iterable[Cell], *, design: float = 1.0) -> Estimate:
    """As `weighted_mean`, from sums; `design` is by how much clusters, of which sums know nothing, widen the variance.

    Raises:
        ValueError: for a probability out of (0, 1].
    """
    kept = [cell for cell in cells if cell.n]
    if not kept:
        return Estimate(None, 0)
    weights = _weights([cell.pi for cell in kept])
    every = fsum(w * cell.n for w, cell in zip(weights, kept, strict=True))
    mean = fsum(w * cell.total for w, cell in zip(weights, kept, strict=True)) / every
    about = [max(0.0, cell.squares - 2 * mean * cell.total + cell.n * mean * mean) for cell in kept]
    squares = fsum(w * w * each for w, each in zip(weights, about, strict=True))
    effective = every**2 / fsum(w * w * cell.n for w, cell in zip(weights, kept, strict=True))
    return _estimate(mean, sqrt(squares) / every, effective, sum(cell.n for cell in kept), design)


def weighted_rate(cells: Sequence[Cell]) -> Estimate:
    """As `weighted_mean_of_cells`, of values that are 0 or 1; the sum of squares is not looked at.

    Of those that weigh most a few may have been seen, and none of one kind: then what was seen varies less than what it
    was drawn from. So a quarter of one more of each kind is added to their variance, and not to the mean. (Simulated in
    the tests: where intervals cover in 86 of 100 without it, they do in 98 with it, and are a sixth wider.)

    Raises:
        ValueError: for a probability out of (0, 1].
    """
    kept = [cell for cell in cells if cell.n]
    plain = weighted_mean_of_cells(Cell(cell.pi, cell.n, cell.total, cell.total) for cell in kept)
    if plain.mean is None or plain.n < 2:
        return plain
    mean, heaviest = plain.mean, max(1.0 / cell.pi for cell in kept)
    every = fsum(cell.n / cell.pi for cell in kept)
    squares = fsum((cell.total * (1 - mean) ** 2 + (cell.n - cell.total) * mean**2) / cell.pi**2 for cell in kept)
    squares += _MORE * heaviest**2 * ((1 - mean) ** 2 + mean**2)
    effective = every**2 / fsum(cell.n / cell.pi**2 for cell in kept)
    variance = squares / every**2 * plain.n / (plain.n - 1)
    return Estimate(mean, plain.n, logit_interval(mean, variance, effective, "weighted logit"))


def effective_size(cells: Sequence[Cell]) -> float:
    """How many equally weighted values would tell a rate as exactly as these, of which each is 0 or 1, do.

    More than there are where those of the rare kind weigh little; Kish's size where all are alike.

    Raises:
        ValueError: without values, or for a probability out of (0, 1].
    """
    weights = _weights([cell.pi for cell in cells])
    every = fsum(w * cell.n for w, cell in zip(weights, cells, strict=True))
    rate = fsum(w * cell.total for w, cell in zip(weights, cells, strict=True)) / every
    squares = fsum(
        w * w * (cell.total * (1 - rate) ** 2 + (cell.n - cell.total) * rate * rate)
        for w, cell in zip(weights, cells, strict=True)
    )
    if not squares > 0.0:
        return every**2 / fsum(w * w * cell.n for w, cell in zip(weights, cells, strict=True))
    return rate * (1 - rate) * every**2 / squares


def total_of(counts: Mapping[float, int]) -> tuple[float, Interval]:
    """About how many things there were, of which each was kept by itself with a known probability, with 95 % bounds.

    Args:
        counts: from a probability of being kept, in (0, 1], to how many were.

    Source: Horvitz and Thompson (1952); the bounds are those of a score test (Wilson's for a total), in which the
    variance is proportional to the total. What was kept for sure is known.

    Raises:
        ValueError: for a probability out of (0, 1].
    """
    weights = dict(zip(counts, _weights(list(counts)), strict=True))
    sure, kept = counts.get(1.0, 0), sum(counts.values())
    total = fsum(weights[pi] * n for pi, n in counts.items())
    rest = total - sure
    if rest <= 0:
        return total, Interval(total, total, "known")
    spread = _Z * _Z * fsum(n * w * (w - 1) for pi, n in counts.items() for w in [weights[pi]]) / rest
    middle, half = rest + spread / 2, sqrt(spread * rest + spread * spread / 4)
    return total, Interval(max(sure + middle - half, float(kept)), sure + middle + half, "total")


def spread_by(values: Sequence[float], probabilities: Sequence[float], clusters: Sequence[Hashable] | None) -> float:
    """By how much clusters widen the variance of a weighted mean: the design effect, 1 or more."""
    if clusters is None or len(values) < 2:
        return 1.0
    mean, _, _ = hajek(values, probabilities)
    return design_effect([(x - mean) / pi for x, pi in zip(values, probabilities, strict=True)], clusters)


def _weights(probabilities: Sequence[float]) -> list[float]:
    if not all(0.0 < pi <= 1.0 for pi in probabilities):
        raise ValueError("a probability of inclusion is in (0, 1]: what could not be sampled is not estimated")
    return [1.0 / pi for pi in probabilities]


def _estimate(mean: float, se: float, effective: float, n: int, design: float) -> Estimate:
    mean = min(1.0, max(0.0, mean))
    if n < 2:
        return Estimate(mean, n)
    variance = se * se * design * n / (n - 1) if se > _ALIKE else 0.0
    return Estimate(mean, n, logit_interval(mean, variance, effective / design, "weighted logit"))
