"""The fair share: nobody is starved, no place is left empty, live work goes first."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from gatewatch.store.sharing import Queue, shared

queues = st.dictionaries(
    st.tuples(st.integers(1, 4), st.sampled_from([0, 0, 7, 8])), st.tuples(st.integers(0, 40), st.integers(0, 20))
)


def waiting(found: dict[Queue, tuple[int, int]]) -> dict[Queue, list[tuple[int, int]]]:
    """Tasks by queue, of which the id tells where they are from."""
    return {
        queue: [(1000 * place + n, 1000 * place + n) for n in range(ready)]
        for place, (queue, (ready, _)) in enumerate(found.items())
    }


@given(queues, st.integers(0, 50), st.integers(0, 9))
def test_places_are_filled_evenly_and_a_quarter_is_the_backfills(
    found: dict[Queue, tuple[int, int]], most: int, turn: int
) -> None:
    due, in_hand = waiting(found), {queue: have for queue, (_, have) in found.items()}
    taken = shared(due, in_hand, most, turn)
    assert len(taken) == len(set(taken)) == min(most, sum(map(len, due.values())))
    names = list(found)
    got = Counter(names[task // 1000] for task in taken)
    for queue, n in got.items():
        assert sorted(task for task in taken if names[task // 1000] == queue) == [task for _, task in due[queue][:n]]
    for one in found:
        for other in found:
            alike = bool(one[1]) == bool(other[1])
            if alike and got[one] and got[other] < len(due[other]):  # who still waits has no fewer, but for one
                assert in_hand[other] + got[other] >= in_hand[one] + got[one] - 1
    of_backfills = sum(n for queue, n in got.items() if queue[1])
    live = sum(n for queue, n in got.items() if not queue[1])
    if live < sum(len(ready) for queue, ready in due.items() if not queue[1]):  # live work still waits
        have = sum(n for queue, n in in_hand.items() if queue[1])
        assert of_backfills <= max(0, (most + sum(in_hand.values()) + 3) // 4 - have)
    if of_backfills < sum(len(ready) for queue, ready in due.items() if queue[1]) and most:  # so do back-fills
        have = sum(n for queue, n in in_hand.items() if queue[1])
        assert of_backfills + have >= min((most + sum(in_hand.values())) // 4, most + have)
    states = [bool(names[task // 1000][1]) for task in taken]
    assert states == sorted(states)


def test_of_few_places_back_fills_have_a_quarter_over_time() -> None:
    due = {(1, 0): [(n, n) for n in range(99)], (2, 7): [(n, 100 + n) for n in range(99)]}
    for places in (1, 2, 3, 5, 6):
        counts = [sum(task >= 100 for task in shared(due, {}, places, turn)) for turn in range(40)]
        assert sum(counts) == 10 * places


def test_places_that_come_free_one_by_one_go_to_who_has_fewest() -> None:
    due = {(1, 0): [(n, n) for n in range(99)], (2, 0): [(500, 100)]}
    assert shared(due, {(1, 0): 31}, 1, 0) == [100]
    assert shared(due, {(1, 0): 15, (2, 0): 16}, 1, 0) == [0]
