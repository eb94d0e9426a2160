"""A task that is a run made before: its outputs are scored again, without calling the application."""

from collections.abc import Sequence
from pathlib import Path

from gatewatch.core.case import Case
from gatewatch.core.trace import Trace
from gatewatch.offline.journal import row_at
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.task import TaskFailed


class RecordedTask:
    """The stored traces of a run, and of runs that were made to give it more trials, by case and trial."""

    timed = False
    own_deadline = False
    abandoned = 0

    def __init__(self, runs: Sequence[Outcomes]) -> None:
        """Take the traces of runs that were read from their journals: one, and those that belong to it."""
        first = runs[0]
        self.spec = first.task
        self.versions = dict(first.components)
        self._hashes = {case: outcome.hash for case, outcome in first.cases.items()}
        self._places: dict[str, list[tuple[Path, tuple[int, ...]]]] = {}
        for run in runs:
            assert run.path is not None
            for case, outcome in run.cases.items():
                if self._hashes.get(case) == outcome.hash:
                    places = [
                        (run.path, trial.places) for trial in sorted(outcome.trials, key=lambda trial: trial.trial)
                    ]
                    self._places.setdefault(case, []).extend(places)
        self.trials = min(map(len, self._places.values()), default=0)

    def has(self, case: Case) -> bool:
        """Whether there is an output of this very case: of the same input, expected and context."""
        return self._hashes.get(case.id) == case.hash

    def flaw(self, case: Case, trials: int) -> str:
        """Which trial of the case has no stored output, or nothing."""
        if not self.has(case):
            return "there is no stored output of this case as it is now"
        there = len(self._places[case.id])
        return f"there are {there} stored outputs of this case, not {trials}" if there < trials else ""

    async def answer(self, case: Case, trial: int) -> Trace:
        """The stored trace.

        Raises:
            TaskFailed: when its record is damaged.
        """
        path, places = self._places[case.id][trial]
        try:
            row = row_at(path, places[:1])
        except ValueError:
            row = None
        if row is None or row.trace is None:
            raise TaskFailed(f"{path}: the record of case {case.id}, trial {trial} is damaged")
        return row.trace

    async def close(self) -> None:
        """Nothing is held."""
