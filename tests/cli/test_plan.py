"""`gatewatch plan --monitor`: how soon a fall of live scores is seen, at which rate, for how much money."""

import json
from pathlib import Path

import pytest

from cli.building import run
from cli.traffic import project, traffic


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return project(tmp_path)


def test_a_table_by_rate(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here, 300)
    run(capsys, "work", "--once")
    code, out, _ = run(capsys, "plan", "--monitor", "support", "--drop", "20pp", "--within", "7d")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("What the monitor support sees: a fall of 20 points, with one false alarm in 90 days by")
    assert any(line.startswith("polite  ") and "conversations a day" in line for line in lines)
    assert sum(line == "! by the traffic of 1 h: days of a week differ, so ask again after one" for line in lines) == 2
    heads = [line for line in lines if line.startswith("rate ")]
    assert heads[0].split() == [
        "rate",
        "scored",
        "a",
        "day",
        "tolerance",
        "seen",
        "in",
        "half",
        "in",
        "9",
        "of",
        "10",
        "a",
        "day",
    ]
    assert all(len(line) <= 80 for line in lines[1:])
    assert sum(line.rstrip().endswith("today") for line in lines) == 2
    found = json.loads(run(capsys, "plan", "--monitor", "support", "--drop", "20pp", "--json")[1])
    assert (found["kind"], found["version"], found["monitor"]) == ("gatewatch.plan", 1, "support")
    assert [each["scorer"] for each in found["scorers"]] == ["polite", "pii"]
    assert [row["rate"] for row in found["scorers"][0]["rows"]] == [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0]


def test_too_little_traffic_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here, 20)
    run(capsys, "work", "--once")
    out = run(capsys, "plan", "--monitor", "support")[1]
    assert "  too little is known: 20 scored conversations in" in out


def test_wrong_words_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        ([], "name a suite, or a monitor with --monitor"),
        (["main", "--monitor", "support"], "name a suite, or a monitor with --monitor"),
        (["--monitor", "suport"], "there is no monitor 'suport'"),
        (["--monitor", "support", "--drop", "x"], 'expected 0.05 or "5pp"'),
        (["--monitor", "support"], "has scored nothing yet"),
    ):
        code, _, err = run(capsys, "plan", *words)
        assert code == 2 and said in err, (words, err)
