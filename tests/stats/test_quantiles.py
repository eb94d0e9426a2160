"""The bounds of a quantile hold whatever the values are distributed like."""

import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from scipy import stats as scipy_stats

from gatewatch.stats.intervals import Interval
from gatewatch.stats.quantiles import quantile_bounds, quantile_places


def ends(interval: Interval | None) -> list[float]:
    assert interval is not None
    return [interval.low, interval.high]


def test_the_bounds_of_a_quantile_are_two_of_the_values() -> None:
    values = list(range(1, 101))
    Random(1).shuffle(values)
    bounds = quantile_bounds(values, 0.5)
    # P(Bin(100, 1/2) <= 41) = 0.0443 and P(Bin(100, 1/2) <= 42) = 0.0666.
    assert bounds == Interval(42.0, 59.0, "order statistics")
    assert quantile_bounds(np.array(values), 0.5) == bounds
    assert quantile_bounds(values, 0.95) == Interval(91.0, 99.0, "order statistics")


@pytest.mark.parametrize("q", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("n", [5, 59, 400])
def test_each_bound_of_a_quantile_is_as_close_as_the_binomial_lets_it(n: int, q: float) -> None:
    bounds = quantile_bounds(range(1, n + 1), q)
    places = np.arange(1, n + 1)
    low = places[scipy_stats.binom.cdf(places - 1, n, q) <= 0.05 + 1e-9]
    high = places[scipy_stats.binom.sf(places - 1, n, q) <= 0.05 + 1e-9]
    if not len(low) and not len(high):
        assert bounds is None
        return
    assert ends(bounds) == [low[-1] if len(low) else -math.inf, high[0] if len(high) else math.inf]


def test_a_quantile_of_too_few_values_has_one_bound_or_none() -> None:
    assert quantile_bounds([], 0.95) is None
    assert quantile_bounds([3.0, 4.0], 0.5) is None
    assert quantile_bounds([3.0], 0.95) == Interval(3.0, math.inf, "order statistics")
    assert quantile_bounds([3.0], 0.05) == Interval(-math.inf, 3.0, "order statistics")
    assert math.isinf(ends(quantile_bounds(range(58), 0.95))[1])
    assert ends(quantile_bounds(range(59), 0.95))[1] == 58.0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: quantile_bounds([1.0], 1.0), r"q must be between 0 and 1, got 1\.0"),
        (lambda: quantile_bounds([1.0], 0.5, confidence=0.0), "confidence must be between 0 and 1"),
        (lambda: quantile_bounds([math.nan], 0.5), "not a finite number"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize("q", [0.5, 0.9, 0.95, 0.99])
def test_of_many_the_places_are_near_the_exact_ones_and_never_narrower(q: float) -> None:
    import gatewatch.stats.quantiles as module

    for n in (300, 1300, 5000, 20_000):
        tail = 0.05
        above = module._below(n, 1.0 - q, tail)
        exact = module._below(n, q, tail), n - above + 1
        low, high = quantile_places(n, q, quick=True)
        assert exact[0] - 3 <= low <= exact[0]
        assert exact[1] <= high <= exact[1] + 3
