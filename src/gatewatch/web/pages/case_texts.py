"""Cases as they are shown: each field as text, what differs between two as pieces, a file's edit line by line."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec

from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.offline.reports.worddiff import condensed, word_diff

Piece = tuple[Literal["=", "-", "+"], str]
_SIGNS: dict[str, Literal["=", "-", "+"]] = {"same": "=", "del": "-", "ins": "+"}
_AROUND, _MOST, _TOTAL = 400, 6_000, 30_000
_LINE, _HEAD, _NEAR = 4_000, 40, 100
FIELDS = ("input", "expected", "context", "slice", "tags", "cluster", "tier", "must_pass", "open", "retired", "scorers")
"""The fields of a case that are compared, in the order in which they are shown; then all others."""


def turns_of(value: Any) -> list[tuple[str, str]] | None:
    """A conversation as (role, text) by turn; None for what is none."""
    messages = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(messages, list):
        return None
    return [
        (str(each.get("role", "")), text_of(each.get("content", each))) for each in messages if isinstance(each, dict)
    ]


def text_of(value: Any) -> str:
    """A field as text: what is text as it is, a conversation by turns, anything else as JSON."""
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        return value
    turns = turns_of(value)
    if turns is not None and set(value) <= {"messages", "assistant"}:
        return "\n\n".join(f"{role}: {said}" for role, said in turns)
    return codec.indented(value)


def pieces(before: str, after: str) -> list[Piece]:
    """What differs between two texts, word by word; what is far from any change is left out."""
    parts = condensed(word_diff(before, after), around=_AROUND, most=_MOST, total=_TOTAL)
    return [(_SIGNS[kind], text) for kind, text in parts]


def field_diffs(before: Case | None, after: Case | None, *, thin: bool = False) -> list[tuple[str, list[Piece]]]:
    """Each field in which two cases differ, with what differs; of a case that stands alone what it asks and expects.

    Args:
        before: the earlier, None for one that was added.
        after: the later, None for one that was removed.
        thin: whether one of them is known from a run, which has only what scores depend on.
    """
    one, other = _plain(before), _plain(after)
    names = [*FIELDS, *sorted((one.keys() | other.keys()) - {*FIELDS, "id"})]
    if thin or before is None or after is None:
        names = ["input", "expected"] if thin else ["input", "expected", "context"]
    found = []
    for name in names:
        texts = text_of(one.get(name)), text_of(other.get(name))
        if texts[0] != texts[1]:
            found.append((name, pieces(*texts)))
    return found


def _plain(case: Case | None) -> dict[str, Any]:
    return {} if case is None else dict(msgspec.to_builtins(case))


def _patch_lines(patch: bytes) -> Iterator[tuple[str, str]]:
    """A unified diff line by line: ("@", a place), ("-", gone), ("+", new), ("=", as it was)."""
    for line in patch.decode("utf-8", "replace").split("\n"):
        if line.startswith(("--- ", "+++ ", "\\")) or not line:
            continue
        sign = {"@": "@", "-": "-", "+": "+"}.get(line[0], "=")
        yield sign, line if sign == "@" else line[1:]


def line_pieces(patch: bytes) -> list[tuple[str, list[Piece]]]:
    """A unified diff of lines that were replaced one by one, for people: each hunk's place, and of each line that
    changed its pieces, word by word."""
    found: list[tuple[str, list[Piece]]] = []
    before = ""
    for sign, text in _patch_lines(patch):
        if sign == "@":
            found.append(("@", [("=", text)]))
        elif sign == "-":
            before = text
        elif sign == "+":
            found.append(("±", _within(before, text)))
            before = ""
    return found


def _within(before: str, after: str) -> list[Piece]:
    """What differs between two lines, by the parts that they begin and end with alike."""
    head = next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), None)
    if head is None:
        head = min(len(before), len(after))
    rest = min(len(before), len(after)) - head
    tail = 0
    while tail < rest and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    one, other = before[head : len(before) - tail], after[head : len(after) - tail]
    while head and not one and other and other[0] not in ',"{' and other[-1] == before[head - 1]:
        other, head, tail = other[-1] + other[:-1], head - 1, tail + 1  # the same, from where a field begins
    start, end = before[:head], before[len(before) - tail :]
    parts: Sequence[Piece] = (
        ("=", start if head <= _HEAD + _NEAR else f"{start[:_HEAD]}…{start[-_NEAR:]}"),
        ("-", _cut(one)),
        ("+", _cut(other)),
        ("=", end if tail <= _NEAR else f"{end[:_NEAR]}…"),
    )
    return [part for part in parts if part[1]]


def _cut(text: str) -> str:
    return text if len(text) <= _LINE else f"{text[:_LINE]}… ({len(text):,} characters)"
