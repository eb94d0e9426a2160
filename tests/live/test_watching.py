"""Real workers that watch, killed at any moment: what is known afterwards is what the conversations alone give."""

import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from config.building import gatewatch, write
from gatewatch.config.alerting import alarming
from gatewatch.config.monitors import online, store_of
from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from gatewatch.core.trace import Trace
from gatewatch.online.detect import Fold, state_of
from gatewatch.online.ingest import Ways, arrival_of
from gatewatch.online.watch import Watcher
from gatewatch.store.rows import Arrivals
from online.receiving import Receiver

KILLS, BATCH = 12, 250
TOML = """
[project]
name = "x"
scorers = "evals.py"

[online]
lease = "1s"

[monitors.support]
flow = "support"
scorers = [{{ use = "helpful" }}]
reference = "learn 500"
alert = {{ observe = "0", to = ["webhook:{url}"] }}
"""
EVALS = """
from gatewatch import scorer

@scorer
def helpful(output: str) -> bool:
    return output == "yes"
"""


@pytest.mark.slow
def test_workers_that_are_killed_at_any_moment(tmp_path: Path) -> None:
    """Requests arrive, and are scored and watched by one worker after the other, each of which is killed."""
    chance = random.Random(1)
    with Receiver() as receiver:
        write(tmp_path, TOML.format(url=receiver.url))
        (tmp_path / "evals.py").write_text(EVALS)
        project = Project.open(tmp_path)
        for turn in range(KILLS):
            arrive(project, turn, 0.95 if turn < KILLS - 2 else 0.2, chance)
            worker = subprocess.Popen(
                [sys.executable, "-m", "gatewatch", "work"],
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(0.3 + chance.random() * 1.5)  # not for anything: any moment will do
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        for _ in range(20):  # what the dead had leased is free by and by
            done = gatewatch(tmp_path, "work", "--once")
            assert done.returncode == 0, done.stderr
            with closing(store_of(project)) as store:
                if not store.counts().tasks and not store.untold():
                    break
    with closing(store_of(project)) as store:
        watcher = Watcher(store, online(project).monitors, alarming(project))
        (scored,) = (each for each in watcher.plans(watcher.works(store.works())).values() if each[0].scorer)
        stream, plan = scored
        entries = store.entries(stream.id, stream.base_at, 10_000)
        assert len({each.seq for each in entries}) == len(entries) == KILLS * BATCH
        fold = Fold(plan, state_of(stream.base))
        for each in entries:
            fold.take(each)
        found, kept = state_of(fold.state.encoded()), state_of(stream.state)
        found.born = kept.born = 0.0
        assert found == kept
        assert [(each.kind, each.name) for each in store.alerts(every=True)] == [("quality", "helpful")]
    opened = [each for each in receiver.received if b'"opened"' in each.body]
    assert len({each.key for each in opened}) == 1


def arrive(project: Project, turn: int, good: float, chance: random.Random) -> None:
    now = wall()
    arrivals = Arrivals(
        tuple(
            arrival_of(
                Trace(
                    id=f"{turn * BATCH + n:032x}",
                    flow="support",
                    input="when?",
                    output="yes" if chance.random() < good else "no",
                    started=now,
                ),
                Ways(),
                now=now,
            )
            for n in range(BATCH)
        )
    )
    with closing(store_of(project)) as store:
        store.take_in(arrivals, now)
