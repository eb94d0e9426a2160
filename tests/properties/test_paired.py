"""The gate's statistics hold their promises for any differences, p-values and histories."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from gatewatch.stats.flips import all_fail, fewest, fit_beta, tail
from gatewatch.stats.multiple import benjamini_hochberg, holm
from gatewatch.stats.paired import (
    EXACT,
    difference,
    mcnemar,
    mid_p,
    probability_of_regression,
    sign_flip,
    sign_flip_test,
    tango,
)
from gatewatch.stats.power import components
from gatewatch.stats.quantiles import quantile_bounds
from gatewatch.stats.sequential import boundaries, spent
from gatewatch.stats.special import normal_quantile

calm = settings(deadline=None, max_examples=100)  # this is no place to judge by the clock

counts = st.integers(0, 100_000)
graded = st.sampled_from([0.0, 0.25, -0.25, 1 / 3, -1 / 3, 0.5, 1.0, -1.0]) | st.floats(-1, 1)
binary = st.sampled_from([-1.0, 0.0, 0.0, 1.0])
labels = st.integers(0, 8)
probabilities = st.lists(st.floats(0, 1), max_size=60)
histories = st.lists(
    st.integers(0, 12).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))), max_size=40
)


@st.composite
def clustered(draw: st.DrawFn) -> tuple[list[float], list[int] | None, bool]:
    """Differences, their clusters if any, and whether they are binary."""
    is_binary = draw(st.booleans())
    values = draw(st.lists(binary if is_binary else graded, min_size=1, max_size=40))
    clusters = draw(st.none() | st.lists(labels, min_size=len(values), max_size=len(values)))
    return values, clusters, is_binary


@calm
@given(counts, counts)
def test_the_mid_p_is_the_probability_of_no_regression(wins: int, losses: int) -> None:
    expected = scipy_stats.beta.sf(0.5, losses + 1, wins + 1)
    assert 1 - mid_p(wins, losses) == pytest.approx(expected, abs=1e-9)
    assert probability_of_regression(wins, losses) == pytest.approx(expected, abs=1e-9)


@calm
@given(counts, counts)
def test_the_mid_p_lies_half_the_chance_of_the_data_below_the_exact(wins: int, losses: int) -> None:
    test = mcnemar(wins, losses)
    chance = scipy_stats.binom.pmf(losses, wins + losses, 0.5)
    assert test.p_exact - test.p_mid == pytest.approx(chance / 2, abs=1e-9)
    assert 0.0 <= test.p_mid <= test.p_exact <= 1.0
    assert test.p_exact_two_sided <= 1.0


@calm
@given(st.lists(binary, max_size=300), st.sampled_from([1.0, 0.5, 0.1, 1 / 3]))
def test_the_sign_flip_of_differences_of_one_size_is_mcnemars_test(values: list[float], size: float) -> None:
    expected = mid_p(values.count(1.0), values.count(-1.0))
    assert sign_flip([size * value for value in values]) == expected


@calm
@given(st.lists(graded, max_size=60))
def test_clusters_of_one_are_no_clusters(values: list[float]) -> None:
    alone = sign_flip_test(values)
    assert sign_flip_test(values, clusters=list(range(len(values)))) == alone
    assert sign_flip_test(np.array(values), clusters=np.arange(len(values))) == alone


@calm
@given(st.lists(st.tuples(graded, labels), max_size=60))
def test_turning_all_differences_turns_the_mid_p(rows: list[tuple[float, int]]) -> None:
    values, clusters = [value for value, _ in rows], [label for _, label in rows]
    for given_clusters in (None, clusters):
        there = sign_flip(values, clusters=given_clusters)
        back = sign_flip([-value for value in values], clusters=given_clusters)
        assert 0.0 < there < 1.0
        # Of more than 20 differences 20,000 flips are drawn, others for each side: six standard errors.
        drawn = sum(value != 0 for value in values) > EXACT
        assert there + back == pytest.approx(1.0, abs=0.03 if drawn else 1e-6)


@calm
@given(clustered())
def test_the_interval_of_a_difference_contains_its_mean_and_has_width(
    case: tuple[list[float], list[int] | None, bool],
) -> None:
    values, clusters, is_binary = case
    found = difference(values, clusters=clusters, binary=is_binary)
    assert found.mean == pytest.approx(math.fsum(values) / len(values), abs=1e-12)
    assert found.clusters == len(values if clusters is None else set(clusters))
    if found.interval is None:
        assert min(len(values), found.clusters) < 2
        assert (found.lower, found.method) == (None, "")
        return
    assert found.lower is not None
    assert -1.0 <= found.interval.low <= found.lower <= found.mean <= found.interval.high <= 1.0
    assert found.interval.low < found.interval.high


@calm
@given(clustered())
def test_the_interval_of_a_difference_turns_with_it(case: tuple[list[float], list[int] | None, bool]) -> None:
    values, clusters, is_binary = case
    there = difference(values, clusters=clusters, binary=is_binary)
    back = difference([-value for value in values], clusters=clusters, binary=is_binary)
    assert back.mean == pytest.approx(-there.mean, abs=1e-12)
    assert back.method == there.method
    if there.interval is not None and back.interval is not None:
        assert back.interval.low == pytest.approx(-there.interval.high, abs=1e-9)
        assert back.interval.high == pytest.approx(-there.interval.low, abs=1e-9)


@calm
@given(st.integers(1, 5000), st.data(), st.floats(0.5, 0.99), st.floats(0.5, 0.99))
def test_tango_contains_what_was_seen_and_grows_with_confidence(
    n: int, data: st.DataObject, one: float, other: float
) -> None:
    wins = data.draw(st.integers(0, n))
    losses = data.draw(st.integers(0, n - wins))
    less, more = sorted((one, other))
    inner, outer = tango(wins, losses, n, confidence=less), tango(wins, losses, n, confidence=more)
    assert -1.0 <= outer.low <= inner.low <= (wins - losses) / n <= inner.high <= outer.high <= 1.0
    assert inner.low < inner.high


@calm
@given(st.integers(2, 60), st.data())
def test_another_win_never_lowers_tangos_bounds(n: int, data: st.DataObject) -> None:
    wins = data.draw(st.integers(0, n - 1))
    losses = data.draw(st.integers(0, n - 1 - wins))
    fewer, more = tango(wins, losses, n), tango(wins + 1, losses, n)
    assert more.high >= fewer.high - 1e-12
    assert tango(wins, losses + 1, n).low <= fewer.low + 1e-12


@calm
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.floats(0.01, 0.99))
def test_the_bounds_of_a_quantile_are_values_in_order(values: list[float], q: float) -> None:
    bounds = quantile_bounds(values, q)
    if bounds is not None:
        assert bounds.low <= bounds.high
        assert {bounds.low, bounds.high} <= {*values, -math.inf, math.inf}


@calm
@given(probabilities)
def test_adjusted_p_values_are_no_lower_and_keep_their_order(p: list[float]) -> None:
    by_holm, by_bh = holm(p), benjamini_hochberg(p)
    for raw, family, discovery in zip(p, by_holm, by_bh, strict=True):
        assert raw <= discovery + 1e-15
        assert discovery <= family + 1e-15
        assert family <= 1.0
    for adjusted in (by_holm, by_bh):
        ranked = [value for _, value in sorted(zip(p, adjusted, strict=True))]
        assert ranked == sorted(ranked)


@calm
@given(probabilities, st.randoms())
def test_a_tail_falls_with_its_count_and_knows_no_order(p: list[float], shuffle: Any) -> None:
    tails = [tail(p, k) for k in range(len(p) + 2)]
    assert tails[0] == 1.0 and tails[-1] == 0.0
    assert all(after <= before + 1e-12 for before, after in itertools.pairwise(tails))
    assert math.fsum(tails[1:]) == pytest.approx(math.fsum(p), abs=1e-9)
    shuffled = list(p)
    shuffle.shuffle(shuffled)
    assert [tail(shuffled, k) for k in range(len(p) + 2)] == pytest.approx(tails, rel=1e-9, abs=1e-300)


@calm
@given(st.floats(0, 1), st.integers(0, 80), st.integers(0, 80))
def test_the_tail_of_equal_probabilities_is_the_binomial(p: float, m: int, k: int) -> None:
    assert tail([p] * m, k) == pytest.approx(scipy_stats.binom.sf(k - 1, m, p), rel=1e-8, abs=1e-290)


@calm
@given(probabilities, st.floats(1e-9, 0.5))
def test_the_fewest_is_the_first_below_alpha(p: list[float], alpha: float) -> None:
    k = fewest(p, alpha)
    if k is None:
        assert tail(p, len(p)) > alpha
    else:
        assert 1 <= k <= len(p)
        assert tail(p, k) <= alpha * (1 + 1e-9)
        assert tail(p, k - 1) > alpha * (1 - 1e-9)


@calm
@given(histories)
def test_a_fitted_prior_is_finite_and_no_surer_than_its_histories(seen: list[tuple[int, int]]) -> None:
    prior = fit_beta(seen)
    trials = sum(n for _, n in seen)
    failures = trials - sum(passes for passes, _ in seen)
    assert 0.0499 <= prior.a + prior.b <= 1000.01
    assert prior.b / (prior.a + prior.b) >= (failures + 0.5) / (trials + 1) - 1e-9
    chances = [all_fail(prior, 5, 5, reruns) for reruns in (1, 2, 3, 4)]
    assert chances == sorted(chances, reverse=True)
    assert chances[-1] > 0.0 and chances[0] < 1.0


@calm
@given(st.lists(st.lists(st.floats(0, 1), max_size=6), max_size=12))
def test_the_share_of_the_cases_in_the_variance_is_a_share(scores: list[list[float]]) -> None:
    if sum(map(bool, scores)) < 2 or all(len(row) < 2 for row in scores):
        with pytest.raises(ValueError, match="at least 2 cases"):
            components(scores)
        return
    found = components(scores)
    assert found.within >= 0.0 and found.between >= 0.0 and found.F >= 0.0
    assert 0.0 <= found.icc <= 1.0


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=5, unique=True), st.floats(0.005, 0.2))
def test_looking_more_than_once_has_its_price(twentieths: list[int], alpha: float) -> None:
    information = sorted(share / 20 for share in twentieths)
    bounds = boundaries(information, alpha=alpha)
    assert bounds[0] == pytest.approx(-normal_quantile(spent(information[0], alpha)), abs=1e-6)
    assert min(bounds) >= -normal_quantile(alpha) - 1e-6


@calm
@given(st.lists(st.floats(-1.0, 1.0), min_size=2, max_size=60), st.sampled_from([1.0, 0.5, 1 / 3, 0.1]))
def test_a_score_interval_of_means_is_no_narrower_than_t_and_turns_with_them(values: list[float], step: float) -> None:
    plain, found = difference(values), difference(values, step=step)
    back = difference([-value for value in values], step=step)
    assert plain.interval is not None and found.interval is not None and back.interval is not None
    assert found.interval.low <= plain.interval.low + 1e-9
    assert found.interval.high >= plain.interval.high - 1e-9
    assert -1.0 <= found.interval.low <= found.mean <= found.interval.high <= 1.0
    assert back.interval.low == pytest.approx(-found.interval.high, abs=1e-9)
