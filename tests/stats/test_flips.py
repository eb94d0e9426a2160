import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.optimize import minimize

from gatewatch.stats.flips import BetaPrior, all_fail, fewest, fit_beta, tail
from stats.vectors import hold

Histories = list[tuple[int, int]]


def drawn(prior: BetaPrior, cases: int, trials: int, *, seed: int = 1) -> Histories:
    draw = np.random.default_rng(seed)
    return [(int(passes), trials) for passes in draw.binomial(trials, draw.beta(prior.a, prior.b, cases))]


def log_likelihood(prior: BetaPrior, histories: Histories) -> float:
    passes, trials = np.array(histories).T
    return float(scipy_stats.betabinom.logpmf(passes, trials, prior.a, prior.b).sum())


def likeliest(histories: Histories) -> float:
    def lost(logs: list[float]) -> float:
        return -log_likelihood(BetaPrior(math.exp(logs[0]), math.exp(logs[1])), histories)

    return -float(minimize(lost, [0.0, -1.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-6}).fun)


def test_the_reference_vectors() -> None:
    hold(
        "predictive_prob_all_fail",
        lambda given: all_fail(
            BetaPrior(given["prior_a"], given["prior_b"]), given["hist_pass"], given["hist_n"], reruns=given["trials"]
        ),
    )


@pytest.mark.parametrize("strength", [0.3, 1.0, 5.0, 50.0])
@pytest.mark.parametrize("failing", [0.15, 0.5, 0.8])
def test_the_fit_is_as_likely_as_any(strength: float, failing: float) -> None:
    histories = drawn(BetaPrior(strength * (1 - failing), strength * failing), 2000, 10)
    prior = fit_beta(histories)
    assert log_likelihood(prior, histories) == pytest.approx(likeliest(histories), abs=0.3)
    assert prior.a + prior.b == pytest.approx(strength, rel=0.4)
    assert prior.b / (prior.a + prior.b) == pytest.approx(failing, abs=0.06)


def test_histories_may_differ_in_length() -> None:
    draw = Random(3)
    histories = [
        (sum(draw.random() < p for _ in range(trials)), trials)
        for p, trials in ((draw.betavariate(1.7, 0.3), draw.randint(1, 12)) for _ in range(600))
    ]
    prior = fit_beta(histories)
    assert log_likelihood(prior, histories) == pytest.approx(likeliest(histories), abs=0.3)
    assert fit_beta([*histories, (0, 0), (0, 0)]) == prior
    assert fit_beta(iter(histories)) == prior


@pytest.mark.parametrize(
    "histories",
    [
        [(5, 5)] * 40,
        [(0, 5)] * 40,
        [(1, 1)] * 40,
        [(1, 1)] * 30 + [(0, 1)] * 3,
        [(3, 10)],
        [(1, 1)],
        [(0, 1)],
        [(5, 10)] * 500,
        [(10, 10)] * 50 + [(0, 10)] * 50,
        [(10, 10)] * 10_000,
    ],
)
def test_whatever_the_history_the_prior_is_usable_and_expects_some_failures(histories: Histories) -> None:
    prior = fit_beta(histories)
    trials = sum(n for _, n in histories)
    failures = trials - sum(passes for passes, _ in histories)
    assert prior.a > 0 and prior.b > 0
    assert 0.05 - 1e-9 <= prior.a + prior.b <= 1000 + 1e-6
    assert prior.b / (prior.a + prior.b) >= (failures + 0.5) / (trials + 1) - 1e-12
    assert 0.0 < all_fail(prior, 5, 5) < 1.0


def test_where_the_strength_cannot_be_seen_it_is_1() -> None:
    one_trial_each = fit_beta([(1, 1)] * 30 + [(0, 1)] * 3)
    assert one_trial_each.a + one_trial_each.b == pytest.approx(1.0, abs=1e-3)
    nothing = fit_beta([])
    assert (nothing.a, nothing.b) == pytest.approx((0.5, 0.5), abs=1e-3)
    assert fit_beta([(0, 0)]) == nothing


def test_all_fail_agrees_with_scipy_and_falls_with_a_better_history() -> None:
    prior = BetaPrior(1.3, 0.4)
    for passes, trials, reruns in ((0, 0, 1), (4, 5, 3), (10, 10, 3), (0, 10, 2)):
        expected = scipy_stats.betabinom.pmf(0, reruns, prior.a + passes, prior.b + trials - passes)
        assert all_fail(prior, passes, trials, reruns) == pytest.approx(expected, rel=1e-9)
    chances = [all_fail(prior, passes, 10) for passes in range(11)]
    assert chances == sorted(chances, reverse=True)


@pytest.mark.parametrize("m", [1, 2, 3, 10, 37, 1000])
@pytest.mark.parametrize("p", [1e-5, 0.003, 0.4])
def test_the_tail_of_equal_probabilities_is_the_binomial(m: int, p: float) -> None:
    for k in sorted({0, 1, 2, m // 2, m - 1, m, m + 1} & set(range(60))):
        expected = scipy_stats.binom.sf(k - 1, m, p)
        assert tail([p] * m, k) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_the_tail_of_unequal_probabilities_is_that_of_a_plain_recursion() -> None:
    draw = Random(8)
    p = [draw.random() ** 4 for _ in range(75)]
    exact = [1.0] + [0.0] * len(p)
    for chance in p:
        exact = [exact[k] * (1 - chance) + (exact[k - 1] * chance if k else 0.0) for k in range(len(exact))]
    for k in range(len(p) + 1):
        assert tail(p, k) == pytest.approx(math.fsum(exact[k:]), rel=1e-9)


def test_the_tail_of_very_many_is_precise_where_it_is_small() -> None:
    p = np.linspace(0.0, 2e-5, 100_000)
    # So many so rare events are Poisson's, to a relative error that the sum of their squares bounds.
    assert tail(p.tolist(), 12) == pytest.approx(scipy_stats.poisson.sf(11, 1.0), rel=5e-3)
    assert tail(p.tolist(), 12) < 1e-9


def test_the_fewest_is_the_first_count_that_surprises() -> None:
    p = [0.02] * 40
    k = fewest(p, 0.025)
    assert k is not None
    assert tail(p, k) <= 0.025 < tail(p, k - 1)
    many = fewest([0.3] * 200, 1e-6)
    assert many is not None and many > 64
    assert tail([0.3] * 200, many) <= 1e-6 < tail([0.3] * 200, many - 1)


def test_where_all_of_them_would_not_surprise_there_is_no_fewest() -> None:
    assert fewest([], 0.05) is None
    assert fewest([0.5] * 3, 0.1) is None
    assert fewest([0.5] * 4, 0.1) == 4
    assert fewest([1.0] * 20, 0.05) is None
    assert fewest([0.0], 0.05) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_beta([(3, 2)]), "needs 0 <= passes <= trials, got 3 and 2"),
        (lambda: fit_beta([(-1, 2)]), "needs 0 <= passes <= trials, got -1 and 2"),
        (lambda: all_fail(BetaPrior(1, 1), 3, 2), "needs 0 <= passes <= trials and reruns >= 1, got 3, 2 and 3"),
        (lambda: all_fail(BetaPrior(1, 1), 1, 2, 0), "got 1, 2 and 0"),
        (lambda: tail([0.5, 1.5], 1), r"a probability is in 0\.\.1"),
        (lambda: tail([math.nan], 1), r"a probability is in 0\.\.1"),
        (lambda: fewest([0.5], 0.0), "alpha must be between 0 and 1, got 0"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
