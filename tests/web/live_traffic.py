"""A project whose flow has ten days of scored traffic: a pinned baseline, a deploy, a fall, alerts, hostile texts."""

import json
import os
import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec

from gatewatch.cli.main import status
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core import codec, marks
from gatewatch.core.clock import wall
from gatewatch.core.money import Cost
from gatewatch.core.rates import Epoch, Rule, u_of
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Redaction, Span, Trace, Usage
from gatewatch.core.watch import Alert, Evidence, Marker, Segment
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrival, Arrivals, Plan, Settled
from gatewatch.store.watching import Entry, WatchStep

FLOW, DAY = "support", 86_400.0
HOSTILE = (
    "<script>alert(1)</script><svg onload=alert(2)>\u202egnp.exe \x1b[31mred ![x](http://evil.test/a.png) =HYPERLINK(1)"
)
TOML = """
[project]
name = "bot"
scorers = "evals.py"

[suites.support]
dataset = "cases.jsonl"
task = "replay:answers.jsonl"
scorers = ["polite"]

[monitors.support]
flow = "support"
scorers = [{ use = "polite" }]
alert = { rules = { polite = { drop = "3pp" } } }
"""
EVALS = """
from gatewatch import scorer

@scorer
def polite(output: str) -> float:
    return min(1.0, output.count("please") / 4)
"""
_DEPLOY = 4.0
_SLICES = ("refunds", "delivery", "account", "<b>other</b>")


def trafficked(folder: Path) -> Path:
    """Such a project in a folder, nothing of it done yet."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gatewatch.toml").write_text(TOML)
    (folder / "evals.py").write_text(EVALS)
    chance = random.Random(5)
    cases, answers = [], []
    for n in range(60):
        cases.append({"id": f"c{n}", "input": f"question {n}", "slice": _SLICES[n % 4]})
        answers.append({"id": f"c{n}", "output": "please " * (3 + chance.randrange(2))})
    (folder / "cases.jsonl").write_text("".join(json.dumps(each) + "\n" for each in cases))
    (folder / "answers.jsonl").write_text("".join(json.dumps(each) + "\n" for each in answers))
    return folder


def alive(folder: Path, *, long: int = 0) -> Path:
    """The same with its baseline pinned and its traffic scored, made by a process of its own. The output of one request
    has `long` letters, where that is given."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    typed = [sys.executable, "-m", "web.live_traffic", str(folder), str(long)]
    done = subprocess.run(typed, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def main(folder: Path, long: int) -> None:
    """Make it."""
    trafficked(folder)
    os.chdir(folder)
    for words in (["run", "support", "--name", "first"], ["baseline", "pin", "first"]):
        assert status(words) == 0
    with closing(store_of(Project.open(folder))) as store:
        _arrive(store, 1200, long)
        _listen(store, Project.open(folder).named("polite", "").fingerprint)
    assert status(["work", "--once"]) == 0
    with closing(store_of(Project.open(folder))) as store:
        _judge(store)
        _tell(store)


def _arrive(store: Store, count: int, long: int) -> None:
    now, chance = wall(), random.Random(7)
    some = []
    for n in range(count):
        age = 10 * DAY * (1 - n / count)
        some.append(_arrival(n, now - age - 1, age / DAY, chance, long if n == count - 2 else 0))
    for start in range(0, count, 200):
        store.take_in(Arrivals(tuple(some[start : start + 200])), now)


def _arrival(n: int, at: float, age: float, chance: random.Random, long: int) -> Arrival:
    name = f"{chance.getrandbits(128):032x}"
    fell = age < _DEPLOY
    kindness = max(0, min(4, round(chance.gauss(2.6 if fell else 3.4, 0.7))))
    part = chance.choices(_SLICES, (5, 3, 2, 1))[0]
    output = "please " * kindness + f"your refund takes {n % 14} days."
    if n % 97 == 3:
        output = HOSTILE
    if long:
        output = "please wait. " * (long // 13) + HOSTILE
    latency = chance.lognormvariate(0.2, 0.5)
    failed = n % 53 == 7
    spans = (
        Span(
            name="retrieve",
            kind="retrieval",
            input={"query": f"refund {n}"},
            output=["policy"],
            started_s=0.0,
            latency_s=latency * 0.2,
        ),
        Span(name="answer", started_s=latency * 0.2, latency_s=latency * 0.8),
        Span(
            name="call the model",
            kind="llm",
            parent=1,
            model="app-1",
            usage=Usage(input_tokens=900, output_tokens=120),
            cost=0.002,
            started_s=latency * 0.25,
            latency_s=latency * 0.6,
        ),
        Span(
            name="find_order",
            kind="tool",
            parent=1,
            input={"order": n},
            output={"state": "sent"},
            started_s=latency * 0.86,
            latency_s=latency * 0.1,
        ),
    )
    session = f"talk-{n // 3}" if n % 2 else ""
    trace = Trace(
        id=name,
        span_id=name[:16],
        flow=FLOW,
        input={
            "messages": [{"role": "user", "content": f"Where is my refund {n % 40}? {HOSTILE if n % 101 == 5 else ''}"}]
        },
        output=None if failed else output,
        error=Fault("the model did not answer") if failed else None,
        session=session,
        slice=part,
        external_id=f"m-{n}",
        user=name[8:24],
        versions={"prompt": "7" if fell else "6", "model": "app-1"},
        latency_s=latency,
        first_token_s=latency / 3,
        usage=Usage(input_tokens=900, output_tokens=120),
        cost=Cost(0.002),
        spans=spans,
        started=at,
        redacted=(Redaction("email", "input", 1),) if n % 9 == 0 else (),
    )
    down = chance.random() < (0.09 if fell else 0.04)
    found = (["error"] if failed else []) + (["thumbs_down"] if down else []) + (["guardrail"] if n % 71 == 0 else [])
    return Arrival(trace, codec.encode(trace), at, u_of(session, name), marks.bits(found))


def _judge(store: Store) -> None:
    """A judge scores half of it."""
    chance, now = random.Random(11), wall()
    work = store.work(FLOW, "helpful", "helpful-rub3", "judge")
    found = store.unplanned(work, 100_000)
    rules = (Rule(0.5),)
    tasks = tuple((row.seq, row.at, 0.5) for row in found.new if row.u < 0.5)
    epoch = Epoch(found.new[0].seq, found.through, rules)
    store.plan(work.id, Plan(tasks, epoch=epoch, through=found.through, changes=found.changes))
    while leased := store.lease([work.id], "w", 500, now, now + 60):
        settled = []
        for each in leased:
            age = (now - each.row.at) / DAY
            value = min(1.0, max(0.0, chance.gauss(0.72 if age < _DEPLOY else 0.86, 0.12)))
            score = Score(
                value,
                "good" if value > 0.7 else "poor",
                f"It says how long a refund takes. {HOSTILE if each.row.seq % 50 == 1 else ''}",
                "scored",
                "helpful",
                "judge",
                work.fingerprint,
                Cost(0.001),
                Usage(800, 60),
                "judge-x",
            )
            settled.append(Settled(each.task, each.attempt, score))
        store.settle(settled, now)


def _listen(store: Store, fingerprint: str) -> None:
    """What the monitor heard over forty days: conversations with a score each, which fell ten days ago."""
    now, chance = wall(), random.Random(3)
    stream = store.stream(FLOW, "polite", fingerprint, "rule")
    entries = []
    for n in range(2400):
        at = now - 40 * DAY * (1 - n / 2400)
        mean = 0.65 if at > now - 10 * DAY else 0.85
        value = min(1.0, max(0.0, chance.gauss(mean, 0.1)))
        entries.append((stream.id, Entry(0, -1 - n, at, "refunds", "", "", True, (value,))))
    assert store.keep(WatchStep(read_at=store.unheard({}, 1).read_at, entries=entries), now)


def _tell(store: Store) -> None:
    """A deploy, and alerts: one that is open, one that is resolved."""
    now = wall()
    store.mark(Marker(now - _DEPLOY * DAY, FLOW, "prompt=7", "mia", "shorter answers"))
    worst = store.worst(FLOW, "helpful", "helpful-rub3", "judge", now - 3 * DAY, now, 500)[:5]
    ids = tuple(store.named([seq for seq, _ in worst]).values())
    evidence = Evidence(
        n=412,
        before=0.86,
        after=0.72,
        effect=-0.14,
        low=-0.17,
        high=-0.11,
        onset=now - _DEPLOY * DAY,
        segments=(
            Segment("slice", "refunds", 200, -0.19, -0.23, -0.15, 0.45),
            Segment("version", "prompt=7", 412, -0.14, -0.17, -0.11, 1.0),
        ),
        traces=ids,
        markers=(Marker(now - _DEPLOY * DAY, FLOW, "prompt=7", "mia"),),
        note="it began with the deploy",
    )
    alerts = [
        Alert(
            key="a",
            flow=FLOW,
            monitor="support",
            kind="quality",
            name="helpful",
            severity="page",
            title="helpful fell from 0.860 to 0.720",
            opened=now - 3.2 * DAY,
            updated=now - DAY,
            times=3,
            evidence=evidence,
            owner="mia",
            runbook="see docs/refunds.md",
        ),
        Alert(
            key="b",
            flow=FLOW,
            monitor="support",
            kind="rate",
            name="thumbs_down",
            severity="ticket",
            title=f"thumbs_down rose from 4.0% to 9.0% {HOSTILE[:60]}",
            opened=now - 2.5 * DAY,
            updated=now - 2 * DAY,
            evidence=msgspec.structs.replace(evidence, effect=0.05, low=0.02, high=0.08, before=0.04, after=0.09),
        ),
        Alert(
            key="c",
            flow=FLOW,
            monitor="support",
            kind="ceiling",
            name="latency_s",
            severity="info",
            title="latency is above its limit",
            opened=now - 8 * DAY,
            updated=now - 7 * DAY,
        ),
    ]
    assert store.keep(WatchStep(read_at=store.unheard({}, 1).read_at, alerts=alerts), now)
    last = store.alerts(every=True)[0]
    store.turn_alert(last.id, "resolved", who="mia", reason="the provider mended it", now=now - 6.5 * DAY)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
