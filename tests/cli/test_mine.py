"""`gatewatch mine`: what it lists, how failures are left alone and looked at again; nothing steers a terminal."""

import json
from pathlib import Path

import pytest

from cli.building import run
from cli.labelling import the_store
from cli.traffic import TOML, answered, project, spooling
from gatewatch.cli.failure_text import lines_of
from gatewatch.cli.terminal import who
from gatewatch.core.review import Label

SUITE = """
[suites.main]
dataset = "cases.jsonl"
task = "app:answer"
scorers = ["polite"]
"""
CASES = '{"id": "one", "input": "q1"}\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A project in which 6 of 12 answers are impolite."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    folder = project(tmp_path, TOML.replace('"polite", sample = 0.3', '"polite"') + SUITE)
    (folder / "cases.jsonl").write_text(CASES)
    with spooling(folder):
        for number in range(12):
            answered(number, output="yes please" if number % 2 else "no \x1b[2J##vso[task]")
    assert run(capsys, "work", "--once")[0] == 0
    return folder


def test_failures_are_listed_with_their_share(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "mine", "support")
    assert code == 0
    assert out.startswith("F1   new        score:polite: ")
    assert "6 conversations · 50.0% [" in out and "] of traffic · severity 0.8 · dataset: " in out
    assert "12 conversations of 7 days · held against 1 case\nnext: gatewatch show F1, gatewatch label\n" in out
    code, out, _ = run(capsys, "mine", "support", "--json")
    told = json.loads(out)
    (failure,) = told["failures"]
    assert (told["kind"], told["version"], told["conversations"], told["cases"]) == ("gatewatch.failures", 1, 12, 1)
    assert (failure["failure"], failure["n"], failure["share"], failure["state"]) == ("F1", 6, 0.5, "new")
    assert failure["low"] < 0.5 < failure["high"] and failure["impact"] == failure["share"] * failure["severity"]


def test_a_failure_is_left_alone_with_a_reason_and_looked_at_again(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "mine", "support")
    assert run(capsys, "mine", "support", "--ignore", "F1")[0] == 2
    assert run(capsys, "mine", "support", "--assign", "F1", "--owner", "mia")[1] == "F1 is new, mia sees to it\n"
    code, out, _ = run(capsys, "mine", "support", "--ignore", "f1", "--reason", "as it \x1b[1mshould be")
    assert (code, out) == (0, "F1 is ignored, mia sees to it\n")
    code, out, _ = run(capsys, "mine", "support")
    assert "nothing goes wrong in support" in out and "1 ignored" in out
    _, out, _ = run(capsys, "mine", "support", "--list")
    assert f"F1 is ignored by {who()}: as it " in out and "\x1b" not in out
    assert run(capsys, "mine", "support", "--reopen", "F1")[:2] == (0, "F1 is new, mia sees to it\n")
    code, _, err = run(capsys, "mine", "support", "--reopen", "F1")
    assert code == 2 and "F1: is new: only what is ignored is looked at again" in err
    with the_store(here) as store:
        noted = [(each.action, each.what) for each in reversed(store.audit(0.0, 100))]
        store.turn_failure(1, "fixed", who="mia", reason="", now=1.0)
    assert noted[:3] == [("mined", "support"), ("failure new", "F1"), ("failure ignored", "F1")]
    code, _, err = run(capsys, "mine", "support", "--assign", "F1", "--owner", "bo")
    assert code == 2 and "F1: is fixed" in err


def test_what_cannot_be_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (("suport",), "there is no such flow"),
        (("support", "--suite", "mian"), "there is no such suite"),
        (("support", "--ignore", "F7", "--reason", "x"), "there is no such failure of support"),
        (("support", "--ignore", "seven", "--reason", "x"), "there is no such failure of support"),
        (("support", "--list", "--reopen", "F1"), "give one of"),
        (("support", "--reason", "x"), "are for --ignore"),
        (("support", "--assign", "F1"), "--assign needs an --owner"),
    ):
        code, out, err = run(capsys, "mine", *words)
        assert (code, out) == (2, "") and said in err, words


def test_all_that_is_known_of_a_failure_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "mine", "support", "--suite", "main")
    with the_store(here) as store:
        store.label(Label(item=1, by="ana", at=2.0, value=0.0, expected="yes please", comment="rude"), 2.0)
        failure = store.failure(1)
        assert failure is not None
        told = list(lines_of(failure, store))
    facts = dict(told)
    assert facts["found by"] == "score:polite" and facts["of traffic"].startswith("50.0% [")
    assert facts["slices"] == "even 6" and "I1" in facts
    assert ("  label", "0 by ana · expected: yes please · rude") in told
    assert facts["  asked"].startswith("q") and facts["  answered"].startswith("no ")


def test_before_anything_was_mined(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing was mined yet" in run(capsys, "mine", "support", "--list")[1]
