"""What a store does for spans, which wait in it for the rest of their trace."""

from collections.abc import Callable, Sequence
from typing import Protocol

from gatewatch.store.rows import Gathered, Piece

ROOM = 8_000_000
"""How many bytes of spans are gathered at once."""


class Waiting(Protocol):
    """The part of a `Store` that spans are kept in. All times are in seconds since the epoch."""

    def stage(self, pieces: Sequence[Piece], now: float) -> int:
        """Keep spans, each once, and say how many are new. One whose trace is closed is counted as lost."""
        ...

    def gathered(
        self,
        rooted_before: float,
        rest_before: float,
        most: int,
        room: int = ROOM,
        shortened: Callable[[bytes], bytes] = bytes,
    ) -> list[Gathered]:
        """Traces to be made, or made anew, the oldest first: those whose root has ended and of which nothing was heard
        since a time, and those whose root has not, since another.

        They are `most`, or as many as have `room` together, in bytes. One that is too long by itself comes alone: once
        half of the room is taken its spans are `shortened`, and those for which there is none even so are left out.
        """
        ...

    def forget_spans(self, close_before: float, delete_before: float, most: int) -> int:
        """Let go of the spans of traces that were made, and of which nothing was heard since a time: what comes late is
        not taken. That they are closed is itself forgotten after another. Says of how many traces that was, at most
        twice so many."""
        ...
