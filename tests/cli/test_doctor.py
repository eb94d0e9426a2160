"""`gatewatch doctor`: a project in order, one that is not, and none."""

import json
from pathlib import Path

import pytest

import gatewatch
from config.building import model, suite, write
from gatewatch.checks.provider import FakeProvider
from gatewatch.cli.main import status

PRINTS = "print('imported')\n\ndef answer(question):\n    return question\n"
MONITOR = '[monitors.live]\nflow = "f"\nscorers = [{ use = "pii" }]\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_project_in_order(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, suite() + MONITOR)
    assert status(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"  gatewatch  {gatewatch.__version__}"
    assert lines[1].startswith("  python     3.")
    assert lines[2:] == [
        f"  project    {here}",
        "  suites     main",
        "  models     none",
        "  monitors   live",
        "✓ all is in order",
    ]


def test_a_project_in_order_as_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, suite() + MONITOR, app_py=PRINTS)
    assert status(["doctor", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == "imported\n"
    found = json.loads(printed.out)
    assert found.pop("python").startswith("3.")
    assert found == {
        "kind": "gatewatch.doctor",
        "version": 1,
        "ok": True,
        "problems": [],
        "gatewatch": gatewatch.__version__,
        "project": str(here),
        "suites": ["main"],
        "models": [],
        "monitors": ["live"],
    }


def test_a_project_with_problems(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, suite("budget = 'much'\n", task="app:anwser") + MONITOR.replace("pii", "exact"))
    assert status(["doctor"]) == 2
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines()[-4:] == [
        "✕ gatewatch.toml: suites.main.budget: expected an amount such as \"2.00 USD\", got 'much'",
        "✕ gatewatch.toml: suites.main.task: app has no 'anwser' (did you mean \"answer\"?)",
        "✕ gatewatch.toml: monitors.live.scorers[0]: 'exact' needs what was expected, which live traffic does not have "
        "(use it in a suite, and here one that looks at the output alone)",
        "3 problems",
    ]
    assert status(["doctor", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert [problem["where"] for problem in found["problems"]] == [
        "gatewatch.toml: suites.main.budget",
        "gatewatch.toml: suites.main.task",
        "gatewatch.toml: monitors.live.scorers[0]",
    ]
    assert found["problems"][1]["hint"] == 'did you mean "answer"?'


def test_settings_that_cannot_be_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, "[suites.main\n")
    assert status(["doctor"]) == 2
    lines = capsys.readouterr().out.splitlines()
    said = "gatewatch.toml:1:13: not TOML: Expected ']' at the end of a table declaration"
    assert lines[2:] == [f"✕ {said}", "1 problem"]
    assert status(["doctor", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert "suites" not in found
    assert [problem["where"] for problem in found["problems"]] == ["gatewatch.toml:1:13"]


def test_no_project(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["doctor"]) == 2
    lines = capsys.readouterr().out.splitlines()
    hint = "start a project with `gatewatch init`"
    assert lines[2:] == [f"✕ {here}: no gatewatch.toml here or above ({hint})", "1 problem"]
    assert status(["doctor", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["problems"] == [{"where": str(here), "what": "no gatewatch.toml here or above", "hint": hint}]


def test_nothing_is_run_asked_or_written(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeProvider() as provider:
        head = model("app", provider.base_url) + '[tasks.bot]\nprompt = "p.md"\nmodel = "app"\n'
        write(here, suite('budget = "1 USD"\n', task="bot", head=head), p_md="{input}")
        assert status(["doctor"]) == 0
        assert provider.calls == 0
    assert "  models     app\n" in capsys.readouterr().out
    assert not (here / ".gatewatch").exists()


def test_nothing_in_a_project_steers_the_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(here, suite(task="app:\\u001b[31m\\u202e"))
    with (here / "cases.jsonl").open("a") as file:
        file.write('{"input": "x", "\\u001b[2J\\u0007": 1}\n')
    assert status(["doctor"]) == 2
    said = capsys.readouterr().out
    assert all(letter.isprintable() or letter == "\n" for letter in said)
    assert "cases.jsonl:3: [2J: unknown field" in said


def test_a_store_that_no_command_can_use_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "gatewatch.toml").write_text('[project]\nstore = "postgresql://db/x"\n')
    assert status(["doctor"]) == 2
    assert "project.name: missing: a PostgreSQL is shared by projects" in capsys.readouterr().out
