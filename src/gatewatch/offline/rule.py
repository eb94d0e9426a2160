"""By what rule a gate decides."""

from typing import Literal

from msgspec import Struct


class Rule(Struct, frozen=True, kw_only=True):
    """What gates, at which rate of false blocks, and which fall matters.

    `primary` are the scorers that gate (all of the suite when empty), `slices` the slices in which they gate as well.
    `alpha` is the rate of false blocks. `max_drop`, in 0..1, is the fall that must be ruled out for a pass; a fall of
    the mean that is smaller than `min_effect` does not block, however sure it is. `floors` are lowest means by
    scorer, `max_cost` is in US dollars a row, `max_latency` in seconds (95th percentile). `seed` is of the sign
    flips.
    """

    primary: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    alpha: float = 0.05
    max_drop: float = 0.05
    min_effect: float = 0.0
    floors: dict[str, float] = {}
    max_cost: float | None = None
    max_latency: float | None = None
    undecided: Literal["warn", "fail", "spend"] = "warn"
    seed: int = 0
