"""Re-running the flips: how surprising it is that cases which used to pass now fail several times in a row."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import exp, log
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEAST, _MOST = 0.05, 1000.0
_PULL = 0.01


class BetaPrior(Struct, frozen=True):
    """How the pass probabilities of a suite's cases are spread: Beta(a, b), with mean a / (a + b)."""

    a: float
    b: float


def fit_beta(histories: Iterable[tuple[int, int]]) -> BetaPrior:
    """The spread of pass probabilities that the histories, (passes, trials) of each case, make the likeliest.

    On the safe side where they tell little. The mean probability of a failure is at least (failures + 1/2) /
    (trials + 1) of all trials, so that a suite that never failed may do so. The strength a + b stays in 0.05..1000, and
    is drawn to 1, where runs of failures are hardest to call surprising, by a hundredth of its squared log: that
    decides only where the histories do not. Of no trials it is Beta(1/2, 1/2).

    Source: the beta-binomial likelihood by rising factorials (Griffiths 1973), "Maximum likelihood estimation for the
    beta-binomial distribution".

    Raises:
        ValueError: unless 0 <= passes <= trials for every case.
    """
    likelihood = _Likelihood(histories)

    def at(strength: float) -> float:
        return likelihood(likelihood.failing(strength), strength) - _PULL * log(strength) ** 2

    strength = _highest(at)
    failing = likelihood.failing(strength)
    return BetaPrior(strength * (1.0 - failing), strength * failing)


def all_fail(prior: BetaPrior, passes: int, trials: int, reruns: int = 3) -> float:
    """The probability that so many new trials of a case with that history all fail.

    Source: the predictive distribution of the beta-binomial (Skellam 1948): the product of
    (b + failures + i) / (a + b + trials + i) over i < reruns.

    Raises:
        ValueError: unless 0 <= passes <= trials and reruns >= 1.
    """
    if not (0 <= passes <= trials and reruns >= 1):
        raise ValueError(f"needs 0 <= passes <= trials and reruns >= 1, got {passes}, {trials} and {reruns}")
    probability = 1.0
    for i in range(reruns):
        probability *= (prior.b + trials - passes + i) / (prior.a + prior.b + trials + i)
    return probability


def tail(probabilities: Sequence[float], k: int) -> float:
    """The probability that at least k of independent events happen, which have these probabilities (Poisson-binomial).

    Nothing is subtracted, so that it is precise however small it is; it takes time in proportion to their number and k.

    Source: the distributions of two halves convolved, as in Biscarri, Zhao and Brunner (2018), "A simple and fast
    method for computing the Poisson binomial distribution function".

    Raises:
        ValueError: for a probability out of 0..1.
    """
    if k <= 0:
        return 1.0
    return _tails(probabilities, k)[k] if k <= len(probabilities) else 0.0


def fewest(probabilities: Sequence[float], alpha: float) -> int | None:
    """The fewest of these events that happen together with a probability of at most alpha; None if all of them do not.

    Raises:
        ValueError: for a probability out of 0..1, or unless 0 < alpha < 1.
    """
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}")
    reach = 16
    while True:
        tails = _tails(probabilities, min(reach, len(probabilities)))
        surprising = [k for k, probability in enumerate(tails) if probability <= alpha]
        if surprising:
            return surprising[0]
        if reach >= len(probabilities):
            return None
        reach *= 2


class _Likelihood:
    """The log likelihood of histories, as far as it depends on the prior, from counts alone.

    Each of its three lists has at i the number of cases with more than i passes, failures or trials.
    """

    def __init__(self, histories: Iterable[tuple[int, int]]) -> None:
        same = Counter(histories)
        longest = max((trials for _, trials in same), default=0)
        self._passes, self._failures, self._trials = [0] * longest, [0] * longest, [0] * longest
        for (passes, trials), cases in same.items():
            if not 0 <= passes <= trials:
                raise ValueError(f"needs 0 <= passes <= trials, got {passes} and {trials}")
            for i in range(trials):
                self._passes[i] += cases * (i < passes)
                self._failures[i] += cases * (i < trials - passes)
                self._trials[i] += cases
        failures, trials = sum(self._failures), sum(self._trials)
        self._bounds = (failures + 0.5) / (trials + 1), (trials + 0.5) / (trials + 1)

    def __call__(self, failing: float, strength: float) -> float:
        a, b = strength * (1.0 - failing), strength * failing
        terms = enumerate(zip(self._passes, self._failures, self._trials, strict=True))
        return sum(p * log(a + i) + f * log(b + i) - t * log(strength + i) for i, (p, f, t) in terms)

    def failing(self, strength: float) -> float:
        """The likeliest mean probability of a failure at that strength: there the slope, which falls, is 0."""
        low, high = self._bounds
        if self._slope(low, strength) <= 0.0:
            return low
        for _ in range(40):
            middle = (low + high) / 2
            if self._slope(middle, strength) > 0.0:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    def _slope(self, failing: float, strength: float) -> float:
        a, b = strength * (1.0 - failing), strength * failing
        counts = enumerate(zip(self._passes, self._failures, strict=True))
        return sum(f / (b + i) - p / (a + i) for i, (p, f) in counts)


def _highest(at: Callable[[float], float]) -> float:
    """The strength at which a function of it is highest, which has one peak: ever closer around the best of nine."""
    low, high, best = log(_LEAST), log(_MOST), 0.0
    for _ in range(8):
        step = (high - low) / 8
        best = max((low + step * i for i in range(9)), key=lambda place: at(exp(place)))
        low, high = max(best - step, log(_LEAST)), min(best + step, log(_MOST))
    return exp(best)


def _tails(probabilities: Sequence[float], most: int) -> list[float]:
    """The probabilities of at least 0, 1 ... `most` events, of which there are at least that many."""
    import numpy as np

    p = np.asarray(probabilities, dtype=np.float64)
    if not ((p >= 0.0) & (p <= 1.0)).all():
        raise ValueError("a probability is in 0..1")
    if most == 0:
        return [1.0]
    # One row to an event, then to a pair of events, to two pairs ...: the probabilities of 0, 1 ... of them.
    rows = np.stack((1.0 - p, p), axis=1)
    while len(rows) > 1:
        if len(rows) % 2:
            rows = np.concatenate((rows, np.eye(1, rows.shape[1])))
        rows = _both(rows[::2], rows[1::2], most)
    return [1.0, *np.cumsum(rows[0, ::-1])[::-1][1:].tolist()]


def _both(one: "NDArray[np.float64]", other: "NDArray[np.float64]", most: int) -> "NDArray[np.float64]":
    """The distributions, row by row, of the sums of two counts; what is above `most` counts as `most`."""
    import numpy as np

    width = one.shape[1]
    sums = np.zeros((len(one), min(2 * width - 1, most + 1)))
    for i in range(width):
        within = min(width, sums.shape[1] - i)
        sums[:, i : i + within] += one[:, i : i + 1] * other[:, :within]
        sums[:, -1] += one[:, i] * other[:, within:].sum(axis=1)
    return sums
