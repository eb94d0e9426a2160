"""Days that differ beyond chance, and days that do not."""

import random

import pytest

from gatewatch.stats.between import spread_between


def days(effect: float, n: int, seed: int, sd: float = 0.3, number: int = 7) -> list[tuple[int, float]]:
    chance = random.Random(seed)
    return [(n, chance.gauss(0.0, effect) + chance.gauss(0.0, sd / n**0.5)) for _ in range(number)]


def test_days_that_chance_alone_makes_differ() -> None:
    found = [spread_between(days(0.0, 200, seed), 0.3) for seed in range(1000)]
    assert sum(each > 0.0 for each in found) <= 25


def test_days_that_differ() -> None:
    found = sorted(spread_between(days(0.05, 1000, seed, number=60), 0.3) for seed in range(200))
    assert found[100] == pytest.approx(0.05, abs=0.005)
    assert all(spread_between(days(0.05, 1000, seed), 0.3) > 0.0 for seed in range(50))


def test_too_little_to_tell() -> None:
    assert spread_between([(100, 0.1), (100, 0.9)], 0.3) == 0.0
    assert spread_between([(4, 0.1), (4, 0.9), (4, 0.5)], 0.3) == 0.0
    assert spread_between([(100, 1.0)] * 7, 0.0) == 0.0
