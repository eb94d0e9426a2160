"""From a segment to where it can be asked for, and from there to a score: what a worker costs, on one core."""

import asyncio
import tempfile
import time
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.measure import Report
from gatewatch.core import codec
from gatewatch.core.rates import Rule
from gatewatch.core.trace import Span, Trace, Usage
from gatewatch.models.prices import Prices
from gatewatch.online.ingest import Ingested, Ways, ingest
from gatewatch.online.monitor import Monitor, Watch
from gatewatch.online.redact import Rules, redact
from gatewatch.online.worker import Worker
from gatewatch.scorers.base import Scorer, scorer
from gatewatch.scorers.ops import length
from gatewatch.store.base import Store
from gatewatch.store.open import open_store

TRACES = 10_000
WORDS = (
    "the",
    "parcel",
    "was",
    "sent",
    "on",
    "Monday",
    "and",
    "should",
    "arrive",
    "within",
    "three",
    "working",
    "days",
)
HEAD = codec.frame("segment", b'{"kind":"gatewatch.segment","version":1,"pid":1,"started":1790000000.0}')


def segment(folder: Path, random: Random) -> float:
    """Write a segment of requests of about 2.5 KB, and give their mean size."""

    def text(words: int) -> str:
        return " ".join(random.choice(WORDS) for _ in range(words))

    folder.mkdir(parents=True)
    now = time.time()
    frames = [HEAD]
    for number in range(TRACES):
        call = Span(name="chat", kind="llm", model="gpt-5-mini", usage=Usage(500, 200), input=text(60), output=text(60))
        trace = Trace(
            id=f"{random.getrandbits(128):032x}",
            flow="support",
            session=f"s{number // 4}",
            input={"question": text(60)},
            output=text(200),
            started=now - number / 100,
            latency_s=random.random(),
            spans=(call,),
        )
        frames.append(codec.frame("trace", codec.encode(trace)))
    (folder / "1-1-0.seg").write_bytes(b"".join(frames))
    return sum(map(len, frames)) / TRACES


def taken_in(ways: Ways) -> tuple[Store, float, float]:
    """A store with a segment taken in, and how many requests a second that was, by the wall and by CPU time."""
    folder = Path(tempfile.mkdtemp())
    segment(folder / "spool", Random(1))
    store = open_store(folder / "store.db")
    wall, cpu = time.perf_counter(), time.process_time()
    total = Ingested()
    while (found := ingest(store, folder / "spool", ways, clock=time.time)) != Ingested():
        total += found
    assert total.traces == TRACES
    return store, TRACES / (time.perf_counter() - wall), TRACES / (time.process_time() - cpu)


def scored(store: Store, watched: Scorer) -> float:
    """CPU seconds of a worker for each score, planning included."""
    monitor = Monitor(name="m", flow="support", watches=(Watch(scorer=watched, rules=(Rule(1.0),)),))
    worker = Worker(store, [monitor], spools=[], ways=Ways(), owner="w", clock=time.time)
    before = time.process_time()
    done = asyncio.run(worker.run(asyncio.Event(), once=True))
    assert done.scored == TRACES
    return (time.process_time() - before) / TRACES


@scorer
async def waits(output: str) -> bool:
    """As a judge does, but for no time at all."""
    await asyncio.sleep(0)
    return bool(output)


def main() -> None:
    """Print the figures."""
    report = Report()
    ways = Ways(price=Prices({}).cost, redact=partial(redact, rules=Rules(pii=True)))
    for name, each in (("as it is", Ways()), ("priced and redacted", ways)):
        store, by_wall, by_cpu = taken_in(each)
        print(f"segment to queryable, {name}: {by_wall:,.0f} requests/s, {by_cpu:,.0f} by CPU seconds")
        report.line(f"segment to queryable, {name}: CPU", 1e6 / by_cpu, "us a request", limit=200)
        if name == "as it is":
            report.line("worker, a scorer of ours: CPU", scored(store, length(least=1)) * 1e3, "ms a score", limit=1)
            report.line("worker, an asynchronous scorer: CPU", scored(store, waits) * 1e3, "ms a score", limit=1)
        store.close()
    report.exit()


if __name__ == "__main__":
    main()
