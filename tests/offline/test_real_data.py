"""Real recorded outputs of real models, scored through `replay:`, against answers that are known to be right.

What is right is read from the data itself and from its KNOWN_ANSWERS, so that the same tests hold for parts of the
data that were kept back.
"""

import json
from collections.abc import Iterable
from math import isnan, nan
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pytest

from gatewatch import run, scorer
from gatewatch.offline.result import RunResult
from gatewatch.scorers.text import exact
from shared import known_answers, rows


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, lines: Iterable[dict[str, Any]]) -> str:
    with Path(name).open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return name


def replayed(
    cases: list[dict[str, Any]], outputs: Iterable[dict[str, Any]], *scorers: Any, **settings: Any
) -> RunResult:
    """A run over cases whose outputs were recorded."""
    write("cases.jsonl", cases)
    write("outputs.jsonl", outputs)
    return run("replay:outputs.jsonl", on="cases.jsonl", scorers=scorers, **settings)


def by_model(data: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for line in data:
        found.setdefault(line["model"], []).append(line)
    return found


def test_gsm8k_exact_match_agrees_with_the_recorded_flag_on_every_row() -> None:
    known = known_answers("qa_gsm8k")
    models = by_model(rows("qa_gsm8k", "solutions.jsonl.gz"))
    assert len(models) == 4
    for model, lines in models.items():
        cases = [{"id": x["source_id"], "input": x["question"], "expected": x["gold_answer"]} for x in lines]
        outputs = [{"id": x["source_id"], "output": x["output"]} for x in lines]
        result = replayed(cases, outputs, exact(after="A:", drop=",$% "))
        given = {row.case: row.scores["exact"].value for row in result.rows()}
        assert given == {x["source_id"]: float(x["is_correct"]) for x in lines}
        figure = result.summary.scorers["exact"].figure
        assert figure.n == known[model]["n"]
        assert figure.mean == pytest.approx(known[model]["is_correct"] / known[model]["n"])
        assert figure.interval is not None
        assert figure.mean is not None
        assert figure.interval[0] < figure.mean < figure.interval[1]


@scorer
def reward(output: dict[str, Any]) -> float:
    return float(output["reward"])


def test_tau_trials_give_pass_hat_k() -> None:
    known = known_answers("agent_trials_tau")
    lines = list(rows("agent_trials_tau", "trials.jsonl.gz"))
    cases = {x["source_id"]: {"id": x["source_id"], "input": x["instruction"]} for x in lines}
    outputs = [{"id": x["source_id"], "trial": x["trial"], "output": {"reward": x["reward"]}} for x in lines]
    summary = replayed(list(cases.values()), outputs, reward).summary
    assert (summary.header.dataset.cases, summary.rows) == (known["tasks"], known["trials"])
    found = summary.scorers["reward"]
    assert [round(value, 4) for value in found.pass_hat_k] == [known[f"pass^{k}"] for k in (1, 2, 3, 4)]
    assert round(found.pass_at_k[3], 4) == known["pass@4"]
    assert found.flaky == known["flaky tasks (neither 0/4 nor 4/4)"]


@scorer
def factscore(output: dict[str, Any]) -> float | None:
    value = output["human_factscore"]
    return None if value is None else float(value)


@scorer
def answered(output: dict[str, Any]) -> bool:
    return not output["abstained"]


def test_factscore_means_and_slices_with_abstentions_missing_and_counted() -> None:
    known = known_answers("claims_factscore")
    models = by_model(rows("claims_factscore", "bios.jsonl.gz"))
    for model, lines in models.items():
        cases = [{"id": x["source_id"], "input": x["input"], "slice": x["category"][0]} for x in lines]
        names = ("human_factscore", "abstained")
        outputs = [{"id": x["source_id"], "output": {name: x[name] for name in names}} for x in lines]
        scorers = replayed(cases, outputs, factscore, answered).summary.scorers
        found = scorers["factscore"]
        assert round((1 - (scorers["answered"].figure.mean or nan)) * len(lines)) == known[model]["abstained"]
        assert found.figure.mean is not None
        assert round(found.figure.mean, 4) == known[model]["mean_factscore"]
        missing = sum(x["human_factscore"] is None for x in lines)
        assert found.figure.states.get("skipped", 0) == missing >= known[model]["abstained"]
        assert found.figure.n == known[model]["n"] - missing
        for name, figure in found.slices.items():
            mine = [
                x["human_factscore"] for x in lines if x["category"][0] == name and x["human_factscore"] is not None
            ]
            assert figure.mean == pytest.approx(fmean(mine))
        if model == "ChatGPT":
            worst = min(found.slices, key=lambda name: found.slices[name].mean or 0)
            assert worst == "very rare"


@scorer
def faithful(output: dict[str, Any]) -> float | None:
    value = output["human_faithful_rate"]
    return None if value is None else float(value)


@scorer
def no_hallucination(output: dict[str, Any]) -> bool | None:
    return None if output["n_claims"] == 0 else not output["human_hallucinated"]


def test_refchecker_means_and_slices_with_abstentions_missing_and_counted() -> None:
    known = known_answers("claims_refchecker")["per_model(n, mean faithful rate, share with any hallucinated claim)"]
    for model, lines in by_model(rows("claims_refchecker", "responses.jsonl.gz")).items():
        cases = [{"id": x["source_id"], "input": x["origin_id"], "slice": x["setting"]} for x in lines]
        names = ("human_faithful_rate", "human_hallucinated", "n_claims")
        outputs = [{"id": x["source_id"], "output": {name: x[name] for name in names}} for x in lines]
        summary = replayed(cases, outputs, faithful, no_hallucination).summary
        rate, clean = summary.scorers["faithful"], summary.scorers["no_hallucination"]
        n, mean, share = known[model]
        assert summary.rows == n
        assert round(rate.figure.mean or nan, 4) == mean
        assert round(1 - (clean.figure.mean or nan), 4) == share
        assert rate.figure.states.get("skipped", 0) == sum(x["n_claims"] == 0 for x in lines)
        for name, figure in rate.slices.items():
            given = [x["human_faithful_rate"] for x in lines if x["setting"] == name]
            assert figure.mean == pytest.approx(fmean(value for value in given if value is not None))


def test_bfcl_tokens_and_latency_are_exact_and_unknown_where_not_recorded() -> None:
    known = known_answers("tool_calls_bfcl")["accuracy (valid/n, median latency s, sum in_tok, sum out_tok)"]
    runs: dict[str, list[dict[str, Any]]] = {}
    for line in rows("tool_calls_bfcl", "results.jsonl.gz"):
        runs.setdefault(f"{line['run']} {line['model']}", []).append(line)
    for name, lines in runs.items():
        cases = [{"id": x["source_id"], "input": "q"} for x in lines]
        outputs = [
            {"id": x["source_id"], "output": x["result"]}
            | ({} if x["latency_s"] is None else {"latency_s": x["latency_s"]})
            | ({} if x["in_tok"] is None else {"usage": {"input_tokens": x["in_tok"], "output_tokens": x["out_tok"]}})
            for x in lines
        ]
        summary = replayed(cases, outputs).summary
        _, n, latency, tokens_in, tokens_out = known[name]
        assert summary.rows == n
        tokens = summary.task_tokens
        if isnan(latency):  # recorded neither: unknown, not 0
            assert summary.latency_s["p50"] is None
            assert (tokens.input_tokens, tokens.output_tokens, tokens.unknown) == (None, None, n)
        else:
            assert round(summary.latency_s["p50"] or 0, 4) == latency
            assert summary.latency_s["p50"] == pytest.approx(median(x["latency_s"] for x in lines))
            assert (tokens.input_tokens, tokens.output_tokens) == (tokens_in, tokens_out)
