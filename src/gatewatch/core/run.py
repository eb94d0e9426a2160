"""A run as it is kept: a header, then rows, then how it ended. Plain data; the journal writes and reads it."""

import hashlib
import re
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.case import Expected, Open, Tier
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace

RUN_KIND = "gatewatch.run"
RUN_VERSION = 1
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
"""What a run may be called: it names files."""

Ending = Literal["complete", "partial", "broken"]
Purpose = Literal["", "flips", "trials", "rescore", "calibrate"]
"""Why a run was made: for itself, to try again what fell, for more trials of another run's cases, to score again, to
ask a scorer about outputs that people labelled."""


class DatasetRef(Struct, frozen=True, omit_defaults=True):
    """Which dataset a run went over: its path, the hash of its content, and how many cases were chosen.

    `tier` and `limit` say how the cases were chosen, when not all were.
    """

    path: str
    version: str
    cases: int
    tier: Tier | None = None
    limit: int | None = None


class ScorerRef(Struct, frozen=True, omit_defaults=True):
    """A scorer as a run used it: its fingerprint, the parts that the fingerprint is made of, and its pass mark."""

    fingerprint: str
    source: str = "rule"
    parts: dict[str, str] = {}
    pass_at: float | None = None


class RunHeader(Struct, frozen=True, kw_only=True):
    """What a run is a run of. Everything that must be the same for it to be resumed.

    `prices` has, for each model in use, the prices at which it was counted and where they come from. `fresh` says that
    no reply came from the reply cache. `purpose` is why the run was made, where it is not a whole run of its suite, and
    `of` the run that it belongs to.
    """

    kind: str = RUN_KIND
    version: int = RUN_VERSION
    run: str
    name: str = ""
    suite: str = ""
    task: str
    components: dict[str, str] = {}
    dataset: DatasetRef
    scorers: dict[str, ScorerRef]
    trials: int = 1
    seed: int = 0
    started: str = ""
    prices: dict[str, dict[str, Any]] = {}
    fresh: bool = False
    purpose: Purpose = ""
    of: str = ""

    @property
    def independent(self) -> bool:
        """Whether its outcomes are its own, rather than replies of models that may have been another run's."""
        return self.fresh or not self.prices


class Row(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One trial of one case: the trace that the task made, and what each scorer said of it.

    A row may be written in pieces: the trace with the scores that were ready at once, and in `awaits` the names of
    those that were not; then, under the same case and trial, each score that took longer. `merged` puts them
    together.
    """

    case: str
    trial: int = 0
    hash: str = ""
    slice: str = ""
    cluster: str = ""
    must_pass: bool = False
    open: Open | None = None
    expected: str | Expected | None = None
    trace: Trace | None = None
    scores: dict[str, Score] = {}
    awaits: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the scores that are still to come."""
        return tuple(name for name in self.awaits if name not in self.scores)

    @property
    def complete(self) -> bool:
        """Whether every score that the row awaits is there."""
        return not self.awaits or not self.missing

    @property
    def key(self) -> tuple[str, int]:
        """What identifies the row within its run."""
        return self.case, self.trial


class RunEnd(Struct, frozen=True, omit_defaults=True):
    """How a run, or one stretch of a resumed run, ended."""

    state: Ending
    reason: str = ""
    at: str = ""
    seconds: float = 0.0
    pace: dict[str, Any] = {}


def merged(row: Row, later: Row) -> Row:
    """A row and a later piece of it as one; the later piece wins where both speak."""
    if later.trace is not None:
        return later
    return replace(row, scores={**row.scores, **later.scores}, notes=row.notes + later.notes)


def trace_id(run: str, case: str, trial: int) -> str:
    """The trace id (32 hex digits, as in W3C trace context) of one trial of a case: the same whenever it is asked."""
    return hashlib.blake2b(f"{run}\0{case}\0{trial}".encode(errors="surrogatepass"), digest_size=16).hexdigest()
