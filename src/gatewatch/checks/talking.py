"""What every store must hold to of whole conversations: each comes once, with all its turns and all said of them."""

from gatewatch.checks.traffic import FLOW, NOW, judged, lease, planned, request, take, thumb
from gatewatch.store.base import Store
from gatewatch.store.filling import Heard
from gatewatch.store.rows import Settled
from gatewatch.store.values import BEGIN, Talk


def reads_conversations_in_whole(store: Store) -> None:
    """Those that began in a window come page by page: requests without a session by time, then sessions."""
    alone = [request(f"a{n}", at=NOW + 9 - n) for n in range(5)]
    turns = [request(f"s{n}", at=NOW + n, session=f"{n % 2}") for n in range(4)]
    others = [request("before", at=NOW - 1), request("after", at=NOW + 20), request("else", flow="search")]
    take(store, *alone, *turns, *others, said=[thumb("f", "s2")], now=NOW + 30)
    take(store, request("begun", at=NOW - 5, session="2"), request("goes on", at=NOW + 5, session="2"), now=NOW + 31)
    expected = [["a4"], ["a3"], ["a2"], ["a1"], ["a0"], ["s0", "s2"], ["s1", "s3"]]
    for most in (1, 2, 50):
        talks: list[Talk] = []
        page = store.talks(FLOW, NOW, NOW + 20, after=BEGIN, most=most)
        while page.after is not None:
            talks += page.talks
            page = store.talks(FLOW, NOW, NOW + 20, after=page.after, most=most)
        talks += page.talks
        found = [[row.id for row in talk.turns] for talk in talks]
        assert found == expected, f"by pages of {most}, conversations are {found}"
    said = [[(told.scorer, told.value) for told in talks[5].told[row.seq]] for row in talks[5].turns]
    assert said == [[], [("thumbs", 0.0)]], f"of the turns of a session was said {said}"
    counts = store.session_counts(FLOW, NOW, NOW + 40), store.session_counts(FLOW, NOW + 31, NOW + 40)
    assert counts == ((3, 6), (1, 2)), f"sessions and their turns are {counts}"


def knows_how_likely_a_score_was(store: Store) -> None:
    """A score comes with the probability with which it came to be; a scorer's error is no value."""
    work = planned(store, "a", "b", pi=0.25)
    for each in lease(store, work):
        store.settle([Settled(each.task, each.attempt, judged(0.5 if each.row.id == "a" else None))], NOW)
    found = [
        [(told.value, told.pi) for told in talk.told[talk.turns[0].seq]] for talk in store.talks(FLOW, 0, 2 * NOW).talks
    ]
    assert found == [[(0.5, 0.25)], []], f"scores and their probabilities are {found}"


def knows_its_workers(store: Store) -> None:
    """Workers that said something of late are known, with what they said last."""
    store.heartbeat("a", NOW)
    store.heartbeat("b", NOW, "asleep")
    store.heartbeat("b", NOW + 5, "at work", {"helpful": "f" * 12})
    expected = {"b": Heard(NOW + 5, "at work", {"helpful": "f" * 12})}
    assert store.workers(NOW + 1) == expected, f"workers are {store.workers(NOW + 1)}"


def tells_what_is_undone_of_each_part(store: Store) -> None:
    """Work that is not done is told by variant and version, where that is asked for; else they are put together."""
    take(store, *(request(f"{n}", variant="ab"[n % 2], versions={"p": f"{n // 2}"}) for n in range(4)))
    planned(store)
    found = [(each.variant, each.version, each.n) for each in store.unsettled(FLOW, NOW, NOW + 1, finely=True)]
    assert sorted(found) == [("a", "p=0", 1), ("a", "p=1", 1), ("b", "p=0", 1), ("b", "p=1", 1)], f"undone are {found}"
    whole = [(each.variant, each.version, each.n) for each in store.unsettled(FLOW, NOW, NOW + 1)]
    assert whole == [("", "", 4)], f"put together, undone are {whole}"


TALKING = (
    reads_conversations_in_whole,
    knows_how_likely_a_score_was,
    knows_its_workers,
    tells_what_is_undone_of_each_part,
)
