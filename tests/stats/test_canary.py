"""A judge that changed is told from one that judges again: on noise, and on the recorded votes of real judges."""

import random
from functools import cache

import pytest

from gatewatch.stats.canary import judge_changed
from shared import rows

OLD, NEW = "gpt-4-turbo-2024-04-09", "gpt-4o-2024-05-13"


@cache
def votes() -> dict[tuple[str, str], dict[tuple[str, str], float]]:
    """By judge and run, the score of each output in 0..1."""
    found: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    for row in rows("judge_wildbench", "scores.jsonl.gz"):
        judged = found.setdefault((row["judge"], row["run"]), {})
        judged[row["model"], row["source_id"]] = (row["score"] - 1.0) / 9.0
    return found


def noisy(rng: random.Random, mean: float) -> float:
    return min(1.0, max(0.0, round(4 * (mean + rng.gauss(0, 0.15))) / 4))


def test_a_noisy_judge_is_called_changed_about_once_in_ninety_days() -> None:
    alarms = 0
    for seed in range(20):
        rng = random.Random(seed)
        means = [rng.betavariate(4, 1) for _ in range(60)]
        frozen = [(noisy(rng, mean) + noisy(rng, mean)) / 2 for mean in means]
        checks = [judge_changed(frozen, [noisy(rng, mean) for mean in means]) for _ in range(30)]
        alarms += sum(check.changed for check in checks)
    assert alarms <= 12, "600 days, of which about 7 are expected to be wrong"


def test_a_judge_that_became_stricter_is_found_with_sixty_outputs() -> None:
    rng = random.Random(2)
    means = [rng.betavariate(4, 1) for _ in range(60)]
    found = judge_changed([noisy(rng, mean) for mean in means], [noisy(rng, mean - 0.12) for mean in means])
    assert found.changed and found.effect < -0.05 and found.interval is not None and found.interval.high < 0
    assert found.n == 60


def test_what_is_small_or_may_be_chance_is_no_change() -> None:
    same = [0.5, 0.75, 1.0] * 20
    assert not judge_changed(same, same).changed and judge_changed(same, same).p == 1.0
    tiny = judge_changed(same, [value - 0.005 for value in same])
    assert tiny.p < 1e-9 and not tiny.changed
    assert not judge_changed(same[:5], [0.0] * 5).changed, "five coins fall alike once in sixteen"


def test_more_checks_a_day_ask_for_more_certainty() -> None:
    before, now = [1.0] * 9 + [0.5] * 40, [0.0] * 8 + [0.5] * 41
    assert judge_changed(before, now).changed
    assert not judge_changed(before, now, checks_per_day=20).changed


def test_what_does_not_fit_is_refused() -> None:
    for before, now, message in (([], [], "got 0 and 0"), ([1.0], [], "got 1 and 0"), ([1.0], [2.0], r"in 0\.\.1")):
        with pytest.raises(ValueError, match=message):
            judge_changed(before, now)


def test_the_same_judge_in_two_runs_is_not_called_changed() -> None:
    one, other = votes()[NEW, "v2.0522"], votes()[NEW, "v2.0625"]
    both = sorted(one.keys() & other.keys())
    assert len(both) > 5000
    for seed in range(100):
        chosen = random.Random(seed).sample(both, 60)
        assert not judge_changed([one[key] for key in chosen], [other[key] for key in chosen]).changed


def test_another_judge_is_found_with_sixty_outputs_of_one_model_in_95_of_100_draws() -> None:
    turbo = {key: value for (judge, _), by in votes().items() if judge == OLD for key, value in by.items()}
    omni = {key: value for (judge, _), by in votes().items() if judge == NEW for key, value in by.items()}
    both = sorted(turbo.keys() & omni.keys())
    models = sorted({model for model, _ in both})
    found = 0
    for seed in range(100):
        rng = random.Random(seed)
        model = rng.choice(models)
        chosen = rng.sample([key for key in both if key[0] == model], 60)
        found += judge_changed([turbo[key] for key in chosen], [omni[key] for key in chosen]).changed
    assert found >= 95
