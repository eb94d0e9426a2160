"""The special functions behind intervals and tests: incomplete beta and gamma, and the quantiles made of them.

Standard library only: at run time scipy would cost more than everything else that a verdict needs.
"""

from functools import lru_cache
from math import exp, inf, lgamma, log, log1p, pi, sqrt
from statistics import NormalDist

_NORMAL = NormalDist()
_TINY = 1e-300
_EPSILON = 1e-16
_MAX_TERMS = 100_000
_MAX_STEPS = 200
_MAX_LOGIT = 690.0
"""Beyond this a proportion, or what it lacks to 1, leaves the range of a float."""


def normal_quantile(p: float) -> float:
    """The quantile of the standard normal distribution, for 0 < p < 1.

    Source: Wichura (1988), algorithm AS 241, as the standard library has it.
    """
    return _NORMAL.inv_cdf(p)


def betainc(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b): the distribution function of Beta(a, b) at x.

    Source: the continued fraction of Didonato and Morris (1992, ACM TOMS algorithm 708; the even part of DLMF 8.17.22),
    evaluated by the modified Lentz method (Thompson and Barnett 1986), with I_x(a, b) = 1 - I_1-x(b, a) right of the
    mean, where it would converge slowly; the factor before it after Loader (2000).

    Raises:
        ValueError: unless a > 0, b > 0 and 0 <= x <= 1.
    """
    _check_shape(a, b)
    if not 0.0 <= x <= 1.0:
        raise ValueError(f"x must be in 0..1, got {x}")
    if x in {0.0, 1.0}:
        return float(x)
    return exp(_log_lower(a, b, x, 1.0 - x)[0])


def beta_quantile(p: float, a: float, b: float) -> float:
    """The quantile of Beta(a, b): the x with I_x(a, b) = p.

    Source: Newton's method on log I against the logit of x. The logit of a beta variable has a log-concave density, so
    that log I is concave and increasing: the method converges from wherever it starts.

    Raises:
        ValueError: unless a > 0, b > 0 and 0 <= p <= 1.
    """
    _check_shape(a, b)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p must be in 0..1, got {p}")
    if p in {0.0, 1.0}:
        return float(p)
    return _beta_quantile(p, 1.0 - p, a, b)[0]


def t_cdf(t: float, df: float) -> float:
    """The distribution function of Student's t with `df` degrees of freedom.

    Source: P(|T| > t) = I_x(df/2, 1/2) with x = df / (df + t^2) (Abramowitz and Stegun 26.7.1).

    Raises:
        ValueError: unless df > 0 and t is a number.
    """
    _check_df(df)
    if t != t:  # noqa: PLR0124 - that is how NaN shows
        raise ValueError("t is not a number")
    x = 1.0 / (1.0 + t * t / df)
    y = 1.0 / (1.0 + df / (t * t)) if t * t else 0.0
    if y == 0.0:
        return 0.5
    tail = 0.5 * exp(_log_lower(df / 2, 0.5, x, y)[0]) if x else 0.0
    return tail if t < 0 else 1.0 - tail


@lru_cache(maxsize=4096)
def t_quantile(p: float, df: float) -> float:
    """The quantile of Student's t with `df` degrees of freedom (which need not be whole).

    Source: as for `t_cdf`, solved for t by the quantile of Beta(df/2, 1/2).

    Raises:
        ValueError: unless df > 0 and 0 < p < 1.
    """
    _check_df(df)
    if not 0.0 < p < 1.0:
        raise ValueError(f"p must be between 0 and 1, got {p}")
    tail = 2.0 * min(p, 1.0 - p)
    if tail == 1.0:
        return 0.0
    x, y = _beta_quantile(tail, 1.0 - tail, df / 2, 0.5)
    t = sqrt(df * (y / x)) if x else inf
    return -t if p < 0.5 else t


def gammaincc(a: float, x: float) -> float:
    """The regularised upper incomplete gamma function Q(a, x); Q(k / 2, x / 2) is chi-square's tail beyond x.

    Source: the series and the continued fraction of Abramowitz and Stegun 6.5.29 and 6.5.31, the latter by the modified
    Lentz method, each on its side of a + 1; the factor before them after Loader (2000).

    Raises:
        ValueError: unless a > 0 and x >= 0.
    """
    if not (0.0 < a < inf and x >= 0.0):
        raise ValueError(f"needs a > 0 and x >= 0, got a = {a} and x = {x}")
    if x in {0.0, inf}:
        return 1.0 if x == 0.0 else 0.0
    factor = exp(0.5 * log(a / (2.0 * pi)) - _stirling_error(a) - _deviance(a, x))  # x^a e^-x / Gamma(a)
    if x < a + 1.0:
        term = total = 1.0 / a
        for n in range(1, _MAX_TERMS):
            term *= x / (a + n)
            total += term
            if term <= total * _EPSILON:
                break
        return 1.0 - min(1.0, factor * total)
    b = x + 1.0 - a
    d = value = 1.0 / b
    c = 1.0 / _TINY
    for n in range(1, _MAX_TERMS):
        b += 2.0
        d = 1.0 / _off_zero(b - n * (n - a) * d)
        c = _off_zero(b - n * (n - a) / c)
        value *= c * d
        if abs(c * d - 1.0) <= 2 * _EPSILON:
            break
    return factor * value


def chi2_quantile(p: float, df: float) -> float:
    """The quantile of chi-square with `df` degrees of freedom, by bisection of `gammaincc`.

    Raises:
        ValueError: unless df > 0 and 0 < p < 1.
    """
    _check_df(df)
    if not 0.0 < p < 1.0:
        raise ValueError(f"p must be between 0 and 1, got {p}")
    low, high = 0.0, df
    while gammaincc(df / 2, high / 2) > 1.0 - p:
        low, high = high, 2.0 * high
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if gammaincc(df / 2, middle / 2) > 1.0 - p else (low, middle)
    return high


def _check_shape(a: float, b: float) -> None:
    if not (0.0 < a < inf and 0.0 < b < inf):
        raise ValueError(f"a and b must be positive numbers, got {a} and {b}")


def _check_df(df: float) -> None:
    if not 0.0 < df < inf:
        raise ValueError(f"df must be a positive number, got {df}")


def _beta_quantile(p: float, q: float, a: float, b: float) -> tuple[float, float]:
    """The pair x and 1 - x with I_x(a, b) = p = 1 - q, both to full relative precision however small."""
    if p > q:
        y, x = _beta_quantile(q, p, b, a)
        return x, y
    log_p = log(p)
    # Far to the left I is x^a / (a B(a, b)); where even that root is no float, it is the answer.
    leftmost = (log_p + log(a) + lgamma(a) + lgamma(b) - lgamma(a + b)) / a
    if leftmost < -_MAX_LOGIT:
        return exp(leftmost), 1.0
    logit = _bounded(log(a / b) + normal_quantile(p) * sqrt(1.0 / a + 1.0 / b))
    for _ in range(_MAX_STEPS):
        odds = exp(logit)
        log_lower, log_term = _log_lower(a, b, odds / (1.0 + odds), 1.0 / (1.0 + odds))
        before, logit = logit, _bounded(logit + (log_p - log_lower) * exp(log_lower - log_term))
        if abs(logit - before) <= 1e-14 * (1.0 + abs(logit)):
            break
    odds = exp(logit)
    return odds / (1.0 + odds), 1.0 / (1.0 + odds)


def _bounded(logit: float) -> float:
    return min(max(logit, -_MAX_LOGIT), _MAX_LOGIT)


def _log_lower(a: float, b: float, x: float, y: float) -> tuple[float, float]:
    """The log of I_x(a, b), and the log of its derivative by the logit of x; y is 1 - x."""
    log_term = _log_term(a, b, x, y)
    if a * y - b * x + 1.0 > 2.0 * x:  # x < (a + 1) / (a + b + 2), without cancellation
        return log_term - log(_fraction(a, b, x, y)), log_term
    return log1p(-min(exp(log_term) / _fraction(b, a, y, x), 1.0 - _EPSILON)), log_term


def _fraction(a: float, b: float, x: float, y: float) -> float:
    """The continued fraction that x^a y^b / B(a, b) is divided by to give I_x(a, b)."""
    lead = a * y - b * x + 1.0
    value = c = a * lead / (a + 1.0)
    d = 0.0
    for m in range(1, _MAX_TERMS):
        am = a + 2 * m - 1.0
        ratio = m * (b - m) * x / am
        numerator = ratio * (a + m - 1.0) * (a + b + m - 1.0) * x / am
        denominator = m + ratio + (a + m) * (lead + m * (1.0 + y)) / (am + 2.0)
        d = 1.0 / _off_zero(denominator + numerator * d)
        c = _off_zero(denominator + numerator / c)
        value *= c * d
        if abs(c * d - 1.0) <= 2 * _EPSILON:
            break
    return value


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def _log_term(a: float, b: float, x: float, y: float) -> float:
    """The log of x^a y^b / B(a, b), without the cancellation that log-gammas of large arguments bring.

    Source: Loader (2000), "Fast and accurate computation of binomial probabilities".
    """
    n = a + b
    return (
        0.5 * log(a / n * b / (2.0 * pi))
        + (_stirling_error(n) - _stirling_error(a) - _stirling_error(b))
        - (_deviance(a, n * x) + _deviance(b, n * y))
    )


def _stirling_error(n: float) -> float:
    """The log of Gamma(n + 1) less Stirling's approximation to it."""
    if n < 16.0:
        return lgamma(n + 1.0) - (n + 0.5) * log(n) + n - 0.5 * log(2.0 * pi)
    nn = n * n
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / (1188 * nn)) / nn) / nn) / nn) / n


def _deviance(observed: float, mean: float) -> float:
    """Observed log(observed / mean) + mean - observed, precise where the two are close."""
    if abs(observed - mean) >= 0.1 * (observed + mean):
        return observed * log(observed / mean) + mean - observed
    v = (observed - mean) / (observed + mean)
    total, term, square, j = (observed - mean) * v, 2.0 * observed * v, v * v, 1
    while True:
        term *= square
        j += 2
        following = total + term / j
        if following == total:
            return total
        total = following
