"""What the Monitor page costs over a million stored scores: on the server, on the wire, and in the browser.

    python -m benchmarks.pages_monitor [--scores 1000000] [--keep FOLDER]

A project is filled through the store itself: half as many requests over 30 days as scores, each scored by two judges.
`gatewatch serve` runs over it as a process of its own. Time on the server is the CPU that it takes for a request, from
the kernel's account of the process; time in the browser is that of the page's main thread (CDP, thread ticks).
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from benchmarks.measure import Report
from benchmarks.store import DAY, FLOW, START, WHY, arrivals
from gatewatch.core.money import Cost
from gatewatch.core.rates import Epoch, Rule
from gatewatch.core.score import Score
from gatewatch.core.trace import Usage
from gatewatch.store.base import Store
from gatewatch.store.open import open_store
from gatewatch.store.rows import Plan, Settled

SCORERS = ("helpful", "grounded")
TOML = '[project]\nname = "bench"\nstore = "sqlite:///bench.db"\n'
_TICKS = os.sysconf("SC_CLK_TCK")
_TIMES = 20


def fill(folder: Path, scores: int) -> None:
    """A project with so many scores, unless the folder has one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gatewatch.toml").write_text(TOML)
    if (folder / "bench.db").exists():
        return
    store = open_store(folder / "bench.db", project="bench")
    for batch in arrivals(scores // len(SCORERS), days=30, size=0):
        store.take_in(batch, batch.traces[-1].at)
    for name in SCORERS:
        _score(store, name)
    store.close()


def _score(store: Store, name: str) -> None:
    chance, late = random.Random(2), START + 31 * DAY
    work = store.work(FLOW, name, f"{name:x<12}", "judge")
    while (found := store.unplanned(work, 5000)).new:
        tasks = tuple((row.seq, row.at, 1.0) for row in found.new)
        epoch = Epoch(found.new[0].seq, found.through, (Rule(1.0),))
        store.plan(work.id, Plan(tasks, epoch=epoch, through=found.through, changes=found.changes))
        work = next(each for each in store.works() if each.id == work.id)
    while leased := store.lease([work.id], "w", 1000, late, late + 60):
        about = ("scored", name, "judge", work.fingerprint)
        settled = [
            Settled(
                *(each.task, each.attempt),
                Score(chance.random(), "good", WHY, *about, Cost(0.001), Usage(800, 60), "judge-x"),  # type: ignore[arg-type]
            )
            for each in leased
        ]
        store.settle(settled, late)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """A server over a project: its address, and the number of its process."""
    typed = [sys.executable, "-m", "gatewatch", "serve", "--no-auth", "--port", "0"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    with subprocess.Popen(typed, cwd=folder, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            found = next(re.search(r"http://[\d.]+:\d+", line) for line in process.stderr if "serving" in line)
            assert found is not None
            yield found[0], process.pid
        finally:
            process.terminate()


def cpu_of(process: int) -> float:
    """The CPU seconds that a process took until now."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def timed(report: Report, what: str, process: int, call: Callable[[int], httpx.Response], *, limit: float) -> None:
    """Print the CPU that a request costs the server, by many of them, of windows that differ as refreshes do."""
    call(0)
    before = cpu_of(process)
    sizes = [len(call(n).raise_for_status().content) for n in range(1, _TIMES + 1)]
    took = (cpu_of(process) - before) / _TIMES
    report.line(f"server, {what}: CPU", took * 1e3, "ms", limit=limit, note=f"{sizes[-1] / 1e3:.0f} kB unpacked")


def server(report: Report, url: str, process: int) -> None:
    """What requests for the page cost the server."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for days in (1, 7, 30):
            timed(report, f"/v1/monitor, {days} days", process, _endpoint(client, days), limit=100)
        for days, by in ((1, ""), (7, ""), (30, ""), (7, "slice")):
            what = f"the page, {days} days{' by slice' if by else ''}"
            timed(report, what, process, _page(client, days, by), limit=150 if by else 130)


def _endpoint(client: httpx.Client, days: int) -> Callable[[int], httpx.Response]:
    end = START + 30 * DAY
    return lambda n: client.get("/v1/monitor", params={"flow": FLOW, "since": end - days * DAY - 60 * n, "until": end})


def _page(client: httpx.Client, days: int, by: str) -> Callable[[int], httpx.Response]:
    return lambda n: client.get(f"/monitor?{_window(days, n)}&by={by}")


def _window(days: int, n: int = 0) -> str:
    end = START + 30 * DAY
    ends = (datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M") for at in (end - days * DAY - 60 * n, end))
    return "since={}&until={}".format(*ends)


def browser(report: Report, url: str) -> None:
    """What the page costs its main thread: until it can be used, with Vega drawn, and for a refresh."""
    from playwright.sync_api import CDPSession, sync_playwright

    def spent(session: CDPSession) -> float:
        found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        return float(found["TaskDuration"])

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = opened.new_page(viewport={"width": 1440, "height": 900})
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(f"{url}/monitor?{_window(7)}")
        page.locator("html[data-ready]").wait_for(state="attached")
        report.line("browser, until the page can be used: CPU", spent(session) * 1e3, "ms")
        page.locator(".chart[data-drawn]").wait_for(state="attached")
        report.line("browser, until Vega has drawn, too: CPU", spent(session) * 1e3, "ms")
        page.wait_for_timeout(500)
        took = []
        for n in range(8):  # another window each time, so that every bucket changes
            page.evaluate("where => history.replaceState(null, '', where)", f"{url}/monitor?{_window(7, n + 1)}")
            before = spent(session)
            with page.expect_response(lambda each: each.request.headers.get("x-gatewatch-fragment") == "live"):
                page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
            page.wait_for_timeout(400)
            took.append((spent(session) - before) * 1e3)
        report.line("browser, a refresh that changes every bucket: CPU", sorted(took)[len(took) // 2], "ms", limit=30)
        opened.close()


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scores", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="where the project is kept, and found again")
    options = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        before = time.perf_counter()
        fill(folder, options.scores)
        report.line("filling, or finding it filled", time.perf_counter() - before, "s")
        with serving(folder) as (url, process):
            server(report, url, process)
            browser(report, url)
    report.exit()


if __name__ == "__main__":
    main()
