"""The fair share: which tasks a worker has next when there are more than it has places for.

A queue is what waits of one work, live or of one back-fill. Queues have the worker's places evenly, what it has in hand
counted in, so that one with a great backlog starves nobody, not even where places come free one by one. Live queues
come first, but back-fills have a quarter of the places while both wait.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

Queue = tuple[int, int]
"""A work, and a back-fill of it (0: its live tasks)."""

_BACKFILLS = 4  # one place in so many is theirs


def shared(
    due: Mapping[Queue, Sequence[tuple[int, int]]], in_hand: Mapping[Queue, int], most: int, turn: int
) -> list[int]:
    """The tasks that a worker has next.

    Args:
        due: what waits of each queue: (due, task), those due for the longest first.
        in_hand: how many tasks of each queue the worker has.
        most: how many tasks it may have beside these.
        turn: a number that goes up each time. Where a quarter of the places is no whole number, it is rounded by it in
            turns: of a single place, every fourth time is the back-fills'.

    Returns:
        Ids of tasks: live ones first, those due for the longest first.
    """
    live = {queue: ready for queue, ready in due.items() if ready and not queue[1]}
    rest = {queue: ready for queue, ready in due.items() if ready and queue[1]}
    left = most - sum(map(len, live.values()))
    if rest and left < most:
        have = sum(n for (_, backfill), n in in_hand.items() if backfill)
        quarter = (most + sum(in_hand.values()) + turn % _BACKFILLS) // _BACKFILLS
        left = max(left, quarter - have)
    places = min(max(left, 0), most, sum(map(len, rest.values())))
    return _evenly(live, in_hand, most - places) + _evenly(rest, in_hand, places)


def _evenly(queues: Mapping[Queue, Sequence[tuple[int, int]]], in_hand: Mapping[Queue, int], most: int) -> list[int]:
    """Give each place to the queue that has the fewest, and of those to the one whose task waits for the longest."""
    heads = [(in_hand.get(queue, 0), ready[0], 0, queue) for queue, ready in queues.items()]
    heapify(heads)
    taken: list[tuple[int, int]] = []
    while heads and len(taken) < most:
        have, task, place, queue = heappop(heads)
        taken.append(task)
        if place + 1 < len(queues[queue]):
            heappush(heads, (have + 1, queues[queue][place + 1], place + 1, queue))
    return [task for _, task in sorted(taken)]
