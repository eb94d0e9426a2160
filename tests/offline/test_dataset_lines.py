"""Every kind of bad line, with the exact words."""

import json
from pathlib import Path
from typing import Any

import pytest

from gatewatch.offline.dataset import open_dataset
from offline.making import problems, write

NOT_JSON = "(one JSON object a line)"
AS_UTF8 = "(save the file as UTF-8)"
ONE_OF_TWO = "(keep one of the two)"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(*lines: str | bytes) -> list[str]:
    return problems(lambda: open_dataset(write(Path("d.jsonl"), *lines)))


def message(*messages: Any, **more: Any) -> str:
    return json.dumps({"input": {"messages": list(messages), **more}})


# a line, everything that is said of it
BAD_LINES: dict[str, tuple[str | bytes, list[str]]] = {
    "cut": ('{"input": "x"', [f"d.jsonl:1:14: not JSON: Expecting ',' delimiter {NOT_JSON}"]),
    "no value": ('{"input": }', [f"d.jsonl:1:11: not JSON: Expecting value {NOT_JSON}"]),
    "two objects": ('{"input": "x"} {"input": "y"}', [f"d.jsonl:1:16: not JSON: Extra data {NOT_JSON}"]),
    "single quotes": (
        "{'input': 'x'}",
        [f"d.jsonl:1:2: not JSON: Expecting property name enclosed in double quotes {NOT_JSON}"],
    ),
    "a bare tab": ('{"input": "a\tb"}', [f"d.jsonl:1:13: not JSON: Invalid control character at {NOT_JSON}"]),
    "a bare NUL": (b'{"input": "a\x00b"}', [f"d.jsonl:1:13: not JSON: Invalid control character at {NOT_JSON}"]),
    "NaN": ('{"input": {"a": NaN}}', [f"d.jsonl:1: not JSON: NaN is not JSON {NOT_JSON}"]),
    "infinity": (
        '{"input": "x", "meta": {"a": -Infinity}}',
        [f"d.jsonl:1: not JSON: -Infinity is not JSON {NOT_JSON}"],
    ),
    "infinite in the end": ('{"input": {"a": 1e999}}', [f"d.jsonl:1: not JSON: 1e999 is out of range {NOT_JSON}"]),
    "a list": ("[1]", [f"d.jsonl:1: expected a JSON object, got list {NOT_JSON}"]),
    "text": ('"x"', [f"d.jsonl:1: expected a JSON object, got str {NOT_JSON}"]),
    "null": ("null", [f"d.jsonl:1: expected a JSON object, got NoneType {NOT_JSON}"]),
    "no input": ('{"id": "a"}', ["d.jsonl:1: input: missing"]),
    "a wrong field and then no JSON": (
        '{"id": 5, "input": }',
        [f"d.jsonl:1:20: not JSON: Expecting value {NOT_JSON}"],
    ),
    "a wrong field and then no UTF-8": (
        b'{"id": 5, "input": "caf\xe9"}',
        [f"d.jsonl:1: not UTF-8 at byte 23 {AS_UTF8}"],
    ),
    "wrong types, all at once": (
        json.dumps(
            {"id": 5, "input": 3, "tags": "a", "must_pass": "yes", "tier": "daily", "scorers": [1, "a", 2], "meta": []}
        ),
        [
            "d.jsonl:1: id: expected text, got a whole number",
            "d.jsonl:1: input: expected text or a table, got a whole number",
            "d.jsonl:1: tags: expected a list, got text",
            "d.jsonl:1: must_pass: expected true or false, got text",
            "d.jsonl:1: tier: 'daily' is not known (one of pr, nightly)",
            "d.jsonl:1: scorers[0]: expected text, got a whole number",
            "d.jsonl:1: scorers[2]: expected text, got a whole number",
            "d.jsonl:1: meta: expected a table, got a list",
        ],
    ),
    "unknown fields": (
        '{"input": "x", "expectd": "y", "zzz": 1}',
        [
            'd.jsonl:1: expectd: unknown field (did you mean "expected"?)',
            "d.jsonl:1: zzz: unknown field (known: cluster, context, expected, id, input, meta, must_pass, open, "
            "provenance, retired, scorers, slice, tags, tier)",
        ],
    ),
    "unknown fields further in": (
        '{"input": "x", "expected": {"anwser": "y", "tool_calls": [{"nam": "f"}]}}',
        [
            'd.jsonl:1: expected.anwser: unknown field (did you mean "answer"?)',
            'd.jsonl:1: expected.tool_calls[0].nam: unknown field (did you mean "name"?)',
            "d.jsonl:1: expected.tool_calls[0].name: missing",
        ],
    ),
    "nothing expected": (
        '{"input": "x", "expected": {}}',
        ["d.jsonl:1: expected: is an empty object (leave it out, or say what is expected)"],
    ),
    "no argument": (
        '{"input": {}}',
        ["d.jsonl:1: input: an object without any argument (name the task's arguments)"],
    ),
    "an id that cannot be shown": (
        json.dumps({"id": "a\u202eb", "input": "x"}),
        ["d.jsonl:1: id: has a character that cannot be shown (ids are shown in tables)"],
    ),
    "a field twice": (
        '{"input": "a", "input": "b"}',
        ["d.jsonl:1: the field 'input' is given twice in one object (keep one of the two)"],
    ),
    "a field twice, the first of the wrong type": (
        '{"input": 5, "input": "b"}',
        ["d.jsonl:1: the field 'input' is given twice in one object (keep one of the two)"],
    ),
    "a field twice, once escaped": (
        '{"input": "a", "\\u0069nput": "b"}',
        ["d.jsonl:1: the field 'input' is given twice in one object (keep one of the two)"],
    ),
    "a field twice, further in": (
        '{"input": "a", "meta": {"x": [{"k": 1, "j": {}, "k": 1}]}}',
        ["d.jsonl:1: the field 'k' is given twice in one object (keep one of the two)"],
    ),
    "a field twice, beside escaped quotes": (
        '{"input": "a \\"b\\" c", "meta": {"x": "\\"", "x": "\\"\\""}}',
        ["d.jsonl:1: the field 'x' is given twice in one object (keep one of the two)"],
    ),
    "a field twice, beside quotes by number": (
        '{"input": "\\u0022\\u0022", "meta": {"x": 1, "x": 2}}',
        ["d.jsonl:1: the field 'x' is given twice in one object (keep one of the two)"],
    ),
    "a field twice, with a lone surrogate": (
        '{"input": "\\ud800", "meta": {"x": 1, "x": 2}}',
        ["d.jsonl:1: the field 'x' is given twice in one object (keep one of the two)"],
    ),
    "messages that are none": (
        '{"input": {"messages": []}}',
        ['d.jsonl:1: input.messages: expected a list of messages (each is {"role": "user", "content": "..."})'],
    ),
    "messages without a role": (
        message("hello", {"content": "x"}, {"role": "bot", "content": "x"}),
        [
            "d.jsonl:1: input.messages[0]: expected an object with role and content",
            "d.jsonl:1: input.messages[1]: expected an object with role and content",
            "d.jsonl:1: input.messages[2].role: unknown role 'bot' (one of system, developer, user, assistant, tool)",
        ],
    ),
    "assistant turns": (
        message({"role": "user", "content": "x"}, assistant="redone"),
        ['d.jsonl:1: input.assistant: \'redone\' is not known (say "fixed" or "regenerated")'],
    ),
    "nobody to answer": (
        message({"role": "system", "content": "x"}, assistant="regenerated"),
        ["d.jsonl:1: input.messages: no user turn to answer (a regenerated conversation needs one)"],
    ),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_told_with_file_line_field_and_what_to_do(name: str) -> None:
    line, said = BAD_LINES[name]
    assert refused(line) == said


def test_all_bad_lines_are_told_at_once_in_order() -> None:
    lines = ['{"input": "good"}', "", *(line for line, _ in BAD_LINES.values())]
    expected = [
        each.replace("d.jsonl:1", f"d.jsonl:{number}", 1)
        for number, (_, said) in enumerate(BAD_LINES.values(), start=3)
        for each in said
    ]
    # Bytes count from the start of the file (see test_dataset.py), so that those words differ.
    assert [line for line in refused(*lines) if "UTF-8" not in line] == [
        line for line in expected if "UTF-8" not in line
    ]


def test_more_than_fifty_problems_are_counted() -> None:
    said = refused(*["{}"] * 60)
    assert len(said) == 51
    assert said[0] == "d.jsonl:1: input: missing"
    assert said[-1] == "... and 10 more"


@pytest.mark.parametrize("brackets", [101, 500, 985, 990, 100_000])
def test_deep_nesting_is_a_bad_line_and_no_crash(brackets: int) -> None:
    (said,) = refused('{"input": {"a": ' + "[" * brackets + "]" * brackets + "}}")
    assert said.startswith(
        (
            "d.jsonl:1: not JSON: nested more than 100 deep, or a cycle, at $.input.a[0]",
            "d.jsonl:1: not JSON: maximum recursion depth exceeded",
        )
    )


@pytest.mark.parametrize("brackets", [500, 990, 100_000])
def test_brackets_that_are_never_closed(brackets: int) -> None:
    (said,) = refused('{"input": {"a": ' + "[" * brackets)
    assert said.startswith("d.jsonl:1:")
    assert "not JSON: " in said


def test_brackets_in_text_are_no_nesting() -> None:
    assert open_dataset(write(Path("d.jsonl"), json.dumps({"input": "[" * 5000})))[0].input == "[" * 5000
