"""The conformance kit of stores: what every backend must hold to.

    from gatewatch.checks.store import check_store

    def test_my_store():
        check_store(make_an_empty_one)

Each check is a function of an empty store that raises an `AssertionError` which says what is wrong.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from gatewatch.checks.backfill import FILLING
from gatewatch.checks.erasing import ERASING
from gatewatch.checks.hostile import HOSTILE
from gatewatch.checks.looping import LOOPING
from gatewatch.checks.reviewing import REVIEWING
from gatewatch.checks.runs import OF_RUNS
from gatewatch.checks.spans import amends_requests, gathers_spans
from gatewatch.checks.talking import TALKING
from gatewatch.checks.traffic import FLOW, NOW, judged, lease, planned, request, take, thumb, trends_agree_with_rows
from gatewatch.checks.watching import WATCHING
from gatewatch.core.errors import said_by
from gatewatch.core.rates import Epoch, Rule
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault
from gatewatch.store.base import Store
from gatewatch.store.rows import TIER_S, Arrivals, Plan, Said, Settled, TakenIn, Thinned

Check = Callable[[Store], None]


def check_store(make: Callable[[], Store]) -> None:
    """Hold a backend against every check; `make` gives an empty store each time.

    Raises:
        AssertionError: with what the backend does not hold to.
    """
    for check in CHECKS:
        store = make()
        try:
            check(store)
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(f"{check.__name__}: it raised {said_by(error)}") from error
        finally:
            with suppress(Exception):
                store.close()


# Arriving


def keeps_what_arrives(store: Store) -> None:
    """A request, its payload and what is said of it come back as they were, whatever the text."""
    for n, text in enumerate(HOSTILE):
        fields: dict[str, Any] = {"session": text, "slice": text, "variant": text, "user": text, "external_id": text}
        arrival = request(f"t{text}", flow=f"f{text}", tags=(text, "x"), first_token_s=0.25, error=Fault("x"), **fields)
        score = Score(0.5, text, text, name=f"n{text}", source="human", fingerprint=text)
        take(store, arrival, said=[Said(f"i{text}", NOW, f"t{text}", scores=(score,), author=text)], now=NOW + n)
        row = store.find(f"t{text}")
        assert row is not None, f"a request with the text {text!r} is not found by its id"
        back = (row.flow, row.session, row.slice, row.variant, row.user, row.external_id, row.tags)
        assert back == (f"f{text}", *[text] * 5, (text, "x")), f"the text {text!r} came back as {back!r}"
        numbers = (row.at, row.received, row.u, row.cost, row.latency_s, row.first_token_s, row.input_tokens)
        assert numbers == (NOW, NOW + n, 0.5, 0.001, 0.5, 0.25, 100), f"numbers came back as {numbers}"
        assert (row.error, row.payload) == ("error", "held"), f"a failed request is {row.error!r}, {row.payload!r}"
        assert store.payload(row.seq) == arrival.payload, "a payload came back as another"
        kept = [(each.score, each.author) for each in store.scores(row.seq)]
        assert kept == [(score, text)], f"a score with the text {text!r} came back as {kept}"
        assert store.latest(f"f{text}", slice=text) == [row], f"latest does not find the text {text!r}"


def takes_in_once(store: Store) -> None:
    """A request arrives once, whatever the number of deliveries; another service's span beside it is another."""
    found = take(store, request("a"), request("b"), request("a", marks=1))
    assert found == TakenIn(traces=2, repeated=1), f"of a request that came twice in one batch it says {found}"
    found = take(store, request("b"), request("c", span_id="1"), request("c", span_id="2"))
    assert found == TakenIn(traces=2, repeated=1), f"of one that was there, and two spans of one trace, it says {found}"
    assert store.find("c-2") is not None, 'the second span of a trace is not kept as "<trace id>-<span id>"'
    for _ in range(2):
        store.take_in(Arrivals((request("d"),), losses={"full": 2}, segment="s", offset=10), NOW)
    assert store.counts().losses == {"full": 2}, "a segment's losses were counted twice"
    assert store.taken("s") == 10, "a segment that was taken in up to 10 says something else"
    store.forget("s")
    assert store.taken("s") == 0, "a segment that was to be forgotten was not"
    assert [row.id for row in store.latest()] == ["d", "c-2", "c", "b", "a"], "the newest request is not the first"
    trends_agree_with_rows(store)


def does_all_or_nothing(store: Store) -> None:
    """When it raises, nothing of what it was given is kept."""
    bad = replace(request("bad"), u=object())
    raised = False
    try:
        store.take_in(Arrivals((request("a"), bad), (thumb("1", "a"),), {"full": 1}, "s", 5), NOW)
    except Exception:  # whichever error a backend has for it: the check is of what is left behind
        raised = True
    assert raised, "it took in a request whose `u` is no number"
    kept = (store.counts().traces, store.counts().losses, store.counts().parked, store.taken("s"))
    assert kept == (0, {}, 0, 0), f"a batch that raised left something behind: {kept}"
    assert not store.signals(FLOW, "day", 0, NOW * 2), "a batch that raised left trends behind"


def joins_feedback(store: Store) -> None:
    """Feedback finds its request whichever comes first, by either id, and counts once."""
    early = [thumb("1", "a"), thumb("2", external_id="ticket")]
    assert take(store, said=early) == TakenIn(parked=2), "feedback whose request is not there does not wait"
    take(store, request("a"), request("b", external_id="ticket"), said=early)
    assert store.counts().parked == 0, "feedback still waits when its request is there"
    take(store, said=[thumb("3", "a", up=True, at=NOW + 1), thumb("4", "b", up=True, at=NOW - 1), *early])
    values = [[kept.score.value for kept in store.scores(row.seq)] for row in store.latest()]
    assert values == [[0.0], [1.0]], f"of two thumbs by one person the later does not stand: {values}"
    assert [row.marks for row in store.latest()] == [6, 6], "a mark is missing, or was taken back"
    assert {row.id for row in store.latest(marks=2)} == {"a", "b"}, "latest does not find marks that came later"
    trends_agree_with_rows(store)


# Planning


def plans_above_a_watermark(store: Store) -> None:
    """Each request is to be planned once, in order of arrival; a change of marks brings it back."""
    take(store, *(request(f"{n}", flow=FLOW if n % 2 else "search") for n in range(6)))
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    assert store.work(FLOW, "helpful", "f" * 12, "judge") == work, "the same work is another the second time"
    found = store.unplanned(work, 2)
    assert [row.id for row in found.new] == ["1", "3"], f"the next two of a flow are {[r.id for r in found.new]}"
    task = (found.new[0].seq, NOW, 1.0)
    assert store.plan(work.id, Plan((task, task), through=found.through, changes=found.changes)) == 1, (
        "a task was made twice"
    )
    (work,) = store.works()
    found = store.unplanned(work, 2)
    assert [row.id for row in found.new] == ["5"], (
        f"after two of three were planned, {[r.id for r in found.new]} are next"
    )
    take(store, said=[thumb("1", "1"), thumb("2", "5"), thumb("3", "0")])
    found = store.unplanned(work, 2)
    changed = [row.id for row in found.changed]
    assert changed == ["1"], f"of those planned, 1 has a new mark: {changed}"
    store.plan(work.id, Plan(through=found.through, changes=found.changes))
    (work,) = store.works()
    found = store.unplanned(work, 2)
    assert not found.new and not found.changed, "what was planned comes again"
    assert store.plan(work.id, Plan((task,), through=found.through)) == 0, "a task that is there was made again"
    store.rewind(work.id)
    assert len(store.unplanned(store.works()[0], 9).new) == 3, "a work that was rewound does not begin anew"


def keeps_rules(store: Store) -> None:
    """The rules that were in force are kept; neighbours that are the same are one."""
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    low, high = (Rule(0.1), Rule(1.0, marks=2)), (Rule(0.5, slice="de"),)
    for epoch in (Epoch(1, 5, low), Epoch(6, 9, low), Epoch(10, 12, low, 0.5), Epoch(13, 20, high), Epoch(1, 4, high)):
        store.plan(work.id, Plan(epoch=epoch, through=epoch.last))
    found = store.epochs(work.id, 1, 100)
    expected = [Epoch(1, 4, high), Epoch(1, 9, low), Epoch(10, 12, low, 0.5), Epoch(13, 20, high)]
    assert sorted(found, key=repr) == sorted(expected, key=repr), f"rules are {found}, not {expected}"
    assert store.epochs(work.id, 10, 12) == [Epoch(10, 12, low, 0.5)], "rules that were not in force are given"


def moves_probabilities(store: Store) -> None:
    """A probability that is another now moves the score, and its trends, and the task."""
    work = planned(store, "a", "b")
    first = lease(store, work, most=1)[0]
    store.settle([Settled(first.task, first.attempt, judged(0.25))], NOW)
    store.plan(work.id, Plan(moved=((1, 1.0), (2, 0.75))))
    assert [kept.pi for kept in store.scores(1)] == [1.0], "a score's probability did not move"
    assert [task.pi for task in store.tasks(2)] == [0.75], "a task's probability did not move"
    trends_agree_with_rows(store)


# Doing


def leases_to_one(store: Store) -> None:
    """A task is one worker's until its lease runs out; then the slow one changes nothing."""
    work = planned(store, "a", "b", "c")
    assert not lease(store, work, now=NOW), "a task was leased before it was due"
    slow = lease(store, work, "slow", most=2)
    assert [each.row.id for each in slow] == ["a", "b"], "those due for the longest are not leased first"
    assert slow[0].payload == b'{"input":"?"}', "a leased task lacks its payload"
    assert [each.row.id for each in lease(store, work, "quick")] == ["c"], "a task was leased to two workers"
    store.extend("slow", [slow[1].task], NOW + 5000)
    again = lease(store, work, "quick", now=NOW + 1000)
    assert "b" not in [each.row.id for each in again], "a lease that was extended ran out"
    (quick,) = [each for each in again if each.row.id == "a"]
    assert quick.attempt == slow[0].attempt + 1, "a task taken again has the same attempt"
    late = store.settle([Settled(slow[0].task, slow[0].attempt, judged(0.0))], NOW)
    assert late == 0 and not store.scores(1), "a worker whose lease ran out settled a task"


def settles_once(store: Store) -> None:
    """A score takes the place of its task, once; another try and a reason stay."""
    work = planned(store, "a", "b", "c")
    a, b, c = lease(store, work)
    done = Settled(a.task, a.attempt, judged(0.5), "judge")
    assert store.settle([done, done], NOW + 1) == 1, "a task was settled twice"
    (kept,) = store.scores(1)
    assert (kept.score, kept.author, kept.at, kept.pi) == (judged(0.5), "judge", NOW + 1, 0.5), f"it kept {kept}"
    assert not store.tasks(1), "a task that is done is still there"
    assert store.plan(work.id, Plan(((1, NOW, 0.5),))) == 0, "a request that has its score was planned again"
    store.settle([Settled(b.task, b.attempt, judged(None), retry_at=NOW + 500, reason="429")], NOW)
    store.settle([Settled(c.task, c.attempt, state="failed", reason="poison")], NOW)
    states = [(each.state, each.reason) for seq in (2, 3) for each in store.tasks(seq)]
    assert states == [("waiting", "429"), ("failed", "poison")], f"what is not done is {states}"
    assert not lease(store, work, now=NOW + 499), "a task was tried again too early"
    hours = [each[:7] for each in store.unsettled(FLOW, NOW, NOW + 1)]
    assert hours == [(NOW, "helpful", "f" * 12, "", state, 1, 0) for state in ("failed", "waiting")], (
        f"unsettled is {hours}"
    )
    (cell,) = store.spend(NOW, NOW + 1)
    booked = (cell.model, cell.calls, round(cell.cost, 9))
    assert booked == ("m-1", 2, 0.02), f"two calls of $0.01 were booked as {cell}"
    values = store.values(FLOW, "helpful", "f" * 12, "judge", NOW, NOW + 1, 9)
    assert [(value.cluster, value.value, value.pi) for value in values] == [("a", 0.5, 0.5)], f"values are {values}"
    trends_agree_with_rows(store)


def keeps_money_within_its_limit(store: Store) -> None:
    """What is spent and set aside never passes the limit; a third of what a worker had that died counts as spent."""
    work = planned(store, "a", "b", "c")
    a, b, c = lease(store, work)
    got = [store.reserve("day", 0.1, 0.045, each.task) for each in (a, b, c)]
    assert got == [True, True, False], f"of three times 0.045 within 0.1, it set aside {got}"
    store.settle([Settled(a.task, a.attempt, judged(cost=0.01))], NOW)
    assert store.spent("day") == (0.01, 0.045), f"spent and set aside are {store.spent('day')}, not (0.01, 0.045)"
    lease(store, work, now=NOW + 1000)
    assert store.spent("day") == (0.025, 0.0), "money that a worker had whose lease ran out is not booked as spent"


def scores_sessions(store: Store) -> None:
    """A session that ended is planned once, again when it goes on, and the new score stands instead of the old."""
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    take(store, request("b", session="s", at=NOW + 9), request("a", session="s"), request("x"))
    assert [row.id for row in store.session(FLOW, "s")] == ["a", "b"], "a session is not in the order of its turns"
    assert not store.ended(FLOW, NOW + 9, 9), "a session ended before its last turn"
    for turns, value in ((2, 1.0), (3, 0.5)):
        found = store.ended(FLOW, NOW + 99, 9)
        last = NOW + 10 if turns > 2 else NOW + 9
        assert [(each.id, each.first, each.last_at, each.turns) for each in found] == [("s", 1, last, turns)], (
            f"ended are {found}"
        )
        store.plan_session(found[0], [(work.id, NOW, 0.5)])
        assert not store.ended(FLOW, NOW + 99, 9, found[0].moved), "a session that did not move ended again"
        (leased,) = lease(store, work)
        store.settle([Settled(leased.task, leased.attempt, judged(value))], NOW)
        assert [kept.score.value for kept in store.scores(1)] == [value], (
            "of a session two scores stand, or the old one"
        )
        take(store, request("c", session="s", at=NOW + 10))
    whole = store.work(FLOW, "whole", "w" * 12, "judge", 0.0)
    (moved,) = (each.moved for each in store.ended(FLOW, NOW + 99, 9))
    ways = [((moved, moved), 9.0, 10.0), ((moved, moved), 10.0, 99.0), ((moved + 1, moved + 9), 9.0, 10.0)]
    began = [store.happened(whole, numbers, NOW + since, NOW + until) for numbers, since, until in ways]
    assert began == [True, False, False], f"whether sessions began in a window is {began}"
    trends_agree_with_rows(store)


# Keeping house


def thins_and_tells_late_marks(store: Store) -> None:
    """What is thinned says so; marks that come later are late, and bring the request back to be planned."""
    work = planned(store, "a", "b")
    take(store, request("signals", payload=b""), now=NOW + 5)
    take(store, request("c"), now=NOW + 9)
    held = store.held(NOW + 9, 9)
    assert [row.id for row in held] == ["a", "b"], f"held before a time are {[row.id for row in held]}"
    decided = [Thinned(1, 0, 1.0, gone=False), Thinned(2, 0, 0.1, gone=True)]
    assert store.thin(decided[1:]) == 0, "a request was thinned before an older one that is held"
    others = replace(decided[0], marks=1)
    assert store.thin([others, decided[1]]) == 0, "a request was thinned by marks that it has no more"
    assert store.thin(decided) == 2, "what is held by the marks that it was decided by was not thinned"
    rows = [(row.payload, row.kept) for row in reversed(store.latest())]
    expected = [("kept", 1.0), ("gone", 0.1), ("none", None), ("held", None)]
    assert rows == expected, f"after thinning, payloads are {rows}, not {expected}"
    assert store.payload(2) is None and store.payload(1), "the wrong payload is gone"
    states = [task.state for seq in (1, 2) for task in store.tasks(seq)]
    assert states == ["waiting", "no_payload"], f"tasks of what was thinned are {states}"
    assert store.counts().payloads == 2, f"two payloads are left, it counts {store.counts().payloads}"
    take(store, said=[thumb("1", "b"), thumb("2", "c")])
    marks = [(row.marks, row.late) for row in reversed(store.latest())]
    assert marks == [(0, 0), (0, 2), (0, 0), (2, 0)], f"marks and late marks are {marks}"
    changed = [row.id for row in store.unplanned(store.works()[0], 9).changed]
    assert changed == ["b"], f"the mark that came late brings back {changed}"
    fresh = store.work(FLOW, "new", "n" * 12, "judge")
    assert fresh.planned == 2, f"a new work begins at {fresh.planned}, not where payloads are still held"
    store.plan(work.id, Plan(((3, NOW, 1.0), (4, NOW, 1.0))))
    trends_agree_with_rows(store)


def keeps_payloads_within_their_room(store: Store) -> None:
    """Holds end, and payloads go, the oldest first and no more than needed; what goes that was kept is counted."""
    planned(store, *"abcdef")
    each = store.payload_bytes() // 6
    decided = [Thinned(row.seq, row.marks, 0.5, row.seq in (1, 4)) for row in store.held(NOW + 1, 9)]
    assert store.thin(decided, each + 1) == 4, "it did not stop once enough was gone"
    assert store.let_go(1, 9) == 1, "it let go of more than was needed, or of nothing"
    assert store.let_go(each * 9, 9) == 1, "it let go of a payload that is held"
    payloads = [row.payload for row in reversed(store.latest())]
    assert payloads == ["gone"] * 4 + ["held"] * 2, f"payloads are {payloads}"
    assert [task.state for task in store.tasks(2)] == ["no_payload"], "a task waits for a payload that is gone"
    counts = store.counts()
    assert sum(counts.losses.values()) == 2, f"what was let go of is counted as {counts.losses}"
    assert (counts.payloads, counts.payload_bytes) == (2, store.payload_bytes()), f"two are left, it counts {counts}"


def lets_go_of_what_is_old(store: Store) -> None:
    """Old requests go, with all that hangs on them but the trends; feedback and work that waited too long too."""
    work = planned(store, "a")
    for name, at in (("done", NOW), ("open", NOW + 2)):
        store.take_in(Arrivals(segment=name, offset=9), at)
    store.reserve("day", 1.0, 0.5, lease(store, work)[0].task)
    take(store, request("new", at=NOW + 50, session="s"), said=[thumb("1", "a"), thumb("2", "nobody")])
    store.plan(work.id, Plan(((2, NOW, 0.5),)))
    before = [store.signals(FLOW, tier, 0, NOW * 2) + store.cells(FLOW, tier, 0, NOW * 2) for tier in TIER_S]
    gone = store.expire(NOW + 1, NOW + 1, NOW + 1)
    assert (gone.traces, gone.parked, gone.tasks) == (1, 1, 1), f"of one each, it let go of {gone}"
    assert (store.taken("done"), store.taken("open")) == (0, 9), "an old segment is still known, or a new one is not"
    assert [row.id for row in store.latest()] == ["new"] and not store.scores(1), "an old request is still there"
    assert store.latest(marks=2) == [], "an old request's mark is still there"
    assert [task.state for task in store.tasks(2)] == ["expired"], "work that waited too long is not given up"
    assert store.spent("day") == (0.0, 0.0), "money is still set aside for a request that is gone"
    after = [store.signals(FLOW, tier, 0, NOW * 2) + store.cells(FLOW, tier, 0, NOW * 2) for tier in TIER_S]
    assert before == after, "trends went with the requests"
    take(store, request("newer"))
    assert store.latest()[0].seq > 2, "a number was given to a second request"


def finds_the_newest(store: Store) -> None:
    """The newest come first, of a flow, a slice, with any of some marks, since a time, page by page."""
    every = [
        request(f"{n}", at=NOW + n, flow=("x", FLOW)[n % 2], slice=("de", "en", "fr")[n % 3], marks=n % 4 * 2)
        for n in range(40)
    ]
    take(store, *every)
    for flow in ("", FLOW, "none"):
        for part in ("", "de"):
            for marks in (0, 2, 6):
                for since in (0.0, NOW + 20):
                    expected = [
                        each.trace.id
                        for each in reversed(every)
                        if (not flow or each.trace.flow == flow)
                        and (not part or each.trace.slice == part)
                        and (not marks or each.marks & marks)
                        and each.at >= since
                    ]
                    found: list[str] = []
                    before = 0
                    while page := store.latest(flow, slice=part, marks=marks, since=since, before=before, most=3):
                        found += [row.id for row in page]
                        before = page[-1].seq
                    what = f"latest of flow {flow!r}, slice {part!r}, marks {marks}, since {since}"
                    assert found == expected, f"{what} is {found}, not {expected}"
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    ways = [((12, 12), 11.0, 12.0), ((12, 14), 12.0, 13.0), ((12, 14), 14.0, 99.0), ((41, 99), 0.0, 99.0)]
    happened = [store.happened(work, numbers, NOW + since, NOW + until) for numbers, since, until in ways]
    assert happened == [True, False, False, False], f"whether requests happened in a window is {happened}"


CHECKS: tuple[Check, ...] = (
    keeps_what_arrives,
    takes_in_once,
    does_all_or_nothing,
    joins_feedback,
    plans_above_a_watermark,
    keeps_rules,
    moves_probabilities,
    leases_to_one,
    settles_once,
    keeps_money_within_its_limit,
    scores_sessions,
    *FILLING,
    thins_and_tells_late_marks,
    keeps_payloads_within_their_room,
    lets_go_of_what_is_old,
    finds_the_newest,
    gathers_spans,
    amends_requests,
    *OF_RUNS,
    *ERASING,
    *TALKING,
    *WATCHING,
    *LOOPING,
    *REVIEWING,
)
"""Every check, in order."""
