"""What pages read of single runs: its rows, its summary, all trials of a case; each held while its journal stays."""

from pathlib import Path

from gatewatch.config.once import Once
from gatewatch.config.stored_runs import StoredRun, StoredRuns
from gatewatch.core.errors import InputError, Problem, did_you_mean
from gatewatch.core.run import Row
from gatewatch.offline.journal import row_at
from gatewatch.offline.outcomes import read_run
from gatewatch.offline.result import summarise
from gatewatch.offline.run_rows import RunRows
from gatewatch.offline.summary import Summary

_ROWS_HELD, _CASES_HELD, _SUMMARIES_HELD = 4, 400_000, 64


class RunReads:
    """The runs of a project, read; threads may share it."""

    def __init__(self, runs: StoredRuns) -> None:
        self.runs = runs
        self._rows: Once[RunRows] = Once(_ROWS_HELD, weigh=lambda rows: len(rows.ids), heaviest=_CASES_HELD)
        self._summaries: Once[Summary] = Once(_SUMMARIES_HELD)

    def rows(self, run: StoredRun) -> RunRows:
        """The rows of a run as arrays."""
        return self._rows.get(run.key, lambda: RunRows(read_run(self.runs.journal(run))))

    def summary(self, run: StoredRun) -> Summary:
        """A run, counted.

        Raises:
            InputError: there is something in its journal that no run has.
        """
        return self._summaries.get(run.key, lambda: _counted(run, self.runs.journal(run)))

    def trials(self, run: StoredRun, case: str) -> list[Row]:
        """Every trial of a case, whole.

        Raises:
            InputError: the run has no such case.
        """
        rows = self.rows(run)
        outcome = rows.run.cases.get(case)
        if outcome is None:
            hint = did_you_mean(case, rows.ids[:2000])
            raise InputError(Problem("case", f"there is no case {case[:100]!r} in {run.header.run}", hint))
        path = self.runs.journal(run)  # a copy may have been let go of since
        found = (row_at(path, trial.places) for trial in outcome.trials)
        return [row for row in found if row is not None and row.trace is not None]


def _counted(run: StoredRun, path: Path) -> Summary:
    try:
        return summarise(path)
    except (LookupError, ValueError, TypeError) as error:
        what = f"it has a row that its header knows nothing of: {type(error).__name__} {error}"
        raise InputError(Problem(run.header.run, what, "it cannot be shown; make the run again")) from error
