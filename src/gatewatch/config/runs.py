"""From a suite, or the arguments of `run`, to runs that are ready to start.

Everything that a run needs is found good here, all problems at once, before any of it is paid for.
"""

import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config.imports import named_object
from gatewatch.config.load import FILE, shortest
from gatewatch.config.project import Problems, Project
from gatewatch.config.settings import SuiteSettings, TaskSettings
from gatewatch.config.tasks import make_task, settings_of, variants
from gatewatch.core.case import Case
from gatewatch.core.clock import now, stamp
from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.core.money import parse_budget
from gatewatch.core.run import DatasetRef, RunHeader, ScorerRef
from gatewatch.core.threads import DaemonPool
from gatewatch.offline.dataset import Dataset, from_cases, open_dataset
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.plan import Hook, Plan, choose
from gatewatch.offline.result import SUFFIX, Prepared, RunResult, execute, new_run_id, progress_of, unfinished
from gatewatch.offline.task import Task
from gatewatch.offline.tasks.call import CallTask
from gatewatch.offline.tasks.replay import ReplayTask
from gatewatch.scorers.base import Scorer


class Parts(Struct, frozen=True, kw_only=True):
    """What a run is made of, as far as it is not in the suite's settings."""

    task: Task
    dataset: Dataset
    scorers: tuple[Scorer, ...]
    setup: Hook | None = None
    teardown: Hook | None = None
    slice_of: Callable[[Any], str] | None = None


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
        changes: `trials`, `tier`, `concurrency`, `seed`, `budget` in the place of the suite's.

    Raises:
        ConfigError: with everything that is wrong, in the configuration and in the files that it names.
    """
    suite = suite_settings(project, name)
    suite = replace(suite, **{key: value for key, value in changes.items() if value is not None})
    where = f"{FILE}: suites.{name}"
    problems = Problems()
    scorers = _scorers(project, suite, where, problems)
    dataset, setup, teardown, slice_of = None, None, None, None
    with problems.gather():
        dataset = open_dataset(shortest(project.root / suite.dataset))
    with problems.gather():
        _budget(suite, where)
    with problems.gather():
        setup = named_object(project.root, suite.setup, f"{where}.setup") if suite.setup else None
    with problems.gather():
        teardown = named_object(project.root, suite.teardown, f"{where}.teardown") if suite.teardown else None
    with problems.gather():
        reference = project.settings.project.slice
        slice_of = named_object(project.root, reference, f"{FILE}: project.slice") if reference else None
    reference = task or suite.task
    found: list[tuple[str, TaskSettings]] = []
    with problems.gather():
        found = variants(suite, settings_of(reference, project.settings.tasks, f"{where}.task"), where)
    prepared = []
    for variant, settings in found:
        with problems.gather():
            made = make_task(
                settings,
                root=project.root,
                where=f"{FILE}: tasks.{reference}" if reference in project.settings.tasks else f"{where}.task",
                spec=f"{reference} {variant}".rstrip(),
                model_named=project.model,
                concurrency=suite.concurrency,
                timeout=suite.timeout,
            )
            if dataset is not None and not problems:
                parts = Parts(
                    task=made, dataset=dataset, scorers=scorers, setup=setup, teardown=teardown, slice_of=slice_of
                )
                ready = prepare(project, name, suite, parts, label=label or variant, limit=limit, resume=resume)
                prepared += [] if ready is None else [ready]
    with problems.gather():
        _check_prices(project, suite, where)
    problems.raise_any()
    if resume and not prepared:
        raise ConfigError(Problem(where, "has no unfinished run to resume", "leave --resume out to start one"))
    return prepared


def _scorers(project: Project, suite: SuiteSettings, where: str, problems: Problems) -> tuple[Scorer, ...]:
    found = []
    for position, name in enumerate(suite.scorers):
        with problems.gather():
            found.append(project.scorer(name, f"{where}.scorers[{position}]"))
        if suite.scorers.index(name) != position:
            problems.append(Problem(f"{where}.scorers[{position}]", f"{name!r} is given twice"))
    for name in suite.pass_at:
        if name not in suite.scorers:
            hint = did_you_mean(name, suite.scorers)
            problems.append(Problem(f"{where}.pass_at.{name}", "not a scorer of this suite", hint))
    return tuple(found)


def _budget(suite: SuiteSettings, where: str) -> float | None:
    """The suite's budget in US dollars, if it has one."""
    try:
        return parse_budget(suite.budget) if suite.budget else None
    except ValueError as error:
        raise ConfigError(Problem(f"{where}.budget", str(error))) from None


def _check_prices(project: Project, suite: SuiteSettings, where: str) -> None:
    """A budget can only be kept where every price is known."""
    problems = []
    for name in project.models if suite.budget else ():
        settings = project.settings.models[name]
        if not project.prices.known(settings.model, settings.base_url):
            what = f"cannot be kept: the price of {settings.model!r} ([models.{name}]) is unknown"
            problems.append(Problem(f"{where}.budget", what, f'add [prices."{settings.model}"] with input and output'))
    if problems:
        raise ConfigError(problems)


def prepare(
    project: Project,
    name: str,
    suite: SuiteSettings,
    parts: Parts,
    *,
    label: str = "",
    limit: int | None = None,
    resume: bool = False,
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
    run = new_run_id(f"{name}-{label}" if label else name)
    if path is not None:  # a run goes on as it began, whatever the suite says now
        before = JournalReader(path).header
        run, trials, seed, limit, tier = (
            before.run,
            before.trials,
            before.seed,
            before.dataset.limit,
            before.dataset.tier,
        )
    chosen = choose(parts.dataset, parts.task, parts.scorers, trials=trials, tier=tier, limit=limit, seed=seed)
    header = RunHeader(
        run=run,
        name=label,
        suite=name,
        task=parts.task.spec,
        components={**parts.task.versions, **commit_of(project.root)},
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
            name: {"model": model.settings.model, **project.prices.rates(model.settings.model, model.settings.base_url)}
            for name, model in project.models.items()
        },
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
        budget=_budget(suite, name),
        setup=parts.setup,
        teardown=parts.teardown,
        slice_of=parts.slice_of,
        pace=project.pace,
    )
    done = None if path is None else progress_of(path, header)
    return Prepared(plan, header, path or project.runs / f"{run}{SUFFIX}", done)


def commit_of(root: Path) -> dict[str, str]:
    """The commit that a folder is at, as a component; "+changes" says that there is more than was committed."""

    def git(*words: str) -> str | None:
        try:
            found = subprocess.run(
                ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return found.stdout.strip() if found.returncode == 0 else None

    commit = git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return {}
    return {"commit": commit + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")}


def check(project: Project) -> list[Problem]:
    """Everything that is wrong with a project, suite by suite and monitor by monitor."""
    problems = Problems()
    with problems.gather():
        project.scorers()
    for name in project.settings.suites:
        with problems.gather():
            prepare_suite(project, name)
    for name, monitor in project.settings.monitors.items():
        for position, each in enumerate(monitor.scorers):
            where = f"{FILE}: monitors.{name}.scorers[{position}]"
            with problems.gather():
                if project.scorer(each.use, where).reference_based:
                    what = f"{each.use!r} needs what was expected, which live traffic does not have"
                    hint = "use it in a suite, and here one that looks at the output alone"
                    raise ConfigError(Problem(where, what, hint))
    return list(dict.fromkeys(problems))


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
    unknown = settings.keys() - set(SuiteSettings.__struct_fields__)
    if unknown:
        word = sorted(unknown)[0]
        raise TypeError(f"run() has no argument {word!r} ({did_you_mean(word, SuiteSettings.__struct_fields__)})")
    spec = task if isinstance(task, str) else f"{task.__module__}:{getattr(task, '__qualname__', type(task).__name__)}"
    suite = SuiteSettings(dataset="", task=spec, scorers=(), **settings)
    problems = Problems()
    bound = []
    for each in scorers:
        with problems.gather():
            bound.append(project.scorer(each, "scorers") if isinstance(each, str) else project.bound(each))
    dataset = None
    with problems.gather():
        dataset = open_dataset(on) if isinstance(on, str | Path) else from_cases(on)
    problems.raise_any()
    assert dataset is not None
    made: Task
    if isinstance(task, str):
        found = settings_of(task, project.settings.tasks, "task")
        made = make_task(
            found,
            root=project.root,
            where="task",
            spec=spec,
            model_named=project.model,
            concurrency=suite.concurrency,
            timeout=suite.timeout,
        )
    else:
        made = CallTask(task, spec, threads=DaemonPool(suite.concurrency), timeout=suite.timeout)
    parts = Parts(task=made, dataset=dataset, scorers=tuple(bound), setup=setup, teardown=teardown)
    prepared = prepare(project, "", replace(suite, pass_at=suite.pass_at), parts, label=name, limit=limit)
    assert prepared is not None
    return execute(prepared, closing=project.close)
