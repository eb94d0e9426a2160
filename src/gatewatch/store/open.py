"""Opening a store by its address, and the projects that share one.

Each project has a database of its own, so that no statement can forget which one it is for: a file each on SQLite, a
schema each on PostgreSQL. The first one that is registered has the main one, the *base*; the registry lies there.
"""

import logging
from hashlib import blake2b
from pathlib import Path

from gatewatch.core.clock import wall
from gatewatch.core.errors import StoreError
from gatewatch.store import access, schema
from gatewatch.store.base import Store
from gatewatch.store.database import Database
from gatewatch.store.sql import SQLStore

_log = logging.getLogger("gatewatch")
SQLITE = "sqlite:///"
POSTGRES = ("postgresql://", "postgres://")
_LONGEST = 63  # bytes of a schema's name


def open_store(address: str | Path, *, project: str = "", busy_s: float = 5.0) -> Store:
    """Open the store of a project, or make it.

    Args:
        address: a path, or "sqlite:///" and a path (absolute with four strokes), or "postgresql://..." as libpq has it.
        project: its name, where several projects share the address. While none is registered, all have the base; but
            on PostgreSQL, where strangers meet, one that is named is registered when it is first opened.
        busy_s: how long to wait, in seconds, while others keep it locked.

    Raises:
        StoreBusy: others kept it locked for longer, or it cannot be reached.
        StoreError: it is no store, an older version's (`gatewatch db migrate` brings it up) or a later one's, has no
            such project, or cannot be used; it is left as it is.
    """
    base = open_database(address, busy_s=busy_s)
    try:
        schema.ready(base)
        place = _found(address, base, project)
        if not place:
            return SQLStore(base)
    except BaseException:
        base.close()
        raise
    base.close()
    return SQLStore(_open(address, place, busy_s))


def open_database(address: str | Path, *, project: str = "", busy_s: float = 5.0) -> Database:
    """The database of a project, the base where none is named, whatever the version of its tables: what
    `schema.status` and `schema.migrate` work on.

    Raises:
        StoreError: as for `open_store`, but for the version.
    """
    base = _open(address, "", busy_s)
    if not project:
        return base
    try:
        place = _found(address, base, project) if schema.status(base).version >= schema.WITH_PROJECTS else ""
    except BaseException:
        base.close()
        raise
    if not place:
        return base
    base.close()
    return _open(address, place, busy_s)


def is_postgres(address: str | Path) -> bool:
    """Whether an address is of a PostgreSQL."""
    return str(address).startswith(POSTGRES)


def _open(address: str | Path, place: str, busy_s: float) -> Database:
    """The database at a place: "" is the base."""
    if is_postgres(address):
        from gatewatch.store.postgres import PostgresDatabase

        return PostgresDatabase(str(address), _schema(place), busy_s=busy_s)
    from gatewatch.store.sqlite_file import SQLiteDatabase

    plain = str(address).removeprefix(SQLITE)
    if "://" in plain:
        scheme = plain.partition("://")[0]
        raise StoreError(f"{scheme}://: no such store is known: expected a path, {SQLITE}PATH or {POSTGRES[0]}...")
    path = Path(plain)
    return SQLiteDatabase.open(path.with_name(f"{path.stem}.{place}{path.suffix}") if place else path, busy_s=busy_s)


def _schema(place: str) -> str:
    from gatewatch.store.postgres import BASE

    if not place:
        return BASE
    name = f"{BASE}_{place}"  # what is shortened has a dot, which no project's name has
    return name if len(name) <= _LONGEST else f"{name[:46]}.{blake2b(place.encode(), digest_size=8).hexdigest()}"


def _found(address: str | Path, base: Database, project: str) -> str:
    if not (project and is_postgres(address)):
        return _place(base, project)
    there = access.projects(base)
    place = access.register(base, project, wall())
    if there and project not in there:  # a name that is not meant would go unnoticed
        _log.warning("%s: project %s is new here, beside %s", base.name, project, ", ".join(there))
    return place


def _place(base: Database, project: str) -> str:
    """The place of a project that is registered; while none is, the base."""
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
