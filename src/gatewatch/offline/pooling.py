"""Earlier trials of the same version: what a retry finds, so that pressing the button again cannot buy a pass.

Runs belong together when they are of the same commit, and that clean, of the same components, dataset and scorers. All
their trials count, the first ones first: a case that failed three times of three yesterday failed.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from gatewatch.core.baseline import MOST_OUTCOMES
from gatewatch.core.errors import InputError
from gatewatch.core.run import Purpose
from gatewatch.offline.compare import COMMIT, DIRTY
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.outcomes import CaseOutcome, Outcomes, read_run
from gatewatch.offline.result import run_paths

_PLACES = {COMMIT, "url", "request", "command"}
"""Components that say where the application is, not which version of it is there."""


def same_version(one: Outcomes, other: Outcomes) -> bool:
    """Whether two runs are of one version of the application, under the same scorers and over the same dataset."""
    rulers = [{name: ref.fingerprint for name, ref in side.scorers.items()} for side in (one, other)]
    told = one.task == other.task or bool(one.components.keys() - _PLACES)  # a task may be spelt in two ways
    same = told and one.suite == other.suite and one.components == other.components
    return same and rulers[0] == rulers[1] and one.dataset.version == other.dataset.version


def earlier_runs(folder: Path, after: Outcomes, *, besides: Collection[str] = ()) -> list[Outcomes]:
    """The runs of a candidate's version before it, the oldest first; none where its tree is not clean.

    Those `besides` (what it is held against) are left out, with what was made for them; so is what the candidate was
    scored anew from.
    """
    return [read_run(each.path) for each in _earlier(folder, after, besides) if each.path is not None]


def was_run_before(folder: Path, after: Outcomes, *, besides: Collection[str] = ()) -> bool:
    """Whether there are earlier runs of a candidate's version, without reading more of them than their headers."""
    return bool(_earlier(folder, after, besides))


def _earlier(folder: Path, after: Outcomes, besides: Collection[str]) -> list[Outcomes]:
    if not is_clean(after.components):
        return []
    found = []
    known = {*besides, *after.runs}
    for each in _stored(folder):
        if each.run == after.run:  # what is newer is no earlier trial
            break
        made = each.purpose not in ("rescore", "calibrate")
        if made and known.isdisjoint((*each.runs, each.made_for)) and same_version(each, after):
            found.append(each)
    return found


def runs_of_version(folder: Path, run: Outcomes, *, besides: Sequence[str] = ()) -> list[Outcomes]:
    """Whole stored runs of a run's version, whatever their dataset, the oldest first; their cases may differ.

    Of the newest as many as give each of its cases all the outcomes that a baseline keeps. Replies that may have come
    from the reply cache are no new outcomes: such runs are left out, as are those `besides`.
    """
    found: list[Outcomes] = []
    counts: Counter[str] = Counter()
    for each in reversed(_stored(folder)):
        alike = each.suite == run.suite != "" and each.task == run.task and one_version(each.components, run.components)
        if not alike or each.run in (run.run, *besides):
            continue
        if each.independent and each.purpose in ("", "trials") and each.path is not None:
            whole = read_run(each.path)
            if not whole.complete:
                continue
            found.insert(0, whole)
            counts.update({case: len(outcome.trials) for case, outcome in whole.cases.items()})
            if all(counts[case] >= MOST_OUTCOMES for case in run.cases):
                break
    return found


def trials_of(folder: Path, run: Outcomes, purpose: Purpose = "trials") -> list[Outcomes]:
    """The whole stored runs that were made to give a run more trials, or to try some cases again, the oldest first."""
    mine = [each for each in _stored(folder) if each.purpose == purpose and each.made_for == run.run]
    found = [read_run(each.path) for each in mine if each.path is not None]
    return [each for each in found if each.complete]


def one_version(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two runs' components tell that they are of one version of the application.

    The commit counts too: what a task reads (a file of rules, a library of its own) is no component, and may have
    changed with it. Where nothing but the address of a service is recorded, no two runs are known to be of one version,
    unless they are of one clean commit.
    """
    return dict(one) == dict(other) and (is_clean(one) or bool(one.keys() - _PLACES))


def is_clean(components: Mapping[str, str]) -> bool:
    """Whether a run was made from a commit, and nothing but it."""
    commit = components.get(COMMIT, "")
    return bool(commit) and not commit.endswith(DIRTY)


def _stored(folder: Path) -> list[Outcomes]:
    """The headers of stored runs in the order in which they were started: what copies files may date them anew."""
    found: list[tuple[str, Outcomes]] = []
    for path in reversed(run_paths(folder)):
        try:
            header = JournalReader(path).header
        except InputError:  # a foreign file in the folder is nobody's run
            continue
        found.append((header.started, Outcomes.of(header, path)))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]


def pool_earlier(after: Outcomes, earlier: Sequence[Outcomes]) -> int:
    """Put the trials of earlier runs of its version before a candidate's own; how many runs that were, re-runs apart.

    Of runs whose replies may have come from the reply cache only the first counts: the others would say the same
    again.
    """
    runs: list[Outcomes] = []
    cached = False
    for each in earlier:
        if cached and not each.independent:
            continue
        cached = cached or not each.independent
        runs.append(each)
    mine = [] if cached and not after.independent else [after]
    if not runs:
        return 0
    for case, outcome in after.cases.items():
        after.cases[case] = _together(case, outcome, [*runs, *mine])
    for each in runs:
        after.count(each)
    return sum(each.purpose == "" for each in runs)


def _together(case: str, outcome: CaseOutcome, runs: Sequence[Outcomes]) -> CaseOutcome:
    found = CaseOutcome(outcome.hash, outcome.slice, outcome.cluster, outcome.must_pass, [], open=outcome.open)
    for run in runs:
        other = run.cases.get(case)
        if other is None or other.hash != outcome.hash:
            continue
        found.tries += other.trials
        if run.purpose != "flips":
            found.trials += other.trials
    return found if found.trials else outcome
