"""Earlier trials of the same version: what a retry finds, so that pressing the button again cannot buy a pass.

Runs belong together when they are of the same commit, and that clean, of the same components, dataset and scorers. All
their trials count, the first ones first: a case that failed three times of three yesterday failed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from gatewatch.core.errors import InputError
from gatewatch.offline.compare import COMMIT, DIRTY
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.outcomes import CaseOutcome, Outcomes, read_run
from gatewatch.offline.result import run_paths

_PLACES = {COMMIT, "url", "request", "command"}
"""Components that say where the application is, not which version of it is there."""


class Pool(Struct):
    """A candidate with the trials of earlier runs, and how many runs those are."""

    after: Outcomes
    runs: int


def same_version(one: Outcomes, other: Outcomes) -> bool:
    """Whether two runs are of one version of the application, under the same scorers and over the same dataset."""
    rulers = [{name: ref.fingerprint for name, ref in side.scorers.items()} for side in (one, other)]
    same = one.suite == other.suite and one.task == other.task and one.components == other.components
    return same and rulers[0] == rulers[1] and one.dataset.version == other.dataset.version


def earlier_runs(folder: Path, after: Outcomes) -> list[Outcomes]:
    """The runs of a candidate's version before it, the oldest first; none where its tree is not clean."""
    commit = after.components.get(COMMIT, "")
    if not commit or commit.endswith(DIRTY):
        return []
    found = []
    for each in _stored(folder):
        if each.run == after.run:  # what is newer is no earlier trial
            break
        if same_version(each, after) and each.purpose != "rescore":
            found.append(each)
    return [read_run(each.path) for each in found if each.path is not None]


def runs_of_version(folder: Path, run: Outcomes, *, besides: Sequence[str] = ()) -> list[Outcomes]:
    """Whole stored runs of a run's version, whatever their dataset, the oldest first; their cases may differ.

    Replies that may have come from the reply cache are no new outcomes: such runs are left out, as are those `besides`.
    Where nothing tells one version from the next (the address of a service does not), there are none.
    """
    found: list[Outcomes] = []
    if not _tells_versions_apart(run.components):
        return found
    for each in _stored(folder):
        alike = _same_but_commit(each, run) and each.suite == run.suite != ""
        if not alike or each.task != run.task or each.run in (run.run, *besides):
            continue
        if each.independent and each.purpose in ("", "trials") and each.path is not None:
            whole = read_run(each.path)
            found += [whole] if whole.complete else []
    return found


def _same_but_commit(one: Outcomes, other: Outcomes) -> bool:
    """Whether two runs are of one version: of the commit it counts only where nothing else tells versions apart."""
    if other.components.keys() - _PLACES:
        return without_commit(one.components) == without_commit(other.components)
    return one.components == other.components


def without_commit(components: dict[str, str]) -> dict[str, str]:
    """Components without the commit, which tells of many changes that do not concern a suite."""
    return {name: value for name, value in components.items() if name != COMMIT}


def trials_of(folder: Path, run: Outcomes) -> list[Outcomes]:
    """The whole stored runs that were made to give a run more trials, the oldest first."""
    mine = [each for each in _stored(folder) if each.purpose == "trials" and each.runs[1:] == (run.run,)]
    found = [read_run(each.path) for each in mine if each.path is not None]
    return [each for each in found if each.complete]


def _tells_versions_apart(components: dict[str, str]) -> bool:
    commit = components.get(COMMIT, "")
    return bool(components.keys() - _PLACES) or (bool(commit) and not commit.endswith(DIRTY))


def _stored(folder: Path) -> Iterator[Outcomes]:
    """The headers of stored runs, the oldest first."""
    for path in reversed(run_paths(folder)):
        try:
            yield Outcomes.of(JournalReader(path).header, path)
        except InputError:  # a foreign file in the folder is nobody's run
            continue


def pooled(after: Outcomes, earlier: Sequence[Outcomes]) -> Pool:
    """A candidate with the trials of earlier runs of its version before its own.

    Of runs whose replies may have come from the reply cache only the first counts: the others would say the same again.
    """
    runs: list[Outcomes] = []
    cached = False
    for each in (*earlier, after):
        whole = each.purpose == "" and each.complete
        if each is not after and not whole and each.purpose == "":
            continue
        if not each.independent:
            if cached and each is not after:
                continue
            if cached:
                break
            cached = True
        runs.append(each)
    if runs == [after]:
        return Pool(after, 0)
    for case, outcome in after.cases.items():
        after.cases[case] = _together(case, outcome, runs)
    return Pool(after, sum(each is not after and each.purpose == "" for each in runs))


def _together(case: str, outcome: CaseOutcome, runs: Sequence[Outcomes]) -> CaseOutcome:
    found = CaseOutcome(outcome.hash, outcome.slice, outcome.cluster, outcome.must_pass, [])
    for run in runs:
        other = run.cases.get(case)
        if other is None or other.hash != outcome.hash:
            continue
        found.tries += other.trials
        if run.purpose != "flips":
            found.trials += other.trials
    return found
