"""What Overview and Costs cost the server over a million stored scores.

    python -m benchmarks.pages_overview [--scores 1000000] [--keep FOLDER]

The project is that of `benchmarks.pages_monitor`. Figures are CPU of this process, with nothing held from before.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Report
from benchmarks.pages_monitor import fill
from benchmarks.store import DAY, FLOW, START
from gatewatch.config.costs import ahead, live_costs, put_together
from gatewatch.config.flow_state import month
from gatewatch.config.gate_state import GateStates
from gatewatch.config.joining import Joining
from gatewatch.config.overview import overview
from gatewatch.config.stored_runs import StoredRuns
from gatewatch.store.base import Store
from gatewatch.store.open import open_store

NOW = START + 30 * DAY
_TIMES = 10


def timed(report: Report, what: str, call: Callable[[], object], *, limit: float) -> None:
    """Print the CPU that a call takes, by several of them behind a first."""
    call()
    before = time.process_time()
    for _ in range(_TIMES):
        call()
    report.line(f"{what}: CPU", (time.process_time() - before) / _TIMES * 1e3, "ms", limit=limit)


def measured(report: Report, store: Store, folder: Path) -> None:
    """What is read for the two pages."""
    gates = GateStates(Joining(StoredRuns(None, store, folder / "copies")))
    assert overview(store, None, gates, NOW).flows[0].requests > 0
    timed(report, "Overview, all that is told", lambda: overview(store, None, gates, NOW), limit=80)
    timed(report, "Overview, the chart of 30 days", lambda: month(store, None, FLOW, "", NOW), limit=70)

    def costs() -> None:
        found = live_costs(store, NOW - 60 * DAY, NOW, lambda _: False)
        put_together(found, "scorer")
        ahead(found, NOW)

    timed(report, "Costs, live, 60 days", costs, limit=30)


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scores", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="where the project is kept, and found again")
    options = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        fill(folder, options.scores)
        store = open_store(folder / "bench.db", project="bench")
        measured(report, store, folder)
        store.close()
    report.exit()


if __name__ == "__main__":
    main()
