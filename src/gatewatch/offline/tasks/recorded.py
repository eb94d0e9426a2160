"""A task that is another run: its outputs are scored again, without calling the application."""

from pathlib import Path

from gatewatch.core.case import Case
from gatewatch.core.trace import Trace
from gatewatch.offline.outcomes import Outcomes, row_at
from gatewatch.offline.task import TaskFailed


class RecordedTask:
    """The stored traces of a run, by case and trial."""

    timed = False
    own_deadline = False
    abandoned = 0

    def __init__(self, run: Outcomes) -> None:
        """Take the traces of a run that was read from its journal."""
        assert run.path is not None
        self.spec = run.task
        self.versions = dict(run.components)
        self._path: Path = run.path
        self._hashes = {case: outcome.hash for case, outcome in run.cases.items()}
        self._places = {
            (case, number): trial.places
            for case, outcome in run.cases.items()
            for number, trial in enumerate(outcome.trials)
        }
        self.trials = min((len(outcome.trials) for outcome in run.cases.values()), default=0)

    def has(self, case: Case) -> bool:
        """Whether there is an output of this very case: of the same input, expected and context."""
        return self._hashes.get(case.id) == case.hash

    def flaw(self, case: Case, trials: int) -> str:
        """Which trial of the case has no stored output, or nothing."""
        if not self.has(case):
            return f"{self._path} has no output of this case as it is now"
        return next(
            (f"{self._path} has no trial {trial}" for trial in range(trials) if (case.id, trial) not in self._places),
            "",
        )

    async def answer(self, case: Case, trial: int) -> Trace:
        """The stored trace.

        Raises:
            TaskFailed: when its record is damaged.
        """
        row = row_at(self._path, self._places[case.id, trial][:1])
        if row is None or row.trace is None:
            raise TaskFailed(f"{self._path}: the record of case {case.id}, trial {trial} is damaged")
        return row.trace

    async def close(self) -> None:
        """Nothing is held."""
