"""What mining costs: 100,000 scored requests of a week, a fifth of which went wrong in some way, held against a dataset
of 1,000 cases; and once more, when all failures are known."""

import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from benchmarks.measure import Report
from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.rates import Epoch, Rule
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Trace
from gatewatch.loop.golden import Golden
from gatewatch.loop.mine import mine
from gatewatch.online.ingest import Ways, arrival_of
from gatewatch.store.base import Store
from gatewatch.store.open import open_store
from gatewatch.store.rows import Arrivals, Plan, Settled

REQUESTS = 100_000
CASES = 1000
BATCH = 1000
NOW = 1_790_000_000.0
WEEK_S = 7 * 86_400.0
FLOW = "support"
TOPICS = (
    "refund window damaged parcel order money back",
    "invoice vat number billing address company receipt",
    "delivery late courier tracking address parcel",
    "password login reset account email locked",
    "warranty broken screen repair device months",
    "cancel subscription renewal plan month charge",
    "discount code coupon checkout expired price",
    "size shoes exchange smaller larger fit",
)
COMMON = "please tell me how can i get the for my when is it and what do you need about this with can we"


def asked(random: Random, number: int) -> str:
    """A question about one of some topics, of 10 to 40 words."""
    topic = TOPICS[min(int(random.expovariate(0.5)), len(TOPICS) - 1)].split()
    rare = [f"w{random.randrange(20_000)}x" for _ in range(1)]
    words = random.choices(topic, k=6) + random.choices(COMMON.split(), k=random.randint(4, 24)) + rare
    random.shuffle(words)
    return f"{' '.join(words)} {number}?"


def traffic(random: Random) -> Iterator[Trace]:
    """Requests, of which one in 50 failed."""
    for number in range(REQUESTS):
        error = Fault(f"upstream {number % 7} did not answer in {number} ms") if number % 50 == 0 else None
        yield Trace(
            id=f"{number:032x}",
            flow=FLOW,
            slice=f"s{number % 5}",
            input=asked(random, number),
            output=None if error else "it is so " * 20,
            error=error,
            started=NOW - WEEK_S + number * WEEK_S / REQUESTS,
            session=f"c{number // 4}" if number % 3 == 0 else "",
            versions={"prompt": str(number // 50_000)},
            marks=("thumbs_down",) if number % 40 == 1 else (),
        )


def filled(folder: Path) -> Store:
    """A store with the week's traffic, each request of which has a judge's score."""
    random = Random(1)
    store = open_store(folder / "store.db")
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    some: list[Trace] = []
    for trace in traffic(random):
        some.append(trace)
        if len(some) < BATCH:
            continue
        store.take_in(Arrivals(tuple(arrival_of(each, Ways(), now=NOW) for each in some)), NOW)
        some = []
        new = store.unplanned(store.work(FLOW, "helpful", "f" * 12, "judge"), BATCH)
        epoch = Epoch(new.new[0].seq, new.through, (Rule(1.0),))
        store.plan(work.id, Plan(tuple((row.seq, NOW, 1.0) for row in new.new), (), epoch, new.through, new.changes))
        leased = store.lease([work.id], "w", BATCH, NOW, NOW + 60)
        store.settle([Settled(each.task, each.attempt, score(random)) for each in leased], NOW)
    return store


def score(random: Random) -> Score:
    """A judge's, low on one request in six."""
    value = 0.0 if random.random() < 1 / 6 else 1.0
    return Score(
        value,
        "bad" if value == 0.0 else "good",
        "because of this and that",
        name="helpful",
        source="judge",
        fingerprint="f" * 12,
    )


def main() -> None:
    """Measure, and say whether the limits are kept."""
    report = Report()
    random = Random(2)
    store = filled(Path(tempfile.mkdtemp()))
    golden = Golden([Case(id=f"c{number}", input=asked(random, number)) for number in range(CASES)])
    for what in ("100,000 scored requests", "the same, when they are known"):
        before = time.process_time()
        found = mine(store, FLOW, since=NOW - WEEK_S - 1, until=NOW + 1, golden=golden, pass_at={})
        report.line(what, time.process_time() - before, "s CPU", limit=30.0, note=f"{len(found.failures)} failures")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    report.line("memory, with the traffic made", peak, "GB", limit=1.0)
    assert found.conversations > REQUESTS / 2
    assert codec.encode(found)
    store.close()
    report.exit()


if __name__ == "__main__":
    main()
