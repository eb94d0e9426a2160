"""The store over a database that speaks SQL: SQLite's file, or PostgreSQL's schema."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from gatewatch.core.erasure import Day, Erasure, Subject, Tombstone
from gatewatch.core.rates import Epoch
from gatewatch.core.score import Source
from gatewatch.store import (
    arriving,
    audit,
    erasure,
    housekeeping,
    planning,
    reading,
    receipts,
    rollups,
    schema,
    scores,
    spending,
    staging,
    tasks,
    tombstones,
    uploads,
)
from gatewatch.store.audit import Audited
from gatewatch.store.backfill import SQLFilling
from gatewatch.store.canary import SQLCanaries
from gatewatch.store.counts import Counts
from gatewatch.store.database import Database
from gatewatch.store.filling import Heard
from gatewatch.store.loops import SQLLooping
from gatewatch.store.rows import (
    Arrivals,
    Expired,
    Gathered,
    KeptScore,
    Leased,
    Piece,
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
    Work,
)
from gatewatch.store.uploads import Begun, KeptRun, Upload
from gatewatch.store.values import SQLTalking
from gatewatch.store.waiting import ROOM
from gatewatch.store.watches import SQLWatching


class SQLStore(SQLFilling, SQLTalking, SQLWatching, SQLCanaries, SQLLooping):
    """A `Store` in a database; threads may share it."""

    def __init__(self, db: Database) -> None:
        try:
            schema.ready(db)
        except BaseException:
            db.close()
            raise
        self._db = db

    # Arriving

    def take_in(self, arrivals: Arrivals, now: float) -> TakenIn:
        """See `Store`."""
        return arriving.take_in(self._db, arrivals, now)

    def taken(self, segment: str) -> int:
        """See `Store`."""
        return arriving.taken(self._db, segment)

    def forget(self, segment: str) -> None:
        """See `Store`."""
        self._db.execute("DELETE FROM segment WHERE name = ?", segment)

    # Spans

    def stage(self, pieces: Sequence[Piece], now: float) -> int:
        """See `Store`."""
        return staging.stage(self._db, pieces, now)

    def gathered(
        self,
        rooted_before: float,
        rest_before: float,
        most: int,
        room: int = ROOM,
        shortened: Callable[[bytes], bytes] = bytes,
    ) -> list[Gathered]:
        """See `Store`."""
        return staging.gathered(self._db, rooted_before, rest_before, most, room, shortened)

    def forget_spans(self, close_before: float, delete_before: float, most: int) -> int:
        """See `Store`."""
        return staging.forget(self._db, close_before, delete_before, most)

    # Planning

    def work(
        self, flow: str, scorer: str, fingerprint: str, source: Source, sessions_since: float | None = None
    ) -> Work:
        """See `Store`."""
        return planning.work(self._db, flow, scorer, fingerprint, source, sessions_since)

    def unplanned(self, work: Work, most: int) -> Unplanned:
        """See `Store`."""
        return planning.unplanned(self._db, work, most)

    def epochs(self, work: int, first: int, last: int) -> list[Epoch]:
        """See `Store`."""
        return planning.epochs(self._db, work, first, last)

    def plan(self, work: int, plan: Plan) -> int:
        """See `Store`."""
        return planning.plan(self._db, work, plan)

    def rewind(self, work: int, sessions_since: float | None = None) -> None:
        """See `Store`."""
        planning.rewind(self._db, work, sessions_since)

    def ended(self, flow: str, before: float, most: int, after: int = 0) -> list[Session]:
        """See `Store`."""
        return planning.ended(self._db, flow, before, most, after)

    def find_session(self, flow: str, session: str) -> Session | None:
        """See `Store`."""
        return planning.find_session(self._db, flow, session)

    def plan_session(self, session: Session, tasks: Sequence[tuple[int, float, float]]) -> None:
        """See `Store`."""
        planning.plan_session(self._db, session, tasks)

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
        """See `Store`."""
        return tasks.lease(self._db, works, owner, most, now, until, backfills=backfills, suspects=suspects, turn=turn)

    def suspects(self, works: Iterable[int], now: float, backfills: Iterable[int] = ()) -> int:
        """See `Store`."""
        return tasks.suspects(self._db, works, now, backfills)

    def extend(self, owner: str, tasks_: Iterable[int], until: float) -> None:
        """See `Store`."""
        tasks.extend(self._db, owner, tasks_, until)

    def reserve(self, budget: str, limit: float, amount: float, task: int) -> bool:
        """See `Store`."""
        return tasks.reserve(self._db, budget, limit, amount, task)

    def spent(self, budget: str) -> tuple[float, float]:
        """See `Store`."""
        return tasks.spent(self._db, budget)

    def settle(self, settled: Iterable[Settled], now: float) -> int:
        """See `Store`."""
        return tasks.settle(self._db, settled, now)

    # Reading

    def find(self, name: str) -> Row | None:
        """See `Store`."""
        return reading.find(self._db, name)

    def payload(self, seq: int) -> bytes | None:
        """See `Store`."""
        return reading.payload(self._db, seq)

    def session(self, flow: str, session: str) -> list[Row]:
        """See `Store`."""
        return reading.session(self._db, flow, session)

    def scores(self, seq: int) -> list[KeptScore]:
        """See `Store`."""
        return scores.of_request(self._db, seq)

    def tasks(self, seq: int) -> list[TaskRow]:
        """See `Store`."""
        return reading.tasks(self._db, seq)

    def works(self) -> list[Work]:
        """See `Store`."""
        return planning.works(self._db)

    def flows(self) -> list[str]:
        """See `Store`."""
        return reading.all_flows(self._db)

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
        """See `Store`."""
        return reading.latest(self._db, flow, slice_=slice, marks=marks, since=since, before=before, most=most)

    def happened(
        self, work: Work, numbers: tuple[int, int], since: float, until: float, *, never_kept: bool = False
    ) -> bool:
        """See `Store`."""
        return reading.happened(self._db, work, numbers, since, until, never_kept=never_kept)

    def signals(self, flow: str, tier: Tier, since: float, until: float) -> list[SignalCell]:
        """See `Store`."""
        return rollups.signals(self._db, flow, tier, since, until)

    def cells(self, flow: str, tier: Tier, since: float, until: float) -> list[ScoreCell]:
        """See `Store`."""
        return rollups.cells(self._db, flow, tier, since, until)

    def unsettled(self, flow: str, since: float, until: float, *, finely: bool = False) -> list[Unsettled]:
        """See `Store`."""
        return reading.unsettled(self._db, flow, since, until, finely=finely)

    def spend(self, since: float, until: float) -> list[SpendCell]:
        """See `Store`."""
        return spending.spend(self._db, since, until)

    # Runs that were pushed here

    def begin_upload(self, upload: Upload, now: float) -> Begun:
        """See `Store`."""
        return uploads.begin(self._db, upload, now)

    def put_part(self, run: str, digest: str, part: int, body: bytes) -> None:
        """See `Store`."""
        uploads.put(self._db, run, digest, part, body)

    def finish_upload(self, run: str, digest: str, now: float) -> KeptRun:
        """See `Store`."""
        return uploads.finish(self._db, run, digest, now)

    def runs(self, suite: str = "", *, since: float = 0.0, most: int = 50) -> list[KeptRun]:
        """See `Store`."""
        return uploads.runs(self._db, suite, since, most)

    def run(self, run: str) -> KeptRun | None:
        """See `Store`."""
        return uploads.find(self._db, run)

    def run_part(self, run: KeptRun, part: int) -> bytes:
        """See `Store`."""
        return uploads.part(self._db, run, part)

    def run_names(self) -> list[str]:
        """See `Store`."""
        return uploads.names(self._db)

    def forget_run(self, run: str) -> bool:
        """See `Store`."""
        return uploads.forget(self._db, run)

    # Keeping house

    def held(self, before: float, most: int) -> list[Row]:
        """See `Store`."""
        return housekeeping.held(self._db, before, most)

    def thin(self, decided: Sequence[Thinned], enough: int | None = None) -> int:
        """See `Store`."""
        return housekeeping.thin(self._db, decided, enough)

    def let_go(self, enough: int, most: int) -> int:
        """See `Store`."""
        return housekeeping.let_go(self._db, enough, most)

    def expire(self, traces_before: float, parked_before: float, tasks_before: float) -> Expired:
        """See `Store`."""
        return housekeeping.expire(self._db, traces_before, parked_before, tasks_before)

    def payload_bytes(self) -> int:
        """See `Store`."""
        return housekeeping.payload_bytes(self._db)

    def heartbeat(self, worker: str, now: float, note: str = "", scorers: Mapping[str, str] | None = None) -> None:
        """See `Store`."""
        housekeeping.heartbeat(self._db, worker, now, note, scorers or {})

    def workers(self, since: float) -> dict[str, Heard]:
        """See `Store`."""
        return housekeeping.workers(self._db, since)

    # Erasing

    def begin_erasure(self, name: str, subject: Subject, who: str, now: float) -> str:
        """See `Store`."""
        return erasure.begin(self._db, name, subject, who, now)

    def erase(self, name: str, subject: Subject, now: float, most: int = 1000) -> bool:
        """See `Store`."""
        return erasure.step(self._db, name, subject, now, most)

    def count_erased(self, name: str, parts: Mapping[str, int]) -> None:
        """See `Store`."""
        receipts.count(self._db, name, parts)

    def tally(self, name: str) -> tuple[dict[str, int], list[Day]]:
        """See `Store`."""
        return receipts.tally(self._db, name)

    def close_erasure(self, name: str, receipt: bytes) -> None:
        """See `Store`."""
        receipts.close(self._db, name, receipt)

    def erasures(self) -> list[Erasure]:
        """See `Store`."""
        return receipts.kept(self._db)

    def erased(self, since: float, until: float) -> list[Day]:
        """See `Store`."""
        return receipts.of_window(self._db, since, until)

    def scrub(self, patience_s: float = 60.0) -> bool:
        """See `Store`."""
        return self._db.scrub(patience_s)

    def bury(self, stones: Iterable[Tombstone]) -> int:
        """See `Store`."""
        with self._db.transaction():
            return tombstones.bury(self._db, stones)

    def tombstones(self) -> list[Tombstone]:
        """See `Store`."""
        return tombstones.every(self._db)

    def tombstone_count(self) -> int:
        """See `Store`."""
        return tombstones.number(self._db)

    def buried(self, marks: Iterable[str]) -> set[str]:
        """See `Store`."""
        return tombstones.buried(self._db, marks)

    def meant(self, stones: Iterable[Tombstone]) -> list[Subject]:
        """See `Store`."""
        return erasure.resolved(self._db, stones)

    def belonging(self, subject: Subject, after: int, most: int) -> tuple[list[Row], int]:
        """See `Store`."""
        return erasure.belonging(self._db, subject, after, most)

    def said_elsewhere(self, subject: Subject) -> list[tuple[int, str]]:
        """See `Store`."""
        return erasure.said_elsewhere(self._db, subject)

    def waiting(self, subject: Subject) -> list[Said]:
        """See `Store`."""
        return erasure.waiting(self._db, subject)

    def user_keys(self) -> set[str]:
        """See `Store`."""
        return reading.user_keys(self._db)

    def note(self, at: float, who: str, action: str, what: str) -> None:
        """See `Store`."""
        audit.note(self._db, at, who, action, what)

    def audit(self, since: float, most: int) -> list[Audited]:
        """See `Store`."""
        return audit.entries(self._db, since, most)

    def audited(self, *, before: int = 0, most: int = 48, reads: bool = False) -> list[Audited]:
        """See `Store`."""
        return audit.page(self._db, before=before, most=most, reads=reads)

    def counts(self) -> Counts:
        """See `Store`."""
        return housekeeping.counts(self._db)

    def close(self) -> None:
        """See `Store`."""
        self._db.close()
