"""The one seam between Gatewatch and where live traffic is kept: plain rows, and what every backend can do with them.

Times are in seconds since the epoch and are always given: a store has no clock of its own. Requests are numbered in the
order in which they arrived (`seq`), which is the order in which work is planned. Every method is one transaction: after
it returned, what it did is there, whatever is killed; when it raised, nothing of it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from gatewatch.core.rates import Epoch
from gatewatch.core.score import Score, Source
from gatewatch.core.trace import Trace

Tier = Literal["minute", "hour", "day"]
TIER_S: dict[Tier, int] = {"minute": 60, "hour": 3600, "day": 86_400}
"""How long a bucket of each tier is, in seconds; buckets begin at whole multiples since the epoch."""

Payload = Literal["held", "kept", "gone", "none"]
"""Of a request's input, output and spans: within the hold window; kept beyond it; let go; never captured."""

TaskState = Literal["waiting", "leased", "failed", "over_budget", "no_payload", "expired"]


# What arrives


class Spent(Struct, frozen=True):
    """What one model's calls within a request took: US dollars (None: unknown) and tokens."""

    model: str
    calls: int = 1
    cost: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0


class Arrival(Struct, frozen=True):
    """A request to be kept. `trace` gives the columns, `payload` (JSON, empty for signals only) is what scorers will
    look at; `at` is when it happened, by a clock that can be trusted; `u` is the number that sampling decides by."""

    trace: Trace
    payload: bytes
    at: float
    u: float
    marks: int = 0
    spent: tuple[Spent, ...] = ()


class Said(Struct, frozen=True):
    """Feedback to be kept: the marks that it sets, and its scores. `id` makes it one, however often it arrives; it
    names its request by trace id or by external id."""

    id: str
    at: float
    trace: str = ""
    external_id: str = ""
    marks: int = 0
    scores: tuple[Score, ...] = ()
    author: str = ""


class Arrivals(Struct, frozen=True):
    """What is taken in at once. `offset` is how far `segment` has been read with it; `losses` counts what capture
    dropped, or what was damaged, by reason."""

    traces: tuple[Arrival, ...] = ()
    said: tuple[Said, ...] = ()
    losses: Mapping[str, int] = {}
    segment: str = ""
    offset: int = 0


class TakenIn(Struct, frozen=True):
    """What became of arrivals: new requests, ones that were there already, feedback that found its request, and feedback
    that waits for one."""

    traces: int = 0
    repeated: int = 0
    said: int = 0
    parked: int = 0


# What is there


class Row(Struct, frozen=True):
    """A request without its payload. `late` are marks that came after payloads of its age had been thinned; `kept` is
    the probability with which its payload outlived that, None while it is held. `cost` is in US dollars."""

    seq: int
    id: str
    at: float
    received: float
    flow: str
    session: str = ""
    slice: str = ""
    variant: str = ""
    tags: tuple[str, ...] = ()
    user: str = ""
    external_id: str = ""
    u: float = 0.0
    latency_s: float | None = None
    first_token_s: float | None = None
    cost: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: Literal["", "error", "timeout"] = ""
    marks: int = 0
    late: int = 0
    kept: float | None = None
    payload: Payload = "none"


class KeptScore(Struct, frozen=True):
    """A score of a stored request: who said it, when, and with what probability it came to be said."""

    score: Score
    author: str
    at: float
    pi: float = 1.0


class Session(Struct, frozen=True):
    """A conversation: the number of its first request, when its last turn began, and how many it has."""

    flow: str
    id: str
    first: int
    last_at: float
    turns: int


# Work


class Work(Struct, frozen=True):
    """One scorer on one flow, and how far its work is planned: all requests up to `planned`, and all changes of marks up
    to `changes`."""

    id: int
    flow: str
    scorer: str
    fingerprint: str
    source: Source
    planned: int
    changes: int


class Unplanned(Struct, frozen=True):
    """Requests whose sampling is to be decided: new ones, and ones decided before whose marks changed since."""

    new: tuple[Row, ...] = ()
    changed: tuple[Row, ...] = ()
    through: int = 0
    changes: int = 0


class Plan(Struct, frozen=True):
    """What was decided for a work. `tasks` are (seq, due, pi); `moved` are (seq, pi): where the probability of a request
    that has a score, or a task, is now another."""

    tasks: tuple[tuple[int, float, float], ...] = ()
    moved: tuple[tuple[int, float], ...] = ()
    epoch: Epoch | None = None
    through: int = 0
    changes: int = 0


class Leased(Struct, frozen=True):
    """A task that a worker has for a while. `attempt` counts from 1 and makes its lease one of a kind."""

    task: int
    work: int
    row: Row
    attempt: int
    pi: float
    payload: bytes | None = None


class Settled(Struct, frozen=True):
    """What became of a leased task: a score, another try at `retry_at`, or a state in which it stays, with its reason.
    `reserved` is what was set aside for it in `budget`, in US dollars; the score's own cost is what it came to."""

    task: int
    attempt: int
    score: Score | None = None
    author: str = ""
    retry_at: float | None = None
    state: TaskState = "waiting"
    reason: str = ""
    budget: str = ""
    reserved: float = 0.0


class TaskRow(Struct, frozen=True):
    """A task that is not done: what it waits for, or why it was given up."""

    scorer: str
    fingerprint: str
    state: TaskState
    due: float
    attempts: int
    pi: float
    reason: str = ""
    owner: str = ""


# Trends


class SignalCell(Struct, frozen=True):
    """Operational signals of one bucket: counts and sums over every request, none left out.

    `latency` and `first_token` are histograms: from a bin (see `store.bins`) to how many. `marks` counts by mark's bit.
    """

    bucket: float
    slice: str
    variant: str
    n: int = 0
    errors: int = 0
    timeouts: int = 0
    cost: float = 0.0
    unknown_cost: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    latency: dict[int, int] = {}
    first_token: dict[int, int] = {}
    marks: dict[int, int] = {}


class ScoreCell(Struct, frozen=True):
    """Scores of one bucket that were said with one probability: their number, sum and sum of squares. `unknown` counts scorer errors and `skipped` what had nothing to say."""

    bucket: float
    slice: str
    variant: str
    scorer: str
    fingerprint: str
    source: Source
    pi: float
    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    unknown: int = 0
    skipped: int = 0


class Value(Struct, frozen=True):
    """One value of a scorer, with what its weight and its cluster are known by."""

    at: float
    cluster: str
    slice: str
    pi: float
    value: float


class SpendCell(Struct, frozen=True):
    """Money of one day: `kind` is "task" (the application's models) or "judge". `cost` leaves out `unknown` calls."""

    day: float
    kind: Literal["task", "judge"]
    flow: str
    scorer: str
    model: str
    calls: int = 0
    cost: float = 0.0
    unknown: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Counts(Struct, frozen=True):
    """What a store has in it, and how large it is."""

    traces: int = 0
    payloads: int = 0
    payload_bytes: int = 0
    scores: int = 0
    tasks: Mapping[str, int] = {}
    parked: int = 0
    losses: Mapping[str, int] = {}
    file_bytes: int = 0
    schema: int = 0


class Store(Protocol):
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

    def work(self, flow: str, scorer: str, fingerprint: str, source: Source) -> Work:
        """The work of a scorer on a flow. A new one begins with the oldest request whose payload is still held."""
        ...

    def unplanned(self, work: Work, most: int) -> Unplanned:
        """The next requests that a work has not decided on, at most so many of each kind."""
        ...

    def epochs(self, work: int, first: int, last: int) -> list[Epoch]:
        """The rules that were in force for any of some requests."""
        ...

    def plan(self, work: int, plan: Plan) -> int:
        """Keep a decision, and say how many tasks are new: one that is there, or has its score, is not made again."""
        ...

    def rewind(self, work: int) -> None:
        """Plan a work anew from the oldest request whose payload is still held, since its rules changed."""
        ...

    def ended(self, flow: str, before: float, most: int) -> list[Session]:
        """Sessions whose last turn began before a time, and that have turns which were not planned as a session."""
        ...

    def plan_session(self, session: Session, tasks: Sequence[tuple[int, float, float]]) -> None:
        """Make tasks (work, due, pi) for a session, at its first request; one whose score is of fewer turns is done
        again, and the new score takes the place of the old."""
        ...

    # Doing

    def lease(self, works: Iterable[int], owner: str, most: int, now: float, until: float) -> list[Leased]:
        """Tasks that are due, or whose lease has run out, for one worker until a time; with payloads where there are."""
        ...

    def extend(self, owner: str, tasks: Iterable[int], until: float) -> None:
        """Keep leased tasks for longer."""
        ...

    def reserve(self, budget: str, limit: float, amount: float) -> bool:
        """Set money aside, if what is spent and set aside stays within a limit; `budget` names a budget and its day."""
        ...

    def spent(self, budget: str) -> tuple[float, float]:
        """What was spent of a budget, and what is set aside, in US dollars."""
        ...

    def settle(self, settled: Iterable[Settled], now: float) -> int:
        """Keep what became of leased tasks, and say of how many: one whose lease another worker has is left alone."""
        ...

    # Reading

    def find(self, name: str) -> Row | None:
        """A request by its trace id or, failing that, the newest by external id."""
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
        """The newest requests first: of a flow, a slice, with any of some marks; `before` a number, for the next page."""
        ...

    def signals(self, flow: str, tier: Tier, since: float, until: float) -> list[SignalCell]:
        """Operational signals by bucket."""
        ...

    def cells(self, flow: str, tier: Tier, since: float, until: float) -> list[ScoreCell]:
        """Sums of scores by bucket."""
        ...

    def values(self, flow: str, scorer: str, fingerprint: str, since: float, until: float, most: int) -> list[Value]:
        """The newest values of a scorer, at most so many, newest first."""
        ...

    def unsettled(self, flow: str, since: float, until: float) -> list[tuple[float, str, TaskState, int]]:
        """Work that is not done on the requests of a window: (hour's bucket, scorer, state, how many)."""
        ...

    def spend(self, since: float, until: float) -> list[SpendCell]:
        """Money by day, flow, scorer and model."""
        ...

    # Keeping house

    def held(self, before: float, most: int) -> list[Row]:
        """The oldest requests whose payloads are held, and that were received before a time."""
        ...

    def thin(self, through: int, kept: Mapping[int, float], gone: Iterable[int]) -> None:
        """End the hold of the requests numbered up to `through`: each outlived it with a probability, and the payloads
        of some are gone. What waited for one of those becomes `no_payload`."""
        ...

    def expire(self, traces_before: float, parked_before: float, tasks_before: float) -> dict[str, int]:
        """Delete requests that happened before a time, with all that hangs on them but the trends; let go of feedback
        that found no request; give up work that waited too long. Says how many of each."""
        ...

    def payload_bytes(self) -> int:
        """How much room payloads take."""
        ...

    def heartbeat(self, worker: str, now: float, note: str = "") -> None:
        """A worker says that it is at work."""
        ...

    def workers(self, since: float) -> dict[str, tuple[float, str]]:
        """Workers heard of since a time: when last, and what they said."""
        ...

    def counts(self) -> Counts:
        """What is in here."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...
