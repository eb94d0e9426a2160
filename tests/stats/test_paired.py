import itertools
import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.optimize import minimize_scalar

from gatewatch.stats.intervals import Interval, cluster_t, t_mean
from gatewatch.stats.paired import (
    EXACT,
    FLIPPED,
    Difference,
    difference,
    mcnemar,
    mid_p,
    noninferiority,
    p_less,
    paired_t,
    probability_of_regression,
    sign_flip,
    sign_flip_test,
    tango,
)
from stats.vectors import hold


def ends(interval: Interval | None) -> list[float]:
    assert interval is not None
    return [interval.low, interval.high]


def _mcnemar(given: dict[str, Any]) -> dict[str, Any]:
    test = mcnemar(**given)
    return {"p_exact": test.p_exact, "p_mid": test.p_mid, "p_exact_two_sided": test.p_exact_two_sided}


def _sign_flip(given: dict[str, Any]) -> dict[str, Any]:
    test = sign_flip_test(given["d"])
    return {"p_exact": test.p_exact, "p_mid": test.p_mid}


def _paired_t(given: dict[str, Any]) -> dict[str, Any]:
    d = given["d"]
    found = difference(d)
    return {
        "mean": found.mean,
        "sd": found.sd,
        "p_less": p_less(d),
        "ci95": ends(paired_t(d)),
        "ci90": ends(paired_t(d, confidence=0.9)),
    }


def _noninferiority(given: dict[str, Any]) -> dict[str, Any]:
    p = noninferiority(given["d"], margin=given["margin"])
    return {"p": p, "lower95_one_sided": difference(given["d"]).lower}


def _equivalence(given: dict[str, Any]) -> dict[str, Any]:
    d, margin = given["d"], given["margin"]
    return {"p": max(noninferiority(d, margin=margin), p_less(d, than=margin))}


def _clustered(given: dict[str, Any]) -> dict[str, Any]:
    found = difference(given["d"], clusters=given["groups"])
    return {"mean": found.mean, "ci95_tG1": ends(found.interval)}


@pytest.mark.parametrize(
    ("method", "ours"),
    [
        ("mcnemar_one_sided_regression", _mcnemar),
        ("mcnemar_one_sided_regression", lambda given: {"p_mid": mid_p(**given)}),
        ("posterior_prob_regression_dirichlet111", lambda given: probability_of_regression(**given)),
        ("sign_flip_exact_less", _sign_flip),
        ("sign_flip_exact_less", lambda given: {"p_mid": sign_flip(np.array(given["d"]))}),
        ("paired_t_one_sided_and_ci", _paired_t),
        ("noninferiority_t", _noninferiority),
        ("tost_equivalence_5pt", _equivalence),
        ("clustered_mean_se_ci", _clustered),
    ],
)
def test_the_reference_vectors(method: str, ours: Callable[[dict[str, Any]], Any]) -> None:
    hold(method, ours)


@pytest.mark.parametrize(("wins", "losses"), [(0, 1), (1, 0), (7, 7), (40, 61), (480, 520), (499_000, 501_000)])
def test_mcnemar_agrees_with_scipy(wins: int, losses: int) -> None:
    n, test = wins + losses, mcnemar(wins, losses)
    exact = scipy_stats.binom.sf(losses - 1, n, 0.5)
    assert test.p_exact == pytest.approx(exact, rel=1e-7)
    assert test.p_mid == pytest.approx(exact - scipy_stats.binom.pmf(losses, n, 0.5) / 2, rel=1e-7)
    assert test.p_exact_two_sided == pytest.approx(scipy_stats.binomtest(wins, n).pvalue, rel=1e-7)


def test_where_nothing_differs_nothing_is_known() -> None:
    test = mcnemar(0, 0)
    assert (test.p_exact, test.p_mid, test.p_exact_two_sided) == pytest.approx((1.0, 0.5, 1.0))
    assert sign_flip([]) == sign_flip([0.0] * 7) == pytest.approx(0.5)


def test_all_flips_are_what_scipy_permutes() -> None:
    draw = Random(5)
    values = [round(draw.gauss(-0.1, 0.3), 1) for _ in range(14)]
    expected = scipy_stats.permutation_test(
        (values,), np.sum, permutation_type="samples", alternative="less", n_resamples=math.inf
    )
    test = sign_flip_test(values)
    assert test.method == "all flips"
    assert test.p_exact == pytest.approx(expected.pvalue, abs=1e-12)


def test_more_than_can_be_counted_are_drawn_and_agree_with_the_whole_distribution() -> None:
    draw = Random(9)
    quarters = [draw.choice([-3, -2, -1, -1, 1, 1, 2]) for _ in range(60)]
    # The whole distribution, by counting in quarters.
    reach = sum(map(abs, quarters))
    chances = np.zeros(2 * reach + 1)
    chances[reach] = 1.0
    for size in map(abs, quarters):
        chances = (np.roll(chances, size) + np.roll(chances, -size)) / 2
    seen = reach + sum(quarters)
    exact = chances[:seen].sum() + chances[seen] / 2
    values = [quarter / 4 for quarter in quarters]
    test = sign_flip_test(values)
    assert test.method == "drawn flips"
    assert test.p_mid == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 20_000))
    assert test.p_exact - test.p_mid == pytest.approx(chances[seen] / 2, abs=0.005)
    assert sign_flip_test(values) == test
    assert sign_flip_test(values, seed=1) != test


def test_drawn_flips_never_say_impossible() -> None:
    values = [-0.5 - place / 1000 for place in range(EXACT + 1)]
    assert sign_flip_test(values).p_exact == pytest.approx(1 / 20_001)
    assert sign_flip(values) == pytest.approx(0.5 / 20_001)
    assert sign_flip(values, flips=99) == pytest.approx(0.005)


def test_the_methods_meet_where_one_takes_over_from_the_other() -> None:
    draw = np.random.default_rng(4)
    values = draw.normal(-0.004, 0.2, FLIPPED + 1)
    many = sign_flip_test(values)
    assert many.method == "t"
    assert many.p_mid == pytest.approx(p_less(values), rel=1e-12)
    assert sign_flip(values[:FLIPPED]) == pytest.approx(p_less(values[:FLIPPED]), abs=0.015)
    counted, drawn = sign_flip(values[:EXACT] - 0.05), sign_flip([*(values[:EXACT] - 0.05), 1e-9])
    assert counted == pytest.approx(drawn, abs=0.015)


def test_differences_of_one_size_are_wins_and_losses_however_many() -> None:
    test = sign_flip_test(np.array([0.25] * 2100 + [-0.25] * 2230 + [0.0] * 500))
    assert (test.method, test.p_mid) == ("binomial", mid_p(2100, 2230))
    # 0.3 - 0.1 and 0.1 - 0.3 differ in the last digit from 0.2.
    assert sign_flip_test([0.3 - 0.1, -0.2, 0.1 - 0.3]).method == "binomial"


def test_clusters_are_flipped_whole() -> None:
    values = [-0.5, -0.5, 0.25, -0.25, 0.1, 0.0]
    clusters = ["a", "a", "b", "b", "c", "d"]
    assert sign_flip(values, clusters=clusters) == sign_flip([-1.0, 0.1])
    assert sign_flip(values, clusters=np.array([7, 7, 3, 3, 9, 1])) == sign_flip([-1.0, 0.1])
    assert sign_flip([-0.1] * 50, clusters=[0] * 50) == pytest.approx(0.25)
    # What cancels within a cluster says nothing, whatever the arithmetic leaves of it.
    assert sign_flip([0.1, 0.2, -0.3], clusters="aaa") == pytest.approx(0.5)


def test_many_clusters_go_by_the_t_of_their_sums() -> None:
    draw = np.random.default_rng(8)
    values, clusters = draw.normal(-0.005, 0.2, 9000), np.repeat(np.arange(3000), 3)
    test = sign_flip_test(values, clusters=clusters)
    assert test.method == "t"
    assert test.p_mid == pytest.approx(p_less(values.reshape(-1, 3).sum(axis=1)), rel=1e-9)
    assert sign_flip(values, clusters=[str(code) for code in clusters]) == pytest.approx(test.p_mid, rel=1e-12)


@pytest.mark.parametrize(
    ("wins", "losses", "n", "expected"),
    [
        # Fagerland, Lydersen and Laake (2014), table of intervals for Bentur's data; Agresti and Min (2005).
        (1, 7, 21, [-0.517, -0.026]),
        (16, 8, 86, [-0.020, 0.207]),
    ],
)
def test_tango_agrees_with_the_literature(wins: int, losses: int, n: int, expected: list[float]) -> None:
    assert ends(tango(wins, losses, n)) == pytest.approx(expected, abs=5e-4)


def _score(wins: int, losses: int, n: int, delta: float) -> float:
    """The score statistic of a difference, from the likelihood of the three counts alone."""

    def unlikely(lost: float) -> float:
        chances = (lost + delta, lost, 1 - 2 * lost - delta)
        counts = (wins, losses, n - wins - losses)
        return -sum(
            count * math.log(max(chance, 1e-300)) for count, chance in zip(counts, chances, strict=True) if count
        )

    span = (max(0.0, -delta), (1 - delta) / 2)
    lost = float(minimize_scalar(unlikely, bounds=span, method="bounded", options={"xatol": 1e-12}).x)
    return ((wins - losses) / n - delta) / math.sqrt((2 * lost + delta - delta * delta) / n)


@pytest.mark.parametrize("confidence", [0.9, 0.95])
@pytest.mark.parametrize("n", [2, 7, 40])
def test_tango_is_the_score_test_turned_round(n: int, confidence: float) -> None:
    z = scipy_stats.norm.isf((1 - confidence) / 2)
    for wins, losses in itertools.product(sorted({0, 1, n // 3, n // 2, n - 1, n}), repeat=2):
        if wins + losses > n:
            continue
        interval = tango(wins, losses, n, confidence=confidence)
        if interval.high < 1:
            assert _score(wins, losses, n, interval.high) == pytest.approx(-z, abs=2e-4), (wins, losses)
        else:
            assert wins == n
        if interval.low > -1:
            assert _score(wins, losses, n, interval.low) == pytest.approx(z, abs=2e-4), (wins, losses)
        else:
            assert losses == n


def test_tango_at_the_edges() -> None:
    z = scipy_stats.norm.isf(0.025)
    assert ends(tango(0, 0, 40)) == pytest.approx([-z * z / (40 + z * z), z * z / (40 + z * z)])
    assert ends(tango(40, 0, 40)) == pytest.approx([(40 - z * z) / (40 + z * z), 1.0])
    assert ends(tango(0, 40, 40)) == pytest.approx([-1.0, (z * z - 40) / (40 + z * z)])
    assert ends(tango(0, 0, 1e9)) == pytest.approx([0.0, 0.0], abs=1e-8)


@pytest.mark.parametrize("n", [10, 40])
def test_tango_covers_the_truth_about_as_often_as_it_says(n: int) -> None:
    pairs = [(wins, losses) for wins in range(n + 1) for losses in range(n + 1 - wins)]
    intervals = [tango(wins, losses, n) for wins, losses in pairs]
    counts = np.array([(wins, losses, n - wins - losses) for wins, losses in pairs])
    covered = []
    for won, lost in itertools.product([0.01, 0.02, 0.05, 0.1, 0.2, 0.4], repeat=2):
        chances = scipy_stats.multinomial.pmf(counts, n, [won, lost, 1 - won - lost])
        hits = [interval.low <= won - lost <= interval.high for interval in intervals]
        covered.append(float(chances[hits].sum()))
    assert min(covered) > 0.925
    assert sum(covered) / len(covered) == pytest.approx(0.97, abs=0.02)


def test_t_agrees_with_the_one_of_plain_python_and_scipy() -> None:
    values = np.random.default_rng(3).normal(0.1, 0.2, 100)
    assert ends(paired_t(values)) == pytest.approx(ends(t_mean(values.tolist())), rel=1e-12)
    assert p_less(values, than=0.12) == pytest.approx(
        scipy_stats.ttest_1samp(values, 0.12, alternative="less").pvalue, rel=1e-9
    )
    assert noninferiority(values, margin=0.05) == pytest.approx(
        scipy_stats.ttest_1samp(values, -0.05, alternative="greater").pvalue, rel=1e-9
    )


def test_graded_differences_get_t() -> None:
    values = [0.25, -0.5, 0.0, 0.1, 0.3]
    found = difference(values)
    assert found.sd is not None
    assert (found.mean, found.sd) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert (found.n, found.clusters, found.method) == (5, 5, "t")
    assert ends(found.interval) == pytest.approx(ends(t_mean(values)))
    assert found.lower == pytest.approx(t_mean(values, confidence=0.9).low)
    clipped = difference([-1.0, 0.9])
    assert [*ends(clipped.interval), clipped.lower] == [-1.0, 1.0, -1.0]


def test_binary_differences_get_tangos_interval() -> None:
    values = np.array([1.0] * 2 + [-1.0] * 5 + [0.0] * 33)
    found = difference(values, binary=True)
    assert (found.mean, found.n, found.method) == (-0.075, 40, "tango")
    assert found.interval == tango(2, 5, 40)
    assert found.lower == tango(2, 5, 40, confidence=0.9).low


def test_of_binary_differences_a_win_raises_the_bound_and_a_loss_lowers_it() -> None:
    bounds = [difference([moved] + [0.0] * 39, binary=True).lower for moved in (-1.0, 0.0, 1.0)]
    assert bounds == pytest.approx([-0.105, -0.0634, -0.0399], abs=1e-3)
    by_t = [t_mean([moved] + [0.0] * 39, confidence=0.9).low for moved in (-1.0, 0.0, 1.0)]
    assert by_t == pytest.approx([-0.067, 0.0, -0.017], abs=1e-3)  # ties would be certain, and beat a win


@pytest.mark.parametrize("value", [-1.0, -0.25, 0.0, 0.5, 1.0])
def test_equal_differences_do_not_claim_certainty(value: float) -> None:
    widths = []
    for n in (2, 40, 1000, 100_000):
        found = difference([value] * n)
        assert found.method == "all equal"
        assert found.lower is not None
        low, high = ends(found.interval)
        assert -1.0 <= low <= found.lower <= value <= high <= 1.0
        assert high > low
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 1e-3
    # 0.1 + 0.2 is not 0.3 in floats, but the data are equal.
    assert difference([0.3, 0.1 + 0.2, 0.3]).method == "all equal"


def test_ties_say_the_same_whether_graded_or_binary() -> None:
    for confident in (difference([0.0] * 40), difference([0.0] * 80, clusters=[place // 2 for place in range(80)])):
        assert ends(confident.interval) == pytest.approx(ends(tango(0, 0, 40)))
        assert confident.lower == pytest.approx(tango(0, 0, 40, confidence=0.9).low)


@pytest.mark.parametrize("binary", [False, True])
def test_repeated_clusters_widen_the_interval(binary: bool) -> None:
    values, clusters = [1.0, 1.0, 0.0, -1.0, -1.0, 0.0], ["a", "a", "b", "c", "c", "d"]
    found = difference(values, clusters=clusters, binary=binary)
    assert (found.n, found.clusters, found.method) == (6, 4, "cluster t")
    assert ends(found.interval) == pytest.approx(ends(cluster_t(values, clusters, bounds=(-1.0, 1.0))))
    assert found.lower == pytest.approx(cluster_t(values, clusters, confidence=0.9, bounds=(-1.0, 1.0)).low)
    assert difference(values, clusters=np.array([5, 5, 3, 2, 2, 9]), binary=binary) == found


def test_clusters_of_one_do_not_count() -> None:
    values = [0.5, -0.25, 0.0]
    assert difference(values, clusters="abc") == difference(values)
    assert difference([1.0, -1.0, 0.0], clusters="abc", binary=True) == difference([1.0, -1.0, 0.0], binary=True)


@pytest.mark.parametrize("binary", [False, True])
def test_clusters_that_do_not_differ_do_not_claim_certainty(binary: bool) -> None:
    # Whatever happens within the clusters, their means are equal, though their sizes are not.
    values, clusters = [1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 0.0], "aaaabbc"
    found = difference(values, clusters=clusters, binary=binary)
    assert (found.clusters, found.method) == (3, "all equal")
    assert ends(found.interval) == pytest.approx(ends(tango(0, 0, 3)))


def test_too_few_have_no_interval() -> None:
    assert difference([0.5]) == Difference(0.5, None, 1, 1, None, None, "")
    assert difference([1.0], binary=True) == Difference(1.0, None, 1, 1, None, None, "")
    assert difference([0.5, 0.5], clusters="aa") == Difference(0.5, 0.0, 2, 1, None, None, "")


@pytest.mark.parametrize("step", [1.0, 1 / 3, 0.2])
def test_means_of_trials_have_an_interval_that_solves_its_equation(step: float) -> None:
    values = np.array([0.0] * 50 + [-step, -step, step, -step, 0.0])
    found = difference(values, step=step)
    interval, mean, variance = found.interval, values.mean(), values.var(ddof=1)
    assert interval is not None and interval.method == "score"
    z = scipy_stats.norm.ppf(0.975)
    for end, atom in ((interval.low, -step), (interval.high, step)):
        share = (mean - end) / (mean - atom)
        mixed = (1 - share) * (variance + mean**2) + share * atom**2 - end**2
        assert (mean - end) ** 2 == pytest.approx(z**2 * mixed / len(values))


def test_a_few_small_moves_do_not_make_a_bound_much_closer_than_none_do() -> None:
    ties = [0.0] * 39
    none, one = difference([*ties, 0.0], binary=True), difference([*ties, 0.2], step=1.0)
    assert none.lower is not None and one.lower is not None
    assert none.lower < one.lower < none.lower + 0.01
    plain = difference([*ties, 0.2])
    assert plain.lower is not None and plain.lower > -0.01, "as t would have it"


@pytest.mark.parametrize("shift", [0.0, -0.3, 0.3])
def test_where_much_varies_or_fell_means_of_trials_have_students_bounds(shift: float) -> None:
    values = [shift + (-1.0) ** number * number / 80 for number in range(40)]
    score, plain = difference(values, step=0.05), difference(values)
    assert score.lower == pytest.approx(plain.lower)
    assert score.interval is not None and plain.interval is not None
    assert (score.interval.low, score.interval.high) == pytest.approx((plain.interval.low, plain.interval.high))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mid_p(-1, 2), "wins and losses are counts, got -1 and 2"),
        (lambda: mcnemar(1, -2), "wins and losses are counts, got 1 and -2"),
        (lambda: sign_flip([0.1, math.nan]), "not a finite number"),
        (lambda: sign_flip([0.1, 0.2], clusters=["a"]), "needs one cluster to each difference, got 1 for 2"),
        (lambda: tango(1, 2, 2), "needs wins \\+ losses <= n and n > 0, got wins = 1, losses = 2 and n = 2"),
        (lambda: tango(0, 0, 0), "and n = 0"),
        (lambda: tango(-1, 0, 5), "got wins = -1"),
        (lambda: tango(1, 0, 5, confidence=95), "confidence must be between 0 and 1, got 95"),
        (lambda: paired_t([0.1]), "an interval needs at least 2 differences, got 1"),
        (lambda: p_less([0.1, 0.1]), "a t test needs differences that differ"),
        (lambda: difference([]), r"needs at least one difference, and each in -1\.\.1"),
        (lambda: difference([0.5, 1.5]), r"each in -1\.\.1"),
        (lambda: difference([0.5, math.inf]), "not a finite number"),
        (lambda: difference([0.5, 1.0], binary=True), "differences of binary scores are -1, 0 or 1"),
        (lambda: difference([0.5, 1.0], clusters="abc"), "needs one cluster to each difference, got 3 for 2"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
