"""What differs between two texts, word by word; between two JSON values, line by line."""

import json
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal

Part = tuple[Literal["same", "del", "ins"], str]

LONGEST = 20_000
"""The longest text, in characters, that is compared word by word: the time grows with the square of it."""
_ALIKE = 0.4  # texts that share less than this share of their letters are shown whole: their word diff is confetti
_WORD = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")
_SENTENCE = re.compile(r"(?<=[.!?])(?=\s)|(?<=\n)")
_GAP = " … "


def word_diff(before: str, after: str) -> list[Part]:
    """The parts that make up both texts: `same` and `del` the first, `same` and `ins` the second.

    Two JSON objects or arrays are compared line by line, indented and with sorted keys. White space alone is no
    difference as long as words differ. Where texts are longer than 20,000 characters, after what they begin and end
    with alike, they are not compared, which a part says.
    """
    if before == after:
        return [("same", before)] if before else []
    pretty = _pretty(before), _pretty(after)
    if pretty[0] is not None and pretty[1] is not None:
        return _joined(_compared(pretty[0].splitlines(True), pretty[1].splitlines(True), str))
    head, one, other, tail = _ends(before, after)
    if max(len(one), len(other)) > LONGEST:
        said = f"[too long to be compared word by word: {len(one):,} and {len(other):,} characters]\n"
        middle: list[Part] = [("same", said), ("del", one), ("ins", other)]
    else:
        middle = _words(one, other)
        alike = len(head) + len(tail) + sum(len(text) for kind, text in middle if kind == "same")
        if 2 * alike < _ALIKE * (len(before) + len(after)):
            return _joined([("del", before), ("ins", after)])
    return _joined([("same", head), *middle, ("same", tail)])


def _pretty(text: str) -> str | None:
    """A JSON object or array, a line for each of its parts; None for anything else."""
    if len(text) > LONGEST or not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value = json.loads(text)
        return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    except (ValueError, RecursionError):
        return None


def _ends(before: str, after: str) -> tuple[str, str, str, str]:
    """What both texts begin with, what each has then, and what both end with, cut between words."""
    one, other = _WORD.findall(before), _WORD.findall(after)
    most = min(len(one), len(other))
    first = next((place for place in range(most) if one[place] != other[place]), most)
    rest = most - first
    last = next((place for place in range(rest) if one[-1 - place] != other[-1 - place]), rest)
    stops = len(one) - last, len(other) - last
    return (
        "".join(one[:first]),
        "".join(one[first : stops[0]]),
        "".join(other[first : stops[1]]),
        "".join(one[stops[0] :]),
    )


def _words(before: str, after: str) -> list[Part]:
    one, other = _WORD.findall(before), _WORD.findall(after)
    found = list(_compared(one, other, str.strip))
    if all(kind == "same" for kind, _ in found):
        found = list(_compared(one, other, str))  # nothing but white space differs
    return _smooth(found)


def _compared(one: Sequence[str], other: Sequence[str], key: Callable[[str], str]) -> Iterator[Part]:
    matcher = SequenceMatcher(None, [key(each) for each in one], [key(each) for each in other])
    for kind, low, high, from_, to in matcher.get_opcodes():
        if kind == "equal":
            yield "same", "".join(other[from_:to])
        else:
            yield "del", "".join(one[low:high])
            yield "ins", "".join(other[from_:to])


def _smooth(parts: Sequence[Part]) -> list[Part]:
    """Parts in which a word or two letters between two changes are a part of the change."""
    found: list[Part] = []
    for place, (kind, text) in enumerate(parts):
        inner = 0 < place < len(parts) - 1
        if kind == "same" and inner and len(text.strip()) <= 2 and "\n" not in text:
            found += [("del", text), ("ins", text)]
        else:
            found.append((kind, text))
    return found


def _joined(parts: Iterable[Part]) -> list[Part]:
    """Parts without empty ones, neighbours of a kind put together, what is gone before what is new."""
    found: list[Part] = []
    gone: list[str] = []
    new: list[str] = []

    def same(text: str) -> None:
        if text and found and found[-1][0] == "same":
            found[-1] = ("same", found[-1][1] + text)
        elif text:
            found.append(("same", text))

    def flush() -> None:
        head, one, other, tail = _edges("".join(gone), "".join(new))
        same(head)
        found.extend([("del", one)] if one else [])
        found.extend([("ins", other)] if other else [])
        same(tail)
        gone.clear()
        new.clear()

    for kind, text in parts:
        if kind == "del":
            gone.append(text)
        elif kind == "ins":
            new.append(text)
        elif text:
            flush()
            same(text)
    flush()
    return found


def _edges(one: str, other: str) -> tuple[str, str, str, str]:
    """The white space that two texts both begin and end with, and what each has between."""
    leads = len(one) - len(one.lstrip()), len(other) - len(other.lstrip())
    head = _common(one[: leads[0]], other[: leads[1]])
    one, other = one[len(head) :], other[len(head) :]
    tail = _common(one[len(one.rstrip()) :][::-1], other[len(other.rstrip()) :][::-1])[::-1]
    return head, one[: len(one) - len(tail)], other[: len(other) - len(tail)], tail


def _common(one: str, other: str) -> str:
    most = min(len(one), len(other))
    return one[: next((place for place in range(most) if one[place] != other[place]), most)]


def condensed(parts: Sequence[Part], *, around: int = 80, most: int = 1600, total: int = 8000) -> list[Part]:
    """The parts for where there is little room: `around` characters on either side of a change, `most` of each change.

    What is left out is marked "…". In all there are about `total` characters at most.
    """
    found: list[Part] = []
    left = total
    last = len(parts) - 1
    for place, (kind, text) in enumerate(parts):
        if kind == "same":
            kept = _ellipsis(text, 0 if place == 0 < last else around, 0 if place == last > 0 else around)
            if place == last == 0:
                kept = _ellipsis(text, most, 0)
        else:
            kept = _ellipsis(text, most * 2 // 3, most // 3)
        if len(kept) > left:
            found.append(("same", f"… ({sum(len(each) for _, each in parts[place:]):,} more characters)"))
            break
        left -= len(kept)
        found.append((kind, kept))
    return found


def _ellipsis(text: str, head: int, tail: int) -> str:
    """The first and the last letters of a text, and a sign where there are more between them."""
    if len(text) <= head + tail + 2 * len(_GAP):
        return text
    first, last = text[:head], text[len(text) - tail :]
    # Not in the middle of a word, where there is a space near.
    if " " in first[-20:]:
        first = first[: first.rindex(" ")]
    if " " in last[:20]:
        last = last[last.index(" ") + 1 :]
    gap = "\n…\n" if "\n" in text[head : len(text) - tail] else _GAP
    return f"{first}{gap}{last}"


def as_lines(parts: Iterable[Part], *, width: int = 110) -> list[str]:
    """The parts as the lines of a unified diff: "- " a sentence as it was, "+ " as it is, "  " where it stayed."""
    lines: list[str] = []
    old = new = ""
    changed = False

    def flush() -> None:
        nonlocal old, new, changed
        for sign, text in (("- ", old), ("+ ", new)) if changed else (("  ", new),):
            lines.extend(f"{sign}{line}" for line in _wrapped(text, width))
        old, new, changed = "", "", False

    for kind, text in parts:
        if kind == "same":
            if changed and (old or "\n")[-1] == (new or "\n")[-1] == "\n":
                flush()
            *whole, rest = _SENTENCE.split(text)
            for sentence in whole:
                old, new = old + sentence, new + sentence
                flush()
            old, new = old + rest, new + rest
        else:
            changed = True
            if kind == "del":
                old += text
            else:
                new += text
    flush()
    return lines


def _wrapped(text: str, width: int) -> Iterator[str]:
    if not text.strip():
        return
    for line in text.strip("\n").split("\n"):
        if len(line) <= width:
            yield line.rstrip() if line.startswith("  ") else line.strip()
        else:
            yield from textwrap.wrap(line, width, replace_whitespace=False, drop_whitespace=True)
