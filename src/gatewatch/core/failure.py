"""Failures: what goes wrong live, grouped by how it does, and how each group is on its way to a test. Plain data."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, to_builtins

FailureState = Literal["new", "in_review", "promoted", "fixed", "regressed", "ignored"]
"""Mined and not looked at; being labelled; a case guards it, which fails yet; its cases pass; it came back live after
it was fixed; left alone, for a reason."""
Novelty = Literal["new", "near", "covered"]
"""How a failure stands to the golden dataset: nothing there is like it; a case is somewhat like it; a case asks the
same, and it fails all the same."""


MOST_TURNS = 50
"""So many of the last turns of a failure are kept."""


class Turn(Struct, frozen=True, omit_defaults=True):
    """What somebody made of a failure, or mining, which has no name: the state, why, or whom they gave it to."""

    at: float
    state: FailureState
    by: str = ""
    reason: str = ""
    owner: str = ""


class Failure(Struct, frozen=True, kw_only=True):
    """A group of requests of a flow that went wrong in the same way, or that are unlike anything in the dataset.

    `sign` is by what they were found, such as "score:helpful", "thumbs_down", "error" or "unlike:topic". `name` are
    its top terms, or what a model or a person (`named_by`) calls it. `n` is how many requests of it were found when it
    was mined last, `share` the part of the flow's traffic that they stand for, with its 95 % interval; `severity` their
    mean, in 0..1, where 1 is worst. `nearest` is the id of the most alike case of the dataset, `likeness` how alike.
    `first` and `last` are when the first and the last known request of it happened, in seconds since the epoch.
    `slices` and `versions` count its requests by slice and by version, `days` its conversations by the day on which
    they began (UTC, such as "2026-11-27"): those that were found when it was mined last.

    `rest` says that it is what stands alone of its sign, rather than one mode of failing.
    `fixed` is since when its cases pass. `who` and `reason` are of the last time that somebody turned its state,
    and `turns` are the last times that it was turned, the oldest first.
    """

    id: int = 0
    flow: str
    sign: str
    name: str
    named_by: str = ""
    state: FailureState = "new"
    n: int = 0
    share: float | None = None
    low: float | None = None
    high: float | None = None
    severity: float = 0.0
    novelty: Novelty = "new"
    nearest: str = ""
    likeness: float = 0.0
    first: float
    last: float
    slices: Mapping[str, int] = {}
    versions: Mapping[str, int] = {}
    days: Mapping[str, int] = {}
    owner: str = ""
    who: str = ""
    reason: str = ""
    fixed: float | None = None
    rest: bool = False
    turns: tuple[Turn, ...] = ()
    opened: float
    updated: float

    @property
    def impact(self) -> float:
        """By what failures are ranked: the share of traffic times severity, 0..1; 0 where no share is known."""
        return self.severity * (self.share if self.share is not None else 0.0)


def told(failure: Failure) -> dict[str, Any]:
    """A failure as JSON: all of its fields, what people call it, and by what it is ranked."""
    return {**to_builtins(failure), "failure": failure_name(failure.id), "impact": failure.impact}


def failure_name(number: int) -> str:
    """What people call a failure by its number: F12."""
    return f"F{number}"


def number_in(name: str, letter: str) -> int | None:
    """The number in a name such as F12 (a failure) or I7 (an item of review); None where it is no such name."""
    head, digits = name[:1].upper(), name[1:]
    return int(digits) if head == letter and digits.isascii() and digits.isdecimal() and len(digits) < 19 else None
