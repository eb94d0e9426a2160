"""What the store costs: taking in, reading from a large one, and the work on each score.

    python -m benchmarks.store [--traces 1000000] [--postgres]

The large store is filled through the store itself, in batches, over 30 days. Reading is timed on a connection that was
just opened, and again; the second is the figure, the first stands beside it. With `--postgres` the store is on a server
that is started for it, with all its settings as they come, and gone afterwards.
"""

import argparse
import json
import os
import random
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.measure import Report
from gatewatch.core.money import Cost
from gatewatch.core.rates import Epoch, Rule, u_of
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace, Usage
from gatewatch.online.trends import trend
from gatewatch.store.base import Store
from gatewatch.store.open import open_store
from gatewatch.store.rows import Arrival, Arrivals, Plan, Settled, Spent, Work

DAY = 86_400.0
START = 20_000 * DAY
BATCH = 1000
FLOW, SLICES, VARIANTS = "support", ("en", "de", "fr", "it"), ("",)
RARE = 1 << 3
WHY = "The answer says how long a refund takes, as it was asked to. " * 3
WORDS = Path(__file__).read_text().split() + [f"{n:x}" for n in range(3000, 5000)]


def payload_of(chance: random.Random, size: int) -> bytes:
    """A payload of about `size` bytes: words, which compress somewhat better than people's own text."""
    parts: list[str] = []
    while sum(map(len, parts)) + len(parts) < size:
        parts += chance.choices(WORDS, k=20)
    text = " ".join(parts)[:size]
    return json.dumps({"input": text[: size // 3], "output": text[size // 3 :], "spans": []}).encode()


def arrivals(count: int, *, days: float, size: int, seed: int = 1) -> Iterator[Arrivals]:
    """Batches of requests, evenly over some days: one in 20 has a thumb down, one in 100,000 was escalated."""
    chance = random.Random(seed)
    bodies = [payload_of(chance, size) for _ in range(200)] if size else [b""]
    for start in range(0, count, BATCH):
        some = []
        for n in range(start, min(start + BATCH, count)):
            name = f"{chance.getrandbits(128):032x}"
            session = f"s{n // 3}" if n % 2 else ""
            at = START + days * DAY * n / count
            trace = Trace(
                id=name,
                span_id=name[:16],
                flow=FLOW,
                session=session,
                slice=chance.choice(SLICES) if n % 50_000 else "rare",
                variant=chance.choice(VARIANTS),
                user=name[8:24],
                external_id=f"m-{n}",
                cost=Cost(0.002),
                usage=Usage(900, 150),
                latency_s=chance.lognormvariate(0, 0.6),
                first_token_s=chance.lognormvariate(-1, 0.6),
            )
            marks = (2 if chance.random() < 0.05 else 0) | (0 if (n + 500) % 100_000 else RARE)
            spent = (Spent("model-x", 1, 0.002, 900, 150),)
            some.append(Arrival(trace, chance.choice(bodies), at, u_of(session, name), marks, spent))
        yield Arrivals(tuple(some))


def timed(report: Report, what: str, call: Callable[[], object], *, limit: float | None) -> None:
    """Print how many milliseconds a call takes, the second time."""
    took = []
    for _ in range(5):
        before = time.perf_counter()
        call()
        took.append((time.perf_counter() - before) * 1e3)
    report.line(what, sorted(took[1:])[1], "ms", limit=limit, note=f"first {took[0]:.1f} ms")


def taking_in(report: Report, address: str) -> None:
    """How quickly a store takes in, and what a level of compression costs and saves."""
    chance = random.Random(3)
    bodies = [payload_of(chance, 2500) for _ in range(400)]
    for level in (1, 3, 6, 9):
        before = time.process_time()
        size = sum(len(zlib.compress(body, level)) for body in bodies)
        took = (time.process_time() - before) / len(bodies)
        report.line(
            f"zlib level {level}: CPU for a payload of 2.5 KB", took * 1e6, "us", note=f"{size / 1e6:.2f} MB kept"
        )
    store = open_store(address, project="taking")
    batches = list(arrivals(20_000, days=0.01, size=2500))
    rates = []
    for batch in batches:
        wall, cpu = time.perf_counter(), time.process_time()
        store.take_in(batch, START)
        rates.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall, cpu = sum(rate[0] for rate in rates), sum(rate[1] for rate in rates)
    count = BATCH * len(batches)
    report.line("take_in, 2.5 KB each, into a new store: a request", wall / count * 1e6, "us", limit=200)
    report.line("  of which CPU", cpu / count * 1e6, "us", note=f"{count / wall:,.0f} requests/s")
    store.close()


def filled(report: Report, address: str, count: int) -> Store:
    """A store with many requests and some 2 % of them scored by two scorers."""
    store = open_store(address, project="large")
    wall = cpu = 0.0
    for batch in arrivals(count, days=30, size=400):
        wall_before, cpu_before = time.perf_counter(), time.process_time()
        store.take_in(batch, batch.traces[-1].at)
        wall, cpu = wall + time.perf_counter() - wall_before, cpu + time.process_time() - cpu_before
    report.line(f"take_in, 0.4 KB each, into {count:,} at last: a request", wall / count * 1e6, "us", limit=200)
    report.line("  of which CPU", cpu / count * 1e6, "us", note=f"{count / wall:,.0f} requests/s")
    for scorer in ("helpful", "grounded"):
        planned(store, store.work(FLOW, scorer, f"{scorer:x<12}", "judge"))
    worked(report, store)
    return store


def planned(store: Store, work: Work) -> None:
    """Plan a work on all requests, at 2 % and all that was escalated."""
    rules = (Rule(0.02), Rule(1.0, marks=RARE))
    while (found := store.unplanned(work, 5000)).new:
        tasks = tuple((row.seq, row.at, 0.02) for row in found.new if row.u < 0.02)
        epoch = Epoch(found.new[0].seq, found.through, rules)
        store.plan(work.id, Plan(tasks, epoch=epoch, through=found.through, changes=found.changes))
        work = next(each for each in store.works() if each.id == work.id)


def worked(report: Report, store: Store) -> None:
    """Score what was planned, but for one task in ten."""
    chance = random.Random(2)
    leasing = settling = 0.0
    scored = 0
    late = START + 60 * DAY
    todo = store.counts().tasks["waiting"] * 9 // 10
    for work in store.works():
        while scored < todo:
            before = time.process_time()
            leased = store.lease([work.id], "w", 16, late, late + 60)
            leasing += time.process_time() - before
            if not leased:
                break
            about = ("scored", work.scorer, "judge", work.fingerprint)
            settled = [
                Settled(
                    *(each.task, each.attempt),
                    Score(chance.random(), "good", WHY, *about, Cost(0.001), Usage(800, 60), "judge-x"),  # type: ignore[arg-type]
                )
                for each in leased
            ]
            before = time.process_time()
            store.settle(settled, late)
            settling += time.process_time() - before
            scored += len(leased)
    report.line("lease, 16 at once: CPU a score", leasing / scored * 1e3, "ms", limit=0.5)
    report.line("settle, 16 at once: CPU a score", settling / scored * 1e3, "ms", limit=0.5, note=f"{scored:,} scores")


def reading(report: Report, address: str) -> None:
    """Reading from a store that was just opened."""
    store = open_store(address, project="large")
    end = START + 30 * DAY
    counted = store.counts()
    each = counted.payload_bytes / max(counted.payloads, 1)
    note = f"payload {each:.0f}, {counted.file_bytes / 1e6:,.0f} MB in all"
    report.line("bytes of the file for a request", counted.file_bytes / counted.traces, "bytes", note=note)
    for tier in ("hour", "day"):
        timed(
            report,
            f"signals and cells over 30 days by {tier}",
            lambda tier=tier: (store.signals(FLOW, tier, START, end), store.cells(FLOW, tier, START, end)),  # type: ignore[misc]
            limit=100,
        )
    pages: list[tuple[str, Callable[[], object]]] = [
        ("", store.latest),
        (" of a flow", lambda: store.latest(FLOW)),
        (" of a slice", lambda: store.latest(FLOW, slice="de")),
        (" of a rare slice", lambda: store.latest(FLOW, slice="rare")),
        (" with a mark", lambda: store.latest(FLOW, marks=2)),
        (" with a rare mark", lambda: store.latest(FLOW, marks=RARE)),
        (" of a rare slice with a common mark", lambda: store.latest(FLOW, slice="rare", marks=2)),
        (
            " of a slice with any of two marks, a page on",
            lambda: store.latest(FLOW, slice="de", marks=10, before=counted.traces // 2),
        ),
        (" of a rare slice in the last hour", lambda: store.latest(FLOW, slice="rare", since=end - 3600)),
        (" of a rare slice in the last 10 days", lambda: store.latest(FLOW, slice="rare", since=end - 10 * DAY)),
    ]
    for what, call in pages:
        timed(report, f"latest 50{what}", call, limit=50)
    work = store.work(FLOW, "another", "n" * 12, "rule")
    timed(report, "unplanned, the next 500", lambda: store.unplanned(work, 500), limit=50)
    helpful = store.works()[0]
    ruler = helpful.scorer, helpful.fingerprint, helpful.source
    timed(report, "the newest 5,000 values of a scorer",
          lambda: store.values(FLOW, *ruler, START, end, 5000), limit=50)  # fmt: skip
    for tier, limit in (("hour", None), ("day", 100)):  # of 30 days `gatewatch trends` shows days
        timed(report, f"trend over 30 days by {tier}, intervals and all",
              lambda tier=tier: trend(store, FLOW, since=START, until=end, tier=tier), limit=limit)  # type: ignore[misc]  # fmt: skip
    timed(report, "held, the oldest 500", lambda: store.held(end, 500), limit=50)
    timed(report, "unsettled over 30 days", lambda: store.unsettled(FLOW, START, end), limit=50)
    timed(report, "counts", store.counts, limit=500)
    store.close()


def backlog(report: Report, address: str, tasks: int) -> None:
    """Leasing where many tasks wait: most of one work, a third of its back-fill, and a few of another work."""
    store = open_store(address, project="large")
    last = store.numbered(0, START + 90 * DAY)[1]
    works = [store.work(FLOW, f"great {n}", "g" * 12, "judge") for n in range(max(1, tasks // last))]
    backfills = []
    for n, work in enumerate(works):
        back = store.begin_backfill(work.id, (Rule(1.0),), (1, last), author="", now=START)
        thinned = store.unfilled(FLOW, work.scorer, work.fingerprint, (1, last), 1).thinned
        for first in range(1, last + 1, 10_000):
            some = tuple((seq, START, 1.0) for seq in range(first, min(first + 10_000, last + 1)))
            plan = Plan(some, through=some[-1][0], read_at=(first - 1, thinned))
            if n % 3:
                store.fill(back.id, plan)
            else:
                store.plan(work.id, Plan(some, through=plan.through))
        backfills.append(back.id)
    small = store.work("search", "small", "s" * 12, "judge")
    store.plan(small.id, Plan(((1, START, 1.0),), through=last))
    every = [work.id for work in (*works, small)]
    waiting, now = store.counts().tasks["waiting"], START + 90 * DAY

    def lease_some() -> None:
        leased = store.lease(every, "w", 32, now, now + 60, backfills=backfills, suspects=False)
        assert len(leased) == 32
        store.settle([Settled(each.task, each.attempt, retry_at=START, counts=False) for each in leased], now)

    report.line("tasks that wait", waiting, "tasks")
    timed(report, "lease 32 and give them back, among them", lease_some, limit=50)
    timed(report, "suspects, among them", lambda: store.suspects(every, now, backfills), limit=50)
    timed(report, "undone, of a back-fill", lambda: store.undone(backfills[1 % len(backfills)]), limit=None)
    timed(report, "unfilled, the next 1,000", lambda: store.unfilled(FLOW, "x", "y", (1, last), 1000), limit=50)
    timed(report, "numbered, a window's numbers", lambda: store.numbered(START, START + DAY), limit=50)
    store.close()


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--traces", type=int, default=1_000_000)
    parser.add_argument("--tasks", type=int, default=1_000_000, help="how many tasks wait when leasing is timed")
    parser.add_argument("--keep", type=Path, help="where the large store is kept, and found again")
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL that is started for it")
    options = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        if options.postgres:
            from benchmarks.postgres_server import started

            server = started()
            taking_in(report, server.new_database())
            large = server.new_database()
            filled(report, large, options.traces).close()
            server.execute(
                "VACUUM ANALYZE", large.partition("?")[0].rpartition("/")[2]
            )  # as it does by itself, sooner or later
            reading(report, large)
            backlog(report, large, options.tasks)
            server.remove()
        else:
            taking_in(report, f"{folder}/taking.db")
            path = options.keep or Path(folder) / "large.db"
            if not path.exists():
                filled(report, str(path), options.traces).close()
            reading(report, str(path))
            backlog(report, str(path), options.tasks)
    report.exit()


if __name__ == "__main__":
    main()
