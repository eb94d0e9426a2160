"""Taking somebody's records out of segments, in place: each becomes one of the same length that says nothing.

A living process may be appending meanwhile, and others read: what is whole is never moved, so that neither notices. A
record that was torn cannot be told whose it is: what is left of it goes too, and is counted as damaged as before.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.alias import alias_of
from gatewatch.core.erasure import Whose, base_of
from gatewatch.online.segments import finished, parts
from gatewatch.online.writer import SPOILER

ERASED = "erased"
"""The kind of a record that was taken out."""
_AT_ONCE = 2000


class _Named(Struct, frozen=True):
    """What of a record, a request's or feedback, says whose it is."""

    id: str = ""
    trace: str = ""
    user: str = ""
    session: str = ""
    flow: str = ""
    external_id: str = ""


class _Found(Struct, frozen=True):
    """A stretch of a segment: a record with whose it is, or a fragment, of which that is not known."""

    start: int
    data: bytes
    kind: str = ""
    whose: tuple[Whose, ...] = ()


def blot(path: Path, buried: Callable[[Iterator[str]], set[str]], there: Callable[[str], bool]) -> int:
    """Take out of a segment all records of those who were erased, and say how many that was.

    Args:
        path: the segment.
        buried: which of some digests there are tombstones of.
        there: whether a request is stored, by its id or external id: what is said of it is not taken out.

    Raises:
        OSError: when it cannot be read or written; FileNotFoundError when it is gone, with all that was in it.
    """
    over = finished(path)
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)  # not to append: it is written in place
    with os.fdopen(descriptor, "rb", closefd=True) as file:
        number = changed = 0
        for batch in _batches(file, over):
            known = buried(mark for each in batch for whose in each.whose for mark in whose.marks)
            for each in batch:
                gone = each.kind and known and any(_gone(each.kind, whose, known, there) for whose in each.whose)
                if gone or not each.kind:
                    _write(descriptor, each.start, _blank(each.data) if gone else b"?" * len(each.data))
                    number += bool(gone)
                    changed += 1
        if changed:
            os.fdatasync(descriptor)
    return number


def _gone(kind: str, whose: Whose, known: set[str], there: Callable[[str], bool]) -> bool:
    if kind == "trace":
        return whose.request_gone(known)
    if whose.is_of(known):
        return True
    return whose.feedback_gone(known) and not any(there(name) for name in (whose.trace, whose.external_id) if name)


def _batches(file: BinaryIO, over: bool) -> Iterator[list[_Found]]:
    start, batch = 0, list[_Found]()
    for line in file:
        if line.endswith(b"\n") or over:
            batch += _stretches(start, line)
        start += len(line)
        if len(batch) >= _AT_ONCE:
            yield batch
            batch = []
    yield batch


def _stretches(start: int, line: bytes) -> Iterator[_Found]:
    """The records and fragments of a line that may have to go."""
    if line in (b"\n", SPOILER):
        return
    fragment, record = parts(line)
    length = fragment if record is not None else len(line.rstrip(b"\n"))
    if length > 1 and line[:length].strip(b"?"):
        yield _Found(start, line[:length])
    if record is None:
        return
    kind, payload = record
    if kind in ("trace", "feedback"):
        try:
            named = codec.decode(payload, _Named)
        except ValueError:
            return
        yield _Found(start + fragment, line[fragment:], kind, tuple(_whose(kind, named)))


def _whose(kind: str, named: _Named) -> Iterator[Whose]:
    if kind == "trace":
        yield Whose(named.id, named.user, named.session, named.flow)
        return
    for name in {named.external_id, alias_of(named.external_id)} if named.external_id else {""}:
        yield Whose(base_of(named.trace), named.user, external_id=name)


def _blank(frame: bytes) -> bytes:
    room = len(frame) - len(codec.frame(ERASED, b""))
    return codec.frame(ERASED, b'"%s"' % (b" " * (room - 2)))


def _write(descriptor: int, start: int, data: bytes) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, memoryview(data)[written:], start + written)
