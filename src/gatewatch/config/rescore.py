"""Scoring the stored outputs of a run again, by scorers as they are now, without calling the application."""

from pathlib import Path

from msgspec.structs import replace

from gatewatch.config.load import FILE, shortest
from gatewatch.config.parts import Parts
from gatewatch.config.project import Problems, Project
from gatewatch.config.runs import Part, prepare, suite_scorers, suite_settings
from gatewatch.core.errors import InputError, Problem
from gatewatch.offline.baseline import baseline_path, read_baseline
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.outcomes import read_run
from gatewatch.offline.pooling import trials_of
from gatewatch.offline.result import SUFFIX, Prepared, find_run
from gatewatch.offline.tasks.recorded import RecordedTask


def prepare_rescore(project: Project, reference: str, *, suite: str = "", label: str = "") -> tuple[Prepared, int]:
    """The outputs of a run, ready to be scored by a suite's scorers as they are now; and how many cases are left out.

    Left out are cases that are not in the dataset any more, or whose input or expectation changed.

    Raises:
        InputError: when the run's journal is not here, or no case is left.
    """
    run = read_run(stored(project, reference, suite))
    more = trials_of(project.runs, run)
    name = suite or run.suite
    settings = suite_settings(project, name)
    problems = Problems()
    scorers = suite_scorers(project, settings, f"{FILE}: suites.{name}", problems)
    dataset = None
    with problems.gather():
        dataset = open_dataset(shortest(project.root / settings.dataset))
    problems.raise_any()
    assert dataset is not None
    task = RecordedTask([run, *more])
    only = frozenset(case.id for case in dataset if task.has(case) and not case.retired)
    if not only:
        raise InputError(Problem(run.run, f"has no case of {settings.dataset} as it is now", "make a new run"))
    part = Part(purpose="rescore", of=run.run, only=only, components=run.components)
    parts = Parts(task=task, dataset=dataset, scorers=scorers)
    kept = replace(settings, trials=task.trials, tier=None)
    ready = prepare(project, name, kept, parts, label=label, part=part)
    assert ready is not None
    return ready, len(run.cases) - len(only)


def stored(project: Project, reference: str, suite: str) -> Path:
    """The journal of a run, or of the run that a suite's baseline was pinned from.

    Raises:
        InputError: when it is not here.
    """
    if reference != "baseline":
        return find_run(project.runs, reference)
    if not suite:
        raise InputError(Problem("baseline", "whose?", "name the suite with --suite"))
    path = baseline_path(project.root, suite)
    if not path.is_file():
        raise InputError(Problem(str(shortest(path)), "no such baseline", "`gatewatch baseline pin RUN` writes it"))
    journal = project.runs / f"{read_baseline(path).run}{SUFFIX}"
    if not journal.is_file():
        what = "the journal of the baseline's run is not on this machine, so that its outputs cannot be scored again"
        raise InputError(Problem(str(shortest(journal)), what, "run the baseline's version again and pin that"))
    return journal
