import os
from pathlib import Path

import pytest

from gatewatch.core import codec
from gatewatch.core.errors import InputError
from gatewatch.online.segments import Read, finished, read, segments

HEAD = codec.frame("segment", b'{"kind":"gatewatch.segment","version":1}')
A, B, C = (codec.frame("trace", b'{"id":"%s"}' % name) for name in (b"a", b"b", b"c"))


def segment(folder: Path, *pieces: bytes) -> Path:
    path = folder / "1-1-0.seg"
    path.write_bytes(b"".join(pieces))
    return path


def ids(found: Read) -> list[str]:
    return [codec.decode(payload, dict[str, str])["id"] for kind, payload in found.records if kind == "trace"]


def test_all_that_is_whole_is_read(tmp_path: Path) -> None:
    path = segment(tmp_path, HEAD, A, B)
    found = read(path)
    assert (ids(found), found.damaged, found.torn) == (["a", "b"], 0, False)
    assert found.offset == path.stat().st_size
    assert read(path, found.offset) == Read([], found.offset)


def test_a_torn_tail_waits_while_its_writer_lives_and_is_damaged_when_not(tmp_path: Path) -> None:
    path = segment(tmp_path, HEAD, A, B[:-5])
    found = read(path)
    assert (ids(found), found.damaged, found.torn, found.offset) == (["a"], 0, True, len(HEAD + A))
    gone = read(path, whole=True)
    assert (ids(gone), gone.damaged, gone.torn, gone.offset) == (["a"], 1, False, path.stat().st_size)
    path.write_bytes(HEAD + A + B)
    assert ids(read(path, found.offset)) == ["b"]


def test_a_last_line_that_lacks_only_its_end_is_no_record(tmp_path: Path) -> None:
    path = segment(tmp_path, HEAD, A, B[:-1])
    gone = read(path, whole=True)
    assert (ids(gone), gone.damaged, gone.offset) == (["a"], 1, path.stat().st_size)
    assert read(segment(tmp_path, HEAD, A, B[:-3], b"?\n", b"?"), whole=True).damaged == 1


@pytest.mark.parametrize("place", range(len(B)))
def test_a_damaged_frame_is_counted_and_those_behind_it_are_kept(tmp_path: Path, place: int) -> None:
    damaged = bytearray(B)
    damaged[place] ^= 0x40
    found = read(segment(tmp_path, HEAD, A, bytes(damaged), C))
    assert ids(found) == ["a", "c"] if place < len(B) - 1 else ids(found)[0] == "a" and "c" in ids(found)
    assert found.damaged >= 1


def test_a_frame_right_behind_a_torn_one_is_kept(tmp_path: Path) -> None:
    found = read(segment(tmp_path, HEAD, A[:-7], B, C))
    assert (ids(found), found.damaged) == (["b", "c"], 1)


def test_empty_lines_are_no_damage(tmp_path: Path) -> None:
    assert read(segment(tmp_path, HEAD, b"\n", A, b"\n")).damaged == 0


def test_it_is_read_in_pieces(tmp_path: Path) -> None:
    long = codec.frame("trace", b'{"id":"%s"}' % (b"x" * 1000))
    path = segment(tmp_path, HEAD, A, long, B)
    for most in (1, 7, len(HEAD), len(HEAD) + len(A), 200, 1 << 20):
        offset, found = 0, []
        for _ in range(10):
            part = read(path, offset, most)
            found += ids(part)
            assert part.damaged == 0 and not part.torn
            if part.offset == offset:
                break
            offset = part.offset
        assert found == ["a", "x" * 1000, "b"] and offset == path.stat().st_size


def test_an_empty_segment(tmp_path: Path) -> None:
    assert read(segment(tmp_path)) == Read([], 0)


@pytest.mark.parametrize("head", [b'{"kind":"gatewatch.segment","version":2}', b'{"kind":"gatewatch.run","version":1}'])
def test_a_later_version_is_refused_by_name(tmp_path: Path, head: bytes) -> None:
    path = segment(tmp_path, codec.frame("segment", head), A)
    with pytest.raises(InputError, match=r"this Gatewatch reads gatewatch\.segment up to 1"):
        read(path)


def test_a_segment_without_a_readable_head_is_read_all_the_same(tmp_path: Path) -> None:
    assert ids(read(segment(tmp_path, HEAD[:-9], A))) == ["a"]
    assert ids(read(segment(tmp_path, codec.frame("segment", b"[]"), A))) == ["a"]


def test_segments_are_in_order_of_age(tmp_path: Path) -> None:
    for name in ("9-a-0.seg", "10-9-11.seg", "10-9-2.seg", "odd.seg", "1-1-1.new", "user.key"):
        (tmp_path / name).touch()
    assert [path.name for path in segments(tmp_path)] == ["10-9-2.seg", "10-9-11.seg", "9-a-0.seg"]
    os.mkfifo(tmp_path / "1-1-3.seg")
    (tmp_path / "1-1-4.seg").symlink_to("/dev/zero")
    assert len(segments(tmp_path)) == 3  # what is no file of ours is not waited for
    assert segments(tmp_path / "nowhere") == []


def test_one_that_is_gone_is_finished(tmp_path: Path) -> None:
    assert finished(tmp_path / "1-1-1.seg")


def test_asking_twice_at_once_is_no_hindrance(tmp_path: Path) -> None:
    import fcntl

    path = segment(tmp_path, HEAD)
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    assert finished(path)
    os.close(descriptor)
