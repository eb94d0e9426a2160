"""`gatewatch rebaseline` and `gatewatch show` of what it closes, as they are called."""

import json
from pathlib import Path

import pytest

from cli.building import run
from config.building import gatewatch, one
from config.test_rebaselining import BUG, FIX, WORSE, failing, project, version


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def said(folder: Path, *words: str) -> tuple[int, str, str]:
    """A command in a process of its own, as modules that changed are imported once in each."""
    done = gatewatch(folder, *words, environment={"COLUMNS": "160"})
    return done.returncode, done.stdout, done.stderr


def test_what_it_says(tmp_path: Path) -> None:
    folder = version(project(tmp_path), FIX)
    failing(folder)
    code, out, err = said(folder, "rebaseline", "main", "--reason", "low voices", "--by", "mia", "--plain")
    assert code == 0, err
    assert "1 promoted case that may fail: 1 passes now (locks at the next `gatewatch rebaseline`)" in out
    assert "is the baseline, 21 cases of it" in out
    assert "  reason    low voices\n" in out
    assert "  fixed     x1  cases.jsonl:21: 3 of 3 passed, must pass from now on\n" in out
    assert "  closed    F1: all of its cases pass; if it comes back live it is opened again\n" in out
    assert "Have it reviewed, and commit it: baselines/main.jsonl cases.jsonl\n" in out
    assert "1 open case passed: it is tried again" in err
    version(folder, BUG)
    code, out, err = said(folder, "gate", "main", "--plain")
    assert code == 1
    assert "must-pass case x1 failed three times of three (exact)" in out


def test_json(tmp_path: Path) -> None:
    folder = version(project(tmp_path), FIX)
    failing(folder)
    code, out, _ = said(folder, "rebaseline", "main", "--reason", "low voices", "--json")
    found = json.loads(out)
    assert code == 0
    assert list(found) == [
        *("kind", "version", "suite", "run", "reason", "refused", "verdict", "baseline", "locked", "open", "fixed"),
        *("change", "cost", "notes"),
    ]
    assert (found["kind"], found["version"], found["fixed"]) == ("gatewatch.rebaseline", 1, ["F1"])
    assert found["locked"] == [{"id": "x1", "place": "cases.jsonl:21"}]
    assert found["verdict"]["kind"] == "gatewatch.verdict"
    assert found["baseline"]["lines"] == 21


def test_refused(tmp_path: Path) -> None:
    folder = version(project(tmp_path), WORSE)
    code, out, err = said(folder, "rebaseline", "main", "--reason", "so", "--plain")
    assert (code, "is the baseline" in out) == (1, False)
    assert "not pinned: it is worse than the baseline so far" in err
    again = next(line for line in err.splitlines() if "gatewatch rebaseline" in line)
    words = again.partition("gatewatch ")[2].replace('"..."', "so").split()
    code, out, _ = said(folder, *words, "--json")
    found = json.loads(out)
    assert (code, found["refused"]) == (0, "")
    assert found["reason"].startswith("so (even so: REGRESSED, ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["main"], "Missing option '--reason'"),
        (["main", "--reason", " "], "--reason is empty"),
        (["main", "--reason", "x", "--run", "latest", "--task", "app:answer"], "leave out --task"),
        (["nain", "--reason", "x"], "there is no [suites.nain]"),
        (["main", "--reason", "x", "--run", "nothing"], "no such run"),
    ],
)
def test_wrong_usage(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(project(tmp_path))
    code, out, err = run(capsys, "rebaseline", *words)
    assert (code, out) == (2, "")
    assert said in err


class TestShow:
    def test_a_case(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(project(tmp_path))
        one(tmp_path)
        code, out, err = run(capsys, "show", "x1")
        assert (code, err) == (0, "")
        lines = out.splitlines()
        assert lines[0] == "case x1"
        assert lines[1].split() == ["trace", "t1"]
        assert any(line.split()[:2] == ["case", "x1"] and "open until 2999-01-01" in line for line in lines)
        assert any(line.split()[0] == "run" and line.endswith("exact 0") for line in lines)
        assert lines[-1] == "  not here: the baseline of main does not have it yet"

    def test_json(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(project(tmp_path))
        failing(tmp_path, brings=())
        code, out, _ = run(capsys, "show", "F1", "--json")
        found = json.loads(out)
        assert (code, found["kind"], found["of"], found["name"]) == (0, "gatewatch.chain", "failure", "F1")
        assert set(found["links"][0]) == {"step", "name", "at", "by", "said"}
        assert (found["failure"]["failure"], found["failure"]["sign"]) == ("F1", "thumbs_down")
        code, out, _ = run(capsys, "show", "f1")
        lines = out.splitlines()
        assert (code, lines[0].split()[0], lines[1].split()[:2]) == (0, "F1", ["state", "promoted,"])
        assert next(line.split()[0] for line in lines if line.startswith("  ")) == "case"

    def test_a_run_goes_first_and_that_is_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(project(tmp_path))
        one(tmp_path, label="x1")
        code, out, err = run(capsys, "show", "x1")
        assert (code, err) == (0, "! x1 is a case, too: --as case shows that\n")
        assert out.startswith("main-x1-")
        code, out, err = run(capsys, "show", "x1", "--as", "case")
        assert (code, out.splitlines()[0], err) == (0, "case x1", "")
        code, out, err = run(capsys, "show", "x1", "--as", "run")
        assert (code, out.startswith("main-x1-"), err) == (0, True, "")

    def test_what_nobody_knows(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(project(tmp_path))
        code, _, err = run(capsys, "show", "nothing")
        assert (code, "no such run" in err) == (2, True)
        code, _, err = run(capsys, "show", "F7")
        assert (code, "there is no store here" in err) == (2, True)
        code, _, err = run(capsys, "show", "x1", "--rows")
        assert (code, "are of runs" in err) == (2, True)
