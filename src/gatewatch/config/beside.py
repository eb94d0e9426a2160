"""Which pinned baseline is shown beside the live scores of a scorer, and what it says of it, by slice."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from gatewatch.config.project import Project
from gatewatch.core.errors import InputError
from gatewatch.offline.baseline import baseline_path, read_baseline
from gatewatch.offline.outcomes import Outcomes
from gatewatch.online.beside import Beside, Golden, beside
from gatewatch.online.trends import ScorerTrend, Trend
from gatewatch.stats.intervals import MeanEstimate

_OF_RUNS = frozenset(("rule", "judge"))


def besides(project: Project, found: Trend) -> dict[tuple[str, str], Beside]:
    """The baseline beside each scorer of a trend that has one, by the scorer's name and fingerprint.

    It is that of the suite which the flow's monitor names as its `baseline`; else of the one suite with a pinned
    baseline that uses the scorer. Where several do, none is shown.
    """
    stated = next((each.baseline for each in project.settings.monitors.values() if each.flow == found.flow), "")
    told = {}
    for each in found.scorers:
        if each.source not in _OF_RUNS:
            continue
        golden = _golden(each, list(_suites(project, each.scorer, stated)), project)
        if golden is not None:
            told[each.scorer, each.fingerprint] = beside(found, each, golden)
    return told


def pinned(project: Project) -> set[str]:
    """The scorers of suites that have a pinned baseline."""
    suites = project.settings.suites.items()
    return {scorer for name, suite in suites if baseline_path(project.root, name).is_file() for scorer in suite.scorers}


def _suites(project: Project, scorer: str, stated: str) -> Iterable[str]:
    """The suites whose baseline may be meant."""
    for name, suite in project.settings.suites.items():
        if stated in ("", name) and scorer in suite.scorers and baseline_path(project.root, name).is_file():
            yield name


def _golden(scorer: ScorerTrend, suites: list[str], project: Project) -> Golden | None:
    if len(suites) != 1:
        return None
    (suite,) = suites
    path = baseline_path(project.root, suite)
    try:
        state = path.stat()
        return _read_golden(path, state.st_mtime_ns, state.st_size, suite, scorer.scorer)
    except OSError as error:
        return Golden(suite, flaw=f"its baseline cannot be read: {error.strerror}")
    except InputError as error:
        flaw = str(error).split("\n")[0]
        return Golden(suite, flaw=f"its baseline cannot be read: {flaw}")


@lru_cache(maxsize=32)
def _read_golden(path: Path, changed: int, size: int, suite: str, scorer: str) -> Golden:
    """What the baseline in a file says of a scorer, for as long as the file is the same."""
    del changed, size  # by which the file is known to be another
    found = read_baseline(path)
    if scorer not in found.scorers:
        return Golden(suite, found.pinned, flaw="its baseline does not have the scorer: pin it anew")
    slices = _slices(found, scorer)
    fingerprint = found.scorers[scorer].fingerprint
    return Golden(suite, found.pinned, fingerprint, {name: each.result() for name, each in slices.items()})


def _slices(found: Outcomes, scorer: str) -> Mapping[str, MeanEstimate]:
    made: dict[str, MeanEstimate] = {}
    for outcome in found.cases.values():
        value = outcome.value(scorer)
        if value is not None:
            made.setdefault(outcome.slice, MeanEstimate()).add(value, outcome.cluster)
    return made
