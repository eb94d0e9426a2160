"""A label: what people say of one thing, beside what a scorer says of it."""

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

Value = bool | float | str


class Label(Struct, frozen=True, kw_only=True):
    """One thing that people labelled, and what the scorer said of it.

    `people` has the value each rater gave, and `verdict` the scorer's (None: missing, as of a judge whose reply could
    not be read): true or false, a number in 0..1, or a choice. `weight` is 1 over the probability with which the thing
    was drawn to be labelled. `orders` are a pairwise judge's choices when shown one way round and the other, in terms
    of the pair. `length` is the output's, or the two outputs' of a pair; `own` says that the output is of the judge's
    own model, or which of a pair's ("a" or "b"). `explanation` is the scorer's.
    """

    id: str
    people: tuple[Value, ...]
    verdict: Value | None = None
    slice: str = ""
    cluster: str = ""
    weight: float = 1.0
    orders: tuple[str | None, str | None] | None = None
    length: int | tuple[int, int] | None = None
    own: bool | str | None = None
    explanation: str = ""


def majority(people: Sequence[Value]) -> Value | None:
    """What more than half of the people say, or None where no value has that."""
    value, count = Counter(people).most_common(1)[0]
    return value if 2 * count > len(people) else None


def is_graded(value: object) -> bool:
    """Whether a value is a number between the two that are good and bad."""
    return isinstance(value, float | int) and not isinstance(value, bool) and value not in (0, 1)


def what_is_good(
    every: Sequence[Value], said: Sequence[Value] = (), *, good: str = "", pass_at: float | None = None
) -> Callable[[Value], bool]:
    """Which values are good: of people's (`every`), and of the verdicts that they are held against (`said`).

    Raises:
        ValueError: when they do not go together, or it is not said what is good.
    """
    if len({isinstance(value, str) for value in (*every, *said)}) > 1:
        mixed = ", ".join(dict.fromkeys(repr(value) for value in (*every, *said)))
        raise ValueError(f"labels and verdicts must be choices, or not be, all of them: there are {mixed[:200]}")
    if any(isinstance(value, str) for value in every):
        choices = sorted({str(value) for value in every})
        if good not in choices:
            what = f"{good!r} is none of the choices" if good else "which choice is good is not said"
            raise ValueError(f"{what}: name one of {', '.join(choices)}")
        return lambda value: value == good
    if pass_at is not None:
        return lambda value: float(value) >= pass_at
    if any(is_graded(value) for value in every):
        raise ValueError(
            "people give grades, so that it has to be said from which on one is a pass: give pass_at (--pass-at)"
        )
    return bool
