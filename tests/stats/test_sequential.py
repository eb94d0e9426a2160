import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gatewatch.stats.sequential import FUTILITY, LOOKS, boundaries, look, spent
from gatewatch.stats.special import normal_quantile
from stats.vectors import hold

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

EVEN = [0.2, 0.4, 0.6, 0.8, 1.0]
PLANNED = 200


def test_the_reference_vectors() -> None:
    hold("group_sequential_boundaries_z", lambda given: boundaries(given["info"], alpha=given["alpha_one_sided"]))


def test_the_boundaries_that_the_design_states() -> None:
    assert boundaries(EVEN, alpha=0.05) == pytest.approx([4.229, 2.888, 2.298, 1.962, 1.740], abs=1e-3)


def test_one_look_is_the_ordinary_test() -> None:
    assert boundaries([1.0], alpha=0.05) == pytest.approx([-normal_quantile(0.05)], abs=1e-9)
    assert boundaries([], alpha=0.05) == []


def test_looks_of_any_spacing_spend_what_they_may() -> None:
    information = [0.1, 0.13, 0.5, 0.95]
    bounds = boundaries(information, alpha=0.1)
    steps = np.sqrt(np.diff([0.0, *information]))
    paths = (np.random.default_rng(1).standard_normal((400_000, 4)) * steps).cumsum(axis=1) / np.sqrt(information)
    reached = np.maximum.accumulate(paths >= np.array(bounds), axis=1).mean(axis=0)
    assert reached == pytest.approx([spent(t, 0.1) for t in information], abs=0.0015)


def test_little_is_spent_early_and_all_at_the_end() -> None:
    shares = [spent(t / 10, 0.05) for t in range(1, 11)]
    assert shares == sorted(shares)
    assert shares[0] < 1e-8
    assert shares[-1] == pytest.approx(0.05)


def test_a_look_stops_for_what_it_can_tell() -> None:
    noise = np.random.default_rng(2).normal(0.0, 0.2, PLANNED)
    noise -= noise.mean()
    for number in range(1, LOOKS + 1):
        seen = noise[: 40 * number] - noise[: 40 * number].mean()
        assert look(seen - 0.3, number, alpha=0.05, max_drop=0.05, planned=PLANNED) == "regressed"
        calm = look(seen + 0.02, number, alpha=0.05, max_drop=0.05, planned=PLANNED)
        assert calm == ("no drop" if number < LOOKS else "go on")
        assert look(seen - 0.02, number, alpha=0.05, max_drop=0.02, planned=PLANNED) == "go on"


def test_the_bounds_are_where_they_are_said_to_be() -> None:
    differences = [0.5, -0.5] * 40
    variance = (0.25 * 80 / 79 + 0.02 / 80) / 80
    edge = FUTILITY[1] * math.sqrt(variance)
    assert look(differences, 2, alpha=0.05, max_drop=edge + 1e-9, planned=PLANNED) == "no drop"
    assert look(differences, 2, alpha=0.05, max_drop=edge - 1e-9, planned=PLANNED) == "go on"
    drop = boundaries([0.2, 0.4], alpha=0.05)[1] * math.sqrt(variance)
    for fall, said in ((drop + 1e-9, "regressed"), (drop - 1e-9, "go on")):
        seen = [difference - fall for difference in differences]
        assert look(seen, 2, alpha=0.05, max_drop=0.05, planned=PLANNED) == said


def test_equal_differences_are_not_certain() -> None:
    assert look([0.0] * 40, 1, alpha=0.05, max_drop=0.05, planned=PLANNED) == "go on", "of 40 ties one in 8 hides it"
    assert look([0.0] * 80, 2, alpha=0.05, max_drop=0.05, planned=PLANNED) == "no drop"
    assert look([0.001] * 39 + [0.0], 1, alpha=0.05, max_drop=0.05, planned=PLANNED) == "no drop", "graded"
    assert look([0.0] * 40, 1, alpha=0.05, max_drop=0.005, planned=PLANNED) == "go on"
    assert look([-0.01] * 40, 1, alpha=0.05, max_drop=0.01, planned=PLANNED) == "go on"
    assert look([-0.1] * 40, 1, alpha=0.05, max_drop=0.01, planned=PLANNED) == "regressed"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: boundaries([0.5, 0.5], alpha=0.05), "information must rise from look to look"),
        (lambda: boundaries([0.0, 0.5], alpha=0.05), "information must rise from look to look"),
        (lambda: boundaries([0.5, 1.1], alpha=0.05), "needs 0 < t <= 1 and 0 < alpha < 1, got t = 1.1"),
        (lambda: boundaries([0.5], alpha=0.0), "got t = 0.5 and alpha = 0.0"),
        (lambda: look([0.1], 1, alpha=0.05, max_drop=0.05, planned=9), "needs 2 to 9 differences"),
        (lambda: look([0.1] * 10, 1, alpha=0.05, max_drop=0.05, planned=9), "got 10 and look 1"),
        (lambda: look([0.1] * 9, 6, alpha=0.05, max_drop=0.05, planned=9), "look 1 to 5, got 9 and look 6"),
    ],
)
def test_what_makes_no_sense_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def unchanged(kind: str, draw: "Generator") -> "NDArray[np.float64]":
    """The differences of a system with itself, by one of the design's data models."""
    if kind == "score":
        mean = draw.beta(3.2, 0.8, PLANNED)
        return draw.beta(8 * mean, 8 * (1 - mean)) - draw.beta(8 * mean, 8 * (1 - mean))
    strength = {"binary-lownoise": 0.25, "binary-noisy": 1.0}[kind]
    passing = draw.beta(0.85 * strength, 0.15 * strength, PLANNED)
    return (draw.random(PLANNED) < passing).astype(np.float64) - (draw.random(PLANNED) < passing)


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.05, 0.025])
@pytest.mark.parametrize(("kind", "share"), [("binary-lownoise", 0.42), ("binary-noisy", 0.55), ("score", 0.30)])
def test_where_nothing_changed_few_runs_are_blocked_and_most_stop_early(kind: str, share: float, alpha: float) -> None:
    runs, blocked, judged, draw = 10_000, 0, 0, np.random.default_rng(20)
    for _ in range(runs):
        differences = unchanged(kind, draw)
        for number in range(1, LOOKS + 1):
            seen = PLANNED * number // LOOKS
            said = look(differences[:seen], number, alpha=alpha, max_drop=0.05, planned=PLANNED)
            if said != "go on":
                break
        blocked += said == "regressed"
        judged += seen
    print(f"{kind} at {alpha}: {blocked / runs:.4f} blocked, {judged / runs / PLANNED:.3f} of the cases run")
    assert blocked / runs <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)
    assert judged / runs / PLANNED == pytest.approx(share, abs=0.02)
    assert judged / runs / PLANNED <= 0.65
