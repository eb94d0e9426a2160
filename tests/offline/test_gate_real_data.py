"""The gate over real recorded outputs whose changes are known: what must be blocked, and what must not.

Counts are computed from the data themselves and held against KNOWN_ANSWERS, so that the same tests hold for parts of
the data that were kept back.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from gatewatch import run, scorer
from gatewatch.offline.gated import Gated
from gatewatch.offline.result import RunResult
from gatewatch.offline.verdict import Figures
from gatewatch.scorers.text import exact
from shared import known_answers, rows


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def replayed(cases: list[dict[str, Any]], outputs: Iterable[dict[str, Any]], *scorers: Any, name: str) -> RunResult:
    """A run over cases whose outputs were recorded."""
    Path("cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    Path(f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in outputs))
    return run(f"replay:{name}.jsonl", on="cases.jsonl", scorers=scorers, name=name)


def only(gated: Gated) -> Figures:
    (found,) = gated.verdict.scorers.values()
    return found


# Questions with one right answer


def gsm8k(*models: str, first: int | None = None) -> list[RunResult]:
    by_model: dict[str, list[dict[str, Any]]] = {}
    for line in rows("qa_gsm8k", "solutions.jsonl.gz"):
        by_model.setdefault(line["model"], []).append(line)
    made = []
    for model in models:
        lines = by_model[model][:first]
        cases = [{"id": x["source_id"], "input": x["question"], "expected": x["gold_answer"]} for x in lines]
        outputs = [{"id": x["source_id"], "output": x["output"]} for x in lines]
        made.append(replayed(cases, outputs, exact(after="A:", drop=",$% "), name=model))
    return made


def test_gsm8k_a_worse_model_is_regressed_with_its_rows() -> None:
    known = known_answers("qa_gsm8k")["175b_verification -> 6b_verification"]
    before, after = gsm8k("175b_verification", "6b_verification")
    gated = after.compare(before)
    found = only(gated)
    assert gated.verdict.verdict == found.verdict == "REGRESSED"
    assert (found.losses, found.wins) == (known["pass->fail"], known["fail->pass"])
    assert len([row for row in gated.verdict.rows if row.effect == "loss"]) == known["pass->fail"]
    assert "One component changed: outputs" in gated.verdict.attribution


def test_gsm8k_on_its_first_hundred_cases_what_is_clear_is_blocked_and_what_is_not_is_undecided() -> None:
    big, small, tuned = gsm8k("175b_verification", "6b_verification", "175b_finetuning", first=100)
    clear, unclear = small.compare(big), tuned.compare(small)
    assert clear.verdict.verdict == "REGRESSED"
    assert unclear.verdict.verdict == "UNDECIDED"
    found = only(unclear)
    assert found.needed is not None and found.needed > 100
    assert found.mde is not None and 0.05 < found.mde < 0.2
    assert (found.losses, found.wins) != (0, 0)
    assert "cannot be ruled out" in " ".join(unclear.verdict.reasons)
    if found.n == 100 and known_answers("qa_gsm8k")["6b_verification"]["n"] == 950:  # the public part
        assert (only(clear).losses, only(clear).wins) == (25, 7)
        assert (found.losses, found.wins) == (16, 12)
    assert str(found.needed) in str(unclear)


# Function calling: one name of a model, on several dates


def bfcl(model: str, date: str) -> RunResult:
    lines = [x for x in rows("tool_calls_bfcl", "results.jsonl.gz") if (x["model"], x["run"]) == (model, date)]
    cases = [{"id": x["source_id"], "input": "q", "slice": x["category"]} for x in lines]
    outputs = [{"id": x["source_id"], "output": {"valid": x["valid"], "result": x["result"]}} for x in lines]
    return replayed(cases, outputs, valid, name=f"{model}-{date}".lower())


@scorer
def valid(output: dict[str, Any]) -> bool:
    return bool(output["valid"])


GEMINI, TURBO = "gemini-1.5-pro-preview-0514", "gpt-4-turbo-2024-04-09-FC"
LARGE, MINI = "gpt-4o-2024-05-13-FC", "gpt-4o-mini-2024-07-18-FC"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ((GEMINI, "2024-07-06"), (GEMINI, "2024-08-11"), {"REGRESSED"}),
        ((TURBO, "2024-07-25"), (TURBO, "2024-08-11"), {"PASS", "UNDECIDED"}),
        ((LARGE, "2024-08-11"), (MINI, "2024-08-11"), {"PASS", "UNDECIDED"}),
    ],
)
def test_bfcl_changes_are_judged_as_they_are(before: tuple[str, str], after: tuple[str, str], words: set[str]) -> None:
    flips = known_answers("tool_calls_bfcl")["flips"][f"{before[1]} {before[0]} -> {after[1]} {after[0]}"]
    gated = bfcl(*after).compare(bfcl(*before))
    found = only(gated)
    assert gated.verdict.verdict in words
    assert (found.losses, found.wins) == (flips["pass->fail"], flips["fail->pass"])
    assert len(gated.verdict.rows) == flips["pass->fail"] + flips["fail->pass"]
    if "REGRESSED" not in words:  # as many both ways are shown for what they are
        assert any("churn" in remark and "flaky" in remark for remark in gated.verdict.remarks)


# Claims: graded values, some of them missing


@scorer
def faithful(output: dict[str, Any]) -> float | None:
    value = output["human_faithful_rate"]
    return None if value is None else float(value)


def refchecker(model: str) -> RunResult:
    lines = [x for x in rows("claims_refchecker", "responses.jsonl.gz") if x["model"] == model]
    cases = [{"id": x["source_id"], "input": x["origin_id"], "slice": x["setting"]} for x in lines]
    outputs = [
        {"id": x["source_id"], "output": {"human_faithful_rate": x["human_faithful_rate"], "response": x["response"]}}
        for x in lines
    ]
    return replayed(cases, outputs, faithful, name=model.lower())


def test_refchecker_a_worse_model_is_regressed_with_exact_rows() -> None:
    known = known_answers("claims_refchecker")["diff gpt4->alpaca_7B"]
    gated = refchecker("alpaca_7B").compare(refchecker("gpt4"))
    found = only(gated)
    assert gated.verdict.verdict == "REGRESSED"
    assert (found.losses, found.wins, found.ties) == (known["rows_worse"], known["rows_better"], known["rows_same"])
    assert (found.n, round(found.delta or 0, 4)) == (known["n_paired"], known["mean_diff"])
    assert found.skipped > 0


def test_refchecker_a_near_tie_is_neither_regressed_nor_called_better() -> None:
    known = known_answers("claims_refchecker")["diff llama2_70b_chat->claude2"]
    gated = refchecker("claude2").compare(refchecker("llama2_70b_chat"))
    found = only(gated)
    assert gated.verdict.verdict != "REGRESSED"
    assert (found.losses, found.wins, found.ties) == (known["rows_worse"], known["rows_better"], known["rows_same"])
    assert round(found.delta or 0, 4) == known["mean_diff"]
    assert "better" not in str(gated).lower().replace("rows_better", "")


# Trials of one agent


@scorer
def reward(output: dict[str, Any]) -> bool:
    return bool(output["reward"])


def tau(trial: int) -> RunResult:
    lines = [x for x in rows("agent_trials_tau", "trials.jsonl.gz") if x["trial"] == trial]
    cases = [{"id": x["source_id"], "input": x["instruction"]} for x in lines]
    outputs = [
        {
            "id": x["source_id"],
            "output": {"reward": x["reward"], "actions": x["trajectory"]},
            "versions": {"model": x["model"]},
        }
        for x in lines
    ]
    return replayed(cases, outputs, reward, name=f"trial-{trial}")


def test_tau_two_trials_of_one_agent_are_undecided_and_their_flips_are_flaky() -> None:
    gated = tau(1).compare(tau(0))
    found = only(gated)
    lines = list(rows("agent_trials_tau", "trials.jsonl.gz"))
    reward_of = {(x["source_id"], x["trial"]): x["reward"] for x in lines}
    tasks = {x["source_id"] for x in lines}
    losses = sum(reward_of[task, 0] > reward_of[task, 1] for task in tasks)
    wins = sum(reward_of[task, 0] < reward_of[task, 1] for task in tasks)
    assert gated.verdict.verdict == "UNDECIDED"
    assert (found.losses, found.wins) == (losses, wins)
    assert "Nothing that is recorded changed" in gated.verdict.attribution
    assert all(row.flaky for row in gated.verdict.rows)
    assert any(f"{losses + wins} cases that moved are flaky" in remark for remark in gated.verdict.remarks)


# One judge at two times, and two judges


def wildbench(model: str, judge: str, version: str) -> RunResult:
    lines = [
        x
        for x in rows("judge_wildbench", "scores.jsonl.gz")
        if (x["model"], x["judge"], x["run"]) == (model, judge, version)
    ]

    @scorer(version=judge)
    def wb_score(output: dict[str, Any]) -> float:
        return (float(output["score"]) - 1) / 9

    cases = [{"id": x["source_id"], "input": "q"} for x in lines]
    outputs = [{"id": x["source_id"], "output": {"score": x["score"], "at": version}} for x in lines]
    return replayed(cases, outputs, wb_score, name=f"{model}-{judge}-{version}".lower())


def pairs_of_runs() -> list[tuple[str, str, list[str]]]:
    """Models that one judge scored in two versions of the benchmark."""
    found: dict[tuple[str, str], set[str]] = {}
    for x in rows("judge_wildbench", "scores.jsonl.gz"):
        found.setdefault((x["model"], x["judge"]), set()).add(x["run"])
    return [(model, judge, sorted(runs)) for (model, judge), runs in sorted(found.items()) if len(runs) > 1]


def test_wildbench_the_same_judge_twice_passes() -> None:
    model, judge, versions = pairs_of_runs()[0]
    before, after = (wildbench(model, judge, version) for version in versions)
    gated = after.compare(before)
    assert gated.verdict.verdict == "PASS"
    assert not gated.verdict.identical


def test_wildbench_two_judges_are_two_rulers() -> None:
    by_model: dict[str, set[tuple[str, str]]] = {}
    for x in rows("judge_wildbench", "scores.jsonl.gz"):
        by_model.setdefault(x["model"], set()).add((x["judge"], x["run"]))
    model, runs = next((m, sorted(r)) for m, r in sorted(by_model.items()) if len({judge for judge, _ in r}) > 1)
    first = runs[0]
    second = next(each for each in runs if each[0] != first[0])
    gated = wildbench(model, *second).compare(wildbench(model, *first))
    assert gated.verdict.verdict == "NOT_COMPARABLE"
    assert gated.verdict.exit_code == 3
    assert "another ruler" in gated.verdict.reasons[0]
