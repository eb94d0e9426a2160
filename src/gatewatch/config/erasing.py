"""Erasing somebody from a project: its store, spool, reply cache, label files and exports; and what people must see to.

What can be told to be of them goes; what cannot (replies of judges) goes whole; what is in git on purpose (promoted
cases) is named by file and line, and left.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from gatewatch.config.monitors import graves_of
from gatewatch.config.project import Project
from gatewatch.core.erasure import Receipt, Subject, Tombstone
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.lengths import LONGEST_NAME, cut
from gatewatch.core.people import hashed, others, told
from gatewatch.online.erasing import blot_spool, remove_exports
from gatewatch.online.framing import KEY_VARIABLE, keys
from gatewatch.online.graves import close, new_name
from gatewatch.online.mentions import mentions, pushed_runs

if TYPE_CHECKING:
    from gatewatch.store.base import Store

EXPORTS = Path(".gatewatch") / "exports"


class Person(Struct, frozen=True):
    """A user by every name that they may be stored under. `missed` says what they may be stored under all the same."""

    subject: Subject
    other_keys: tuple[str, ...] = ()
    missed: str = ""


def person(project: Project, store: "Store", user: str, more: Iterable[str] = ()) -> Person:
    """A user: by the id as it stands, and as it is hashed, by the keys of the spool and of the variable, and by those
    in more variables.

    Raises:
        InputError: one of these is not set.
    """
    for name in more:
        if not os.environ.get(name, "").strip():
            raise InputError(Problem(f"--key-env {name}", "that variable is not set"))
    there = keys(str(_spool(project)), *more)
    unknown = others(store.user_keys(), there)
    missed = ""
    if unknown:
        missed = f"{told(unknown)}: what is stored of them under these is not looked at; --key-env says more keys"
    elif not there:
        missed = (
            f"no key of users lies in {project.settings.online.spool}, and {KEY_VARIABLE} is not set: only the id as it"
            " stands is looked for (capture keeps a hash of it, made with the key)"
        )
    given = {user[:LONGEST_NAME], cut(user)}  # by capture, and in spans
    names = {user, cut(user), *(hashed(each, key) for each in given for key in there)}
    return Person(Subject("user", tuple(sorted(names))), tuple(unknown), missed)


def erase(
    project: Project,
    store: "Store",
    subject: Subject,
    *,
    who: str,
    now: float,
    missed: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> Receipt:
    """Erase somebody, and give the receipt, which is kept. One that was interrupted is called again, and goes on.

    Args:
        project: whose files are looked through.
        store: its store.
        subject: whose data is to go.
        who: who erases.
        now: in seconds since the epoch.
        missed: what may be stored of them under other names, for the receipt.
        say: told what is being done.

    Raises:
        StoreError, OSError, InputError: what was done until then stays done, and the tombstones are kept. A file that
            cannot be read or written is told in the receipt instead.
    """
    graves = graves_of(project)
    graves.add([Tombstone(mark, subject.kind, now) for mark in subject.marks])
    name = store.begin_erasure(new_name(), subject, who, now)
    store.note(now, who, "erase", f"{subject.kind} {' '.join(subject.marks)}")
    say("the store ...")
    while store.erase(name, subject, now):
        pass
    graves.add(store.tombstones())
    say("segments, labels, replies, exports ...")
    found = mentions(project.root, subject, store.buried, change=True)
    left = [*filter(None, (missed,)), *found.left]
    parts = {
        "segment records": blot_spool(_spool(project), store, left),
        "labels": len(found.changed),
        "cached replies": _empty_cache(project, left),
        "exports": remove_exports(project.root / EXPORTS, subject, store, left),
    }
    store.count_erased(name, parts)
    say("runs that were pushed ...")
    runs = pushed_runs(store, subject)
    say("the store's files ...")
    if not store.scrub():
        left.append("others are reading from the store: erase again when they are done, for its log")
    if store.tally(name)[0].get("tasks under way"):
        left.append(
            "scores of these requests were under way: a reply may come into the cache yet; erase again when they ended"
        )
    more = {"changed": found.changed, "look_at": found.look_at, "runs": runs, "left": tuple(left)}
    return close(store, name, now, who, flow=subject.flow, **more)


def erase_again(project: Project, store: "Store", now: float) -> tuple[int, list[str]]:
    """Erase what was erased before and is there again, since an old store was put back: how many requests that was, and
    what could not be done."""
    number = graves_of(project).catch_up(store, now)
    left: list[str] = []
    blot_spool(_spool(project), store, left)
    if not store.scrub():
        left.append("others are reading from the store: erase again when they are done, for its log")
    return number, left


def _spool(project: Project) -> Path:
    return project.root / project.settings.online.spool


def _empty_cache(project: Project, left: list[str]) -> int:
    """Which replies came of whose requests is not known: all go."""
    from gatewatch.models.cache import ReplyCache

    try:
        return ReplyCache(project.root / ".gatewatch" / "cache.db").clear()
    except OSError as error:
        left.append(f"the reply cache was not emptied: {error}: erase again when nobody uses it")
        return 0
