"""Running: every chosen case through the task, scored, and each row kept as soon as it is there.

A fixed number of seats take cells (a trial of a case) from one iterator, so that memory does not grow with the number
of cases. One sweep over the seats, a few times a second, ends what is past its deadline: no timer per case.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from msgspec.structs import replace

from gatewatch.core.case import Case
from gatewatch.core.clock import monotonic, now, stamp
from gatewatch.core.errors import GatewatchError, RunBroken
from gatewatch.core.run import Ending, Row, RunEnd, trace_id
from gatewatch.core.score import Score
from gatewatch.core.spans import Recorder, recorder
from gatewatch.core.threads import Abandoned, DaemonPool, never_back
from gatewatch.core.trace import Fault, Trace
from gatewatch.offline.conversation import converse, is_regenerated
from gatewatch.offline.journal import Journal
from gatewatch.offline.plan import Done, Hook, Plan, paid, slice_name
from gatewatch.offline.steady import Steady
from gatewatch.offline.task import TaskFailed, fault_of, filled
from gatewatch.scorers.apply import apply, apply_inline, scorer_error, verdict_without_call
from gatewatch.scorers.base import Scorer

T = TypeVar("T")

MOST_ABANDONED = 4
"""How many calls may hang for good before the run is given up: each keeps a thread, or a task, busy for ever."""
_GRACE_S = 1.0
_ROUNDING = 1e-9
_TURN = 32  # how many cells that never wait are done before the event loop gets a turn


class _Seat:
    """One of the places at which cells are worked on."""

    __slots__ = ("case", "deadline", "expired", "lost", "task", "trial")

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.case: Case | None = None
        self.trial = 0
        self.deadline: float | None = None
        self.expired: float | None = None
        self.lost = False


class Runner:
    """One stretch of a run, from its start, or from where it was cut off, to its end."""

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        *,
        done: Done | None = None,
        watch: Callable[[Row], None] | None = None,
        until: Callable[[Row], str] | None = None,
        beat: Callable[[], None] | None = None,
    ) -> None:
        self.plan = plan
        self._journal = journal
        self._done = done or Done()
        self._watch = watch
        self._until = until
        self._beat = beat
        self._cells = self._remaining()
        self._seats: set[_Seat] = set()
        self._empty = asyncio.Event()
        self._threads = DaemonPool(8)
        self._rows = len(self._done.finished)
        self._spent = self._done.spent
        self._dearest = self._done.dearest
        self._steady = Steady(self._done.judges)
        self._stuck = 0
        self._quick = 0
        self._reason = ""
        self._failure: BaseException | None = None
        self._pace_before = plan.pace()

    def _remaining(self) -> Iterator[tuple[int, int]]:
        for trial in range(self.plan.trials):
            for index in self.plan.chosen:
                yield index, trial

    async def run(self) -> RunEnd:
        """Work until nothing is left, the money is, or somebody stops it; then write how it ended.

        Raises:
            RunBroken: when it could not go on.
        """
        began = monotonic()
        for _ in range(min(self.plan.concurrency, self.plan.cells)):
            self._open_seat()
        sweep = asyncio.create_task(self._sweep())
        sweep.add_done_callback(self._sweep_done)
        try:
            await self._empty.wait()
        except asyncio.CancelledError:
            self.stop("interrupted")
            await self._let_go()
            self._finish(began)
            raise
        finally:
            sweep.cancel()
            self._threads.close()
        if self._failure is not None:
            await self._let_go()
        return self._finish(began)

    def stop(self, reason: str) -> None:
        """Begin nothing more and end what is going on. What is done stays done."""
        self._reason = self._reason or reason
        for seat in self._seats:
            if seat.task is not None:
                seat.task.cancel()

    async def _let_go(self) -> None:
        tasks = [seat.task for seat in self._seats if seat.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=_GRACE_S)

    def _finish(self, began: float) -> RunEnd:
        complete = self._rows >= self.plan.cells
        state: Ending = "broken" if self._failure is not None else "complete" if complete else "partial"
        failure = self._failure
        if failure is not None and not isinstance(failure, GatewatchError):
            failure = RunBroken(f"{type(failure).__name__}: {failure}")
        reason = str(failure) if failure is not None else "" if complete else self._reason
        took = round(monotonic() - began, 3)
        end = RunEnd(state=state, reason=reason, at=stamp(now()), seconds=took, pace=self._pace())
        self._journal.end(end)
        if failure is None:
            return end
        if failure is self._failure:
            raise failure
        raise failure from self._failure

    def _pace(self) -> dict[str, Any]:
        """How each model was paced; refusals and retries are this run's, whatever a model has served before."""
        after = self.plan.pace()
        for model, state in after.items():
            before = self._pace_before.get(model, {})
            for count in ("refusals", "retries"):
                if count in state:
                    state[count] -= before.get(count, 0)
        return after

    # The seats

    def _open_seat(self) -> None:
        seat = _Seat()
        self._seats.add(seat)
        seat.task = asyncio.create_task(self._work(seat))
        seat.task.add_done_callback(lambda task: self._seat_done(seat, task))

    def _seat_done(self, seat: _Seat, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not seat.lost:
            self._break(error)
        self._close_seat(seat)

    def _close_seat(self, seat: _Seat) -> None:
        self._seats.discard(seat)
        if not self._seats:
            self._empty.set()

    def _break(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self.stop("broken")
        self._empty.set()

    def _sweep_done(self, sweep: asyncio.Task[None]) -> None:
        error = None if sweep.cancelled() else sweep.exception()
        if error is not None:  # without it nothing would be ended any more
            self._break(error)

    async def _sweep(self) -> None:
        """End what is past its deadline. What cannot be ended is left behind, and another takes its seat."""
        pause = max(0.01, min(0.25, self.plan.timeout / 10))
        while True:
            await asyncio.sleep(pause)
            moment = monotonic()
            if self._beat is not None:
                self._beat()
            for seat in list(self._seats):
                if seat.expired is not None and moment > seat.expired + _GRACE_S:
                    self._leave_behind(seat)
                elif seat.expired is None and seat.deadline is not None and moment > seat.deadline:
                    seat.expired = moment
                    assert seat.task is not None
                    seat.task.cancel()
            left = self._threads.left + Counter({"the task": self._stuck + self.plan.task.abandoned})
            if left.total() >= MOST_ABANDONED and not self._reason:
                self._break(RunBroken(f"{never_back(left)}; what was done is kept: --resume goes on with it"))
                return

    def _leave_behind(self, seat: _Seat) -> None:
        seat.lost = True
        self._stuck += 1
        assert seat.case is not None
        self._keep(seat.case, seat.trial, self._late(seat.case, seat.trial), ())
        self._open_seat()  # first, as a run without a seat is over
        self._close_seat(seat)

    async def _work(self, seat: _Seat) -> None:
        for index, trial in self._cells:
            case = self.plan.dataset[index]
            key = case.id, trial
            if key in self._done.finished:
                continue
            if self._reason or not self._affordable():
                return
            seat.case, seat.trial = case, trial
            row = self._done.started.get(key)
            if row is None:
                trace, notes = await self._answer(seat, case, trial)
                if seat.lost:
                    return
                row = self._keep(case, trial, trace, notes)
            else:
                # It is counted as a whole when its scores are there.
                self._spent -= paid(row, task=self.plan.task.timed)
            if row.missing:
                await self._score_rest(row, case)
            seat.case = None
            self._quick += 1
            if self._quick % _TURN == 0:
                await asyncio.sleep(0)

    def _affordable(self) -> bool:
        """Whether the budget can bear another cell beside those in flight, each as dear as the dearest so far."""
        if self.plan.budget is None:
            return True
        busy = sum(seat.case is not None for seat in self._seats)
        expected = self._spent + self._dearest * (busy + 1)
        if self._spent < self.plan.budget and expected <= self.plan.budget * (1 + _ROUNDING):
            return True
        self._reason = self._reason or f"the budget of {self.plan.budget:g} USD is used up"
        return False

    # One cell

    async def _answer(self, seat: _Seat, case: Case, trial: int) -> tuple[Trace, tuple[str, ...]]:
        plan = self.plan
        current = Recorder(trace_id(plan.run, case.id, trial))
        recorder.set(current)
        began = monotonic()
        seat.deadline = began + plan.timeout
        try:
            if plan.setup is not None:
                await self._hook(plan.setup, case)
                began = monotonic()
            seat.deadline = None if plan.task.own_deadline else began + plan.timeout
            if is_regenerated(case) and plan.task.timed:
                given = await converse(plan.task.answer, case, trial)
            else:
                given = await plan.task.answer(case, trial)
        except Abandoned:
            given = self._late(case, trial)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # some libraries' errors are no Exception
            if isinstance(error, asyncio.CancelledError) and self._reason:
                raise
            given = Trace(error=fault_of(error))  # a cancellation that arose inside the application too
        finally:
            late, seat.deadline, seat.expired = seat.expired is not None, None, None
            recorder.set(None)
        latency = monotonic() - began if plan.task.timed else None
        if late:  # it was told to stop, whatever it made of that
            given = self._late(case, trial)
        me = asyncio.current_task()
        while me is not None and me.cancelling() and not self._reason:
            me.uncancel()  # the next case on this seat is a new start
        notes = () if plan.teardown is None else await self._tear_down(plan.teardown, case)
        try:
            return filled(given, case, current, latency, plan.price), notes
        except TaskFailed as error:
            return filled(Trace(error=fault_of(error)), case, Recorder(), latency), notes

    async def _hook(self, hook: Hook, case: Case) -> None:
        if _is_async(hook):
            await hook(case)
        else:
            await self._threads.call(hook, case, timeout=self.plan.timeout, what="the setup or the teardown")

    async def _tear_down(self, hook: Hook, case: Case) -> tuple[str, ...]:
        async def attempt() -> str:
            try:
                await self._hook(hook, case)
            except (KeyboardInterrupt, GeneratorExit, asyncio.CancelledError):
                raise
            except BaseException as error:
                return fault_of(error).message
            return ""

        # On a thread it is given up by itself, once it has one.
        work = await self._within(attempt(), self.plan.timeout if _is_async(hook) else None)
        lost = "it was cancelled, or did not come back in time"
        said = lost if work is None or work.cancelled() else work.result()
        return (f"tear-down failed: {said}",) if said else ()

    async def _within(self, work: Coroutine[Any, Any, T], seconds: float | None) -> asyncio.Task[T] | None:
        """Wait for something that may refuse to be ended: it is done then, or None when it was left behind."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task], timeout=seconds)
            if not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=_GRACE_S)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if task.done():
            return task
        self._stuck += 1
        return None

    def _late(self, case: Case, trial: int) -> Trace:
        return Trace(input=case.input, error=Fault(f"no answer within {self.plan.timeout:g} s", "timeout"))

    def _keep(self, case: Case, trial: int, trace: Trace, notes: tuple[str, ...]) -> Row:
        """Score what can be scored at once, and hand the row to the journal."""
        scores: dict[str, Score] = {}
        awaits: list[str] = []
        for scorer in self.plan.scorers:
            if case.scorers is not None and scorer.name not in case.scorers:
                continue
            if scorer.inline:
                scores[scorer.name] = apply_inline(scorer, trace, case)
                continue
            early, _ = verdict_without_call(scorer, trace, case)
            if early is None:
                awaits.append(scorer.name)
            else:
                scores[scorer.name] = early
        row = Row(
            case=case.id,
            trial=trial,
            hash=case.hash,
            slice=case.slice or slice_name(self.plan.slice_of, case),
            cluster=case.cluster,
            must_pass=case.must_pass,
            open=case.open,
            expected=case.expected,
            trace=trace,
            scores=scores,
            awaits=tuple(awaits),
            notes=notes,
        )
        self._journal.add(row)
        if not awaits:
            self._count(row)
        return row

    async def _score_rest(self, row: Row, case: Case) -> None:
        """Score what takes its time, each score kept as soon as it is there."""
        rest = [scorer for scorer in self.plan.scorers if scorer.name in row.missing]
        found = await asyncio.gather(*(self._score(scorer, row, case) for scorer in rest))
        scores = {scorer.name: score for scorer, score in zip(rest, found, strict=True)}
        self._count(replace(row, scores={**row.scores, **scores}))

    async def _score(self, scorer: Scorer, row: Row, case: Case) -> Score:
        assert row.trace is not None
        try:
            score = await apply(
                scorer, row.trace, case, timeout=self.plan.scorer_timeout, threads=self._threads, patient=True
            )
        except (KeyboardInterrupt, GeneratorExit, asyncio.CancelledError):
            raise
        except BaseException as error:  # some libraries' errors are no Exception
            score = scorer_error(error)
        score = self._steady.checked(scorer.name, score)
        self._journal.add(Row(case=row.case, trial=row.trial, scores={scorer.name: score}))
        return score

    def _count(self, row: Row) -> None:
        self._rows += 1
        cost = paid(row, task=self.plan.task.timed)
        self._spent += cost
        self._dearest = max(self._dearest, cost)
        if self._watch is not None:
            self._watch(row)
        if self._until is not None and not self._reason:
            self._reason = self._until(row)


def _is_async(hook: Hook) -> bool:
    return inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(getattr(hook, "__call__", None))  # noqa: B004
