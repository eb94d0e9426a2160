"""Sending requests to people by hand: to be reviewed, or as a failure of their own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from gatewatch.config.project import Project
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.failure import Failure, failure_name
from gatewatch.core.review import Item
from gatewatch.store.looping import Mined
from gatewatch.store.rows import Row

if TYPE_CHECKING:
    from gatewatch.store.base import Store

_TRIES = 5
_SEVERITY = 0.5
SENT = "sent"
"""The sign of what nothing but somebody's word speaks for."""


class Sent(Struct, frozen=True):
    """What was put up to be labelled; `name` is the failure's (F3) where one was made; `left` are requests without a
    payload, of which nothing can be shown."""

    items: tuple[Item, ...]
    name: str = ""
    left: tuple[str, ...] = ()


def send(
    store: "Store",
    project: Project | None,
    names: Sequence[str],
    *,
    by: str,
    now: float,
    scorer: str = "",
    sign: str = "",
    failure: str | None = None,
) -> Sent:
    """Put requests up to be labelled.

    Args:
        store: where they are.
        project: how many reviewers each needs; 1 where its settings are not at hand.
        names: their ids.
        by: who sends them.
        now: in seconds since the epoch.
        scorer: whose low scores they were found by, "" for none.
        sign: by what else they were found, such as "alert:helpful".
        failure: what to call the failure that they make; None: they make none.

    Raises:
        InputError: none of them is there with what was said in it, or they are of several flows.
    """
    rows = [row for name in dict.fromkeys(names) if (row := store.find(name)) is not None]
    payloads = store.payloads([row.seq for row in rows])
    there = [row for row in rows if row.seq in payloads]
    if not there:
        raise InputError(Problem(", ".join(names[:3]), "nothing of it is kept that could be shown"))
    left = tuple(row.id for row in rows if row.seq not in payloads)
    found = sign or (f"score:{scorer}" if scorer else SENT)
    needed = project.settings.loop.reviewers if project is not None else 1
    items = [(_item(row, found, by, needed, now), payloads[row.seq]) for row in there]
    if failure is None:
        kept = tuple(each for each in store.add_items(items, now) if each.id)
        return Sent(kept, left=left)
    if len({row.flow for row in there}) > 1:
        raise InputError(Problem("flow", "the requests of a failure are of one flow", "select those of one"))
    made = _failure(there, found, failure, by, now)
    for _ in range(_TRIES):
        numbered = store.keep_mined([Mined(failure=made, items=items)], now, read_at=store.mined_at())
        if numbered is not None:
            return Sent(tuple(each for each, _ in items), failure_name(numbered[0].id), left)
    raise InputError(Problem("failures", "others change them all the time", "try again"))


def _item(row: Row, sign: str, by: str, needed: int, now: float) -> Item:
    return Item(
        queue="failures",
        flow=row.flow,
        trace=row.id,
        seq=row.seq,
        signs=(sign, f"sent by {by}" if by else SENT),
        severity=_SEVERITY,
        slice=row.slice,
        session=row.session,
        user=row.user,
        needed=needed,
        added=now,
    )


def _failure(rows: Sequence[Row], sign: str, name: str, by: str, now: float) -> Failure:
    slices: dict[str, int] = {}
    versions: dict[str, int] = {}
    for row in rows:
        slices[row.slice] = slices.get(row.slice, 0) + 1
        versions[row.version] = versions.get(row.version, 0) + 1
    times = [row.at for row in rows]
    return Failure(
        flow=rows[0].flow,
        sign=sign,
        name=name or f"sent by {by}",
        n=len(rows),
        severity=_SEVERITY,
        first=min(times),
        last=max(times),
        slices=slices,
        versions=versions,
        who=by,
        opened=now,
        updated=now,
    )
