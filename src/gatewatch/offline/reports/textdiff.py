"""What differs between two texts by word, line or character, in bounded time whatever their length.

What both begin and end with is found first, by halving; only what lies between is compared. What is left out for its
length is said in a note, never silently.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from gatewatch.offline.reports.worddiff import LONGEST, Part, word_diff

By = Literal["word", "line", "char"]
_AROUND = 2_000
_LIMITS: dict[By, int] = {"word": LONGEST, "line": 400_000, "char": 6_000}
_LINES = 4_000
_UNITS = {"word": "word by word", "line": "line by line", "char": "character by character"}


class TextDiff(Struct, frozen=True):
    """The parts that make up two texts: `same` and `del` the first, `same` and `ins` the second.

    `notes` say what was left out, and why.
    """

    parts: list[Part]
    notes: tuple[str, ...] = ()


def text_diff(before: str, after: str, by: By = "word") -> TextDiff:
    """What differs between two texts.

    Of a long beginning or end that both share 2,000 characters are shown. Where what lies between is longer than
    20,000 characters (6,000 by character, 400,000 or 4,000 lines by line), that much of it is compared.
    """
    limit = _LIMITS[by]
    notes: list[str] = []
    if max(len(before), len(after)) > limit:
        before, after = _middle(before, after, notes)
        if max(len(before), len(after)) > limit:
            sizes = f"{len(before):,} and {len(after):,}"
            notes.append(
                f"Too long to be compared {_UNITS[by]} as a whole ({sizes} characters): the first {limit:,} are."
            )
            before, after = before[:limit], after[:limit]
    if by == "word":
        return TextDiff(word_diff(before, after), tuple(notes))
    if before == after:
        return TextDiff([("same", before)] if before else [], tuple(notes))
    if by == "char":
        return TextDiff(_joined(_parts(before, after), 2), tuple(notes))
    one, other = before.splitlines(True), after.splitlines(True)
    if max(len(one), len(other)) > _LINES:
        notes.append(f"Of {len(one):,} and {len(other):,} lines the first {_LINES:,} are compared.")
        one, other = one[:_LINES], other[:_LINES]
    return TextDiff(_joined(_parts(one, other), 0), tuple(notes))


def shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        half = (low + high + 1) // 2
        if one[low:half] == other[low:half]:
            low = half
        else:
            high = half - 1
    return low


def _middle(before: str, after: str, notes: list[str]) -> tuple[str, str]:
    """Two texts without most of what they begin and end with alike."""
    first = shared(before, after)
    last = min(shared(before[::-1], after[::-1]), min(len(before), len(after)) - first)
    skipped = max(0, first - _AROUND), max(0, last - _AROUND)
    for count, where in zip(skipped, ("first", "last"), strict=True):
        if count:
            notes.append(f"The {where} {count:,} characters are the same on both sides, and left out here.")
    return before[skipped[0] : len(before) - skipped[1]], after[skipped[0] : len(after) - skipped[1]]


def _parts(one: str | Sequence[str], other: str | Sequence[str]) -> list[Part]:
    """The longest common subsequence, as parts."""
    from rapidfuzz.distance import Indel

    found: list[Part] = []
    for code in Indel.opcodes(one, other):
        gone, new = "".join(one[code.src_start : code.src_end]), "".join(other[code.dest_start : code.dest_end])
        if code.tag == "equal":
            found.append(("same", new))
        else:
            found += [("del", gone)] if gone else []
            found += [("ins", new)] if new else []
    return found


def _joined(parts: Sequence[Part], least: int) -> list[Part]:
    """Parts with what is gone before what is new; so few letters between two changes belong to the change."""
    found: list[Part] = []
    gone = new = ""
    for place, (kind, text) in enumerate(parts):
        inner = 0 < place < len(parts) - 1
        if kind == "same" and not (inner and len(text) <= least):
            found += [("del", gone)] if gone else []
            found += [("ins", new)] if new else []
            found.append(("same", text))
            gone = new = ""
        else:
            gone += text if kind != "ins" else ""
            new += text if kind != "del" else ""
    found += [("del", gone)] if gone else []
    found += [("ins", new)] if new else []
    return found
