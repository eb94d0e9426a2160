"""What a comparison or a gate goes by: the rule of a suite, its exceptions, and the runs that names stand for."""

from collections.abc import Sequence
from pathlib import Path

from gatewatch.config.load import FILE, shortest
from gatewatch.config.parts import budget_of
from gatewatch.config.project import Problems, Project
from gatewatch.config.settings import GateSettings, SuiteSettings
from gatewatch.core.errors import ConfigError, NoVerdict, Problem, did_you_mean
from gatewatch.offline.accept import FILE as ACCEPTED
from gatewatch.offline.accept import Exceptions, read_exceptions
from gatewatch.offline.baseline import baseline_name, baseline_path, is_baseline, read_baseline
from gatewatch.offline.gated import Gated, compared
from gatewatch.offline.matrix import Matrix, matrix
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.result import SUFFIX, find_run
from gatewatch.offline.rule import Rule


def points(value: float | str, where: str) -> float:
    """A share of 1 from a number, or from text such as "5pp".

    Raises:
        ConfigError: when it is neither.
    """
    if isinstance(value, str):
        text = value.strip().removesuffix("pp").strip()
        try:
            value = float(text) / 100
        except ValueError:
            raise ConfigError(Problem(where, f'expected 0.05 or "5pp", got {value!r}')) from None
    if not 0.0 <= value < 1.0:
        raise ConfigError(
            Problem(where, f"must be 0 or more and below 1, got {value:g}", '0.05 is five points, as is "5pp"')
        )
    return float(value)


def rule_of(settings: GateSettings, scorers: Sequence[str], where: str) -> Rule:
    """The rule that a suite's `gate` table states.

    Raises:
        ConfigError: with all that is wrong in it.
    """
    problems = Problems()
    primary = (settings.primary,) if isinstance(settings.primary, str) else settings.primary
    primary = tuple(name for name in primary if name)
    for key, names in (("primary", primary), ("min", tuple(settings.min))):
        problems += [
            Problem(f"{where}.{key}", f"{name!r} is not a scorer of this suite", did_you_mean(name, scorers))
            for name in names
            if name not in scorers
        ]
    max_drop = min_effect = 0.0
    max_cost: float | None = None
    with problems.gather():
        max_drop = points(settings.max_drop, f"{where}.max_drop")
    with problems.gather():
        min_effect = points(settings.min_effect, f"{where}.min_effect")
    with problems.gather():
        max_cost = budget_of(settings.max_cost, f"{where}.max_cost")
    problems.raise_any()
    return Rule(
        primary=primary,
        slices=settings.slices,
        alpha=settings.alpha,
        max_drop=max_drop,
        min_effect=min_effect,
        floors=settings.min,
        max_cost=max_cost,
        max_latency=settings.max_latency,
        undecided=settings.undecided,
    )


def side_named(project: Project, reference: str, suite: str) -> Outcomes:
    """The outcomes of "baseline" (the suite's pinned one), of a file, or of a run by its id or name.

    Raises:
        NoVerdict: when the baseline is meant and there is none.
        InputError: when nothing is meant, or it cannot be read.
    """
    path = baseline_path(project.root, suite)
    if reference == "baseline":
        if not path.is_file():
            raise NoVerdict(
                f"there is no baseline {shortest(path)}: make a run that is good (`gatewatch run {suite}`), then "
                f"`gatewatch baseline pin {suite}`"
            )
        return read_baseline(shortest(path))
    named = Path(reference)
    if reference.endswith(SUFFIX) and named.is_file():
        return read_baseline(named) if is_baseline(named) else read_run(named)
    return read_run(find_run(project.runs, reference))


def compare_named(project: Project, one: str, other: str, *, suite: str = "") -> Gated:
    """Two stored runs side by side, by the rule of their suite where there is one.

    Raises:
        InputError: when nothing is meant by a name, or it cannot be read.
    """
    before, after = sides_named(project, (one, other), suite)
    settings = project.settings.suites.get(after.suite)
    rule = Rule()
    if settings is not None and set(settings.scorers) == set(after.scorers):
        rule = rule_of(settings.gate, settings.scorers, f"{FILE}: suites.{after.suite}.gate")
    return compared(before, after, rule=rule, journal=project.runs / f"{before.run}{SUFFIX}")


def matrix_named(project: Project, names: Sequence[str], *, suite: str = "") -> Matrix:
    """Several stored runs beside the first of them.

    Raises:
        InputError: when nothing is meant by a name, or it cannot be read.
    """
    return matrix(sides_named(project, names, suite))


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
