"""`gatewatch costs`: what the application's calls and the judges' cost."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.building import JUDGE, run
from cli.traffic import TOML, answered, project, spooling
from gatewatch.checks.provider import FakeProvider
from gatewatch.core.clock import wall

RUBRIC = '---\nscale = "binary"\n---\nDoes the answer help?\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return project(tmp_path)


def test_by_model_and_day(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        for number in range(3):
            answered(number)
        answered(3, model="nobody-knows")
    run(capsys, "work", "--once")
    code, out, _ = run(capsys, "costs", "--by", "model,day", "--json")
    found = json.loads(out)
    assert (code, found["kind"], found["version"]) == (0, "gatewatch.costs", 1)
    assert found["since"] <= wall() < found["until"]
    known, unknown = found["rows"]
    assert known.pop("cost") == pytest.approx(0.006)
    today = datetime.fromtimestamp(wall(), UTC).strftime("%Y-%m-%d")
    assert known == {
        "kind": "task",
        "model": "app-1",
        "day": today,
        "calls": 3,
        "unknown": 0,
        "input_tokens": 3000,
        "output_tokens": 1500,
    }
    assert (unknown["model"], unknown["calls"], unknown["unknown"], unknown["cost"]) == ("nobody-knows", 1, 1, 0.0)


def test_as_a_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        answered(1)
        answered(2, model="nobody-knows")
    run(capsys, "work", "--once")
    code, out, _ = run(capsys, "costs", "--by", "model")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["kind", "model", "calls", "tokens", "in", "tokens", "out", "cost"],
        ["task", "app-1", "1", "1,000", "500", "$0.00200"],
        ["task", "nobody-knows", "1", "1,000", "500", "unknown"],
        ["in", "all", "$0.00200,", "and", "1", "calls", "whose", "price", "is", "unknown"],
    ]


def test_judges_stand_apart(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reply = '{"explanation": "yes", "verdict": "pass"}'
    with FakeProvider(reply=lambda _: reply) as provider:
        monitor = '[scorers.helpful]\nrubric = "helpful.md"\n' + TOML.replace('{ use = "pii" }', '{ use = "helpful" }')
        (here / "gatewatch.toml").write_text(monitor + JUDGE.format(url=provider.base_url))
        (here / "helpful.md").write_text(RUBRIC)
        with spooling(here):
            for number in range(4):
                answered(number)
        code, out, _ = run(capsys, "work", "--once")
        assert code == 0
        assert provider.accepted == 4
    _, out, _ = run(capsys, "costs", "--by", "scorer,model", "--json")
    rows = {row["kind"]: row for row in json.loads(out)["rows"]}
    assert (rows["judge"]["scorer"], rows["judge"]["calls"], rows["judge"]["unknown"]) == ("helpful", 4, 0)
    assert rows["judge"]["cost"] > 0
    assert (rows["task"]["scorer"], rows["task"]["model"], rows["task"]["calls"]) == ("", "app-1", 4)
    assert "judges  $" in run(capsys, "trends")[1]


def test_another_month(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        answered(1)
    run(capsys, "work", "--once")
    code, out, _ = run(capsys, "costs", "--month", "2020-02")
    assert (code, out) == (0, "nothing was spent, or nothing is known of it\n")
    _, out, _ = run(capsys, "costs", "--month", "2020-02", "--json")
    found = json.loads(out)
    assert (found["rows"], found["until"] - found["since"]) == ([], 29 * 86_400)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--by", "flwo"), "--by: 'flwo' is not known (did you mean \"flow\"?)"),
        (("--month", "November"), "--month: expected a month such as \"2026-11\", got 'November'"),
        (("--month", "2026-13"), "--month: expected a month"),
    ],
)
def test_what_is_not_known_is_told(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    code, _, err = run(capsys, "costs", *words)
    assert code == 2
    assert says in err


def test_by_monitor(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reply = '{"explanation": "yes", "verdict": "pass"}'
    with FakeProvider(reply=lambda _: reply) as provider:
        monitor = '[scorers.helpful]\nrubric = "helpful.md"\n' + TOML.replace('{ use = "pii" }', '{ use = "helpful" }')
        (here / "gatewatch.toml").write_text(
            monitor + 'budget = "5.00 USD/day"\n' + JUDGE.format(url=provider.base_url)
        )
        (here / "helpful.md").write_text(RUBRIC)
        with spooling(here):
            answered(1)
        run(capsys, "work", "--once")
    code, out, _ = run(capsys, "costs", "--monitors", "--json")
    found = json.loads(out)
    assert (code, found["kind"], found["version"]) == (0, "gatewatch.monitor_costs", 1)
    (only,) = found["monitors"]
    assert (only["monitor"], only["flow"], only["budget"], only["days"]) == ("support", "support", 5.0, 0)
    assert 0 < only["today"] <= only["month"] < 0.01
    assert (only["forecast"], only["interval"], only["unknown"]) == (None, None, 0)
    lines = [line.split() for line in run(capsys, "costs", "--monitors")[1].splitlines()]
    assert lines[0] == [
        "monitor",
        "today",
        "this",
        "month",
        "by",
        "its",
        "end",
        "95",
        "%",
        "interval",
        "budget",
        "left",
    ]
    assert lines[1][0] == "support" and lines[1][-2] == "$5.00/day"


def test_monitors_are_told_of_this_month_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "costs", "--monitors", "--month", "2026-01")[0] == 2
    (here / "gatewatch.toml").write_text("")
    assert "nothing is watched" in run(capsys, "costs", "--monitors")[1]
