"""The flip layer: a case that fell below its pass mark is tried again, and held against what it did before.

One failure of a case that passed is what a flaky application does every day. Three of three, from a case that passed
nearly always, is not; how many such cases chance would bring is known from the whole suite's history.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from gatewatch.offline.outcomes import CaseOutcome, Outcomes
from gatewatch.offline.verdict import Flips
from gatewatch.stats.flips import all_fail, fewest, fit_beta, tail

TRIES = 3
"""How often a case that fell is tried in all: the first result counts as one."""
LEAST_HISTORY = 5
"""How many stored outcomes of a case the layer needs, all of them passes."""

Again = Callable[[Sequence[str], int], Outcomes]
"""Runs some cases of the candidate so many times more, without the reply cache, and gives what came of it."""


def failed_tries(outcome: CaseOutcome, scorer: str, mark: float) -> int:
    """How many tries there are, three at most, if every one of them failed; else 0."""
    values = outcome.tried(scorer)[:TRIES]
    return len(values) if all(value < mark for value in values) else 0


def to_try(after: Outcomes, cases: Iterable[str], scorer: str, mark: float) -> set[str]:
    """The cases that have failed so far, and were not tried three times yet."""
    return {case for case in cases if 0 < failed_tries(after.cases[case], scorer, mark) < TRIES}


def chances(before: Outcomes, cases: Iterable[str], scorer: str, mark: float) -> dict[str, float]:
    """Which cases always passed before, and how probable it is by chance that each now fails three times of three.

    A case that also failed before is flaky: it has its part in the fit, which says how far flaky cases are to be
    expected.

    Source: a beta-binomial model of the suite's history by empirical Bayes: see `stats.flips.fit_beta`, `all_fail`.
    """
    if before.most_outcomes(scorer) < LEAST_HISTORY:
        return {}
    counts: dict[str, tuple[int, int]] = {}
    for case in cases:
        history = history_of(before.cases[case], scorer)
        if history:
            counts[case] = sum(value >= mark for value in history), len(history)
    if not counts:
        return {}
    prior = fit_beta(counts.values())
    known = {pair: all_fail(prior, pair[0], pair[1], TRIES) for pair in set(counts.values())}
    return {case: known[pair] for case, pair in counts.items() if pair[0] == pair[1] >= LEAST_HISTORY}


def flips(after: Outcomes, found: Mapping[str, float], scorer: str, mark: float, alpha: float) -> Flips:
    """What the flip layer found for one scorer, given the cases that always passed before and their chances.

    Source: P(Poisson-binomial of the chances >= those confirmed).
    """
    first = {case: after.cases[case].tried(scorer)[:1] for case in found}
    flipped = [case for case, values in first.items() if values and values[0] < mark]
    confirmed = [case for case in flipped if failed_tries(after.cases[case], scorer, mark) == TRIES]
    return Flips(
        eligible=len(found),
        flipped=len(flipped),
        confirmed=len(confirmed),
        p=tail(list(found.values()), len(confirmed)),
        fewest=fewest(list(found.values()), alpha),
    )


def is_mixed(values: Sequence[float], mark: float) -> bool:
    """Whether some values pass and some fail."""
    return 0 < sum(value >= mark for value in values) < len(values)


def history_of(outcome: CaseOutcome, scorer: str) -> Sequence[float]:
    """All that is known of what a case of the baseline did."""
    return outcome.history.get(scorer) or outcome.values(scorer)
