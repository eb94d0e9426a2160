"""What the pages cost a reader: bytes sent, and how long the browser's main thread works, at 5,000 and 100,000 cases.

The main thread is measured by the processor time that it took (CDP `Performance`, thread ticks), which a busy machine
does not stretch as it does wall time; each figure is the least of some tries. Bytes are those of the bodies, as they
were sent, of a first visit: page, sheets and scripts.

    python -m benchmarks.pages [--tries 5]
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from benchmarks.measure import Report
from benchmarks.server import started
from gatewatch.core import codec
from gatewatch.core.money import Cost
from gatewatch.core.run import DatasetRef, Row, RunEnd, RunHeader, ScorerRef, trace_id
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace

SIZES = (5_000, 100_000)
SENT_KB, READY_MS, PAINTED_MS, SERVER_MS, MORE = 15.0, 150.0, 60.0, 20.0, 1.5
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
TEXT = (
    "the refund window is thirty days and you can return any item in store or online please contact our support team "
    "for help with orders delivery takes two to four working days unless it is a large parcel we write when it leaves"
)
CLICK = """([clicked, event]) => new Promise(done => {
  const painted = () => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)));
  document.addEventListener(event, painted, {once: true});
  document.querySelector(clicked).click();
})"""
SLICES = ("billing", "shipping", "returns", "account")


def said(random: Random, count: int) -> str:
    return " ".join(random.choices(TEXT.split(), k=count))


def journal(path: Path, count: int, *, changed: float) -> None:
    """A run of so many cases, a share of which is answered otherwise, and worse."""
    alike, own = Random(7), Random(path.stem)
    scorers = {"exact": ScorerRef("f" * 12), "helpful": ScorerRef("e" * 12, "judge", pass_at=0.75)}
    dataset = DatasetRef("datasets/support.jsonl", "0" * 12, count)
    header = RunHeader(run=path.stem, suite="support", task="app:answer", dataset=dataset, scorers=scorers)
    with path.open("wb") as file:
        file.write(codec.frame("head", codec.encode(header)))
        for number in range(count):
            case = f"case-{number:06}"
            asked, answered, good = said(alike, 14), said(alike, 40), alike.random() < 0.85
            if own.random() < changed:
                answered, good = answered.replace("days", "weeks").replace("return", "send back"), False
            helpful = Score(0.9 if good else 0.4, explanation=said(alike, 12), source="judge")
            trace = Trace(
                id=trace_id(path.stem, case, 0),
                input=asked,
                output=answered,
                latency_s=own.uniform(0.5, 1.5),
                cost=Cost(own.uniform(0.001, 0.002)),
            )
            row = Row(
                case=case,
                hash=f"{number:012x}",
                slice=SLICES[number % len(SLICES)],
                trace=trace,
                scores={"exact": Score(float(good)), "helpful": helpful},
            )
            file.write(codec.frame("row", codec.encode(row)))
        file.write(codec.frame("end", codec.encode(RunEnd("complete"))))


@contextmanager
def project() -> Iterator[tuple[int, str]]:
    """A server over a project with two runs of each size: its process, and its address."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "gatewatch.toml").write_text('[project]\nname = "bench"\n')
        (root / ".gatewatch" / "runs").mkdir(parents=True)
        for count in SIZES:
            journal(root / ".gatewatch" / "runs" / f"before-{count}.jsonl", count, changed=0.0)
            journal(root / ".gatewatch" / "runs" / f"after-{count}.jsonl", count, changed=0.05)
        server, url = started(root, "--no-auth")
        try:
            yield server.pid, url
        finally:
            server.terminate()
            server.wait()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The Chromium of this machine, or the one that GATEWATCH_CHROMIUM names."""
    path = os.environ.get("GATEWATCH_CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A first visit of a page: what was sent, and how long its main thread worked, in milliseconds."""

    def __init__(self, browser: Browser, url: str) -> None:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        self.page: Page = context.new_page()
        self._session: CDPSession = context.new_cdp_session(self.page)
        self.sent = 0
        self._session.on("Network.dataReceived", self._received)
        self._session.send("Network.enable")
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        before = self.worked()
        self.page.goto(url)
        self.page.locator("html[data-ready]").wait_for(state="attached")
        self.ready_ms = self.worked() - before

    def _received(self, event: dict[str, Any]) -> None:
        self.sent += event["encodedDataLength"]

    def worked(self) -> float:
        """How long the main thread has worked so far."""
        found = self._session.send("Performance.getMetrics")["metrics"]
        return float(next(each["value"] for each in found if each["name"] == "TaskDuration")) * 1e3

    def until(self, clicked: str, event: str) -> float:
        """How long it works from a click until what came of it, which an event tells of, is painted."""
        before = self.worked()
        self.page.evaluate(CLICK, [clicked, event])
        return self.worked() - before

    def close(self) -> None:
        self.page.context.close()


def worked_by(server: int, urls: list[str]) -> float:
    """The processor time that a server takes for each of some fragments, in milliseconds."""

    def worked() -> float:
        fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1e3

    with httpx.Client(timeout=60, headers={"accept": "text/html", "x-gatewatch-fragment": "rows"}) as client:
        before = worked()
        for url in urls:
            client.get(url).raise_for_status()
        return (worked() - before) / len(urls)


def compare(report: Report, browser: Browser, server: int, url: str, tries: int) -> None:
    """The figures of Compare, at both sizes."""
    figures: dict[str, list[float]] = {}
    for count in SIZES:
        query = f"baseline=before-{count}&candidate=after-{count}"
        began = time.perf_counter()
        httpx.get(f"{url}/compare?{query}", timeout=600).raise_for_status()
        report.line(f"compare {count:,}: the first time, both runs read (wall)", time.perf_counter() - began, "s")
        served = worked_by(server, [f"{url}/compare?{query}&filter=improved&slice={each}" for each in SLICES * 10])
        ready, painted, opened, sent = 1e9, 1e9, 1e9, 1e9
        for _ in range(tries):
            visit = Visit(browser, f"{url}/compare?{query}")
            ready, sent = min(ready, visit.ready_ms), min(sent, visit.sent / 1e3)
            painted = min(painted, visit.until(".filters .chip:nth-child(3)", "swapped"))
            opened = min(opened, visit.until("[data-row] a.open", "opened"))
            visit.close()
        for name, value in (("sent", sent), ("ready", ready), ("painted", painted), ("served", served)):
            figures.setdefault(name, []).append(value)
        more = 1.0 if count == SIZES[0] else MORE
        report.line(f"compare {count:,}: bytes of the first visit", sent, "kB", limit=SENT_KB * more)
        report.line(f"compare {count:,}: main thread until it can be used", ready, "ms", limit=READY_MS * more)
        report.line(f"compare {count:,}: main thread from a filter to its rows", painted, "ms", limit=PAINTED_MS * more)
        report.line(f"compare {count:,}: main thread from a click to the case", opened, "ms", limit=PAINTED_MS * more)
        report.line(f"compare {count:,}: processor time of the server, a window", served, "ms", limit=SERVER_MS * more)
    for name in ("sent", "ready", "painted"):
        few, many = figures[name]
        report.line(f"compare: {name} at {SIZES[1]:,} beside {SIZES[0]:,}", many / few, "x", limit=MORE)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tries", type=int, default=5)
    tries = parser.parse_args().tries
    report = Report()
    with project() as (server, url), chromium() as browser:
        compare(report, browser, server, url, tries)
    report.exit()


if __name__ == "__main__":
    main()
