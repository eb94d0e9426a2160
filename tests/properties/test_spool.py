"""A spool is written, read, damaged, deleted and begun anew in any order: every record is read once, or counted.

The model knows which records are on the disk whole, which were in a file that was deleted or damaged, and how far the
reader has come.
"""

import os
import re
import shutil
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gatewatch.core import codec
from gatewatch.online.segments import finished, read, segments
from gatewatch.online.writer import Writer


def frame_of(number: int, size: int) -> bytes:
    return codec.frame("trace", codec.encode({"id": number, "text": "x" * size}))


class SpoolMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(mkdtemp(prefix="gatewatch-spool-"))
        self.folder = self.root / "spool"
        self.next = 0
        self.pending: list[tuple[int, bytes]] = []  # accepted, and not written yet
        self.written: set[int] = set()
        self.excused: set[int] = set()  # may be missing: they were in what was deleted or damaged
        self.seen: list[int] = []
        self.places: dict[Path, int] = {}
        self.damages = 0
        self.damaged = 0
        self.patch = pytest.MonkeyPatch()
        times = count(1_700_000_000, 1)  # heads of the same length each time, so that examples can be run again
        self.patch.setattr("gatewatch.online.writer.time", SimpleNamespace(time_ns=lambda: next(times) * 10**9))
        self.begin()

    def begin(self) -> None:
        self.writer = Writer(str(self.folder), segment_bytes=2000, quota_bytes=1 << 20)

    def teardown(self) -> None:
        self.patch.undo()
        self.pending.clear()
        self.writer.close()
        self.read_all()
        assert self.written - self.excused <= set(self.seen)
        self.nothing_is_read_twice_or_made_up()
        assert self.damaged <= 3 * self.damages
        missing = self.written - set(self.seen)
        assert not missing or self.damages
        shutil.rmtree(self.root, ignore_errors=True)

    @rule(sizes=st.lists(st.integers(0, 900), min_size=1, max_size=8))
    def accept(self, sizes: list[int]) -> None:
        for size in sizes:
            self.pending.append((self.next, frame_of(self.next, size)))
            self.next += 1

    @rule()
    def write(self) -> None:
        done, trouble = self.writer.write([frame for _, frame in self.pending])
        assert (done, trouble) == (len(self.pending), "")
        self._commit(done)

    @rule(room=st.integers(0, 3000), truncates=st.booleans())
    def write_to_a_full_disk(self, room: int, truncates: bool) -> None:
        """The disk takes some bytes, then none; a frame may be left in part."""
        left = [room]
        original, cut = os.write, os.ftruncate

        def failing(descriptor: int, data: Any) -> int:
            if not left[0]:
                raise OSError(28, "No space left on device")
            written = original(descriptor, memoryview(data)[: left[0]])
            left[0] -= written
            return written

        def refusing(descriptor: int, length: int) -> None:
            raise OSError(5, "Input/output error")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", failing)
            patch.setattr(os, "ftruncate", cut if truncates else refusing)
            done, trouble = self.writer.write([frame for _, frame in self.pending])
        assert (done == len(self.pending)) == (trouble == "")
        self.damages += not truncates
        self._commit(done)

    def _commit(self, done: int) -> None:
        self.written |= {number for number, _ in self.pending[:done]}
        self.pending = self.pending[done:]

    @rule()
    def read_some(self) -> None:
        for path in segments(self.folder):
            self._read(path, 700)

    @rule()
    def read_all(self) -> None:
        for path in segments(self.folder):
            gone = finished(path)
            while self._read(path, 1 << 20, whole=gone):
                pass

    def _read(self, path: Path, most: int, *, whole: bool = False) -> bool:
        before = self.places.get(path, 0)
        found = read(path, before, most, whole=whole)
        self.places[path] = found.offset
        self.damaged += found.damaged
        self.seen += [codec.decode(payload, dict[str, Any])["id"] for kind, payload in found.records if kind == "trace"]
        return found.offset != before

    @precondition(lambda self: bool(segments(self.folder)))
    @rule(which=st.integers(0, 5), share=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
    def damage_a_byte(self, which: int, share: float, change: int) -> None:
        paths = segments(self.folder)
        path = paths[which % len(paths)]
        held = path.read_bytes()
        place = int(len(held) * share)
        self._excuse(held, place, place + 1)
        with path.open("r+b") as file:
            file.seek(place)
            file.write(bytes([held[place] ^ change]))
        self.damages += 1

    @rule(torn=st.integers(1, 60))
    def die_and_come_back(self, torn: int) -> None:
        """The process dies in the middle of a write, with what it had not written; another begins."""
        if Path(self.writer.path).is_file() and self.pending:
            _, frame = self.pending[0]
            with Path(self.writer.path).open("ab") as file:
                file.write(frame[: min(torn, len(frame) - 1)])
            self.damages += 1
        self.pending.clear()
        self.writer.close()
        self.begin()

    @rule()
    def delete_the_folder(self) -> None:
        for path in segments(self.folder):
            self._excuse(path.read_bytes(), 0, path.stat().st_size)
        if self.folder.exists():
            self.damages += 1
        shutil.rmtree(self.folder, ignore_errors=True)

    def _excuse(self, held: bytes, first: int, last: int) -> None:
        """What stands at some bytes, and its neighbours, which it may have been run together with."""
        start = held.rfind(b"\n", 0, max(0, first - 1)) + 1
        end = held.find(b"\n", last)
        end = held.find(b"\n", end + 1) + 1 if end >= 0 else 0
        self.excused |= {int(number) for number in re.findall(rb'"id":([0-9]+)', held[start : end or len(held)])}

    @invariant()
    def nothing_is_read_twice_or_made_up(self) -> None:
        assert len(self.seen) == len(set(self.seen))
        assert set(self.seen) <= self.written


TestSpool = SpoolMachine.TestCase
TestSpool.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
