"""Re-baselining: what a baseline that is made anew closes: open cases that pass now, and the failures they guard."""

from collections.abc import Collection, Mapping
from datetime import date

from msgspec.structs import replace

from gatewatch.core.case import Case
from gatewatch.core.change import Change
from gatewatch.core.failure import number_in
from gatewatch.offline.flips import TRIES
from gatewatch.offline.open_cases import passes, tries
from gatewatch.offline.outcomes import CaseOutcome, Outcomes
from gatewatch.offline.verdict import Verdict


def marks_of(run: Outcomes) -> dict[str, float]:
    """By scorer of a run, from which value on a trial passes; those that cannot tell are left out."""
    known = {name: run.mark(name) for name in run.scorers}
    return {name: mark for name, mark in known.items() if mark is not None}


def to_confirm(run: Outcomes, marks: Mapping[str, float]) -> list[str]:
    """The open cases that passed whenever they were tried, and that was not three times yet."""
    return sorted(
        case
        for case, outcome in run.cases.items()
        if outcome.open is not None and passes(outcome, marks) and tries(outcome, marks) < TRIES
    )


def confirmed(run: Outcomes, marks: Mapping[str, float], least: int = TRIES) -> list[str]:
    """The open cases that passed three times of three: their fix is there. Of a recording, which cannot be tried
    again, what it has is enough (`least`)."""
    return sorted(
        case
        for case, outcome in run.cases.items()
        if outcome.open is not None and passes(outcome, marks) and tries(outcome, marks) >= least
    )


def locked(case: Case, run: str, day: date) -> Case:
    """An open case as it stands once its fix is there: it must pass from now on. Any other stays as it is."""
    if case.open is None:
        return case
    provenance = {**case.provenance, "fixed": day.isoformat(), "run": run}
    return replace(case, open=None, must_pass=True, provenance=provenance)


def failure_of(case: Case) -> int | None:
    """The number of the failure that a case says it was promoted from: of the store that it was promoted with."""
    name = case.provenance.get("failure")
    return number_in(name, "F") if isinstance(name, str) else None


def brought(change: Change) -> str:
    """The id of the case that a change brings, or is merged into."""
    return str(change.body.get("into") or change.body.get("case", {}).get("id", ""))


def failures_fixed(
    guards: Mapping[int, Collection[str]],
    cases: Mapping[str, Case],
    outcomes: Mapping[str, CaseOutcome],
    marks: Mapping[str, float],
    also: Collection[str],
) -> list[int]:
    """The failures all of whose cases in a dataset must pass, and did.

    Args:
        guards: by failure, the cases that were promoted from it into this dataset.
        cases: of the dataset, by id; what is retired or gone guards nothing.
        outcomes: what became of each in the run.
        marks: by scorer, from which value on a trial passes.
        also: open cases whose fix was confirmed.
    """
    found = []
    for number, names in sorted(guards.items()):
        mine = guarding(names, cases)
        if mine and all((locks(case) or case.id in also) and _passed(case, outcomes, marks) for case in mine):
            found.append(number)
    return found


def guarding(names: Collection[str], cases: Mapping[str, Case]) -> list[Case]:
    """Of some cases those that guard: that are in the dataset, and not retired."""
    return [case for name in names if (case := cases.get(name)) is not None and not case.retired]


def locks(case: Case) -> bool:
    """Whether a case must pass."""
    return case.must_pass and case.open is None


def _passed(case: Case, outcomes: Mapping[str, CaseOutcome], marks: Mapping[str, float]) -> bool:
    outcome = outcomes.get(case.id)
    return outcome is not None and outcome.hash == case.hash and passes(outcome, marks) is True


def refusal(verdict: Verdict) -> str:
    """Why a run should not be pinned, by what the gate says of it beside the baseline so far; nothing where it may."""
    if verdict.broken:
        return "its run broke"
    if verdict.verdict == "REGRESSED":
        return "it is worse than the baseline so far"
    if verdict.verdict == "NOT_COMPARABLE":
        return "it cannot be compared with the baseline so far"
    return "there is no verdict on it" if verdict.refused else ""


def stated(reason: str, verdict: Verdict | None, refused: str) -> str:
    """The reason as the baseline has it: that it was pinned all the same stands there, too."""
    if verdict is None or not refused:
        return reason
    return f"{reason} (even so: {verdict.verdict}, {'; '.join(verdict.reasons[:3])})"


def still_open(run: Outcomes, but: Collection[str]) -> list[str]:
    """The cases that stay open."""
    return sorted(case for case, outcome in run.cases.items() if outcome.open is not None and case not in but)
