"""A judge over live traffic whose provider misbehaves, goes away, or costs more than there is: no loss goes unsaid."""

import asyncio
import hashlib
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gatewatch.checks.provider import FakeProvider, Reply
from gatewatch.config.monitors import store_of, worker_of
from gatewatch.config.project import Project
from gatewatch.core.trace import Trace
from gatewatch.online.ingest import Ways, arrival_of
from gatewatch.online.ledger import ledger
from gatewatch.online.trends import trend
from gatewatch.online.worker import Done, Worker
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrivals

CONFIG = """
[models.judge]
model = "judge-model"
base_url = "{url}"
key_env = ""
{model}

[prices.judge-model]
input = 100.0
output = 100.0

[scorers.good]
rubric = "good.md"

[monitors.m]
flow = "support"
scorers = [ {{ use = "good", sample = {sample} }}, {{ use = "short" }} ]
{monitor}

[scorers.short]
use = "length"
most = 1000
"""
RUBRIC = """---
scale = "binary"
model = "judge"
---
Is the answer good?
"""
GOOD = '{"explanation": "it is", "verdict": "pass"}'


def project(folder: Path, url: str, *, model: str = "", monitor: str = "", sample: str = "1.0") -> Project:
    (folder / "gatewatch.toml").write_text(CONFIG.format(url=url, model=model, monitor=monitor, sample=sample))
    (folder / "good.md").write_text(RUBRIC)
    return Project.open(folder)


def arrive(store: Store, first: int, last: int) -> None:
    now = time.time()
    for start in range(first, last, 1000):
        traces = [
            Trace(id=f"{n:032x}", flow="support", input=f"question {n}", output=f"answer {n}", started=now)
            for n in range(start, min(start + 1000, last))
        ]
        store.take_in(Arrivals(tuple(arrival_of(each, Ways(), now=now) for each in traces)), now)


def worker(found: Project, store: Store) -> Worker:
    return worker_of(found, store, owner="w")


async def work(found: Project, store: Store) -> Done:
    try:
        return await worker(found, store).run(asyncio.Event(), once=True)
    finally:
        await found.close()


def fates(store: Store, last: int) -> Counter[str]:
    counted: Counter[str] = Counter()
    for n in range(last):
        row = store.find(f"{n:032x}")
        assert row is not None
        for entry in ledger(store, row).entries:
            if entry.scorer == "good":
                counted[entry.fate] += 1
    return counted


def misbehaving(request: dict[str, Any]) -> str | Reply:
    """By what is asked: 5 % fail as a server does, 2 % answer with prose, 1 % never."""
    asked = json.dumps(request["messages"])
    luck = int.from_bytes(hashlib.sha256(asked.encode()).digest()[:4], "big") / 2**32
    if luck < 0.05:
        return Reply(status=500, text="out of order")
    if luck < 0.07:
        return Reply(text="I like it.")
    return Reply(hang=True) if luck < 0.08 else GOOD


@pytest.mark.slow
def test_a_judge_that_misbehaves_leaves_no_score_silently_missing(tmp_path: Path) -> None:
    with FakeProvider(misbehaving, rate=40, burst=10, retry_after=1.0) as provider:
        found = project(tmp_path, provider.base_url, model="timeout = 1.0\nretries = 1")
        store = store_of(found)
        arrive(store, 0, 300)
        asyncio.run(work(found, store))
        first = fates(store, 300)
        assert first["scored"] > 250
        assert set(first) <= {"scored", "scorer error", "waiting"}
        reasons = [
            entry.why
            for n in range(300)
            for entry in ledger(store, store.find(f"{n:032x}") or pytest.fail()).entries
            if entry.fate == "waiting"
        ]
        assert all("status 500" in each or "within" in each or "could not be read" in each for each in reasons), reasons
        store.close()


@pytest.mark.slow
def test_an_outage_pauses_the_judge_and_not_the_rest_and_nothing_is_lost(tmp_path: Path) -> None:
    down = [True]

    def reply(_request: dict[str, Any]) -> str | Reply:
        return Reply(status=503, text="away") if down[0] else GOOD

    with FakeProvider(reply) as provider:
        found = project(tmp_path, provider.base_url, model="retries = 0\nconcurrency = 4")
        store = store_of(found)
        arrive(store, 0, 100)
        asyncio.run(work(found, store))
        asked = provider.calls
        assert asked < 60  # it stopped asking
        assert fates(store, 100) == {"waiting": 100}
        assert sum(cell.n for cell in store.cells("support", "day", 0, time.time()) if cell.scorer == "short") == 100
        down[0] = False

        async def until_done() -> None:
            later = Project.open(tmp_path)
            again, stop = worker(later, store), asyncio.Event()
            running = asyncio.ensure_future(again.run(stop))
            while store.counts().scores < 200:
                assert not running.done()
                await asyncio.sleep(0.05)
            stop.set()
            await running
            await later.close()

        asyncio.run(asyncio.wait_for(until_done(), 60))
        assert fates(store, 100) == {"scored": 100}
        store.close()


@pytest.mark.slow
def test_a_budget_holds_under_a_hundred_times_the_traffic(tmp_path: Path) -> None:
    """A judgement costs some 0.03 USD here, so that 5,000 requests ask for 150 USD of the day's one."""
    with FakeProvider(lambda _request: GOOD) as provider:
        found = project(tmp_path, provider.base_url, monitor='budget = "1.00 USD/day"')
        store = store_of(found)
        arrive(store, 0, 50)
        asyncio.run(work(found, store))
        arrive(store, 50, 5000)
        asyncio.run(work(Project.open(tmp_path), store))
        billed = provider.billed
        paid = ((billed.input_tokens or 0) + (billed.output_tokens or 0)) * 100 / 1e6
        each = paid / provider.accepted
        assert paid <= 1.0 + 32 * each  # what may be in flight
        spent = sum(cell.cost for cell in store.spend(0, time.time() + 1) if cell.kind == "judge")
        assert spent == pytest.approx(paid, rel=1e-6)
        counted = fates(store, 5000)
        assert sum(counted.values()) == 5000 and counted["waiting"] == 0, counted
        cells = [cell for cell in store.cells("support", "day", 0, time.time()) if cell.scorer == "short"]
        assert sum(cell.n for cell in cells) == 5000  # what costs nothing goes on
        figure = next(
            s.total for s in trend(store, "support", since=0, until=time.time()).scorers if s.scorer == "good"
        )
        assert figure.incomplete or figure.estimate.interval is not None
        store.close()


WORKER = """
import sys
from gatewatch.cli.main import main
sys.argv = ["gatewatch", "work"]
main()
"""


@pytest.mark.slow
def test_a_worker_killed_in_mid_judgement_fifty_times_scores_everything_once(tmp_path: Path) -> None:
    with FakeProvider(lambda _request: GOOD, latency=0.02) as provider:
        found = project(tmp_path, provider.base_url, model="cache = false")
        text = (tmp_path / "gatewatch.toml").read_text()
        (tmp_path / "gatewatch.toml").write_text(text + "\n[online]\nconcurrency = 8\nlease = '1s'\n")
        store = store_of(found)
        arrive(store, 0, 1000)
        kills = 0
        while kills < 50:
            before = provider.accepted
            process = subprocess.Popen([sys.executable, "-c", WORKER], cwd=tmp_path)
            while provider.accepted < before + 10 and process.poll() is None and store.counts().scores < 2000:
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        process = subprocess.Popen([sys.executable, "-c", WORKER], cwd=tmp_path)
        try:
            while store.counts().scores < 2000:
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            process.terminate()
            process.wait()
        assert fates(store, 1000) == {"scored": 1000}
        assert provider.accepted <= 1000 + (kills + 1) * 8
        assert sum(cell.n for cell in store.cells("support", "day", 0, time.time()) if cell.scorer == "good") == 1000
        store.close()


@pytest.mark.slow
def test_several_workers_at_once_score_everything_once(tmp_path: Path) -> None:
    with FakeProvider(lambda _request: GOOD, latency=0.01) as provider:
        found = project(tmp_path, provider.base_url, model="cache = false")
        store = store_of(found)
        arrive(store, 0, 600)
        processes = [subprocess.Popen([sys.executable, "-c", WORKER], cwd=tmp_path) for _ in range(3)]
        try:
            while store.counts().scores < 1200:
                assert all(process.poll() is None for process in processes)
                time.sleep(0.05)
            assert len(store.workers(time.time() - 60)) >= 1
        finally:
            for process in processes:
                process.terminate()
            codes = [process.wait() for process in processes]
        assert codes == [143, 143, 143]
        assert fates(store, 600) == {"scored": 600}
        assert provider.accepted == 600
        assert sum(cell.n for cell in store.cells("support", "day", 0, time.time()) if cell.scorer == "good") == 600
        store.close()
