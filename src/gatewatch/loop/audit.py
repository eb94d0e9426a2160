"""An audit of a dataset: what in it tests nothing, tests twice, or tests what is not so, and what it lacks.

It looks at the cases themselves, at how they did, at live traffic and at what the application is given, as far as each
is there. What cannot be looked at is said to be not checked, with the reason.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date

from msgspec import Struct

from gatewatch.core.baseline import MOST_OUTCOMES
from gatewatch.loop.audit_alike import alike
from gatewatch.loop.audit_history import History, flaky, history, saturated
from gatewatch.loop.audit_live import Live, missing_slices, stale, unknown_slices, unknown_stale
from gatewatch.loop.audit_space import Lying
from gatewatch.loop.audit_stated import open_cases, unlabelled
from gatewatch.loop.audit_suspects import always_failing, by_people, contradicts_context, disagreed, tallies
from gatewatch.loop.finding import CHECKS, Finding, Looked, Proposed, looked
from gatewatch.loop.leaks import Source, leaked
from gatewatch.offline.dataset import Dataset
from gatewatch.offline.outcomes import Outcomes
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.suspects import Suspect


class Unknown(Struct, frozen=True):
    """What is not there to be looked at, and why."""

    why: str


class Beside(Struct, frozen=True, kw_only=True):
    """What a dataset is looked at beside, or why it cannot be.

    `baseline` and `versions` are of its suite: what is pinned, and every stored run of it. `scorers` are the suite's,
    `sources` what the application and its judges are given, `people` by judge the labels that its calibration doubts.
    `slice_of` tells the slice of a case.
    """

    today: date
    baseline: Outcomes | Unknown
    versions: Sequence[Outcomes] = ()
    scorers: Sequence[Scorer] | Unknown
    sources: Sequence[Source] | Unknown
    live: Live | Unknown
    people: Mapping[str, Sequence[Suspect]] = {}
    slice_of: Callable[[Looked], str] = lambda each: each.case.slice


class Count(Struct, frozen=True):
    """How much one check found: findings, the cases that these are about, and their share of all that are in use."""

    findings: int
    cases: int
    share: float


class Audit(Struct, frozen=True, kw_only=True):
    """What was found in a dataset (its file and version): of `cases` that are in use, beside `retired` ones. `findings`
    has the worst first; `unchecked` says why a check was not made, or not in full."""

    dataset: str
    dataset_version: str
    suite: str
    cases: int
    retired: int
    counts: Mapping[str, Count]
    unchecked: Mapping[str, str]
    findings: tuple[Finding, ...]

    @property
    def proposed(self) -> dict[str, Proposed]:
        """One edit for each case that has any, by its id: of a case that is to be retired nothing else is changed."""
        found: dict[str, Proposed] = {}
        for finding in self.findings:
            for each in finding.proposed:
                if each.case not in found or (each.retired and not found[each.case].retired):
                    found[each.case] = each
        return found

    def only(self, checks: Iterable[str]) -> "Audit":
        """The same, of some checks."""
        from msgspec.structs import replace

        wanted = set(checks)
        return replace(
            self,
            counts={check: count for check, count in self.counts.items() if check in wanted},
            unchecked={check: why for check, why in self.unchecked.items() if check in wanted},
            findings=tuple(each for each in self.findings if each.check in wanted),
        )


def audit(dataset: Dataset, beside: Beside, suite: str = "") -> Audit:
    """Look for all that is wrong with a dataset. Retired cases are left alone."""
    every = [looked(place, dataset.place(place), case) for place, case in enumerate(dataset)]
    cases = [each for each in every if not each.case.retired]
    known: History = {} if isinstance(beside.baseline, Unknown) else history(beside.baseline, cases)
    unchecked = dict(_unchecked(beside, known))
    findings = [each for each in _found(cases, beside, known) if each.check not in unchecked or each.check == "suspect"]
    order = {check: place for place, check in enumerate(CHECKS)}
    findings.sort(key=lambda each: (order[each.check], -each.weight, _line(each)))
    return Audit(
        dataset=dataset.path,
        dataset_version=dataset.version,
        suite=suite,
        cases=len(cases),
        retired=len(every) - len(cases),
        counts=dict(_counts(findings, unchecked, len(cases))),
        unchecked={check: unchecked[check] for check in CHECKS if check in unchecked},
        findings=tuple(findings),
    )


def _line(finding: Finding) -> tuple[str, int]:
    path, _, line = (finding.where[0] if finding.where else "").rpartition(":")
    return path, int(line or 0)


def _found(cases: Sequence[Looked], beside: Beside, known: History) -> Iterator[Finding]:
    when = beside.today.isoformat()
    live = () if isinstance(beside.live, Unknown) else beside.live.asked
    lying = Lying(cases, list(dict.fromkeys(each.text for each in live)))
    yield from alike(cases, {id_: max(map(len, of.values()), default=0) for id_, of in known.items()}, when)
    yield from disagreed(cases)
    yield from contradicts_context(cases)
    yield from by_people(cases, beside.people)
    yield from open_cases(cases, beside.today)
    yield from saturated(cases, known)
    yield from flaky(cases, known)
    if beside.versions:
        yield from always_failing(cases, tallies(beside.versions, cases), lying)
    if not isinstance(beside.scorers, Unknown):
        yield from unlabelled(cases, beside.scorers)
    if not isinstance(beside.sources, Unknown):
        yield from leaked(cases, beside.sources)
    if not isinstance(beside.live, Unknown):
        if not unknown_stale(beside.live):
            yield from stale(cases, beside.live, when, lying)
        if not unknown_slices(beside.live):
            yield from missing_slices([beside.slice_of(each) for each in cases], beside.live)


def _unchecked(beside: Beside, known: History) -> Iterator[tuple[str, str]]:
    """Which checks cannot be made, and why; of suspects, what of them cannot."""
    by_history = ("must_pass_flaky", "flaky", "saturated")
    if isinstance(beside.baseline, Unknown):
        yield from ((check, beside.baseline.why) for check in by_history)
    elif not any(known.values()):
        why = "the baseline knows no outcome of a case as it is now, under a scorer that has a pass mark"
        yield from ((check, why) for check in by_history)
    elif (most := max(len(passes) for of in known.values() for passes in of.values())) < MOST_OUTCOMES:
        yield "saturated", f"it takes {MOST_OUTCOMES} outcomes of a case, and the baseline knows {most} at the most"
    if not beside.versions:
        yield "suspect", "no run of it is stored: cases that every version fails are not known"
    for check, needed in (("unlabelled", beside.scorers), ("leaked", beside.sources)):
        if isinstance(needed, Unknown):
            yield check, needed.why
    if isinstance(beside.live, Unknown):
        yield from ((check, beside.live.why) for check in ("stale", "missing_slice"))
        return
    for check, why in (("stale", unknown_stale(beside.live)), ("missing_slice", unknown_slices(beside.live))):
        if why:
            yield check, why


def _counts(findings: Sequence[Finding], unchecked: Mapping[str, str], total: int) -> Iterator[tuple[str, Count]]:
    number = Counter(each.check for each in findings)
    for check in CHECKS:
        cases = {each.cases[0] for each in findings if each.check == check and each.cases}
        if check not in unchecked or number[check]:
            yield check, Count(number[check], len(cases), round(len(cases) / total, 6) if total else 0.0)
