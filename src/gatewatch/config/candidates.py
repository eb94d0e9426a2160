"""Making the runs that a gate needs: the candidate, what is tried again, more trials of either side, in one budget."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gatewatch.config.load import FILE
from gatewatch.config.parts import budget_of
from gatewatch.config.project import Project
from gatewatch.config.runs import Part, prepare_suite, suite_settings
from gatewatch.config.sides import reference_of
from gatewatch.core.errors import ConfigError, InputError, Problem
from gatewatch.core.money import dollars
from gatewatch.core.run import Row
from gatewatch.offline.flips import Again
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.pooling import one_version
from gatewatch.offline.result import Prepared, RunResult

TRIALS_MORE = 2
"""How many trials of every case are bought at a time."""

Execute = Callable[..., RunResult]
"""How a prepared run is made: `offline.result.execute`, or that with a display around it."""


class Maker:
    """Makes runs of a suite. What they cost together stays within the budget of one run, but for calls in flight."""

    def __init__(
        self, project: Project, name: str, *, changes: Mapping[str, Any], make: Execute, tell: Callable[[str], None]
    ) -> None:
        """Begin, with nothing spent.

        Args:
            project: the project.
            name: the suite.
            changes: `trials` and `budget` of the candidate's run, in the place of the suite's.
            make: makes a prepared run.
            tell: is told what goes on.
        """
        self.project = project
        self.name = name
        self.suite = suite_settings(project, name)
        self.notes: list[str] = []
        self._changes = changes
        self._make = make
        self._tell = tell
        budget = self.suite.budget if changes.get("budget") is None else changes["budget"]
        self._budget = budget_of(budget, f"{FILE}: suites.{name}.budget")
        self._spent = 0.0

    def prepared(self, task: str, label: str) -> Prepared:
        """The candidate's run, ready to start.

        Raises:
            ConfigError: with all that is wrong, or when the suite has variants and none of them is named.
        """
        reference, version = reference_of(self.suite, task or self.suite.task)
        found = prepare_suite(self.project, self.name, task=reference, version=version, label=label, **self._changes)
        if len(found) != 1:
            specs = ", ".join(repr(each.header.task) for each in found)
            what = f"has {len(found)} variants: a gate judges one" if found else f"no variant is {version!r}"
            raise ConfigError(Problem(f"{FILE}: suites.{self.name}.matrix", what, f"name it with --task: {specs}"))
        return found[0]

    def run(self, ready: Prepared, until: Callable[[Row], str] | None = None) -> RunResult:
        """Make the candidate's run."""
        return self._counted(self._make(ready, until=until, closing=self.project.close))

    def _counted(self, result: RunResult) -> RunResult:
        self._spent += result.summary.task_cost.amount + result.summary.judge_cost.amount
        return result

    def again(self, ready: Prepared) -> tuple[Again | None, str]:
        """What tries cases of the candidate again, or why there is nothing that could."""
        if not ready.plan.task.timed:
            return None, "the candidate's outputs are a recording"

        def again(cases: Sequence[str], times: int) -> Outcomes:
            one = len(cases) == 1
            self._tell("1 case failed: it is tried again" if one else f"{len(cases)} cases failed: each is tried again")
            part = Part(purpose="flips", of=ready.header.run, only=frozenset(cases))
            return self.more(ready.header.task, part, times)

        return again, ""

    def more(self, spec: str, part: Part, trials: int) -> Outcomes:
        """Trials of a task beyond those that there are, without the reply cache, for what is left of the budget."""
        fresh = self.project.anew()
        reference, version = reference_of(self.suite, spec)
        left = None if self._budget is None else self._budget - self._spent
        budget = None if left is None else f"{max(left, 0.0):.6f} USD"
        (ready,) = prepare_suite(
            fresh, self.name, task=reference, version=version, part=part, trials=trials, budget=budget
        )
        if left is not None and left <= 0.0:
            self.notes.append(f"The budget of {dollars(self._budget or 0.0)} is used up: nothing was tried again.")
            return Outcomes.of(ready.header)
        result = self._counted(self._make(ready, closing=fresh.close))
        if result.summary.state != "complete":
            reason = result.summary.end.reason if result.summary.end else "cut off"
            self.notes.append(f"Trying again ended early ({reason}).")
        return read_run(result.path)

    def trials_of(self, side: Outcomes) -> Outcomes:
        """More trials of every case of a side."""
        return self.more(side.task, Part(purpose="trials", of=side.run), TRIALS_MORE)

    def can_run(self, side: Outcomes) -> bool:
        """Whether the version of a side can be run here: its task can be made, and is made of the same components."""
        reference, version = reference_of(self.suite, side.task)
        part = Part(purpose="trials", of=side.run)
        try:
            (ready,) = prepare_suite(
                self.project.anew(), self.name, task=reference, version=version, part=part, trials=1
            )
        except (InputError, ValueError):
            return False
        return ready.plan.task.timed and one_version(ready.header.components, side.components)
