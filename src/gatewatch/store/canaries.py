"""Canaries as a store has them: requests that a judge scored, frozen, which it scores again and again.

Those of a stream are a set. It is frozen with the scores that were there, scored once more, by which it has settled,
and from then on checked: each check is kept whole or not at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from gatewatch.core.score import Score
from gatewatch.store.watching import Stream


class Candidate(NamedTuple):
    """A scored request whose payload is there: its number, and its slice and score."""

    seq: int
    slice: str
    value: float


class Canary(NamedTuple):
    """A frozen request (JSON), and what it scored: then, and in the mean of twice once its set has settled."""

    seq: int
    body: bytes
    value: float


class CanarySet(Struct, frozen=True):
    """The canaries of a stream: when they were frozen, how many there are, whether they have settled, and when they are
    to be scored again. `tries` counts how often that failed since it last went well, and `reason` says why."""

    stream: int
    frozen: float
    n: int
    settled: bool
    due: float
    tries: int = 0
    reason: str = ""


class CanaryLease(Struct, frozen=True):
    """A set that a worker is to score now. `attempt` only grows, and makes the lease one of a kind."""

    stream: int
    attempt: int
    owner: str
    settled: bool
    tries: int
    canaries: tuple[Canary, ...]


class CanaryCheck(NamedTuple):
    """A check: when, and the frozen value and the new one of each canary, in order. `checks` is how many checks of all
    streams were kept in the day that ended with it."""

    at: float
    pairs: tuple[tuple[float, float], ...]
    checks: int


class Rescored(Struct, frozen=True, kw_only=True):
    """What became of a lease: the new values by number; or None, then it is to be tried again at `retry_at`, and
    `reason` says why. `scores` are all that were made, for what they cost. `budget` is where that counts if nothing was
    set aside."""

    lease: CanaryLease
    stream: Stream
    values: Mapping[int, float] | None = None
    scores: Sequence[Score] = ()
    due: float
    reason: str = ""
    budget: str = ""


class Canaries(Protocol):
    """What every store can do for the canaries of a judge."""

    def candidates(self, stream: Stream, most: int) -> list[Candidate]:
        """The newest requests, at most so many, that the stream's scorer scored one by one, and that could be frozen:
        those that failed, of which no judge was asked, are not among them."""
        ...

    def freeze(self, stream: Stream, chosen: Mapping[int, float], now: float) -> int:
        """Freeze some requests, by number, with their scores, in the place of those that the stream had; say how many
        had a payload. Sets of the same scorer's other versions that nobody checks any more are let go of."""
        ...

    def canary_set(self, stream: int) -> CanarySet | None:
        """The set of a stream, where there is one."""
        ...

    def want_check(self, stream: int, now: float) -> None:
        """Have a set scored as soon as possible, unless that failed and waits for another try."""
        ...

    def lease_canaries(self, streams: Iterable[int], owner: str, now: float, until: float) -> CanaryLease | None:
        """The set of one of some streams that is due for the longest, leased to a worker until a time. Where a lease
        ran out, what was set aside for it is spent by a third, as with tasks, and another worker may have the set."""
        ...

    def extend_canaries(self, lease: CanaryLease, until: float) -> bool:
        """Keep a lease for longer, and say whether it is still there."""
        ...

    def reserve_canaries(self, lease: CanaryLease, budget: str, limit: float, amount: float) -> bool:
        """Set money aside for a lease, if what is spent and set aside of the budget stays within a limit."""
        ...

    def keep_canaries(self, rescored: Rescored, now: float) -> bool:
        """Keep what became of a lease, all of it at once, and say whether that was done: values that come when the
        lease is another's, or of requests that are not frozen any more, are not kept. What was paid is counted, once.

        The first values settle the set: each canary's becomes the mean of both, and those without a new one go."""
        ...

    def canary_checks(self, stream: int, most: int) -> list[CanaryCheck]:
        """The last checks of a stream, at most so many, oldest first."""
        ...
