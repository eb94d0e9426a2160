"""How far a gate can see: the smallest fall that so many cases and trials detect, and what seeing more would cost."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean

from msgspec import Struct

from gatewatch.core.money import dollars
from gatewatch.offline.flips import LEAST_HISTORY, eligible, history_of
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.rule import Rule
from gatewatch.offline.verdict import Verdict
from gatewatch.stats.flips import fewest
from gatewatch.stats.paired import difference
from gatewatch.stats.power import cases_to_decide, components, smallest_detectable

ASSUMED_SD = 0.36
"""The standard deviation of a case's difference that is assumed where nothing is known: a noisy pass-or-fail suite."""
_TRIALS = (1, 3, 5)
_MORE_CASES = (3, 10)
_Z95 = 1.959963984540054


class Spread(Struct, frozen=True):
    """The standard deviation of the difference of one trial on each side of a case, and where the figure comes from.

    All of it is taken for noise, which more trials cut, as if nothing had changed.
    """

    sd: float
    source: str


def spread(before: Outcomes | None, name: str, verdict: Verdict | None = None) -> Spread:
    """What is known of the spread of one scorer.

    The differences that a comparison saw come first, then repeated outcomes of the same cases. Where there is
    neither, a noisy suite is assumed; where nothing ever differed, as much as may have gone unseen.
    """
    figures = None if verdict is None else verdict.scorers.get(name)
    if verdict is not None and figures is not None and figures.sd is not None:
        trials = verdict.candidate.trials if verdict.candidate else 1
        return Spread(figures.sd * sqrt(trials), "the differences in this comparison are taken for noise")
    rows = [] if before is None else [list(history_of(outcome, name)) for outcome in before.cases.values()]
    if sum(len(row) > 1 for row in rows) < 2:
        return Spread(ASSUMED_SD, "the noise is assumed: a noisy pass-or-fail suite, no case was run twice yet")
    sd = sqrt(2 * components(rows).within)
    unseen = difference([0.0] * len(rows), binary=True).interval
    if sd <= 0.0 and unseen is not None:
        sd = (unseen.high - unseen.low) / 2 / _Z95 * sqrt(len(rows))
    return Spread(sd, f"the noise is {_stored(rows)}")


def _stored(rows: Sequence[Sequence[float]]) -> str:
    return f"from {round(fmean(len(row) for row in rows if row))} stored outcomes of each case"


def reach_lines(
    *, cases: int, spread: Spread, alpha: float, max_drop: float, cost: float | None, fewest_flips: int | None = None
) -> list[str]:
    """What a gate over so many cases can see, and what seeing more would cost.

    Args:
        cases: how many there are.
        spread: how far differences spread.
        alpha: the level that the mean layer runs at.
        max_drop: the fall that is to be ruled out.
        cost: US dollars for one trial of one case, where that is known.
        fewest_flips: how many cases that break outright the flip layer blocks at, where it is on.
    """

    def fall(n: int, trials: int) -> str:
        return f"{min(1.0, smallest_detectable(spread.sd / sqrt(trials), n, alpha=alpha)) * 100:.1f} pp"

    found = []
    for trials in _TRIALS:
        price = "" if trials == 1 else _price(cost, cases * (trials - 1))
        what = f"{cases} cases x {trials} trial{'s' if trials > 1 else ''}"
        found.append(f"{what}: a fall of {fall(cases, trials)}{price}")
    found += [
        f"{cases * more} cases x 1 trial: {fall(cases * more, 1)}{_price(cost, cases * (more - 1))}"
        for more in _MORE_CASES
    ]
    if max_drop > 0:
        needed = cases_to_decide(spread.sd, max_drop)
        found.append(f"to rule out a fall of {max_drop * 100:g} pp when nothing changed: {needed} cases x 1 trial")
    if fewest_flips is not None:
        some = "1 case that breaks" if fewest_flips == 1 else f"{fewest_flips} cases that break"
        found.append(f"flip layer: blocks at {some} outright, whatever the mean does")
    else:
        buy = f"gatewatch baseline pin RUN --trials {LEAST_HISTORY}"
        found.append(f"flip layer: off until the baseline has {LEAST_HISTORY} outcomes of a case ({buy})")
    found.append(f"(80 % power; {spread.source})")
    return found


def _price(cost: float | None, rows: int) -> str:
    return "" if cost is None else f", +{dollars(cost * rows)} a change"


def cost_of_row(side: Outcomes) -> float | None:
    """What one row cost, task and judges together, where that is known."""
    rows = side.rows
    total = (side.task_cost + side.judge_cost).total
    return None if total is None or not rows else total / rows


def fewest_flips(before: Outcomes, name: str, mark: float | None, alpha: float) -> int | None:
    """How many cases that break outright the flip layer blocks at; None where it is off."""
    found = eligible(before, before.cases, name, 1.0 if mark is None else mark)
    return fewest(list(found.chances.values()), alpha) if found.chances else None


def reach(before: Outcomes, after: Outcomes, rule: Rule, verdict: Verdict) -> list[str]:
    """What the gate that gave a verdict can see, for its first gating scorer."""
    name = next((name for name, each in verdict.scorers.items() if each.gating), "")
    if not name:
        return []
    figures = verdict.scorers[name]
    flips = figures.flips
    return reach_lines(
        cases=figures.n or len(after.cases),
        spread=spread(before, name, verdict),
        alpha=rule.alpha if flips is None else rule.alpha / 2,
        max_drop=rule.max_drop,
        cost=cost_of_row(after),
        fewest_flips=None if flips is None else flips.fewest,
    )
