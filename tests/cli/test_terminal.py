"""What commands print with."""

import json
import os

import pytest

from gatewatch.cli.terminal import counted, only_json, print_json, shown, who
from gatewatch.core.case import Case

STEERING = "\x1b[31mred\x07 \x9b2J \u202eleft\u2066 \u200bhidden\ufeff \x7f"


@pytest.mark.parametrize(
    "value",
    [
        {"a": STEERING},
        {"a": "half \ud800 of a pair", "b": ["\udfff"]},
        {"a": "ünï, 日本, 😀, \n\t\r"},
        {"a": [1, 0.1, None, True, {}], "b": Case(id="x", input="y")},
    ],
)
def test_json_is_the_value_and_plain_to_see(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    print_json(value)
    printed = capsys.readouterr().out
    found = json.loads(printed)
    if isinstance(value, dict) and isinstance(value.get("b"), Case):
        assert found == {"a": [1, 0.1, None, True, {}], "b": {"id": "x", "input": "y"}}
    else:
        assert found == value
    assert all(letter.isprintable() or letter == "\n" for letter in printed)


def test_what_a_project_prints_is_kept_from_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    with only_json(True):
        print("a project's own words")
    with only_json(False):
        print("said")
    assert capsys.readouterr() == ("said\n", "a project's own words\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one\ntwo", "one\ntwo"),
        (STEERING, "[31mred 2J left hidden "),
        ("a\tb\rc", "a b c"),
        (ValueError("[red]not markup[/red]"), "[red]not markup[/red]"),
    ],
)
def test_a_message_does_not_steer_a_terminal(text: object, said: str) -> None:
    assert shown(text) == said


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 errors"), (1, "1 error"), (2, "2 errors"), (12345, "12,345 errors")]
)
def test_numbers_and_nouns(number: int, said: str) -> None:
    assert counted(number, "error") == said


def test_who_calls_is_told_where_the_account_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
    assert who() == "uid 4000000000"
    monkeypatch.setenv("LOGNAME", "ana")
    assert who() == "ana"
