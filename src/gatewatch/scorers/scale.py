"""What a judge may answer, and what that is worth in 0..1."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from math import isfinite
from typing import Any, Literal

from msgspec import Struct

Kind = Literal["binary", "graded", "choice", "policy", "pairwise"]

_RANGE = re.compile(r"(\d{1,4})-(\d{1,4})")
_MOST_GRADES = 101
_WORDS = ("binary", "choice", "policy", "pairwise")
SKIP = "skip"
"""What a choice is worth that says: this cannot be judged."""


class Scale(Struct, frozen=True):
    """What a judge may answer.

    binary: pass or fail. graded: a whole number from `low` to `high`. choice: one of the `choices`, each with its worth
    in 0..1, or None for one that is no score. policy: of each clause whether it was kept or broken. pairwise: which of
    two outputs is better, or neither.
    """

    kind: Kind = "binary"
    low: int = 0
    high: int = 1
    choices: tuple[tuple[str, float | None], ...] = ()

    def __str__(self) -> str:
        if self.kind == "graded":
            return f"{self.low}-{self.high}"
        if self.kind == "choice":
            return "choice of " + ", ".join(
                f"{name} = {SKIP if worth is None else worth}" for name, worth in self.choices
            )
        return self.kind

    def value(self, verdict: object) -> float | None:
        """A verdict in 0..1, linear in the grade: of 1-5, 1 is 0.0 and 5 is 1.0; a pass is 1.

        Raises:
            ValueError: for a verdict that is not on the scale; it says what one must be.
        """
        if self.kind == "binary":
            if verdict not in ("pass", "fail"):
                raise ValueError('must be "pass" or "fail"')
            return float(verdict == "pass")
        if self.kind == "choice":
            for name, worth in self.choices:
                if verdict == name:
                    return worth
            raise ValueError("must be " + listed(name for name, _ in self.choices))
        if self.kind != "graded":
            raise ValueError(f"is none of a {self.kind} rubric, whose examples cannot be given")
        if not isinstance(verdict, int) or isinstance(verdict, bool) or not self.low <= verdict <= self.high:
            raise ValueError(f"must be a whole number in {self.low}..{self.high}")
        return (verdict - self.low) / (self.high - self.low)


def listed(names: Any) -> str:
    """Words in quotation marks, set off as alternatives."""
    quoted = [f'"{name}"' for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def parse_scale(text: object, choices: Mapping[str, object] | None = None) -> Scale:
    """The scale that a header states: a range of whole numbers such as "1-5", or the name of another kind.

    Raises:
        ValueError: for anything else, or for choices that cannot be.
    """
    if text == "choice":
        return Scale("choice", choices=_worths(choices))
    if choices is not None:
        raise ValueError(f'must be "choice" where there are [choices], got {text!r}')
    for word in ("binary", "policy", "pairwise"):
        if text == word:
            return Scale(word)
    found = _RANGE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        near = get_close_matches(str(text), _WORDS, n=1)
        hint = f' (did you mean "{near[0]}"?)' if near else ""
        raise ValueError(f'must be {listed(_WORDS)}, or a range such as "1-5", got {text!r}{hint}')
    low, high = int(found[1]), int(found[2])
    if not low < high < low + _MOST_GRADES:
        raise ValueError(f"must rise, in at most {_MOST_GRADES} grades, got {text!r}")
    return Scale("graded", low, high)


def _worths(choices: Mapping[str, object] | None) -> tuple[tuple[str, float | None], ...]:
    if choices is None or len(choices) < 2:
        raise ValueError('"choice" needs a table [choices] of two or more, such as right = 1, partly = 0.5, wrong = 0')
    found: list[tuple[str, float | None]] = []
    for name, worth in choices.items():
        if worth == SKIP:
            found.append((name, None))
        elif isinstance(worth, int | float) and not isinstance(worth, bool) and isfinite(worth) and 0 <= worth <= 1:
            found.append((name, float(worth)))
        else:
            raise ValueError(f'"choice": {name} must be worth a number in 0..1, or "{SKIP}", got {worth!r}')
    return tuple(found)
