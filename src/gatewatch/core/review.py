"""Review: what people are asked to look at, and what each says of it. Plain data.

An item is one request, frozen as it was; each reviewer's label is kept apart from those of the others, so that who
comes second does not see what the first one said.
"""

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.case import Expected

Queue = Literal["failures", "calibration"]
"""Why an item is there: it was mined, or somebody sent it; or chance drew it, with a known probability."""
ItemState = Literal["waiting", "disputed", "settled"]
"""Labels are missing; reviewers disagree, so that somebody has to settle it; there are labels enough, or one that
settles it."""
Severity = Literal["minor", "major", "critical"]
"""How grave a wrong answer is, by who reviewed it."""


class Item(Struct, frozen=True, kw_only=True):
    """A request to be labelled.

    `scorer` is on whose scale it is to be labelled: "" asks whether the answer is right. `failure` is the number of the
    failure that it was mined with, 0 for none; `signs` are what it was found by. `representative` says that it is
    typical of its failure, rather than at its edge. `pi` is the probability with which it was drawn, of those that
    chance drew (queue "calibration"), and None for all others, which cannot have one: their labels say nothing of the
    traffic. `judged` is what the judge said, which is not shown before the label is there, and `fingerprint` which
    version of it. From `mark` on a value says that it is right. `needed` is how many reviewers must label it.
    """

    id: int = 0
    queue: Queue
    flow: str
    trace: str
    seq: int = 0
    scorer: str = ""
    failure: int = 0
    signs: tuple[str, ...] = ()
    severity: float = 0.0
    representative: bool = True
    pi: float | None = None
    judged: float | None = None
    fingerprint: str = ""
    mark: float = 0.5
    slice: str = ""
    session: str = ""
    user: str = ""
    needed: int = 1
    state: ItemState = "waiting"
    added: float

    def __post_init__(self) -> None:
        if (self.pi is not None) != (self.queue == "calibration"):
            raise ValueError('an item has a pi if chance drew it, in the queue "calibration", and only then')
        if self.pi is not None and not 0 < self.pi <= 1:
            raise ValueError(f"pi must be a probability above 0, got {self.pi}")


def drawn_again(there: Item, new: Item) -> Item:
    """An item that is there, once it was drawn again: by the same version of the judge its probability is the greater
    of the two, as the smaller draw is part of the larger; by another, it is judged and drawn as the new one is. Its
    `signs` are of the draw whose probability it has."""
    if there.pi is None or new.pi is None or (there.fingerprint == new.fingerprint and there.pi >= new.pi):
        return there
    return replace(there, judged=new.judged, fingerprint=new.fingerprint, mark=new.mark, pi=new.pi, signs=new.signs)


def is_right(value: float, mark: float = 0.5) -> bool:
    """On which side a value is, by which reviewers agree or do not: whether it is at the mark or above."""
    return value >= mark


class Label(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one reviewer says of an item.

    `value` is on the one scale, 0..1, where 1 is good; None with `skipped`, which leaves it to others. `expected` is
    the right answer, or what is expected of it. `settles` marks the word of who decided where reviewers disagreed, and
    `first` is what they had said of it by themselves, if they had. `seconds` is how long the item was open before them.

    `kinds` say in which ways it failed, in words of `[loop] kinds`, and `severity` how grave that is. `disputes` asks
    that somebody else settles it, whatever others say. `saw` says that they had looked at what the judge said before.
    """

    item: int
    by: str
    at: float
    value: float | None = None
    expected: str | Expected | None = None
    comment: str = ""
    skipped: bool = False
    settles: bool = False
    first: float | None = None
    seconds: float | None = None
    kinds: tuple[str, ...] = ()
    severity: Severity | None = None
    disputes: bool = False
    saw: bool = False
