"""Opening a store by its address, and the projects that share one.

Each project has a database of its own, so that no statement can forget which one it is for: a file each on SQLite. The
first one that is registered has the main one, the *base*; the registry lies there.
"""

import re
from pathlib import Path

from gatewatch.core.errors import StoreError
from gatewatch.store import schema
from gatewatch.store.base import Store
from gatewatch.store.database import Database
from gatewatch.store.sql import SQLStore
from gatewatch.store.sqlite_file import SQLiteDatabase
from gatewatch.store.units import micros

_SQLITE = "sqlite:///"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def open_store(address: str | Path, *, project: str = "", busy_s: float = 5.0) -> Store:
    """Open the store of a project, or make it.

    Args:
        address: a path, or "sqlite:///" and a path (absolute with four strokes).
        project: its name, where several projects share the address; while none is registered, all have the base.
        busy_s: how long to wait, in seconds, while others keep it locked.

    Raises:
        StoreBusy: others kept it locked for longer.
        StoreError: it is no store, an older version's (`gatewatch db migrate` brings it up) or a later one's, has no
            such project, or cannot be used; it is left as it is.
    """
    base = open_database(address, busy_s=busy_s)
    try:
        schema.ready(base)
        place = _place(base, project)
        if not place:
            return SQLStore(base)
    except BaseException:
        base.close()
        raise
    base.close()
    return SQLStore(_beside(address, place, busy_s))


def open_database(address: str | Path, *, project: str = "", busy_s: float = 5.0) -> Database:
    """The database of a project, the base where none is named, whatever the version of its tables: what
    `schema.status` and `schema.migrate` work on.

    Raises:
        StoreError: as for `open_store`, but for the version.
    """
    base = _base(address, busy_s)
    if not project:
        return base
    try:
        place = _place(base, project) if schema.status(base).version >= schema.WITH_PROJECTS else ""
    except BaseException:
        base.close()
        raise
    if not place:
        return base
    base.close()
    return _beside(address, place, busy_s)


def register(address: str | Path, project: str, now: float, *, busy_s: float = 5.0) -> None:
    """Let a project have a store of its own at an address; the first has the base, with what is in there already.

    Raises:
        StoreError: the name cannot be one, or as for `open_store`.
    """
    if not _NAME.fullmatch(project):
        what = f"{project!r} is no name for a project: small letters, digits, _ and -, at most 63"
        raise StoreError(f"{what}, a letter or digit first")
    base = open_database(address, busy_s=busy_s)
    try:
        schema.ready(base)
        with base.transaction():
            base.execute(
                "INSERT INTO project (name, place, at)"
                " VALUES (?, CASE WHEN EXISTS (SELECT 1 FROM project) THEN ? ELSE '' END, ?)"
                " ON CONFLICT (name) DO NOTHING",
                *(project, project, micros(now)),
            )
    finally:
        base.close()


def _base(address: str | Path, busy_s: float) -> Database:
    return SQLiteDatabase.open(_path(address), busy_s=busy_s)


def _beside(address: str | Path, place: str, busy_s: float) -> Database:
    path = _path(address)
    return SQLiteDatabase.open(path.with_name(f"{path.stem}.{place}{path.suffix}"), busy_s=busy_s)


def _path(address: str | Path) -> Path:
    path = str(address).removeprefix(_SQLITE)
    if "://" in path:
        raise StoreError(f"{address}: this version keeps its store in a file: a path, or {_SQLITE}PATH")
    return Path(path)


def _place(base: Database, project: str) -> str:
    """Where a project lies: "" is the base."""
    places: dict[str, str] = dict(base.execute("SELECT name, place FROM project ORDER BY name"))
    if not places:
        return ""
    if project not in places:
        what = f"has no project {project!r}" if project else "is shared by projects, and none was named"
        raise StoreError(
            f"{base.name}: {what}: there are {', '.join(places)} ([project] name says which is yours;"
            " `gatewatch token create --project` adds one)"
        )
    return places[project]
