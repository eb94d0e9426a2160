"""The worker: takes in what was captured, decides what is to be scored, scores it, keeps it. Any number may run.

Nothing is handed from step to step in memory that could be forgotten: each step looks at what is stored, and a worker
that is killed leaves a lease behind that runs out. A score is kept once, however often it was made.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.errors import GatewatchError, StoreBusy, StoreError, StoreFull, said_by
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.threads import DaemonPool
from gatewatch.core.trace import Trace
from gatewatch.online.attempt import FIRST_RETRY_S, Attempts, Purse, days_purse
from gatewatch.online.backfill import fill
from gatewatch.online.chores import Chores
from gatewatch.online.graves import Graves
from gatewatch.online.housekeeping import Keeping
from gatewatch.online.ingest import Ingested, Ways, ingest
from gatewatch.online.monitor import Monitor, Watch
from gatewatch.online.notify import Telling
from gatewatch.online.outage import Breaker
from gatewatch.online.rescoring import Rescoring
from gatewatch.online.sample import Planner, cost_of, work_of
from gatewatch.online.sessions import told_by
from gatewatch.online.watch import Watcher
from gatewatch.store.base import Store
from gatewatch.store.filling import Backfill
from gatewatch.store.rows import Leased, Row, Said, Session, Settled
from gatewatch.store.sharing import Queue

_log = logging.getLogger("gatewatch")

ENDED = "ended"
"""What a worker says last."""
_IDLE_S = 0.25
_IDLE_ROUNDS = 4
_STORE_PAUSE_S = 1.0
_BEAT_S = 5.0
_AT_ONCE = 200
_MOST_ABANDONED = 4


class Done(Struct, frozen=True):
    """What a worker did: what it took in, how many decisions it made, how many tasks it settled, and with what."""

    ingested: Ingested = Ingested()
    planned: int = 0
    scored: int = 0
    put_off: int = 0
    given_up: int = 0

    def __add__(self, other: "Done") -> "Done":
        return Done(*(getattr(self, each) + getattr(other, each) for each in self.__struct_fields__))


class _Job(Struct, frozen=True):
    """What to do with the tasks of a queue: by which scorer, for what cost each (US dollars), and who pays."""

    watch: Watch
    cost: float
    payer: Monitor | Backfill

    def purse(self, now: float) -> Purse:
        """What pays for a score at a time."""
        if isinstance(self.payer, Monitor):
            return days_purse(self.payer, now)
        return Purse(self.payer.budget, self.payer.most, "back-fill's budget")


class Worker:
    """One worker over a store.

    Args:
        store: where requests and scores are kept.
        monitors: what is watched.
        spools: folders that capture writes to.
        ways: how requests are taken in.
        owner: a name of its own among the workers.
        clock: the time, in seconds since the epoch.
        concurrency: how many scores are waited for at once.
        scorer_timeout: seconds a scorer may take for one request.
        lease_s: seconds after which the tasks of a worker that is not heard of go to another.
        keeping: for how long things are kept.
        breakers: of the models that scorers ask, by name.
        find: gives what a back-fill's scorer is by its name, None where there is none: back-fills of just these
            versions are worked on.
        versions: fingerprints of the scorers that it knows, by name, to be told to others.
        graves: the project's list of what was erased, which the store is held against.
        watcher: looks whether anything changed.
        telling: tells of alerts.
    """

    def __init__(
        self,
        store: Store,
        monitors: Iterable[Monitor],
        *,
        spools: Iterable[Path],
        ways: Ways,
        owner: str,
        clock: Callable[[], float],
        concurrency: int = 32,
        scorer_timeout: float = 60.0,
        lease_s: float = 120.0,
        keeping: Keeping | None = None,
        breakers: dict[str, Breaker] | None = None,
        find: Callable[[str], Watch | None] = lambda _: None,
        versions: Mapping[str, str] | None = None,
        graves: Graves | None = None,
        watcher: Watcher | None = None,
        telling: Telling | None = None,
    ) -> None:
        self.store, self.monitors, self.spools, self.ways = store, tuple(monitors), tuple(spools), ways
        self.owner, self.clock, self.concurrency, self.lease_s = owner, clock, concurrency, lease_s
        self.breakers = {} if breakers is None else breakers
        self.planner = Planner(store, self._told_by)
        self.threads = DaemonPool(concurrency)
        self.attempts = Attempts(
            store=store, breakers=self.breakers, threads=self.threads, clock=clock, owner=owner, timeout=scorer_timeout
        )
        self.versions = dict(versions or {})
        self._find, self._found = find, dict[str, Watch | None]()
        self._watched: dict[int, _Job] = {}  # by work
        self._filling: dict[int, _Job] = {}  # by back-fill
        self._waiting: dict[asyncio.Task[Settled], tuple[Leased, _Job]] = {}
        self._settled: list[Settled] = []
        self._wake = asyncio.Event()
        canaries = Rescoring(store, self.attempts, lease_s=lease_s, wake=self._wake.set)
        self.chores = Chores(
            *(store, self.monitors, keeping or Keeping(), canaries), graves=graves, watcher=watcher, telling=telling
        )
        self._alone = False
        self._turn = 0
        self._failing = ""
        self._beat = self._extended = 0.0

    async def run(self, stop: asyncio.Event, *, once: bool = False) -> Done:
        """Work until told to stop, or with `once` until there is nothing to do now. What is under way is finished.

        Raises:
            GatewatchError: when several scorers did not come back: their threads cannot be ended, the process can.
        """
        total, patience = Done(), 0
        try:
            while not stop.is_set():
                self._wake.clear()
                try:
                    done = self._step(hurry=once)
                    await self.chores.tell()
                except (StoreBusy, StoreFull) as error:
                    self._store_fails(error)
                    await self._something(stop, _STORE_PAUSE_S)
                    continue
                self._failing = ""
                total += done
                if self.threads.abandoned >= _MOST_ABANDONED:
                    what = f"{self.threads.abandoned} scorers did not come back: this worker ends, start another"
                    raise GatewatchError(f"{what} (what they scored is tried again, {_MOST_ABANDONED} times at most)")
                if done.put_off:  # it may be due again in a moment
                    patience = _IDLE_ROUNDS
                if once and done == Done() and not (self._waiting or self.chores.busy):
                    if not patience:
                        break
                    patience -= 1
                await self._something(stop, 0.0 if done != Done() else _IDLE_S)
        finally:
            total += await self._drained()
            await self.chores.close(once_more=once, patience_s=self.attempts.timeout)
            self.threads.close()
            with suppress(StoreError):
                self.store.heartbeat(self.owner, self.clock(), ENDED, self.versions)
        return total

    def _store_fails(self, error: StoreError) -> None:
        """Say once that the store cannot be written to; what was scored meanwhile is kept until it can."""
        if self._failing != str(error):
            self._failing = str(error)
            _log.warning("%s (tried again until it works)", error)

    def _step(self, *, hurry: bool) -> Done:
        now = self.clock()
        total = self._settle(now)
        for spool in self.spools:
            total += Done(ingest(self.store, spool, self.ways, clock=self.clock))
        total += Done(planned=self._plan(now) + self._fill(now))
        self._lease(now)
        total += self._settle(now)
        self.chores.step(now, news=total != Done(), hurry=hurry)
        if abs(now - self._beat) >= _BEAT_S:
            self._beat = now
            self.store.heartbeat(self.owner, now, self._note(), self.versions)
        if self._waiting and abs(now - self._extended) >= self.lease_s / 3:
            self._extended = now
            self.store.extend(self.owner, [each.task for each, _ in self._waiting.values()], now + self.lease_s)
        return total

    def _note(self) -> str:
        paused = [f"{name} paused: {each.reason}" for name, each in self.breakers.items() if each.open]
        return "; ".join(paused)[:300] if paused else f"{len(self._waiting)} at work"

    async def _something(self, stop: asyncio.Event, seconds: float) -> None:
        """Wait until a score is there, it is time to look again, or to stop."""
        if not seconds:
            await asyncio.sleep(0)
            return
        waits = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(stop.wait())]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()

    # Deciding

    def _plan(self, now: float) -> int:
        planned = 0
        for monitor in self.monitors:
            told = {each.scorer.name: cost_of(self.store, monitor.flow, each, now) for each in monitor.watches}
            costs = {name: cost for name, (cost, _) in told.items()}
            guessed = [name for name, (_, guess) in told.items() if guess]
            planned += self.planner.plan(monitor, costs, now, guessed=guessed)
            for watch in monitor.watches:
                work = work_of(self.store, monitor, watch, now)
                self._watched[work.id] = _Job(watch, costs[watch.scorer.name], monitor)
        return planned

    def _fill(self, now: float) -> int:
        """Decide on what the back-fills that are running are next to see, of scorers that this worker has."""
        planned, self._filling = 0, {}
        for each in self.store.backfills(running=True):
            watch = self._named(each.scorer)
            if watch is not None and watch.scorer.fingerprint == each.fingerprint:
                self._filling[each.id] = _Job(watch, cost_of(self.store, each.flow, watch, now)[0], each)
                planned += fill(self.store, each, now)
        return planned

    def _named(self, name: str) -> Watch | None:
        if name not in self._found:
            found = self._found[name] = self._find(name)
            if found is not None:
                self.versions[name] = found.scorer.fingerprint
        return self._found[name]

    def _told_by(self, session: Session, rows: Sequence[Row]) -> tuple[Said, ...]:
        payloads = [self.store.payload(row.seq) for row in rows]
        try:
            traces = [codec.decode(each, Trace) for each in payloads if each]
        except ValueError:  # what cannot be read tells nothing
            return ()
        return told_by(session, rows, traces) if rows and len(traces) == len(rows) else ()

    # Scoring

    def _lease(self, now: float) -> None:
        """Lease what is due: of scorers that are done at once many, of others as many as may be waited for.

        What a worker died over is tried alone, so that nothing else is blamed for the next death.
        """
        if self._alone and self._waiting:
            return
        self._alone = False
        jobs: dict[Queue, _Job] = {(work, 0): job for work, job in self._watched.items()}
        for number, job in self._filling.items():
            if isinstance(job.payer, Backfill):
                jobs[job.payer.work, number] = job
        every = [queue for queue, job in jobs.items() if not any(breaker.open for breaker in self._breakers(job))]
        works, backfills = _split(every)
        if self.store.suspects(works, now, backfills):
            if self._waiting:
                return
            if self._take(every, 1, now, suspects=True):
                self._alone = bool(self._waiting)
                return
        quick = [queue for queue in every if jobs[queue].watch.scorer.inline]
        slow = [queue for queue in every if not jobs[queue].watch.scorer.inline]
        trying = [queue for queue in slow if any(breaker.trying for breaker in self._breakers(jobs[queue]))]
        at_work = {(each.work, each.backfill) for each, _ in self._waiting.values()}
        for queue in trying:  # one score tells whether the model answers again
            if queue not in at_work:
                self._take([queue], 1, now)
        self._take(quick, _AT_ONCE, now)
        self._take([queue for queue in slow if queue not in trying], self.concurrency - len(self._waiting), now)

    def _take(self, queues: Collection[Queue], most: int, now: float, *, suspects: bool = False) -> int:
        """Lease tasks of some queues, at most so many, and begin them; say how many."""
        if not queues or most <= 0:
            return 0
        (works, backfills), until = _split(queues), now + self.lease_s
        leased = self.store.lease(
            works, self.owner, most, now, until, backfills=backfills, suspects=suspects, turn=self._turn
        )
        self._turn += bool(leased)
        self._start(leased, now)
        return len(leased)

    def _breakers(self, job: _Job) -> list[Breaker]:
        """The breakers of the models that a scorer asks."""
        return [self.breakers[name] for name in job.watch.scorer.models if name in self.breakers]

    def _start(self, leased: Sequence[Leased], now: float) -> None:
        begun = 0
        try:
            for each in leased:
                self._begin(each)
                begun += 1
        except StoreError:  # what was not begun goes back, and is no failure of its own
            self._settled += [Settled(each.task, each.attempt, retry_at=now, counts=False) for each in leased[begun:]]
            raise

    def _begin(self, leased: Leased) -> None:
        job = self._filling[leased.backfill] if leased.backfill else self._watched[leased.work]
        watch, purse = job.watch, job.purse(self.clock())
        early = self.attempts.early(leased, watch, job.cost, purse)
        if early is not None:
            if early.state == "over_budget" and leased.backfill:  # it waits until somebody goes on with it
                self.store.turn_backfill(leased.backfill, "stopped", now=self.clock(), reason=early.reason)
                early = Settled(leased.task, leased.attempt, retry_at=self.clock(), reason=early.reason, counts=False)
            self._settled.append(early)
            return
        try:
            trace = codec.decode(leased.payload or b"", Trace)
            beside = self.attempts.beside(leased.row, watch)
            if watch.of_session:  # one turn that failed is not the session's failure
                trace = replace(trace, error=None)
        except ValueError as error:
            reason = f"a payload cannot be read: {str(error)[:200]}"
            self._settled.append(Settled(leased.task, leased.attempt, state="failed", reason=reason))
            return
        except LookupError as error:
            self._settled.append(Settled(leased.task, leased.attempt, state="no_payload", reason=str(error.args[0])))
            return
        if watch.scorer.inline:
            self._settled.append(self.attempts.inline(leased, watch, trace, beside))
            return
        task = asyncio.ensure_future(self.attempts.wait_for(leased, watch, trace, beside, purse.name))
        self._waiting[task] = leased, job
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Settled]") -> None:
        leased, job = self._waiting.pop(task)
        if task.cancelled():  # it goes back at once; what its calls cost is not known
            paid = Score(status="scorer_error", cost=Cost(unknown=1)) if job.watch.scorer.models else None
            self._settled.append(Settled(leased.task, leased.attempt, paid, retry_at=self.clock(), counts=False))
        elif (error := task.exception()) is not None:
            later = self.clock() + FIRST_RETRY_S
            self._settled.append(Settled(leased.task, leased.attempt, retry_at=later, reason=said_by(error)))
        else:
            self._settled.append(task.result())
        self._wake.set()

    def _settle(self, now: float) -> Done:
        settled = list(self._settled)
        if not settled:
            return Done()
        self.store.settle(settled, now)
        del self._settled[: len(settled)]  # only now: should the store fail, they are settled later
        put_off = sum(each.retry_at is not None for each in settled)
        given_up = sum(each.retry_at is None and each.score is None for each in settled)
        return Done(scored=len(settled) - put_off - given_up, put_off=put_off, given_up=given_up)

    async def _drained(self) -> Done:
        """Wait for what is under way, for as long as a scorer may take; what is not done by then goes back."""
        if self._waiting:
            await asyncio.wait(list(self._waiting), timeout=self.attempts.timeout)
        for task in list(self._waiting):
            task.cancel()
        if self._waiting:
            await asyncio.wait(list(self._waiting), timeout=1.0)
        try:
            return self._settle(self.clock())
        except StoreError as error:  # another worker does it again when the leases have run out
            self._store_fails(error)
            return Done()


def _split(queues: Iterable[Queue]) -> tuple[list[int], list[int]]:
    """Works whose live tasks are meant, and back-fills."""
    every = list(queues)
    return [work for work, backfill in every if not backfill], [backfill for _, backfill in every if backfill]
