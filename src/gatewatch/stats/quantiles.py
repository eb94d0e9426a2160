"""Bounds of a quantile that hold whatever the values are distributed like."""

from collections.abc import Sequence
from math import ceil, floor, inf, sqrt
from typing import TYPE_CHECKING, Any

from gatewatch.stats.intervals import ROUNDING, Interval
from gatewatch.stats.special import betainc, normal_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MANY = 12


def quantile_bounds(values: "Sequence[float] | NDArray[Any]", q: float, *, confidence: float = 0.90) -> Interval | None:
    """The interval of the q-quantile of what independent values are drawn from, of any shape: between two of them.

    An end for which there are too few values is infinite; without both there is no interval. At the default the lower
    end of the 0.95-quantile needs 1 value and the upper one 59.

    Source: David and Nagaraja (2003), "Order statistics", section 7.1: how many values lie below is binomial.

    Raises:
        ValueError: for a value that is not finite, or unless 0 < q < 1 and 0 < confidence < 1.
    """
    import numpy as np

    if not 0.0 < q < 1.0:
        raise ValueError(f"q must be between 0 and 1, got {q}")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be between 0 and 1, got {confidence}")
    ordered = np.sort(np.asarray(values, dtype=float))
    if not np.isfinite(ordered).all():
        raise ValueError("not a finite number")
    below, above = quantile_places(len(ordered), q, confidence=confidence)
    if not below and not above:
        return None
    low = float(ordered[below - 1]) if below else -inf
    return Interval(low, float(ordered[above - 1]) if above else inf, "order statistics")


def quantile_places(n: int, q: float, *, confidence: float = 0.90, quick: bool = False) -> tuple[int, int]:
    """Between which of n ordered values, counted from 1, the q-quantile lies; 0 for an end that has too few values.

    With `quick`, where its variance is above 12 the binomial is taken for normal, and places up to three further out.

    Source: as `quantile_bounds`.
    """
    tail = (1.0 - confidence) / 2
    variance = n * q * (1.0 - q)
    if quick and variance > _MANY:
        half = -normal_quantile(tail) * sqrt(variance) + 1.0
        low, high = floor(n * q - half), ceil(n * q + half) + 1
        return max(low, 0), high if high <= n else 0
    above = _below(n, 1.0 - q, tail)
    return _below(n, q, tail), n - above + 1 if above else 0


def _below(n: int, q: float, tail: float) -> int:
    """The highest place r (0 if none), from the lowest of n values, at which P(its value > the q-quantile) <= tail."""
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        # The value at r is above it when fewer than r are below: P(Bin(n, q) <= r - 1).
        if betainc(n - middle + 1, middle, 1.0 - q) <= tail + ROUNDING:
            low = middle
        else:
            high = middle - 1
    return low
