"""What differs between two JSON values, key by key: the order of keys is no difference, that of a list is."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal

from msgspec import Struct

from gatewatch.core import codec

LONGEST = 1_000_000
"""The longest text, in characters, that is read as JSON to be compared."""
_LINES = 2_000
_ITEMS = 2_000
_DEEPEST = 40
_TEXT = 2_000


class JsonLine(Struct, frozen=True, omit_defaults=True):
    """A line of a diff of two JSON values.

    `kind`: del, ins, change (of a value from `before` to `after`), node (an object or a list in which something
    differs, and whose lines follow, one deeper) or alike (`count` entries that do not differ). `path` says where it is.
    """

    kind: Literal["del", "ins", "change", "node", "alike"]
    path: str
    depth: int = 0
    key: str = ""
    before: str = ""
    after: str = ""
    count: int = 0


class JsonDiff(Struct, frozen=True):
    """The lines of a diff, and what was left out of it."""

    lines: list[JsonLine]
    notes: tuple[str, ...] = ()


def json_diff(before: str, after: str) -> JsonDiff | None:
    """What differs between two texts that are JSON objects or lists; None where either is not."""
    one, other = _parsed(before), _parsed(after)
    return None if one is None or other is None else value_diff(one, other)


def value_diff(before: Any, after: Any) -> JsonDiff:
    """What differs between two JSON values; at most 2,000 lines of it."""
    found: list[JsonLine] = []
    for line in _compared(before, after, "$", "", 0):
        if len(found) == _LINES:
            return JsonDiff(found, (f"Only the first {_LINES:,} differences are shown.",))
        found.append(line)
    return JsonDiff(found)


def _parsed(text: str) -> Any:
    if len(text) > LONGEST or not text.lstrip().startswith(("{", "[")):
        return None
    with suppress(ValueError, RecursionError):
        return codec.parse(text.encode("utf-8", "surrogatepass"))
    return None


def _compared(one: Any, other: Any, path: str, key: str, depth: int) -> Iterator[JsonLine]:
    if _same(one, other):
        yield JsonLine("alike", path, depth, count=1)
    elif depth < _DEEPEST and isinstance(one, dict) and isinstance(other, dict):
        yield JsonLine("node", path, depth, key, after="{}")
        yield from _keys(one, other, path, depth + 1)
    elif depth < _DEEPEST and isinstance(one, list) and isinstance(other, list):
        yield JsonLine("node", path, depth, key, after="[]")
        yield from _items(one, other, path, depth + 1)
    else:
        yield JsonLine("change", path, depth, key, _brief(one), _brief(other))


def _keys(one: dict[str, Any], other: dict[str, Any], path: str, depth: int) -> Iterator[JsonLine]:
    alike = 0
    for key in dict.fromkeys([*one, *other]):
        at = f"{path}.{key}"
        if key not in other:
            yield JsonLine("del", at, depth, key, before=_brief(one[key]))
        elif key not in one:
            yield JsonLine("ins", at, depth, key, after=_brief(other[key]))
        elif _same(one[key], other[key]):
            alike += 1
        else:
            yield from _compared(one[key], other[key], at, key, depth)
    if alike:
        yield JsonLine("alike", path, depth, count=alike)


def _items(one: list[Any], other: list[Any], path: str, depth: int) -> Iterator[JsonLine]:
    from rapidfuzz.distance import Indel

    sides = [[codec.canonical(each) for each in side[:_ITEMS]] for side in (one, other)]
    rest = max(len(one), len(other)) - _ITEMS
    for low, high, from_, to in _blocks(list(Indel.opcodes(*sides))):
        if low is None:
            yield JsonLine("alike", path, depth, count=to - from_)
            continue
        both = min(high - low, to - from_)
        for step in range(both):
            yield from _compared(one[low + step], other[from_ + step], f"{path}[{from_ + step}]", "", depth)
        for place in range(low + both, high):
            yield JsonLine("del", f"{path}[{place}]", depth, before=_brief(one[place]))
        for place in range(from_ + both, to):
            yield JsonLine("ins", f"{path}[{place}]", depth, after=_brief(other[place]))
    if rest > 0:
        yield JsonLine("alike", f"{path}: not compared", depth, count=rest)


def _blocks(codes: list[Any]) -> Iterator[tuple[int | None, int, int, int]]:
    """What stands between equal stretches, gone and new together; an equal stretch has no first number."""
    gone: list[int] = []
    new: list[int] = []
    for code in codes:
        if code.tag == "equal":
            if gone or new:
                yield _block(gone, new)
            gone, new = [], []
            yield None, 0, code.dest_start, code.dest_end
        else:
            gone += range(code.src_start, code.src_end)
            new += range(code.dest_start, code.dest_end)
    if gone or new:
        yield _block(gone, new)


def _block(gone: list[int], new: list[int]) -> tuple[int, int, int, int]:
    one = (gone[0], gone[-1] + 1) if gone else (0, 0)
    other = (new[0], new[-1] + 1) if new else (0, 0)
    return *one, *other


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same; true is not 1."""
    return bool(one == other) and codec.canonical(one) == codec.canonical(other)


def _brief(value: Any) -> str:
    text = codec.canonical(value).decode()
    return text if len(text) <= _TEXT else f"{text[:_TEXT]} … ({len(text):,} characters in all)"
