"""Back-fills as a store has them, and which workers may do them."""

from collections.abc import Mapping
from typing import Literal, Protocol

from msgspec import Struct

from gatewatch.core.rates import Rule
from gatewatch.store.rows import Plan, Row

BackfillState = Literal["running", "stopped", "done"]


class Backfill(Struct, frozen=True):
    """A scorer of one fingerprint over the requests of a flow that are numbered `first` to `last`, by `rules`.

    It decided on all up to `planned`, which `made` so many tasks, of which `done` have their score. `most` is its
    budget in US dollars, None for no limit; `reason` says why it was stopped.
    """

    id: int
    flow: str
    scorer: str
    fingerprint: str
    work: int
    state: BackfillState
    reason: str
    author: str
    at: float
    rules: tuple[Rule, ...]
    first: int
    last: int
    planned: int
    made: int
    done: int
    most: float | None = None

    @property
    def budget(self) -> str:
        """The name of the budget that its money is counted in."""
        return f"backfill:{self.id}"

    @property
    def share(self) -> float:
        """How much of its range is decided on, 0..1."""
        return (self.planned - self.first + 1) / max(1, self.last - self.first + 1)


class Unfilled(Struct, frozen=True):
    """Requests of a range, in order, up to the one numbered `through`: all of them are held, or the hold of all is over
    (`stored`). Those that are `there` have a score or a task of the work. `thinned` is up to where holds are over."""

    rows: tuple[Row, ...]
    through: int
    there: frozenset[int]
    stored: bool
    thinned: int


class Heard(Struct, frozen=True):
    """A worker that was heard of: when last, what it said, and the fingerprints of the scorers that it knows."""

    at: float
    note: str = ""
    scorers: Mapping[str, str] = {}


class Filling(Protocol):
    """What every store can do of back-fills."""

    def numbered(self, since: float, until: float) -> tuple[int, int]:
        """The first and the last number of the requests that arrived in a window; there are none where the last is
        less than the first."""
        ...

    def begin_backfill(
        self,
        work: int,
        rules: tuple[Rule, ...],
        numbers: tuple[int, int],
        *,
        author: str,
        now: float,
        most: float | None = None,
    ) -> Backfill:
        """Begin to score the requests of a work's flow that are numbered from the first to the last, by rules that
        are never changed, for US dollars up to `most`."""
        ...

    def backfills(self, *, running: bool = False) -> list[Backfill]:
        """Every back-fill there was, oldest first, or those that are running."""
        ...

    def undone(self, backfill: int) -> dict[str, int]:
        """How many tasks of a back-fill have no score, by state."""
        ...

    def unfilled(self, flow: str, scorer: str, fingerprint: str, numbers: tuple[int, int], most: int) -> Unfilled:
        """The next requests of a flow among those numbered from the first to the last of two, at most so many, as
        they are to a scorer."""
        ...

    def fill(self, backfill: int, plan: Plan) -> int:
        """Keep a decision on the next requests of a back-fill, and say how many tasks are new.

        Its `read_at` is (`planned` of the back-fill, `thinned` of what was read). Nothing is kept where another worker
        was quicker, the hold of some of these requests ended meanwhile, or the back-fill is not running."""
        ...

    def turn_backfill(
        self, backfill: int, state: BackfillState, *, now: float, reason: str = "", most: float | None = None
    ) -> bool:
        """Stop one that is running, say that it is done, or go on with one that was stopped (with another budget,
        where one is given); say whether that changed anything. One that is in this state already gets
        the budget. Tasks of one that is not running are not leased."""
        ...
