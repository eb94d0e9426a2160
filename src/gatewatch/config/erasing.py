"""Erasing somebody from a project: its store, spool, reply cache, label files and exports; and what people must see to.

What can be told to be of them goes; what cannot (replies of judges) goes whole; what is in git on purpose (promoted
cases) is named by file and line, and left.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from gatewatch.config.mentions import mentions
from gatewatch.config.monitors import graves_of
from gatewatch.config.project import Project
from gatewatch.core.erasure import Receipt, Subject, Tombstone, base_of, mark_of
from gatewatch.core.lengths import LONGEST_NAME
from gatewatch.core.people import hashed
from gatewatch.online.blot import blot
from gatewatch.online.framing import keys
from gatewatch.online.graves import close, new_name
from gatewatch.online.ingest import alone
from gatewatch.online.segments import segments

if TYPE_CHECKING:
    from gatewatch.store.base import Store

EXPORTS = Path(".gatewatch") / "exports"
_AT_ONCE = 1000
_LOCK_TRIES = 40
_LOCK_PAUSE_S = 0.05


class Person(Struct, frozen=True):
    """A user by every name that they may be stored under; `keyed` says whether any of these is a hash of their id."""

    subject: Subject
    keyed: bool


def person(project: Project, user: str) -> Person:
    """A user: by the id as it stands, and as capture hashes it, by the keys of the spool and of the variable."""
    there = keys(str(project.root / project.settings.online.spool))
    cut = user[:LONGEST_NAME]
    names = {user, cut, *(hashed(cut, key) for key in there)}
    return Person(Subject("user", tuple(sorted(names))), bool(there))


def would_go(store: "Store", subject: Subject) -> dict[str, int]:
    """What of the store an erasure would remove now, by part."""
    counts = {"requests": 0, "payloads": 0, "scores": 0, "feedback": 0}
    mine: set[int] = set()
    after = 0
    while True:
        rows, after = store.belonging(subject, after, _AT_ONCE)
        for row in rows:
            if row.seq not in mine:
                mine.add(row.seq)
                counts["requests"] += 1
                counts["payloads"] += row.payload in ("held", "kept")
                for kept in store.scores(row.seq):
                    counts["feedback" if kept.score.source == "feedback" else "scores"] += 1
        if not after:
            break
    for seq, name in store.said_elsewhere(subject):
        if seq not in mine:
            counts["feedback"] += sum(kept.author == name for kept in store.scores(seq))
    counts["feedback waiting"] = len(store.waiting(subject))
    return counts


def erase(
    project: Project,
    store: "Store",
    subject: Subject,
    *,
    who: str,
    now: float,
    say: Callable[[str], None] = lambda _: None,
) -> Receipt:
    """Erase somebody, and give the receipt, which is kept. One that was interrupted is called again, and goes on.

    Args:
        project: whose files are looked through.
        store: its store.
        subject: whose data is to go.
        who: who erases.
        now: in seconds since the epoch.
        say: told what is being done.

    Raises:
        StoreError, OSError, InputError: what was done until then stays done, and the tombstones are kept.
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
    parts = {
        "segment records": blot_spool(project, store),
        "labels": len(found.changed),
        "cached replies": _empty_cache(project),
        "exports": _remove_exports(project, subject, store),
    }
    store.count_erased(name, parts)
    say("the store's files ...")
    left = [] if store.scrub() else ["others are reading from the store: erase again when they are done, for its log"]
    if store.tally(name)[0].get("tasks under way"):
        left.append(
            "scores of these requests were under way: a reply may come into the cache yet; erase again when they ended"
        )
    return close(
        store, name, now, who, flow=subject.flow, changed=found.changed, look_at=found.look_at, left=tuple(left)
    )


def erase_again(project: Project, store: "Store", now: float) -> int:
    """Erase what was erased before and is there again, since an old store was put back, and say how many requests."""
    number = graves_of(project).catch_up(store, now)
    blot_spool(project, store)
    store.scrub()
    return number


def blot_spool(project: Project, store: "Store") -> int:
    """Take the records of all that were erased out of the project's spool, and say how many that was."""
    import time

    folder, number = project.root / project.settings.online.spool, 0
    for tries in range(_LOCK_TRIES):
        with alone(folder) as mine:
            # Who reads a record while it is written over finds it damaged: better not to, but not at any price.
            if mine or tries == _LOCK_TRIES - 1 or not folder.is_dir():
                for path in segments(folder):
                    try:
                        number += blot(path, store.buried, lambda name: store.find(name) is not None)
                    except FileNotFoundError:
                        continue
                return number
        time.sleep(_LOCK_PAUSE_S)
    return number


def _empty_cache(project: Project) -> int:
    """Which replies came of whose requests is not known: all go."""
    from gatewatch.models.cache import ReplyCache

    return ReplyCache(project.root / ".gatewatch" / "cache.db").clear()


def _remove_exports(project: Project, subject: Subject, store: "Store") -> int:
    """Remove the exports that are of somebody, or have a request of theirs."""
    from gatewatch.core import codec

    number = 0
    for path in sorted((project.root / EXPORTS).glob("*.jsonl")):
        with path.open("rb") as file:
            marks: set[str] = set()
            for line in file:
                try:
                    entry = codec.decode(line, _Exported)
                except ValueError:
                    continue
                marks.update(entry.marks)
                if entry.request is not None:
                    base = base_of(entry.request.id)
                    marks |= {mark_of("trace", base), mark_of("turn", base)}
        if marks.intersection(subject.marks) or store.buried(marks):
            path.unlink(missing_ok=True)
            number += 1
    return number


class _Request(Struct, frozen=True):
    id: str = ""


class _Exported(Struct, frozen=True):
    marks: tuple[str, ...] = ()
    request: _Request | None = None
