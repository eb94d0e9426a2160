"""Differences of variants that may be looked at as often as one likes: how often one is told that is none."""

from random import Random

import pytest

from gatewatch.online.ab import SRM, effects, split_p


def test_the_split_is_held_against_what_was_declared() -> None:
    assert split_p({"a": 5000, "b": 5000}, {"a": 1, "b": 1}) == 1.0
    assert split_p({"a": 5200, "b": 4800}, {"a": 50, "b": 50}) == pytest.approx(6.334e-5, rel=1e-3)
    assert split_p({"a": 900, "b": 100}, {"a": 0.9, "b": 0.1}) == pytest.approx(1.0)
    assert split_p({"a": 100}, {"a": 1, "b": 1}) < SRM < split_p({"a": 52, "b": 48}, {"a": 1, "b": 1})
    for split in ({"a": 1.0}, {"a": 1.0, "b": 0.0}):
        with pytest.raises(ValueError, match="two or more shares, all above 0"):
            split_p({"a": 1}, split)


def looks(random: Random, *, arms: int = 2, n: int = 4000, skewed: bool = False, weighted: bool = False) -> int:
    """How many of an experiment's differences were told at any of 40 looks; there is none."""
    told: set[str] = set()
    values: dict[str, list[tuple[float, float]]] = {f"{k}": [] for k in range(arms)}
    for _look in range(40):
        for _ in range(n // 40):
            value = min(1.0, random.expovariate(5)) if skewed else float(random.random() < 0.85)
            pi = 0.1 if weighted and random.random() < 0.5 else 1.0
            values[f"{random.randrange(arms)}"].append((value, pi))
        told |= {each.arm for each in effects(values, "0") if each.told}
    return len(told)


def test_forty_looks_find_a_difference_that_is_none_in_at_most_one_of_twenty_experiments() -> None:
    found = sum(looks(Random(seed), n=2000) > 0 for seed in range(400))
    assert found <= 20, found


@pytest.mark.slow
@pytest.mark.parametrize(("arms", "skewed", "weighted"), [(3, False, False), (2, True, False), (2, False, True)])
def test_so_it_is_with_several_arms_skewed_and_weighted_values(arms: int, skewed: bool, weighted: bool) -> None:
    found = sum(looks(Random(seed), arms=arms, n=2000, skewed=skewed, weighted=weighted) > 0 for seed in range(400))
    assert found <= 20, found


def test_what_cannot_be_told_yet_says_how_many_conversations_it_takes() -> None:
    random = Random(4)
    arms = {
        arm: [(float(random.random() < share), 1.0) for _ in range(400)] for arm, share in (("a", 0.8), ("b", 0.84))
    }
    (told,) = effects(arms, "a")
    assert not told.told and told.needs is not None and told.needs > 800


def test_a_flaw_of_either_is_a_reason_to_say_nothing() -> None:
    random = Random(5)
    arms = {arm: [(random.random(), 1.0) for _ in range(100)] for arm in "ab"}
    for flawed in "ab":
        (told,) = effects(arms, "a", {flawed: "incomplete"})
        assert (told.interval, told.needs, told.why) == (None, None, "incomplete")
