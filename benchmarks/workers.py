"""Whether workers add up: one and two on one store, with a judge that takes its time.

    python -m benchmarks.workers [--postgres] [--requests 600]

A judge answers after half a second, and a worker asks it eight times at once; so one worker scores 16 requests a
second at most, and two twice as many, as long as they do not wait for each other.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.measure import Report
from gatewatch.checks.provider import FakeProvider, Reply
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.trace import Trace
from gatewatch.online.ingest import Ways, arrival_of
from gatewatch.store.rows import Arrivals

CONFIG = """
[project]
name = "bench"
store = "{address}"

[models.judge]
model = "judge-model"
base_url = "{url}"
key_env = ""

[prices.judge-model]
input = 1.0
output = 1.0

[scorers.good]
rubric = "good.md"

[online]
concurrency = 8

[monitors.m]
flow = "support"
scorers = [ {{ use = "good", sample = 1.0 }} ]
"""
RUBRIC = '---\nscale = "binary"\nmodel = "judge"\n---\nIs the answer good?\n'
GOOD = Reply(text='{"explanation": "it is", "verdict": "pass"}', delay=0.5)


def scored(address: str, folder: Path, workers: int, requests: int) -> tuple[float, int]:
    """How many requests a second some workers score, from the first call to the last, and how many calls that took."""
    calls: list[float] = []

    def answer(_: object) -> Reply:
        calls.append(time.perf_counter())
        return GOOD

    with FakeProvider(answer) as provider:
        (folder / "good.md").write_text(RUBRIC)
        (folder / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url, address=address))
        now = time.time()
        traces = [
            Trace(id=f"{n:032x}", flow="support", input=f"question {n}", output="yes", started=now)
            for n in range(requests)
        ]
        with closing(store_of(Project.open(folder))) as store:
            store.take_in(Arrivals(tuple(arrival_of(each, Ways(), now=now) for each in traces)), now)
        command = [sys.executable, "-m", "gatewatch", "work", "--once"]
        running = [subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) for _ in range(workers)]
        assert [each.wait() for each in running] == [0] * workers
        with closing(store_of(Project.open(folder))) as store:
            assert store.counts().scores == requests
    return len(calls) / (calls[-1] - calls[0]), len(calls)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL that is started for it")
    options = parser.parse_args()
    report, rates = Report(), []
    server = None
    if options.postgres:
        from benchmarks.postgres_server import started

        server = started()
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            address = f"sqlite:///{folder}/x.db" if server is None else server.new_database()
            rate, calls = scored(address, Path(folder), workers, options.requests)
        rates.append(rate)
        report.line(f"{workers} worker{'s' * (workers > 1)}: scores a second", rate, "/s", note=f"{calls} calls")
    report.line("one, as a part of two", rates[0] / rates[1], "", limit=1 / 1.7, note="0.5 is twice as quick")
    if server is not None:
        server.remove()
    report.exit()


if __name__ == "__main__":
    main()
