"""Stopping early: a group sequential test of five looks at the differences of a run that is still going on."""

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, e, erfc, log1p, sqrt
from typing import TYPE_CHECKING, Literal

from gatewatch.stats.special import normal_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FUTILITY = (1.57, 1.45, 1.36, 1.30)
"""At looks 1 to 4 of 5: the z of "the drop is smaller than the largest allowed" at which no drop is expected any more
(a Pocock-type bound with beta = 0.2)."""
LOOKS = len(FUTILITY) + 1

_FLOOR = 0.02
_FAR = 8.0
_FINEST = 2_000


Spending = Literal["obrien-fleming", "pocock"]
"""Little at first and most at the end, or evenly over the looks."""


def spent(t: float, alpha: float, spending: Spending = "obrien-fleming") -> float:
    """How much of a one-sided alpha may be spent when a share t of all information is in.

    By O'Brien and Fleming's type it is 2 - 2 Phi(z / sqrt(t)), with z the 1 - alpha / 2 quantile of the normal
    distribution; by Pocock's, alpha log(1 + (e - 1) t).

    Source: Lan and DeMets (1983), "Discrete sequential boundaries for clinical trials".

    Raises:
        ValueError: unless 0 < t <= 1 and 0 < alpha < 1.
    """
    if not (0.0 < t <= 1.0 and 0.0 < alpha < 1.0):
        raise ValueError(f"needs 0 < t <= 1 and 0 < alpha < 1, got t = {t} and alpha = {alpha}")
    if spending == "pocock":
        return alpha * log1p((e - 1.0) * t)
    return erfc(-normal_quantile(alpha / 2) / sqrt(2.0 * t))


def boundaries(information: Sequence[float], *, alpha: float, spending: Spending = "obrien-fleming") -> list[float]:
    """The z at each look that a one-sided test at alpha must reach there.

    Args:
        information: the share of all information that is in at each look, rising, in 0..1; the last may be below 1.
        alpha: the probability to reach one of them where nothing differs and all looks up to 1 are taken.
        spending: how alpha is spread over the looks.

    Source: Armitage, McPherson and Rowe (1969), "Repeated significance tests on accumulating data": the density of
    the sum at one look, cut off at the boundary, is carried on to the next; integrated by Simpson's rule.

    Raises:
        ValueError: unless information rises within 0..1, and 0 < alpha < 1.
    """
    return list(_boundaries(tuple(float(share) for share in information), alpha, spending))


def look(
    differences: "Sequence[float] | NDArray[np.float64]", number: int, *, alpha: float, max_drop: float, planned: int
) -> Literal["go on", "regressed", "no drop"]:
    """What the differences up to one of five looks say: the mean fell, it will not be found to fall enough, or go on.

    Looks 1 to 4 say "no drop" where the mean is above -max_drop by the bound in `FUTILITY`. Look 5 does not: "go on"
    is then that the sequential test found nothing, and the rest is for the ordinary intervals to say.

    Args:
        differences: those of all cases so far, in -1..1, independent, in an order that does not depend on them.
        number: of the look, 1 to 5; the looks before it are taken as evenly spaced.
        alpha: the one-sided level of all looks together.
        max_drop: the drop of the mean, in 0..1, that is not to be missed; smaller ones may be.
        planned: how many differences there are when the run ends.

    Source: Jennison and Turnbull (2000), "Group sequential methods with applications to clinical trials", chapters 4
    and 7. The variance has 0.02 / m added to it, lest the first equal differences seem certain; and
    where all are -1, 0 or 1, "no drop" is said by no less than the variance that a fall of max_drop has.

    Raises:
        ValueError: unless there are 2 to `planned` differences and the number is 1 to 5; or as `boundaries`.
    """
    import numpy as np

    values = np.asarray(differences, dtype=np.float64)
    m = len(values)
    if not (2 <= m <= planned and 1 <= number <= LOOKS):
        raise ValueError(f"needs 2 to {planned} differences and look 1 to {LOOKS}, got {m} and look {number}")
    mean = float(values.mean())
    variance = float(values.var(ddof=1)) + _FLOOR / m
    se = sqrt(variance / m)
    bound = boundaries([m / planned * i / number for i in range(1, number + 1)], alpha=alpha)[-1]
    if mean / se <= -bound:
        return "regressed"
    if np.isin(values, (-1.0, 0.0, 1.0)).all():  # as Wilson does: what it would be if the mean had fallen
        variance = max(variance, max_drop * (1.0 - max_drop))
    if number < LOOKS and (mean + max_drop) / sqrt(variance / m) >= FUTILITY[number - 1]:
        return "no drop"
    return "go on"


@lru_cache(maxsize=256)
def _boundaries(information: tuple[float, ...], alpha: float, spending: Spending) -> tuple[float, ...]:
    import numpy as np

    bounds: list[float] = []
    # Before the first look the sum is 0 for certain: one point with all the weight.
    sums, weights, before, used = np.zeros(1), np.ones(1), 0.0, 0.0
    for place, share in enumerate(information):
        if share <= before:
            raise ValueError(f"information must rise from look to look, got {information}")
        total = spent(share, alpha, spending)
        step = sqrt(share - before)
        bound = _bound(sums, weights, step, sqrt(share), total - used)
        bounds.append(bound / sqrt(share))
        if place + 1 < len(information):
            grid, simpson = _grid(-_FAR * sqrt(share), min(bound, _FAR * sqrt(share)), step)
            kernel = np.exp(-(((grid[:, None] - sums) / step) ** 2) / 2) / (step * sqrt(2 * np.pi))
            sums, weights = grid, simpson * (kernel @ weights)
        before, used = share, total
    return tuple(bounds)


def _bound(
    sums: "NDArray[np.float64]", weights: "NDArray[np.float64]", step: float, scale: float, spend: float
) -> float:
    """The value that the next sum exceeds with the probability `spend`, by bisection."""
    start = list(zip(sums.tolist(), weights.tolist(), strict=True))
    low, high = -_FAR * scale, 5 * _FAR * scale
    for _ in range(50):
        middle = (low + high) / 2
        beyond = sum(weight * erfc((middle - value) / (step * sqrt(2.0))) for value, weight in start) / 2
        if beyond > spend:
            low = middle
        else:
            high = middle
    return high


def _grid(low: float, high: float, scale: float) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Points that are close to what changes at that scale, and Simpson's weights."""
    import numpy as np

    halves = min(_FINEST, ceil(10 * (high - low) / scale))
    weights = np.full(2 * halves + 1, 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    return np.linspace(low, high, 2 * halves + 1), weights * ((high - low) / (6 * halves))
