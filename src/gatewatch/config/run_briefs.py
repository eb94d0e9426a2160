"""Each run of a list in a line: how it ended, every scorer's figures beside the pinned baseline's, cost and time."""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config.sides import rule_for
from gatewatch.config.stored_runs import Mark, StoredRun, StoredRuns, mark_of
from gatewatch.config.verdicts import said_of
from gatewatch.core.errors import InputError, StoreError
from gatewatch.core.money import Cost
from gatewatch.offline.baseline import baseline_name, read_baseline
from gatewatch.offline.journal import end_of, in_use
from gatewatch.offline.matrix import Cell, cell, cells_beside
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.summary import percentiles

_MOST_HELD = 2_000
_LONGEST = 200_000_000
"""The longest journal, in bytes, that a list reads."""


_FAULTS = (InputError, ValueError, LookupError, TypeError, ArithmeticError, OSError)
"""What reading a journal with whole lines, and with something in them that no run has, may end with."""


class RunBrief(Struct, frozen=True, kw_only=True):
    """A run in a line. Costs are in US dollars, `seconds` is how long it took, latencies are in seconds.

    `state`: complete, running, partial, broken or unreadable (`reason` says why). `word` is what a gate last said of
    it. `pinned` says that the pinned baseline of its suite was made from it. Scores are held against that baseline;
    those of the run itself are not.
    """

    run: str
    state: str
    reason: str = ""
    rows: int = 0
    expected: int = 0
    failed: int = 0
    lost: int = 0
    scorers: dict[str, Cell] = {}
    cost: Cost = Cost()
    judge_cost: Cost = Cost()
    latency_s: dict[str, float | None] = {}
    seconds: float | None = None
    word: str = ""
    pinned: bool = False


class RunBriefs:
    """Reads runs for a list, each once for as long as its journal and its baseline stay as they are."""

    def __init__(self, runs: StoredRuns) -> None:
        self._runs = runs
        self._held: dict[tuple[object, ...], RunBrief] = {}
        self._baselines: dict[Mark, Outcomes] = {}
        self._lock = Lock()

    def of(self, runs: Sequence[StoredRun], *, seconds: float = 1.5) -> list[RunBrief | None]:
        """The briefs of some runs; None for those that there was no time to read, or that are too long for a list."""
        until = monotonic() + seconds
        return [self._judged(each, self._one(each, read=monotonic() < until)) for each in runs]

    def _judged(self, run: StoredRun, brief: RunBrief | None) -> RunBrief | None:
        """With what a gate last said, which it may say long after the run's end."""
        project = self._runs.project
        if brief is None or project is None or run.path is None:
            return brief
        return replace(brief, word=said_of(project, brief.run))

    def _one(self, run: StoredRun, *, read: bool) -> RunBrief | None:
        name = _suite_of(run)
        pinned = self._runs.baseline(name)
        mark = None if pinned is None else mark_of(pinned)
        key = (run.key, mark, self._runs.rules())
        with self._lock:
            found = self._held.get(key)
        if found is not None and found.state != "running":
            return found
        if not read or run.size > _LONGEST:
            return None
        try:
            found = self._made(run, None if pinned is None or mark is None else self._baseline(pinned, mark))
        except StoreError:
            return None
        except _FAULTS as error:  # one run that nobody can read must not take the others with it
            found = RunBrief(run=run.header.run, state="unreadable", reason=str(error) or type(error).__name__)
        with self._lock:
            if len(self._held) >= _MOST_HELD:
                self._held.clear()
            self._held[key] = found
        return found

    def baseline(self, run: StoredRun) -> Outcomes | None:
        """The pinned baseline of a run's suite; None where there is none, or it cannot be read."""
        pinned = self._runs.baseline(_suite_of(run))
        return None if pinned is None else self._baseline(pinned, mark_of(pinned))

    def _baseline(self, pinned: Path, mark: Mark) -> Outcomes | None:
        if mark not in self._baselines:
            if len(self._baselines) > 20:
                self._baselines.clear()
            try:
                self._baselines[mark] = read_baseline(pinned)
            except InputError:
                return None
        return self._baselines[mark]

    def _made(self, run: StoredRun, baseline: Outcomes | None) -> RunBrief:
        path = self._runs.journal(run)
        outcomes, end = read_run(path), end_of(path)
        running = run.path is not None and in_use(run.path)
        if outcomes.complete:
            state = "complete"
        elif running:
            state = "running"
        else:
            state = "broken" if end is not None and end.state == "broken" else "partial"
        own = baseline is not None and baseline.run == outcomes.run
        beside = None if baseline is None or own or running else baseline
        cells = (
            cells_beside(beside, outcomes, rule_for(self._runs.project, outcomes))
            if beside is not None
            else {n: cell(outcomes, n) for n in outcomes.scorers}
        )
        return RunBrief(
            run=outcomes.run,
            state=state,
            reason="" if end is None else end.reason,
            rows=outcomes.rows,
            expected=outcomes.expected_rows,
            failed=outcomes.failed,
            lost=sum(
                mark.status == "scorer_error"
                for outcome in outcomes.cases.values()
                for trial in outcome.trials
                for mark in trial.scores.values()
            ),
            scorers=cells,
            cost=outcomes.task_cost,
            judge_cost=outcomes.judge_cost,
            latency_s=percentiles(outcomes.latencies),
            seconds=None if end is None else end.seconds,
            pinned=own,
        )


def _suite_of(run: StoredRun) -> str:
    try:
        return baseline_name(Outcomes.of(run.header))
    except InputError:
        return ""
