"""A run whose process is killed goes on where it was, and pays for nothing twice: real processes, a real provider."""

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gatewatch.checks.provider import FakeProvider
from gatewatch.offline.result import RunResult, run_paths

CASES = 120
CONCURRENCY = 8

CONFIG = """
[models.app]
model = "app-model"
base_url = "{url}"
key_env = ""
cache = false

[models.judge]
model = "judge-model"
base_url = "{url}"
key_env = ""
cache = false

[prices.app-model]
input = 1.0
output = 2.0

[prices.judge-model]
input = 1.0
output = 2.0

[tasks.answer]
prompt = "prompt.md"
model = "app"

[scorers.kind]
rubric = "kind.md"
model = "judge"

[suites.main]
dataset = "cases.jsonl"
task = "answer"
scorers = ["exact", "kind"]
concurrency = {concurrency}
"""


def reply(request: dict[str, Any]) -> str:
    """Answer the application's question, or judge: a function of what was asked alone."""
    said = json.dumps(request["messages"])
    number = int(said.split("question number ")[1].split("#")[0])
    if request["model"] == "judge-model":
        return json.dumps({"explanation": f"about {number}", "verdict": "pass" if number % 3 else "fail"})
    return f"answer {number}" if number % 4 else "no idea"


def project(folder: Path, url: str) -> None:
    folder.mkdir()
    (folder / "gatewatch.toml").write_text(CONFIG.format(url=url, concurrency=CONCURRENCY))
    (folder / "prompt.md").write_text("Answer {input}")
    (folder / "kind.md").write_text('---\nscale = "binary"\n---\nPass when the answer is kind.\n')
    cases = [{"id": f"c{n}", "input": f"question number {n}#", "expected": f"answer {n}"} for n in range(CASES)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))


def start(folder: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "gatewatch", "run", "main", "--plain", *options]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows_of(folder: Path) -> dict[tuple[str, int], Any]:
    """The rows of a folder's only run, less times."""
    (path,) = run_paths(folder / ".gatewatch" / "runs")
    found = {}
    for row in RunResult(path).rows():
        plain = json.loads(json.dumps(row, default=_plain))
        for name in ("latency_s", "waited_s", "started"):
            plain["trace"].pop(name, None)
        for span in plain["trace"].get("spans", ()):
            for name in ("latency_s", "started_s"):
                span.pop(name, None)
        plain.pop("awaits", None)
        found[row.key] = plain
    return found


def _plain(value: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(value)


def asked(provider: FakeProvider) -> Counter[str]:
    """How often each thing was asked."""
    return Counter(f"{request['model']} {json.dumps(request['messages'])}" for request in provider.requests)


@pytest.mark.parametrize(
    "calls_before", [30, 150, *(pytest.param(calls, marks=pytest.mark.slow) for calls in (1, 9, 61, 119, 181, 233))]
)
def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path, calls_before: int) -> None:
    with FakeProvider(reply=reply) as provider:
        project(tmp_path / "whole", provider.base_url)
        whole = start(tmp_path / "whole")
        _, errors = whole.communicate(timeout=60)
        assert whole.returncode == 0, errors

    enough = threading.Event()
    seen = 0

    def counting(request: dict[str, Any]) -> str:
        nonlocal seen
        seen += 1
        if seen >= calls_before:
            enough.set()
        return reply(request)

    with FakeProvider(reply=counting, latency=0.01) as provider:
        project(tmp_path / "killed", provider.base_url)
        killed = start(tmp_path / "killed")
        assert enough.wait(30)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL

        resumed = start(tmp_path / "killed", "--resume")
        _, errors = resumed.communicate()
        assert resumed.returncode == 0, errors
        total = asked(provider)

    assert rows_of(tmp_path / "killed") == rows_of(tmp_path / "whole")
    assert len(total) == CASES * 2
    # Only what was in flight when the process died is asked again.
    assert sum(total.values()) <= CASES * 2 + CONCURRENCY
    (one,), (other,) = (run_paths(tmp_path / name / ".gatewatch" / "runs") for name in ("killed", "whole"))
    assert RunResult(one).summary.scorers == RunResult(other).summary.scorers
    assert RunResult(one).summary.task_cost == RunResult(other).summary.task_cost


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_keeps_what_is_done(tmp_path: Path, number: signal.Signals, code: int) -> None:
    enough = threading.Event()
    hold = threading.Event()
    seen = 0

    def holding(request: dict[str, Any]) -> str:
        nonlocal seen
        seen += 1
        if seen > 40:
            enough.set()
            hold.wait(30)
        return reply(request)

    with FakeProvider(reply=holding) as provider:
        project(tmp_path / "stopped", provider.base_url)
        stopped = start(tmp_path / "stopped")
        assert enough.wait(30)
        stopped.send_signal(number)
        _, errors = stopped.communicate(timeout=30)
        hold.set()
    assert stopped.returncode == code, errors
    assert "Traceback" not in errors
    (path,) = run_paths(tmp_path / "stopped" / ".gatewatch" / "runs")
    summary = RunResult(path).summary
    assert summary.state == "partial"
    assert summary.end is not None
    assert summary.end.reason == "interrupted"
    assert 0 < summary.rows < CASES
