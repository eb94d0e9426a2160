"""What a comparison or a gate goes by: the rule of a suite, its exceptions, and the runs that names stand for."""

from collections.abc import Sequence
from pathlib import Path

from gatewatch.config.load import FILE, shortest
from gatewatch.config.project import Project
from gatewatch.config.rules import rule_of
from gatewatch.config.settings import SuiteSettings
from gatewatch.core.errors import InputError, NoVerdict, Problem
from gatewatch.offline.accept import FILE as ACCEPTED
from gatewatch.offline.accept import Exceptions, read_exceptions
from gatewatch.offline.baseline import baseline_name, baseline_path, is_baseline, read_baseline
from gatewatch.offline.gated import Gated, compared
from gatewatch.offline.joined import Joined
from gatewatch.offline.matrix import Matrix, matrix
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.result import SUFFIX, find_run
from gatewatch.offline.rule import Rule


def side_named(project: Project, reference: str, suite: str) -> Outcomes:
    """The outcomes of "baseline" (the suite's pinned one), of a file, or of a run by its id or name.

    Raises:
        NoVerdict: when the baseline is meant and there is none.
        InputError: when nothing is meant, or it cannot be read.
    """
    path = baseline_path(project.root, suite)
    if reference == "baseline":
        if not path.is_file():
            make = f" (`gatewatch run {suite}`)" if suite in project.settings.suites else ""
            where = shortest(path) if suite else "that could be meant: name the suite with --suite"
            pin = "then `gatewatch baseline pin RUN`"
            raise NoVerdict(f"there is no baseline {where}: make a run that is good{make}, {pin}")
        return read_baseline(shortest(path))
    named = Path(reference)
    if reference.endswith(SUFFIX) and named.is_file():
        return read_baseline(named) if is_baseline(named) else read_run(named)
    return read_run(find_run(project.runs, reference))


def not_itself(before: Outcomes, after: Outcomes) -> None:
    """Make sure that a candidate is none of the runs that it is held against, nor their outputs scored again.

    Raises:
        InputError: when it is.
    """
    if not set(after.runs).isdisjoint(before.runs):
        raise InputError(Problem(after.run, "is what it would be held against", "name another run, or --against"))


def rule_for(project: Project | None, after: Outcomes) -> Rule:
    """The rule that a stored run is compared by: its suite's, where it has that suite's scorers, else the usual one.

    Raises:
        InputError: the suite's rule is none.
    """
    settings = None if project is None else project.settings.suites.get(after.suite)
    if settings is None or set(settings.scorers) != set(after.scorers):
        return Rule()
    return rule_of(settings.gate, settings.scorers, f"{FILE}: suites.{after.suite}.gate")


def compare_named(project: Project, one: str, other: str, *, suite: str = "") -> Gated:
    """Two stored runs side by side, by the rule of their suite where there is one.

    Raises:
        InputError: when nothing is meant by a name, or it cannot be read.
    """
    before, after = sides_named(project, (one, other), suite)
    return compared(before, after, rule=rule_for(project, after), journal=project.runs / f"{before.run}{SUFFIX}")


def joined_named(project: Project, one: str, other: str, *, suite: str = "") -> Joined:
    """Two stored runs row by row, by the rule of their suite where there is one. What was accepted is told of rows.

    Raises:
        InputError: when nothing is meant by a name, or it cannot be read.
    """
    gated = compare_named(project, one, other, suite=suite)
    return Joined(gated, exceptions_of(project, gated.after.suite))


def matrix_named(project: Project, names: Sequence[str], *, suite: str = "") -> Matrix:
    """Several stored runs beside the first of them.

    Raises:
        InputError: when nothing is meant by a name, or it cannot be read.
    """
    return matrix(sides_named(project, names, suite), lambda side: rule_for(project, side))


def sides_named(project: Project, names: Sequence[str], suite: str) -> list[Outcomes]:
    """The outcomes that names stand for; whose "baseline" is meant is told by the others' suite."""
    if not suite:
        others = (side_named(project, name, "") for name in names if name != "baseline")
        suite = next((baseline_name(other) for other in others), "") if "baseline" in names else ""
    return [side_named(project, name, suite) for name in names]


def reference_of(suite: SuiteSettings, spec: str) -> tuple[str, str]:
    """A task's reference, and the variant of it that is meant, from a task as a run's header has it."""
    if suite.matrix and spec.startswith(f"{suite.task} "):
        return suite.task, spec
    head, _, tail = spec.rpartition(" ")
    if suite.matrix and head and "=" in tail:
        return head, spec
    return spec, ""


def exceptions_of(project: Project, suite: str) -> Exceptions:
    """The exceptions that a project has for a suite.

    Raises:
        InputError: with all that is wrong in accepted.toml.
    """
    path = project.root / ACCEPTED
    return read_exceptions(path, suite, shown=str(shortest(path)))
