"""What pages read of single runs: its rows, its summary, all trials of a case; each held while its journal stays."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from gatewatch.config.stored_runs import StoredRun, StoredRuns
from gatewatch.core.errors import InputError, Problem, did_you_mean
from gatewatch.core.run import Row
from gatewatch.offline.journal import row_at
from gatewatch.offline.outcomes import read_run
from gatewatch.offline.result import summarise
from gatewatch.offline.run_rows import RunRows
from gatewatch.offline.summary import Summary

T = TypeVar("T")
_ROWS_HELD, _SUMMARIES_HELD = 4, 64


class _Held(Generic[T]):
    """The last few of something, by key. Two who ask at once for what is not there yet wait for one another."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: dict[str, T] = {}
        self._lock = Lock()

    def get(self, key: str, make: Callable[[], T]) -> T:
        with self._lock:
            found = self._found.pop(key, None)
            found = make() if found is None else found
            self._found[key] = found
            while len(self._found) > self._most:
                self._found.pop(next(iter(self._found)))
            return found


class RunReads:
    """The runs of a project, read; threads may share it."""

    def __init__(self, runs: StoredRuns) -> None:
        self.runs = runs
        self._rows: _Held[RunRows] = _Held(_ROWS_HELD)
        self._summaries: _Held[Summary] = _Held(_SUMMARIES_HELD)

    def rows(self, run: StoredRun) -> RunRows:
        """The rows of a run as arrays."""
        return self._rows.get(run.key, lambda: RunRows(read_run(self.runs.journal(run))))

    def summary(self, run: StoredRun) -> Summary:
        """A run, counted."""
        return self._summaries.get(run.key, lambda: summarise(self.runs.journal(run)))

    def trials(self, run: StoredRun, case: str) -> list[Row]:
        """Every trial of a case, whole.

        Raises:
            InputError: the run has no such case.
        """
        rows = self.rows(run)
        outcome = rows.run.cases.get(case)
        if outcome is None or rows.run.path is None:
            hint = did_you_mean(case, rows.ids[:2000])
            raise InputError(Problem("case", f"there is no case {case[:100]!r} in {run.header.run}", hint))
        found = (row_at(rows.run.path, trial.places) for trial in outcome.trials)
        return [row for row in found if row is not None and row.trace is not None]
