"""The mix of traffic: the reference vectors, how often it is wrong, what moved, and what was never seen before."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.stats.mix import OTHER, chi_square, compare_mix, psi, psi_limit
from stats.vectors import hold

counts = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 300), max_size=8)


def drawn(rng: random.Random, shares: dict[str, float], n: int) -> dict[str, int]:
    """How often each of n things fell into a category."""
    found = dict.fromkeys(shares, 0)
    for name in rng.choices(list(shares), list(shares.values()), k=n):
        found[name] += 1
    return found


def test_both_are_the_reference_within_rounding() -> None:
    def of_table(inputs: dict[str, Any]) -> dict[str, float]:
        (before, after) = inputs["table"]
        return {"p": chi_square(before, after)}

    hold("chi2_mix", of_table)
    hold("psi", lambda inputs: psi(inputs["p"], inputs["q"]))


def test_the_index_is_of_counts_as_of_shares() -> None:
    assert psi([10, 20, 30, 40], [40, 40, 60, 60]) == pytest.approx(psi([0.1, 0.2, 0.3, 0.4], [0.2, 0.2, 0.3, 0.3]))
    assert 0 < psi([0, 50, 50], [10, 45, 45]) < 1, "a category that there was none of does not make it infinite"
    with pytest.raises(ValueError, match="both sides"):
        psi([1, 2], [0, 0])


@pytest.mark.parametrize(("n", "limit"), [(100, 0.338), (200, 0.169), (500, 0.068), (1000, 0.034)])
def test_the_limit_of_the_index_knows_how_much_was_counted(n: int, limit: float) -> None:
    assert psi_limit(10, n, n) == pytest.approx(limit, abs=0.0005)


@given(counts, counts)
def test_it_is_the_same_to_both_sides_and_names_every_new_category(one: dict[str, int], other: dict[str, int]) -> None:
    found, back = compare_mix(one, other), compare_mix(other, one)
    assert 0 <= found.p <= 1 and found.p == pytest.approx(back.p)
    assert found.psi >= 0 and found.psi == pytest.approx(back.psi)
    assert set(found.unknown) == {name for name, n in other.items() if n and not one.get(name)}
    for each in found.moved:
        change = each.after - each.before
        assert each.interval.low - 1e-12 <= change <= each.interval.high + 1e-12
    if one == other:
        assert found.p > 0.999


def test_rare_categories_are_put_together_until_there_is_enough() -> None:
    before = {"a": 500, "b": 480, "c": 3, "d": 2, "e": 4, "f": 6}
    found = compare_mix(before, {"a": 505, "b": 478, "c": 2, "d": 3, "e": 5, "new": 4})
    assert {each.name for each in found.moved} == {"a", "b", OTHER}
    assert found.unknown == ("new",) and found.p > 0.5


def test_too_little_says_nothing() -> None:
    for before, after in (({}, {}), ({"a": 5}, {}), ({"a": 900}, {"a": 700}), ({"a": 2, "b": 1}, {"a": 1, "b": 2})):
        found = compare_mix(before, after)
        assert (found.p, found.moved) == (1.0, ())
    with pytest.raises(ValueError, match="0 or more"):
        compare_mix({"a": -1}, {"a": 1})


def test_a_changed_mix_is_found_and_what_moved_most_is_first() -> None:
    rng = random.Random(3)
    before = drawn(rng, {"billing": 0.5, "returns": 0.3, "praise": 0.2}, 2000)
    after = drawn(rng, {"billing": 0.3, "returns": 0.3, "praise": 0.2, "outage": 0.2}, 500)
    found = compare_mix(before, after)
    assert found.p < 1e-9 and found.psi > found.psi_limit and found.unknown == ("outage",)
    assert {each.name for each in found.moved[:2]} == {"billing", "outage"}
    assert found.moved[0].p < 1e-6 and found.moved[-1].p > 0.05


def test_an_unchanged_mix_is_called_changed_as_often_as_it_says() -> None:
    rng = random.Random(4)
    shares = dict(zip("abcdefghij", [30.0, 20, 15, 10, 8, 7, 5, 3, 1, 1], strict=True))
    found = [compare_mix(drawn(rng, shares, 400), drawn(rng, shares, 150)) for _ in range(600)]
    assert sum(each.p < 0.05 for each in found) <= 0.075 * 600
    assert sum(each.psi > each.psi_limit for each in found) <= 0.085 * 600
    assert sum(any(one.p < 0.05 for one in each.moved) for each in found) <= 0.075 * 600
