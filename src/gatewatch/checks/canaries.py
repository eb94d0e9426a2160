"""What every store must hold to of canaries: frozen, scored again by one, kept whole, gone with their person."""

from collections.abc import Callable

from msgspec.structs import replace

from gatewatch.checks.traffic import DAY, FLOW, NOW, judged, request, take
from gatewatch.core import codec
from gatewatch.core.erasure import Subject
from gatewatch.store.base import Store
from gatewatch.store.canaries import CanaryLease, Rescored
from gatewatch.store.rows import Plan, Settled
from gatewatch.store.watching import Stream

_N = 4


def frozen(store: Store) -> Stream:
    """A stream of which four requests were scored 0.5 and are frozen, of two people in turn."""
    for number in range(_N):
        one = request(f"{number:032x}", user="ann" if number % 2 else "bob")
        take(store, replace(one, payload=codec.encode(one.trace)))
    work = store.work(FLOW, "helpful", "f" * 12, "judge")
    found = store.unplanned(work, 100)
    store.plan(work.id, Plan(tuple((row.seq, NOW, 0.5) for row in found.new), through=found.through))
    leased = store.lease([work.id], "w", 100, NOW, NOW + 60)
    store.settle([Settled(each.task, each.attempt, judged(0.5)) for each in leased], NOW)
    stream = store.stream(FLOW, "helpful", "f" * 12, "judge")
    candidates = store.candidates(stream, 100)
    assert [each.value for each in candidates] == [0.5] * _N, f"what may be frozen is {candidates}"
    number = store.freeze(stream, {each.seq: each.value for each in candidates}, NOW)
    assert number == _N, f"of four it froze {number}"
    return stream


def _leased(store: Store, stream: Stream, now: float, owner: str = "w") -> CanaryLease:
    found = store.lease_canaries([stream.id], owner, now, now + 60)
    assert found is not None, "a set that is due was not leased"
    return found


def _kept(store: Store, stream: Stream, lease: CanaryLease, value: float, now: float) -> bool:
    values = {each.seq: value for each in lease.canaries}
    scores = [judged(value)] * len(values)
    return store.keep_canaries(Rescored(lease=lease, stream=stream, values=values, scores=scores, due=now + DAY), now)


def scores_canaries_again(store: Store) -> None:
    """A set is leased to one, its second scores settle it, and later ones are checks, each whole and paid once."""
    stream = frozen(store)
    dead = _leased(store, stream, NOW)
    assert store.lease_canaries([stream.id], "v", NOW + 59, NOW + 99) is None, "a set was leased to two"
    lease = _leased(store, stream, NOW + 60, "v")
    assert not _kept(store, stream, dead, 0.0, NOW + 61), "values came after the lease had gone to another"
    assert _kept(store, stream, lease, 1.0, NOW + 62), "values of the lease were not kept"
    before = sum(cell.cost for cell in store.spend(0, NOW + DAY))
    assert not _kept(store, stream, lease, 1.0, NOW + 62), "the same values were kept twice"
    assert sum(cell.cost for cell in store.spend(0, NOW + DAY)) == before, "a check was paid twice"
    assert store.canary_checks(stream.id, 9) == [], "the second scores are no check"
    assert store.lease_canaries([stream.id], "v", NOW + DAY, NOW + DAY + 60) is None, "it was due too soon"
    lease = _leased(store, stream, NOW + DAY + 62)
    assert [each.value for each in lease.canaries] == [0.75] * _N, f"the frozen values are {lease.canaries}"
    _kept(store, stream, lease, 0.25, NOW + DAY + 63)
    (check,) = store.canary_checks(stream.id, 9)
    assert (check.pairs, check.checks) == (((0.75, 0.25),) * _N, 1), f"the check is {check}"
    store.want_check(stream.id, NOW + DAY + 99)
    _leased(store, stream, NOW + DAY + 99)


def erases_canaries(store: Store) -> None:
    """The canaries of somebody who is erased go, though their requests expired long before."""
    stream = frozen(store)
    store.expire(NOW + DAY, NOW, NOW)
    found = store.canary_set(stream.id)
    assert found is not None and found.n == _N, "canaries went with the age of their requests"
    name = store.begin_erasure("e1", Subject("user", ("ann",)), "w", NOW)
    while store.erase(name, Subject("user", ("ann",)), NOW):
        pass
    left = _leased(store, stream, NOW + DAY).canaries
    assert len(left) == _N // 2 and all(b"ann" not in each.body for each in left), "a canary outlived its person"


CANARIES: tuple[Callable[[Store], None], ...] = (scores_canaries_again, erases_canaries)
