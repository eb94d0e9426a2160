"""How the whole loop stands, and what needs somebody: the gravest first, each with where it is done."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from gatewatch.checks.traffic import FLOW, judged, lease, request, take
from gatewatch.config.flow_state import FlowState, Workers, flow_state, workers
from gatewatch.config.gate_state import Blocked, GateState, GateStates, LastRun, PinnedState
from gatewatch.config.joining import Joining
from gatewatch.config.live import Queue
from gatewatch.config.loop_state import (
    DAYS,
    FailuresState,
    Outbox,
    ReviewState,
    agreed,
    failures_state,
    outbox,
    review_state,
)
from gatewatch.config.needs import Need, needs
from gatewatch.config.overview import overview
from gatewatch.config.stored_runs import StoredRuns
from gatewatch.core.change import Change
from gatewatch.core.failure import Failure
from gatewatch.core.review import Item, Label
from gatewatch.core.watch import Alert
from gatewatch.loop.agreement import agreement
from gatewatch.online.beside import Beside
from gatewatch.online.monitor import DAY_S
from gatewatch.online.monitor_costs import MonitorCost
from gatewatch.online.worker import ENDED
from gatewatch.stats.intervals import Interval
from gatewatch.store.base import Store
from gatewatch.store.looping import Mined
from gatewatch.store.rows import Plan, Settled
from store.making import a_store, backend  # noqa: F401 - every test runs on both

NOW = 20_000 * DAY_S + 36_000
NO_FAILURES = FailuresState(new=0, regressed=(), open=0, worst=None, by_day=(0,) * DAYS, newest=None)
NO_REVIEW = ReviewState(waiting=0, oldest=None, disputed=(), settled=0, by_day=(0,) * DAYS)


def an_alert(number: int, severity: Any = "ticket", **more: Any) -> Alert:
    known: dict[str, Any] = {"state": "open", "opened": NOW - number, "updated": NOW} | more
    return Alert(
        id=number, key=f"k{number}", flow=FLOW, kind="quality", name="helpful", severity=severity, title="fell", **known
    )


def a_flow(**more: Any) -> FlowState:
    known: dict[str, Any] = {
        "flow": FLOW,
        "monitor": "m",
        "scorer": "helpful",
        "total": None,
        "beside": None,
        "means": (),
        "requests": 10.0,
        "queue": Queue(),
        "newest": NOW,
        "alerts": (),
    }
    return FlowState(**known | more)


def told(**more: Any) -> list[Need]:
    known: dict[str, Any] = {
        "gates": (),
        "flows": (),
        "alerts": (),
        "failures": NO_FAILURES,
        "review": NO_REVIEW,
        "changes": Outbox(0, None),
        "workers": None,
        "costs": (),
        "now": NOW,
    }
    return needs(**known | more)


def a_failure(number: int = 1, **more: Any) -> Failure:
    known: dict[str, Any] = {"state": "new", "share": 0.1, "severity": 0.5, "opened": NOW, "updated": NOW}
    known |= {"name": "late", "first": NOW, "last": NOW} | more
    return Failure(id=number, flow=FLOW, sign="error", n=3, **known)


def an_item(number: int, **more: Any) -> Item:
    return Item(id=number, queue="failures", flow=FLOW, trace=f"t{number}", **{"added": NOW, "needed": 2} | more)


class TestNeeds:
    def test_nothing_needs_anybody(self) -> None:
        assert told() == []
        assert told(flows=[a_flow()], workers=Workers(0, NOW - 500, True)) == []

    def test_the_gravest_is_first(self) -> None:
        last = LastRun(run="r-2", name="main", at=NOW, state="complete", word="REGRESSED", on="main", cell=None)
        gate = GateState(
            suite="support",
            scorer="helpful",
            last=last,
            blocked=(Blocked("r-3", "other", NOW),),
            pinned=PinnedState(run="r-1", at=NOW, cell=None, due=("1 case is gone",)),
        )
        found = told(
            gates=[gate],
            flows=[a_flow(queue=Queue(waiting=4, since=NOW - 900))],
            workers=Workers(0, NOW - 800, False),
            alerts=[an_alert(1), an_alert(2, "page"), an_alert(3, "info"), an_alert(4, state="acknowledged")],
            failures=replace(NO_FAILURES, new=1, worst_new=a_failure(), regressed=(a_failure(2, state="regressed"),)),
            review=replace(NO_REVIEW, waiting=3, oldest=NOW - 8 * DAY_S, disputed=(an_item(7, state="disputed"),)),
            changes=Outbox(2, NOW - 60),
            costs=[MonitorCost("m", FLOW, 1.0, 1.0, budget=1.0, left=0.0, used_up=NOW)],
        )
        assert [each.kind for each in found] == [
            *("alert", "gate", "workers", "alert", "budget", "regressed", "alert", "blocked", "disputed", "baseline"),
            *("pull", "review", "failures", "alert"),
        ]
        assert [each.path for each in found if each.kind == "alert"] == [
            "/alerts/2",
            "/alerts/1",
            "/alerts/4",
            "/alerts/3",
        ]
        assert len({each.id for each in found}) == len(found)
        worker = found[2]
        assert worker.title == "No worker is at work, and 4 scores wait"
        assert (worker.at, worker.detail) == (NOW - 900, "one was lost without a word")

    def test_names_are_quoted_where_they_are_commands(self) -> None:
        pinned = PinnedState(run="r-1", at=NOW, cell=None, due=("1 case is gone",))
        (found,) = told(gates=[GateState(suite="a; rm -rf /", scorer="", last=None, pinned=pinned)])
        assert found.command == "gatewatch rebaseline 'a; rm -rf /'"


class TestFlows:
    def test_a_flow_is_graver_the_more_there_is_of_it(self) -> None:
        fell = Beside("s", difference=-0.2, interval=Interval(-0.3, -0.1, "x"))
        noise = Beside("s", difference=-0.1, interval=Interval(-0.3, 0.1, "x"))
        flows = [
            a_flow(flow="well"),
            a_flow(flow="noise", beside=noise),
            a_flow(flow="fell", beside=fell),
            a_flow(flow="told", alerts=(an_alert(1),)),
            a_flow(flow="page", alerts=(an_alert(1, "page"),)),
        ]
        found = sorted(flows, key=lambda each: each.gravity)
        assert [each.flow for each in found] == ["page", "told", "fell", "noise", "well"]
        assert [each.fell for each in found] == [False, False, True, False, False]

    def test_a_week_is_told_by_day(self, tmp_path: Path) -> None:
        store = a_store(tmp_path)
        for back, value in ((2, 1.0), (2, 0.0), (0, 1.0)):
            score(store, f"{back}-{value}", NOW - back * DAY_S, value)
        found = flow_state(store, None, FLOW, NOW)
        assert (found.scorer, found.monitor, found.newest) == ("helpful", "", NOW)
        assert found.means[-3:] == (0.5, None, 1.0)
        assert (found.requests, found.sampled, found.difference) == (3.0, 1.0, None)
        assert len(found.means) == 8

    def test_who_is_at_work(self, tmp_path: Path) -> None:
        store = a_store(tmp_path)
        assert workers(store, NOW) == Workers(0, None, False)
        store.heartbeat("one", NOW - 30)
        store.heartbeat("two", NOW - 300, ENDED)
        assert workers(store, NOW) == Workers(1, NOW - 30, False)
        assert workers(store, NOW + 100) == Workers(0, NOW - 30, False)


def score(store: Store, name: str, at: float, value: float) -> None:
    take(store, request(name, at=at), now=at)
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    found = store.unplanned(work, 1000)
    tasks = tuple((row.seq, at, 1.0) for row in found.new)
    store.plan(work.id, Plan(tasks, through=found.through, changes=found.changes))
    (task,) = lease(store, work, now=at)
    store.settle([Settled(task.task, task.attempt, judged(value))], at)


class TestLoop:
    def test_failures_are_those_that_are_to_be_looked_at(self, tmp_path: Path) -> None:
        store = a_store(tmp_path)
        assert failures_state(store, NOW) == NO_FAILURES
        kept = store.keep_mined(
            [Mined(failure=a_failure(0, share=share, name=f"{share}")) for share in (0.1, 0.4, 0.2)],
            NOW - 60,
            read_at=store.mined_at(),
        )
        assert kept is not None
        store.turn_failure(kept[1].id, "ignored", who="mia", reason="a test", now=NOW)
        found = failures_state(store, NOW)
        assert (found.new, found.open, found.newest) == (2, 2, NOW - 60)
        assert found.worst is not None and found.worst.name == "0.2"
        assert found.by_day == (*(0,) * (DAYS - 1), 3)
        assert failures_state(store, NOW + 8 * DAY_S).new == 0

    def test_the_gravest_of_the_new_ones_is_a_new_one(self, tmp_path: Path) -> None:
        store = a_store(tmp_path)
        for share, days in ((0.9, 200), (0.1, 1)):
            store.keep_mined(
                [Mined(failure=a_failure(0, share=share, name=f"{share}"))],
                NOW - days * DAY_S,
                read_at=store.mined_at(),
            )
        found = failures_state(store, NOW)
        assert found.worst is not None and found.worst.name == "0.9"
        assert (found.new, found.worst_new and found.worst_new.name) == (1, "0.1")

    def test_review_is_told_with_what_is_disputed(self) -> None:
        items = [an_item(1, added=NOW - 9), an_item(2), an_item(3, state="disputed"), an_item(4, state="settled")]
        labels = [Label(item=3, by="mia", at=NOW, value=1.0), Label(item=3, by="bob", at=NOW, skipped=True)]
        found = review_state(items, labels, NOW)
        assert (found.waiting, found.oldest, found.settled, found.by_day[-1]) == (2, NOW - 9, 1, 1)
        assert [each.id for each in found.disputed] == [3]

    def test_agreement_is_that_of_the_scale_with_the_most_labels(self) -> None:
        items = [an_item(1), an_item(2), an_item(3, scorer="helpful")]
        labels = [
            Label(item=number, by=by, at=NOW, value=value)
            for number, by, value in (
                (1, "mia", 1.0),
                (1, "bob", 1.0),
                (2, "mia", 1.0),
                (2, "bob", 0.0),
                (3, "mia", 1.0),
            )
        ]
        found = agreed({name: agreement([i for i in items if i.scorer == name], labels) for name in ("", "helpful")})
        assert found is not None
        assert (found.scorer, found.agreed, found.several, found.share.value) == ("", 1, 2, 0.5)
        assert found.share.low < 0.5 < found.share.high
        assert agreed({}) is None

    def test_what_waits_for_git(self) -> None:
        changes = [
            Change(key=f"{at}", kind="case", path="d.jsonl", body={}, by="mia", at=at, state=state)  # type: ignore[arg-type]
            for at, state in ((5.0, "pending"), (3.0, "pending"), (1.0, "pulled"))
        ]
        assert outbox(changes) == Outbox(2, 3.0)


def test_a_store_with_nothing_in_it_is_empty_and_one_with_a_request_is_not(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    gates = GateStates(Joining(StoredRuns(None, store, tmp_path / "copies")))
    assert overview(store, None, gates, NOW).empty
    take(store, request("a", at=NOW), now=NOW)
    found = overview(store, None, gates, NOW)
    assert not found.empty
    assert ([each.flow for each in found.flows], found.more, found.needs) == ([FLOW], 0, ())
    assert found.workers == Workers(0, None, False)
