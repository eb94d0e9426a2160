"""What watching costs: a monitor's step for each new score, at the beginning and behind a long history; a back-test of
30 days with a million scores."""

import tempfile
import time
from pathlib import Path
from random import Random

from benchmarks.measure import Report
from gatewatch.core.money import Cost
from gatewatch.core.rates import Epoch, Rule
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace, Usage
from gatewatch.core.watch import SIGNALS
from gatewatch.online.alert_rules import Alarming
from gatewatch.online.backtest import backtest
from gatewatch.online.detect import Fold, state_of
from gatewatch.online.ingest import Ways, arrival_of
from gatewatch.online.monitor import DAY_S, Monitor, Watch
from gatewatch.online.probe import Plan, score_probes, signal_probes
from gatewatch.online.sample import work_of
from gatewatch.online.watch import Watcher
from gatewatch.scorers.base import scorer
from gatewatch.store.base import Store
from gatewatch.store.open import open_store
from gatewatch.store.rows import Arrivals, Settled
from gatewatch.store.rows import Plan as Plan_
from gatewatch.store.watching import Entry, Stream, WatchStep

SCORES = 1_000_000
BATCH = 2000
NOW = 1_790_000_000.0
SLICES = ("refund", "search", "billing")
REQUESTS = 10_000
ALARMING = Alarming(
    monitor="m",
    flow="support",
    rules={},
    false_alarm_days=90.0,
    observe_s=0.0,
    no_data_s=0.0,
    reference_days=0.0,
    reference_n=1000,
    session_end_s=1800.0,
    scorers=("helpful",),
)


def entries(random: Random, number: int, begin: float, spread: float) -> list[Entry]:
    """Conversations with a score, evenly over some seconds."""
    return [
        Entry(
            place + 1,
            place + 1,
            begin + place * spread / number,
            SLICES[place % 3],
            "",
            "model=a, prompt=1",
            True,
            (1.0 if random.random() < 0.9 else random.random(),),
        )
        for place in range(number)
    ]


def main() -> None:
    """Measure, and say whether the limits are kept."""
    report = Report()
    random = Random(1)
    store = open_store(Path(tempfile.mkdtemp()) / "store.db")
    stream = store.stream("support", "helpful", "f" * 12, "judge")
    plan = Plan(score_probes("helpful", None), 0.0, 1000, 90.0, 20)
    made = entries(random, SCORES, NOW - 30 * DAY_S, 30 * DAY_S)
    costs: list[float] = []
    for first in range(0, SCORES, BATCH):
        before = time.process_time()
        step(store, stream.id, plan, made[first : first + BATCH])
        costs.append((time.process_time() - before) / BATCH)
    few = SCORES // BATCH // 20
    begin, end = sorted(costs[:few])[few // 2], sorted(costs[-few:])[few // 2]
    report.line("a score enters and is folded, first of them", begin * 1e6, "us CPU")
    report.line("the same, behind a million", end * 1e6, "us CPU", limit=20.0)
    signals = signal_probes({})
    of_signals = Plan(signals, 0.0, 1000, 90.0, 20, of_signals=True)
    fold = Fold(of_signals, state_of(b""))
    some = [each._replace(values=tuple(random.random() for _ in SIGNALS)) for each in made[:20_000]]
    before = time.process_time()
    for each in some:
        fold.take(each)
    report.line("a conversation's signals are folded", (time.process_time() - before) / len(some) * 1e6, "us CPU")
    report.line("a request with one score, through the whole step", whole_step() * 1e6, "us CPU", note="13 detectors")
    made.clear()  # a back-test has no million conversations in memory
    some.clear()
    before = time.process_time()
    told = backtest(store, Stream(stream.id, "support", "helpful"), plan, ALARMING, since=NOW - 30 * DAY_S, until=NOW)
    report.line("a back-test of 30 days with 1,000,000 scores", time.process_time() - before, "s CPU", limit=5.0)
    assert told.conversations == SCORES
    store.close()
    report.exit()


def whole_step() -> float:
    """CPU seconds for a request with a score, from the store's tables to folded streams."""

    @scorer
    def helpful(output: str) -> bool:
        return output == "yes"

    store = open_store(Path(tempfile.mkdtemp()) / "store.db")
    watch = Watch(scorer=helpful, rules=(Rule(1.0),))
    monitor = Monitor(name="m", flow="support", watches=(watch,))
    random = Random(2)
    for first in range(0, REQUESTS, 500):
        traces = [one(number, random) for number in range(first, first + 500)]
        ways = Ways(traits=lambda _: {"language": "en", "length": "under 64"})
        store.take_in(Arrivals(tuple(arrival_of(each, ways, now=NOW) for each in traces)), NOW)
    work = work_of(store, monitor, watch, NOW)
    while (found := store.unplanned(work_of(store, monitor, watch, NOW), 500)).new:
        epoch = Epoch(found.new[0].seq, found.through, (Rule(1.0),))
        tasks = tuple((each.seq, NOW, 1.0) for each in found.new)
        store.plan(work.id, Plan_(tasks, (), epoch, found.through, found.changes))
        score = Score(1.0, name="helpful", fingerprint=work.fingerprint)
        leased = store.lease([work.id], "w", 500, NOW, NOW + 60)
        store.settle([Settled(each.task, each.attempt, score) for each in leased], NOW)
    watcher = Watcher(store, [monitor], [ALARMING])
    before = time.process_time()
    while watcher.step(NOW + 2 * ALARMING.session_end_s):
        pass
    spent = time.process_time() - before
    entered = sum(len(store.entries(each.id, 0, 2 * REQUESTS)) for each in store.streams())
    assert entered == 2 * REQUESTS
    store.close()
    return spent / REQUESTS


def one(number: int, random: Random) -> Trace:
    """A request that was answered."""
    return Trace(
        id=f"{number:032x}",
        flow="support",
        slice=SLICES[number % 3],
        input="how long?",
        output="yes",
        latency_s=random.lognormvariate(0, 0.4),
        cost=Cost(random.random() / 100),
        usage=Usage(100, round(200 * random.random())),
        versions={"prompt": "1"},
    )


def step(store: Store, number: int, plan: Plan, some: list[Entry]) -> None:
    """A monitor's step: what is new enters, what entered before is folded."""
    stream = next(each for each in store.streams() if each.id == number)
    old = store.entries(number, stream.folded, BATCH)
    fold = Fold(plan, state_of(stream.state))
    for each in old:
        fold.take(each)
    states = [(number, old[-1].number, fold.state.encoded())] if old else []
    read_at = store.unheard({}, 1).read_at
    kept = store.keep(WatchStep(read_at=read_at, entries=[(number, each) for each in some], states=states), NOW)
    assert kept


if __name__ == "__main__":
    main()
