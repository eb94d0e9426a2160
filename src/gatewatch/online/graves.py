"""The project's own list of tombstones, beside its store: what was erased stays so when an old store is put back.

It holds digests alone. What it has and the store lacks is erased again; what the store has and it lacks is added.
"""

import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.clock import stamp
from gatewatch.core.erasure import Receipt, Tombstone
from gatewatch.core.errors import InputError, Problem
from gatewatch.store.base import Store

_log = logging.getLogger("gatewatch")
FILE = "erased.jsonl"
KIND = "gatewatch.erased"
VERSION = 1
AGAIN = "again"
"""By whom it is erased what was erased before."""


class _Head(Struct, frozen=True):
    kind: Literal["gatewatch.erased"]
    version: int = 1


class Graves:
    """The list in a file, which is made when there is something to be written down."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None

    def read(self) -> list[Tombstone]:
        """All tombstones; a line that is torn or damaged is passed over.

        Raises:
            InputError: when a later version wrote it.
            OSError: when it cannot be read.
        """
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        found = []
        for place, text in enumerate(lines, 1):
            with suppress(ValueError):
                found.append(codec.decode(text, Tombstone))
            with suppress(ValueError):
                version = codec.decode(text, _Head).version
                if version > VERSION:
                    what = f"is of format {version}; this Gatewatch reads {KIND} up to {VERSION}"
                    raise InputError(Problem(f"{self.path}:{place}", what, "upgrade gatewatch to read it"))
        return found

    def add(self, stones: Iterable[Tombstone]) -> None:
        """Write down those that are not there; on the disk when this returns.

        Raises:
            OSError: when it cannot be written.
        """
        with self._alone() as descriptor:
            there = {each.mark for each in self.read()}
            new = [each for each in stones if each.mark not in there]
            if not new:
                return
            size = os.fstat(descriptor).st_size
            text = b"" if size else codec.encode({"kind": KIND, "version": VERSION}) + b"\n"
            if size and os.pread(descriptor, 1, size - 1) != b"\n":  # the end of one that was killed
                text = b"\n"
            text += b"".join(codec.encode(each) + b"\n" for each in new)
            while text:
                text = text[os.write(descriptor, text) :]
            os.fsync(descriptor)

    @contextmanager
    def _alone(self) -> Iterator[int]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def catch_up(self, store: Store, now: float) -> int:
        """Bring store and file together, and say how many requests had to be erased again. Where neither changed since
        it was last asked, it does nothing.

        Raises:
            InputError: when a later version wrote the file.
            OSError: when it cannot be read or written.
        """
        if self._seen is not None and self._seen == self._state(store):
            return 0
        filed, there = self.read(), store.tombstones()
        marks = {each.mark for each in there}
        lacking = [each for each in filed if each.mark not in marks]
        for subject in store.meant(lacking) if lacking else ():
            store.begin_erasure(new_name(), subject, AGAIN, now)
        store.bury(lacking)
        number = 0
        for each in store.erasures():
            if each.receipt is None and each.who == AGAIN:  # those of others are theirs to end
                for subject in store.meant(Tombstone(mark, each.subject, now) for mark in each.marks):
                    while store.erase(each.id, subject, now):
                        pass
                number += close(store, each.id, now, AGAIN).counts.get("requests", 0)
        filed_marks = {each.mark for each in filed}
        if any(each.mark not in filed_marks for each in store.tombstones()):
            self.add(store.tombstones())
        self._seen = self._state(store)
        return number

    def see_to(self, store: Store, now: float) -> None:
        """Catch up, and log what is to be known of that."""
        try:
            number = self.catch_up(store, now)
        except (OSError, InputError) as error:
            _log.warning("%s: what was erased before cannot be looked up: %s", self.path, error)
            return
        if number:
            told = "%d requests were erased again, as %s says; `gatewatch erase --again` sees to all files"
            _log.warning(told, number, self.path)

    def _state(self, store: Store) -> tuple[int, int, int]:
        try:
            found = self.path.stat()
            return found.st_size, found.st_mtime_ns, store.tombstone_count()
        except FileNotFoundError:
            return 0, 0, store.tombstone_count()


def new_name() -> str:
    """A name for an erasure."""
    return os.urandom(6).hex()


def close(store: Store, name: str, now: float, who: str, **more: object) -> Receipt:
    """Make the receipt of an erasure whose work is done, and keep it."""
    from datetime import UTC, datetime

    (erasure,) = (each for each in store.erasures() if each.id == name)
    counts, days = store.tally(name)
    receipt = Receipt(
        id=name,
        at=stamp(datetime.fromtimestamp(now, UTC)),
        who=who,
        subject=erasure.subject,
        marks=erasure.marks,
        counts=counts,
        days=tuple(days),
        **more,  # type: ignore[arg-type]
    )
    store.close_erasure(name, codec.encode(receipt))
    return receipt
