"""The flip layer: a case that fell below its pass mark is tried again, and held against what it did before.

One failure of a case that passed is what a flaky application does every day. Three of three, from a case that passed
nearly always, is not; how many such cases chance would bring is known from the whole suite's history.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from gatewatch.offline.outcomes import CaseOutcome, Outcomes, Trial
from gatewatch.offline.verdict import Flips
from gatewatch.stats.flips import all_fail, fewest, fit_beta, tail

TRIES = 3
"""How often a case that fell is tried in all: the first result counts as one."""
LEAST_HISTORY = 5
"""How many stored outcomes of a case the layer needs, all of them passes."""

Again = Callable[[Sequence[str], int], Outcomes]
"""Runs some cases of the candidate so many times more, without the reply cache, and gives what came of it."""


class Tries:
    """What the candidate did, try by try: the trials of its run, and those of cases that were tried again."""

    def __init__(self, after: Outcomes) -> None:
        self._cases = after.cases
        self._more: dict[str, list[Trial]] = {}

    def add(self, more: Outcomes) -> None:
        """Take in new trials."""
        for case, outcome in more.cases.items():
            self._more.setdefault(case, []).extend(outcome.trials)

    def values(self, case: str, scorer: str) -> list[float]:
        """The values of a case in the order in which they were given."""
        outcome = self._cases[case]
        if len(outcome.trials) == 1 and not outcome.tries and case not in self._more:
            mark = outcome.trials[0].scores.get(scorer)
            return [] if mark is None or mark.value is None else [mark.value]
        trials = [*(outcome.tries or outcome.trials), *self._more.get(case, ())]
        marks = (trial.scores.get(scorer) for trial in trials)
        return [mark.value for mark in marks if mark is not None and mark.value is not None]

    def failing(self, case: str, scorer: str, mark: float) -> int:
        """How many of the first three tries there are, if all of them failed; else 0."""
        values = self.values(case, scorer)[:TRIES]
        return len(values) if values and all(value < mark for value in values) else 0


class Eligible(Struct, frozen=True):
    """The cases of one scorer that have a history to be held against, each with its chance to fail three times."""

    chances: dict[str, float]


def eligible(before: Outcomes, cases: Iterable[str], scorer: str, mark: float) -> Eligible:
    """Which cases always passed before, and how probable it is by chance that each now fails three times of three.

    A case that also failed before is flaky: it has its part in the fit, which says how far flaky cases are to be
    expected.

    Source: a beta-binomial model of the suite's history by empirical Bayes: see `stats.flips.fit_beta`, `all_fail`.
    """
    if before.most_outcomes(scorer) < LEAST_HISTORY:
        return Eligible({})
    counts: dict[str, tuple[int, int]] = {}
    for case in cases:
        history = history_of(before.cases[case], scorer)
        if history:
            counts[case] = sum(value >= mark for value in history), len(history)
    prior = fit_beta(counts.values()) if counts else None
    if prior is None:
        return Eligible({})
    known = {pair: all_fail(prior, pair[0], pair[1], TRIES) for pair in set(counts.values())}
    return Eligible({case: known[pair] for case, pair in counts.items() if pair[0] == pair[1] >= LEAST_HISTORY})


def to_try(tries: Tries, cases: Iterable[str], scorer: str, mark: float) -> set[str]:
    """The cases that have failed so far, and were not tried three times yet."""
    return {case for case in cases if 0 < tries.failing(case, scorer, mark) < TRIES}


def flips(tries: Tries, found: Eligible, scorer: str, mark: float, alpha: float) -> Flips:
    """What the flip layer found for one scorer.

    Source: P(Poisson-binomial of the eligible cases' chances >= those confirmed).
    """
    chances = list(found.chances.values())
    flipped = [case for case in found.chances if _first_failed(tries, case, scorer, mark)]
    confirmed = [case for case in flipped if tries.failing(case, scorer, mark) == TRIES]
    return Flips(
        eligible=len(chances),
        flipped=len(flipped),
        confirmed=len(confirmed),
        p=tail(chances, len(confirmed)),
        fewest=fewest(chances, alpha),
    )


def _first_failed(tries: Tries, case: str, scorer: str, mark: float) -> bool:
    values = tries.values(case, scorer)
    return bool(values) and values[0] < mark


def is_mixed(values: Sequence[float], mark: float) -> bool:
    """Whether some values pass and some fail."""
    return 0 < sum(value >= mark for value in values) < len(values)


def history_of(outcome: CaseOutcome, scorer: str) -> Sequence[float]:
    """All that is known of what a case of the baseline did."""
    return outcome.history.get(scorer) or outcome.values(scorer)
