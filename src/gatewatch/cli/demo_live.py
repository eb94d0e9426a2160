"""What `gatewatch demo` shows of the online half: some days of customers, and what a monitor finds in them."""

import asyncio
import random
from functools import partial
from typing import TYPE_CHECKING

from gatewatch.cli.terminal import counted, titled

if TYPE_CHECKING:
    from rich.console import Console

    from gatewatch.config.project import Project
    from gatewatch.online.worker import Done
    from gatewatch.store.base import Store

FLOW = "support"
OLD, NEW = "good", "quicker"
_DAYS = 9
_PASSES = 6
"""How often a day the worker looks here, which in earnest it does all the time."""
_DAY_S = 86_400.0
_SHOWN_DAYS = 3
_SEED = 7


def live(out: "Console", project: "Project", store: "Store") -> None:
    """Let customers come for some days, with a worker beside, and show what it found. The last day is answered by
    another version than those before. All days pass in a few seconds, for requests and worker alike."""
    from rich.text import Text

    from gatewatch.cli.alerts import print_alert
    from gatewatch.cli.trend_text import print_trend
    from gatewatch.core.clock import wall
    from gatewatch.online.trends import trend

    titled(out, f"python live.py --version {NEW}", "It is deployed. Customers ask as they did in the days before.")
    done = _pass(project, store)
    said = f"{counted(done.ingested.said, 'piece')} of feedback"
    out.print(
        Text(f"{_DAYS - 1} days with the version before, and one with this: {done.ingested.traces:,} requests, {said}.")
    )
    out.print(Text(f"`gatewatch work` ran beside it, and scored what it was to: {done.scored:,} scores."))
    titled(
        out,
        f"gatewatch trends {FLOW} --days {_SHOWN_DAYS}",
        "Of all requests, though not all were scored: each mean is weighted, and has its interval.",
    )
    out.print()
    until = wall() + 1
    print_trend(trend(store, FLOW, since=until - _SHOWN_DAYS * _DAY_S, until=until))
    for each in store.alerts(flow=FLOW):
        titled(out, f"gatewatch alerts show {each.id}", "The monitor had learnt what was usual, and says what is not.")
        out.print()
        print_alert(each)


def _pass(project: "Project", store: "Store") -> "Done":
    """Let the days pass, and say what the worker did."""
    import gatewatch
    from gatewatch.config.imports import import_module
    from gatewatch.config.monitors import worker_of
    from gatewatch.core.clock import wall
    from gatewatch.online.worker import Done

    customers = import_module(project.root, "live.py", "live.py")
    gatewatch.configure(spool=project.root / project.settings.online.spool)
    luck, end, total = random.Random(_SEED), wall(), Done()
    for left in range(_DAYS * _PASSES, 0, -1):
        begin, until = (end - each * _DAY_S / _PASSES for each in (left, left - 1))
        customers.come(luck, OLD if left > _PASSES else NEW, begin, until)
        gatewatch.flush()
        worker = worker_of(project, store, owner="demo", clock=partial(float, until))
        total += asyncio.run(worker.run(asyncio.Event(), once=True))
    return total
