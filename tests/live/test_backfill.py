"""A back-fill whose workers are killed, stopped and gone on with: every request is scored once, and paid for once."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gatewatch.checks.provider import FakeProvider
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.rates import u_of
from gatewatch.core.trace import Trace
from gatewatch.online.ingest import Ways, arrival_of
from gatewatch.store.base import Store
from gatewatch.store.filling import Backfill
from gatewatch.store.rows import Arrivals

CONFIG = """
[models.judge]
model = "judge-model"
base_url = "{url}"
key_env = ""
cache = false

[prices.judge-model]
input = 100.0
output = 100.0

[scorers.good]
rubric = "good.md"

[scorers.short]
use = "length"
most = 1000

[monitors.m]
flow = "support"
scorers = [{{ use = "short" }}]

[online]
concurrency = 8
lease = "1s"
"""
RUBRIC = '---\nscale = "binary"\nmodel = "judge"\n---\nIs the answer good?\n'
GOOD = '{"explanation": "it is", "verdict": "pass"}'
COMMAND = "import sys\nfrom gatewatch.cli.main import main\nsys.argv = ['gatewatch', *sys.argv[1:]]\nmain()\n"
NUMBER, RATE = 1500, 0.4


def gatewatch(folder: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", COMMAND, *words], cwd=folder, text=True)


def arrive(store: Store, number: int) -> None:
    now = time.time()
    traces = [
        Trace(id=f"{n:032x}", flow="support", input=f"question {n}", output=f"answer {n}", started=now)
        for n in range(number)
    ]
    store.take_in(Arrivals(tuple(arrival_of(each, Ways(), now=now) for each in traces)), now)


def one(store: Store) -> Backfill:
    (found,) = store.backfills()
    return found


@pytest.mark.slow
def test_workers_that_are_killed_in_the_middle_of_a_backfill_score_everything_once(tmp_path: Path) -> None:
    with FakeProvider(lambda _request: GOOD, latency=0.02) as provider:
        (tmp_path / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url))
        (tmp_path / "good.md").write_text(RUBRIC)
        store = store_of(Project.open(tmp_path))
        arrive(store, NUMBER)
        begun = gatewatch(tmp_path, "backfill", "support", "good", "--sample", f"{RATE}", "--yes")
        assert begun.wait(60) == 0
        kills = 0
        while kills < 10:
            before = provider.accepted
            worker = gatewatch(tmp_path, "work")
            while provider.accepted < before + 20 and worker.poll() is None:
                time.sleep(0.005)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            kills += 1
        assert gatewatch(tmp_path, "backfill", "stop", "1").wait(60) == 0
        halted, asked = one(store), provider.accepted
        assert halted.state == "stopped"
        once = gatewatch(tmp_path, "work", "--once")
        assert once.wait(120) == 0
        assert (provider.accepted, one(store).done) == (asked, halted.done)  # live work went on, this did not
        assert gatewatch(tmp_path, "backfill", "resume", "1").wait(60) == 0
        workers = [gatewatch(tmp_path, "work") for _ in range(2)]
        try:
            while one(store).state != "done":
                assert all(each.poll() is None for each in workers)
                time.sleep(0.05)
        finally:
            for each in workers:
                each.terminate()
                each.wait()
        expected = {n for n in range(NUMBER) if u_of("", f"{n:032x}") < RATE}
        scored = {
            int(row.id, 16): [kept.pi for kept in store.scores(row.seq) if kept.score.name == "good"]
            for row in store.latest("support", most=NUMBER)
        }
        assert {n: found for n, found in scored.items() if found} == {n: [RATE] for n in expected}
        done = one(store)
        assert (done.made, done.done, store.undone(done.id)) == (len(expected), len(expected), {})
        assert provider.accepted <= len(expected) + (kills + 1) * 8  # what was in flight is asked again
        cells = store.cells("support", "day", 0, time.time())
        assert sum(cell.n for cell in cells if cell.scorer == "good") == len(expected)
        spent, aside = store.spent(done.budget)
        booked = sum(cell.cost for cell in store.spend(0, time.time()) if cell.kind == "judge")
        assert spent == pytest.approx(booked) and aside == 0.0
        store.close()
