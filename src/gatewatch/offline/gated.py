"""A gate's verdict as people meet it in Python: printing it shows the report, checking it is an assertion."""

import warnings
from pathlib import Path

from msgspec.structs import replace

from gatewatch.core.errors import GateFailed, NoVerdict
from gatewatch.offline.compare import Comparison
from gatewatch.offline.gate import decide
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.reach import reach_of
from gatewatch.offline.reports.moves import by_case
from gatewatch.offline.reports.terminal import as_text
from gatewatch.offline.reports.texts import RowTexts, texts_of
from gatewatch.offline.rule import Rule
from gatewatch.offline.verdict import Verdict

_ROWS_IN_FULL = 5


class GateUndecided(UserWarning):
    """The gate could not tell: its report is the message."""


class Gated:
    """A verdict with the two sides that it is about. Printing it shows the report; `check` makes an assertion of it."""

    def __init__(
        self,
        verdict: Verdict,
        before: Outcomes,
        after: Outcomes,
        *,
        journal: Path | None = None,
        places: dict[str, str] | None = None,
    ) -> None:
        """Keep a verdict.

        Args:
            verdict: what the gate says.
            before: the baseline.
            after: the candidate.
            journal: of the run that a pinned baseline came from, for its outputs.
            places: where each case stands, as `file:line`, where that is known.
        """
        self.verdict = verdict
        self.before = before
        self.after = after
        self.journal = journal
        self.places = places or {}

    def check(self) -> None:
        """Do nothing for PASS; for UNDECIDED, warn, unless the gate was told to fail then.

        Raises:
            GateFailed: for REGRESSED; the message is the report, with the rows that fell.
            NoVerdict: when there is none: another dataset or ruler, a run that broke, too many lost scores.
        """
        code = self.verdict.exit_code
        if code == 1:
            raise GateFailed(f"REGRESSED\n\n{self}")
        if code:
            raise NoVerdict(f"{self.verdict.verdict}\n\n{self}")
        if self.verdict.verdict == "UNDECIDED":
            warnings.warn(f"UNDECIDED\n\n{self}", GateUndecided, stacklevel=2)

    def texts(self, most: int) -> dict[str, RowTexts]:
        """What was asked, expected and answered, for the first cases of the rows, so many at most."""
        cases = [moved.id for moved in by_case(self.verdict.rows)[:most]]
        return texts_of(cases, self.before, self.after, journal=self.journal)

    def __str__(self) -> str:
        return as_text(self.verdict, self.texts(_ROWS_IN_FULL))

    __repr__ = __str__


def compared(before: Outcomes, after: Outcomes, *, rule: Rule | None = None, journal: Path | None = None) -> Gated:
    """Two stored runs side by side: as a gate would see them that runs nothing again."""
    rule = rule or Rule()
    verdict = decide(Comparison(before, after), rule, why_not_again="stored runs are compared")
    if verdict.verdict == "UNDECIDED":
        verdict = replace(verdict, reach=reach_of(before, after, rule, verdict))
    return Gated(verdict, before, after, journal=journal)
