"""What a store needs of a database, so that one text of SQL serves each: SQLite's file and PostgreSQL's schema.

Statements have `?` for values. Where the two have to differ, a method here says so, and nothing else does. Any text can
be kept: what a database has no room for (NUL, half of a surrogate pair) is escaped on its way in and comes out as it
was.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

_AT_ONCE = 500  # values in one list of an IN
_ESCAPE = "\x10"
_ODD = re.compile("[\x00\x10\ud800-\udfff]")
_ESCAPED = re.compile("\x10([0-9a-f]{4})")


class Database(Protocol):
    """A connection, which threads may share: one of them at a time is in a transaction."""

    @property
    def name(self) -> str:
        """What it is called in messages: no password is in it."""
        ...

    def transaction(self, *, write: bool = True, patient: bool = False) -> AbstractContextManager[None]:
        """All or nothing; writers take turns. One that does not write sees the store as it was at its first look.

        `patient`: it takes as long as it takes, as a change of the tables may.

        Raises:
            StoreBusy: others kept it locked for too long, or it cannot be reached. Where that was found out at the very
                end, what was done may be kept all the same: whoever tries again does it so that it counts once.
            StoreFull: there is no room.
            StoreError: it cannot be used.
        """
        ...

    def execute(self, statement: str, *values: Any) -> list[Any]:
        """Run a statement, and give its rows: a tuple each."""
        ...

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run a statement for each of some rows, and say how many rows it changed in all."""
        ...

    def among(self, statement: str, values: Iterable[Any], *before: Any) -> list[Any]:
        """Run a statement that ends in `IN {}` as often as a list of values is too long for once.

        `before` are the values of the marks that stand before the list.
        """
        every, found = list(values), []
        for start in range(0, len(every), _AT_ONCE):
            part = every[start : start + _AT_ONCE]
            found += self.execute(statement.format(f"({','.join('?' * len(part))})"), *before, *part)
        return found

    def claim(self) -> None:
        """Make it ours; within the transaction that makes its tables."""
        ...

    def has_tables(self) -> bool:
        """Whether anything is in it."""
        ...

    def tables(self) -> dict[str, tuple[str, ...]]:
        """The columns of every table of a store."""
        ...

    def batches(self, statement: str) -> Iterator[list[Any]]:
        """The rows of a statement, some at a time, within the caller's transaction."""
        ...

    def numbers(self) -> dict[str, int]:
        """The last number that was given to a row, by table, where it is known to be that."""
        ...

    def go_on_from(self, numbers: Mapping[str, int]) -> None:
        """Give rows no number that is there, or was given where they come from."""
        ...

    def outlived(self, seqs: Sequence[int]) -> None:
        """Told, within the transaction, of which requests the payloads outlived their hold."""
        ...

    def size(self) -> int:
        """How many bytes of the disk it has."""
        ...

    def shrink(self, pages: int) -> int:
        """Give room that is free back to the disk, at most so many pages, and say how many pages are still free."""
        ...

    def free(self) -> int:
        """How many pages are free that `shrink` may give back."""
        ...

    def overwrite_deleted(self) -> None:
        """From here on what this connection deletes is overwritten at once."""
        ...

    def scrub(self, patience_s: float) -> bool:
        """Rebuild what is kept, so that nothing that was deleted is left in free room, and empty the log; whether that
        could be done, since a long look of somebody else's may hold it. Others cannot write meanwhile.

        Raises:
            StoreBusy: others wrote for all of `patience_s` seconds.
            StoreFull: there is no room for a second copy.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def bound(values: Sequence[Any]) -> list[Any]:
    """Values as every database can keep them."""
    return [escaped(value) if type(value) is str and not value.isprintable() else value for value in values]


def escaped(text: str) -> str:
    """Text as every database can keep it."""
    return _ODD.sub(_escape, text)


def unescaped(data: bytes) -> str:
    """The text that was kept so."""
    if not data:  # as many columns are, of which many are read at once
        return ""
    text = data.decode()
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if _ESCAPE in text else text


def _escape(found: re.Match[str]) -> str:
    return f"{_ESCAPE}{ord(found[0]):04x}"
