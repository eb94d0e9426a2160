"""Which pinned baseline is shown beside the live scores of a scorer, and what it says of it, by slice."""

from collections.abc import Iterable, Mapping

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
    pinned: dict[str, Outcomes | str] = {}
    told = {}
    for each in found.scorers:
        if each.source not in _OF_RUNS:
            continue
        golden = _golden(each, list(_suites(project, each.scorer, stated)), pinned, project)
        if golden is not None:
            told[each.scorer, each.fingerprint] = beside(found, each, golden)
    return told


def _suites(project: Project, scorer: str, stated: str) -> Iterable[str]:
    """The suites whose baseline may be meant."""
    for name, suite in project.settings.suites.items():
        if stated in ("", name) and scorer in suite.scorers and baseline_path(project.root, name).is_file():
            yield name


def _golden(
    scorer: ScorerTrend, suites: list[str], pinned: dict[str, Outcomes | str], project: Project
) -> Golden | None:
    if len(suites) != 1:
        return None
    (suite,) = suites
    if suite not in pinned:
        try:
            pinned[suite] = read_baseline(baseline_path(project.root, suite))
        except InputError as error:
            pinned[suite] = str(error).split("\n")[0]
    found = pinned[suite]
    if isinstance(found, str):
        return Golden(suite, flaw=f"its baseline cannot be read: {found}")
    if scorer.scorer not in found.scorers:
        return Golden(suite, found.pinned, flaw="its baseline does not have the scorer: pin it anew")
    slices = _slices(found, scorer.scorer)
    fingerprint = found.scorers[scorer.scorer].fingerprint
    return Golden(suite, found.pinned, fingerprint, {name: each.result() for name, each in slices.items()})


def _slices(found: Outcomes, scorer: str) -> Mapping[str, MeanEstimate]:
    made: dict[str, MeanEstimate] = {}
    for outcome in found.cases.values():
        value = outcome.value(scorer)
        if value is not None:
            made.setdefault(outcome.slice, MeanEstimate()).add(value, outcome.cluster)
    return made
