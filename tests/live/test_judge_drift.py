"""A judge that changes under the same name, asked by a real worker: its canaries tell, whatever else goes wrong."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatewatch.checks.provider import FakeProvider, Reply
from gatewatch.config.monitors import worker_of
from gatewatch.config.project import Project
from gatewatch.core.trace import Trace
from gatewatch.core.watch import Alert
from gatewatch.online.canary import freeze, judge_alert, judge_state, want_check
from gatewatch.online.ingest import Ways, arrival_of
from gatewatch.online.monitor import DAY_S
from gatewatch.store.open import open_store
from gatewatch.store.rows import Arrivals
from gatewatch.store.watching import Stream, WatchStep
from shared import rows
from store.making import a_store, backend  # noqa: F401 - every test runs on both

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
    """A project over a store, with a clock that stands still, and a provider that judges answers by a rule.

    `strict`: from how much on, in 0..99, an answer is good; `away`: the provider is out of order."""

    def __init__(self, folder: Path, url: str, *, monitor: str = "", scale: str = "binary") -> None:
        (folder / "gatewatch.toml").write_text(CONFIG.format(url=url, monitor=monitor))
        (folder / "good.md").write_text(RUBRIC.format(scale=scale))
        self.folder, self.now, self.store = folder, START, a_store(folder)

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
        there = self.store.alerts(every=True)
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


def frozen(judged: Judged, number: int = 200) -> None:
    judged.arrive(*outputs(0, number))
    judged.work()
    assert freeze(judged.store, judged.stream(), judged.now) == 60
    judged.work()


def test_a_judge_that_changes_under_the_same_name_is_what_is_told(tmp_path: Path) -> None:
    strict = [10]
    with FakeProvider(answers(strict, [False])) as provider:
        judged = Judged(tmp_path, provider.base_url)
        frozen(judged)
        assert provider.accepted == 260, "each is scored again, whatever is in the reply cache"
        judged.now += DAY_S
        judged.work()
        assert provider.accepted == 320
        assert judged.state() == "ok" and judged.tell() == []
        strict[0] = 40
        judged.now += DAY_S
        judged.arrive(*outputs(200, 300))  # as good as ever, and judged worse
        judged.work()
        cells = sorted((each.bucket, each.total / each.n) for each in judged.store.cells("support", "day", 0, 2e9))
        assert [mean for _, mean in cells] == pytest.approx([0.9, 0.6])
        assert judged.state() == "changed"
        (alert,) = judged.tell()
        assert (alert.kind, alert.name, alert.state) == ("judge", "good", "open")
        assert alert.title.startswith("the judge of good changed: it scores more strictly, by ")
        assert alert.evidence.effect == pytest.approx(-0.3, abs=0.02) and alert.evidence.n == 60
        assert [each.times for each in judged.tell()] == [1]
        strict[0] = 10
        judged.now += DAY_S
        judged.work()
        assert judged.state() == "ok"
        assert [(each.state, each.reason) for each in judged.tell()] == [
            ("resolved", "its canaries score as they did when they were frozen")
        ]
        billed = provider.billed
        paid = ((billed.input_tokens or 0) + (billed.output_tokens or 0)) * 100 / 1e6
        spent = judged.store.spend(0, judged.now + 1)
        assert sum(cell.cost for cell in spent) == pytest.approx(paid)
        assert sum(cell.scores for cell in spent) == provider.accepted


def test_it_is_checked_at_once_when_asked_and_by_one_worker_alone(tmp_path: Path) -> None:
    with FakeProvider(answers([10], [False])) as provider:
        judged = Judged(tmp_path, provider.base_url)
        frozen(judged)
        judged.now += 600
        judged.work(workers=2)
        assert provider.accepted == 260 and judged.state() == "unknown"
        assert want_check(judged.store, judged.stream(), judged.now)
        judged.work(workers=2)
        assert provider.accepted == 320 and judged.state() == "ok"


def test_an_outage_says_nothing_of_the_judge_and_is_caught_up_on(tmp_path: Path) -> None:
    away = [False]
    with FakeProvider(answers([10], away)) as provider:
        judged = Judged(tmp_path, provider.base_url)
        frozen(judged)
        away[0], judged.now = True, judged.now + DAY_S
        asked = provider.calls
        judged.work()
        assert provider.calls - asked < 15, "it is not asked on and on"
        assert judged.state() == "unknown" and judged.tell() == []
        there = judged.store.canary_set(judged.stream().id)
        assert there is not None and "status 503" in there.reason
        judged.now += 30
        judged.work()
        assert provider.calls - asked < 15
        away[0], judged.now = False, judged.now + 400
        judged.work()
        assert judged.state() == "ok"


def test_what_there_is_no_money_for_waits_for_another_day(tmp_path: Path) -> None:
    with FakeProvider(answers([10], [False])) as provider:
        judged = Judged(tmp_path, provider.base_url, monitor='budget = "100 USD/day"')
        frozen(judged)
        text = (tmp_path / "gatewatch.toml").read_text()
        (tmp_path / "gatewatch.toml").write_text(text.replace("100 USD/day", "0.5 USD/day"))
        judged.now += DAY_S
        judged.work()
        there = judged.store.canary_set(judged.stream().id)
        assert provider.accepted == 260 and there is not None
        assert there.reason == "not scored: the day's budget of 0.5 USD is used up"
        (tmp_path / "gatewatch.toml").write_text(text)
        judged.now += 3601
        judged.work()
        assert provider.accepted == 320 and judged.state() == "ok"
        day = int(judged.now // DAY_S)
        each = sum(cell.cost for cell in judged.store.spend(0, judged.now + 1)) / 320
        assert judged.store.spent(f"m:{day}") == pytest.approx((60 * each, 0.0), rel=0.02)


def test_recorded_judges_swapped_under_the_same_name(tmp_path: Path) -> None:
    votes: dict[str, dict[str, int]] = {}
    for row in rows("judge_wildbench", "scores.jsonl.gz"):
        if row["run"] == "v2.0522":
            votes.setdefault(row["judge"], {})[f"{row['model']} {row['source_id']}"] = int(row["score"])
    old, new = votes["gpt-4-turbo-2024-04-09"], votes["gpt-4o-2024-05-13"]
    by = [old]

    def reply(request: dict[str, Any]) -> str:
        name = json.dumps(request["messages"]).rsplit("output of ", 1)[1].split(" END")[0]
        return json.dumps({"explanation": "so", "score": by[0][name]})

    with FakeProvider(reply) as provider:
        judged = Judged(tmp_path, provider.base_url, scale="1-10")
        both = sorted(old.keys() & new.keys())
        judged.arrive(*(f"output of {name} END" for name in both[::7]))
        judged.work()
        assert freeze(judged.store, judged.stream(), judged.now) == 60
        for _ in range(3):
            judged.work()
            judged.now += DAY_S
        judged.work()
        assert judged.state() == "ok"
        by[0] = new
        judged.now += DAY_S
        judged.work()
        assert judged.state() == "changed"
        (alert,) = judged.tell()
        assert alert.kind == "judge" and -0.12 < (alert.evidence.effect or 0) < -0.03


WORKER = 'import sys\nfrom gatewatch.cli.main import main\nsys.argv = ["gatewatch", "work"]\nmain()\n'


@pytest.mark.slow
def test_workers_killed_in_the_middle_of_a_check_leave_nothing_half_kept(tmp_path: Path) -> None:
    def stored() -> bool:
        found = store.canary_set(stream.id)
        return found is not None and found.settled

    with FakeProvider(answers([10], [False]), latency=0.05) as provider:
        judged = Judged(tmp_path, provider.base_url)
        judged.store.close()
        store = judged.store = open_store(tmp_path / ".gatewatch" / "gatewatch.db")
        judged.now = time.time()
        judged.arrive(*outputs(0, 100))
        judged.work()
        stream = judged.stream()
        assert freeze(store, stream, judged.now) == 60
        for _ in range(3):
            before = provider.accepted
            process = subprocess.Popen([sys.executable, "-c", WORKER], cwd=tmp_path)
            while provider.accepted < before + 20:
                assert process.poll() is None
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert not stored()
        process = subprocess.Popen([sys.executable, "-c", WORKER], cwd=tmp_path)
        try:
            while not stored():
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            process.terminate()
            process.wait()
        lease = store.lease_canaries([stream.id], "me", time.time() + 2 * DAY_S, time.time() + 3 * DAY_S)
        assert lease is not None and len(lease.canaries) == 60
        assert {each.value for each in lease.canaries} == {0.0, 1.0}, "the mean of twice the same, whoever died"
        store.close()
