"""Another process that comes in between two statements: what it does to a SQLite file is done just then."""

import sqlite3
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

import pytest


def comes_before(statement: int, rival: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a rival come before a statement, the first being 0, of the connections that are opened from here on.

    The rival opens connections of its own, which nobody meddles with; what it opens must not wait for a lock, since it
    is this very thread that would give it up.
    """
    original, statements = sqlite3.connect, count()

    class Meddled(sqlite3.Connection):
        def execute(self, *given: Any) -> sqlite3.Cursor:
            if next(statements) == statement:
                monkeypatch.setattr(sqlite3, "connect", original)
                rival()
            return super().execute(*given)

    monkeypatch.setattr(sqlite3, "connect", partial(original, factory=Meddled))
