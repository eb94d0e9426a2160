"""Cases by what they state: what nothing can score, and what may fail until a day."""

from collections.abc import Iterator, Sequence
from datetime import date

from gatewatch.core.case import Case
from gatewatch.core.trace import Trace
from gatewatch.loop.finding import Figure, Finding, Looked
from gatewatch.scorers.base import MISSING, Scorer

SOON_DAYS = 7


def unlabelled(cases: Sequence[Looked], scorers: Sequence[Scorer]) -> Iterator[Finding]:
    """Cases that lack what each scorer needs that applies to them."""
    for each in cases:
        mine = [scorer for scorer in scorers if each.case.scorers is None or scorer.name in each.case.scorers]
        if any(_has_what_it_needs(each.case, scorer) for scorer in mine):
            continue
        n = len(mine)
        why = f"none of {n} scorers can do without what it lacks" if mine else "names no scorer of the suite"
        yield Finding(
            check="unlabelled",
            cases=(each.id,),
            where=(each.where,),
            why=f"expects nothing, and {why}" if mine and each.case.expected is None else why,
            figures=(Figure("scorers", 0, n=n),),
            do="say what is expected, or add a scorer that does without",
            weight=float(each.case.must_pass),
        )


def _has_what_it_needs(case: Case, scorer: Scorer) -> bool:
    """Whether a scorer has what only a case can give it, whatever the application answers."""
    if not scorer.reference_based:
        return True
    return all(
        name in scorer.optional
        or name not in ("expected", "case", "other", "criteria")
        or getter(Trace(), case) is not MISSING
        for name, getter in scorer.getters
    )


def open_cases(cases: Sequence[Looked], today: date) -> Iterator[Finding]:
    """Cases that may fail until a day which has passed, or is no more than a week off."""
    for each in cases:
        if each.case.open is None:
            continue
        left = (each.case.open.until - today).days
        if left > SOON_DAYS:
            continue
        owner = f" ({each.case.open.owner})" if each.case.open.owner else ""
        until = f"until {each.case.open.until}{owner}"
        why = f"may fail {until}: {left} days are left" if left >= 0 else f"might fail {until}, {-left} days ago"
        yield Finding(
            check="open",
            cases=(each.id,),
            where=(each.where,),
            why=why.replace(" 1 days are", " 1 day is").replace(" 1 days ago", " 1 day ago"),
            figures=(Figure("days left", left),),
            do="fix it and run `gatewatch rebaseline`, or give it another day",
            weight=float(SOON_DAYS - left),
        )
