"""The one seam between Gatewatch and where live traffic is kept: what every backend can do.

A store has no clock of its own: times are given. Every method is one transaction: after it returned, what it did is
there, whatever is killed; when it raised, nothing of it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from gatewatch.core.erasure import Day, Erasure, Subject, Tombstone
from gatewatch.core.rates import Epoch
from gatewatch.core.score import Source
from gatewatch.store.audit import Audited
from gatewatch.store.canaries import Canaries
from gatewatch.store.counts import Counts
from gatewatch.store.filling import Filling, Heard
from gatewatch.store.looping import Looping
from gatewatch.store.rows import (
    Arrivals,
    Expired,
    KeptScore,
    Leased,
    Plan,
    Row,
    Said,
    ScoreCell,
    Session,
    Settled,
    SignalCell,
    SpendCell,
    TakenIn,
    TaskRow,
    Thinned,
    Tier,
    Unplanned,
    Unsettled,
    Value,
    Work,
)
from gatewatch.store.uploads import Uploading
from gatewatch.store.values import Talking
from gatewatch.store.waiting import Waiting
from gatewatch.store.watching import Watching


class Store(Filling, Talking, Uploading, Waiting, Watching, Canaries, Looping, Protocol):
    """Where live traffic is kept. Safe to use from several processes at once, each with a store of its own."""

    # Arriving

    def take_in(self, arrivals: Arrivals, now: float) -> TakenIn:
        """Keep what arrives, all or nothing; what is there already is left as it is."""
        ...

    def taken(self, segment: str) -> int:
        """How far a segment has been taken in, in bytes; 0 for one that is unknown."""
        ...

    def forget(self, segment: str) -> None:
        """Let go of a segment's offset, once its file is gone."""
        ...

    # Planning

    def work(
        self, flow: str, scorer: str, fingerprint: str, source: Source, sessions_since: float | None = None
    ) -> Work:
        """The work of a scorer on a flow. A new one begins with the oldest request whose payload is still held; one
        that looks at whole sessions, with those that were heard of since a time."""
        ...

    def unplanned(self, work: Work, most: int) -> Unplanned:
        """The next requests that a work has not decided on, at most so many of each kind."""
        ...

    def epochs(self, work: int, first: int, last: int) -> list[Epoch]:
        """The rules that were in force for any of some requests."""
        ...

    def plan(self, work: int, plan: Plan) -> int:
        """Keep a decision, and say how many tasks are new: one that is there, or has its score, is not made again.

        A plan whose epoch begins behind requests that are still to be planned (the work was rewound meanwhile) does not
        move on what is planned."""
        ...

    def rewind(self, work: int, sessions_since: float | None = None) -> None:
        """Plan a work anew from where a new one would begin, since its rules changed."""
        ...

    def ended(self, flow: str, before: float, most: int, after: int = 0) -> list[Session]:
        """Sessions that were last heard of before a time and after another (a `moved`), the oldest first: at most so
        many, and all that were heard of at the same moment as the last of them."""
        ...

    def find_session(self, flow: str, session: str) -> Session | None:
        """A session by its id."""
        ...

    def plan_session(self, session: Session, tasks: Sequence[tuple[int, float, float]]) -> None:
        """Make tasks (work, due, pi) for a session, at its first request; one whose score is of fewer turns is done
        again, and the new score takes the place of the old."""
        ...

    # Doing

    def lease(
        self,
        works: Iterable[int],
        owner: str,
        most: int,
        now: float,
        until: float,
        *,
        backfills: Iterable[int] = (),
        suspects: bool | None = None,
        turn: int = 0,
    ) -> list[Leased]:
        """Tasks that are due, or whose lease has run out, for one worker until a time; with their payloads.

        They are live ones of `works`, and those of `backfills` that are running. Each of these has an equal part of
        the worker's places, as far as it can use it; live ones come first, but a quarter is the back-fills' while both
        wait. `turn` is a number that goes up each time: where a quarter is no whole number, it is rounded in turns.

        `suspects` asks for only those whose lease ran out, now or before, or for none of these: a worker died over
        them, and another may, so that they had better be tried one at a time.
        """
        ...

    def suspects(self, works: Iterable[int], now: float, backfills: Iterable[int] = ()) -> int:
        """How many suspects are due."""
        ...

    def extend(self, owner: str, tasks: Iterable[int], until: float) -> None:
        """Keep leased tasks for longer."""
        ...

    def reserve(self, budget: str, limit: float, amount: float, task: int) -> bool:
        """Set money aside for a leased task, if what is spent and set aside stays within a limit; `budget` names a
        budget and its day. What a task had set aside before is let go when it is reserved for or settled again;
        when it is leased again, since its lease ran out, a third of it is spent until the late attempt settles."""
        ...

    def spent(self, budget: str) -> tuple[float, float]:
        """What was spent of a budget, and what is set aside, in US dollars."""
        ...

    def settle(self, settled: Iterable[Settled], now: float) -> int:
        """Keep what became of leased tasks, and say of how many: one whose lease another worker has is left alone.

        What was set aside for it becomes what its score cost (all of it, at least, where that is unknown). What a score
        cost that comes too late to be kept is spent all the same; an attempt that is settled again is not paid again.
        """
        ...

    # Reading

    def find(self, name: str) -> Row | None:
        """A request by its trace id or, failing that, the newest by external id or by the alias kept for it."""
        ...

    def payload(self, seq: int) -> bytes | None:
        """A request's payload, where there is one."""
        ...

    def session(self, flow: str, session: str) -> list[Row]:
        """The requests of a session, in the order in which they happened."""
        ...

    def scores(self, seq: int) -> list[KeptScore]:
        """All that was said of a request."""
        ...

    def tasks(self, seq: int) -> list[TaskRow]:
        """The work on a request that is not done."""
        ...

    def works(self) -> list[Work]:
        """Every work there is."""
        ...

    def flows(self) -> list[str]:
        """The flows of all requests, by name."""
        ...

    def latest(
        self,
        flow: str = "",
        *,
        slice: str = "",  # noqa: A002 - the vocabulary's word
        marks: int = 0,
        since: float = 0.0,
        before: int = 0,
        most: int = 50,
    ) -> list[Row]:
        """The newest requests first: of a flow, a slice, with any of some marks; `before` a number, for a next page."""
        ...

    def happened(
        self, work: Work, numbers: tuple[int, int], since: float, until: float, *, never_kept: bool = False
    ) -> bool:
        """Whether any of the requests of a work, numbered from the first to the last of two, happened in a window;
        or any of its sessions began in it, if it looks at those: their numbers are their `moved`. With `never_kept`,
        whether any of those requests did whose payload had no chance to outlive its hold."""
        ...

    def signals(self, flow: str, tier: Tier, since: float, until: float) -> list[SignalCell]:
        """Operational signals by bucket."""
        ...

    def cells(self, flow: str, tier: Tier, since: float, until: float) -> list[ScoreCell]:
        """Sums of scores by bucket."""
        ...

    def values(
        self, flow: str, scorer: str, fingerprint: str, source: Source, since: float, until: float, most: int
    ) -> list[Value]:
        """The newest values of a scorer, by one source, at most so many, newest first."""
        ...

    def unsettled(self, flow: str, since: float, until: float, *, finely: bool = False) -> list[Unsettled]:
        """Work that is not done on the requests of a window, by the hour, scorer, slice and state; `finely` by variant
        and version too, which takes a look at each request."""
        ...

    def spend(self, since: float, until: float) -> list[SpendCell]:
        """Money by day, flow, scorer and model."""
        ...

    # Keeping house

    def held(self, before: float, most: int) -> list[Row]:
        """The oldest requests whose payloads are held, and that were received before a time."""
        ...

    def thin(self, decided: Sequence[Thinned], enough: int | None = None) -> int:
        """End the hold of the oldest requests that are held, in order, and say of how many; stop once payloads of
        `enough` bytes are gone, where that is given.

        It stops, too, where nothing was decided, or the marks are others by now: that request is held on, to be decided
        on again, and so is what came after it. What waited for a payload that is gone becomes `no_payload`."""
        ...

    def let_go(self, enough: int, most: int) -> int:
        """Let go of the oldest payloads that outlived their hold, at most so many and until `enough` bytes are gone;
        say of how many, and count them as lost. What waited for one becomes `no_payload`."""
        ...

    def expire(self, traces_before: float, parked_before: float, tasks_before: float) -> Expired:
        """Delete requests that happened before a time, with all that hangs on them but the trends, and how far segments
        were taken in that nothing came of since; let go of feedback that found no request; give up work that waited too
        long. Says how many of each.

        It is a step, so that others need not wait long; where there is more, it is called again. Trends by the minute
        are let go two days, those by the hour 90 days, after the newest sign of life."""
        ...

    def payload_bytes(self) -> int:
        """How much room payloads take."""
        ...

    # Workers

    def heartbeat(self, worker: str, now: float, note: str = "", scorers: Mapping[str, str] | None = None) -> None:
        """A worker says that it is at work, and which scorers it knows: their fingerprints, by name."""
        ...

    def workers(self, since: float) -> dict[str, Heard]:
        """Workers heard of since a time."""
        ...

    # Erasing

    def begin_erasure(self, name: str, subject: Subject, who: str, now: float) -> str:
        """Keep the tombstones of somebody, so that nothing of theirs arrives any more, and open an erasure under a new
        name, or find the one of theirs that was begun and not closed; gives its name."""
        ...

    def erase(self, name: str, subject: Subject, now: float, most: int = 1000) -> bool:
        """Erase at most so many requests of somebody, with all that hangs on them, their trends included; say whether
        there is more to be done. The last step takes back what they said of others' requests, and what waits."""
        ...

    def count_erased(self, name: str, parts: Mapping[str, int]) -> None:
        """Add to an erasure what went elsewhere, by part."""
        ...

    def tally(self, name: str) -> tuple[dict[str, int], list[Day]]:
        """What an erasure removed so far: by part, and by flow and day."""
        ...

    def close_erasure(self, name: str, receipt: bytes) -> None:
        """Keep the receipt (JSON) of an erasure that is done."""
        ...

    def erasures(self) -> list[Erasure]:
        """Every erasure, the newest first."""
        ...

    def erased(self, since: float, until: float) -> list[Day]:
        """What was erased of the days of a window, by flow and day."""
        ...

    def scrub(self, patience_s: float = 60.0) -> bool:
        """See to it that nothing of what was deleted is left in the store's files, and whether that could be done; it
        takes as long as a copy of the store does, and nobody can write meanwhile."""
        ...

    def bury(self, stones: Iterable[Tombstone]) -> int:
        """Keep tombstones, and say how many are new."""
        ...

    def tombstones(self) -> list[Tombstone]:
        """All tombstones, the oldest first."""
        ...

    def tombstone_count(self) -> int:
        """How many tombstones there are."""
        ...

    def buried(self, marks: Iterable[str]) -> set[str]:
        """Which of some digests there are tombstones of."""
        ...

    def meant(self, stones: Iterable[Tombstone]) -> list[Subject]:
        """Whom of those that are stored some tombstones mean."""
        ...

    def belonging(self, subject: Subject, after: int, most: int) -> tuple[list[Row], int]:
        """The next requests of somebody after a number, and the number to go on after: 0 when these were the last."""
        ...

    def said_elsewhere(self, subject: Subject) -> list[tuple[int, str]]:
        """Requests, by number, of which a user said something, and the name that the user has there."""
        ...

    def waiting(self, subject: Subject) -> list[Said]:
        """Feedback of somebody that waits for its request."""
        ...

    def user_keys(self) -> set[str]:
        """Tags of the keys that ids of users in here were hashed with (`core.people.tag_of`)."""
        ...

    def note(self, at: float, who: str, action: str, what: str) -> None:
        """Add a line to the audit: who did what, and to what."""
        ...

    def audit(self, since: float, most: int) -> list[Audited]:
        """The newest lines of the audit from a time on, at most so many, newest first."""
        ...

    def audited(self, *, before: int = 0, most: int = 48, reads: bool = False) -> list[Audited]:
        """Lines of the audit, those that were noted last first, of those before a number (0: from the newest on);
        those that say that something was read are there with `reads` alone."""
        ...

    def counts(self) -> Counts:
        """What is in here."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
