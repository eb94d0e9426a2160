"""Paired comparisons: did the scores of the same cases fall, and how far may their mean have moved.

A difference is the candidate's score less the baseline's, so that a win is positive and a loss is negative.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from math import inf, sqrt
from typing import TYPE_CHECKING

from msgspec import Struct

from gatewatch.stats.intervals import ROUNDING, Interval
from gatewatch.stats.special import betainc, normal_quantile, t_cdf, t_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = Sequence[float] | NDArray[np.float64]
    Labels = Sequence[Hashable] | NDArray[np.integer]

EXACT = 20
"""Up to this many differences all their sign flips are counted: a million."""
FLIPPED = 2_000
"""Up to this many differences flips are drawn; of more, the sum is normal enough for Student's t."""


class McNemar(Struct, frozen=True):
    """How surprising so many losses are where wins and losses are equally likely: `p_mid` is the one to decide by."""

    p_exact: float
    p_mid: float
    p_exact_two_sided: float


class SignFlip(Struct, frozen=True):
    """How surprising so low a sum is where each sign is a fair coin's, and whether that was counted, drawn or by t."""

    p_exact: float
    p_mid: float
    method: str


class Difference(Struct, frozen=True):
    """The mean of `n` differences in -1..1, and how far it may be off.

    `sd` is that of the single differences, `clusters` the number of groups of them that are taken as independent (n
    without clusters), `interval` two-sided at 95 %, `lower` the one-sided 95 % bound. Those that the data cannot carry
    are None; `method` says how the two bounds were made and is empty without them.
    """

    mean: float
    sd: float | None
    n: int
    clusters: int
    interval: Interval | None
    lower: float | None
    method: str


def mid_p(wins: int, losses: int) -> float:
    """The one-sided mid-p of McNemar's test for "it got worse": P(X > losses) + P(X = losses) / 2 of fair coins.

    It is 0.5 where nothing was won or lost. 1 - mid_p is the probability of a regression under a uniform prior.

    Source: Fagerland, Lydersen and Laake (2013), "The McNemar test for binary matched-pairs data: mid-p and asymptotic
    are better than exact conditional"; as a beta integral, so that millions of pairs cost no more than few.

    Raises:
        ValueError: for a negative count.
    """
    if wins < 0 or losses < 0:
        raise ValueError(f"wins and losses are counts, got {wins} and {losses}")
    return betainc(losses + 1, wins + 1, 0.5)


def mcnemar(wins: int, losses: int) -> McNemar:
    """McNemar's test on the pairs that differ: exact and mid-p for "it got worse", and exact for "it changed".

    Source: McNemar (1947), "Note on the sampling error of the difference between correlated proportions", with
    binomial tails.

    Raises:
        ValueError: for a negative count.
    """
    middle = mid_p(wins, losses)
    two_sided = 2.0 * _at_least(max(wins, losses), min(wins, losses))
    return McNemar(_at_least(losses, wins), middle, min(1.0, two_sided))


def probability_of_regression(wins: int, losses: int) -> float:
    """The posterior probability that losses are the likelier, P(Beta(losses + 1, wins + 1) > 1/2).

    Source: the Dirichlet(1, 1, 1) posterior of wins, losses and ties, of which ties drop out.

    Raises:
        ValueError: for a negative count.
    """
    return mid_p(losses, wins)


def sign_flip(differences: "Numbers", *, clusters: "Labels | None" = None, seed: int = 0, flips: int = 20_000) -> float:
    """The one-sided mid-p that the mean fell, where each difference's sign is a fair coin's: see `sign_flip_test`.

    Raises:
        ValueError: as `sign_flip_test`.
    """
    return sign_flip_test(differences, clusters=clusters, seed=seed, flips=flips).p_mid


def sign_flip_test(
    differences: "Numbers", *, clusters: "Labels | None" = None, seed: int = 0, flips: int = 20_000
) -> SignFlip:
    """The sign-flip (paired permutation) test for "the mean fell", by the first of these rules that applies.

    Differences of 0 say nothing and are left out. All others of one size: the binomial, as McNemar's test. At most
    `EXACT` of them: every flip is counted. At most `FLIPPED`: `flips` drawn flips, with the data as one flip more, so
    that p is never 0 ((count + 1) / (flips + 1); the mid-p counts that one by half, as it does ties). Else Student's t
    of all differences.

    Args:
        differences: n finite numbers.
        clusters: n labels; differences of one label are summed and flipped together. The t is then that of the sums.
        seed: of the flips that are drawn; the same seed gives the same p.
        flips: how many are drawn.

    Source: Fisher (1935), "The design of experiments", section 21; the counting of drawn flips by Phipson and Smyth
    (2010), "Permutation p-values should never be zero".

    Raises:
        ValueError: for a difference that is not finite, or when there is not one label to each difference.
    """
    import numpy as np

    values = _array(differences)
    if clusters is not None:
        values = _by_cluster(values, clusters)[0]
    moved = values[np.abs(values) > ROUNDING]
    if len(moved) == 0 or np.ptp(np.abs(moved)) <= ROUNDING:
        wins = int(np.count_nonzero(moved > 0))
        test = mcnemar(wins, len(moved) - wins)
        return SignFlip(test.p_exact, test.p_mid, "binomial")
    if len(moved) > FLIPPED:
        p = t_cdf(float(values.mean() / (values.std(ddof=1) / sqrt(len(values)))), len(values) - 1)
        return SignFlip(p, p, "t")
    # Turning some differences lowers the sum by twice what they add up to: as low or lower is a sum of 0 or more.
    counted = len(moved) <= EXACT
    # Sorted, so that the order in which differences are given cannot change what is drawn.
    turned = _all_sums(moved) if counted else _drawn_sums(np.sort(moved), seed, flips)
    tolerance = ROUNDING * max(1.0, float(np.abs(moved).sum()))
    lower = int(np.count_nonzero(turned > tolerance))
    equal = int(np.count_nonzero(turned >= -tolerance)) - lower
    if counted:
        return SignFlip((lower + equal) / len(turned), (lower + equal / 2) / len(turned), "all flips")
    return SignFlip((lower + equal + 1) / (flips + 1), (lower + (equal + 1) / 2) / (flips + 1), "drawn flips")


def tango(wins: float, losses: float, n: float, *, confidence: float = 0.95) -> Interval:
    """The interval, in -1..1, of (wins - losses) / n, the difference of two rates of the same n cases.

    Of no wins and no losses it has the width that n cases can tell: z^2 / (n + z^2) to each side.

    Source: Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the
    paired-sample design": the differences that a score test does not reject.

    Raises:
        ValueError: unless n > 0, wins >= 0, losses >= 0, wins + losses <= n and 0 < confidence < 1.
    """
    if not (0 < n < inf and wins >= 0 and losses >= 0 and wins + losses <= n):
        raise ValueError(f"needs wins + losses <= n and n > 0, got wins = {wins}, losses = {losses} and n = {n}")
    z = -normal_quantile(_tail(confidence))
    return Interval(-_tango_high(losses, wins, n, z), _tango_high(wins, losses, n, z), "tango")


def paired_t(differences: "Numbers", *, confidence: float = 0.95) -> Interval:
    """The interval of the mean of independent differences, without bounds.

    Source: Student (1908), "The probable error of a mean".

    Raises:
        ValueError: for fewer than 2 differences or one that is not finite, or unless 0 < confidence < 1.
    """
    mean, se, df = _mean_se(differences)
    half = -t_quantile(_tail(confidence), df) * se
    return Interval(mean - half, mean + half, "t")


def p_less(differences: "Numbers", *, than: float = 0.0) -> float:
    """The one-sided p of Student's t for "the mean is less `than`".

    Source: as for `paired_t`.

    Raises:
        ValueError: for fewer than 2 differences, one that is not finite, or when all are equal.
    """
    mean, se, df = _mean_se(differences)
    if se <= ROUNDING:
        raise ValueError("a t test needs differences that differ")
    return t_cdf((mean - than) / se, df)


def noninferiority(differences: "Numbers", *, margin: float) -> float:
    """The one-sided p of Student's t for "the mean fell by less than the margin", a positive number.

    Source: as for `paired_t`.

    Raises:
        ValueError: as `p_less`.
    """
    return p_less(-_array(differences), than=margin)


def difference(
    differences: "Numbers",
    *,
    clusters: "Labels | None" = None,
    binary: bool = False,
    step: float | None = None,
    level: float = 0.05,
) -> Difference:
    """The mean of differences in -1..1, with the interval that they can carry, clipped to -1..1.

    By the first of these rules that applies. Fewer than 2 differences, or all of one cluster: none. A cluster with
    more than one: cluster-robust t with G - 1 degrees of freedom. Binary: Tango's score interval. Means of trials that
    are 0 or 1: `stepwise`. Else t.

    Where nothing varies (all differences equal, or the means of all G clusters), t would claim certainty. What n equal
    observations can tell is that at most a share of s = z^2 / (n + z^2) is otherwise (Wilson's bound of 0 in n), and
    that may be anything in -1..1: from mean - s (1 + mean) to mean + s (1 - mean). Of ties alone that is Tango's.

    Args:
        differences: n numbers in -1..1.
        clusters: n labels; a case that shares its origin with no other has a label of its own.
        binary: the scores are 0 or 1, and the differences -1, 0 or 1.
        step: of means of trials that are 0 or 1, by how much one trial moves a case, in 0..1.
        level: the probability that `lower` lies above the true mean.

    Source: Tango (1998); Student (1908); for clusters as `intervals.cluster_se`.

    Raises:
        ValueError: for no differences, one out of range, or when there is not one label to each difference.
    """
    import numpy as np

    values = _array(differences)
    n = len(values)
    if n == 0 or np.abs(values).max() > 1.0:
        raise ValueError("needs at least one difference, and each in -1..1")
    if binary and not np.isin(values, (-1.0, 0.0, 1.0)).all():
        raise ValueError("differences of binary scores are -1, 0 or 1")
    mean = float(min(max(values.mean(), values.min()), values.max()))
    sd = float(values.std(ddof=1)) if n > 1 else None
    groups, cluster_se = n, None
    if clusters is not None:
        sums, sizes = _by_cluster(values, clusters)
        groups = len(sums)
        if 1 < groups < n:
            cluster_se = sqrt(groups / (groups - 1) * float(((sums - sizes * mean) ** 2).sum())) / n
    if groups < 2 or sd is None:
        return Difference(mean, sd, n, groups, None, None, "")
    bounds: Callable[..., Interval]
    if cluster_se is not None:
        bounds = partial(_t_or_equal, mean, cluster_se, groups, "cluster t")
    elif binary:
        bounds = partial(tango, int((values > 0).sum()), int((values < 0).sum()), n)
    elif step is not None and sd > ROUNDING:
        bounds = partial(stepwise, mean, sd, n, step)
    else:
        bounds = partial(_t_or_equal, mean, sd / sqrt(n), n, "t")
    interval = bounds(confidence=0.95)
    return Difference(mean, sd, n, groups, interval, bounds(confidence=1.0 - 2.0 * level).low, interval.method)


def stepwise(mean: float, sd: float, n: int, step: float, *, confidence: float = 0.95) -> Interval:
    """The interval of a mean difference where a case's mean moves by whole trials: t, or a score interval if wider.

    Of many cases that always pass few or none are seen to fail, and then sd is too small, as Wald's is for a share. So,
    as Wilson does, an end of the interval is where the mean would be the observed one under the variance that holds
    there: that of what was seen mixed with so much of a further step (down, or up) as moves the mean there. With x the
    distance of the end, and w = x / (step + mean) for the lower one: x^2 = z^2 / n ((1 - w) (sd^2 + mean^2) + w step^2
    - (mean - x)^2).

    Args:
        mean: the mean difference, in -1..1.
        sd: the standard deviation of the differences, above 0.
        n: how many there are, at least 2.
        step: by how much one trial moves a case's mean, in 0..1.
        confidence: of the interval.

    Source: Wilson (1927), carried over from a share to a mean; simulated in docs/design/gate.md.
    """
    k = normal_quantile(_tail(confidence)) ** 2 / n
    margin = -t_quantile(_tail(confidence), n - 1) * sd / sqrt(n)

    def distance(towards: float) -> float:
        room = step + towards
        if room <= 0.0:  # the mean is further away than a step
            return margin
        b = -k * ((step * step - sd * sd - mean * mean) / room + 2 * towards)
        return max(margin, min(room, (-b + sqrt(b * b + 4 * (1 + k) * k * sd * sd)) / (2 * (1 + k))))

    return Interval(max(mean - distance(mean), -1.0), min(mean + distance(-mean), 1.0), "score")


def _tango_high(wins: float, losses: float, n: float, z: float) -> float:
    """The largest difference that the score test does not reject, by bisection: its statistic falls all the way."""
    low, high = (wins - losses) / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if wins - losses - n * middle >= -z * sqrt(n * _tango_variance(wins, losses, n, middle)):
            low = middle
        else:
            high = middle
    return high


def _tango_variance(wins: float, losses: float, n: float, delta: float) -> float:
    """The variance of one pair's difference at the likeliest share of losses where wins exceed them by `delta`."""
    b = (2 * n - wins + losses) * delta - wins - losses
    root = sqrt(max(0.0, b * b + 8 * n * losses * delta * (1 - delta)))
    # Of the two forms of the root the one that adds, not subtracts.
    lost = (root - b) / (4 * n) if b <= 0 else 2 * losses * delta * (1 - delta) / (root + b)
    return max(0.0, 2 * lost + delta * (1 - delta))


def _t_or_equal(mean: float, se: float, groups: int, method: str, *, confidence: float) -> Interval:
    if se <= ROUNDING:
        z = normal_quantile(_tail(confidence))
        share = z * z / (groups + z * z)
        below, above, method = share * (1 + mean), share * (1 - mean), "all equal"
    else:
        below = above = -t_quantile(_tail(confidence), groups - 1) * se
    return Interval(max(mean - below, -1.0), min(mean + above, 1.0), method)


def _mean_se(differences: "Numbers") -> tuple[float, float, int]:
    values = _array(differences)
    if len(values) < 2:
        raise ValueError(f"an interval needs at least 2 differences, got {len(values)}")
    return float(values.mean()), float(values.std(ddof=1)) / sqrt(len(values)), len(values) - 1


def _all_sums(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The sum of every subset."""
    import numpy as np

    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate((sums, sums + value))
    return sums


def _drawn_sums(values: "NDArray[np.float64]", seed: int, count: int) -> "NDArray[np.float64]":
    """The sums of so many random subsets, eight values at a time: a random byte looks up the sum of its subset."""
    from random import Random

    import numpy as np

    draw = Random(seed)
    sums = np.zeros(count)
    for start in range(0, len(values), 8):
        table = _all_sums(values[start : start + 8])
        sums += table[np.frombuffer(draw.randbytes(count), np.uint8) & (len(table) - 1)]
    return sums


def _by_cluster(values: "NDArray[np.float64]", clusters: "Labels") -> "tuple[NDArray[np.float64], NDArray[np.intp]]":
    """The sum and the size of each cluster."""
    import numpy as np

    if len(clusters) != len(values):
        raise ValueError(f"needs one cluster to each difference, got {len(clusters)} for {len(values)}")
    if isinstance(clusters, np.ndarray):
        codes = np.unique(clusters, return_inverse=True)[1]
    else:
        places: dict[Hashable, int] = {}
        codes = np.array([places.setdefault(label, len(places)) for label in clusters], dtype=np.intp)
    return np.bincount(codes, weights=values).astype(np.float64), np.bincount(codes)


def _array(numbers: "Numbers") -> "NDArray[np.float64]":
    import numpy as np

    values = np.asarray(numbers, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a difference or value is not a finite number")
    return values


def _at_least(k: int, others: int) -> float:
    """The probability of at least k heads of k + others fair coins."""
    return betainc(k, others + 1, 0.5) if k else 1.0


def _tail(confidence: float) -> float:
    """The probability that lies beyond each end of an interval."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    return (1.0 - confidence) / 2
