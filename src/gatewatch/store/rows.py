"""What goes into a store and comes out of it: plain rows. Times are in seconds since the epoch, money in US dollars.

Requests are numbered in the order in which they arrived (`seq`), which is the order in which work is planned.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

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
    look at; `at` is when it happened, by a clock that can be trusted; `u` is the number that sampling decides by.
    `share`, in (0, 1], is the probability with which whatever sent it chose to send it (upstream head sampling).

    `traits` are what monitors tell apart of the input beside the slice: its language, which documents were retrieved.

    With `again` one that is there already, by the ids of trace and span, is amended where it says something else: what
    scorers said of it before is withdrawn, and it is scored anew. Requests made of spans have that."""

    trace: Trace
    payload: bytes
    at: float
    u: float
    marks: int = 0
    spent: tuple[Spent, ...] = ()
    share: float = 1.0
    again: bool = False
    traits: Mapping[str, str] = {}


class Piece(Struct, frozen=True):
    """A span, or a part of one that came by itself (a log record), which waits for the rest of its trace. The three ids
    make it one, however often it arrives. `root` says that with it the trace's root has ended."""

    trace: str
    span: str
    part: str
    root: bool
    body: bytes


class Gathered(Struct, frozen=True):
    """All the spans of a trace that has settled, but for `left_out` of them: their bodies, ordered by span and part.
    `moved` names this state of it."""

    trace: str
    moved: int
    bodies: tuple[bytes, ...]
    left_out: int = 0


class Said(Struct, frozen=True):
    """Feedback to be kept: the marks that it sets, and its scores. `id` makes it one, however often it arrives; it
    names its request by trace id or by external id. `pi` is the probability with which its scores came to be said; by
    default it is its request's share."""

    id: str
    at: float
    trace: str = ""
    external_id: str = ""
    marks: int = 0
    scores: tuple[Score, ...] = ()
    author: str = ""
    pi: float | None = None


class Arrivals(Struct, frozen=True):
    """What is taken in at once. `offset` is how far `segment` has been read with it; `losses` counts what capture
    dropped, or what was damaged, by reason. `begins`, where it is given, is how far the segment has to have been read
    before: with another nothing is taken in. `settled` are the gathered traces (id, `moved`) that these requests were
    made of."""

    traces: tuple[Arrival, ...] = ()
    said: tuple[Said, ...] = ()
    losses: Mapping[str, int] = {}
    segment: str = ""
    offset: int = 0
    begins: int | None = None
    settled: tuple[tuple[str, int], ...] = ()


class TakenIn(Struct, frozen=True):
    """What became of arrivals: new requests, ones that were there already, feedback that found its request, feedback
    that waits for one, and requests that were there and are amended; and how much was left out, since it is of somebody
    who was erased. `expected`, where it is given, is where the segment goes on: what came begins elsewhere, and nothing
    of it was taken in."""

    traces: int = 0
    repeated: int = 0
    said: int = 0
    parked: int = 0
    amended: int = 0
    erased: int = 0
    expected: int | None = None


# What is there


class Row(Struct, frozen=True):
    """A request without its payload. `late` are marks that came after payloads of its age had been thinned; `kept` is
    the probability with which its payload outlived that, None while it is held. `cost` is in US dollars. `share` is the
    probability with which it was sent at all, `traits` what is known of its input (see `Arrival`); `version` are the
    versions of its components in one line (`core.watch.version_label`)."""

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
    share: float = 1.0
    version: str = ""
    traits: Mapping[str, str] = {}


class Thinned(Struct, frozen=True):
    """What was decided on a request whose hold is over: with which probability its payload outlives it, and whether it
    is `gone`. `marks` are those that it was decided by."""

    seq: int
    marks: int
    kept: float
    gone: bool


class Expired(Struct, frozen=True):
    """How much was let go of, and whether there is more."""

    traces: int = 0
    parked: int = 0
    tasks: int = 0
    more: bool = False


class KeptScore(Struct, frozen=True):
    """A score of a stored request: who said it, when, and with what probability it came to be said."""

    score: Score
    author: str
    at: float
    pi: float = 1.0


class Session(Struct, frozen=True):
    """A conversation: the number of its first request, when its last turn began, and how many it has.

    `moved` is when it was last heard of, in microseconds since the epoch: it only grows, and does with every turn that
    arrives, late ones included.
    """

    flow: str
    id: str
    first: int
    last_at: float
    turns: int
    moved: int = 0


# Work


class Work(Struct, frozen=True):
    """One scorer on one flow, and how far its work is planned: all requests up to `planned`, and all changes of
    marks up to `changes`.

    `thinned` is the number up to which payloads are no longer held. A work `of_sessions` looks at whole ones: it is
    planned up to a session's `moved`, in the place of a request's number.
    """

    id: int
    flow: str
    scorer: str
    fingerprint: str
    source: Source
    planned: int
    changes: int
    thinned: int = 0
    of_sessions: bool = False


class Unplanned(Struct, frozen=True):
    """Requests whose sampling is to be decided: new ones, and ones decided before whose marks changed since."""

    new: tuple[Row, ...] = ()
    changed: tuple[Row, ...] = ()
    through: int = 0
    changes: int = 0


class Plan(Struct, frozen=True):
    """What was decided for a work. `tasks` are (seq, due, pi); `moved` are (seq, pi): where the probability of a
    request that has a score, or a task, is now another. `read_at` is how far the work was planned when this was decided
    (`planned`, `changes`): when it is further now, by another worker, the decision is out of date and not kept."""

    tasks: tuple[tuple[int, float, float], ...] = ()
    moved: tuple[tuple[int, float], ...] = ()
    epoch: Epoch | None = None
    through: int = 0
    changes: int = 0
    read_at: tuple[int, int] | None = None


class Leased(Struct, frozen=True):
    """A task that a worker has for a while. `attempt` counts from 1 and makes its lease one of a kind.

    `failures` counts tries that were settled as failed, of which `reason` is the last one's; `crashes` leases that ran
    out, since their worker died. `backfill` is the id of the back-fill that it is of, 0 for live work.
    """

    task: int
    work: int
    row: Row
    attempt: int
    pi: float
    payload: bytes | None = None
    failures: int = 0
    crashes: int = 0
    reason: str = ""
    backfill: int = 0


class Settled(Struct, frozen=True):
    """What became of a leased task: a score, another try at `retry_at`, or a state in which it stays, with its reason;
    none of these gives it back. A score beside `retry_at` or a state is not kept, but what it cost is counted.
    `budget` is the one that the cost counts in where nothing was set aside for the task. `counts` says whether a try
    that is to be made again was a failure of the task's own."""

    task: int
    attempt: int
    score: Score | None = None
    author: str = ""
    retry_at: float | None = None
    state: TaskState = "waiting"
    reason: str = ""
    budget: str = ""
    counts: bool = True


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


class Unsettled(NamedTuple):
    """How much of a work, or of one of its back-fills, is in one state, without a score, on the requests of an hour and
    a slice; of a variant and a version, where that was asked for."""

    bucket: float
    scorer: str
    fingerprint: str
    slice: str
    state: TaskState
    n: int
    backfill: int = 0
    variant: str = ""
    version: str = ""


class SignalCell(Struct, frozen=True):
    """Operational signals of one bucket: counts and sums over every request, none left out.

    `latency` and `first_token` are histograms: from a bin (see `store.bins`) to how many. `marks` counts by mark's bit.
    `share` is the probability with which these requests were sent (see `Arrival`): each stands for 1 / share.
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
    share: float = 1.0
    version: str = ""


class ScoreCell(Struct, frozen=True, gc=False):
    """Scores of one bucket that were said with one probability: their number, sum and sum of squares. `unknown` counts
    scorer errors, and `skipped` what had nothing to say."""

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
    version: str = ""


class Value(Struct, frozen=True):
    """One value of a scorer, with what its weight and its cluster are known by; `failed` says that the request did."""

    at: float
    cluster: str
    slice: str
    pi: float
    value: float
    variant: str = ""
    version: str = ""
    failed: bool = False


class SpendCell(Struct, frozen=True):
    """Money of one day: `kind` is "task" (the application's models) or "judge". `cost` leaves out `unknown` calls.
    `scores` is how many scores came of a judge's calls; it stands once, with the first model that made each."""

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
    scores: int = 0
