"""`gatewatch why`: what became of a request with each scorer."""

import json
from pathlib import Path

import pytest

from cli.building import run
from cli.traffic import TOML, answered, failed, project, spooling
from gatewatch import feedback, record
from gatewatch.cli.terminal import who
from gatewatch.core.rates import u_of


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    return project(tmp_path)


def test_who_saw_it_and_who_did_not(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        ids = [answered(number) for number in range(20)]
    run(capsys, "work", "--once")
    for trace in ids:
        code, out, _ = run(capsys, "why", trace)
        assert code == 0
        u = u_of("", trace)
        assert f"  u           {u:.6f}: it is scored where this is below pi" in out
        fate = "scored 1" if u < 0.3 else "sampled out"
        assert f"  polite  {fate}  pi 0.3  (share 0.3)" in out
        assert "  pii     scored 1  pi 1  (share 1)" in out


def test_a_request_that_failed_is_always_scored_as_nought(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        failed(7)
    run(capsys, "work", "--once")
    _, out, _ = run(capsys, "why", "m7")
    assert "  error       error\n" in out and "  marks       error\n" in out and "  slice       odd\n" in out
    assert "  polite  scored 0  pi 1  (share 1)" in out


def test_a_thumb_that_comes_later_changes_the_probability(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        ids = [answered(number) for number in range(10)]
    run(capsys, "work", "--once")
    with spooling(here):
        for trace in ids:
            feedback(trace, thumbs="down", comment="call mia@example.com")
    run(capsys, "work", "--once")
    for trace in ids:
        _, out, _ = run(capsys, "why", trace)
        assert "  polite  scored 1  pi 1  (share 1)" in out
        assert "  feedback thumbs 0  down call [email]" in out


def test_as_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        trace = answered(3)
        feedback(external_id="m3", thumbs="up")
    run(capsys, "work", "--once")
    code, out, _ = run(capsys, "why", "m3", "--json")
    found = json.loads(out)
    assert (code, found["kind"], found["version"]) == (0, "gatewatch.why", 1)
    row = found["row"]
    assert (row["id"], row["external_id"], row["slice"], row["marks"]) == (trace, "m3", "odd", ["thumbs_up"])
    assert row["cost"] == pytest.approx(0.002)
    assert (row["payload"], row["kept"], row["late"]) == ("held", None, [])
    assert {each["scorer"] for each in found["entries"]} == {"polite", "pii"}
    (said,) = found["said"]
    assert (said["score"]["name"], said["score"]["value"], said["score"]["source"]) == ("thumbs", 1.0, "feedback")


def test_a_scorer_of_sessions_waits_for_the_end_of_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "gatewatch.toml").write_text(TOML.replace('{ use = "pii" }', '{ use = "turns" }'))
    with spooling(here):
        answered(1, session="chat-1")
        answered(2)
    run(capsys, "work", "--once")
    assert "  turns   not decided  pi 0  (its session has not ended)" in run(capsys, "why", "m1")[1]
    assert "  turns   not decided  pi 0  (it is of no session)" in run(capsys, "why", "m2")[1]


def test_what_was_captured_without_a_payload_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from gatewatch import record

    with spooling(here):
        record(flow="support", external_id="bare", payload=False, latency_s=0.5)
    run(capsys, "work", "--once")
    _, out, _ = run(capsys, "why", "bare")
    assert "  payload     none" in out
    assert "  pii     no payload  pi 1  (none was captured)" in out
    assert "  latency     500 ms" in out


def test_nothing_in_a_request_steers_the_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        trace = answered(1, session="\x1b[2J\u202ec")
        feedback(trace, thumbs="up", comment="\x1b[31mred\x07")
    run(capsys, "work", "--once")
    _, out, _ = run(capsys, "why", trace)
    assert all(letter.isprintable() or letter == "\n" for letter in out)


def test_it_is_noted_who_looked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        trace = answered(1)
    run(capsys, "work", "--once")
    run(capsys, "why", "m1")
    run(capsys, "why", "nothing")
    (line,) = json.loads(run(capsys, "db", "audit", "--json")[1])["lines"]
    assert (line["action"], line["what"], line["who"]) == ("read", trace, who())


def test_a_request_that_is_not_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "why", "nothing")
    assert (code, out) == (2, "")
    assert err.startswith("error: nothing: no such request is stored (")


def test_a_comment_cannot_make_a_line_of_its_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        trace = record(flow="support", input="q\n  pii  scored 1", output="a", tags=("x\n  y",))
        feedback(trace, thumbs="down", comment="bad\n  pii  scored 1  pi 1  (share 1)")
    run(capsys, "work", "--once")
    out = run(capsys, "why", trace)[1]
    assert sum(line.strip().startswith("pii") for line in out.splitlines()) == 1
