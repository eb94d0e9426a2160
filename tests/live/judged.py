"""A project whose judge is a real provider's, with a clock that stands still: for tests of what canaries tell."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatewatch.checks.provider import Reply
from gatewatch.config.monitors import worker_of
from gatewatch.config.project import Project
from gatewatch.core.trace import Trace
from gatewatch.core.watch import Alert
from gatewatch.online.canary import judge_alert, judge_state
from gatewatch.online.ingest import Ways, arrival_of
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrivals
from gatewatch.store.watching import Stream, WatchStep

START = 1_790_000_000.0
CONFIG = """
[models.judge]
model = "judge-model"
base_url = "{url}"
key_env = ""
retries = 0

[prices.judge-model]
input = 100.0
output = 100.0

[scorers.good]
rubric = "good.md"

[monitors.m]
flow = "support"
scorers = [ {{ use = "good" }} ]
{monitor}

[online]
lease = "2s"
"""
RUBRIC = '---\nscale = "{scale}"\nmodel = "judge"\n---\nIs the answer good?\n'


class Judged:
    """A project over a store, with a clock that stands still."""

    def __init__(self, folder: Path, store: Store, url: str, *, monitor: str = "", scale: str = "binary") -> None:
        (folder / "gatewatch.toml").write_text(CONFIG.format(url=url, monitor=monitor))
        (folder / "good.md").write_text(RUBRIC.format(scale=scale))
        self.folder, self.now, self.store = folder, START, store

    def arrive(self, *outputs: str) -> None:
        traces = [
            Trace(id=f"{self.store.counts().traces + place:032x}", flow="support", input="?", output=each)
            for place, each in enumerate(outputs)
        ]
        self.store.take_in(Arrivals(tuple(arrival_of(each, Ways(), now=self.now) for each in traces)), self.now)

    def work(self, *, workers: int = 1) -> None:
        async def all_of_them() -> None:
            projects = [Project.open(self.folder) for _ in range(workers)]
            made = [
                worker_of(each, self.store, owner=f"w{place}", clock=lambda: self.now)
                for place, each in enumerate(projects)
            ]
            await asyncio.gather(*(each.run(asyncio.Event(), once=True) for each in made))
            for project in projects:
                await project.close()

        asyncio.run(all_of_them())

    def stream(self) -> Stream:
        (work,) = [each for each in self.store.works() if each.scorer == "good"]
        return self.store.stream("support", "good", work.fingerprint, work.source)

    def state(self) -> str:
        return judge_state(self.store, self.stream(), self.now)

    def tell(self) -> list[Alert]:
        """What a monitor's step does of judges: it keeps what there is to say."""
        stream = self.stream()
        there = self.store.alerts()
        found = judge_alert(self.store, stream, self.now, there[0] if there else None)
        alerts = [found] if isinstance(found, Alert) else []
        over = [(there[0].key, found)] if isinstance(found, str) and found else []
        step = WatchStep(read_at=self.store.unheard({}, 1).read_at, alerts=alerts, resolved=over)
        assert self.store.keep(step, self.now)
        return self.store.alerts(every=True)


def answers(strict: list[int], away: list[bool]) -> Callable[[dict[str, Any]], str | Reply]:
    """A judge of answers such as "quality 37": good from `strict[0]` on, and nothing while it is `away`."""

    def reply(request: dict[str, Any]) -> str | Reply:
        if away[0]:
            return Reply(status=503, text="away")
        quality = int(json.dumps(request["messages"]).rsplit("quality ", 1)[1][:2])
        return json.dumps({"explanation": "so", "verdict": "pass" if quality >= strict[0] else "fail"})

    return reply


def outputs(first: int, last: int) -> list[str]:
    return [f"{n}: quality {n % 100:02}" for n in range(first, last)]
