"""A month of a flow, from the first conversation on: learnt in a week, watched for three more. No detector is handed a
reference here; the day has a rhythm, in volume and in what is asked, and in the middle the mix changes for good."""

import math
import random
from collections.abc import Iterator

import pytest

from gatewatch.store.watching import Entry
from online.watching import DAY_S, folded, plan

INTENTS = {"track": 0.90, "refund": 0.80, "complain": 0.65}
PER_DAY, DAYS = 1000, 30


def month(seed: int, *, drop: float = 0.0, onset: float = 1e9) -> Iterator[Entry]:
    """Rubric scores of five levels by intent; from the onset (in days) on lower by a drop."""
    chance = random.Random(seed)
    for number in range(PER_DAY * DAYS):
        day = number / PER_DAY
        hour = day % 1.0
        complain = 0.2 + 0.1 * math.sin(2 * math.pi * hour) + (0.25 if day > 20 else 0.0)
        intent = chance.choices(list(INTENTS), (0.5, 0.3, complain))[0]
        mean = INTENTS[intent] - (drop if day >= onset else 0.0)
        score = sum(chance.random() < mean for _ in range(4)) / 4 if chance.random() < 0.6 else chance.random() < mean
        yield Entry(number + 1, number + 1, day * DAY_S, intent, "", "", True, (float(score),))


def alarms(entries: Iterator[Entry]) -> list[int]:
    found, _ = folded(entries, plan(learn_n=1000, learn_days=7))
    return [each.number for each in found if each.what == "fell"]


def test_twenty_quiet_months() -> None:
    assert sum(len(alarms(month(seed))) for seed in range(20)) <= 1


@pytest.mark.parametrize(("drop", "within"), [(0.05, 700), (0.10, 200)])
def test_a_drop_is_found(drop: float, within: int) -> None:
    delays = []
    for seed in range(11):
        onset = 10 + random.Random(seed).random()
        first = next(number for number in alarms(month(seed, drop=drop, onset=onset)) if number > onset * PER_DAY)
        delays.append(first - onset * PER_DAY)
    assert sorted(delays)[5] <= within
