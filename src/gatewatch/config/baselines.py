"""Pinning a baseline from a run that is whole, with more trials if asked for."""

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config.candidates import Execute
from gatewatch.config.load import shortest
from gatewatch.config.project import Project
from gatewatch.config.runs import Part, prepare_suite, suite_settings
from gatewatch.config.sides import reference_of
from gatewatch.config.verdicts import said_of
from gatewatch.core.baseline import MOST_OUTCOMES, BaselineHeader, BaselineLine
from gatewatch.core.errors import ConfigError, InputError, Problem
from gatewatch.core.run import ScorerRef
from gatewatch.offline.baseline import baseline_name, baseline_path, make_baseline, read_baseline, write_baseline
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.pooling import one_version, runs_of_version, trials_of
from gatewatch.offline.result import Prepared, execute, find_run


class Pinned(Struct, frozen=True):
    """A baseline: where it lies, what it says, and what was noticed on the way."""

    path: Path
    header: BaselineHeader
    lines: list[BaselineLine]
    notes: tuple[str, ...] = ()


def whole_run(path: Path) -> Outcomes:
    """A run that can stand for its version.

    Raises:
        InputError: when it is partial, limited, was stopped early, has nothing but errors, or is a part of another run.
    """
    run = read_run(path)
    why, hint = "", ""
    if run.purpose in ("flips", "trials"):
        why, hint = "is a part of another run", "name that one"
    elif run.dataset.limit:
        why, hint = f"is of the first {run.dataset.limit} cases alone (--limit)", "make a run of all of them"
    elif not run.complete:
        why = f"is not complete: {run.rows} of {run.expected_rows} rows"
        hint = "a run that was cut off or stopped early cannot be a baseline; --resume goes on with it"
    elif run.all_failed:
        why, hint = "has nothing but errors to show", "a baseline says how good the application is"
    if why:
        raise InputError(Problem(str(path), why, hint))
    return run


def _from_root(root: Path, path: str) -> str:
    """A dataset's path as it is the same on every machine: from the project's folder, wherever the run was started."""
    whole = Path(path).resolve()
    inside = not path.startswith("(") and whole.is_relative_to(root.resolve())
    return whole.relative_to(root.resolve()).as_posix() if inside else path


def prepare_more(project: Project, run: Outcomes, trials: int) -> Prepared:
    """More trials of every case of a run, ready to be made; `project` is to be one without a reply cache.

    Raises:
        InputError: when the application, the dataset or a scorer is not what it was when the run was made.
    """
    suite = suite_settings(project, run.suite)
    reference, version = reference_of(suite, run.task)
    part = Part(purpose="trials", of=run.run, only=frozenset(run.cases))
    made = prepare_suite(project, run.suite, task=reference, version=version, part=part, trials=trials)
    (ready,) = made
    same = {
        "the application": one_version(run.components, ready.header.components),
        "the dataset": run.dataset.version == ready.header.dataset.version,
        "a scorer": _rulers(run.scorers) == _rulers(ready.header.scorers),
    }
    differs = [name for name, alike in same.items() if not alike]
    if differs:
        what = f"cannot be given more trials: {' and '.join(differs)} changed since, or cannot be told to be the same"
        raise InputError(Problem(run.run, what, f"make a new run with `gatewatch run {run.suite}` and pin that"))
    if not ready.plan.task.timed:
        raise InputError(Problem(run.run, "is a recording: it has no more trials to give", "pin it without --trials"))
    return ready


def _rulers(scorers: dict[str, ScorerRef]) -> dict[str, str]:
    return {name: ref.fingerprint for name, ref in scorers.items()}


def pin(
    project: Project,
    reference: str,
    *,
    trials: int | None = None,
    reason: str = "",
    make: Execute = execute,
    forecast: Callable[[Prepared], None] = lambda _ready: None,
) -> Pinned:
    """Pin a run as the baseline of its suite.

    Args:
        project: the project.
        reference: the run: its id, name, suite or file.
        trials: how many trials of each case the baseline is to have; what the run lacks is run now.
        reason: why, for the file.
        make: makes a prepared run.
        forecast: is shown what will be run, before it is.

    Raises:
        InputError: when the run cannot be a baseline, or cannot be given more trials.
    """
    run = whole_run(find_run(project.runs, reference))
    baseline_name(run)
    if said_of(project, run.run) == "REGRESSED" and not reason:
        hint = "say with --reason why it is accepted, or name another run"
        raise InputError(Problem(run.run, "was judged REGRESSED by a gate", hint))
    more = more_trials(project, run, trials, make=make, forecast=forecast)
    pinned = pinned_of(project, run, more=more, reason=reason)
    write_baseline(pinned.path, pinned.header, pinned.lines)
    return pinned


def more_trials(
    project: Project, run: Outcomes, trials: int | None, *, make: Execute, forecast: Callable[[Prepared], None]
) -> list[Outcomes]:
    """The runs that give a run more trials: those that were made, and one that is made now for what lacks.

    Raises:
        InputError: as `pin` does.
    """
    more = trials_of(project.runs, run)
    have = min(len(outcome.trials) for outcome in run.cases.values()) + sum(each.trials for each in more)
    if trials is not None and trials > MOST_OUTCOMES:
        raise InputError(Problem("--trials", f"at most {MOST_OUTCOMES} are kept of a case, got {trials}"))
    if trials is None or trials <= have:
        return more
    if run.suite not in project.settings.suites:
        raise ConfigError(Problem(run.run, "is of no suite of gatewatch.toml: it cannot be given more trials"))
    fresh = project.anew()
    ready = prepare_more(fresh, run, trials - have)
    forecast(ready)
    made = make(ready, closing=fresh.close)
    if made.summary.state != "complete":
        why = made.summary.end.reason if made.summary.end else "it was cut off"
        raise InputError(Problem(made.id, f"is not complete: {why}", "nothing was pinned"))
    return [*more, read_run(made.path)]


def pinned_of(
    project: Project,
    run: Outcomes,
    *,
    more: Sequence[Outcomes] = (),
    tried: Sequence[Outcomes] = (),
    reason: str = "",
    version: str = "",
) -> Pinned:
    """The baseline that a run makes, not written yet.

    Args:
        project: the project.
        run: the run, whole.
        more: runs that give it more trials of every case.
        tried: runs in which some of its cases were tried again: they are outcomes, and in no mean.
        reason: why it is pinned.
        version: that of the dataset, where it is another than that of the run.
    """
    path = baseline_path(project.root, baseline_name(run))
    previous, notes = None, []
    if path.is_file():
        try:
            previous = read_baseline(path)
        except InputError as error:
            notes.append(f"the baseline so far cannot be read and is written over, its history is lost: {error}")
    past = runs_of_version(project.runs, run, besides=[each.run for each in more])
    header, lines = make_baseline(run, more=more, past=[*past, *tried], previous=previous, reason=reason)
    where = _from_root(project.root, header.dataset.path)
    dataset = replace(header.dataset, path=where, version=version or header.dataset.version)
    return Pinned(shortest(path), replace(header, dataset=dataset), lines, tuple(notes))
