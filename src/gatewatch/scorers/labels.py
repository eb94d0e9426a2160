"""A label: what people say of one thing, beside what a scorer says of it."""

from collections import Counter
from collections.abc import Sequence

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
