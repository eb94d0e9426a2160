"""What a store keeps for monitors: streams of conversations, how far they are folded, alerts, notices, markers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct

from gatewatch.core.score import Source
from gatewatch.core.watch import Alert, AlertState, Marker


class Stream(Struct, frozen=True):
    """What a monitor listens to: a scorer of one fingerprint, by one source, on a flow; or the signals of a flow
    (scorer ""). `state` is where folding its entries up to the one numbered `folded` led to, and `base` is where it led
    to at the one numbered `base_at`, from which it is folded anew when that has to be (`folded` is then `base_at`).
    The store does not look into them; they are empty at first. `told` is the largest number that it was ever folded up
    to: what is found in earlier ones, when they are folded anew, was told of before. `last` is the number of its last
    entry."""

    id: int
    flow: str
    scorer: str = ""
    fingerprint: str = ""
    source: Source | Literal[""] = ""
    state: bytes = b""
    folded: int = 0
    base: bytes = b""
    base_at: int = 0
    told: int = 0
    last: int = 0


class Entry(NamedTuple):
    """A conversation as it entered a stream. `number` orders the entries of a stream as they were committed; `seq` is
    its first request; `values` are the score, or the signals in the order of `core.watch.SIGNALS` (None: unknown).
    `sampled` says that chance alone chose it, and not that something was special about it."""

    number: int
    seq: int
    at: float
    slice: str
    variant: str
    version: str
    sampled: bool
    values: tuple[float | None, ...]
    traits: Mapping[str, str] = {}


class Turn(NamedTuple):
    """A request as monitors hear of it. `moved` is when it, or its session, was last heard of (seconds); `first` is the
    number of its session's first request, or its own."""

    seq: int
    first: int
    id: str
    at: float
    moved: float
    flow: str
    session: str
    slice: str
    variant: str
    version: str
    tags: tuple[str, ...]
    u: float
    cost: float | None
    marks: int
    error: str
    latency_s: float | None
    first_token_s: float | None
    output_tokens: int | None
    traits: Mapping[str, str]


class Fresh(NamedTuple):
    """A score that no monitor has looked at: `number` orders them as they were committed; `value` is None for a task
    that was given up, and for a scorer that failed or had nothing to say. `left` is how many tasks of the same scorer
    on the same conversation are still to be done. Of a session that has settled `value` is the mean over its turns,
    None only where none has one; of one that goes on (`turn.moved`) these are the one turn's own. `own` is what was
    said of this turn."""

    number: int
    work: int
    scorer: str
    fingerprint: str
    source: Source
    value: float | None
    left: int
    turn: Turn
    own: float | None = None


class Conversation(NamedTuple):
    """A conversation that has settled: its turns in the order in which they happened, and its scores by live work
    (work, value); `left` are works that have tasks on it that are still to be done."""

    turns: tuple[Turn, ...]
    scores: tuple[tuple[int, float], ...]
    left: frozenset[int]


class Unheard(Struct, frozen=True):
    """What no monitor has looked at, as much as was asked for. `read_at` is how many steps were kept until then,
    and how often conversations were taken away: what was read before that is out of date."""

    read_at: int
    fresh: tuple[Fresh, ...] = ()
    settled: tuple[Conversation, ...] = ()
    cursors: Mapping[str, tuple[int, int]] = {}
    """By flow, how far it was read: the number of the last request without a session, and the `moved` of the last
    session (microseconds)."""


class WatchStep(Struct, frozen=True, kw_only=True):
    """What a monitor makes of what it read: kept whole or not at all, and not if another was quicker (`read_at`).

    `entries` are (stream, entry); their numbers are given by the store, in this order. One whose conversation is in the
    stream already is left out. `states` are (stream, folded, state), `bases` (stream, base_at, base): entries numbered
    up to `base_at` that happened before `trim_before` are let go of. `alerts` are opened, or where one of the key is
    not resolved, brought up (see `Watching.keep`)."""

    read_at: int
    fresh_through: int = 0
    cursors: Mapping[str, tuple[int, int]] = {}
    entries: Sequence[tuple[int, Entry]] = ()
    states: Sequence[tuple[int, int, bytes]] = ()
    bases: Sequence[tuple[int, int, bytes]] = ()
    trim_before: float = 0.0
    alerts: Sequence[Alert] = ()
    resolved: Sequence[tuple[str, str]] = ()
    markers: Sequence[Marker] = ()


class Notice(Struct, frozen=True):
    """Word of an alert for one channel: what became of it (`event`) and the alert as it was then. `key` is its own
    for good, so that a receiver knows it again when it comes twice; `attempts` is how often it was leased."""

    id: int
    key: str
    to: str
    event: Literal["opened", "worse", "resolved"]
    alert: Alert
    attempts: int = 0


class Watching(Protocol):
    """What every store can do for monitors."""

    def stream(self, flow: str, scorer: str = "", fingerprint: str = "", source: Source | Literal[""] = "") -> Stream:
        """The stream of a scorer on a flow, or of the flow's signals; made where there is none."""
        ...

    def streams(self, flow: str = "") -> list[Stream]:
        """Every stream, or those of a flow."""
        ...

    def unheard(self, settled_before: Mapping[str, float], most: int) -> Unheard:
        """What no monitor has looked at: scores in the order in which they were committed, and, of each flow given,
        conversations last heard of before a time; at most so many of each."""
        ...

    def entries(self, stream: int, after: int, most: int) -> list[Entry]:
        """The entries of a stream numbered after one, in order."""
        ...

    def entered(self, stream: int, since: float, until: float) -> list[Entry]:
        """The entries of a stream whose conversations began in a window, in the order in which they entered."""
        ...

    def keep(self, step: WatchStep, now: float) -> bool:
        """Keep a step, and say whether that was done: it is not where another monitor kept one since `read_at`.

        An alert whose key has one that is not resolved brings that up: evidence, severity if it is graver, one more of
        `times`; else it is opened. Each that is opened, found graver, or resolved makes a notice for each of its `to`,
        unless it is `quiet` or snoozed; one that was `quiet` and is not any more is told of as opened, and one that
        nobody was told of is resolved in silence. `resolved` are (key, reason)."""
        ...

    def alerts(self, *, flow: str = "", every: bool = False, most: int = 100, before: int = 0) -> list[Alert]:
        """Alerts that are not resolved, or every one, newest first."""
        ...

    def alert(self, number: int) -> Alert | None:
        """An alert by its number."""
        ...

    def turn_alert(
        self, number: int, state: AlertState, *, who: str, reason: str, now: float, until: float | None = None
    ) -> Alert | None:
        """Acknowledge, snooze (until a time), resolve or open again an alert; give it as it is then, None where there
        is none. What was resolved is opened again only where no other of its key is open."""
        ...

    def notices(self, owner: str, now: float, until: float, most: int) -> list[Notice]:
        """Notices that are due, leased to one worker until a time."""
        ...

    def told(self, notice: int, now: float, *, retry_at: float | None = None, reason: str = "") -> None:
        """A notice was delivered; or is to be tried again at a time, and why."""
        ...

    def untold(self, most: int = 100) -> list[tuple[Notice, str]]:
        """Notices that are not delivered, with the reason of the last failure."""
        ...

    def mark(self, marker: Marker) -> Marker:
        """Keep a marker, and give it with its number; a component version that was `seen` before on the flow is not
        kept again."""
        ...

    def markers(self, flow: str = "", since: float = 0.0, until: float = 2**40, most: int = 1000) -> list[Marker]:
        """Markers of a window, of a flow and of all flows (those whose flow is ""), oldest first; of every flow where
        none is named. Where there are more than `most`, these are the newest."""
        ...

    def named(self, numbers: Iterable[int]) -> dict[int, str]:
        """The trace ids of some requests, by number, of those that are still there."""
        ...

    def newest(self, flows: Iterable[str]) -> dict[str, float]:
        """When a request of each flow was last received, where there is one."""
        ...
