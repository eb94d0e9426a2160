"""Stores for tests: in a file, and on the tests' own PostgreSQL.

A test module that imports `backend` runs each of its tests on both.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatewatch.store.base import Store
from gatewatch.store.open import open_store
from gatewatch.store.sql import SQLStore
from store.postgres import a_database, new_name

Backend = Callable[[Path], Store]
"""Makes an empty store, in a folder if it needs one."""

_on_postgres = False
_schemas: dict[Path, str] = {}
_opened: list[Store] = []


@pytest.fixture(scope="module", params=["sqlite", "postgres"], autouse=True)
def backend(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where the stores of a module's tests are."""
    yield from _at(request.param)


def _at(where: str) -> Iterator[None]:
    global _on_postgres
    _on_postgres = where == "postgres"
    yield
    _on_postgres = False
    while _opened:
        _opened.pop().close()


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)], autouse=True)
def backend_at_length(request: pytest.FixtureRequest) -> Iterator[None]:
    """The same, for modules that simulate weeks: on PostgreSQL they are slow. Import it as `backend`."""
    yield from _at(request.param)


def a_store(folder: Path, *, busy_s: float = 5.0) -> Store:
    """The store of a folder: empty the first time."""
    return (on_postgres if _on_postgres else on_sqlite)(folder, busy_s=busy_s)


def on_sqlite(folder: Path, *, busy_s: float = 5.0) -> Store:
    return open_store(folder / "gatewatch.db", busy_s=busy_s)


def on_postgres(folder: Path, *, busy_s: float = 5.0) -> Store:
    store = SQLStore(a_database(_schemas.setdefault(folder, new_name()), busy_s=busy_s))
    _opened.append(store)
    return store


BACKENDS = (on_sqlite, on_postgres)
