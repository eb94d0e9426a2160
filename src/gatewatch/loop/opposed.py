"""When two expectations cannot both be right, and when two queries ask the same. By their words alone: what cannot be
told from these is let pass, so that what is found deserves a look."""

import re
from collections import Counter
from collections.abc import Iterator

from gatewatch.core.case import Case, Expected, ToolCall
from gatewatch.loop.finding import plain
from gatewatch.loop.likeness import normal
from gatewatch.loop.space import terms

_POLAR = {"yes": True, "no": False, "true": True, "false": False, "correct": True, "incorrect": False}
_NOT = {"not", "no", "never", "cannot", "without", "t", "isn", "don", "doesn", "won", "can", "wasn", "aren", "none"}
_NEGATED = {"not", "never", "cannot", "no", "t", "none"}
_LITTLE = """
a an and any are at be can could d did do does for get give have hello hey hi i in is it its just ll m me my of on or
our please pls re s so some tell thank thanks that the their them there these they this those to us ve was we were will
with would you your
"""
_SMALL = frozenset(_LITTLE.split())
_FEW = 4
_SHORT = 6
_LONG = 20
_NUMBER = re.compile(r"\d[\d,.]*\d|\d")
_AMOUNT = re.compile(r"(\d[\d,.]*\d|\d)\s*(%|[^\W\d_]{3,})")


def opposed(one: Case, other: Case) -> str:
    """Why what two cases expect of the same query cannot both be right; "" where that is not to be told."""
    calls = _opposed_calls(_calls(one), _calls(other))
    if calls:
        return calls
    if not one.answer or not other.answer:
        return ""
    return f"{plain(one.answer)!r} against {plain(other.answer)!r}" if _apart(one.answer, other.answer) else ""


def _apart(one: str, other: str) -> bool:
    a, b = normal(one), normal(other)
    if a == b:
        return False
    polar = _polar(a), _polar(b)
    if None not in polar:
        return polar[0] != polar[1]
    if amounts_apart(a, b):
        return True
    words = Counter(terms(a)), Counter(terms(b))
    if _negated(*words):
        return True
    sizes = [sum(each.values()) for each in words]
    numbers = _numbers(a), _numbers(b)
    if max(sizes) <= _SHORT and all(numbers):
        return numbers[0].isdisjoint(numbers[1])
    telling = [each.keys() - _SMALL for each in words]
    return 0 < max(sizes) <= _FEW and all(telling) and telling[0].isdisjoint(telling[1]) and not any(numbers)


def _polar(text: str) -> bool | None:
    first = re.match(r"\w+", text)
    return None if first is None else _POLAR.get(first[0])


def _numbers(text: str) -> set[str]:
    return {each.replace(",", "") for each in _NUMBER.findall(text)}


def amounts(text: str) -> dict[str, set[str]]:
    """The numbers of a normal text by the word that comes after each: {"days": {"14", "45"}}."""
    found: dict[str, set[str]] = {}
    for number, unit in _AMOUNT.findall(text):
        found.setdefault(unit.removesuffix("s"), set()).add(number.replace(",", ""))
    return found


def amounts_apart(one: str, other: str) -> bool:
    """Whether two normal texts say different numbers of the same thing, and neither has any of the other's."""
    mine, theirs = amounts(one), amounts(other)
    return any(mine[unit].isdisjoint(theirs[unit]) for unit in mine.keys() & theirs.keys())


def _negated(one: Counter[str], other: Counter[str]) -> bool:
    """Whether two texts have the same words, but for a negation that one of them has."""
    more, fewer = one - other, other - one
    rest = {*more, *fewer} - _SMALL
    within = bool(rest & _NEGATED) and rest <= _NOT
    return (
        within
        and bool(one.keys() & other.keys() - _SMALL)
        and bool(more.keys() & _NEGATED) != bool(fewer.keys() & _NEGATED)
    )


def same_query(one: str, other: str) -> bool:
    """Whether two near copies ask the same: only small words differ, or one word is misspelt, or one of two long texts
    says a little more than the other.

    "How do I return an opened tent?" is no copy of "How do I return an unopened tent?", however alike the letters are.
    """
    a, b = Counter(terms(one)), Counter(terms(other))
    if {*(a - b), *(b - a)} & _NEGATED:
        return False
    more, fewer = sorted((_telling(a - b), _telling(b - a)), reverse=True)
    longest = max(sum(a.values()), sum(b.values()))
    return not more or (not fewer and more * _LONG <= longest) or _misspelt(a - b, b - a)


def _telling(words: Counter[str]) -> int:
    return sum(number for word, number in words.items() if word not in _SMALL)


def _misspelt(one: Counter[str], other: Counter[str]) -> bool:
    """Whether the words that differ are one word, misspelt once."""
    from rapidfuzz.distance import OSA

    left, right = ([word for word in each.elements() if word not in _SMALL] for each in (one, other))
    if len(left) != 1 or len(right) != 1:
        return False
    (a,), (b,) = left, right
    return min(len(a), len(b)) >= _SHORT - 1 and a[0] == b[0] and OSA.distance(a, b) <= 1


def _calls(case: Case) -> tuple[ToolCall, ...] | None:
    return case.expected.tool_calls if isinstance(case.expected, Expected) else None


def _opposed_calls(one: tuple[ToolCall, ...] | None, other: tuple[ToolCall, ...] | None) -> str:
    if one is None or other is None:
        return ""
    names = sorted(each.name for each in one), sorted(each.name for each in other)
    if names[0] != names[1]:
        return f"calls of {_named(names[0])} against {_named(names[1])}"
    if len(one) != 1:  # which call stands for which is not to be told
        return ""
    for name, mine, theirs in _both(one[0], other[0]):
        if not any(value in theirs for value in mine):
            return f"{one[0].name}({name}={plain(mine[0])}) against {name}={plain(theirs[0])}"
    return ""


def _named(names: list[str]) -> str:
    return plain(", ".join(names)) if names else "no tool"


def _both(one: ToolCall, other: ToolCall) -> Iterator[tuple[str, list[object], list[object]]]:
    """What is right of each parameter that both name."""
    sides = [{**{name: [value] for name, value in each.arguments.items()}, **each.accept} for each in (one, other)]
    for name in sorted(sides[0].keys() & sides[1].keys()):
        if sides[0][name] and sides[1][name]:
            yield name, sides[0][name], sides[1][name]
