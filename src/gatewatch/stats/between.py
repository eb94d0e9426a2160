"""How much means differ from day to day beyond what chance explains."""

from collections.abc import Sequence
from math import fsum, sqrt

from gatewatch.stats.special import gammaincc

FEWEST, LEAST = 3, 5
"""How many days, of how many values each, tell anything."""
ALPHA = 0.01


def spread_between(blocks: Sequence[tuple[int, float]], sd: float) -> float:
    """The standard deviation of the true means of blocks (days), beyond that of the values within them.

    It is 0 where the blocks' means differ no more than chance makes them: at p >= 0.01 by chi-square.

    Args:
        blocks: (number of values, mean) of each. Those of fewer than 5 values are left out.
        sd: the standard deviation of values within blocks.

    Source: the method of moments for a one-way random effect; DerSimonian and Laird (1986), "Meta-analysis in clinical
    trials", with equal variances within.
    """
    known = [(n, mean) for n, mean in blocks if n >= LEAST]
    if len(known) < FEWEST or sd <= 0.0:
        return 0.0
    total = fsum(n for n, _ in known)
    middle = fsum(n * mean for n, mean in known) / total
    q = fsum(n * (mean - middle) ** 2 for n, mean in known) / sd**2
    free = len(known) - 1
    if gammaincc(free / 2, q / 2) >= ALPHA:
        return 0.0
    scale = total - fsum(n * n for n, _ in known) / total
    return sqrt(max(0.0, (q - free) * sd**2 / scale))
