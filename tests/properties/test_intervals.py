import math
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatewatch.stats.intervals import (
    Estimate,
    Interval,
    MeanEstimate,
    beta_uniform,
    clopper_pearson,
    cluster_t,
    jeffreys,
    newcombe_difference,
    pass_at_k,
    pass_hat_k,
    t_mean,
    wilson,
)
from gatewatch.stats.special import beta_quantile, betainc, t_cdf, t_quantile

ns = st.integers(1, 3000)
fractions = st.floats(0.0, 1.0)
confidences = st.floats(0.01, 0.999)
graded = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 2 / 3, 0.75, 1.0]) | fractions
cases = st.lists(st.tuples(graded, st.sampled_from(["", "", "a", "b", "c", "d"])), max_size=40)


def estimate_of(rows: list[tuple[float, str]]) -> Estimate:
    estimate = MeanEstimate()
    for value, cluster in rows:
        estimate.add(value, cluster)
    return estimate.result()


def _close(one: Interval, other: Interval) -> bool:
    return one.low == pytest.approx(other.low, abs=1e-9) and one.high == pytest.approx(other.high, abs=1e-9)


@given(ns, fractions, confidences)
def test_the_interval_of_a_rate_is_within_the_scale_and_contains_it(n: int, share: float, confidence: float) -> None:
    k = share * n
    for interval in (wilson(k, n, confidence=confidence), clopper_pearson(k, n, confidence=confidence)):
        assert 0.0 <= interval.low <= k / n <= interval.high <= 1.0


@given(ns, fractions)
def test_a_posterior_interval_contains_the_posterior_mean(n: int, share: float) -> None:
    k = share * n
    for interval, prior in ((jeffreys(k, n), 0.5), (beta_uniform(k, n), 1.0)):
        assert 0.0 <= interval.low <= (k + prior) / (n + 2 * prior) <= interval.high <= 1.0


@given(st.integers(1, 500), st.data())
def test_failures_mirror_passes(n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    for method in (wilson, clopper_pearson, jeffreys, beta_uniform):
        passes, failures = method(k, n), method(n - k, n)
        assert passes.low == pytest.approx(1 - failures.high, abs=1e-11)
        assert passes.high == pytest.approx(1 - failures.low, abs=1e-11)


@given(ns, fractions, confidences, confidences)
def test_more_confidence_is_never_narrower(n: int, share: float, one: float, other: float) -> None:
    less, more = sorted((one, other))
    inner, outer = wilson(share * n, n, confidence=less), wilson(share * n, n, confidence=more)
    assert outer.low <= inner.low + 1e-12
    assert outer.high >= inner.high - 1e-12


@given(ns, fractions, ns, fractions)
def test_a_difference_turned_round_changes_its_sign(n1: int, share1: float, n2: int, share2: float) -> None:
    k1, k2 = share1 * n1, share2 * n2
    there, back = newcombe_difference(k1, n1, k2, n2), newcombe_difference(k2, n2, k1, n1)
    assert there.low == pytest.approx(-back.high, abs=1e-12)
    assert -1.0 <= there.low <= k1 / n1 - k2 / n2 + 1e-12
    assert k1 / n1 - k2 / n2 - 1e-12 <= there.high <= 1.0


@given(st.floats(0.05, 1e4), st.floats(0.05, 1e4), st.floats(1e-6, 1 - 1e-6))
def test_the_beta_quantile_undoes_the_incomplete_beta(a: float, b: float, p: float) -> None:
    x = beta_quantile(p, a, b)
    assume(1e-300 < x < 1 - 1e-6)  # nearer to the ends a float cannot tell one p from the next
    assert betainc(a, b, x) == pytest.approx(p, rel=1e-8)


@given(st.floats(0.3, 1e6), st.floats(1e-6, 1 - 1e-6))
def test_the_t_quantile_undoes_the_t_distribution(df: float, p: float) -> None:
    t = t_quantile(p, df)
    assert t_cdf(t, df) == pytest.approx(p, rel=1e-9)
    assert t_quantile(1 - p, df) == pytest.approx(-t, rel=1e-6, abs=1e-9)


@given(cases)
def test_an_estimate_is_within_the_scale_and_its_interval_contains_the_mean(rows: list[tuple[float, str]]) -> None:
    estimate = estimate_of(rows)
    assert estimate.n == len(rows)
    if estimate.mean is None:
        assert not rows
        return
    assert estimate.mean == pytest.approx(math.fsum(value for value, _ in rows) / len(rows), abs=1e-12)
    if estimate.interval is not None:
        assert 0.0 <= estimate.interval.low <= estimate.mean <= estimate.interval.high <= 1.0


@given(cases)
def test_no_interval_is_without_width(rows: list[tuple[float, str]]) -> None:
    interval = estimate_of(rows).interval
    assert interval is None or interval.high > interval.low


@given(cases)
def test_streaming_equals_batch(rows: list[tuple[float, str]]) -> None:
    estimate = estimate_of(rows)
    values = [value for value, _ in rows]
    clusters = [cluster or place for place, (_, cluster) in enumerate(rows)]
    if estimate.interval is None:
        assert len(rows) < 2 or len(set(clusters)) == 1
        return
    assert estimate.mean is not None
    batches = {
        "wilson": lambda: wilson(sum(values), len(values)),
        "wilson (all equal)": lambda: wilson(min(sum(values), len(values)), len(values)),
        "wilson (clusters equal)": lambda: wilson(estimate.mean * len(set(clusters)), len(set(clusters))),
        "cluster t": lambda: cluster_t(values, clusters, bounds=(0.0, 1.0)),
        "t": lambda: t_mean(values, bounds=(0.0, 1.0)),
    }
    assert _close(estimate.interval, batches[estimate.interval.method]())


@given(cases, st.randoms())
def test_the_order_of_adding_does_not_matter(rows: list[tuple[float, str]], draw: Random) -> None:
    shuffled = list(rows)
    draw.shuffle(shuffled)
    one, other = estimate_of(rows), estimate_of(shuffled)
    assert one.n == other.n
    assert one.mean == pytest.approx(other.mean, abs=1e-12)
    if one.interval is None or other.interval is None:
        assert one.interval is other.interval
    else:
        assert one.interval.method == other.interval.method
        assert _close(one.interval, other.interval)


@given(st.integers(1, 60), st.data())
def test_more_trials_pass_once_more_often_and_all_less_often(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n))
    once = [pass_at_k(n, c, k) for k in range(1, n + 1)]
    always = [pass_hat_k(n, c, k) for k in range(1, n + 1)]
    assert once == sorted(once)
    assert always == sorted(always, reverse=True)
    assert once[0] == pytest.approx(c / n)
    assert always[0] == pytest.approx(c / n)
    assert all(0.0 <= value <= 1.0 for value in once + always)
