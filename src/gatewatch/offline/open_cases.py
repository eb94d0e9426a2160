"""Open cases: promoted from live failures before their fix is there. They are reported and do not block.

A case is open until a day. The day after, the gate fails for it until it passes, is given more time, or is retired. As
soon as the pinned baseline shows its fix (it passes there, and did in its last three outcomes) it is locked: it must
pass from then on, whether or not its line in the dataset still says that it is open.
"""

from collections.abc import Mapping
from datetime import date

from gatewatch.core.case import Open
from gatewatch.offline.compare import Comparison
from gatewatch.offline.flips import TRIES, history_of
from gatewatch.offline.outcomes import CaseOutcome
from gatewatch.offline.verdict import OpenCase


class OpenCases:
    """The open cases of a candidate, and those of them that are locked; the latter are marked must-pass there."""

    def __init__(self, comparison: Comparison, marks: Mapping[str, float], today: date) -> None:
        """Find them.

        Args:
            comparison: the baseline and the candidate.
            marks: by scorer, from which value on a trial passes.
            today: up to which day cases are open.
        """
        self._after = comparison.after
        self._marks = marks
        self._today = today
        said = {case: outcome.open for case, outcome in self._after.cases.items() if outcome.open is not None}
        self.locked = {case: until for case, until in said.items() if is_locked(comparison, case, marks)}
        self.open: dict[str, Open] = {case: until for case, until in said.items() if case not in self.locked}
        for case in self.locked:
            self._after.cases[case].must_pass = True

    def told(self) -> tuple[OpenCase, ...]:
        """Every one of them, for the report: what blocks first, then what passes, each by its id."""
        found = [self._told(case, until) for case, until in {**self.open, **self.locked}.items()]
        return tuple(sorted(found, key=lambda each: (each.state != "expired", not each.passes, each.id)))

    def _told(self, case: str, until: Open) -> OpenCase:
        outcome = self._after.cases[case]
        state = "locked" if case in self.locked else "expired" if until.until < self._today else "open"
        return OpenCase(
            id=case,
            until=str(until.until),
            owner=until.owner,
            state=state,  # type: ignore[arg-type]
            passes=passes(outcome, self._marks),
            tries=tries(outcome, self._marks),
        )

    def expired_reasons(self) -> list[str]:
        """Why the gate fails for cases whose day is past and that are not seen to pass."""
        return [
            f"open case {each.id} was to be fixed by {each.until}{f' ({each.owner})' if each.owner else ''}, and "
            f"{'fails' if each.passes is False else 'cannot be judged'}: fix it, give it more time "
            "(open.until in the dataset), or retire it"
            for each in self.told()
            if each.state == "expired" and not each.passes
        ]


def passes(outcome: CaseOutcome, marks: Mapping[str, float]) -> bool | None:
    """Whether every try of a case passed under every scorer with a pass mark; None where none has a value for it."""
    found = [value >= mark for scorer, mark in marks.items() for value in outcome.tried(scorer)]
    return all(found) if found else None


def tries(outcome: CaseOutcome, marks: Mapping[str, float]) -> int:
    """How often a case was tried under each scorer that has a value for it; of several, the fewest times."""
    return min((len(values) for scorer in marks if (values := outcome.tried(scorer))), default=0)


def is_locked(comparison: Comparison, case: str, marks: Mapping[str, float]) -> bool:
    """Whether the pinned baseline says that a case must pass, or shows that it is fixed: all trials and the last three
    outcomes passed, under every scorer with a pass mark that has a value for it."""
    before = comparison.before.cases.get(case)
    if not comparison.before.pinned or before is None or before.hash != comparison.after.cases[case].hash:
        return False
    if before.must_pass:  # a change does not open what must pass
        return True
    known = [scorer for scorer in marks if scorer not in comparison.rulers and before.values(scorer)]
    return bool(known) and all(_is_fixed(before, scorer, marks[scorer]) for scorer in known)


def _is_fixed(before: CaseOutcome, scorer: str, mark: float) -> bool:
    newest = history_of(before, scorer)[-TRIES:]
    return len(newest) == TRIES and all(value >= mark for value in (*before.values(scorer), *newest))
