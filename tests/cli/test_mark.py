"""`gatewatch mark`: what was changed, and when."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from cli.building import run
from cli.traffic import project
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.clock import wall


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return project(tmp_path)


def test_a_deploy_is_noted_now_or_when_it_was(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "mark", "support", "prompt 4")
    assert code == 0
    assert out.startswith("marker 1 on support at 20")
    _, out, _ = run(capsys, "mark", "--all", "model gpt-5-mini", "--at", "2h", "--json")
    told = json.loads(out)["mark"]
    assert (told["flow"], told["what"], told["accepted"]) == ("", "model gpt-5-mini", False)
    assert wall() - 7300 < told["at"] < wall() - 7100
    _, out, _ = run(capsys, "mark", "support", "index", "--at", "2026-01-02T03:04:05Z")
    assert out == "marker 3 on support at 2026-01-02 03:04\n"


def test_what_comes_after_is_accepted_with_a_reason(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("mark", "support", "shorter answers", "--accept", "--reason", "asked for by users")
    _, out, _ = run(capsys, *words)
    assert out.endswith(": what comes after is the new reference. Until it is learnt, only limits are watched\n")
    with closing(store_of(Project.open(here))) as store:
        (kept,) = store.markers("support")
        (noted,) = store.audit(0.0, 5)
    assert (kept.accepted, kept.reason, kept.who) == (True, "asked for by users", noted.who)
    assert (noted.action, noted.what) == ("mark", "1 support accepted")


def test_markers_are_listed_newest_first(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "mark", "--list")[1].startswith("there is no marker")
    run(capsys, "mark", "support", "first", "--at", "2h")
    run(capsys, "mark", "--all", "second", "--accept", "--reason", "it is better")
    _, out, _ = run(capsys, "mark", "--list", "support")
    head, newer, older = out.splitlines()
    assert head.split() == ["id", "at", "(UTC)", "flow", "what", "by"]
    assert "second" in newer
    assert newer.endswith("accepted: it is better")
    assert "first" in older
    assert [each["what"] for each in json.loads(run(capsys, "mark", "--list", "--json")[1])["marks"]] == [
        "first",
        "second",
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("support",), "give FLOW and WHAT"),
        (("support", "a", "b"), "give FLOW and WHAT"),
        (("--all", "support", "a"), "give FLOW and WHAT"),
        (("support", " "), "give FLOW and WHAT"),
        (("suport", "a"), 'there is no such flow (did you mean "support"?)'),
        (("support", "a", "--accept"), "--accept needs a --reason"),
        (("support", "a", "--at", "soon"), "expected how long ago"),
        (("support", "a", "--at", "2999-01-01"), "is not in the past"),
        (("support", "a", "--at", "2999-01-01", "--accept", "--reason", "x"), "is not in the past"),
        (("support", "a", "--at", "1700-01-01"), "is before 1970"),
        (("support", "x" * 500), "is longer than 400 letters"),
    ],
)
def test_what_cannot_be_noted_is_said(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    code, _, err = run(capsys, "mark", *words)
    assert code == 2
    assert says in err
