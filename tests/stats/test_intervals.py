import doctest
import json
import math
import random
import sys
from collections.abc import Callable
from typing import Any

import pytest
from scipy import stats as scipy_stats

from gatewatch.stats import intervals
from gatewatch.stats.intervals import (
    Estimate,
    Interval,
    MeanEstimate,
    beta_uniform,
    clopper_pearson,
    cluster_se,
    cluster_t,
    jeffreys,
    newcombe_difference,
    pass_at_k,
    pass_hat_k,
    t_mean,
    wilson,
)
from shared import shared_path


def of(values: list[float], clusters: list[str] | None = None) -> Estimate:
    estimate = MeanEstimate()
    for place, value in enumerate(values):
        estimate.add(value, clusters[place] if clusters else "")
    return estimate.result()


def ends(interval: Interval | None) -> list[float]:
    assert interval is not None
    return [interval.low, interval.high]


def method(estimate: Estimate) -> str:
    return "" if estimate.interval is None else estimate.interval.method


def _paired_t(inputs: dict[str, Any]) -> dict[str, Any]:
    d = inputs["d"]
    return {
        "mean": sum(d) / len(d),
        "ci95": ends(t_mean(d)),
        "ci90": ends(t_mean(d, confidence=0.9)),
    }


def _clustered(inputs: dict[str, Any]) -> dict[str, Any]:
    mean, se, _ = cluster_se(inputs["d"], inputs["groups"])
    return {"mean": mean, "se": se, "ci95_tG1": ends(cluster_t(inputs["d"], inputs["groups"]))}


VECTORS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "wilson_ci_95": lambda given: ends(wilson(**given)),
    "clopper_pearson_ci_95": lambda given: ends(clopper_pearson(**given)),
    "jeffreys_ci_95": lambda given: ends(jeffreys(**given)),
    "beta_posterior_interval_95_uniform_prior": lambda given: ends(beta_uniform(**given)),
    "newcombe_diff_independent_95": lambda given: ends(newcombe_difference(**given)),
    "paired_t_one_sided_and_ci": _paired_t,
    "clustered_mean_se_ci": _clustered,
    "pass_at_k_and_pass_hat_k": lambda given: {"pass_at_k": pass_at_k(**given), "pass_hat_k": pass_hat_k(**given)},
}


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_the_reference_vectors(name: str) -> None:
    vectors = json.loads(shared_path("vectors", "stats_vectors.json").read_text())["vectors"]
    chosen = [vector for vector in vectors if vector["method"] == name]
    assert chosen
    for vector in chosen:
        got, expected = VECTORS[name](vector["inputs"]), vector["expected"]
        if isinstance(expected, list):
            assert got == pytest.approx(expected, abs=vector["tol"]), vector["id"]
        else:
            for key, value in got.items():
                assert value == pytest.approx(expected[key], abs=vector["tol"]), f"{vector['id']}: {key}"


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 40, 333, 20_000])
def test_rates_agree_with_scipy(n: int, confidence: float) -> None:
    for k in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        test = scipy_stats.binomtest(k, n)
        for ours, theirs in ((wilson, "wilson"), (clopper_pearson, "exact")):
            expected = test.proportion_ci(confidence, method=theirs)
            assert ends(ours(k, n, confidence=confidence)) == pytest.approx([expected.low, expected.high], abs=1e-10)
        for posterior, prior in ((jeffreys, 0.5), (beta_uniform, 1.0)):
            low, high = scipy_stats.beta(k + prior, n - k + prior).interval(confidence)
            assert ends(posterior(k, n, confidence=confidence)) == pytest.approx([low, high], abs=1e-10)


def test_wilson_takes_fractions_of_a_case() -> None:
    assert ends(wilson(2.4, 3)) == pytest.approx([0.2877, 0.9752], abs=1e-3)
    assert wilson(0, 5).low == 0.0
    assert wilson(5, 5).high == 1.0


def test_the_mean_of_random_values_agrees_with_scipy() -> None:
    draw = random.Random(7)
    for n in (2, 3, 17, 400):
        values = [draw.gauss(0, 1) for _ in range(n)]
        for confidence in (0.8, 0.95):
            expected = scipy_stats.ttest_1samp(values, 0).confidence_interval(confidence)
            got = t_mean(values, confidence=confidence)
            assert ends(got) == pytest.approx([expected.low, expected.high], rel=1e-9)
            assert got.method == "t"


def test_clusters_of_one_give_the_ordinary_interval() -> None:
    values = [0.1, 0.5, 0.4, 0.9]
    assert ends(cluster_t(values, "abcd")) == pytest.approx(ends(t_mean(values)), rel=1e-12)


def test_intervals_are_clipped_to_what_a_value_can_be() -> None:
    assert ends(t_mean([0.0, 1.0], bounds=(0.0, 1.0))) == [0.0, 1.0]
    assert ends(cluster_t([0.0, 1.0], "ab", bounds=(-1.0, 1.0))) == [-1.0, 1.0]
    assert ends(newcombe_difference(1, 1, 0, 1)) == pytest.approx([-0.1225, 1.0], abs=1e-3)


def test_pass_at_k_agrees_with_the_hypergeometric_distribution() -> None:
    for n in (1, 2, 5, 20):
        for c in range(n + 1):
            for k in range(1, n + 1):
                assert pass_at_k(n, c, k) == pytest.approx(1 - scipy_stats.hypergeom.pmf(0, n, c, k), abs=1e-12)
                assert pass_hat_k(n, c, k) == pytest.approx(scipy_stats.hypergeom.pmf(k, n, c, k), abs=1e-12)
    assert pass_at_k(10_000, 1, 5_000) == 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(1, 0), r"a rate of k in n needs n > 0 and 0 <= k <= n, got k = 1 and n = 0"),
        (lambda: clopper_pearson(-1, 5), "got k = -1 and n = 5"),
        (lambda: jeffreys(6, 5), "got k = 6 and n = 5"),
        (lambda: beta_uniform(math.nan, 5), "got k = nan and n = 5"),
        (lambda: newcombe_difference(1, 2, 3, 2), "got k = 3 and n = 2"),
        (lambda: wilson(1, 2, confidence=95), "confidence must be between 0 and 1, got 95"),
        (lambda: t_mean([0.5]), "an interval needs at least 2 values, got 1"),
        (lambda: cluster_t([0.5, 0.6], ["a", "a"]), "a cluster-robust interval needs at least 2 clusters, got 1"),
        (lambda: cluster_t([0.5, 0.6], ["a"]), "shorter"),
        (lambda: pass_at_k(5, 2, 6), "needs 0 <= c <= n and 1 <= k <= n, got n = 5, c = 2 and k = 6"),
        (lambda: pass_hat_k(5, 6, 1), "got n = 5, c = 6 and k = 1"),
        (lambda: MeanEstimate().add(1.01), r"a value is in 0\.\.1, got 1.01"),
        (lambda: MeanEstimate().add(math.nan), r"a value is in 0\.\.1, got nan"),
    ],
)
def test_what_has_no_interval_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_of_nothing_there_is_no_mean() -> None:
    assert of([]) == Estimate(None, 0)


def test_one_value_has_a_mean_and_no_interval() -> None:
    assert of([0.4]) == Estimate(0.4, 1)
    assert of([1.0], ["a"]) == Estimate(1.0, 1)


def test_zeros_and_ones_are_a_rate() -> None:
    assert of([1.0] * 37 + [0.0] * 3) == Estimate(0.925, 40, wilson(37, 40))
    assert of([1.0, 1.0, 1.0]) == Estimate(1.0, 3, wilson(3, 3))


def test_equal_values_do_not_claim_certainty() -> None:
    estimate = of([0.75] * 8)
    assert estimate == Estimate(0.75, 8, wilson(6, 8, method="wilson (all equal)"))
    # 0.1 + 0.2 is not 0.3 in floats, but the data are equal.
    assert method(of([0.3, 0.1 + 0.2, 0.3])) == "wilson (all equal)"


def test_graded_values_get_a_t_interval_within_the_scale() -> None:
    values = [0.25, 0.5, 1.0, 1.0, 0.75]
    estimate = of(values)
    assert estimate.mean == 0.7
    assert ends(estimate.interval) == pytest.approx(ends(t_mean(values, bounds=(0.0, 1.0))), rel=1e-12)
    assert method(estimate) == "t"
    assert ends(of([0.1, 1.0]).interval) == [0.0, 1.0]


def test_repeated_clusters_widen_the_interval() -> None:
    values, clusters = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0], ["a", "a", "b", "b", "", ""]
    estimate = of(values, clusters)
    expected = cluster_t(values, ["a", "a", "b", "b", "x", "y"], bounds=(0.0, 1.0))
    assert ends(estimate.interval) == pytest.approx(ends(expected), rel=1e-12)
    assert method(estimate) == "cluster t"


def test_clusters_that_do_not_repeat_do_not_count() -> None:
    values = [0.2, 0.4, 0.9, 0.7]
    together = of(values, ["a", "", "b", ""])
    assert method(together) == "t"
    assert ends(together.interval) == pytest.approx(ends(of(values).interval), rel=1e-12)
    assert of([1.0, 0.0, 1.0], ["a", "b", "c"]) == Estimate(2 / 3, 3, wilson(2, 3))


def test_one_cluster_alone_has_no_interval() -> None:
    assert of([0.2, 0.4, 0.9], ["a", "a", "a"]) == Estimate(0.5, 3)


def test_clusters_that_do_not_differ_do_not_claim_certainty() -> None:
    estimate = of([1.0, 0.0, 0.0, 1.0, 1.0, 0.0], ["a", "a", "b", "b", "c", "c"])
    assert estimate == Estimate(0.5, 6, wilson(1.5, 3, method="wilson (clusters equal)"))
    thirds = of([0.1, 0.2, 0.3, 0.3, 0.1, 0.2], ["a", "a", "a", "b", "b", "b"])
    assert method(thirds) == "wilson (clusters equal)"


def test_a_result_may_be_read_at_any_time_and_at_any_confidence() -> None:
    estimate = MeanEstimate()
    for value in (0.2, 0.4, 0.7):
        estimate.add(value)
    early = estimate.result()
    estimate.add(0.6)
    assert (early.n, estimate.n) == (3, 4)
    assert ends(estimate.result(confidence=0.9).interval) == pytest.approx(
        ends(t_mean([0.2, 0.4, 0.7, 0.6], confidence=0.9, bounds=(0.0, 1.0)))
    )


@pytest.mark.parametrize("shape", ["uniform", "near constant", "outlier first", "outlier last"])
def test_a_million_values_lose_no_precision(shape: str) -> None:
    n, draw = 1_000_000, random.Random(3)
    if shape == "uniform":
        values = [draw.random() for _ in range(n)]
    else:
        values = [0.9 + 1e-6 * draw.random() for _ in range(n)]
        if shape.startswith("outlier"):
            values[0 if shape.endswith("first") else -1] = 0.0
    estimate = of(values)
    expected = t_mean(values)
    assert estimate.mean == pytest.approx(math.fsum(values) / n, rel=1e-12)
    low, high = ends(estimate.interval)
    assert high - low == pytest.approx(expected.high - expected.low, rel=1e-9)


def test_an_estimate_stays_small_however_many_values_it_saw() -> None:
    estimate = MeanEstimate()
    before = _size(estimate)
    for place in range(5000):
        estimate.add(place % 7 / 7)
    assert _size(estimate) == before < 700
    for place in range(5000):
        estimate.add(0.5, f"cluster {place % 10}")
    assert _size(estimate) < 3000


def _size(estimate: MeanEstimate) -> int:
    kept = [getattr(estimate, name) for name in MeanEstimate.__slots__]
    return sys.getsizeof(estimate) + sum(sys.getsizeof(value) for value in kept)


def test_the_example_in_the_docstring() -> None:
    assert doctest.testmod(intervals).failed == 0
