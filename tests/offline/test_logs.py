"""Reading logs whose columns may be called anything, and whose lines may be anything."""

import json
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.errors import InputError, Problem
from gatewatch.offline.logs import LogLine, columns_of, read_log


def write(path: Path, records: list[Any]) -> Path:
    lines = (record if isinstance(record, str) else json.dumps(record) for record in records)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def only_line(path: Path) -> LogLine:
    (found,) = read_log(path, columns_of(path))
    assert isinstance(found, LogLine), found
    return found


def problems(path: Path) -> list[str]:
    return [str(each) for each in read_log(path, columns_of(path)) if isinstance(each, Problem)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("id,question,answer", "input from 'question', output from 'answer'"),
        ("Prompt,Completion,Intent", "input from 'Prompt', output from 'Completion', slice from 'Intent'"),
        ("userMessage,botResponse", "input from 'userMessage', output from 'botResponse'"),
        ("text,query,route,flow", "input from 'query', slice from 'flow'"),
        (
            "user input,session-id,thumbs,latency_ms",
            "input from 'user input', session from 'session-id', signals from 'thumbs', 'latency_ms'",
        ),
    ],
)
def test_columns_are_known_by_their_names(tmp_path: Path, header: str, expected: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(header + "\n")
    with pytest.raises(InputError, match="is empty"):
        columns_of(path)
    path.write_text(f"{header}\n{','.join('x' for _ in header.split(','))}\n")
    assert str(columns_of(path)) == expected


@pytest.mark.parametrize(
    ("name", "content", "given", "message"),
    [
        ("log.txt", "a", "", "log.txt: is neither JSON lines nor CSV (a log ends in .csv, .tsv, .jsonl, .ndjson)"),
        ("log.csv", None, "", "log.csv: no such file"),
        ("log.jsonl", "", "", "log.jsonl: is empty"),
        (
            "log.csv",
            "when,questoin\n1,a\n",
            "",
            "log.csv: no column is known to hold what users asked "
            "(did you mean 'questoin'? name the column with --input COLUMN: when, questoin)",
        ),
        ("log.csv", "when,asked\n1,a\n", "aksed", "log.csv: there is no column 'aksed' (did you mean \"asked\"?)"),
        ("log.jsonl", "nothing\n", "", "log.jsonl:1:1: not JSON: Expecting value"),
    ],
)
def test_a_log_without_an_input_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str | None, given: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path(name).write_text(content)
    with pytest.raises(InputError) as caught:
        columns_of(Path(name), given=given)
    assert str(caught.value) == message


def test_bad_json_lines_are_told_with_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("log.jsonl")
    good = b'{"question": "a"}\n'
    path.write_bytes(good + b'\n{"question": 3}\n[1]\n{"question": "\xff"}\n{"question": "b"\n{"other": 1}\n' + good)
    assert problems(path) == [
        "log.jsonl:3: question: expected text, got int",
        "log.jsonl:4: not a JSON object: Expected `object`, got `array`",
        "log.jsonl:5: not UTF-8",
        "log.jsonl:6:1: not JSON: Expecting ',' delimiter",
        "log.jsonl:7: question: expected text, got nothing",
    ]


def test_bad_csv_lines_are_told_with_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("log.csv")
    path.write_bytes(b'question;answer\n"two\nlines";x\nonly one\n  ;x\n\nb\xe4d;x\nlast;x\n')
    assert problems(path) == [
        "log.csv:4: 1 cells, but the header names 2 columns",
        "log.csv:5: question is empty",
        "log.csv:7: not UTF-8",
    ]
    found = [each for each in read_log(path, columns_of(path)) if isinstance(each, LogLine)]
    assert [(line.number, line.input) for line in found] == [(2, "two\nlines"), (8, "last")]


USER, BOT = {"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes."}


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_conversation_ends_with_its_last_question(tmp_path: Path, as_text: bool, wrapped: bool) -> None:
    given: Any = [USER, BOT, USER, BOT]
    given = {"messages": given} if wrapped else given
    line = only_line(write(tmp_path / "log.jsonl", [{"messages": json.dumps(given) if as_text else given}]))
    assert line.input == {"messages": [USER, BOT, USER]}
    assert line.output == "Yes."
    assert line.text == "Hello?\nYes.\nHello?"


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([BOT], "messages: no message of a user"),
        ([], "messages: no message of a user"),
        (["Hello?"], "messages: expected messages with role and content"),
    ],
)
def test_what_is_no_conversation_is_told(tmp_path: Path, messages: list[Any], message: str) -> None:
    assert problems(write(tmp_path / "log.jsonl", [{"messages": messages}]))[0].endswith(message)


@pytest.mark.parametrize(
    ("signals", "flagged"),
    [
        ({"thumbs": "up"}, False),
        ({"thumbs": "down"}, True),
        ({"thumbs": -1}, True),
        ({"thumbs": 0}, False),
        ({"feedback": "👎"}, True),
        ({"error": None}, False),
        ({"error": "none"}, False),
        ({"error": "timed out"}, True),
        ({"status": 200}, False),
        ({"status": 503}, True),
        ({"status": "error"}, True),
        ({"escalated": True}, True),
        ({"latency_ms": 40_000}, False),
    ],
)
def test_signals_tell_what_went_wrong(tmp_path: Path, signals: dict[str, Any], flagged: bool) -> None:
    assert only_line(write(tmp_path / "log.jsonl", [{"question": "a", **signals}])).flagged is flagged
