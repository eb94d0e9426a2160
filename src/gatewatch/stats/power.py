"""Power: the drop that so many cases can show, the cases that a decision needs, and where the noise comes from."""

from collections.abc import Sequence
from math import ceil, fsum, inf, sqrt

from msgspec import Struct

from gatewatch.stats.intervals import ROUNDING
from gatewatch.stats.special import normal_quantile


class Components(Struct, frozen=True):
    """Where the variance of scores comes from: trials of one case (`within`) and the cases themselves (`between`).

    `icc` is the share of `between` in both, in 0..1 (0 where no score differs). `F` is the ratio of the mean squares
    between and within cases: infinite where only the cases differ, 0 where nothing does.
    """

    within: float
    between: float
    icc: float
    F: float


def smallest_detectable(sd: float, n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The drop of the mean of n differences that a one-sided test at alpha finds with that power.

    Source: (z_alpha + z_power) sd / sqrt(n), the normal approximation; Student's t needs 2 % more at n = 40.

    Raises:
        ValueError: unless sd >= 0, n >= 1, and alpha and power are between 0 and 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    return _z(sd, alpha, power) * sd / sqrt(n)


def cases_to_decide(sd: float, margin: float, *, alpha: float = 0.05, power: float = 0.8) -> int:
    """The number of cases at which a drop of the margin would be ruled out with that power if nothing changed.

    Source: Guenther (1981), "Sample size formulas for normal theory t tests": z_alpha^2 / 2 cases more than the normal
    approximation ((z_alpha + z_power) sd / margin)^2.

    Raises:
        ValueError: unless sd >= 0, margin > 0, and alpha and power are between 0 and 1.
    """
    if not margin > 0.0:
        raise ValueError(f"the margin must be above 0, got {margin}")
    z = normal_quantile(1.0 - alpha)
    return ceil((_z(sd, alpha, power) * sd / margin) ** 2 + z * z / 2)


def components(scores: Sequence[Sequence[float]]) -> Components:
    """The variance of scores within and between cases, from one row of trials for each case; rows may differ in length.

    Rows without a score are left out. Where cases differ less than their trials make them differ, `between` is 0.

    Source: one-way analysis of variance with random effects, for unequal rows as in Searle, Casella and McCulloch
    (1992), "Variance components", section 3.6.

    Raises:
        ValueError: for fewer than 2 cases with a score, or when none has two.
    """
    rows = [row for row in scores if len(row)]
    n, cases = sum(len(row) for row in rows), len(rows)
    if cases < 2 or n == cases:
        raise ValueError("needs the scores of at least 2 cases, and two trials of one of them")
    means = [fsum(row) / len(row) for row in rows]
    mean = fsum(fsum(row) for row in rows) / n
    inside = fsum((score - own) ** 2 for row, own in zip(rows, means, strict=True) for score in row)
    across = fsum(len(row) * (own - mean) ** 2 for row, own in zip(rows, means, strict=True))
    within, spread = _mean_square(inside, n - cases), _mean_square(across, cases - 1)
    trials = (n - sum(len(row) ** 2 for row in rows) / n) / (cases - 1)
    between = max(0.0, (spread - within) / trials)
    total = between + within
    ratio = spread / within if within else inf if spread else 0.0
    return Components(within=within, between=between, icc=between / total if total else 0.0, F=ratio)


def sd_of_difference(within: float, *, trials_before: float, trials_after: float, spread: float = 0.0) -> float:
    """The standard deviation to expect of a case's difference of means over so many trials on each side.

    Args:
        within: the variance of trials of one case.
        trials_before: trials of each case in the baseline.
        trials_after: trials of each case in the candidate.
        spread: the standard deviation of the true differences between cases.

    Source: Miller (2024), arXiv:2411.00640, section 5.

    Raises:
        ValueError: unless within >= 0 and both numbers of trials are above 0.
    """
    if not (within >= 0.0 and trials_before > 0 and trials_after > 0):
        raise ValueError(f"needs a variance and trials, got {within}, {trials_before} and {trials_after}")
    return sqrt(spread * spread + within * (1.0 / trials_before + 1.0 / trials_after))


def _mean_square(squares: float, df: int) -> float:
    """0 where only rounding made the squares."""
    return squares / df if squares > ROUNDING**2 * df else 0.0


def _z(sd: float, alpha: float, power: float) -> float:
    if not (sd >= 0.0 and 0.0 < alpha < 1.0 and 0.0 < power < 1.0):
        raise ValueError(f"needs sd >= 0, and alpha and power in 0..1, got {sd}, {alpha} and {power}")
    return normal_quantile(1.0 - alpha) + normal_quantile(power)
