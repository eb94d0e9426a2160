import math
import random
from collections.abc import Callable
from fractions import Fraction

import pytest
from scipy import special as scipy_special
from scipy import stats as scipy_stats

from gatewatch.stats.special import (
    beta_quantile,
    betainc,
    chi2_quantile,
    gammaincc,
    normal_quantile,
    t_cdf,
    t_quantile,
)

SHAPES = (0.01, 0.5, 1.0, 1.5, 2.0, 7.3, 38.0, 400.0, 5e3, 1e6)
LEVELS = (1e-9, 1e-4, 0.025, 0.05, 0.3, 0.5, 0.7, 0.95, 0.975, 1 - 1e-6)


@pytest.mark.parametrize("a", SHAPES)
def test_the_incomplete_beta_agrees_with_scipy_where_its_mass_lies(a: float) -> None:
    for b in SHAPES:
        mean = a / (a + b)
        sd = math.sqrt(mean * (1 - mean) / (a + b + 1))
        for deviation in (-4.0, -2.0, -1.0, -0.1, 0.0, 0.1, 1.0, 2.0, 4.0):
            x = min(max(mean + deviation * sd, 0.0), 1.0)
            assert betainc(a, b, x) == pytest.approx(scipy_special.betainc(a, b, x), rel=1e-10, abs=1e-13)


def test_the_incomplete_beta_agrees_with_scipy_at_random() -> None:
    draw = random.Random(20260801)
    for _ in range(3000):
        a, b, x = 10 ** draw.uniform(-2, 6), 10 ** draw.uniform(-2, 6), draw.random()
        assert betainc(a, b, x) == pytest.approx(scipy_special.betainc(a, b, x), rel=1e-10, abs=1e-12)


def test_the_incomplete_beta_is_a_binomial_tail_to_the_last_digits() -> None:
    draw = random.Random(5)
    for _ in range(300):
        a, b = draw.randint(1, 60), draw.randint(1, 60)
        x = Fraction(draw.randint(1, 2**20 - 1), 2**20)
        n = a + b - 1
        exact = sum(math.comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))
        assert betainc(a, b, float(x)) == pytest.approx(float(exact), rel=1e-12 if exact < 1e-3 else 1e-14, abs=1e-15)


def test_the_incomplete_beta_where_scipy_is_off() -> None:
    # By mpmath at 50 digits; scipy 1.17 is 1.5e-11 higher.
    assert betainc(38.0, 1e6, 3.861496201148474e-05) == pytest.approx(0.5609965543647954, rel=1e-14)


def test_the_incomplete_beta_keeps_its_precision_in_the_far_tail() -> None:
    # By mpmath at 40 digits; scipy 1.17 gives 7.64e-279 here.
    x = 0.4809340479703198
    assert betainc(1020.7572266930757, 28.52015448569443, x) == pytest.approx(6.982737515915562e-279, rel=1e-10)


def test_the_ends_of_the_incomplete_beta() -> None:
    assert (betainc(2, 3, 0.0), betainc(2, 3, 1.0)) == (0.0, 1.0)
    assert betainc(1.0, 1.0, 0.25) == pytest.approx(0.25)


@pytest.mark.parametrize("a", SHAPES)
def test_the_beta_quantile_agrees_with_scipy(a: float) -> None:
    for b in SHAPES:
        for p in LEVELS:
            expected = scipy_special.betaincinv(a, b, p)
            assert beta_quantile(p, a, b) == pytest.approx(expected, rel=1e-10, abs=1e-300)


@pytest.mark.parametrize(
    ("p", "a", "b", "expected"),
    [
        (0.0, 2.0, 3.0, 0.0),
        (1.0, 2.0, 3.0, 1.0),
        (0.3, 1e-12, 3.0, 0.0),  # the root is too small for a float
        (0.3, 1.0, 1e-4, 1.0),
        (0.5, 1e-3, 1e-3, 0.5),
        (1e-300, 5.0, 5.0, 3.801245254501e-61),
    ],
)
def test_the_beta_quantile_at_the_edge(p: float, a: float, b: float, expected: float) -> None:
    assert beta_quantile(p, a, b) == pytest.approx(expected, rel=1e-11, abs=0.0)


@pytest.mark.parametrize("df", [0.5, 1.0, 2.0, 3.0, 4.7, 9.0, 29.0, 39.0, 199.0, 1e4, 1e6, 1e8])
def test_the_t_quantile_agrees_with_scipy(df: float) -> None:
    for p in LEVELS:
        expected = scipy_stats.t.ppf(p, df)
        assert t_quantile(p, df) == pytest.approx(expected, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("df", [0.5, 1.0, 2.0, 4.7, 39.0, 1e4, 1e8])
def test_the_t_distribution_agrees_with_scipy(df: float) -> None:
    for t in (-40.0, -3.0, -1.0, -1e-3, 0.0, 1e-200, 0.2, 1.96, 12.0):
        assert t_cdf(t, df) == pytest.approx(scipy_stats.t.cdf(t, df), rel=1e-10, abs=1e-300)


def test_the_ends_of_the_t_distribution() -> None:
    assert (t_cdf(-math.inf, 3), t_cdf(math.inf, 3)) == (0.0, 1.0)
    assert t_quantile(1e-300, 0.1) == -math.inf


def test_the_normal_quantile_agrees_with_scipy() -> None:
    for p in LEVELS:
        assert normal_quantile(p) == pytest.approx(scipy_stats.norm.ppf(p), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("a", [0.01, 0.5, 1.0, 2.5, 17.0, 400.0, 1e5])
def test_the_incomplete_gamma_agrees_with_scipy(a: float) -> None:
    for x in (0.0, 1e-6, 0.3 * a, a, a + 0.999, a + 1.001, a + 3 * a**0.5, 2 * a + 20, 5 * a + 200):
        assert gammaincc(a, x) == pytest.approx(scipy_special.gammaincc(a, x), rel=1e-9, abs=1e-300)
    assert gammaincc(a, math.inf) == 0.0


@pytest.mark.parametrize("df", [1, 2, 9, 100, 5000])
def test_the_chi_square_quantile_agrees_with_scipy(df: int) -> None:
    for p in (0.001, 0.5, 0.95, 0.9999):
        assert chi2_quantile(p, df) == pytest.approx(scipy_stats.chi2.ppf(p, df), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: betainc(0.0, 1.0, 0.5), "a and b must be positive numbers, got 0.0 and 1.0"),
        (lambda: betainc(1.0, math.nan, 0.5), "a and b must be positive numbers, got 1.0 and nan"),
        (lambda: betainc(1.0, 1.0, math.nan), r"x must be in 0\.\.1, got nan"),
        (lambda: beta_quantile(1.5, 1.0, 1.0), r"p must be in 0\.\.1, got 1.5"),
        (lambda: beta_quantile(0.5, 1.0, math.inf), "a and b must be positive numbers, got 1.0 and inf"),
        (lambda: t_quantile(0.0, 3), "p must be between 0 and 1, got 0.0"),
        (lambda: t_quantile(0.5, 0), "df must be a positive number, got 0"),
        (lambda: gammaincc(0.0, 1.0), "needs a > 0 and x >= 0, got a = 0.0 and x = 1.0"),
        (lambda: gammaincc(1.0, math.nan), "needs a > 0 and x >= 0, got a = 1.0 and x = nan"),
        (lambda: chi2_quantile(1.0, 3), "p must be between 0 and 1, got 1.0"),
        (lambda: t_cdf(1.0, -1), "df must be a positive number, got -1"),
        (lambda: t_cdf(math.nan, 3), "t is not a number"),
    ],
)
def test_what_has_no_value_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
