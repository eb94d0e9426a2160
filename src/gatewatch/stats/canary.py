"""Does a judge judge as it did? The same frozen outputs, scored then and now."""

from collections.abc import Sequence
from math import ceil

from msgspec import Struct

from gatewatch.stats.intervals import Interval
from gatewatch.stats.paired import difference, sign_flip

LEAST = 0.01
"""A mean that moved by less is no changed judge, however sure one may be that it did."""

_FLIPS = 20_000
_MOST_FLIPS = 200_000


class Canary(Struct, frozen=True):
    """What `n` frozen outputs say: `effect` is now less then, in -1..1, with its 95 % interval; `p` is two-sided."""

    n: int
    p: float
    effect: float
    interval: Interval | None
    changed: bool


def judge_changed(
    before: Sequence[float],
    now: Sequence[float],
    *,
    checks_per_day: float = 1.0,
    days: float = 90.0,
    least: float = LEAST,
    seed: int = 0,
) -> Canary:
    """Whether a judge changed: the mean moved by `least` or more, and that by chance alone once in `days` at most.

    Both may be noisy; a value that is the mean of several scorings is less so. One that could not be scored now is to
    be left out of both.

    Args:
        before: the frozen values of n outputs, in 0..1.
        now: those of the same outputs today.
        checks_per_day: of all judges together.
        days: between two false alarms of all checks together.
        least: the smallest change of the mean that counts.
        seed: of the sign flips that are drawn.

    Source: the sign-flip test of `paired.sign_flip_test`, both ways; Bonferroni over the checks.

    Raises:
        ValueError: unless there are as many before as now, at least one, each in 0..1.
    """
    if len(before) != len(now) or not before:
        raise ValueError(f"needs as many values before as now, got {len(before)} and {len(now)}")
    if not all(0.0 <= value <= 1.0 for values in (before, now) for value in values):
        raise ValueError("a value is in 0..1")
    alpha = 1.0 / (days * checks_per_day)
    moved = [after - first for first, after in zip(before, now, strict=True)]
    flips = min(_MOST_FLIPS, max(_FLIPS, ceil(10.0 / alpha)))  # so that p can fall well below alpha
    one_sided = min(sign_flip(each, seed=seed, flips=flips) for each in (moved, [-move for move in moved]))
    p = min(1.0, 2.0 * one_sided)
    found = difference(moved)
    return Canary(len(moved), p, found.mean, found.interval, p < alpha and abs(found.mean) >= least)
