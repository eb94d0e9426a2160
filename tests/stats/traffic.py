"""Simulated live traffic: three intents of unlike quality, whose volume and mix follow the hour and the weekend."""

import random
from collections.abc import Iterator
from math import exp, pi, sin

MEANS = {"billing": 0.90, "returns": 0.80, "legal": 0.65}
LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
SD = 0.27


def weights(mean: float) -> list[float]:
    """How often a rubric's five levels are given, about as a Beta of that mean and a standard deviation of 0.27."""
    size = mean * (1 - mean) / SD**2 - 1
    a, b = mean * size, (1 - mean) * size
    fine = [(step + 0.5) / 400 for step in range(400)]
    density = [x ** (a - 1) * (1 - x) ** (b - 1) for x in fine]
    found = [0.0] * 5
    for x, each in zip(fine, density, strict=True):
        found[round(4 * x)] += each
    return found


def tilted(mean: float) -> list[float]:
    """Those levels, tilted until they have exactly that mean."""
    plain, low, high = weights(mean), -4.0, 4.0
    for _ in range(60):
        tilt = (low + high) / 2
        found = [each * exp(tilt * x) for each, x in zip(plain, LEVELS, strict=True)]
        if sum(each * x for each, x in zip(found, LEVELS, strict=True)) < mean * sum(found):
            low = tilt
        else:
            high = tilt
    return found


def traffic(
    rng: random.Random, days: float, *, per_day: int = 1000, start: float = 0.0, drop: float = 0.0, legal: float = 0.15
) -> Iterator[tuple[str, float]]:
    """(intent, score) from `start` on, in hours since a Monday's midnight; every mean is lower by `drop`.

    Args:
        rng: whom to ask.
        days: how many.
        per_day: conversations.
        start: in hours.
        drop: of the mean of each intent.
        legal: the share of legal questions on a working day's noon.
    """
    levels = {name: tilted(mean - drop) for name, mean in MEANS.items()}
    for hour in range(int(start), int(start + days * 24)):
        wave = sin(2 * pi * (hour % 24 - 8) / 24)
        weekend = hour // 24 % 7 >= 5
        volume = per_day / 24 * (1 + 0.8 * wave) * (0.6 if weekend else 1.16)
        mix = [0.5 + 0.15 * wave, 0.35 - 0.15 * wave + (0.2 if weekend else 0.0), legal * (0.5 if weekend else 1.0)]
        for name in rng.choices(list(MEANS), mix, k=round(volume + rng.gauss(0, volume**0.5))):
            yield name, rng.choices(LEVELS, levels[name])[0]
