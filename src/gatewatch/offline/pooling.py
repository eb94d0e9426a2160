"""Earlier trials of the same version: what a retry finds, so that pressing the button again cannot buy a pass.

Runs belong together when they are of the same commit, and that clean, of the same components, dataset and scorers. All
their trials count, the first ones first: a case that failed three times of three yesterday failed.
"""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from gatewatch.core.errors import InputError
from gatewatch.offline.compare import COMMIT, DIRTY
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.outcomes import CaseOutcome, Outcomes, read_run
from gatewatch.offline.result import run_paths


class Pool(Struct):
    """A candidate with the trials of earlier runs, and how many runs those are."""

    after: Outcomes
    runs: int


def same_version(one: Outcomes, other: Outcomes, *, dataset: bool = True) -> bool:
    """Whether two runs are of one version of the application, under the same scorers (and over the same dataset)."""
    rulers = [{name: ref.fingerprint for name, ref in side.scorers.items()} for side in (one, other)]
    same = one.suite == other.suite and one.task == other.task and one.components == other.components
    return same and rulers[0] == rulers[1] and (not dataset or one.dataset.version == other.dataset.version)


def earlier_runs(folder: Path, after: Outcomes) -> list[Outcomes]:
    """The runs that were made of a candidate's version before it, the oldest first; none where the tree is not clean."""
    commit = after.components.get(COMMIT, "")
    if not commit or commit.endswith(DIRTY):
        return []
    found = []
    for path in reversed(run_paths(folder)):
        try:
            header = JournalReader(path).header
        except InputError:
            continue
        if header.run == after.run or header.purpose == "rescore":
            continue
        earlier = Outcomes.of(header, path)
        if (header.started, header.run) < (after.started, after.run) and same_version(earlier, after):
            found.append(earlier)
    return [read_run(each.path) for each in found if each.path is not None]


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
