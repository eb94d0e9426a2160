"""Canaries in a store: frozen with their payloads, leased by one, kept whole, paid once."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gatewatch.checks.traffic import DAY, FLOW, NOW, judged, lease, planned, request, take
from gatewatch.core import codec
from gatewatch.core.erasure import Subject, Tombstone
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.store.base import Store
from gatewatch.store.canaries import CanaryLease, Rescored
from gatewatch.store.rows import Plan, Settled, Thinned
from gatewatch.store.watching import Stream
from store.making import a_store, backend  # noqa: F401 - every test runs on both

STREAM = Stream(7, FLOW, "helpful", "f" * 12, "judge")
OTHER = Stream(8, FLOW, "helpful", "e" * 12, "judge")
NAMES = [f"r{number}" for number in range(6)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with six requests that were scored 0, 0.2 ... 1."""
    made = a_store(tmp_path)
    work = planned(made, *NAMES)
    made.settle([Settled(each.task, each.attempt, judged((each.row.seq - 1) / 5)) for each in lease(made, work)], NOW)
    return made


def frozen(store: Store, stream: Stream = STREAM, now: float = NOW) -> dict[int, float]:
    chosen = {each.seq: each.value for each in store.candidates(stream, 100)}
    assert store.freeze(stream, chosen, now) == len(chosen)
    return chosen


def leased(store: Store, now: float = NOW, owner: str = "w", stream: int = STREAM.id) -> CanaryLease:
    found = store.lease_canaries([stream], owner, now, now + 60)
    assert found is not None
    return found


def rescored(found: CanaryLease, value: float | None = 0.5, *, due: float = NOW + DAY, cost: float = 0.01) -> Rescored:
    values = None if value is None else {each.seq: value for each in found.canaries}
    scores = [judged(value, cost=cost)] * len(found.canaries)
    return Rescored(lease=found, stream=STREAM, values=values, scores=scores, due=due, reason="" if values else "away")


def settled_set(store: Store) -> None:
    frozen(store)
    assert store.keep_canaries(rescored(leased(store)), NOW)


def test_what_was_scored_and_has_its_payload_can_be_frozen(store: Store) -> None:
    found = store.candidates(STREAM, 100)
    assert [each.seq for each in found] == [6, 5, 4, 3, 2, 1]
    assert [each.value for each in found] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.0])
    assert [each.seq for each in store.candidates(STREAM, 2)] == [6, 5]
    assert store.candidates(OTHER, 100) == []
    store.thin([Thinned(seq, 0, 0.5, gone=seq == 1) for seq in range(1, 7)])
    assert [each.seq for each in store.candidates(STREAM, 100)] == [6, 5, 4, 3, 2]


def test_a_failure_of_the_application_was_not_judged_and_is_not_frozen(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    work = planned(store, "a", "b")
    failed = Score(0.0, status="task_error", name="helpful", source="judge", fingerprint="f" * 12)
    one, two = lease(store, work)
    store.settle([Settled(one.task, one.attempt, failed), Settled(two.task, two.attempt, judged(0.0))], NOW)
    assert [each.seq for each in store.candidates(STREAM, 9)] == [two.row.seq]


def test_the_first_scores_settle_a_set_and_later_ones_are_checks(store: Store) -> None:
    assert store.canary_set(STREAM.id) is None
    chosen = frozen(store)
    first = store.canary_set(STREAM.id)
    assert first is not None and (first.n, first.settled, first.due, first.frozen) == (6, False, NOW, NOW)
    found = leased(store)
    assert {each.seq: each.value for each in found.canaries} == chosen
    assert {each.body for each in found.canaries} == {b'{"input":"?"}'}
    assert store.keep_canaries(rescored(found), NOW)
    assert store.canary_checks(STREAM.id, 9) == []
    assert store.lease_canaries([STREAM.id], "w", NOW + DAY - 1, NOW + DAY) is None
    again = leased(store, NOW + DAY)
    assert [each.value for each in again.canaries] == pytest.approx([0.25, 0.35, 0.45, 0.55, 0.65, 0.75])
    assert store.keep_canaries(rescored(again, 1.0, due=NOW + 2 * DAY), NOW + DAY)
    (check,) = store.canary_checks(STREAM.id, 9)
    assert (check.at, check.checks) == (NOW + DAY, 1)
    assert check.pairs == tuple((each.value, 1.0) for each in again.canaries)


def test_checks_of_all_streams_within_a_day_are_counted(store: Store) -> None:
    settled_set(store)
    store.freeze(OTHER, {1: 0.5, 2: 0.5}, NOW)
    store.keep_canaries(rescored(leased(store, stream=OTHER.id)), NOW)
    for stream, at in ((STREAM, NOW + DAY), (OTHER, NOW + 1.5 * DAY), (STREAM, NOW + 2 * DAY), (STREAM, NOW + 2 * DAY)):
        store.want_check(stream.id, at)
        store.keep_canaries(rescored(leased(store, at, stream=stream.id), due=at + DAY), at)
    assert [each.checks for each in store.canary_checks(STREAM.id, 9)] == [1, 2, 3]
    assert [each.at for each in store.canary_checks(STREAM.id, 2)] == pytest.approx([NOW + 2 * DAY, NOW + 2 * DAY])


def test_one_without_a_second_score_is_no_canary(store: Store) -> None:
    frozen(store)
    found = leased(store)
    some = Rescored(lease=found, stream=STREAM, values={1: 1.0, 2: 0.0, 99: 1.0}, due=NOW + DAY)
    assert store.keep_canaries(some, NOW)
    assert [(each.seq, each.value) for each in leased(store, NOW + DAY).canaries] == [(1, 0.5), (2, 0.1)]


def test_one_worker_has_it_until_its_lease_runs_out_and_nothing_is_half_kept(store: Store) -> None:
    frozen(store)
    dead = leased(store)
    assert store.lease_canaries([STREAM.id], "v", NOW + 59, NOW + 99) is None
    assert store.extend_canaries(dead, NOW + 80)
    assert store.lease_canaries([STREAM.id], "v", NOW + 79, NOW + 99) is None
    other = leased(store, NOW + 80, "v")
    assert not store.extend_canaries(dead, NOW + 300)
    assert not store.keep_canaries(rescored(dead, 0.0), NOW + 81)
    assert {each.seq: each.value for each in other.canaries} == {e.seq: e.value for e in dead.canaries}
    assert store.keep_canaries(rescored(other), NOW + 82)
    assert not store.keep_canaries(rescored(other), NOW + 82), "a second time it is not kept again"
    found = store.canary_set(STREAM.id)
    assert found is not None and found.settled and (found.tries, found.reason) == (0, "")


def test_what_was_put_off_waits_and_is_not_hurried(store: Store) -> None:
    settled_set(store)
    store.want_check(STREAM.id, NOW + 10)
    found = leased(store, NOW + 10)
    assert store.keep_canaries(rescored(found, None, due=NOW + 70), NOW + 11)
    store.want_check(STREAM.id, NOW + 12)
    there = store.canary_set(STREAM.id)
    assert there is not None and (there.due, there.tries, there.reason) == (NOW + 70, 1, "away")
    assert leased(store, NOW + 70).tries == 1
    assert store.canary_checks(STREAM.id, 9) == []


def test_a_set_that_workers_die_over_is_left_alone_for_a_day(store: Store) -> None:
    frozen(store)
    now = NOW
    for _ in range(5):
        assert store.lease_canaries([STREAM.id], "w", now, now + 60) is not None
        now += 60
    assert store.lease_canaries([STREAM.id], "w", now, now + 60) is None
    assert store.lease_canaries([STREAM.id], "w", now + DAY, now + DAY + 60) is not None


def test_money_is_set_aside_spent_and_counted_once(store: Store) -> None:
    frozen(store)
    found = leased(store)
    before = sum(cell.cost for cell in store.spend(0, NOW + DAY) if cell.kind == "judge")
    assert not store.reserve_canaries(found, "m:1", 0.1, 0.2)
    assert store.reserve_canaries(found, "m:1", 1.0, 0.18)
    assert store.spent("m:1") == pytest.approx((0.0, 0.18))
    store.keep_canaries(rescored(found), NOW)
    store.keep_canaries(rescored(found), NOW)  # by one who does not know whether it was kept
    assert store.spent("m:1") == pytest.approx((0.06, 0.0))
    after = sum(cell.cost for cell in store.spend(0, NOW + DAY) if cell.kind == "judge")
    assert after - before == pytest.approx(0.06)


def test_a_dead_workers_calls_are_guessed_and_put_right_when_it_comes_late(store: Store) -> None:
    frozen(store)
    dead = leased(store)
    assert store.reserve_canaries(dead, "m:1", 1.0, 0.18)
    other = leased(store, NOW + 60, "v")
    assert store.spent("m:1") == pytest.approx((0.06, 0.0))
    assert not store.reserve_canaries(dead, "m:1", 1.0, 0.18)
    assert not store.keep_canaries(rescored(dead, cost=0.02), NOW + 61)
    assert store.spent("m:1") == pytest.approx((0.12, 0.0))
    assert not store.keep_canaries(rescored(dead, cost=0.02), NOW + 61)
    assert store.spent("m:1") == pytest.approx((0.12, 0.0))
    assert store.reserve_canaries(other, "m:1", 1.0, 0.18)
    lost = [Score(status="scorer_error", source="judge", cost=Cost(unknown=1))] * 3
    store.keep_canaries(Rescored(lease=other, stream=STREAM, scores=lost, due=NOW + DAY, reason="away"), NOW + 62)
    assert store.spent("m:1") == pytest.approx((0.12 + 3 * 0.01, 0.0)), "what is unknown is taken for the mean"


def test_frozen_anew_forgets_what_was_and_who_was_at_it(store: Store) -> None:
    settled_set(store)
    at = leased(store, NOW + DAY)
    store.reserve_canaries(at, "m:1", 1.0, 0.1)
    assert store.freeze(STREAM, {1: 0.0, 2: 0.2, 99: 1.0}, NOW + DAY) == 2
    assert store.spent("m:1") == pytest.approx((0.0, 0.0))
    assert not store.keep_canaries(rescored(at), NOW + DAY)
    found = store.canary_set(STREAM.id)
    assert found is not None and (found.n, found.settled) == (2, False)
    assert leased(store, NOW + DAY).attempt > at.attempt


def test_sets_of_older_versions_of_a_scorer_go_once_nobody_checks_them(store: Store) -> None:
    settled_set(store)
    store.freeze(OTHER, {1: 0.0}, NOW + 7 * DAY)
    assert store.canary_set(STREAM.id) is not None
    store.freeze(OTHER, {1: 0.0}, NOW + 9 * DAY)
    assert store.canary_set(STREAM.id) is None and store.canary_set(OTHER.id) is not None


# Erasing


def personal(tmp_path: Path) -> Store:
    """A store with requests of two people, frozen and checked once."""
    made = a_store(tmp_path)
    for number in range(6):
        one = request(f"{number:032x}", user="ann" if number % 2 else "bob", session=f"s{number % 3}")
        take(made, replace(one, payload=codec.encode(one.trace)))
    work = made.work(FLOW, "helpful", "f" * 12, "judge")
    found = made.unplanned(work, 1000)
    made.plan(work.id, Plan(tuple((row.seq, NOW, 0.5) for row in found.new), through=found.through))
    made.settle([Settled(each.task, each.attempt, judged(0.5)) for each in lease(made, work)], NOW)
    settled_set(made)
    made.keep_canaries(rescored(leased(made, NOW + DAY), due=NOW + 2 * DAY), NOW + DAY)
    return made


def erased(store: Store, subject: Subject) -> dict[str, int]:
    name = store.begin_erasure("e1", subject, "somebody", NOW + DAY)
    while store.erase(name, subject, NOW + DAY):
        pass
    return store.tally(name)[0]


@pytest.mark.parametrize("expired", [False, True])
def test_canaries_of_somebody_who_is_erased_go_though_their_request_is_long_gone(tmp_path: Path, expired: bool) -> None:
    store = personal(tmp_path)
    at = leased(store, NOW + 2 * DAY)
    if expired:
        store.expire(NOW + DAY, NOW, NOW)
        assert store.counts().traces == 0
    assert erased(store, Subject("user", ("ann",)))["canaries"] == 3
    again = rescored(at, due=NOW + 3 * DAY)
    assert store.keep_canaries(again, NOW + 2 * DAY)  # who has them to score now cannot bring them back
    found = leased(store, NOW + 3 * DAY)
    assert [each.seq for each in found.canaries] == [1, 3, 5]
    assert {b"bob" in each.body for each in found.canaries} == {True}
    assert [len(check.pairs) for check in store.canary_checks(STREAM.id, 9)] == [3, 3]


@pytest.mark.parametrize("expired", [False, True])
def test_so_do_those_of_a_session(tmp_path: Path, expired: bool) -> None:
    store = personal(tmp_path)
    if expired:
        store.expire(NOW + DAY, NOW, NOW)
    assert erased(store, Subject("session", ("s1",), FLOW))["canaries"] == 2
    assert [each.seq for each in leased(store, NOW + 2 * DAY).canaries] == [1, 3, 4, 6]


def test_a_backup_that_was_put_back_tells_whose_canaries_its_tombstones_mean(tmp_path: Path) -> None:
    store = personal(tmp_path)
    store.expire(NOW + DAY, NOW, NOW)
    stones = [Tombstone(mark, "user", NOW) for mark in Subject("user", ("ann",)).marks]
    stones += [Tombstone(mark, "session", NOW) for mark in Subject("session", ("s0",), FLOW).marks]
    assert store.meant(stones) == [Subject("user", ("ann",)), Subject("session", ("s0",), FLOW)]
