"""From a suite, or the arguments of `run`, to runs that are ready to start.

Everything that a run needs is found good here, all problems at once, before any of it is paid for.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config.load import FILE, shortest
from gatewatch.config.parts import (
    Parts,
    budget_of,
    check_prices,
    check_scorers,
    commit_of,
    function_of,
    models_of,
    one_argument,
    project_slice,
)
from gatewatch.config.project import Problems, Project
from gatewatch.config.rules import rule_of
from gatewatch.config.settings import SuiteSettings, TaskSettings
from gatewatch.config.tasks import make_task, settings_of, variants
from gatewatch.core import shape
from gatewatch.core.case import Case
from gatewatch.core.clock import now, stamp
from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.core.run import DatasetRef, Purpose, RunHeader, ScorerRef
from gatewatch.core.threads import DaemonPool
from gatewatch.offline.dataset import from_cases, open_dataset
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.plan import Hook, Plan, choose
from gatewatch.offline.result import SUFFIX, Prepared, RunResult, execute, new_run_id, progress_of, unfinished
from gatewatch.offline.task import Task
from gatewatch.offline.tasks.call import CallTask
from gatewatch.offline.tasks.replay import ReplayTask
from gatewatch.scorers.base import Scorer


class Part(Struct, frozen=True, kw_only=True):
    """What a run is of another: why it is made, the run that it belongs to, and its cases, if not all.

    `components` are that other run's, where they are not those of now: of outputs that are scored again.
    """

    purpose: Purpose
    of: str
    only: frozenset[str] | None = None
    components: dict[str, str] | None = None


def suite_settings(project: Project, name: str) -> SuiteSettings:
    """A suite by name.

    Raises:
        ConfigError: when there is none.
    """
    suites = project.settings.suites
    if name not in suites:
        raise ConfigError(Problem(FILE, f"there is no [suites.{name}]", did_you_mean(name, suites)))
    return suites[name]


def prepare_suite(
    project: Project,
    name: str,
    *,
    task: str = "",
    label: str = "",
    limit: int | None = None,
    resume: bool = False,
    version: str = "",
    part: Part | None = None,
    **changes: Any,
) -> list[Prepared]:
    """The runs of a suite, one for each variant of its matrix, ready to start.

    Args:
        project: the project.
        name: the suite.
        task: another task in the place of the suite's.
        label: a name for the run.
        limit: run only the first cases, this many.
        resume: go on with runs that were cut off; variants that have none are left out.
        version: only the variant with this task, as a run's header has it.
        part: what the run is of another, if it is made for one.
        changes: `trials`, `tier`, `concurrency`, `seed`, `budget` in the place of the suite's.

    Raises:
        ConfigError: with everything that is wrong, in the configuration and in the files that it names.
    """
    suite = suite_settings(project, name)
    suite = replace(suite, **{key: value for key, value in changes.items() if value is not None})
    where = f"{FILE}: suites.{name}"
    problems = Problems()
    scorers = suite_scorers(project, suite, where, problems)
    dataset, setup, teardown, slice_of = None, None, None, None
    with problems.gather():
        dataset = open_dataset(shortest(project.root / suite.dataset))
    with problems.gather():
        budget_of(suite.budget, f"{where}.budget")
    with problems.gather():
        setup = function_of(project, suite.setup, f"{where}.setup")
    with problems.gather():
        teardown = function_of(project, suite.teardown, f"{where}.teardown")
    with problems.gather():
        slice_of = project_slice(project)
    with problems.gather():
        rule_of(suite.gate, suite.scorers, f"{where}.gate")
    reference = task or suite.task
    found: list[tuple[str, TaskSettings]] = []
    with problems.gather():
        found = variants(suite, settings_of(reference, project.settings.tasks, f"{where}.task"), where)
    only = version or (_task_of_run(project, label) if resume else "")
    prepared = []
    for variant, settings in found:
        spec = f"{reference} {variant}".rstrip()
        if variant and only not in ("", spec):
            continue
        with problems.gather():
            made = _task(project, reference, spec, settings, suite, f"{where}.task")
            if suite.budget:
                check_prices(project, made, scorers, f"{where}.budget")
            if dataset is not None and not problems:
                parts = Parts(
                    task=made, dataset=dataset, scorers=scorers, setup=setup, teardown=teardown, slice_of=slice_of
                )
                name_of_run = label if only else f"{label} {variant}".strip()
                ready = prepare(project, name, suite, parts, label=name_of_run, limit=limit, resume=resume, part=part)
                prepared += [] if ready is None else [ready]
    problems.raise_any()
    if resume and not prepared:
        raise ConfigError(Problem(where, "has no unfinished run to resume", "leave --resume out to start one"))
    return prepared


def _task_of_run(project: Project, run: str) -> str:
    """The task of the run with this id, if there is one: it tells which variant of a matrix is meant."""
    path = project.runs / f"{run}{SUFFIX}"
    return JournalReader(path).header.task if run and path.is_file() else ""


def _task(
    project: Project, reference: str, spec: str, settings: TaskSettings, suite: SuiteSettings, where: str
) -> Task:
    """The task that a reference stands for; `where` is the reference's own place."""
    short = reference not in project.settings.tasks
    return make_task(
        settings,
        root=project.root,
        where=where if short else f"{FILE}: tasks.{reference}",
        spec=spec,
        model_named=project.model,
        concurrency=suite.concurrency,
        timeout=suite.timeout,
        short=short,
    )


def suite_scorers(project: Project, suite: SuiteSettings, where: str, problems: Problems) -> tuple[Scorer, ...]:
    """The scorers that a suite names, ready to be called; what is wrong with them is added to the problems."""
    found = []
    for position, name in enumerate(suite.scorers):
        with problems.gather():
            found.append(project.scorer(name, f"{where}.scorers[{position}]"))
    problems += check_scorers(suite.scorers, suite.pass_at, f"{where}.")
    return tuple(found)


def prepare(
    project: Project,
    name: str,
    suite: SuiteSettings,
    parts: Parts,
    *,
    label: str = "",
    limit: int | None = None,
    resume: bool = False,
    part: Part | None = None,
) -> Prepared | None:
    """One run, ready to start, or None when it was to be resumed and there is none to resume.

    Raises:
        InputError: when a case cannot be run, or the run to be resumed would go on changed.
    """
    path = unfinished(project.runs, name, label) if resume else None
    if resume and path is None:
        return None
    trials = suite.trials or (parts.task.trials if isinstance(parts.task, ReplayTask) else 1)
    tier, seed = suite.tier, suite.seed
    run = new_run_id("-".join(each for each in (name, label, part.purpose if part else "") if each))
    if path is not None:  # a run goes on as it began, whatever the suite says now
        before = JournalReader(path).header
        run, trials, seed, limit, tier = (
            before.run,
            before.trials,
            before.seed,
            before.dataset.limit,
            before.dataset.tier,
        )
    models = models_of(project, parts.task, parts.scorers)
    only = None if part is None else part.only
    chosen = choose(
        parts.dataset, parts.task, parts.scorers, trials=trials, tier=tier, limit=limit, seed=seed, only=only
    )
    header = RunHeader(
        run=run,
        name=label,
        suite=name,
        task=parts.task.spec,
        components=(part and part.components) or {**parts.task.versions, **commit_of(project.root)},
        dataset=DatasetRef(
            path=parts.dataset.path, version=parts.dataset.version, cases=len(chosen), tier=tier, limit=limit
        ),
        scorers={
            each.name: ScorerRef(each.fingerprint, each.source, each.identity.parts, suite.pass_at.get(each.name))
            for each in parts.scorers
        },
        trials=trials,
        seed=seed,
        started=stamp(now()),
        prices={
            each: {"model": model.settings.model, **project.prices.rates(model.settings.model, model.settings.base_url)}
            for each, model in models.items()
        },
        fresh=project.fresh or not any(model.settings.cache for model in models.values()),
        purpose="" if part is None else part.purpose,
        of="" if part is None else part.of,
    )
    plan = Plan(
        run=run,
        task=parts.task,
        dataset=parts.dataset,
        chosen=chosen,
        scorers=parts.scorers,
        trials=trials,
        concurrency=suite.concurrency,
        timeout=suite.timeout,
        scorer_timeout=suite.scorer_timeout,
        budget=budget_of(suite.budget, "budget"),
        setup=parts.setup,
        teardown=parts.teardown,
        slice_of=parts.slice_of,
        price=project.prices.cost,
        pace=lambda: {each: model.pace.state() for each, model in models.items()},
    )
    done = None if path is None else progress_of(path, header, task_is_paid=parts.task.timed)
    return Prepared(plan, header, path or project.runs / f"{run}{SUFFIX}", done)


def run(
    task: Callable[..., Any] | str,
    *,
    on: str | Path | Iterable[Case | dict[str, Any]],
    scorers: Iterable[Scorer | str],
    name: str = "",
    limit: int | None = None,
    setup: Hook | None = None,
    teardown: Hook | None = None,
    **settings: Any,
) -> RunResult:
    """Run a task over a dataset, score every row, and keep it all in `.gatewatch/runs`.

    Args:
        task: a function, sync or async; or, as in a suite, `module:function`, `replay:FILE`, a URL or a `[tasks]` name.
        on: a dataset file, or cases: `Case` objects, or objects with the fields of a dataset line.
        scorers: scorers, or the names of scorers of the project or of ours.
        name: a name for the run.
        limit: run only the first cases, this many.
        setup: called with each case before the task.
        teardown: called with each case after the task.
        settings: any other key of a suite: trials, tier, concurrency, timeout, scorer_timeout, seed, budget, pass_at.

    Raises:
        InputError: when something given is wrong; nothing was run.
        RunBroken: when the run could not go on; what was done is in its journal.
    """
    project = Project.open(required=False)
    problems = Problems()
    suite = _suite_given(settings, limit, problems)
    bound: list[Scorer] = []
    given = [scorers] if isinstance(scorers, str) else list(scorers)
    for position, each in enumerate(given):
        with problems.gather():
            bound.append(_scorer_given(project, each, f"scorers[{position}]"))
    problems += check_scorers([each.name for each in bound], suite.pass_at, "")
    dataset, made, slice_of = None, None, None
    with problems.gather():
        dataset = open_dataset(on) if isinstance(on, str | Path) else from_cases(on)
    for where, hook in (("setup", setup), ("teardown", teardown)):
        with problems.gather():
            _ = hook and one_argument(hook, where)
    with problems.gather():
        slice_of = project_slice(project)
    with problems.gather():
        made = _task_given(project, task, suite)
        if budget_of(suite.budget, "budget") is not None:
            check_prices(project, made, bound, "budget")
    problems.raise_any()
    assert dataset is not None
    assert made is not None
    parts = Parts(task=made, dataset=dataset, scorers=tuple(bound), setup=setup, teardown=teardown, slice_of=slice_of)
    prepared = prepare(project, "", suite, parts, label=name, limit=limit)
    assert prepared is not None
    result = execute(prepared, closing=project.close)
    spent: list[float] = []  # of one budget, which the run has used a part of

    def again(cases: Sequence[str], times: int) -> Outcomes:
        fresh = project.anew()
        anew = replace(
            parts, task=_task_given(fresh, task, suite), scorers=tuple(map(fresh.bound, _unbound(project, given)))
        )
        part = Part(purpose="flips", of=prepared.header.run, only=frozenset(cases))
        ready = prepare(fresh, "", replace(suite, trials=times), anew, label=name, part=part)
        assert ready is not None
        left = None if ready.plan.budget is None else ready.plan.budget - sum(spent)
        if left is not None and left <= 0.0:
            return Outcomes.of(ready.header)
        more = execute(replace(ready, plan=replace(ready.plan, budget=left)), closing=fresh.close)
        spent.append(more.summary.task_cost.amount + more.summary.judge_cost.amount)
        return read_run(more.path)

    if made.timed:
        spent.append(result.summary.task_cost.amount + result.summary.judge_cost.amount)
        result.again = again
    return result


def _unbound(project: Project, given: Iterable[Scorer | str]) -> list[Scorer]:
    """Scorers as they were given, without models."""
    return [project.named(each, "scorers") if isinstance(each, str) else each for each in given]


_OTHERWISE = {"dataset", "task", "scorers", "setup", "teardown", "matrix", "gate"}  # keys of a suite that `run` has not


def _suite_given(settings: dict[str, Any], limit: int | None, problems: Problems) -> SuiteSettings:
    """The settings of a run, from keyword arguments.

    Raises:
        TypeError: for an argument that there is not.
    """
    known = [key for key in SuiteSettings.__struct_fields__ if key not in _OTHERWISE]
    for key in settings:
        if key not in known:
            raise TypeError(f"run() has no argument {key!r} ({did_you_mean(key, known)})")
    given = {key: value for key, value in settings.items() if value is not None}
    suite = shape.convert({"dataset": "", "task": "", "scorers": (), **given}, SuiteSettings)
    if limit is not None and limit < 1:
        problems.append(Problem("limit", f"must be 1 or more, got {limit}"))
    if isinstance(suite, list):
        problems += [Problem(where, what, hint) for where, what, hint in suite]
        return SuiteSettings("", "", ())
    return suite


def _scorer_given(project: Project, given: Any, where: str) -> Scorer:
    if isinstance(given, str):
        return project.scorer(given, where)
    if isinstance(given, Scorer):
        return project.bound(given)
    hint = "make one of a function with @scorer" if callable(given) else "a scorer, or the name of one"
    raise ConfigError(Problem(where, f"expected a scorer, got {type(given).__name__}", hint))


def _task_given(project: Project, task: Callable[..., Any] | str, suite: SuiteSettings) -> Task:
    if not isinstance(task, str):
        spec = f"{task.__module__}:{getattr(task, '__qualname__', type(task).__name__)}"
        try:
            return CallTask(task, spec, threads=DaemonPool(suite.concurrency), timeout=suite.timeout)
        except ValueError as error:
            raise ConfigError(Problem("task", str(error), "give a function that is written in Python")) from None
    return _task(project, task, task, settings_of(task, project.settings.tasks, "task"), suite, "task")
