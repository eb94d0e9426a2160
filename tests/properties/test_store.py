"""The store against a model in plain dictionaries, after any sequence of what can be done to it."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import Struct
from msgspec.structs import replace

from gatewatch.checks.traffic import FLOW, NOW, judged, request, take, thumb, trends_agree_with_rows
from gatewatch.core.score import Score
from gatewatch.store.rows import Arrival, Leased, Plan, Said, Settled, Thinned
from gatewatch.store.tasks import CAUTION
from store.making import Backend, on_postgres, on_sqlite

LIMIT = 0.05
names = st.sampled_from([f"t{n}" for n in range(6)])


class Request(Struct):
    seq: int
    at: float
    marks: int
    late: int = 0
    payload: str = "held"
    kept: float | None = None


class Task(Struct):
    due: float
    pi: float
    state: str = "waiting"
    attempt: int = 0
    until: float = 0.0
    reserved: float = 0.0
    id: int = 0


class Model:
    """What has to be in the store."""

    def __init__(self) -> None:
        self.requests: dict[str, Request] = {}
        self.heard: set[str] = set()
        self.parked: dict[str, Said] = {}
        self.thumbs: dict[str, dict[str, tuple[float, float]]] = {}  # by request and author: time and value
        self.scores: dict[str, tuple[Score, float]] = {}  # the judge's, with its probability
        self.tasks: dict[str, Task] = {}
        self.gone: Counter[tuple[str, float]] = Counter()  # scores of requests that are no more
        self.planned = self.thin = self.last = self.changes = 0
        self.noted = 0
        self.log: dict[int, int] = {}  # which request's marks changed, by the number of the change
        self.spent = 0.0
        self.guessed: dict[tuple[int, int], float] = {}  # of leases that ran out, by task and attempt

    def arrive(self, arrival: Arrival) -> None:
        name = arrival.trace.id
        if name not in self.requests:
            self.last += 1
            state = "held" if arrival.payload else "none"
            self.requests[name] = Request(self.last, arrival.at, arrival.marks, payload=state)
            for said in [each for each in self.parked.values() if each.trace == name]:
                del self.parked[said.id]
                self.apply(said, new=True)

    def hear(self, said: Said) -> None:
        if said.id not in self.heard:
            self.heard.add(said.id)
            if said.trace in self.requests:
                self.apply(said)
            else:
                self.parked[said.id] = said

    def apply(self, said: Said, *, new: bool = False) -> None:
        found = self.requests[said.trace]
        value = said.scores[0].value
        assert value is not None
        by_author = self.thumbs.setdefault(said.trace, {})
        by_author[said.author] = max(by_author.get(said.author, (0.0, 0.0)), (said.at, value))
        fresh = said.marks & ~(found.marks | found.late)
        if fresh:
            if found.seq <= self.thin:
                found.late |= fresh
            else:
                found.marks |= fresh
            if not new:
                self.noted += 1
                self.log[self.noted] = found.seq

    def reserved(self) -> float:
        return sum(task.reserved for task in self.tasks.values())


class StoreMachine(RuleBasedStateMachine):
    """Does things to both, and compares."""

    made: Backend = staticmethod(on_sqlite)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = self.made(Path(self.folder.name))
        self.model = Model()
        self.now = NOW
        self.leases: list[Leased] = []
        self.expired = False

    @initialize()
    def begin(self) -> None:
        self.work = self.store.work(FLOW, "helpful", "f" * 12, "judge").id
        self.requests_arrive(["t0", "t1", "t2"], 0, b"p")
        self.work_is_planned(2, 0.25)
        self.tasks_are_leased(1, 1.0)

    @rule(
        some=st.lists(names, min_size=1, max_size=4),
        marks=st.sampled_from([0, 1]),
        payload=st.sampled_from([b"p", b""]),
    )
    def requests_arrive(self, some: list[str], marks: int, payload: bytes) -> None:
        arrivals = [request(name, at=self.now, marks=marks, payload=payload, session=name[-1]) for name in some]
        new = len(set(some) - self.model.requests.keys())
        assert take(self.store, *arrivals, now=self.now).traces == new
        for arrival in arrivals:
            self.model.arrive(arrival)

    @rule(name=names, number=st.integers(0, 2), up=st.booleans(), at=st.integers(0, 3))
    def something_is_said(self, name: str, number: int, up: bool, at: int) -> None:
        said = thumb(f"{name}-{number}", name, up=up, at=NOW + at)
        take(self.store, said=[said], now=self.now)
        self.model.hear(said)

    @rule(most=st.integers(1, 5), pi=st.sampled_from([0.25, 1.0]))
    def work_is_planned(self, most: int, pi: float) -> None:
        model, (work,) = self.model, self.store.works()
        found = self.store.unplanned(work, most)
        by_seq = sorted((each.seq, name) for name, each in model.requests.items() if each.seq > model.planned)
        assert [row.id for row in found.new] == [name for _, name in by_seq[:most]]
        tasks = tuple((row.seq, self.now + row.seq / 100, pi) for row in found.new)
        moved = tuple((row.seq, 1.0) for row in found.changed)
        noted = [number for number in model.log if number > model.changes][:most]
        there = {each.seq for each in model.requests.values() if each.seq <= model.planned}
        assert {row.seq for row in found.changed} == {model.log[number] for number in noted} & there
        model.changes = noted[-1] if len(noted) == most else model.noted
        assert found.changes == model.changes
        self.store.plan(work.id, Plan(tasks, moved, through=found.through, changes=found.changes))
        for row, (_, when, chance) in zip(found.new, tasks, strict=True):
            if row.id not in model.tasks and row.id not in model.scores:
                model.tasks[row.id] = Task(when, chance, "no_payload" if row.payload == "gone" else "waiting")
        for row in found.changed:
            if row.id in model.scores:
                model.scores[row.id] = (model.scores[row.id][0], 1.0)
            if row.id in model.tasks:
                model.tasks[row.id].pi = 1.0
        model.planned = max(model.planned, found.through)

    @rule(name=names, pi=st.sampled_from([0.5, 0.75, 1.0]))
    def a_probability_moves(self, name: str, pi: float) -> None:
        found = self.model.requests.get(name)
        if found is not None:
            self.store.plan(self.work, Plan(moved=((found.seq, pi),)))
            if name in self.model.scores:
                self.model.scores[name] = (self.model.scores[name][0], pi)
            if name in self.model.tasks:
                self.model.tasks[name].pi = pi

    @rule()
    def rules_change(self) -> None:
        self.store.rewind(self.work)
        self.model.planned = min(self.model.planned, self.model.thin)

    @rule(most=st.integers(1, 4), later=st.sampled_from([0.0, 1.0, 100.0]))
    def tasks_are_leased(self, most: int, later: float) -> None:
        self.now += later
        ready = sorted(
            (task.due, name)
            for name, task in self.model.tasks.items()
            if (task.state == "waiting" and task.due <= self.now) or (task.state == "leased" and task.until <= self.now)
        )[:most]
        expected = []
        for _, name in ready:
            task = self.model.tasks[name]
            gone = self.model.requests[name].payload == "gone"
            if task.reserved:  # the lease ran out: what a try costs on the mean was spent, for all that is known
                lost = round(task.reserved * 1e9) // CAUTION / 1e9
                self.model.guessed[task.id, task.attempt] = lost
                self.model.spent += lost
            task.state, task.attempt, task.reserved = ("no_payload" if gone else "leased"), task.attempt + 1, 0.0
            task.until = self.now + 50
            if not gone:
                expected.append((name, task.attempt, task.pi, None if self.payload(name) is None else b"p"))
        leased = self.store.lease([self.work], "w", most, self.now, self.now + 50)
        assert [(each.row.id, each.attempt, each.pi, each.payload) for each in leased] == expected
        for each in leased:
            self.model.tasks[each.row.id].id = each.task
        self.leases += leased

    def payload(self, name: str) -> str | None:
        state = self.model.requests[name].payload
        return state if state in ("held", "kept") else None

    def task_of(self, leased: Leased) -> Task | None:
        task = self.model.tasks.get(leased.row.id)
        return task if task is not None and task.id == leased.task and task.state == "leased" else None

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), amount=st.sampled_from([0.01, 0.03]))
    def money_is_set_aside(self, data: Any, amount: float) -> None:
        leased = data.draw(st.sampled_from(self.leases[-3:]))
        task = self.task_of(leased)
        if task is not None:
            task.reserved = 0.0
        fits = task is not None and round(self.model.spent + self.model.reserved() + amount, 9) <= LIMIT
        assert self.store.reserve("day", LIMIT, amount, leased.task) == fits
        if fits and task is not None:
            task.reserved = amount

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), outcome=st.sampled_from(["score", "score", "error", "retry", "failed", "back"]))
    def a_task_is_settled(self, data: Any, outcome: str) -> None:
        leased = data.draw(st.sampled_from(self.leases[-3:]))
        score = judged(0.3 if outcome == "score" else None) if outcome in ("score", "error") else None
        settled = Settled(
            *(leased.task, leased.attempt, score),
            retry_at=self.now + 5 if outcome == "retry" else None,
            state="failed" if outcome == "failed" else "waiting",
        )
        task = self.task_of(leased)
        mine = task is not None and task.attempt == leased.attempt
        assert self.store.settle([settled], self.now) == mine
        if task is None or not mine:
            lost = self.model.guessed.pop((leased.task, leased.attempt), None) if score is not None else None
            self.model.spent += 0.0 if lost is None else 0.01 - lost
            return
        if score is not None:
            if task.reserved:
                self.model.spent += 0.01
            self.model.scores[leased.row.id] = (score, task.pi)
            del self.model.tasks[leased.row.id]
            return
        task.reserved = 0.0
        task.state = "failed" if outcome == "failed" else "waiting"
        if outcome == "retry":
            task.due = self.now + 5
            if self.model.requests[leased.row.id].payload == "gone":
                task.state = "no_payload"

    @rule(most=st.integers(1, 4), chance=st.sampled_from([0.1, 1.0]), place=st.sampled_from([9, 1, 0]))
    def payloads_are_thinned(self, most: int, chance: float, place: int) -> None:
        """`place` is that of the first one whose marks changed since."""
        rows = self.store.held(self.now + 1, most)
        held = sorted((each.seq, name) for name, each in self.model.requests.items() if each.payload == "held")
        assert [row.id for row in rows] == [name for _, name in held[:most]]
        if rows:
            gone = [row.seq for row in rows if row.seq % 2 and chance < 1]
            decided = [Thinned(row.seq, row.marks, chance, row.seq in gone) for row in rows]
            stale = rows[place:]
            decided[place:] = [replace(each, marks=each.marks ^ 8) for each in decided[place:]]
            assert self.store.thin(decided) == len(rows) - len(stale)
            for row in rows[:place]:
                found = self.model.requests[row.id]
                found.payload, found.kept = ("gone" if row.seq in gone else "kept"), chance
                task = self.model.tasks.get(row.id)
                if task is not None and row.seq in gone and task.state == "waiting":
                    task.state = "no_payload"
            self.model.thin = max([self.model.thin, *(row.seq for row in rows[:place])])

    @precondition(lambda self: self.now > NOW + 50)
    @rule(back=st.sampled_from([200.0, 50.0]))
    def old_requests_go(self, back: float) -> None:
        model = self.model
        old = [name for name, each in model.requests.items() if each.at < self.now - back]
        for name in old:
            self.expired = True
            for _, value in model.thumbs.pop(name, {}).values():
                model.gone["thumbs", 1.0] += 1 if value is not None else 0
            if name in model.scores:
                score, pi = model.scores.pop(name)
                model.gone["helpful", pi] += score.value is not None
            model.tasks.pop(name, None)
            del model.requests[name]
            model.heard -= {each for each in model.heard if each.startswith(f"{name}-") and each not in model.parked}
        oldest = min((each.seq for each in model.requests.values()), default=model.last + 1)
        model.log = {number: seq for number, seq in model.log.items() if seq >= oldest}
        assert self.store.expire(self.now - back, 0, 0).traces == len(old)

    @invariant()
    def rows_are_the_same(self) -> None:
        rows = {row.id: row for row in self.store.latest(most=1000)}
        assert {name: (row.seq, row.at, row.marks, row.late, row.payload, row.kept) for name, row in rows.items()} == {
            name: (each.seq, each.at, each.marks, each.late, each.payload, each.kept)
            for name, each in self.model.requests.items()
        }
        for name, row in rows.items():
            self.what_hangs_on_it(name, row.seq)
        counts = self.store.counts()
        assert counts.parked == len(self.model.parked)
        assert counts.payloads == sum(each.payload in ("held", "kept") for each in self.model.requests.values())
        assert self.store.payload_bytes() >= 0
        spent, reserved = self.store.spent("day")
        assert (round(spent, 9), round(reserved, 9)) == (round(self.model.spent, 9), round(self.model.reserved(), 9))

    def what_hangs_on_it(self, name: str, seq: int) -> None:
        kept = self.store.scores(seq)
        thumbs = {each.author: (each.at, each.score.value) for each in kept if each.score.name == "thumbs"}
        assert thumbs == self.model.thumbs.get(name, {})
        judges = [(each.score, each.pi) for each in kept if each.score.name != "thumbs"]
        assert judges == ([self.model.scores[name]] if name in self.model.scores else [])
        task = self.model.tasks.get(name)
        expected = [] if task is None else [(task.state, task.attempt, task.pi, round(task.due, 3))]
        there = [(str(each.state), each.attempts, each.pi, round(each.due, 3)) for each in self.store.tasks(seq)]
        assert there == expected
        assert (self.store.payload(seq) is not None) == (self.payload(name) is not None)

    @invariant()
    def trends_are_those_of_the_rows(self) -> None:
        if not self.expired:
            trends_agree_with_rows(self.store)
            return
        total = Counter(self.model.gone)
        for row in self.store.latest(most=1000):
            for each in self.store.scores(row.seq):
                total[each.score.name, each.pi] += each.score.value is not None
        for tier in ("hour", "day"):
            found: Counter[tuple[str, float]] = Counter()
            for cell in self.store.cells(FLOW, tier, 0, NOW * 2):
                found[cell.scorer, cell.pi] += cell.n
            assert +found == +total

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


class PostgresMachine(StoreMachine):
    """The same on PostgreSQL."""

    made = staticmethod(on_postgres)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)
TestPostgres = PostgresMachine.TestCase
TestPostgres.settings = settings(deadline=None, max_examples=10, stateful_step_count=40)
