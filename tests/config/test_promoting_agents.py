"""Agents that went wrong, as they were recorded: what they should have called guards a later run."""

import json
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli.building import run
from config.building import problems
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.case import Expected, ToolCall
from gatewatch.core.trace import Trace
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.dataset_edit import edit_case
from gatewatch.scorers.agent import tool_calls
from loop.failing import FLOW, mined, promoted, said
from real_data import bfcl_cases, bfcl_replay
from shared import rows

TOML = """
[project]
name = "agent"

[suites.calls]
dataset = "calls.jsonl"
task = "replay:right.jsonl"
scorers = ["called"]
gate = { max_drop = 0.5 }

[scorers.called]
use = "tool_calls"
{options}
"""
MODEL, BETTER, DAY = "claude-3-haiku-20240307-FC", "claude-3-5-sonnet-20240620-FC", "2024-07-06"


def written(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def functions_called(
    most: int = 12,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """Cases that both models got right, and some that the first got wrong; what each answered, by case."""
    wrong = {line["id"]: line for line in bfcl_replay(MODEL, DAY)}
    right = {line["id"]: line for line in bfcl_replay(BETTER, DAY)}
    kept, failed = list[dict[str, Any]](), list[dict[str, Any]]()
    for case in bfcl_cases():
        name, calls = case["id"], msgspec.convert(case["expected"], Expected).tool_calls or ()
        if name not in wrong or name not in right or not calls or not _passes(right[name]["output"], calls):
            continue
        (kept if _passes(wrong[name]["output"], calls) else failed).append(case)
    kept, failed = kept[:40], failed[:most]
    assert len(failed) == most
    return kept, failed, wrong, right


def replays(path: Path, ids: dict[str, str], outputs: dict[str, Any]) -> None:
    """Recorded answers to the cases of a dataset, by what the recording calls them."""
    written(path, [{**outputs[ids.get(case.id, case.id)], "id": case.id} for case in open_dataset("calls.jsonl")])


def test_calls_of_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, failed, wrong, right = functions_called()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gatewatch.toml").write_text(TOML.replace("{options}", ""))
    written(tmp_path / "calls.jsonl", kept)
    traces = [
        Trace(id=f"{number:032x}", flow=FLOW, input=case["input"], output=wrong[case["id"]]["output"])
        for number, case in enumerate(failed, 1)
    ]
    with closing(store_of(Project.open(tmp_path))) as store:
        mined(store, *traces, scorer="called")
        for number, case in enumerate(failed, 1):
            said(store, number, expected=msgspec.convert(case["expected"], Expected))
        outcome = promoted(tmp_path, store, "F1")
    assert outcome.refused == ()
    made = {each.planned.decision.case.id: case["id"] for each, case in zip(outcome.promoted, failed, strict=True)}
    _guards(tmp_path, capsys, made, wrong, right)


def _guards(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    made: dict[str, str],
    wrong: dict[str, Any],
    right: dict[str, Any],
    verdict: str = "PASS",
) -> None:
    """As long as cases are open, wrong calls do not block; once they must pass, they do, and right ones pass."""
    replays(folder / "right.jsonl", made, right)
    replays(folder / "wrong.jsonl", made, wrong | {name: right[name] for name in right if name not in made.values()})
    assert run(capsys, "run", "calls", "--name", "before", "--task", "replay:wrong.jsonl")[0] == 0
    assert run(capsys, "baseline", "pin", "before")[0] == 0
    code, out, err = run(capsys, "gate", "calls", "--task", "replay:wrong.jsonl", "--json")
    told = json.loads(out)
    assert code == 0, err
    assert {each["id"] for each in told["open"]} == set(made)
    assert not any(each["passes"] for each in told["open"])
    for name in made:
        edit_case(folder / "calls.jsonl", name, lambda case: msgspec.structs.replace(case, open=None, must_pass=True))
    code, out, _ = run(capsys, "gate", "calls", "--task", "replay:wrong.jsonl", "--json")
    told = json.loads(out)
    assert (code, told["verdict"]) == (1, "REGRESSED")
    assert all(any(name in reason for reason in told["reasons"]) for name in list(made)[:1]), told["reasons"]
    code, out, _ = run(capsys, "gate", "calls", "--task", "replay:right.jsonl", "--json")
    told = json.loads(out)
    assert (code, told["verdict"]) == (0, verdict), told["reasons"]
    assert not any("must-pass" in reason for reason in told["reasons"])


def test_trials_of_an_airlines_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole conversation is the output; every action that was to be taken must be among its calls."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gatewatch.toml").write_text(TOML.replace("{options}", 'order = "subset"'))
    trials: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows("agent_trials_tau", "trials.jsonl.gz"):
        if row["expected_actions"]:
            trials[row["source_id"]].append(row)
    failed, wrong, right = [], dict[str, Any](), dict[str, Any]()
    for name, some in trials.items():
        calls = tuple(ToolCall(each["name"], each["kwargs"]) for each in some[0]["expected_actions"])
        took = {bool(row["reward"]): row for row in some if _acted(row, calls) == bool(row["reward"])}
        if len(took) == 2:
            failed.append((name, some[0]["instruction"], calls))
            wrong[name] = {"output": {"messages": took[False]["trajectory"]}}
            right[name] = {"output": {"messages": took[True]["trajectory"]}}
    assert len(failed) >= 8
    first, *rest = failed
    expected = msgspec.to_builtins(Expected(tool_calls=first[2]))
    written(tmp_path / "calls.jsonl", [{"id": first[0], "input": first[1], "expected": expected}])
    with closing(store_of(Project.open(tmp_path))) as store:
        traces = [
            Trace(id=f"{number:032x}", flow=FLOW, input=asked, output=wrong[name]["output"])
            for number, (name, asked, _) in enumerate(rest, 1)
        ]
        mined(store, *traces, scorer="called")
        for number in range(1, len(rest)):
            said(store, number)
        told = problems(lambda: promoted(tmp_path, store, "F1"))
        assert len(told) == len(rest) - 1
        called = [each for each in told if "it called tools, and nobody said which calls are right" in each]
        assert len(called) > len(told) / 2, "the others called nothing"
        for number, (_, _, calls) in enumerate(rest, 1):
            said(store, number, expected=Expected(tool_calls=calls))
        done = promoted(tmp_path, store, "F1")
    assert done.refused == ()
    made = {each.planned.decision.case.id: name for each, (name, _, _) in zip(done.promoted, rest, strict=True)}
    _guards(tmp_path, capsys, made, wrong, right, "UNDECIDED")  # all but one are of one failure: too few groups


def _passes(output: Any, calls: tuple[ToolCall, ...], **options: Any) -> bool:
    return tool_calls(**options)(trace=Trace(output=output), expected=calls) is True


def _acted(row: dict[str, Any], calls: tuple[ToolCall, ...]) -> bool:
    return _passes({"messages": row["trajectory"]}, calls, order="subset")
