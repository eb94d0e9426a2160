"""Intervals: how far a rate or a mean may lie from the one that was seen. Two-sided, 95 % unless asked otherwise."""

from collections.abc import Sequence
from math import comb, fsum, inf, sqrt

from msgspec import Struct

from gatewatch.stats.special import beta_quantile, normal_quantile, t_quantile

ROUNDING = 1e-12
"""Values of 0..1 that are no further apart than this are equal: the difference is the arithmetic's, not the data's."""


class Interval(Struct, frozen=True):
    """A two-sided confidence interval, and the method that it is by."""

    low: float
    high: float
    method: str


class Estimate(Struct, frozen=True):
    """The mean of `n` values in 0..1, with its interval where there can be one; None when there are no values."""

    mean: float | None
    n: int
    interval: Interval | None = None


def wilson(k: float, n: float, *, confidence: float = 0.95, method: str = "wilson") -> Interval:
    """The interval of a rate of k in n, either of which may be fractional.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference", score interval
    without continuity correction.

    Raises:
        ValueError: unless n > 0, 0 <= k <= n and 0 < confidence < 1.
    """
    _check_rate(k, n)
    z = -normal_quantile(_tail(confidence))
    centre = (k + z * z / 2) / (n + z * z)
    half = z * sqrt(k * ((n - k) / n) + z * z / 4) / (n + z * z)
    low = 0.0 if k == 0 else max(0.0, centre - half)
    high = 1.0 if k == n else min(1.0, centre + half)
    return Interval(min(low, k / n), max(high, k / n), method)


def clopper_pearson(k: float, n: float, *, confidence: float = 0.95) -> Interval:
    """The exact interval of a rate of k in n: it covers at least as often as it says, and is wide for it.

    Source: Clopper and Pearson (1934), "The use of confidence or fiducial limits illustrated in the case of the
    binomial", by beta quantiles.

    Raises:
        ValueError: unless n > 0, 0 <= k <= n and 0 < confidence < 1.
    """
    _check_rate(k, n)
    tail = _tail(confidence)
    low = 0.0 if k == 0 else beta_quantile(tail, k, n - k + 1)
    high = 1.0 if k == n else beta_quantile(1.0 - tail, k + 1, n - k)
    return Interval(low, high, "clopper-pearson")


def jeffreys(k: float, n: float, *, confidence: float = 0.95) -> Interval:
    """The equal-tailed posterior interval of a rate of k in n under Jeffreys' prior, Beta(1/2, 1/2).

    The ends are not moved to 0 at k = 0 and to 1 at k = n, so that there it does not contain k / n.

    Source: Brown, Cai and DasGupta (2001), "Interval estimation for a binomial proportion".

    Raises:
        ValueError: unless n > 0, 0 <= k <= n and 0 < confidence < 1.
    """
    return _posterior(k, n, 0.5, confidence, "jeffreys")


def beta_uniform(k: float, n: float, *, confidence: float = 0.95) -> Interval:
    """The equal-tailed posterior interval of a rate of k in n under the uniform prior, Beta(1, 1).

    At k = 0 and k = n it does not contain k / n.

    Source: Bowyer, Aitchison and Ivanova (2025), arXiv:2503.01747, who recommend it for small evaluation sets.

    Raises:
        ValueError: unless n > 0, 0 <= k <= n and 0 < confidence < 1.
    """
    return _posterior(k, n, 1.0, confidence, "beta uniform")


def newcombe_difference(k1: float, n1: float, k2: float, n2: float, *, confidence: float = 0.95) -> Interval:
    """The interval, in -1..1, of k1 / n1 - k2 / n2, the difference of two independent rates.

    Source: Newcombe (1998), "Interval estimation for the difference between independent proportions", method 10.

    Raises:
        ValueError: unless, for both rates, n > 0 and 0 <= k <= n; and 0 < confidence < 1.
    """
    first, second = wilson(k1, n1, confidence=confidence), wilson(k2, n2, confidence=confidence)
    p1, p2 = k1 / n1, k2 / n2
    below = sqrt((p1 - first.low) ** 2 + (second.high - p2) ** 2)
    above = sqrt((first.high - p1) ** 2 + (p2 - second.low) ** 2)
    return Interval(max(-1.0, p1 - p2 - below), min(1.0, p1 - p2 + above), "newcombe")


def t_mean(values: Sequence[float], *, confidence: float = 0.95, bounds: tuple[float, float] = (-inf, inf)) -> Interval:
    """The interval of the mean of independent values, clipped to the `bounds` that a value can have.

    It has no width when all values are equal; such data are better served by `wilson`.

    Source: Student (1908), "The probable error of a mean".

    Raises:
        ValueError: for fewer than 2 values, or unless 0 < confidence < 1.
    """
    n = len(values)
    if n < 2:
        raise ValueError(f"an interval needs at least 2 values, got {n}")
    mean = fsum(values) / n
    squares = fsum((value - mean) ** 2 for value in values)
    return _t(mean, sqrt(squares / (n - 1) / n), n - 1, "t", confidence=confidence, bounds=bounds)


def cluster_se(values: Sequence[float], clusters: Sequence[object]) -> tuple[float, float, int]:
    """The mean, its cluster-robust standard error, and the number G of clusters.

    Source: Liang and Zeger (1986), "Longitudinal data analysis using generalized linear models", with the factor
    G / (G - 1); for the mean of an evaluation, Miller (2024), arXiv:2411.00640.

    Raises:
        ValueError: for fewer than 2 clusters, or when there is not one cluster to each value.
    """
    sums: dict[object, float] = {}
    sizes: dict[object, int] = {}
    for value, cluster in zip(values, clusters, strict=True):
        sums[cluster] = sums.get(cluster, 0.0) + value
        sizes[cluster] = sizes.get(cluster, 0) + 1
    if len(sums) < 2:
        raise ValueError(f"a cluster-robust interval needs at least 2 clusters, got {len(sums)}")
    mean = fsum(values) / len(values)
    squares = fsum((sums[cluster] - size * mean) ** 2 for cluster, size in sizes.items())
    return mean, _cluster_se(squares, len(sums), len(values)), len(sums)


def cluster_t(
    values: Sequence[float],
    clusters: Sequence[object],
    *,
    confidence: float = 0.95,
    bounds: tuple[float, float] = (-inf, inf),
) -> Interval:
    """The interval of the mean of values that come in clusters, of which only the clusters are independent.

    Source: as for `cluster_se`, with Student's t of G - 1 degrees of freedom.

    Raises:
        ValueError: as `cluster_se`, or unless 0 < confidence < 1.
    """
    mean, se, count = cluster_se(values, clusters)
    return _t(mean, se, count - 1, "cluster t", confidence=confidence, bounds=bounds)


def pass_at_k(n: int, c: int, k: int) -> float:
    """The probability that at least one of k trials passes, from c passes in n trials, without bias.

    Source: Chen et al. (2021), arXiv:2107.03374: 1 - C(n - c, k) / C(n, k).

    Raises:
        ValueError: unless 0 <= c <= n and 1 <= k <= n.
    """
    _check_trials(n, c, k)
    every = comb(n, k)
    return (every - comb(n - c, k)) / every


def pass_hat_k(n: int, c: int, k: int) -> float:
    """The probability that all of k trials pass (pass^k), from c passes in n trials, without bias.

    Source: Yao et al. (2024), arXiv:2406.12045: C(c, k) / C(n, k).

    Raises:
        ValueError: unless 0 <= c <= n and 1 <= k <= n.
    """
    _check_trials(n, c, k)
    return comb(c, k) / comb(n, k)


class MeanEstimate:
    """The mean of values in 0..1 as they come, one to a case, with the interval that fits them.

    Keeps no values: a few numbers, and where cases state a cluster a sum to each cluster.

    Source: the running sum of squares by Youngs and Cramer (1971), "Some results relevant to choice of sum and
    sum-of-product algorithms"; put together by Chan, Golub and LeVeque (1983).

        >>> estimate = MeanEstimate()
        >>> for value in (1.0, 1.0, 0.0, 1.0):
        ...     estimate.add(value)
        >>> estimate.result()  # doctest: +ELLIPSIS
        Estimate(mean=0.75, n=4, interval=Interval(low=0.30064..., high=0.95441..., method='wilson'))
    """

    __slots__ = ("_alone", "_clustered", "_graded", "_high", "_low", "_sizes", "_squares", "_sum", "_sums")

    def __init__(self) -> None:
        # Of the values that state no cluster: how many, their sum, and the sum of squares about their mean.
        self._alone = 0
        self._sum = 0.0
        self._squares = 0.0
        # Of those that do: how many, the sum of each cluster, and the size of each that has more than one.
        self._clustered = 0
        self._sums: dict[str, float] = {}
        self._sizes: dict[str, int] = {}
        self._graded = False
        self._low, self._high = inf, -inf

    def add(self, value: float, cluster: str = "") -> None:
        """Add the value of one case: its mean over its trials, in 0..1.

        Args:
            value: the value.
            cluster: the origin that the case shares with others; a case without one is a cluster of its own.

        Raises:
            ValueError: for a value out of 0..1, or NaN.
        """
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"a value is in 0..1, got {value}")
        if 0.0 < value < 1.0:
            self._graded = True
        if not self._low <= value <= self._high:
            self._low, self._high = min(self._low, value), max(self._high, value)
        if cluster:
            self._clustered += 1
            if cluster in self._sums:
                self._sums[cluster] += value
                self._sizes[cluster] = self._sizes.get(cluster, 1) + 1
            else:
                self._sums[cluster] = value
            return
        self._alone = n = self._alone + 1
        self._sum = total = self._sum + value
        if n > 1:
            gap = n * value - total
            self._squares += gap * gap / (n * (n - 1))

    @property
    def n(self) -> int:
        """How many values were added."""
        return self._alone + self._clustered

    def result(self, *, confidence: float = 0.95) -> Estimate:
        """The mean of what was added so far, and its interval by the first of these rules that applies.

        Fewer than 2 values: none. A cluster with more than one value: cluster-robust t with G - 1 degrees of freedom
        (none when G is 1; Wilson with n = G when the clusters do not differ). All values 0 or 1: Wilson. All values
        equal: Wilson with k = n * value, since a t interval without width would claim certainty. Else t with n - 1
        degrees of freedom. A t interval is clipped to 0..1.

        Raises:
            ValueError: unless 0 < confidence < 1.
        """
        n = self.n
        if n == 0:
            return Estimate(None, 0)
        total = fsum((self._sum, *self._sums.values()))
        mean = min(max(total / n, self._low), self._high)
        if n < 2:
            return Estimate(mean, n)
        if self._sizes:
            groups = self._alone + len(self._sums)
            return Estimate(mean, n, _of_clusters(mean, self._squares_about(mean), groups, n, confidence))
        if not self._graded:
            return Estimate(mean, n, wilson(total, n, confidence=confidence))
        if self._high - self._low <= ROUNDING:
            return Estimate(mean, n, wilson(mean * n, n, confidence=confidence, method="wilson (all equal)"))
        se = sqrt(self._squares_about(mean) / (n - 1) / n)
        return Estimate(mean, n, _t(mean, se, n - 1, "t", confidence=confidence, bounds=(0.0, 1.0)))

    def _squares_about(self, mean: float) -> float:
        """The sum over clusters of the squared sum of their deviations from the mean; a value alone is a cluster."""
        squares = [(total - self._sizes.get(cluster, 1) * mean) ** 2 for cluster, total in self._sums.items()]
        if self._alone:
            squares += (self._squares, self._alone * (self._sum / self._alone - mean) ** 2)
        return fsum(squares)


def _of_clusters(mean: float, squares: float, groups: int, n: int, confidence: float) -> Interval | None:
    if groups < 2:
        return None
    se = _cluster_se(squares, groups, n)
    if se <= ROUNDING:
        return wilson(mean * groups, groups, confidence=confidence, method="wilson (clusters equal)")
    return _t(mean, se, groups - 1, "cluster t", confidence=confidence, bounds=(0.0, 1.0))


def _cluster_se(squares: float, groups: int, n: int) -> float:
    return sqrt(groups / (groups - 1) * squares) / n


def _t(mean: float, se: float, df: float, method: str, *, confidence: float, bounds: tuple[float, float]) -> Interval:
    half = -t_quantile(_tail(confidence), df) * se
    return Interval(max(mean - half, bounds[0]), min(mean + half, bounds[1]), method)


def _posterior(k: float, n: float, prior: float, confidence: float, method: str) -> Interval:
    _check_rate(k, n)
    tail, a, b = _tail(confidence), k + prior, n - k + prior
    return Interval(beta_quantile(tail, a, b), beta_quantile(1.0 - tail, a, b), method)


def _tail(confidence: float) -> float:
    """The probability that lies beyond each end of an interval."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    return (1.0 - confidence) / 2


def _check_rate(k: float, n: float) -> None:
    if not (0.0 < n < inf and 0.0 <= k <= n):
        raise ValueError(f"a rate of k in n needs n > 0 and 0 <= k <= n, got k = {k} and n = {n}")


def _check_trials(n: int, c: int, k: int) -> None:
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"needs 0 <= c <= n and 1 <= k <= n, got n = {n}, c = {c} and k = {k}")
