"""How far a gate can see: the smallest fall that so many cases and trials detect, and what seeing more would cost."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean

from msgspec import Struct

from gatewatch.core.money import dollars
from gatewatch.offline.flips import LEAST_HISTORY, chances, history_of
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.rule import Rule
from gatewatch.offline.verdict import Verdict
from gatewatch.stats.flips import fewest
from gatewatch.stats.paired import difference
from gatewatch.stats.power import cases_to_decide, components, sd_of_difference, smallest_detectable
from gatewatch.stats.special import normal_quantile

_ASSUMED_SD = 0.36
"""The standard deviation of a case's difference where nothing is known: a noisy pass-or-fail suite, one trial each."""
_TRIALS = (1, 3, 5)
_MORE_CASES = (3, 10)


class Step(Struct, frozen=True, kw_only=True):
    """So many cases and trials of each: the smallest fall of the mean that is found with 80 % power, in 0..1.

    `cost` is how many US dollars more a change would cost than now, where that is known.
    """

    cases: int
    trials: int
    fall: float
    cost: float | None = None


class Reach(Struct, frozen=True, kw_only=True):
    """What a gate can see now (the first step), and with more trials or more cases.

    `needed` is how many cases would rule out a fall of `max_drop` when nothing changed; `fewest_flips` how many cases
    that break outright the flip layer blocks at: None where it is off, 0 where no number would do. `source` says where
    the noise is known from.
    """

    steps: tuple[Step, ...]
    max_drop: float
    needed: int | None
    fewest_flips: int | None
    source: str


class Noise(Struct, frozen=True, kw_only=True):
    """The variance of one trial of a case, as if nothing but chance made trials differ, and where it is known from.

    `steady` says that the trials of a case never differed, so that more of them would tell nothing.
    """

    variance: float
    source: str
    steady: bool = False


def noise_of(before: Outcomes | None, name: str, verdict: Verdict | None = None) -> Noise:
    """What is known of the noise of one scorer.

    The differences that a comparison saw come first, then repeated outcomes of the same cases. Where there is
    neither, a noisy suite is assumed; where nothing ever differed, as much as may have gone unseen.
    """
    figures = None if verdict is None else verdict.scorers.get(name)
    if verdict is not None and figures is not None and figures.sd is not None:
        trials = sum(1 / max(1, side.trials) for side in (verdict.baseline, verdict.candidate) if side is not None)
        return Noise(variance=figures.sd**2 / trials, source="the differences in this comparison are taken for noise")
    known = [] if before is None else [list(history_of(outcome, name)) for outcome in before.cases.values()]
    rows = [row for row in known if row]
    if sum(len(row) > 1 for row in rows) < 2:
        source = "the noise is assumed: a noisy pass-or-fail suite, no case was run twice yet"
        return Noise(variance=_ASSUMED_SD**2 / 2, source=source)
    variance = components(rows).within
    steady = variance <= 0.0
    unseen = difference([0.0] * len(rows), binary=True).interval
    if steady and unseen is not None:
        half = (unseen.high - unseen.low) / 2 / normal_quantile(0.975)
        variance = half**2 * len(rows) / 2
    stored = round(fmean(len(row) for row in rows))
    source = f"the noise is from {stored} stored outcomes of each case"
    if steady:
        source += ", which never differed: more trials would tell nothing"
    return Noise(variance=variance, source=source, steady=steady)


def reach(
    *,
    cases: int,
    noise: Noise,
    trials_before: int,
    alpha: float,
    max_drop: float,
    cost: float | None,
    fewest_flips: int | None = None,
) -> Reach:
    """What a gate over so many cases can see, and what seeing more would cost.

    Args:
        cases: how many there are.
        noise: of one trial.
        trials_before: how many trials of a case the baseline has; it is given more where the candidate has more.
        alpha: the level that the mean layer runs at.
        max_drop: the fall that is to be ruled out.
        cost: US dollars for one trial of one case, where that is known.
        fewest_flips: how many cases that break outright the flip layer blocks at, where it is on.
    """

    def sd(trials: int) -> float:
        if noise.steady:
            return sqrt(2 * noise.variance)
        return sd_of_difference(noise.variance, trials_before=max(trials, trials_before), trials_after=trials)

    def step(n: int, trials: int) -> Step:
        fall = min(1.0, smallest_detectable(sd(trials), n, alpha=alpha))
        return Step(cases=n, trials=trials, fall=fall, cost=None if cost is None else cost * (n * trials - cases))

    steps = [step(cases, trials) for trials in _TRIALS[: 1 if noise.steady else None]] + [
        step(cases * more, 1) for more in _MORE_CASES
    ]
    needed = cases_to_decide(sd(1), max_drop) if max_drop > 0 else None
    return Reach(steps=tuple(steps), max_drop=max_drop, needed=needed, fewest_flips=fewest_flips, source=noise.source)


def in_words(found: Reach) -> list[str]:
    """What a gate can see, line by line."""
    lines = []
    for number, step in enumerate(found.steps):
        price = "" if step.cost is None or not number else f", +{dollars(step.cost)} a change"
        trials = f"{step.trials} trial{'s' if step.trials > 1 else ''}"
        lines.append(f"{step.cases} cases x {trials}: a fall of {step.fall * 100:.1f} pp{price}")
    if found.needed is not None:
        fall = f"{found.max_drop * 100:g} pp"
        lines.append(f"to rule out a fall of {fall} when nothing changed: {found.needed} cases x 1 trial")
    if found.fewest_flips == 0:
        lines.append("flip layer: on, but so many cases are flaky that no number of others would block")
    elif found.fewest_flips is not None:
        some = "1 case that breaks" if found.fewest_flips == 1 else f"{found.fewest_flips} cases that break"
        lines.append(f"flip layer: blocks at {some} outright, whatever the mean does")
    else:
        buy = f"gatewatch baseline pin RUN --trials {LEAST_HISTORY}"
        lines.append(f"flip layer: off until the baseline has {LEAST_HISTORY} outcomes of a case ({buy})")
    return [*lines, f"(80 % power; {found.source})"]


def cost_of_row(side: Outcomes) -> float | None:
    """What one row cost in US dollars, task and judges together, where that is known."""
    total = (side.task_cost + side.judge_cost).total
    return None if total is None or not side.rows else total / side.rows


def fewest_flips(before: Outcomes, name: str, alpha: float) -> int | None:
    """How many cases that break outright the flip layer blocks at: None where it is off, 0 where no number would do."""
    mark = before.mark(name)
    found = {} if mark is None else chances(before, before.cases, name, mark)
    return (fewest(list(found.values()), alpha) or 0) if found else None


def trials_of(before: Outcomes | None) -> int:
    """How many trials of a case a baseline has, as most cases have them."""
    counts: Sequence[int] = [] if before is None else sorted(len(each.trials) for each in before.cases.values())
    return counts[len(counts) // 2] if counts else 1


def reach_of(before: Outcomes, after: Outcomes, rule: Rule, verdict: Verdict) -> tuple[str, ...]:
    """What the gate that gave a verdict can see, in words, for its first gating scorer."""
    name = next((name for name, each in verdict.scorers.items() if each.gating), "")
    if not name:
        return ()
    figures = verdict.scorers[name]
    found = reach(
        cases=figures.n or len(after.cases),
        noise=noise_of(before, name, verdict),
        trials_before=trials_of(before),
        alpha=rule.alpha if figures.flips is None else rule.alpha / 2,
        max_drop=rule.max_drop,
        cost=cost_of_row(after),
        fewest_flips=None if figures.flips is None else figures.flips.fewest or 0,
    )
    return tuple(in_words(found))
