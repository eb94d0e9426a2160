import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.money import Cost
from gatewatch.core.trace import Fault, Span, Trace, Usage
from gatewatch.offline.tasks.replay import ReplayTask
from offline.making import EXACT, problems, run, text_cases, write

NOT_JSON = "(one JSON object a line)"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def opened(*lines: str | bytes) -> ReplayTask:
    return ReplayTask(write(Path("r.jsonl"), *lines))


def answered(task: ReplayTask, case: str = "a", trial: int = 0) -> Trace:
    return asyncio.run(task.answer(Case(id=case, input="x"), trial))


def test_all_that_can_be_recorded() -> None:
    line = {
        "id": "a",
        "output": {"content": None, "tool_calls": [{"name": "f"}]},
        "context": ["p"],
        "usage": {"input_tokens": 10, "output_tokens": 2},
        "cost": 0.5,
        "latency_s": 1.5,
        "spans": [{"name": "s", "kind": "llm", "model": "m"}],
        "versions": {"prompt": "v1"},
    }
    task = opened(json.dumps(line))
    assert answered(task) == Trace(
        output=line["output"],
        context=("p",),
        usage=Usage(10, 2),
        cost=Cost(0.5),
        latency_s=1.5,
        spans=(Span(name="s", kind="llm", model="m"),),
        versions={"prompt": "v1"},
    )
    assert (task.spec, task.trials, task.timed) == ("replay:r.jsonl", 1, False)


def test_outputs_of_nothing_and_errors() -> None:
    task = opened('{"id": "a", "output": null}', '{"id": "b", "error": "no"}', '{"id": "c", "output": 1, "error": "x"}')
    assert answered(task, "a") == Trace()
    assert answered(task, "b") == Trace(error=Fault("no"))
    assert answered(task, "c") == Trace(output=1, error=Fault("x"))


def test_trials() -> None:
    task = opened(*(json.dumps({"id": name, "trial": n, "output": f"{name}{n}"}) for n in (1, 0) for name in "ab"))
    assert task.trials == 2
    assert [answered(task, name, n).output for name in "ab" for n in (0, 1)] == ["a0", "a1", "b0", "b1"]


def test_a_case_without_an_output_is_a_flaw() -> None:
    task = opened('{"id": "a", "output": "x"}', '{"id": "b", "output": "x"}', '{"id": "b", "trial": 1, "output": "y"}')
    a, b, c = (Case(id=name, input="x") for name in "abc")
    assert task.flaw(a, 1) == task.flaw(b, 2) == ""
    assert task.flaw(c, 1) == "r.jsonl has no output for case 'c'"
    assert task.flaw(a, 2) == "r.jsonl has no output for case 'a', trial 1"


def test_a_byte_order_mark_windows_line_ends_and_blank_lines_are_fine() -> None:
    Path("r.jsonl").write_bytes(b'\xef\xbb\xbf{"id": "a", "output": "x"}\r\n\r\n{"id": "b", "output": "y"}')
    task = ReplayTask(Path("r.jsonl"), "replay:mine")
    assert [answered(task, name).output for name in "ab"] == ["x", "y"]
    assert task.spec == "replay:mine"


def test_any_text_comes_back_as_it_was() -> None:
    text = 'é \ud800 \u202e "q"\n\x00'
    assert answered(opened(json.dumps({"id": "a", "output": {text: text}}))).output == {text: text}


BAD: dict[str, tuple[str | bytes, list[str]]] = {
    "no JSON": (
        '{"id": "a", "output": }',
        [f"r.jsonl:1:23: not JSON: Expecting value {NOT_JSON}"],
    ),
    "NaN": ('{"id": "a", "output": NaN}', [f"r.jsonl:1: not JSON: NaN is not JSON {NOT_JSON}"]),
    "out of range": ('{"id": "a", "output": 1e999}', [f"r.jsonl:1: not JSON: 1e999 is out of range {NOT_JSON}"]),
    "no object": ("[1]", ["r.jsonl:1: expected a table, got a list"]),
    "no id": ('{"output": "x"}', ["r.jsonl:1: id: missing"]),
    "neither output nor error": (
        '{"id": "a"}',
        ['r.jsonl:1: neither output nor error (say {"output": null} when the output was nothing)'],
    ),
    "an error that is none": (
        '{"id": "a", "error": null}',
        ['r.jsonl:1: neither output nor error (say {"output": null} when the output was nothing)'],
    ),
    "wrong types, all at once": (
        '{"id": 1, "output": "x", "trial": "0", "usage": {"input_tokens": "3"}, "spans": [{"kind": "x"}], '
        '"latency": 1}',
        [
            'r.jsonl:1: latency: unknown field (did you mean "latency_s"?)',
            "r.jsonl:1: usage.input_tokens: expected a whole number, got text",
            "r.jsonl:1: spans[0].name: missing",
            "r.jsonl:1: spans[0].kind: 'x' is not known (one of llm, tool, retrieval, step)",
            "r.jsonl:1: id: expected text, got a whole number",
            "r.jsonl:1: trial: expected a whole number, got text",
        ],
    ),
    "a trial below nought": (
        '{"id": "a", "output": "x", "trial": -1}',
        ["r.jsonl:1: trial: must be 0 or more, got -1"],
    ),
    "a field twice": (
        '{"id": "a", "output": "x", "output": "y"}',
        ["r.jsonl:1: the field 'output' is given twice in one object (keep one of the two)"],
    ),
    "a field twice, the first of the wrong type": (
        '{"id": 5, "id": "a", "output": "y"}',
        ["r.jsonl:1: the field 'id' is given twice in one object (keep one of the two)"],
    ),
    "a wrong field and then no JSON": (
        '{"id": 5, "output": }',
        [f"r.jsonl:1:21: not JSON: Expecting value {NOT_JSON}"],
    ),
    "Latin-1": (
        b'{"id": "a", "output": "caf\xe9"}',
        ["r.jsonl:1: not UTF-8 at byte 26 of the line (save the file as UTF-8)"],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line(name: str) -> None:
    line, said = BAD[name]
    assert sorted(problems(lambda: opened(line))) == sorted(said)


def test_all_bad_lines_are_told_at_once() -> None:
    lines = [line for line, _ in BAD.values()]
    said = [each.replace(":1:", f":{number}:", 1) for number, (_, all_) in enumerate(BAD.values(), 2) for each in all_]
    assert sorted(problems(lambda: opened('{"id": "good", "output": "x"}', *lines))) == sorted(said)


def test_an_output_given_twice() -> None:
    again = 'number repeated outputs of a case with "trial": 0, 1, ...'
    assert problems(lambda: opened('{"id": "a", "output": "x"}', "", '{"id": "a", "output": "y"}')) == [
        f"r.jsonl:3: id 'a', trial 0 is given in line 1 already ({again})"
    ]


@pytest.mark.parametrize("data", [b"", b"\n \n"])
def test_an_empty_file(data: bytes) -> None:
    Path("r.jsonl").write_bytes(data)
    assert problems(lambda: ReplayTask(Path("r.jsonl"))) == [
        'r.jsonl: no outputs (write one object a line: {"id": "...", "output": "..."})'
    ]


def test_no_file() -> None:
    assert problems(lambda: ReplayTask(Path("none.jsonl"))) == ["none.jsonl: cannot be read: No such file or directory"]


@pytest.mark.parametrize("brackets", [200, 985, 100_000])
def test_deep_nesting_is_a_bad_line_and_no_crash(brackets: int) -> None:
    (said,) = problems(lambda: opened('{"id": "a", "output": ' + "[" * brackets + "]" * brackets + "}"))
    assert said.startswith(("r.jsonl:1: not JSON: nested more than 100 deep", "r.jsonl:1: not JSON: maximum recursion"))


def test_a_file_that_is_replaced_stays_as_it_was_opened() -> None:
    task = opened('{"id": "a", "output": "x"}')
    write(Path("new.jsonl"), '{"id": "a", "output": "another"}').replace("r.jsonl")
    assert answered(task).output == "x"


def test_nothing_is_called_or_timed_in_a_run(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {"id": "c0", "output": "right", "latency_s": 2.5, "usage": {"input_tokens": 7}},
        {"id": "c1", "output": "wrong"},
        {"id": "c2", "error": "it crashed", "cost": 0.5},
        {"id": "beyond the dataset", "output": "x"},
    ]
    task = opened(*map(json.dumps, lines))
    result = run(tmp_path, task, text_cases(3, expected="right"), [EXACT])
    summary = result.summary
    assert summary.scorers["exact"].figure.mean == 1 / 3
    assert summary.states == {"scored": 2, "task_error": 1}
    assert (summary.timed, summary.latency_s["p50"]) == (1, 2.5)
    assert summary.task_tokens.input_tokens == 7
    assert summary.task_cost == Cost(0.5, unknown=2)
