"""What people decide at a comparison: that a change is right, that a run is what later ones are held against.

Both belong into git. In a checkout that may be written to they are written to its files; elsewhere they wait in the
outbox, which `gatewatch pull` writes into a checkout.
"""

from datetime import date
from pathlib import Path

from gatewatch.config.baselines import pinned_of, whole_run
from gatewatch.config.exceptions import accept
from gatewatch.config.project import Project
from gatewatch.config.verdicts import said_of
from gatewatch.config.writable import may_write
from gatewatch.core import codec
from gatewatch.core.change import Change, change_name
from gatewatch.core.clock import now as today
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.failure import number_in
from gatewatch.loop.pull import baseline_change, exception_change
from gatewatch.offline.accept import FILE, Entry
from gatewatch.offline.baseline import FOLDER, baseline_name, baseline_path, write_baseline
from gatewatch.store.base import Store


def accept_change(project: Project | None, store: Store, entry: Entry, *, by: str, now: float) -> str:
    """Accept a case's change, and say where that was written: accepted.toml, or a change in the outbox.

    Raises:
        InputError: there is no such case, suite or scorer, the day has passed, or something is empty.
    """
    for field in ("reason", "owner"):
        if not getattr(entry, field).strip():
            raise InputError(Problem(field, "is empty", "say who accepts it, and why"))
    if entry.until < today().date():
        raise InputError(Problem("until", f"{entry.until} has passed already", "give a day to come"))
    write = project is not None and may_write(project.root / FILE)
    if project is not None:
        entry, _ = accept(
            project,
            entry.case,
            reason=entry.reason,
            until=entry.until,
            owner=entry.owner,
            suite=entry.suite,
            scorer=entry.scorer,
            write=write,
        )
    if write:
        store.note(now, by, "accept", entry.what)
        return FILE
    return _proposed(store, exception_change(entry, by=by, at=now), "accept", entry.what, by=by, now=now)


def accept_baseline(project: Project, store: Store, journal: Path, *, reason: str, by: str, now: float) -> str:
    """Pin the run of a journal as its suite's baseline, and say where that was written: its file, or a change in the
    outbox.

    Raises:
        InputError: the run cannot be a baseline, or no reason is given.
    """
    if not reason.strip():
        raise InputError(Problem("reason", "is empty", "say why later runs are to be held against this one"))
    whole = whole_run(journal)
    word = said_of(project, whole.run)
    told = f"{reason.strip()} ({by})" if by else reason.strip()
    pinned = pinned_of(project, whole, reason=f"{told}; the gate had said {word}" if word == "REGRESSED" else told)
    path = baseline_path(project.root, baseline_name(whole))
    named = path.relative_to(project.root).as_posix()
    if may_write(path):
        write_baseline(path, pinned.header, pinned.lines)
        store.note(now, by, "pin baseline", f"{named} {whole.run}")
        return named
    data = b"".join(codec.encode(each) + b"\n" for each in (pinned.header, *pinned.lines))
    before = path.read_bytes() if path.is_file() else b""
    change = baseline_change(named, data, before, suite=whole.suite, by=by, at=now)
    return _proposed(store, change, "pin baseline", f"{named} {whole.run}", by=by, now=now)


def written(project: Project | None, store: Store, where: str) -> str:
    """Where something was decided, as an address says it, if that can be: a change that there is, or a file of the
    checkout that takes decisions; else nothing."""
    number = number_in(where, "C")
    if number is not None:
        return where if store.change(number) is not None else ""
    if project is None:
        return ""
    pinned = (f"{FOLDER}/{each.name}" for each in (project.root / FOLDER).glob("*.jsonl"))
    return where if where in (FILE, *pinned) else ""


def last_day(text: str) -> date:
    """A day such as 2026-12-31.

    Raises:
        InputError: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(Problem("until", f"expected a day such as 2026-12-31, got {text[:40]!r}")) from None


def _proposed(store: Store, change: Change, action: str, what: str, *, by: str, now: float) -> str:
    ((kept, _),) = store.propose([change], now)
    store.note(now, by, action, f"{change_name(kept.id)} {what}")
    return change_name(kept.id)
