"""Segments read back, while they are written or after their process is gone.

A frame that is damaged is passed over and counted, and those behind it are kept. One that is unfinished waits as long
as its writer lives, and is damaged when it does not, even if only the end of its line is missing: its writer has not
counted it as written, and writes it again, perhaps in the next segment.
"""

import fcntl
import os
import re
import stat
from pathlib import Path

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.errors import InputError, Problem
from gatewatch.online.writer import KIND, SPOILER, SUFFIX, VERSION

_START = b'{"crc":"'
_NAME = re.compile(r"[0-9A-Za-z]+-[0-9a-f]+-[0-9]+")


class Read(Struct, frozen=True):
    """What a stretch of a segment holds.

    `records` are kinds and payloads in the order in which they were written; `offset` is where to go on; `damaged`
    counts places at which something could not be read; `torn` says that an unfinished frame stands at the end.
    """

    records: list[tuple[str, bytes]]
    offset: int
    damaged: int = 0
    torn: bool = False


def segments(folder: Path) -> list[Path]:
    """The segments in a folder, the oldest first; none where there is no folder."""
    return sorted(named(folder, SUFFIX), key=_age)


def named(folder: Path, suffix: str) -> list[Path]:
    """The files in a spool whose names are as ours are: nothing else in there is touched, or waited for."""
    try:
        return [
            path
            for path in folder.iterdir()
            if path.suffix == suffix and _NAME.fullmatch(path.stem) and stat.S_ISREG(path.lstat().st_mode)
        ]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _age(path: Path) -> tuple[int, int, str]:
    parts = path.stem.split("-")
    try:
        return int(parts[1], 16), int(parts[2]), path.name
    except (IndexError, ValueError):  # not one of our names: as old as can be
        return 0, 0, path.name


def finished(path: Path) -> bool:
    """Whether a segment's writer is gone, so that nothing will be added. A segment that is not there is finished."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def read(path: Path, offset: int = 0, most_bytes: int = 4 << 20, *, whole: bool = False) -> Read:
    """The records that stand in a segment from some place on.

    Args:
        path: the segment.
        offset: where to begin: 0, or the `offset` of what was read before.
        most_bytes: how much to read; more where one frame is longer.
        whole: whether the writer is gone, asked (`finished`) before this was called. An unfinished frame at the end is
            then damaged, and passed over.

    Raises:
        OSError: when it cannot be read.
        InputError: when it was written by a later version.
    """
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(most_bytes)
        more = len(data) == most_bytes
        while more and b"\n" not in data:
            added = file.read(most_bytes)
            more = len(added) == most_bytes
            data += added
        if more and data[-1:] != b"\n" and not file.read(1):
            more = False  # it ended just there
    end = data.rfind(b"\n") + 1
    records: list[tuple[str, bytes]] = []
    damaged = 0
    for line in data[: max(0, end - 1)].split(b"\n"):
        damaged += _take(line + b"\n", records)
    torn = not more and end < len(data)
    if torn and whole:
        damaged += data[end:] != SPOILER[:-1]  # the first half of what stands behind a torn frame: that one counts
        end, torn = len(data), False
    if offset == 0 and records:
        check_version(str(path), records[0])
    return Read(records, offset + end, damaged, torn)


def _take(line: bytes, records: list[tuple[str, bytes]]) -> int:
    """Add the records of a line, and count what is damaged: a frame may stand right behind one that was torn."""
    if line in (b"\n", SPOILER):
        return 0
    fragment, record = parts(line)
    if record is not None:
        records.append(record)
    return int(fragment > 0 or record is None)


def parts(line: bytes) -> tuple[int, tuple[str, bytes] | None]:
    """The record at the end of a line, where there is one, and how many bytes of something torn stand before it."""
    record = codec.unframe(line)
    if record is not None:
        return 0, record
    start = line.find(_START, 1)
    while start > 0:
        record = codec.unframe(line[start:])
        if record is not None:
            return start, record
        start = line.find(_START, start + 1)
    return len(line), None


def check_version(where: str, record: tuple[str, bytes]) -> None:
    """Refuse a segment of a later format, which its first record tells.

    Raises:
        InputError: for one.
    """
    if record[0] != "segment":
        return
    try:
        stated = codec.decode(record[1], dict[str, object])
    except ValueError:
        return
    version = stated.get("version", 1)
    if stated.get("kind") != KIND or not isinstance(version, int) or version > VERSION:
        what = f"is a {stated.get('kind')} of format {version}; this Gatewatch reads {KIND} up to {VERSION}"
        raise InputError(Problem(where, what, "upgrade gatewatch to read it"))
