"""`gatewatch alerts backtest` and `alerts monitors`, over a project whose traffic fell."""

import json
from pathlib import Path

import pytest

from cli.building import run
from cli.traffic import TOML, answered, failed, spooling
from cli.traffic import project as traffic_project
from config.building import write
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from gatewatch.core.watch import Marker
from gatewatch.store.base import Store
from gatewatch.store.watching import WatchStep
from online.watching import DAY_S, heard, scored

CONFIG = """
[project]
name = "x"
scorers = "evals.py"
[monitors.support]
flow = "support"
scorers = [{ use = "helpful" }]
reference = "learn 500"
"""
EVALS = """
from gatewatch import scorer

@scorer
def helpful(output: str) -> bool:
    return output == "yes"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evals.py").write_text(EVALS)
    write(tmp_path, CONFIG)
    return tmp_path


def fell(store: Store) -> None:
    """A thousand good conversations, a day of bad ones, and good ones again; as many bad marks beside."""
    begin = wall() - 20 * DAY_S
    work = store.work("support", "helpful", "f" * 12, "rule")
    stream = store.stream("support", work.scorer, work.fingerprint, work.source)
    good, bad = [("", 1.0)] * 9 + [("", 0.0)], [("", 0.0)]
    values = scored([*good * 100, *bad * 50, *good * 50], per_day=100, begin=begin)
    marks = heard([{"thumbs_down": 0.0}] * 1600, per_day=100, begin=begin)
    entries = [(stream.id, each) for each in values] + [(store.stream("support").id, each) for each in marks]
    read_at = store.unheard({}, 1).read_at
    assert store.keep(WatchStep(read_at=read_at, entries=entries), wall())


def test_what_rules_would_have_told_of(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = store_of(Project.open())
    fell(store)
    store.close()
    code, out, _ = run(capsys, "alerts", "backtest", "support")
    assert code == 0, out
    lines = out.splitlines()
    assert "helpful fell from 0.9" in lines[0]
    assert lines[1] == "1 alert in 20 days, 0.35 a week"  # conversations of 20 days are kept
    _, quiet, _ = run(capsys, "alerts", "backtest", "support", "--rule", 'helpful = { drop = "95pp" }')
    assert "not told: minor" in quiet
    assert "0 alerts in 20 days" in quiet
    data = json.loads(run(capsys, "alerts", "backtest", "support", "--json")[1])
    assert [len(each["alerts"]) for each in data["streams"]] == [0, 1]
    assert data["kind"] == "gatewatch.backtest"
    _, floor, _ = run(capsys, "alerts", "backtest", "support", "--rule", "helpful = { below = 0.95 }", "--days", "20")
    assert "below its floor of 0.950" in floor


def test_what_must_never_happen_is_tried_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    traffic_project(tmp_path, TOML.replace("sample = 0.3", "sample = 1.0"))
    with spooling(tmp_path):
        for number in range(6):
            answered(number, output="no" if number in (2, 4) else "yes please")
        failed(7)  # which is scored 0, and is no such event
    run(capsys, "work", "--once")
    for rule, told in (("{ any = 2 }", "polite failed in 2 conversations within a day"), ("{ any = 3 }", "")):
        _, out, _ = run(capsys, "alerts", "backtest", "support", "--rule", f"polite = {rule}")
        assert told in out
        assert f"{int(bool(told))} alert{'' if told else 's'} in " in out
    assert "too few days to say how many a week" in out


def test_the_marks_of_conversations_are_tried_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = store_of(Project.open())
    begin = wall() - 9 * DAY_S
    marks = heard([{"thumbs_down": float(n in (5, 6, 70))} for n in range(90)], per_day=10, begin=begin)
    entries = [(store.stream("support").id, each) for each in marks]
    assert store.keep(WatchStep(read_at=store.unheard({}, 1).read_at, entries=entries), wall())
    store.close()
    _, out, _ = run(capsys, "alerts", "backtest", "support", "--rule", 'thumbs_down = { any = 1, severity = "page" }')
    assert [line[22:].partition(" \u00b7")[0] for line in out.splitlines()[:2]] == [
        "\u2715 page   thumbs_down failed in one conversation"
    ] * 2
    assert "2 alerts in 9 days, 1.6 a week" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("suport",), "there is no monitor 'suport'"),
        (("support", "--rule", "helpful = {"), "--rule 'helpful = {': not TOML"),
        (("support", "--rule", "helpful = 1"), "--rule 'helpful = 1': helpful: expected a table, got a whole number"),
        (("support", "--rule", "helpful = { dropp = 0.1 }"), 'unknown field (did you mean "drop"?)'),
        (("support", "--rule", "helpful = { rise = 0.1 }"), "cannot have `rise`"),
        (("support", "--rule", "helpfull = { drop = 0.1 }"), "neither a scorer of this monitor nor a signal"),
        (("support", "--rule", "helpful = { drop = [] }"), "--rule"),
    ],
)
def test_what_cannot_be_tried(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = run(capsys, "alerts", "backtest", *arguments)
    assert code == 2
    assert message in err


def test_how_monitors_stand(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = store_of(Project.open())
    store.work("support", "helpful", "f" * 12, "rule")
    store.close()
    code, out, _ = run(capsys, "alerts", "monitors")
    assert code == 0, out
    assert "LEARNING 0 of 500" in out
    assert "only limits" in out
    data = json.loads(run(capsys, "alerts", "monitors", "--json")[1])
    assert [each["learnt"] for each in data["streams"]] == [False, False]


def test_each_is_shown_on_its_own_scale(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        project, CONFIG + '[monitors.support.alert.rules]\ncost = { above = "0.05 USD" }\nlatency = { above = "8s" }\n'
    )
    store = store_of(Project.open())
    read_at, stream = store.unheard({}, 1).read_at, store.stream("support")
    marks = heard(
        [
            {"thumbs_down": float(n % 20 == 0), "latency_s": 1.0, "cost": 0.01, "output_tokens": 20.0}
            for n in range(600)
        ],
        per_day=100,
        begin=wall() - 8 * DAY_S,
    )
    assert store.keep(WatchStep(read_at=read_at, entries=[(stream.id, each) for each in marks]), wall())
    learn(store)
    store.close()
    out = run(capsys, "alerts", "monitors")[1]
    rows = [" ".join(line.split()).rpartition(" ")[0] for line in out.splitlines()]
    assert "support thumbs_down watching 5.0% 1.5%" in rows
    assert "support latency_s within its limit limit 5.0% over 8 s" in rows
    assert "support cost within its limit limit $0.05" in rows
    assert "support output_tokens, if less watching 20.2 0.605" in rows
    (signals,) = (
        each for each in json.loads(run(capsys, "alerts", "monitors", "--json")[1])["streams"] if each["learnt"]
    )
    (limit,) = (each for each in signals["probes"] if each["name"] == "cost" and each["limit"])
    assert (limit["measure"], limit["changed"]) == ("amount", False)
    assert limit["reference"] == pytest.approx(0.05)


def learn(store: Store) -> None:
    """Fold what has entered, as a worker does."""
    from gatewatch.config.alerting import alarming
    from gatewatch.config.monitors import online
    from gatewatch.online.watch import Watcher

    project = Project.open()
    watcher = Watcher(store, online(project, bound=False).monitors, alarming(project))
    while watcher.step(wall()):
        pass


def test_what_came_before_an_accepted_marker_is_not_looked_at(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = store_of(Project.open())
    fell(store)
    store.mark(Marker(wall() - 8 * DAY_S, "support", "prompt 4", reason="asked for", accepted=True))
    learn(store)
    store.close()
    _, out, _ = run(capsys, "alerts", "backtest", "support")
    (line,) = (each for each in out.splitlines() if each.startswith("! signals: conversations since "))
    assert line.endswith(" only: marker 1 was accepted then")
