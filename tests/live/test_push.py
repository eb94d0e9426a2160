"""Pushing by real processes: killed at any point, and journals of any length in the memory of a short one."""

import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from gatewatch.checks.runs import journal_of, read_back
from gatewatch.store.uploads import PART, parts_of
from web.pushing import Serving, serving

RUN = "main-20261126-101010-abcd"
_PUSH = """
import sys
from gatewatch.cli.main import status
code = status(sys.argv[1:])
with open("/proc/self/status") as file:  # getrusage would tell of the process that started this one, too
    print(next(line.split()[1] for line in file if line.startswith("VmHWM")))
sys.exit(code)
"""


def project(folder: Path, size: int) -> bytes:
    runs = folder / ".gatewatch" / "runs"
    runs.mkdir(parents=True)
    (folder / "gatewatch.toml").write_text("")
    journal = journal_of(RUN, size)
    (runs / f"{RUN}.jsonl").write_bytes(journal)
    return journal


def pushing(folder: Path, server: Serving) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", _PUSH, "push", RUN, "--to", server.url]
    environment = {**os.environ, "GATEWATCH_TOKEN": server.sends}
    return subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)


def most_kb(folder: Path, server: Serving) -> int:
    """The most memory, in KB, that a push had."""
    with pushing(folder, server) as process:
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return int(out.splitlines()[-1])


class Killing(Serving):
    """Kills whoever pushes when it has got so many parts from them."""

    process: "subprocess.Popen[str] | None" = None
    after = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await super().__call__(scope, receive, send)
        if self.process is not None and sum(method == "PUT" for method, _ in self.asked) >= self.after:
            self.process.send_signal(signal.SIGKILL)


def test_a_push_that_is_killed_is_taken_up_by_the_next(tmp_path: Path) -> None:
    journal = project(tmp_path / "project", 6 * PART)
    with serving(tmp_path / "server", Killing) as server:
        assert isinstance(server, Killing)
        sent = 0
        for after in (1, 2, 3):
            server.asked.clear()
            server.after = after
            server.process = pushing(tmp_path / "project", server)
            server.process.communicate(timeout=60)
            assert server.process.returncode == -signal.SIGKILL
            sent += sum(method == "PUT" for method, _ in server.asked)
            assert server.store.runs() == []
        server.process = None
        server.asked.clear()
        with pushing(tmp_path / "project", server) as process:
            process.communicate(timeout=60)
        assert process.returncode == 0
        assert read_back(server.store, RUN) == journal
        sent += sum(method == "PUT" for method, _ in server.asked)
        assert parts_of(len(journal)) <= sent <= parts_of(len(journal)) + 3  # what was under way is sent again


@pytest.mark.slow
def test_fifty_megabytes_take_no_more_memory_than_one(tmp_path: Path) -> None:
    project(tmp_path / "short", 1_000_000)
    journal = project(tmp_path / "long", 50_000_000)
    with serving(tmp_path / "one") as server:
        short = most_kb(tmp_path / "short", server)
    with serving(tmp_path / "two") as server:
        tracemalloc.start()
        try:
            long = most_kb(tmp_path / "long", server)
            assert read_in_parts(server) == len(journal)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        kept = server.store.run(RUN)
        assert kept is not None and kept.state == "complete"
    assert long - short < 12_000, (short, long)
    assert peak < 24_000_000, peak


def read_in_parts(server: Serving) -> int:
    """The length of the journal as it comes back over HTTP."""
    import httpx

    headers = {"authorization": f"Bearer {server.looks}"}
    with httpx.stream("GET", f"{server.url}/v1/runs/{RUN}", headers=headers, timeout=60) as reply:
        return sum(len(part) for part in reply.iter_bytes())
