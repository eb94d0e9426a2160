"""The second half of `gatewatch demo`: the bot answers customers, and a worker scores what it said."""

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

from gatewatch.cli.terminal import titled

if TYPE_CHECKING:
    from rich.console import Console

    from gatewatch.config.project import Project

FLOW = "support"
DAYS = 0.05


def print_live(out: "Console", project: "Project") -> None:
    """Capture, score and show live traffic, as the commands do that are named."""
    from rich.text import Text

    from gatewatch.cli.trend_text import print_trend
    from gatewatch.cli.why import lines_of
    from gatewatch.config.monitors import store_of, worker_of
    from gatewatch.core.clock import wall
    from gatewatch.offline.report import clean
    from gatewatch.online.ledger import ledger
    from gatewatch.online.trends import trend

    titled(out, "python live.py", "The bot answers 400 customers; what it says is captured on its way.")
    said = subprocess.run([sys.executable, "live.py"], capture_output=True, text=True, check=True)
    disliked = said.stdout.strip()
    titled(out, "gatewatch work --once", "A worker takes it in, samples it, scores it. It would run beside the bot.")
    store = store_of(project)
    try:
        worker = worker_of(project, store, owner="demo")
        done = asyncio.run(worker.run(asyncio.Event(), once=True))
        out.print(
            Text(f"took in {done.ingested.traces} requests and {done.ingested.said} thumbs, made {done.scored} scores")
        )
        titled(
            out,
            f"gatewatch trends {FLOW} --days {DAYS}",
            "Of all requests, though most were not scored: each mean is weighted, and has its interval.",
        )
        out.print()
        print_trend(trend(store, FLOW, since=wall() - DAYS * 86_400, until=wall() + 1))
        row = store.find(disliked)
        assert row is not None
        titled(out, f"gatewatch why {disliked}", "What became of one request, which its customer did not like.")
        out.print()
        for line in lines_of(ledger(store, row)):
            out.print(Text(clean(line)))
    finally:
        store.close()
