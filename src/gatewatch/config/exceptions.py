"""Writing an exception: what it names is looked for in the project, so that a slip of the pen accepts nothing."""

from datetime import date
from pathlib import Path

from gatewatch.config.load import shortest
from gatewatch.config.project import Project
from gatewatch.core.clock import now
from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.offline.accept import FILE, Entry, read_exceptions, write_entry
from gatewatch.offline.dataset import open_dataset


def accept(
    project: Project,
    what: str,
    *,
    reason: str,
    until: date,
    owner: str,
    suite: str = "",
    scorer: str = "",
    write: bool = True,
) -> tuple[Entry, Path]:
    """Write an exception for a case or a scorer to the project's accepted.toml; the entry, and the file.

    Args:
        project: the project.
        what: a case of one of its datasets, or a scorer of one of its suites.
        reason: why.
        until: the last day on which it holds.
        owner: who will look again.
        suite: only in this suite.
        scorer: the case under this scorer alone.
        write: whether to write it; otherwise it is only made.

    Raises:
        InputError: when there is no such case or scorer, the day has passed, or the file is wrong or cannot be written.
    """
    suites = project.settings.suites
    if suite and suite not in suites:
        raise ConfigError(Problem("--suite", f"there is no suite {suite!r}", did_you_mean(suite, suites)))
    if until < now().date():
        raise ConfigError(Problem("--until", f"{until} has passed already", "give a day to come"))
    chosen = [suites[suite]] if suite else [*suites.values()]
    scorers = {name for each in chosen for name in each.scorers}
    if scorer and scorer not in scorers:
        raise ConfigError(Problem("--scorer", f"no suite has a scorer {scorer!r}", did_you_mean(scorer, scorers)))
    cases: set[str] = set()
    for dataset in dict.fromkeys(each.dataset for each in chosen):
        cases |= {case.id for case in open_dataset(shortest(project.root / dataset))}
    is_case, is_scorer = what in cases, what in scorers and not scorer
    if is_case and is_scorer:
        raise ConfigError(Problem(what, "is a case and a scorer", "name the scorer with --scorer to mean the case"))
    if not (is_case or is_scorer):
        raise ConfigError(
            Problem(what, "is neither a case nor a scorer", did_you_mean(what, [*scorers, *cases][:2000]))
        )
    path = project.root / FILE
    read_exceptions(path, suite, shown=str(shortest(path)))
    entry = Entry(
        case=what if is_case else "",
        scorer=scorer if is_case else what,
        suite=suite,
        reason=reason,
        until=until,
        owner=owner,
    )
    if write:
        write_entry(path, entry)
    return entry, shortest(path)
