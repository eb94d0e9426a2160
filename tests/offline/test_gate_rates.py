"""The shipped gate's error rates, simulated with seeds: how often it blocks what changed nothing, and what it catches.

The data models are in `simulating.py`. `docs/design/gate.md` has the figures that a run of this file prints (`-s`).
"""

from collections import Counter

import numpy as np
import pytest

from gatewatch.core.run import DatasetRef, ScorerRef
from gatewatch.offline.compare import Comparison
from gatewatch.offline.gate import decide
from gatewatch.offline.outcomes import CaseOutcome, Mark, Outcomes, Trial
from gatewatch.offline.rule import Rule
from gatewatch.offline.stopping import Look
from offline.simulating import MODELS, System, gated, gated_early, outcomes

pytestmark = pytest.mark.slow
STORED = 10
SPENT_AT = (0.2, 0.6, 1.0)
"""Of the trials on each side at the end (5) the shares at each look, where there is one at first."""


def mark_of(model: str) -> float | None:
    return 0.5 if model == "score" else None


def rates(model: str, n: int, drop: float, runs: int, *, seed: int) -> tuple[dict[str, float], float]:
    """The share of each verdict, and of calls beyond one for each case."""
    rng = np.random.default_rng(seed)
    words: Counter[str] = Counter()
    extra = 0
    for _ in range(runs):
        system = System.drawn(n, model, rng)
        before = outcomes(system, name="baseline", history=STORED, pass_at=mark_of(model))
        verdict = gated(before, system.broken(drop) if drop else system, pass_at=mark_of(model))
        words[verdict.verdict] += 1
        extra += verdict.reruns
    found = {word: count / runs for word, count in words.items()}
    print(f"\n{model:9} n={n} drop={drop:.2f} {runs} runs: {found}, {extra / runs / n:.1%} more calls")
    return found, extra / runs / n


@pytest.mark.parametrize("model", MODELS)
def test_a_change_that_changes_nothing_is_seldom_blocked(model: str) -> None:
    found, extra = rates(model, 40, 0.0, 500, seed=1)
    assert found.get("REGRESSED", 0.0) <= 0.07
    assert extra <= 0.05


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("n", "least"), [(40, 0.55), (200, 0.98)])
def test_some_cases_that_broke_are_caught_by_few_calls_more(model: str, n: int, least: float) -> None:
    found, extra = rates(model, n, 0.05, 300, seed=2)
    assert found["REGRESSED"] >= least
    assert extra <= 0.15


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("n", [40, 200])
def test_a_fall_as_large_as_the_allowance_seldom_passes(model: str, n: int) -> None:
    rng = np.random.default_rng(6)
    words: Counter[str] = Counter()
    for _ in range(500):
        system = System.drawn(n, model, rng)
        before = outcomes(system, name="baseline", history=STORED, pass_at=mark_of(model))
        words[gated(before, system.worse(0.05), pass_at=mark_of(model)).verdict] += 1
    print(f"\n{model:9} n={n} every case worse by 5 pp in all: {dict(words)} of 500")
    assert words["PASS"] / 500 <= 0.08


STEADY = {
    "52, ten at 0.85": [1.0] * 42 + [0.85] * 10,
    "60 at 0.98": [0.98] * 60,
    "100, twenty at 0.85": [1.0] * 80 + [0.85] * 20,
}


@pytest.mark.parametrize("name", STEADY)
@pytest.mark.parametrize(("stored", "trials"), [(5, 1), (3, 3)])
def test_few_failures_do_not_make_a_pass_too_sure(name: str, stored: int, trials: int) -> None:
    rng = np.random.default_rng(9)
    words: Counter[str] = Counter()
    for _ in range(500):
        system = System(np.array(STEADY[name]), "noisy", rng)
        before = outcomes(system, name="baseline", trials=stored, history=stored)
        words[gated(before, system.worse(0.05), trials=trials).verdict] += 1
    print(f"\n{name}, {stored} stored trials, then {trials}, every case worse by 5 pp in all: {dict(words)} of 500")
    assert words["PASS"] / 500 <= 0.07


def test_twenty_eight_cells_share_the_rate_of_false_blocks() -> None:
    rng = np.random.default_rng(3)
    names, parts, n, runs = [f"m{k}" for k in range(4)], 7, 200, 500
    rule = Rule(primary=tuple(names), slices=tuple(f"s{k}" for k in range(parts)))
    words: Counter[str] = Counter()
    for _ in range(runs):
        means = rng.beta(0.85, 0.15, (n, len(names)))
        sides = []
        for side in ("before", "after"):
            made = Outcomes(
                label=side,
                run=side,
                suite="sim",
                task="sim",
                dataset=DatasetRef("sim.jsonl", "0" * 12, n),
                scorers={name: ScorerRef("f" * 12) for name in names},
                components={"prompt": side},
                trials=1,
            )
            values = (rng.random(means.shape) < means).astype(float)
            for place in range(n):
                marks = {name: Mark(float(values[place, k])) for k, name in enumerate(names)}
                trial = Trial(f"c{place}", scores=marks, digest=f"{side}{place}")
                made.cases[f"c{place}"] = CaseOutcome("h", f"s{place % parts}", "", False, [trial])
            made.rows = n
            sides.append(made)
        words[decide(Comparison(*sides), rule).verdict] += 1
    print(f"\n{len(names)} scorers, over all and in {parts} slices: {dict(words)}")
    assert words["REGRESSED"] / runs <= 0.07


@pytest.mark.parametrize("model", MODELS)
def test_stopping_early_saves_a_third_of_the_calls_and_keeps_the_rate(model: str) -> None:
    rng = np.random.default_rng(4)
    runs, n = 2000, 200
    words: Counter[str] = Counter()
    calls = 0
    for number in range(runs):
        system = System.drawn(n, model, rng)
        before = outcomes(system, name="baseline", history=STORED, pass_at=mark_of(model))
        verdict, made = gated_early(before, system, seed=number, pass_at=mark_of(model))
        words[verdict.verdict] += 1
        calls += made
    print(f"\n{model:9} early stop, n={n}, {runs} runs: {dict(words)}, {calls / runs / n:.1%} of the calls")
    assert words["REGRESSED"] / runs <= 0.06
    assert calls / runs / n <= 0.65


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("drop", "most"), [(0.05, 0.28), (0.1, 0.07)])
def test_stopping_early_misses_no_more_than_it_says(model: str, drop: float, most: float) -> None:
    rng = np.random.default_rng(5)
    words: Counter[str] = Counter()
    for number in range(400):
        system = System.drawn(200, model, rng)
        before = outcomes(system, name="baseline", history=STORED, pass_at=mark_of(model))
        words[gated_early(before, system.worse(drop), seed=number, pass_at=mark_of(model))[0].verdict] += 1
    print(f"\n{model:9} early stop, every case worse by {drop * 100:g} pp in all: {dict(words)} of 400")
    assert words["PASS"] / 400 <= most


def test_cases_that_share_an_origin_do_not_count_as_many() -> None:
    rng = np.random.default_rng(7)
    groups, size, runs = 40, 5, 500
    blocked = 0
    for _ in range(runs):
        shift = np.repeat(rng.normal(0.0, 0.15, groups), size)  # what a change does to a document, 0 on average
        means = np.clip(rng.beta(3.2, 0.8, groups * size), 0.2, 0.8)
        sides = []
        for name, mean in (("before", means), ("after", np.clip(means + shift, 0.0, 1.0))):
            made = outcomes(System(mean, "score", rng), name=name)
            for place in range(groups * size):
                made.cases[f"c{place}"].cluster = f"d{place // size}"
            sides.append(made)
        blocked += decide(Comparison(*sides), Rule()).verdict == "REGRESSED"
    print(f"\n{groups} documents of {size} cases, other effects on each, 0 on average: {blocked} of {runs} blocked")
    assert blocked / runs <= 0.07


@pytest.mark.parametrize(("drop", "word", "most"), [(0.0, "REGRESSED", 0.07), (0.05, "PASS", 0.07)])
def test_buying_trials_keeps_both_rates(drop: float, word: str, most: float) -> None:
    rng = np.random.default_rng(8)
    runs, n = 500, 40
    words: Counter[str] = Counter()
    for _ in range(runs):
        system = System.drawn(n, "noisy", rng)
        candidate = system.worse(drop) if drop else system
        before, after = outcomes(system, name="before"), outcomes(candidate, name="after")
        for number in range(len(SPENT_AT)):
            if number:
                before.pool(outcomes(system, name="more", trials=2))
                after.pool(outcomes(candidate, name="more", trials=2))
            look = Look(information=SPENT_AT, number=number, bought=True)
            verdict = decide(Comparison(before, after), Rule(), look=look)
            if verdict.verdict != "UNDECIDED":
                break
        words[verdict.verdict] += 1
    print(f"\nspend, n={n}, every case worse by {drop * 100:g} pp in all: {dict(words)} of {runs}")
    assert words[word] / runs <= most
