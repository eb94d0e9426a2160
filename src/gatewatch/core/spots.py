"""Places found in a text, and the leaves of a value that texts are found in: what `pii` and `secrets` share.

Most texts hold nothing, and are told from the others by their shape: the text as bytes, with all characters of a class
replaced by one, in which a plain search finds whether there is a run, or a form, that every match would have.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
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


class Named(Spot, Protocol):
    """A place that holds something of a type."""

    @property
    def type(self) -> str:
        """Of which type it is."""
        ...


T = TypeVar("T", bound=Spot)


def classes(**characters: str) -> bytes:
    """A table for `shape`: from each name, which is one character, to the ASCII characters that it stands for."""
    table = bytearray(range(256))
    for name, members in characters.items():
        for member in members:
            table[ord(member)] = ord(name)
    return bytes(table)


def shape(text: str, table: bytes) -> bytes:
    """A text's shape: its bytes in UTF-8, each replaced by what its class is called."""
    return text.encode("utf-8", "surrogatepass").translate(table)


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


_SHORT_NUMBER = 10**11
_LONGEST_FLOAT = 10**30
_ESCAPED = re.compile(r"(?<!\\)\\++u00([2-7][0-9a-fA-F])")


def long_number(value: Any) -> str:
    """A whole number of 12 digits or more as text, an integer or a float; "" for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    size = abs(value)
    if isinstance(value, float) and not (size < _LONGEST_FLOAT and value.is_integer()):
        return ""
    return str(int(value)) if size >= _SHORT_NUMBER else ""


def unescaped(text: str) -> str:
    """A text with the letters, digits and signs that JSON in it escapes, but for quotes and strokes."""
    return _ESCAPED.sub(_letter, text) if "\\u00" in text else text


def _letter(found: re.Match[str]) -> str:
    letter = chr(int(found[1], 16))
    return found[0] if letter in '"\\' else letter


def replaced(value: Any, find: Callable[[str], Sequence[Named]], *, numbers: bool = False) -> tuple[Any, Counter[str]]:
    """A JSON value with what is found in its texts replaced by the type's name in brackets, and how much that was.

    Keys are texts, too; two that become the same are numbered. What JSON inside a text escapes is looked at as what it
    stands for. With `numbers`, a whole number of 12 digits or more is looked at as well, and becomes text where
    something is found in it.
    """
    taken: Counter[str] = Counter()
    clean: set[str] = set()  # keys: the same ones stand in every object of a list

    def text(given: str) -> str:
        part = unescaped(given)
        found = find(part)
        if not found:
            return given
        pieces, after = [], 0
        for each in found:
            pieces += [part[after : each.start], f"[{each.type}]"]
            after = each.end
            taken[each.type] += 1
        return "".join([*pieces, part[after:]])

    def walk(part: Any) -> Any:
        if isinstance(part, str):
            return text(part)
        if numbers and (whole_number := long_number(part)):
            said = text(whole_number)
            return part if said == whole_number else said
        if isinstance(part, list | tuple):
            return [walk(item) for item in part]
        if isinstance(part, dict):
            whole: dict[str, Any] = {}
            for key, item in part.items():
                plain = key if key in clean else text(key)
                if plain is key:
                    clean.add(key)
                named, number = plain, 1
                while named in whole:
                    number += 1
                    named = f"{plain} {number}"
                whole[named] = walk(item)
            return whole
        return part

    return walk(value), taken
