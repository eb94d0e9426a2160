"""Cases that ask the same: duplicates, near copies, and those that expect what cannot both be right."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from gatewatch.core.case import Expected
from gatewatch.loop.finding import Figure, Finding, Looked, Proposed, answer_of
from gatewatch.loop.likeness import copies, normal
from gatewatch.loop.opposed import opposed, same_query


def alike(cases: Sequence[Looked], known: Mapping[str, int], when: str) -> Iterator[Finding]:
    """What cases have in common that they should not.

    Args:
        cases: the cases that are in use.
        known: how many past outcomes each has: of two the one that is better known stays.
        when: the day, for the reasons of edits.
    """
    groups: defaultdict[object, list[Looked]] = defaultdict(list)
    for each in cases:
        groups[each.query, each.setting, each.case.scorers].append(each)
    for group in groups.values():
        if len(group) > 1:
            yield from _same(group, known, when)
    yield from _near(list(groups.values()), known, when)


def stays(one: Looked, known: Mapping[str, int]) -> tuple[bool, bool, bool, int, int]:
    """The order in which cases stay: must_pass, promoted, labelled, longer known, earlier in the file."""
    case = one.case
    return not case.must_pass, not one.promoted, case.expected is None, -known.get(one.id, 0), one.place


def _same(group: Sequence[Looked], known: Mapping[str, int], when: str) -> Iterator[Finding]:
    """Cases with the same query in the same setting: one finding for each that is too many."""
    kept: list[Looked] = []
    for each in sorted(group, key=lambda each: stays(each, known)):
        for other in kept:
            if against := opposed(each.case, other.case):
                yield _contradictory(each, other, 1.0, against)
                break
        else:
            if kept:
                yield _duplicate(each, kept[0], 1.0, len(group), when)
        kept.append(each)


def _near(groups: Sequence[Sequence[Looked]], known: Mapping[str, int], when: str) -> Iterator[Finding]:
    """Near copies among cases that are in the same setting; of exact duplicates the one that stays stands for all."""
    first = [min(group, key=lambda each: stays(each, known)) for group in groups]
    by_query: defaultdict[str, list[Looked]] = defaultdict(list)
    for each in first:
        if each.query:
            by_query[each.query].append(each)
    queries = list(by_query)
    going: set[str] = set()
    found = sorted(copies(queries), key=lambda pair: (-pair[2], pair[0], pair[1]))
    for one, other, likeness in found:
        if not same_query(queries[one], queries[other]):
            continue
        for a in by_query[queries[one]]:
            for b in by_query[queries[other]]:
                beside = a.setting == b.setting and a.case.scorers == b.case.scorers
                if not beside or going & {a.id, b.id}:
                    continue
                stay, go = sorted((a, b), key=lambda each: stays(each, known))
                if against := opposed(go.case, stay.case):
                    yield _contradictory(go, stay, likeness, against)
                else:
                    going.add(go.id)
                    yield _duplicate(go, stay, likeness, 2, when)


def _expected(one: Looked) -> object:
    """What a case expects, whichever way its texts are written."""
    rest = one.case.expected if isinstance(one.case.expected, Expected) else Expected()
    return normal(answer_of(one.case)), rest.tool_calls, rest.relevant


def _contradictory(one: Looked, other: Looked, likeness: float, against: str) -> Finding:
    how = "asks the same as" if likeness == 1.0 else f"asks nearly the same ({likeness:.2f}) as"
    return Finding(
        check="contradictory",
        cases=(one.id, other.id),
        where=(one.where, other.where),
        why=f"{how} {other.id}, and expects {against}",
        figures=(Figure("likeness", round(likeness, 4)),),
        do="settle which is right, and retire or change the other",
        weight=likeness + one.case.must_pass + other.case.must_pass,
    )


def _duplicate(one: Looked, other: Looked, likeness: float, number: int, when: str) -> Finding:
    exact = likeness == 1.0
    settled = one.case.expected is None or _expected(one) == _expected(other)
    why = f"asks the same as {other.id}" if exact else f"asks nearly the same ({likeness:.2f}) as {other.id}"
    why += f", as {number} cases do" if number > 2 else ""
    reason = f"{'' if exact else 'near '}duplicate of {other.id} (audit {when})"
    return Finding(
        check="duplicate" if exact else "near_duplicate",
        cases=(one.id, other.id),
        where=(one.where, other.where),
        why=why if settled else f"{why}; what they expect differs",
        figures=(Figure("likeness", round(likeness, 4)), Figure("alike", number)),
        do=f"retire {one.id}" if settled else "settle what is to be expected, and retire one of the two",
        proposed=(Proposed(one.id, retired=reason),) if settled else (),
        weight=likeness + number / 1e6,
    )
