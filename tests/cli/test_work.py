"""`gatewatch work`: what was captured is taken in and scored, and workers are heard of."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.building import run
from cli.traffic import TOML, answered, project, spooling, traffic
from gatewatch import feedback
from gatewatch.online.segments import segments
from gatewatch.store.open import open_store


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return project(tmp_path)


def test_what_was_captured_is_taken_in_and_scored(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here)
    code, out, _ = run(capsys, "work", "--once")
    assert code == 0
    first, second = out.splitlines()
    assert first == "took in 100 requests and 5 pieces of feedback"
    assert second.endswith(", put off 0, given up 0")
    assert segments(here / ".gatewatch" / "spool") == []  # nobody writes to them any more


def test_nothing_is_done_twice(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here)
    run(capsys, "work", "--once")
    code, out, _ = run(capsys, "work", "--once", "--json")
    assert code == 0
    found = json.loads(out)
    assert found == {
        "kind": "gatewatch.work",
        "version": 1,
        "ingested": {"traces": 0, "repeated": 0, "said": 0, "parked": 0, "lost": 0},
        "planned": 0,
        "scored": 0,
        "put_off": 0,
        "given_up": 0,
    }


def test_feedback_of_no_request_and_what_was_lost_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        answered(1)
        feedback(external_id="m1", thumbs="up")
        feedback(external_id="elsewhere", thumbs="down")
        feedback(external_id="m1", thumbs="sideways")
    _, out, _ = run(capsys, "work", "--once")
    assert out.splitlines()[:2] == [
        "took in 1 request and 2 pieces of feedback (1 of no request that is here)",
        "  there already: 0; lost or damaged: 1 (`gatewatch db status`)",
    ]


def test_a_record_that_is_damaged_costs_that_record_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here) as captured:
        for number in range(3):
            answered(number)
        captured.records()
        (segment,) = segments(captured.folder)
    segment.write_bytes(segment.read_bytes().replace(b'"q1"', b'"qX"'))
    _, out, _ = run(capsys, "work", "--once", "--json")
    assert json.loads(out)["ingested"] == {"traces": 2, "repeated": 0, "said": 0, "parked": 0, "lost": 1}


def test_a_scorer_that_fails_is_put_off(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(here, evals="from gatewatch import scorer\n\n@scorer\ndef polite(output: str) -> bool:\n    return 1 / 0\n")
    (here / "gatewatch.toml").write_text(TOML.replace('slice = "evals:slice_of"', "").replace("0.3", "1.0"))
    with spooling(here):
        answered(1)
    _, out, _ = run(capsys, "work", "--once")
    assert out.splitlines()[-1] == "scored 1, put off 1, given up 0"
    _, out, _ = run(capsys, "why", "m1")
    assert "waiting  pi 1  (ZeroDivisionError: division by zero" in out


def test_what_is_wrong_in_the_project_is_told_before_anything_is_done(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traffic(here, 3)
    (here / "gatewatch.toml").write_text(TOML.replace("polite", "polit").replace('"error"', '"eror"'))
    code, _, err = run(capsys, "work", "--once")
    assert code == 2
    assert "monitors.support.always[1]: 'eror' is no mark of a request (did you mean \"error\"?)" in err
    assert "monitors.support.scorers[0]" in err
    assert segments(here / ".gatewatch" / "spool")


def test_a_worker_that_nobody_heard_of_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "work", "--check")
    assert (code, out) == (1, "tasks: none\n")
    assert err == "no worker was heard of for 60 s: start one with `gatewatch work`\n"
    code, out, _ = run(capsys, "work", "--check", "--json")
    assert code == 1
    assert json.loads(out) == {"kind": "gatewatch.workers", "version": 1, "workers": {}, "tasks": {}}


def test_a_worker_at_work_is_healthy_and_ends_when_told_to(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here)
    worker = subprocess.Popen(
        [sys.executable, "-m", "gatewatch", "work"],
        cwd=here,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert worker.stderr is not None
    said = worker.stderr.readline()
    assert said.startswith("at work: ") and "support (2 scorers)" in said
    store = open_store(here / ".gatewatch" / "gatewatch.db")
    try:
        while not (store.workers(0.0) and store.counts().scores > 100):
            assert worker.poll() is None
            os.sched_yield()
    finally:
        store.close()
    code, out, _ = run(capsys, "work", "--check")
    assert code == 0
    assert f":{worker.pid}: " in out and " s ago\n" in out
    worker.send_signal(signal.SIGTERM)
    out, _ = worker.communicate(timeout=30)
    assert worker.returncode == 143
    assert out.startswith("took in 100 requests and 5 pieces of feedback\n")
