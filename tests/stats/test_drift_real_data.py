"""Drift in recorded scores: swapped models are found soon, quiet streams are left alone, small swaps are small."""

import random
from collections.abc import Callable, Sequence
from functools import cache
from statistics import fmean
from typing import Any

import pytest

from gatewatch.stats.drift import Detector, Reference, effect, onset
from shared import rows

MINI = "openai/gpt-4o-mini"
WINDOW, SWAP, END, SEEDS = 1000, 2000, 4000, 120
Value = tuple[str, float]


@cache
def hhem() -> dict[str, list[float]]:
    """By model, the score of each of its summaries."""
    found: dict[str, list[float]] = {}
    for row in rows("stream_hhem", "scores.jsonl.gz"):
        if row["answered"]:
            found.setdefault(row["model"], []).append(row["hhem"])
    return found


def watch(values: Sequence[Value], reference: Reference, *, threshold: float = 80_000) -> int | None:
    """The place of the value at which there is an alarm."""
    detector = Detector(reference, threshold=threshold)
    return next((place for place, (stratum, x) in enumerate(values) if detector.update(stratum, x)), None)


def stream(seed: int, model: str) -> list[Value]:
    rng = random.Random(seed)
    before, after = hhem()[MINI], hhem()[model]
    return [("", rng.choice(before)) for _ in range(SWAP)] + [("", rng.choice(after)) for _ in range(END - SWAP)]


def found_at(model: str) -> list[int | None]:
    """For each seed, how many rows after the swap the alarm came: 1 is at the first."""
    places = []
    for seed in range(SEEDS):
        values = stream(seed, model)
        place = watch(values[WINDOW:], Reference.of(values[:WINDOW]))
        places.append(None if place is None else place + WINDOW - SWAP + 1)
    return places


@pytest.mark.parametrize(
    ("model", "rows_after"),
    [("qwen/Qwen2.5-0.5B-Instruct", 35), ("anthropic/claude-3-sonnet", 150), ("meta-llama/Llama-2-7b-chat-hf", 400)],
)
def test_a_swapped_model_is_found_within_some_rows(model: str, rows_after: int) -> None:
    found = found_at(model)
    assert sum(each is not None and each <= 0 for each in found) <= 0.02 * SEEDS
    assert sum(each is not None and 0 < each <= rows_after for each in found) >= 0.95 * SEEDS


def test_a_stream_that_nobody_touched_is_quiet() -> None:
    assert sum(each is not None for each in found_at(MINI)) <= 0.02 * SEEDS


def test_a_swap_of_a_tenth_of_a_standard_deviation_stays_silent_in_most() -> None:
    assert sum(each is None for each in found_at("google/gemini-1.5-flash-002")) >= 0.75 * SEEDS


def test_what_is_told_of_a_swap_is_near_the_truth() -> None:
    truth = fmean(hhem()["anthropic/claude-3-sonnet"]) - fmean(hhem()[MINI])
    near, later = [], []
    for seed in range(40):
        values = stream(seed, "anthropic/claude-3-sonnet")
        reference = Reference.of(values[:WINDOW])
        place = watch(values[WINDOW:], reference)
        assert place is not None
        begun = WINDOW + onset(values[WINDOW : WINDOW + place + 1], reference)
        near.append(abs(begun - SWAP) <= 40)
        later.append(effect(values[WINDOW + place + 1 : WINDOW + place + 400], reference).effect or 0.0)
    assert sum(near) >= 0.75 * 40
    assert fmean(later) == pytest.approx(truth, abs=0.015), "values after the alarm are not chosen by it"


def refchecker(rng: random.Random) -> tuple[list[Value], list[Value]]:
    """Scored rows of GPT-4, then of Alpaca, by the setting of the question, in a seeded order."""
    by: dict[str, list[Value]] = {"gpt4": [], "alpaca_7B": []}
    for row in rows_of("claims_refchecker", "responses.jsonl.gz"):
        if row["model"] in by and row["human_faithful_rate"] is not None:
            by[row["model"]].append((row["setting"], row["human_faithful_rate"]))
    return rng.sample(by["gpt4"], len(by["gpt4"])), rng.sample(by["alpaca_7B"], len(by["alpaca_7B"]))


def refusals(rng: random.Random) -> tuple[list[Value], list[Value]]:
    """Whether a prompt was answered and not refused, by Mistral, then by Llama 2."""
    by: dict[str, list[Value]] = {"mistralinstruct": [], "llama2orig": []}
    for row in rows_of("guard_refusal", "completions.jsonl.gz"):
        if row["model"] in by:
            by[row["model"]].append(("", float(row["human"] != "2_full_refusal")))
    before, after = by["mistralinstruct"], by["llama2orig"]
    return rng.sample(before, len(before)), rng.sample(after, len(after))


@cache
def rows_of(*parts: str) -> list[dict[str, Any]]:
    return list(rows(*parts))


@pytest.mark.parametrize(("order", "rows_after"), [(refchecker, 60), (refusals, 40)])
@pytest.mark.parametrize("stratified", [True, False])
def test_a_swapped_model_of_a_small_set_is_found_within_some_rows(
    order: Callable[[random.Random], tuple[list[Value], list[Value]]], rows_after: int, stratified: bool
) -> None:
    """The first half of the old model's rows is the reference, the other half is watched, then the new one's come."""
    early = soon = 0
    for seed in range(100):
        before, after = order(random.Random(seed))
        values = [(name if stratified else "", x) for name, x in [*before, *after]]
        half = len(before) // 2
        place = watch(values[half:], Reference.of(values[:half]), threshold=10_000)
        delay = None if place is None else place + half - len(before) + 1
        early += delay is not None and delay <= 0
        soon += delay is not None and 0 < delay <= rows_after
    assert early <= 2 and soon >= 95, (early, soon)
