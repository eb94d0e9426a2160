"""The journal of a run: one append-only file, written row by row, that survives the death of its process.

Each line is a record with its own check sum (`core.codec.frame`): a `head`, then `row` records, then an `end` for
each stretch in which the run was worked on. What is handed over during one turn of the event loop is written
together, at the end of that turn: rows that finish together cost one write, and a row is never kept waiting.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from gatewatch.core import codec
from gatewatch.core.errors import InputError, Problem, RunBroken
from gatewatch.core.run import RUN_ID, RUN_KIND, RUN_VERSION, Row, RunEnd, RunHeader, merged

_TAIL = 65_536  # the record that says how a run ended is shorter


class Journal:
    """A journal open for appending, by one process at a time."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._buffer: list[bytes] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failure: RunBroken | None = None

    @classmethod
    def create(cls, path: Path, header: RunHeader) -> "Journal":
        """Start the journal of a new run.

        Raises:
            RunBroken: when it cannot be written, or is there already.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunBroken(f"{path.parent}: cannot be made: {error.strerror}") from error
        journal = cls(path, _locked(path, os.O_CREAT | os.O_EXCL))
        journal._buffer.append(codec.frame("head", codec.encode(header)))
        journal.flush()
        return journal

    @classmethod
    def resume(cls, path: Path) -> "Journal":
        """Open the journal of a run that was cut off, behind its last whole record."""
        descriptor = _locked(path, 0)
        os.ftruncate(descriptor, whole_length(path))
        os.lseek(descriptor, 0, os.SEEK_END)
        return cls(path, descriptor)

    def add(self, row: Row) -> None:
        """Write a row, or a piece of one, by the end of this turn of the event loop.

        Raises:
            RunBroken: when an earlier write failed.
        """
        if self._failure is not None:
            raise self._failure
        self._buffer.append(codec.frame("row", codec.encode(row)))
        if len(self._buffer) == 1:
            if self._loop is None:
                self._loop = asyncio.get_running_loop()
            self._loop.call_soon(self._flush_soon)

    def end(self, end: RunEnd) -> None:
        """Write how this stretch of the run ended, make sure that all of it is on the disk, and close.

        Raises:
            RunBroken: when this, or an earlier write, failed.
        """
        self._buffer.append(codec.frame("end", codec.encode(end)))
        self.flush()
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise RunBroken(f"{self.path}: cannot be written: {error.strerror}") from error
        self.close()

    def _flush_soon(self) -> None:
        with suppress(RunBroken):  # nobody is there to hear it: the next row is refused
            self.flush()

    def flush(self) -> None:
        """Write what was handed over.

        Raises:
            RunBroken: when this, or an earlier write, failed. Nothing is written behind a record that may be torn.
        """
        if self._failure is not None:
            raise self._failure
        if not self._buffer or self._descriptor < 0:
            return
        data = memoryview(b"".join(self._buffer))
        self._buffer.clear()
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            self._failure = RunBroken(f"{self.path}: cannot be written: {error.strerror}")
            raise self._failure from error

    def close(self) -> None:
        """Close the file, and with it give up the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _locked(path: Path, flags: int) -> int:
    try:
        descriptor = os.open(path, os.O_WRONLY | flags, 0o644)
    except OSError as error:
        raise RunBroken(f"{path}: cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise RunBroken(f"{path}: another process is working on this run") from None
    return descriptor


def in_use(path: Path) -> bool:
    """Whether a process is writing this journal now."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def whole_length(path: Path) -> int:
    """The length of the file up to the end of its last whole line: behind it lies what a crash tore."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            position = file.read(end - start).rfind(b"\n")
            if position >= 0:
                return start + position + 1
            end = start
    return 0


def end_of(path: Path) -> RunEnd | None:
    """How the last stretch of a run ended, from the end of its journal; None where that was never written."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2] + b"\n"
    record = codec.unframe(last)
    if record is not None and record[0] == "end":
        with suppress(ValueError, RecursionError):  # whole, but not a record of ours
            return codec.decode(record[1], RunEnd)
    return None


class JournalReader:
    """A journal read back: its header at once, its rows one after the other.

    After the rows have been read, `damaged` counts the records that were torn or damaged and `end` is the last
    ending, or None when the run was cut off (or is still going on).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged = 0
        self.end: RunEnd | None = None
        with self._open() as file:
            record = codec.unframe(file.readline())
        if record is None or record[0] != "head":
            raise InputError(Problem(str(path), "not a run's journal, or its first line is damaged"))
        self.header = header_of(record[1], str(path))

    def _open(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except OSError as error:
            raise InputError(Problem(str(self.path), f"cannot be read: {error.strerror}")) from None

    def rows(self) -> Iterator[Row]:
        """Each row once, its pieces put together; rows that still lack scores come last."""
        self.damaged, self.end = 0, None
        waiting: dict[tuple[str, int], Row] = {}
        done: set[tuple[str, int]] = set()
        with self._open() as file:
            for line in file:
                record = codec.unframe(line)
                if record is None:
                    self.damaged += 1
                    continue
                kind, payload = record
                try:
                    if kind == "end":
                        self.end = codec.decode(payload, RunEnd)
                    if kind in ("head", "end"):
                        continue
                    if kind != "row":
                        raise ValueError(f"no record is a {kind}")
                    row = codec.decode(payload, Row)
                except ValueError:  # whole, but not a record of ours: no reason to lose the others
                    self.damaged += 1
                    continue
                self.end = None
                key = row.key
                if key in done:
                    continue
                if key in waiting:
                    row = merged(waiting.pop(key), row)
                if row.trace is None or not row.complete:
                    waiting[key] = row
                else:
                    done.add(key)
                    yield row
        yield from (row for row in waiting.values() if row.trace is not None)


def header_of(payload: bytes, where: str) -> RunHeader:
    """The header of a run, from the payload of its journal's first record; `where` is told where it is none.

    Raises:
        InputError: it is another thing's, or a newer Gatewatch wrote it.
    """
    try:
        stated = codec.decode(payload, dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(where, f"its first line is not that of a run: {error}")) from None
    if stated.get("kind") != RUN_KIND:
        raise InputError(Problem(where, f"is a {stated.get('kind')}, not a {RUN_KIND}"))
    version = stated.get("version", 1)
    if isinstance(version, int) and version > RUN_VERSION:
        what = f"was written by a newer Gatewatch (format {version}; this one reads up to {RUN_VERSION})"
        raise InputError(Problem(where, what, "upgrade gatewatch to read it"))
    try:
        found = codec.decode(payload, RunHeader)
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(where, f"its first line is not that of a run: {error}")) from None
    if not RUN_ID.fullmatch(found.run):  # it names files
        raise InputError(Problem(where, f"its first line is not that of a run: {found.run!r} is no run's id"))
    return found


def row_at(path: Path, places: Sequence[int]) -> Row | None:
    """The whole row whose records lie at some places of a journal."""
    whole: Row | None = None
    with path.open("rb") as file:
        for place in places:
            file.seek(place)
            record = codec.unframe(file.readline())
            if record is not None:
                row = codec.decode(record[1], Row)
                whole = row if whole is None else merged(whole, row)
    return whole
