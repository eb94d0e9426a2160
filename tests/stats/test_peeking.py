"""Looking at an experiment again and again: seldom a difference where there is none, and found where there is one."""

import random
from collections.abc import Callable
from math import exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.stats.peeking import always_valid, units_to_tell

Unit = tuple[float, float]
units = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.05, 1.0])), min_size=2, max_size=90)


def even(rng: random.Random) -> Unit:
    return rng.random(), 1.0


def rare(rng: random.Random) -> Unit:
    return float(rng.random() < 0.03), 1.0


def costs(rng: random.Random) -> Unit:
    return exp(rng.gauss(0, 1.2)), 1.0


def sampled(rng: random.Random) -> Unit:
    """All of what went wrong, and a twentieth of the rest: as live sampling takes them."""
    while True:
        wrong = rng.random() < 0.08
        pi = 1.0 if wrong else 0.05
        if rng.random() < pi:
            return float(rng.random() < (0.3 if wrong else 0.9)), pi


def test_it_is_the_theorem() -> None:
    rng = random.Random(1)
    a, b = ([even(rng) for _ in range(n)] for n in (400, 600))
    found = always_valid(a, b)
    rho2 = (-2 * log(0.05) + log(-2 * log(0.05) + 1)) / 1000
    half = sqrt(2 * (1000 * rho2 + 1) / (1000 * rho2) * log(sqrt(1000 * rho2 + 1) / 0.05))
    assert found.se is not None and found.interval is not None and found.difference is not None
    assert found.se == pytest.approx(sqrt(1 / 12 / 400 + 1 / 12 / 600), rel=0.05)
    assert found.interval.high - found.difference == pytest.approx(found.se * half)
    assert 1.5 < half / 1.96 < 1.6, "what it costs to look at all times"


@given(units, units)
def test_the_interval_is_about_the_difference_and_the_same_the_other_way(a: list[Unit], b: list[Unit]) -> None:
    found, back = always_valid(a, b), always_valid(b, a)
    assert found.difference is not None and back.difference is not None
    assert found.difference == pytest.approx(-back.difference)
    assert (found.interval is None) == (back.interval is None) == bool(found.why)
    if found.interval is not None:
        assert found.interval.low <= found.difference <= found.interval.high


@pytest.mark.slow
@pytest.mark.parametrize("draw", [even, rare, costs, sampled])
def test_forty_looks_find_a_difference_where_there_is_none_in_five_of_100_at_most(
    draw: Callable[[random.Random], Unit],
) -> None:
    wrong = 0
    for seed in range(400):
        rng = random.Random(seed)
        a, b = [], []
        for _ in range(40):
            a += [draw(rng) for _ in range(15)]
            b += [draw(rng) for _ in range(15)]
            interval = always_valid(a, b).interval
            if interval is not None and not interval.low <= 0.0 <= interval.high:
                wrong += 1
                break
    assert wrong <= 0.05 * 400


def test_a_difference_is_found_about_when_it_was_said_to_be() -> None:
    rng = random.Random(6)
    a = [(float(rng.random() < 0.8), 1.0) for _ in range(6000)]
    b = [(float(rng.random() < 0.9), 1.0) for _ in range(6000)]
    early = always_valid(a[:60], b[:60])
    needed = units_to_tell(early, 0.1)
    assert needed is not None and 300 < needed < 2000
    late = always_valid(a[:needed], b[:needed])
    assert late.interval is not None and late.interval.low > 0
    assert units_to_tell(early, 0.05) is not None
    assert (units_to_tell(early, 0.05) or 0) > 3 * needed
    assert units_to_tell(early, 0.0) is None and units_to_tell(always_valid(a[:1], b[:60]), 0.1) is None


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        ([], [(0.5, 1.0)] * 60, "one of the two has no unit"),
        ([(1.0, 1.0)], [(0.5, 1.0), (0.0, 1.0)] * 60, "50 units in each, has 1"),
        ([(1.0, 1.0), (0.0, 1.0)] * 10, [(1.0, 1.0), (0.0, 1.0)] * 60, "50 units in each, has 20"),
        ([(1.0, 1.0), (0.0, 1.0)] * 60, [(1.0, 0.01)] * 3 + [(0.0, 1.0)] * 200, "50 units in each, has 8"),
        ([(1.0, 1.0), (0.0, 1.0)] * 60, [(0.5, 1.0)] * 60, "all values of one of the two are equal"),
        ([(1.0, 1.0), (0.0, 1.0)] * 60, [(0.9, 1.0)] * 3 + [(0.0, 1.0)] * 60, "a few units make up most"),
    ],
)
def test_what_cannot_be_trusted_yet_has_no_interval_and_says_why(a: list[Unit], b: list[Unit], why: str) -> None:
    for found in (always_valid(a, b), always_valid(b, a)):
        assert found.interval is None and why in found.why


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="not estimated"):
        always_valid([(1.0, 0.0)], [(1.0, 1.0)])
    with pytest.raises(ValueError, match="got 1 and 1000"):
        always_valid([(1.0, 1.0)], [(1.0, 1.0)], confidence=1)


def test_a_rate_of_which_one_has_none_at_all_is_told_apart() -> None:
    none, some = [(0.0, 1.0)] * 1500, [(1.0, 1.0)] * 285 + [(0.0, 1.0)] * 1215
    found = always_valid(none, some)
    assert found.interval is not None and found.interval.low > 0.1
    same = always_valid(none, [(1.0, 1.0)] * 2 + [(0.0, 1.0)] * 1498)
    assert same.interval is not None and same.interval.low < 0.0 < same.interval.high
