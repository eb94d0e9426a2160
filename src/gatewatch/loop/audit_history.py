"""Cases by how they did: those that always pass, and those that pass and fail by turns."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise

from gatewatch.core.baseline import MOST_OUTCOMES
from gatewatch.loop.finding import Figure, Finding, Looked, Proposed
from gatewatch.offline.flips import TRIES, history_of
from gatewatch.offline.outcomes import Outcomes
from gatewatch.stats.intervals import Interval, clopper_pearson

History = Mapping[str, Mapping[str, tuple[bool, ...]]]
"""By case and scorer, whether each of its last outcomes was a pass, the newest last."""


def history(baseline: Outcomes, cases: Sequence[Looked]) -> History:
    """The last ten outcomes that a baseline knows of cases, under each scorer that has a pass mark; none of a case that
    is another now than it was when the baseline was pinned."""
    marks = {name: mark for name in baseline.scorers if (mark := baseline.mark(name)) is not None}
    found: dict[str, dict[str, tuple[bool, ...]]] = {}
    for each in cases:
        outcome = baseline.cases.get(each.id)
        if outcome is None or outcome.hash != each.hash:
            continue
        by_scorer = {
            name: tuple(value >= mark for value in history_of(outcome, name)[-MOST_OUTCOMES:])
            for name, mark in marks.items()
        }
        found[each.id] = {name: passes for name, passes in by_scorer.items() if passes}
    return found


def saturated(cases: Sequence[Looked], known: History) -> Iterator[Finding]:
    """Cases that passed in all of their last ten outcomes, under every scorer that has a pass mark."""
    for each in cases:
        found = known.get(each.id, {})
        if each.case.must_pass or each.case.open or each.case.tier == "nightly" or not found:
            continue
        fewest = min(map(len, found.values()))
        if fewest < MOST_OUTCOMES or not all(all(passes) for passes in found.values()):
            continue
        most = _bounds(0, fewest).high
        scorers = f"{len(found)} scorers" if len(found) > 1 else next(iter(found))
        yield Finding(
            check="saturated",
            cases=(each.id,),
            where=(each.where,),
            why=f"passed {fewest} of {fewest} times under {scorers}: it fails at most {most:.0%} of the time",
            figures=(Figure("fails", 0.0, 0.0, round(most, 4), fewest),),
            do="move it to the nightly tier",
            proposed=(Proposed(each.id, tier="nightly"),),
        )


@cache
def _bounds(passed: int, n: int) -> Interval:
    return clopper_pearson(passed, n)


def flaky(cases: Sequence[Looked], known: History) -> Iterator[Finding]:
    """Cases that passed in some of their last ten outcomes, and not in others; those that must pass by themselves."""
    for each in cases:
        for scorer, passes in known.get(each.id, {}).items():
            n, passed = len(passes), sum(passes)
            if 0 < passed < n:
                yield _flaky(each, scorer, passes, n, passed)
                break  # under one scorer is enough to look at it


def _flaky(each: Looked, scorer: str, passes: tuple[bool, ...], n: int, passed: int) -> Finding:
    bounds = _bounds(passed, n)
    rate = f"passed {passed} of {n} times under {scorer} [{bounds.low:.0%}, {bounds.high:.0%}]"
    turns = sum(one != other for one, other in pairwise(passes))
    once = turns == 1 and passes[-1]
    must = each.case.must_pass
    if must:
        blocks = f"{(1 - bounds.high) ** TRIES:.0%} to {(1 - bounds.low) ** TRIES:.0%}"  # a gate blocks where all fail
        why = f"{rate}: tried {TRIES} times, it blocks {blocks} of the changes that change nothing"
    else:
        why = f"{rate}, and has passed since it did first: it may have been fixed" if once else rate
    return Finding(
        check="must_pass_flaky" if must else "flaky",
        cases=(each.id,),
        where=(each.where,),
        why=why,
        figures=(Figure("passes", round(passed / n, 4), round(bounds.low, 4), round(bounds.high, 4), n),),
        do="make it steady, or take must_pass out"
        if must
        else "make the application or the scorer steady, or run more trials",
        weight=(turns / n if not once else 0.0) + 0.25 - (passed / n - 0.5) ** 2,
    )
