"""Auditing a dataset: what it is looked at beside, gathered from the project as far as it is there."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from gatewatch.config.calibrations import calibrations_of
from gatewatch.config.load import FILE, shortest
from gatewatch.config.monitors import store_there
from gatewatch.config.parts import project_slice
from gatewatch.config.project import Problems, Project
from gatewatch.config.settings import SuiteSettings, TaskSettings
from gatewatch.config.tasks import settings_of, variants
from gatewatch.core.clock import now
from gatewatch.core.errors import ConfigError, GatewatchError, InputError, Problem, did_you_mean
from gatewatch.loop.audit import Audit, Beside, Unknown, audit
from gatewatch.loop.audit_live import Live
from gatewatch.loop.finding import Looked
from gatewatch.loop.leaks import Source
from gatewatch.offline.baseline import baseline_path, read_baseline
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.plan import slice_name
from gatewatch.offline.result import run_paths
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.judge import rubric_of
from gatewatch.scorers.suspects import Suspect

if TYPE_CHECKING:
    from gatewatch.store.base import Store

_RUNS, _ROWS = 20, 100_000
_LONGEST_SOURCE = 2_000_000
_NO_SUITE = "no suite of gatewatch.toml has this dataset"


class Named(Struct, frozen=True):
    """A dataset file, and the suite that it is looked at for: "" where none, or more than one, has it."""

    path: Path
    suite: str
    why: str = ""


def dataset_named(project: Project, name: str) -> Named:
    """The dataset that a suite's name, or a file's, stands for.

    Raises:
        ConfigError: there is no such suite, and no such file.
    """
    suites = project.settings.suites
    if name in suites:
        return Named(shortest(project.root / suites[name].dataset), name)
    path = Path(name)
    if not path.is_file():
        hint = did_you_mean(name, suites) if suites else "name a .jsonl or .csv file"
        raise ConfigError(Problem(name, "is neither a suite nor a dataset file", hint))
    mine = [each for each, suite in suites.items() if (project.root / suite.dataset).resolve() == path.resolve()]
    if len(mine) == 1:
        return Named(path, mine[0])
    return Named(path, "", f"is of the suites {', '.join(mine)}: name one of them" if mine else _NO_SUITE)


def audit_dataset(project: Project, name: str, *, days: float, flow: str = "") -> tuple[Audit, Path]:
    """Audit the dataset of a suite, or a dataset file, and say which file that is.

    Args:
        project: the project.
        name: the suite, or the file.
        days: for how many days nothing like a case must have been asked for it to be stale.
        flow: the flow of live traffic that the dataset stands for; by default the one of the monitor that names the
            suite as its baseline, or the only one that there is.

    Raises:
        InputError: there is no such dataset, or it has flaws.
    """
    named = dataset_named(project, name)
    dataset = open_dataset(named.path)
    if not named.suite:
        missing = Unknown(named.why)
        beside = Beside(
            today=now().date(),
            baseline=missing,
            scorers=missing,
            sources=missing,
            live=live_of(project, "", flow, days) if flow else missing,
            slice_of=slices_of(project),
        )
        return audit(dataset, beside), named.path
    suite = project.settings.suites[named.suite]
    baseline = _baseline(project, named.suite)
    scorers = _scorers(project, named.suite, suite)
    beside = Beside(
        today=now().date(),
        baseline=baseline,
        versions=_versions(project, named.suite, baseline),
        scorers=scorers,
        sources=_sources(project, suite, () if isinstance(scorers, Unknown) else scorers),
        live=live_of(project, named.suite, flow, days),
        people=_people(project, suite),
        slice_of=slices_of(project),
    )
    return audit(dataset, beside, named.suite), named.path


def slices_of(project: Project) -> Callable[[Looked], str]:
    """How a case's slice is told: as it states it, or by the project's function where that can be had."""
    slice_of = None
    with suppress(InputError):
        slice_of = project_slice(project)
    return lambda each: each.case.slice or slice_name(slice_of, each.case)


def _baseline(project: Project, name: str) -> Outcomes | Unknown:
    path = shortest(baseline_path(project.root, name))
    if not path.is_file():
        return Unknown(f"no baseline is pinned ({path})")
    try:
        return read_baseline(path)
    except InputError as error:
        return Unknown(str(error.problems[0]))


def _versions(project: Project, name: str, baseline: Outcomes | Unknown) -> list[Outcomes]:
    """The newest stored runs of a suite, as many as tell enough, and its baseline where its run is not among them."""
    found: list[Outcomes] = []
    for path in run_paths(project.runs):
        with suppress(InputError):  # a foreign file in the folder is nobody's run
            header = JournalReader(path).header
            if header.suite == name and header.purpose in ("", "trials"):
                found.append(read_run(path))
        if len(found) == _RUNS or sum(each.rows for each in found) >= _ROWS:
            break
    if not isinstance(baseline, Unknown) and all(each.run not in baseline.runs for each in found):
        found.append(baseline)
    return found


def _scorers(project: Project, name: str, suite: SuiteSettings) -> tuple[Scorer, ...] | Unknown:
    problems = Problems()
    found: list[Scorer] = []
    for position, each in enumerate(suite.scorers):
        with problems.gather():
            found.append(project.named(each, f"{FILE}: suites.{name}.scorers[{position}]"))
    return Unknown(str(problems[0])) if problems else tuple(found)


def _people(project: Project, suite: SuiteSettings) -> dict[str, tuple[Suspect, ...]]:
    """The labels that calibrations of the suite's judges name as worth another look."""
    return {
        kept.scorer: tuple(kept.found.suspects)
        for kept in calibrations_of(project.root)
        if kept.scorer in suite.scorers
    }


# What the application and its judges are given


def _sources(project: Project, suite: SuiteSettings, scorers: tuple[Scorer, ...]) -> list[Source] | Unknown:
    """Prompts, the task's own code, and rubrics."""
    where = f"{FILE}: suite"
    try:
        made = variants(suite, settings_of(suite.task, project.settings.tasks, where), where)
    except InputError as error:
        return Unknown(str(error.problems[0]))
    files = [path for _, task in made for path in _files(project.root, task)]
    texts = {str(shortest(path)): text for path in dict.fromkeys(files) if (text := _text(path)) is not None}
    for scorer in _parts(scorers):
        rubric = rubric_of(scorer)
        if rubric is not None:
            shots = [part for shot in rubric.examples for part in (shot.input, shot.output)]
            texts[rubric.path or f"rubric {rubric.name}"] = "\n\n".join([rubric.text, rubric.template, *shots])
    if not texts:
        return Unknown("the task names no prompt and no code of this project, and no scorer has a rubric")
    return [Source(name, text) for name, text in texts.items()]


def _parts(scorers: tuple[Scorer, ...]) -> Iterator[Scorer]:
    for scorer in scorers:
        yield scorer
        yield from _parts(scorer.parts)


def _files(root: Path, task: TaskSettings) -> Iterator[Path]:
    """The files that a task's settings name, as far as they are the project's own."""
    yield from (root / name for name in (task.prompt, task.system, task.tools) if name)
    if task.call:
        module = root / task.call.partition(":")[0].replace(".", "/")
        yield from (module.with_suffix(".py"), module / "__init__.py")
    if task.command:
        with suppress(ValueError):
            words = shlex.split(task.command) if isinstance(task.command, str) else task.command
            yield from (root / word for word in words if word and not word.startswith("-") and "\0" not in word)


def _text(path: Path) -> str | None:
    """A file's text, where it is one, of a size that somebody wrote."""
    try:
        if not path.is_file() or path.stat().st_size > _LONGEST_SOURCE:
            return None
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return None


# Live traffic


def live_of(project: Project, suite: str, flow: str, days: float) -> Live | Unknown:
    """What is known of the traffic that a dataset stands for, or why it is not."""
    from gatewatch.loop.live import read_live

    try:
        store = store_there(project)
    except GatewatchError as error:
        return Unknown(str(error))
    if store is None:
        return Unknown("there is no store of live traffic")
    try:
        chosen = flow or _flow(project, store, suite)
        if isinstance(chosen, Unknown):
            return chosen
        return read_live(store, chosen, days=days, until=now().timestamp())
    finally:
        store.close()


def _flow(project: Project, store: "Store", suite: str) -> str | Unknown:
    """The flow that a suite's dataset stands for."""
    monitors = project.settings.monitors.values()
    named = {each.flow for each in monitors if each.baseline == suite} or {each.flow for each in monitors}
    found = sorted(named or store.flows())
    if len(found) == 1:
        return found[0]
    if not found:
        return Unknown("the store has no live traffic")
    return Unknown(f"which flow the dataset stands for is not said: name one of {', '.join(found)} with --flow")
