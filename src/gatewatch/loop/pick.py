"""Picking requests of a failure that people are asked to label: typical ones, and some at its edge."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec.structs import replace

from gatewatch.core.failure import Failure
from gatewatch.core.review import Item
from gatewatch.loop.gather import Found
from gatewatch.loop.group import Group
from gatewatch.loop.known import Before
from gatewatch.loop.signs import PASS_AT
from gatewatch.store.base import Store

EACH = 5
"""How many typical requests of a failure are put up to be labelled, and how many at its edge."""


def picked(
    store: Store,
    group: Group,
    failure: Failure,
    before: Before,
    *,
    each: int,
    back: Sequence[Found],
    reviewers: int,
    marks: Mapping[str, float],
) -> list[tuple[Item, bytes]]:
    """Items of a failure, each with its trace, as far as it has fewer than so many; and those of other failures whose
    requests are of this one now. One that is ignored gets none; one that came `back` gets some of what it is in now."""
    if failure.state == "ignored":
        return []
    there = before.items[failure.id] if failure.id and not back else []
    among = {found.trace for found in back or group.found}
    chosen = _chosen(group, among, before.home, each, there)
    payloads = store.payloads([found.seq for found, _ in chosen])
    new = [
        (_item(found, failure, typical, reviewers, marks), payloads[found.seq])
        for found, typical in chosen
        if found.seq in payloads
    ]
    return new + _moved(store, group.found, failure, before)


def _chosen(
    group: Group, among: Collection[str], taken: Collection[str], each: int, there: Sequence[Item]
) -> list[tuple[Found, bool]]:
    """Requests among some, one of a fold and one of a conversation, and whether each is typical."""
    units, free = set[str](), list[Found]()
    for fold in group.folds:
        mine = [found for found in fold.found if found.read and found.trace in among]
        gravest = sorted(mine, key=lambda found: -found.severity)
        one = next(iter(gravest), None)
        if one is not None and one.unit not in units and not any(found.trace in taken for found in mine):
            units.add(one.unit)
            free.append(one)
    wanted = max(0, each - sum(item.representative for item in there))
    at_edge = max(0, each - sum(not item.representative for item in there))
    typical, rest = free[:wanted], free[wanted:]
    return [(found, True) for found in typical] + [(found, False) for found in rest[::-1][:at_edge]]


def _item(found: Found, failure: Failure, typical: bool, reviewers: int, marks: Mapping[str, float]) -> Item:
    sign = next(sign for sign in found.signs if sign.name == failure.sign)
    return Item(
        queue="failures",
        flow=failure.flow,
        trace=found.trace,
        seq=found.seq,
        scorer=sign.scorer,
        failure=failure.id,
        signs=tuple(sign.name for sign in found.signs),
        severity=found.severity,
        representative=typical,
        judged=sign.value,
        mark=marks.get(sign.scorer, PASS_AT),
        slice=found.row.slice,
        session=found.row.session,
        user=found.row.user,
        needed=reviewers,
        added=found.at,
    )


def _moved(store: Store, found: Iterable[Found], failure: Failure, before: Before) -> list[tuple[Item, bytes]]:
    """Items of other failures whose requests are of this one."""
    mine = {each.trace for each in found if before.home.get(each.trace, failure.id) != failure.id}
    return [
        (replace(item, failure=failure.id), trace)
        for items in before.items.values()
        for item in items
        if item.trace in mine and item.failure != failure.id and (trace := store.item_trace(item.id)) is not None
    ]
