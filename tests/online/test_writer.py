import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gatewatch.core import codec
from gatewatch.online.segments import finished, read, segments
from gatewatch.online.writer import Writer

FRAMES = [codec.frame("trace", b'{"id":"%d","output":"%s"}' % (number, b"x" * 40)) for number in range(10)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "spool"


def writer_of(folder: Path, *, segment_bytes: int = 8 << 20, quota_bytes: int = 1 << 30) -> Writer:
    return Writer(str(folder), segment_bytes=segment_bytes, quota_bytes=quota_bytes)


def frames_in(folder: Path) -> list[bytes]:
    found = [record for path in segments(folder) for record in read(path).records if record[0] != "segment"]
    return [codec.frame(*record) for record in found]


def damage_in(folder: Path) -> int:
    return sum(read(path, whole=True).damaged for path in segments(folder))


class Disk:
    """Stands in for `os.write`, and fails as it is told to: after so many bytes, so many times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._write = os.write
        self.room: int | None = None
        self.code = errno.ENOSPC
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: Any) -> int:
        if self.room is None:
            return self._write(descriptor, data)
        if not self.room:
            raise OSError(self.code, os.strerror(self.code))
        written = self._write(descriptor, memoryview(data)[: self.room])
        self.room -= written
        return written


def test_what_is_written_can_be_read_while_it_is_written(folder: Path) -> None:
    writer = writer_of(folder)
    assert writer.write(FRAMES) == (10, "")
    (path,) = segments(folder)
    assert frames_in(folder) == FRAMES
    assert not finished(path)
    writer.close()
    assert finished(path)


def test_only_the_owner_may_read_it(folder: Path) -> None:
    writer = writer_of(folder)
    writer.write(FRAMES)
    (path,) = folder.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600 and folder.stat().st_mode & 0o777 == 0o700
    pid, moment, number = path.stem.split("-")
    assert (int(pid), number) == (os.getpid(), "0") and int(moment, 16) > 1.7e18
    writer.close()


def test_the_first_line_says_what_it_is(folder: Path) -> None:
    writer = writer_of(folder)
    writer.write(FRAMES[:1])
    kind, payload = read(segments(folder)[0]).records[0]
    head = codec.decode(payload, dict[str, Any])
    assert kind == "segment" and (head["kind"], head["version"], head["pid"]) == ("gatewatch.segment", 1, os.getpid())
    writer.close()


@pytest.mark.parametrize("through", [False, True])
def test_a_full_segment_is_followed_by_the_next(folder: Path, through: bool) -> None:
    writer = writer_of(folder, segment_bytes=4 * len(FRAMES[0]))
    if through:
        assert [writer.write_through(frame) for frame in FRAMES] == [""] * 10
    else:
        assert writer.write(FRAMES) == (10, "")
    assert len(segments(folder)) >= 3
    assert frames_in(folder) == FRAMES
    assert [finished(path) for path in segments(folder)] == [True] * (len(segments(folder)) - 1) + [False]
    writer.close()


def test_a_frame_longer_than_a_segment_has_one_of_its_own(folder: Path) -> None:
    writer = writer_of(folder, segment_bytes=4096)
    long = codec.frame("trace", b'"%s"' % (b"y" * 10_000))
    assert writer.write([FRAMES[0], long, FRAMES[1]]) == (3, "")
    assert frames_in(folder) == [FRAMES[0], long, FRAMES[1]]
    writer.close()


@pytest.mark.parametrize("through", [False, True])
@pytest.mark.parametrize("gone", [shutil.rmtree, lambda folder: [path.unlink() for path in folder.iterdir()]])
def test_when_the_folder_or_the_file_is_deleted_there_is_a_new_one(
    folder: Path, gone: Callable[[Path], object], through: bool
) -> None:
    writer = writer_of(folder)
    writer.write(FRAMES[:3])
    gone(folder)
    if through:
        assert [writer.write_through(frame) for frame in FRAMES[3:]] == [""] * 7
    else:
        assert writer.write(FRAMES[3:]) == (7, "")
    assert frames_in(folder) == FRAMES[3:]
    writer.close()


def test_when_it_is_deleted_during_the_write_the_group_is_written_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = writer_of(folder)
    writer.write(FRAMES[:1])
    original = os.write

    def deleting(descriptor: int, data: Any) -> int:
        monkeypatch.setattr(os, "write", original)
        shutil.rmtree(folder)
        return original(descriptor, data)

    monkeypatch.setattr(os, "write", deleting)
    assert writer.write(FRAMES[1:]) == (9, "")
    assert frames_in(folder) == FRAMES[1:]
    writer.close()


@pytest.mark.parametrize("room", [0, 1, len(FRAMES[0]) - 1, len(FRAMES[0]), 3 * len(FRAMES[0]) + 7])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("truncates", [True, False])
def test_what_did_not_fit_is_written_later_and_nothing_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch, room: int, code: int, truncates: bool
) -> None:
    writer, disk = writer_of(folder), Disk(monkeypatch)
    writer.write(FRAMES[:1])
    disk.room, disk.code = room, code
    if not truncates:
        monkeypatch.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "")))
    done, trouble = writer.write(FRAMES[1:])
    assert (done, trouble) == (room // len(FRAMES[0]), f"disk: {errno.errorcode[code]}")
    disk.room = None
    assert writer.write(FRAMES[1 + done :]) == (9 - done, "")
    assert frames_in(folder) == FRAMES
    assert damage_in(folder) == (0 if truncates or room % len(FRAMES[0]) == 0 else 1)
    writer.close()


def test_a_short_write_is_gone_on_with(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = writer_of(folder)
    original = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: original(descriptor, memoryview(data)[:100]))
    assert writer.write(FRAMES) == (10, "")
    assert frames_in(folder) == FRAMES and damage_in(folder) == 0
    writer.close()


def test_written_through_a_torn_frame_does_not_take_its_neighbour(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, disk = writer_of(folder), Disk(monkeypatch)
    assert writer.write_through(FRAMES[0]) == ""
    disk.room = 10
    assert writer.write_through(FRAMES[1]) == "disk: ENOSPC"
    assert writer.write_through(FRAMES[1]) == "disk: ENOSPC"
    disk.room = None
    assert writer.write_through(FRAMES[2]) == ""
    assert frames_in(folder) == [FRAMES[0], FRAMES[2]] and damage_in(folder) == 1
    writer.close()


def test_when_no_segment_can_be_begun_nothing_is_left_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, disk = writer_of(folder), Disk(monkeypatch)
    disk.room = 5
    assert writer.write(FRAMES) == (0, "disk: ENOSPC")
    assert list(folder.iterdir()) == []
    disk.room = None
    assert writer.write(FRAMES) == (10, "")
    writer.close()


def test_a_folder_that_cannot_be_made_is_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    writer = writer_of(tmp_path / "file" / "spool")
    assert writer.write(FRAMES) == (0, "disk: ENOTDIR")
    assert writer.write_through(FRAMES[0]) == "disk: ENOTDIR"


def test_the_quota_counts_what_others_wrote_and_ends_when_there_is_room(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("gatewatch.core.clock.monotonic", lambda: now[0])
    other = writer_of(folder)
    other.write(FRAMES)
    other.close()
    size = segments(folder)[0].stat().st_size
    writer = writer_of(folder, quota_bytes=2 * size - len(FRAMES[0]) // 2)
    assert writer.write(FRAMES[:8]) == (8, "")
    assert writer.write(FRAMES[8:]) == (1, "quota")
    segments(folder)[0].unlink()
    assert writer.write(FRAMES[9:]) == (0, "quota")  # the folder is not measured again at once
    now[0] += 1.5
    assert writer.write(FRAMES[9:]) == (1, "")
    assert frames_in(folder) == FRAMES
    writer.close()


def opened(folder: Path) -> int:
    """How many of this process's descriptors are of files in a folder."""
    return sum(link.resolve().is_relative_to(folder) for link in Path("/proc/self/fd").iterdir())


def test_a_descriptor_stays_the_same_over_segments(folder: Path) -> None:
    writer = writer_of(folder, segment_bytes=len(FRAMES[0]))
    writer.write_through(FRAMES[0])
    before, descriptor = opened(folder), writer._descriptor
    for frame in FRAMES[1:]:
        writer.write_through(frame)
    assert writer._descriptor == descriptor and opened(folder) == before == 1
    writer.close()


@pytest.mark.parametrize("through", [False, True])
@pytest.mark.parametrize("part", [len(FRAMES[1]) - 20, len(FRAMES[1]) - 2, len(FRAMES[1]) - 1])
def test_a_frame_torn_at_the_end_of_a_segment_is_not_read_beside_its_second_copy(
    folder: Path, monkeypatch: pytest.MonkeyPatch, through: bool, part: int
) -> None:
    writer, disk = writer_of(folder, segment_bytes=2 * len(FRAMES[0]) + 150), Disk(monkeypatch)
    write = writer.write_through if through else lambda frame: writer.write([frame])[1]
    assert write(FRAMES[0]) == ""
    disk.room = part
    monkeypatch.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "")))
    assert write(FRAMES[1]) == "disk: ENOSPC"
    disk.room = None
    assert write(FRAMES[1]) == ""
    writer.close()
    old, new = segments(folder)
    assert (read(old, whole=True).damaged, read(new, whole=True).damaged) == (1, 0)
    assert [codec.frame(*each) for path in (old, new) for each in read(path, whole=True).records[1:]] == FRAMES[:2]


def test_the_steps_at_which_a_record_was_read_twice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice all but the line's end is written, the second time at the end of a segment, and then in the next."""
    first, second, third = (
        codec.frame("trace", codec.encode({"id": number, "text": "x" * size}))
        for number, size in enumerate((181, 453, 0))
    )
    writer, disk = writer_of(folder, segment_bytes=2000), Disk(monkeypatch)
    monkeypatch.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "")))
    head = 105
    monkeypatch.setattr("gatewatch.online.writer.time", SimpleNamespace(time_ns=lambda: 1_700_000_000 * 10**9))
    monkeypatch.setattr(os, "getpid", lambda: 12345)
    disk.room = head + len(first) - 1
    assert writer.write([first, second]) == (0, "disk: ENOSPC")
    disk.room = 671
    assert writer.write([first, second]) == (1, "disk: ENOSPC")
    assert frames_in(folder) == [first]
    disk.room = 2 + len(second) - 1
    assert writer.write([second, third]) == (0, "disk: ENOSPC")
    disk.room = head + len(second) - 1
    assert writer.write([second, third]) == (0, "disk: ENOSPC")
    assert len(segments(folder)) == 2
    writer.close()
    found = [record for path in segments(folder) for record in read(path, whole=True).records]
    assert [codec.frame(*each) for each in found if each[0] != "segment"] == [first]


def test_a_spoiler_written_in_part_leaves_no_hole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, disk, cut = writer_of(folder), Disk(monkeypatch), os.ftruncate
    monkeypatch.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "")))
    writer.write(FRAMES[:1])
    disk.room = 10
    assert writer.write(FRAMES[1:2]) == (0, "disk: ENOSPC")
    monkeypatch.setattr(os, "ftruncate", cut)
    disk.room = 1
    assert writer.write(FRAMES[1:2]) == (0, "disk: ENOSPC")
    disk.room = None
    assert writer.write(FRAMES[1:]) == (9, "")
    assert frames_in(folder) == FRAMES and damage_in(folder) == 1
    assert b"\0" not in segments(folder)[0].read_bytes()
    writer.close()
