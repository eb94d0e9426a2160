"""A difference that may be looked at as often as one likes: intervals that hold at all times at once."""

from collections.abc import Sequence
from math import fsum, log, sqrt

from msgspec import Struct

from gatewatch.stats.intervals import Interval
from gatewatch.stats.weighting import hajek

FEWEST = 50
"""Of how many units, in each of the two, there must be the equivalent before an interval is given."""
HEAVIEST = 0.1
"""How much of the variance of one of the two a single unit may make up."""

_ALIKE = 1e-12


class Compared(Struct, frozen=True):
    """The weighted means of two groups, `difference` their b - a with its standard error, and an interval that holds
    whenever it is looked at; None while that cannot be trusted, and `why` says what is missing."""

    a: float | None
    b: float | None
    n_a: int
    n_b: int
    difference: float | None = None
    se: float | None = None
    interval: Interval | None = None
    why: str = ""


def always_valid(
    a: Sequence[tuple[float, float]],
    b: Sequence[tuple[float, float]],
    *,
    confidence: float = 0.95,
    tuned_for: int = 1_000,
) -> Compared:
    """The difference of two weighted means, with an interval that covers it at all looks at once.

    It is an asymptotic statement. So there is no interval before each group has the equivalent of 50 units (Kish), and
    as long as one unit is more than a tenth of a group's variance. Of a rate with fewer than 10 of the rarer kind, the
    variance is that with one more of each kind, which is too large rather than too small.
    From there on, of 400 experiments without a difference that are looked at 40 times, at most 5 in 100 find one
    (simulated in the tests, with even, skewed and weighted values).

    Args:
        a: (value, probability in (0, 1] with which it came to be in the sample) of each unit; units are independent.
        b: those of the other group.
        confidence: of the interval at all times together.
        tuned_for: with how many units in all it is to be narrowest beside others of its kind.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2021), arXiv:2103.06476, theorem 2.2, on the linearised
    deviations of Hajek's means.

    Raises:
        ValueError: for a probability out of (0, 1], or unless 0 < confidence < 1 and tuned_for > 0.
    """
    if not (0.0 < confidence < 1.0 and tuned_for > 0):
        raise ValueError(f"needs 0 < confidence < 1 and tuned_for > 0, got {confidence} and {tuned_for}")
    if not (a and b):
        return Compared(_mean(a), _mean(b), len(a), len(b), why="one of the two has no unit")
    (mean_a, variance_a, lack_a), (mean_b, variance_b, lack_b) = _arm(a), _arm(b)
    difference = mean_b - mean_a
    se = sqrt(variance_a + variance_b) if min(len(a), len(b)) > 1 else None
    n = len(a) + len(b)
    if lack_a or lack_b or se is None:
        return Compared(mean_a, mean_b, len(a), len(b), difference, se, why=lack_a or lack_b)
    half = se * _width(n, 1.0 - confidence, tuned_for)
    interval = Interval(difference - half, difference + half, "always valid")
    return Compared(mean_a, mean_b, len(a), len(b), difference, se, interval)


def units_to_tell(
    compared: Compared, difference: float, *, confidence: float = 0.95, tuned_for: int = 1_000
) -> int | None:
    """About how many units in all, split as they are now, until a difference of that size can be told from none.

    None where the standard error is not known yet, or for no difference.
    """
    if not compared.se or not difference:
        return None
    sd = compared.se * sqrt(compared.n_a + compared.n_b)
    low, high = 1, 2
    while sd / sqrt(high) * _width(high, 1.0 - confidence, tuned_for) > abs(difference):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        told = sd / sqrt(middle) * _width(middle, 1.0 - confidence, tuned_for) <= abs(difference)
        low, high = (low, middle) if told else (middle, high)
    return high


def _width(n: int, alpha: float, tuned_for: int) -> float:
    """How many standard errors wide, to each side, the interval of n units is."""
    spread = n * (-2.0 * log(alpha) + log(1.0 - 2.0 * log(alpha))) / tuned_for
    return sqrt(2.0 * (spread + 1.0) / spread * log(sqrt(spread + 1.0) / alpha))


def _mean(units: Sequence[tuple[float, float]]) -> float | None:
    return hajek([x for x, _ in units], [pi for _, pi in units])[0] if units else None


def _arm(units: Sequence[tuple[float, float]]) -> tuple[float, float, str]:
    """The mean of a group, its variance (infinite of one unit), and what it lacks for an interval."""
    n = len(units)
    mean, _, effective = hajek([x for x, _ in units], [pi for _, pi in units])
    every = fsum(1.0 / pi for _, pi in units)
    parts = [((x - mean) / pi / every) ** 2 for x, pi in units]
    variance = fsum(parts)
    if n < 2:
        return mean, 0.0, f"needs the equivalent of {FEWEST} units in each, has {n}"
    if effective < FEWEST:
        return mean, variance * n / (n - 1), f"needs the equivalent of {FEWEST} units in each, has {effective:.0f}"
    alike = variance <= (_ALIKE * max(1.0, abs(mean))) ** 2
    if (alike or max(parts) > HEAVIEST * variance) and all(x in (0.0, 1.0) for x, _ in units):
        # Of a rate that has hardly any of one kind: as if there were one more of each.
        rate = (mean * effective + 1.0) / (effective + 2.0)
        return mean, max(variance * n / (n - 1), rate * (1.0 - rate) / effective), ""
    if alike:
        return mean, variance, "all values of one of the two are equal"
    if max(parts) > HEAVIEST * variance:
        return mean, variance * n / (n - 1), "a few units make up most of what varies"
    return mean, variance * n / (n - 1), ""
