"""What every store must hold to of back-fills, and of the fair share of works and back-fills in what is leased."""

from msgspec.structs import replace

from gatewatch.checks.traffic import FLOW, NOW, judged, lease, planned, request, take, thumb, trends_agree_with_rows
from gatewatch.core.rates import Epoch, Rule
from gatewatch.store.base import Store
from gatewatch.store.filling import Backfill
from gatewatch.store.rows import Leased, Plan, Settled, Thinned, Work

RULES = (Rule(0.6, stored=True),)
RULER = FLOW, "helpful", "f" * 12


def begun(store: Store, work: Work, first: int, last: int, most: float | None = None) -> Backfill:
    """A back-fill of a range, as somebody begins it."""
    return store.begin_backfill(work.id, RULES, (first, last), author="mia", now=NOW, most=most)


def fills_a_range_once(store: Store) -> None:
    """A back-fill's range is decided on step by step, by one worker each; what has a score or a task is left alone."""
    work = planned(store, "a", "b")
    done = lease(store, work, most=1)[0]
    store.settle([Settled(done.task, done.attempt, judged(1.0))], NOW)
    take(store, *(request(f"{n}", flow=FLOW if n % 2 else "search") for n in range(6)), now=NOW + 50)
    assert store.numbered(NOW, NOW + 50) == (1, 2), f"of a window by arrival it says {store.numbered(NOW, NOW + 50)}"
    assert store.numbered(NOW + 50, NOW + 99) == (3, 8), f"of a later one {store.numbered(NOW + 50, NOW + 99)}"
    first, last = store.numbered(NOW + 60, NOW + 99)
    assert first > last, f"of a window without requests it says {(first, last)}"
    begun_ = begun(store, work, 1, 7, 1.5)
    said = (begun_.state, begun_.author, begun_.at, begun_.rules, begun_.planned, begun_.most, begun_.flow)
    assert said == ("running", "mia", NOW, RULES, 0, 1.5, FLOW), f"a back-fill that began is {begun_}"
    store.thin([Thinned(1, 0, 0.9, gone=False)])
    found = store.unfilled(*RULER, (1, 7), 9)
    numbers = [row.seq for row in found.rows]
    assert (numbers, found.through, found.stored) == ([1], 1, True), f"those whose hold is over are {found}"
    plan = Plan(moved=((1, 0.6),), epoch=Epoch(1, 1, RULES), through=found.through, read_at=(0, found.thinned))
    store.fill(begun_.id, plan)
    found = store.unfilled(*RULER, (2, 7), 9)
    numbers = [row.seq for row in found.rows]
    assert (numbers, found.there, found.stored) == ([2, 4, 6], frozenset({2}), False), (
        f"the next of a range are {found}"
    )
    task = ((2, NOW, 0.6), (4, NOW, 0.6), (6, NOW, 0.6))
    plan = Plan(task, epoch=Epoch(2, 7, RULES), through=7, read_at=(1, found.thinned))
    assert store.fill(begun_.id, replace(plan, read_at=(0, found.thinned))) == 0, "a decision out of date was kept"
    assert store.fill(begun_.id, plan) == 2, "tasks were made for requests that have one, or were not made"
    assert store.fill(begun_.id, plan) == 0, "a decision was kept twice"
    (now,) = store.backfills(running=True)
    assert (now.planned, now.made, now.done, now.share) == (7, 2, 0, 1.0), f"a back-fill went on to {now}"
    assert store.undone(begun_.id) == {"waiting": 2}, f"tasks without a score are {store.undone(begun_.id)}"
    assert sorted(store.epochs(work.id, 1, 9), key=repr) == [Epoch(1, 7, RULES)], "its rules are not kept"
    assert [kept.pi for kept in store.scores(1)] == [0.6], "the probability of what was scored before did not move"
    assert store.works()[0].planned == 2, "live planning moved with a back-fill"
    trends_agree_with_rows(store)


def fills_only_what_was_read(store: Store) -> None:
    """A decision by payloads that were held when it was read is not kept once that hold is over."""
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    take(store, request("a"), request("b"))
    back = begun(store, work, 1, 2)
    found = store.unfilled(*RULER, (1, 2), 9)
    store.thin([Thinned(1, 0, 0.1, gone=True)])
    plan = Plan(((1, NOW, 0.6),), epoch=Epoch(1, 2, RULES), through=2, read_at=(0, found.thinned))
    assert store.fill(back.id, plan) == 0, "it was decided by a hold that is over"
    assert not store.epochs(work.id, 1, 2) and store.backfills()[0].planned == 0, "such a decision left rules behind"
    row = store.latest(FLOW)[-1]
    assert store.happened(work, (1, 2), row.at, row.at + 1, never_kept=True) is False, "kept = 0.1 is no certain loss"
    store.thin([Thinned(2, 0, 0.0, gone=True)])
    assert store.happened(work, (1, 2), row.at, row.at + 1, never_kept=True), "a payload that could not be kept"
    assert not store.happened(work, (1, 1), row.at, row.at + 1, never_kept=True), "that of another request"


def stops_and_goes_on(store: Store) -> None:
    """Of a back-fill that is stopped nothing is leased or planned; it goes on where it was, with what was given up."""
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    take(store, *(request(name) for name in "abcd"), said=[thumb("1", "a")])
    back = begun(store, work, 1, 4)
    plan = Plan(tuple((n, NOW, 0.6) for n in range(1, 4)), epoch=Epoch(1, 3, RULES), through=3, read_at=(0, 0))
    assert store.fill(back.id, plan) == 3, "tasks of a back-fill were not made"
    assert not lease(store, work), "a back-fill's task was leased as live work"
    one, two = _lease(store, (), (back.id,), 2)
    assert (one.backfill, one.row.id, two.row.id) == (back.id, "a", "b"), f"leased are {one} and {two}"
    assert store.turn_backfill(back.id, "stopped", now=NOW, reason="enough"), "it was not stopped"
    assert not store.turn_backfill(back.id, "stopped", now=NOW), "it was stopped twice"
    assert not store.turn_backfill(back.id, "done", now=NOW), "one that was stopped is said to be done"
    assert store.backfills()[0].reason == "enough" and not store.backfills(running=True), "it does not say so"
    store.settle([Settled(one.task, one.attempt, judged(1.0), budget=back.budget)], NOW)  # what was under way is kept
    assert store.backfills()[0].done == 1, "a score is not counted"
    assert store.spent(back.budget) == (0.01, 0.0), f"spent are {store.spent(back.budget)}"
    assert not _lease(store, (), (back.id,), 9, NOW + 999), "a task of a stopped back-fill was leased"
    assert store.suspects((), NOW + 999, (back.id,)) == 0, "a suspect of a stopped back-fill is due"
    assert store.fill(back.id, replace(plan, through=4, read_at=(3, 0))) == 0, "a stopped back-fill was planned"
    assert store.expire(0, 0, NOW + 999).tasks == 2, "work that waited too long is not given up"
    assert store.turn_backfill(back.id, "running", now=NOW + 999, most=2.5), "it did not go on"
    assert (store.backfills()[0].most, store.backfills()[0].reason) == (2.5, ""), f"it is {store.backfills()[0]}"
    again = _lease(store, (), (back.id,), 9, NOW + 999)
    assert {each.row.id for each in again} == {"b", "c"}, f"gone on with are {[each.row.id for each in again]}"
    assert store.turn_backfill(back.id, "running", now=NOW, most=3.5), "one that runs has no other budget"
    assert [each.most for each in store.backfills(running=True)] == [3.5], "one that runs has no other budget"
    assert store.turn_backfill(back.id, "done", now=NOW), "it is not done"
    assert not store.turn_backfill(back.id, "running", now=NOW), "one that is done went on"


def shares_fairly(store: Store) -> None:
    """Works share what is leased, live ones before back-fills, which have a quarter; what is in hand counts."""
    great = store.work(FLOW, "helpful", "f" * 12, "judge")
    small = store.work("search", "helpful", "f" * 12, "judge")
    take(store, *(request(f"{n}") for n in range(100)), *(request(f"s{n}", flow="search") for n in range(100)))
    store.plan(great.id, Plan(tuple((n, NOW, 0.5) for n in range(1, 41)), through=100))
    store.plan(small.id, Plan(((101, NOW + 9, 0.5), (102, NOW + 9, 0.5)), through=100))
    works, backs = (great.id, small.id), (begun(store, great, 1, 100).id, begun(store, small, 1, 100).id)
    for back, first in zip(backs, (41, 141), strict=True):
        tasks = tuple((first + n, NOW, 0.6) for n in range(20))
        store.fill(back, Plan(tasks, epoch=Epoch(1, 100, RULES), through=100, read_at=(0, 0)))
    found = [(each.work, each.backfill) for each in _lease(store, works, backs, 8)]
    counted = {queue: found.count(queue) for queue in set(found)}
    expected = {(great.id, 0): 4, (small.id, 0): 2, (great.id, backs[0]): 1, (small.id, backs[1]): 1}
    assert counted == expected, f"of eight places, queues have {counted}, not {expected}"
    assert [backfill for _, backfill in found[:6]] == [0] * 6, "a back-fill's task comes before live ones"
    store.plan(small.id, Plan(((103, NOW + 50, 0.5),), through=100))
    (one,) = _lease(store, works, backs, 1)
    assert (one.work, one.backfill) == (small.id, 0), "a place that came free went to who has the most"
    single = [_lease(store, works, backs, 1, owner=f"w{turn}", turn=turn)[0].backfill != 0 for turn in range(8)]
    assert sum(single) == 2, f"of a single place, back-fills had {sum(single)} of eight turns"


def _lease(
    store: Store,
    works: tuple[int, ...],
    backfills: tuple[int, ...],
    most: int,
    now: float = NOW + 100,
    *,
    owner: str = "w",
    turn: int = 0,
) -> list[Leased]:
    return store.lease(works, owner, most, now, now + 60, backfills=backfills, turn=turn)


FILLING = (fills_a_range_once, fills_only_what_was_read, stops_and_goes_on, shares_fairly)
"""These checks, in order."""
