"""Erasure: whose data is to go, and the tombstones that keep it from coming back.

A tombstone is a digest, so that a list of them names nobody to whoever does not know the name already. It stands for a
user or a session, and for what went with them: their requests (`trace` for those of a user, `turn` for those of a
session) and the application's own names for these (`name`).
"""

from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Any, Literal

from msgspec import Struct

_SPAN = 16
"""Hex digits of a span's id."""

Kind = Literal["user", "session", "trace", "turn", "name"]


def mark_of(kind: Kind, *parts: str) -> str:
    """The digest that stands for a name of some kind, 32 hex digits. A session may be told of one flow, or of any."""
    data = "".join(f"{len(part)}:{part}" for part in (kind, *parts)).encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=16).hexdigest()


def base_of(trace: str) -> str:
    """The id of a trace, from that of one of several services' requests under it (`ID-SPAN_ID`) or from its own."""
    head, _, tail = trace.rpartition("-")
    return head if head and len(tail) == _SPAN else trace


class Tombstone(Struct, frozen=True):
    """What stays out: a digest, of what kind of name, and since when, in seconds since the epoch."""

    mark: str
    kind: Kind
    at: float


class Subject(Struct, frozen=True):
    """Whose data is meant: a user by every name that they are stored under, or a session, of one flow or of any."""

    kind: Literal["user", "session"]
    names: tuple[str, ...]
    flow: str = ""

    @property
    def marks(self) -> tuple[str, ...]:
        """The digests that stand for it, in order."""
        place = (self.flow,) if self.flow else ()
        return tuple(sorted({mark_of(self.kind, *place, name) for name in self.names}))


class Whose(Struct, frozen=True):
    """By what a request or a piece of feedback is known to be somebody's. `trace` is the id of the request, whichever
    of the two it is; `external_id` counts for feedback alone."""

    trace: str = ""
    user: str = ""
    session: str = ""
    flow: str = ""
    external_id: str = ""

    @property
    def marks(self) -> tuple[str, ...]:
        """Every tombstone that might be meant for it."""
        found = [mark_of("trace", self.trace), mark_of("turn", self.trace)] if self.trace else []
        if self.user:
            found.append(mark_of("user", self.user))
        if self.session:
            found += [mark_of("session", self.session), mark_of("session", self.flow, self.session)]
        if self.external_id:
            found.append(mark_of("name", self.external_id))
        return tuple(found)

    def is_of(self, buried: Collection[str]) -> bool:
        """Whether it says itself that it is of somebody who was erased."""
        if self.user and mark_of("user", self.user) in buried:
            return True
        named = (mark_of("session", self.session), mark_of("session", self.flow, self.session))
        return bool(self.session) and any(mark in buried for mark in named)

    def request_gone(self, buried: Collection[str]) -> bool:
        """Whether a request is to stay out: it is of somebody erased, or it is a part of an erased request and names
        nobody else."""
        if self.is_of(buried):
            return True
        of_user = not self.user and mark_of("trace", self.trace) in buried
        return of_user or (not self.session and mark_of("turn", self.trace) in buried)

    def feedback_gone(self, buried: Collection[str]) -> bool:
        """Whether feedback that finds no request is to stay out: it is of somebody erased, or about what was."""
        return any(mark in buried for mark in self.marks)


class Day(Struct, frozen=True):
    """What was erased of a flow's day: the day's start in seconds since the epoch, and how much of it."""

    flow: str
    day: float
    requests: int
    scores: int


class Line(Struct, frozen=True):
    """A line of a file of the project."""

    file: str
    line: int


class Receipt(Struct, frozen=True, kw_only=True):
    """What an erasure did. It names the person by digests alone.

    `counts` says how much went, by part. `changed` are lines that were taken out of label files; `look_at` are lines
    that were left as they are, and that people should look at; `runs` are those that were pushed to the store and speak
    of them, left too. `left` says what could not be done, and what to do.
    """

    kind: Literal["gatewatch.erasure"] = "gatewatch.erasure"
    version: int = 1
    id: str
    at: str
    who: str
    subject: Literal["user", "session"]
    marks: tuple[str, ...]
    flow: str = ""
    counts: Mapping[str, int] = {}
    days: tuple[Day, ...] = ()
    changed: tuple[Line, ...] = ()
    look_at: tuple[Line, ...] = ()
    runs: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class Erasure(Struct, frozen=True):
    """An erasure as a store keeps it; `receipt` is None while it is under way."""

    id: str
    at: float
    who: str
    subject: Literal["user", "session"]
    marks: tuple[str, ...]
    receipt: dict[str, Any] | None = None
