"""Applications that capture, and end in every way that a process may end: what was promised is in the segments."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.kill_matrix import LOSE_AND_SAY, LOSE_NOTHING, LOSE_THE_LAST, Outcome, in_segments, run

GUARD_S = 5.0  # the exact figure is in benchmarks/kill_matrix.py


def held(outcome: Outcome) -> None:
    assert outcome.promises_broken == 0
    assert len(set(outcome.found) - set(outcome.accepted)) <= 1  # it was killed before it could tell of the last
    assert outcome.exit_s < GUARD_S


@pytest.mark.parametrize("scenario", [scenario for scenario in LOSE_NOTHING if not scenario.startswith("kill9")])
def test_nothing_is_lost(scenario: str, tmp_path: Path) -> None:
    outcome = run(scenario, tmp_path)
    held(outcome)
    assert outcome.lost == 0 and outcome.damaged == 0
    assert len(set(outcome.accepted)) == len(outcome.accepted) >= 300
    assert ("Traceback" in outcome.said) == (scenario in ("exception", "SIGINT"))


@pytest.mark.parametrize("scenario", [scenario for scenario in LOSE_THE_LAST if not scenario.startswith("kill9")])
def test_only_what_came_after_the_last_commit_is_lost(scenario: str, tmp_path: Path) -> None:
    outcome = run(scenario, tmp_path)
    held(outcome)
    assert outcome.committed > 0 and len(outcome.found) >= outcome.committed


@pytest.mark.parametrize("scenario", LOSE_AND_SAY)
def test_what_cannot_be_written_is_said_and_holds_nobody_up(scenario: str, tmp_path: Path) -> None:
    outcome = run(scenario, tmp_path)
    held(outcome)
    assert outcome.code == 0 and len(outcome.accepted) >= 300
    assert "captured records were not written" in outcome.said


@pytest.mark.parametrize("seed", range(5))
def test_kill_9_takes_only_what_came_after_the_last_commit(seed: int, tmp_path: Path) -> None:
    held(run("kill9", tmp_path, kill_after=random.Random(seed).randint(1, 400)))


@pytest.mark.parametrize("seed", range(5))
def test_kill_9_takes_nothing_that_was_written_through(seed: int, tmp_path: Path) -> None:
    outcome = run("kill9 sync", tmp_path, kill_after=random.Random(seed).randint(1, 400))
    held(outcome)
    assert outcome.lost == 0 and outcome.committed == len(outcome.accepted)


@pytest.mark.slow
def test_kill_9_two_hundred_times(tmp_path: Path) -> None:
    rng, committed = random.Random(1), 0
    for number in range(200):
        folder = tmp_path / str(number)
        folder.mkdir()
        outcome = run("kill9", folder, kill_after=rng.randint(1, 600))
        held(outcome)
        committed += outcome.committed
    assert committed > 1000


def test_eight_preloaded_workers_give_ten_thousand_ids(tmp_path: Path) -> None:
    outcome = run("8 preloaded workers", tmp_path)
    assert len(outcome.found) == 10_001 and outcome.lost == 0


STREAMING = """
import asyncio, sys
import gatewatch

@gatewatch.capture(flow="stream")
async def stream(n):
    for number in range(n):
        yield str(number)
        await asyncio.sleep(0)

async def main():
    async for part in stream(10):
        if part == "5":
            break

gatewatch.configure(spool=sys.argv[1])
asyncio.run(main())
"""


def test_a_stream_left_open_at_the_end_is_recorded(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", STREAMING, str(tmp_path / "s")], check=True)
    found, _ = in_segments(tmp_path / "s")
    assert len(found) == 1


SMALL = """
import sys, threading
import gatewatch
from gatewatch.online.process import stats
gatewatch.configure(spool=sys.argv[1])

@gatewatch.capture
def answer(q):
    return q

[answer("x" * 4000) for _ in range(10)]
assert gatewatch.flush(30)
assert threading.active_count() == 2
import os, resource
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write = os.write
gate = threading.Event()
os.write = lambda descriptor, data: (gate.wait(), write(descriptor, data))[1]
for _ in range(100_000):
    answer("x" * 4000)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
done = stats()
gate.set()
assert gatewatch.flush(30)
print(grown, done.accepted, sum(done.dropped.values()), stats().written)
"""


def test_a_disk_that_hangs_costs_no_more_memory_than_the_bound_allows(tmp_path: Path) -> None:
    printed = subprocess.run(
        [sys.executable, "-c", SMALL, str(tmp_path / "s")], check=True, capture_output=True, text=True
    )
    grown, accepted, dropped, written = map(int, printed.stdout.split())
    assert accepted + dropped == 100_010 and written == accepted
    assert 8192 <= accepted <= 10_000
    assert grown < 250_000  # kilobytes: two times the bound's 8,192 records of 8 KB, and what Python adds


def test_a_folder_that_may_not_be_written_is_no_harm(tmp_path: Path) -> None:
    closed, error = tmp_path / "closed", "EACCES"
    closed.mkdir(mode=0o500)
    if os.geteuid() == 0:  # who may write everywhere but where there is nothing to write to
        closed, error = Path("/proc"), "ENOENT"
    program = f"import gatewatch; gatewatch.configure(spool={str(closed / 's')!r}); gatewatch.record(flow='x')"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert error in done.stderr


@pytest.mark.parametrize("before", ["gatewatch.record(input='1'); gatewatch.record(input='2')", "pass"])
def test_what_is_recorded_by_handlers_that_run_after_ours_is_written(before: str, tmp_path: Path) -> None:
    program = (
        "import atexit\n"
        "atexit.register(lambda: [gatewatch.record(input='last') for _ in range(20)])\n"
        "import gatewatch, gatewatch.online.process\n"
        f"gatewatch.configure(spool={str(tmp_path / 'spool')!r})\n{before}\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert sum(path.read_bytes().count(b'"last"') for path in (tmp_path / "spool").iterdir()) == 20
