"""Places found in a text, and the leaves of a value that texts are found in: what `pii` and `secrets` share."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar


class Spot(Protocol):
    """A place in a text: `text[start:end]`."""

    @property
    def start(self) -> int:
        """Where it begins."""
        ...

    @property
    def end(self) -> int:
        """Where it has ended."""
        ...


T = TypeVar("T", bound=Spot)


def apart(spots: Iterable[T]) -> list[T]:
    """The places in order, none overlapping: the one that begins first stands, and of those the longer."""
    found: list[T] = []
    for each in sorted(spots, key=lambda each: (each.start, -each.end)):
        if not found or each.start >= found[-1].end:
            found.append(each)
    return found


def leaves(value: Any) -> Iterator[Any]:
    """All that a JSON value holds besides objects and lists, keys included, in no order; as deep as it goes."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += [*part.keys(), *part.values()]
        elif isinstance(part, list | tuple):
            waiting += part
        else:
            yield part
