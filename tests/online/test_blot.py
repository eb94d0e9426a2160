"""Somebody's records are taken out of segments in place, and nobody who writes or reads notices."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.core import codec
from gatewatch.core.erasure import mark_of
from gatewatch.online.blot import blot
from gatewatch.online.segments import read

HEAD = codec.frame("segment", b'{"kind":"gatewatch.segment","version":1}')
MIA = mark_of("user", "mia")


def trace(name: str, **more: str) -> bytes:
    return codec.frame("trace", codec.encode({"id": name, "input": f"said in {name}", **more}))


def feedback(trace: str = "", **more: str) -> bytes:
    return codec.frame("feedback", codec.encode({"id": "f", "at": 1.0, "trace": trace, "comment": "mine", **more}))


def segment(folder: Path, *pieces: bytes) -> Path:
    path = folder / "1-1-0.seg"
    path.write_bytes(b"".join(pieces))
    return path


def blotted(path: Path, *marks: str, there: Iterable[str] = ()) -> int:
    return blot(path, lambda asked: set(asked) & set(marks), set(there).__contains__)


def test_their_records_go_and_all_else_stands_where_it_stood(tmp_path: Path) -> None:
    others = (trace("b", user="bob"), trace("c"), codec.frame("loss", b'{"reasons":{"quota":1}}'), feedback("b"))
    path = segment(tmp_path, HEAD, trace("a", user="mia"), others[0], feedback("b", user="mia"), *others[1:])
    before = path.stat()
    assert blotted(path, MIA) == 2
    assert (path.stat().st_size, path.stat().st_ino) == (before.st_size, before.st_ino)
    found = read(path)
    assert [kind for kind, _ in found.records] == ["segment", "erased", "trace", "erased", "trace", "loss", "feedback"]
    assert (found.damaged, found.offset) == (0, before.st_size)
    data = path.read_bytes()
    assert b"mia" not in data and b"said in a" not in data and all(each in data for each in others)
    assert blotted(path, MIA) == 0
    assert path.read_bytes() == data


def test_what_is_of_an_erased_request_goes_unless_it_is_somebody_elses(tmp_path: Path) -> None:
    mark = mark_of("trace", "a")
    path = segment(tmp_path, HEAD, trace("a"), trace("a", user="bob"), feedback("a"), feedback("a-" + "1" * 16))
    assert blotted(path, mark, there=["a"]) == 1
    assert blotted(path, mark) == 2
    assert [kind for kind, _ in read(path).records] == ["segment", "erased", "trace", "erased", "erased"]


def test_a_session_of_one_flow_or_of_any(tmp_path: Path) -> None:
    pieces = [trace("a", session="s", flow="x"), trace("b", session="s", flow="y"), trace("c", flow="s")]
    path = segment(tmp_path, HEAD, *pieces)
    assert blotted(path, mark_of("session", "x", "s")) == 1
    assert blotted(path, mark_of("session", "s")) == 1
    assert b"said in c" in path.read_bytes()


def test_feedback_by_an_external_id_or_its_alias(tmp_path: Path) -> None:
    from gatewatch.core.alias import alias_of

    path = segment(tmp_path, HEAD, feedback(external_id="mia@example.com"), feedback(external_id="ticket"))
    assert blotted(path, mark_of("name", alias_of("mia@example.com"))) == 1
    assert blotted(path, mark_of("name", "ticket"), there=["ticket"]) == 0


def test_what_was_torn_goes_and_is_counted_as_before(tmp_path: Path) -> None:
    torn = trace("a", user="mia")[:-9]
    path = segment(tmp_path, HEAD, torn, trace("b", user="mia"), torn + b"\n", b"?\n", b"\n", trace("c"), torn)
    before = read(path, whole=True)
    assert blotted(path, MIA) == 1
    after = read(path, whole=True)
    assert (after.damaged, after.offset) == (before.damaged, before.offset) == (3, path.stat().st_size)
    assert b"said in a" not in path.read_bytes()
    assert [kind for kind, _ in after.records] == ["segment", "erased", "trace"]


def test_a_last_line_that_lacks_only_its_end_goes_too(tmp_path: Path) -> None:
    path = segment(tmp_path, HEAD, trace("b"), trace("a", user="mia")[:-1])
    before = read(path, whole=True)
    assert blotted(path, MIA) == 0
    assert read(path, whole=True) == before and before.damaged == 1
    assert b"mia" not in path.read_bytes()


def test_the_unfinished_end_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    import fcntl

    path = segment(tmp_path, HEAD, trace("a", user="mia"), trace("b", user="mia")[:-9])
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert blotted(path, MIA) == 1
    os.write(descriptor, trace("b", user="mia")[-9:])
    os.close(descriptor)
    assert [kind for kind, _ in read(path).records] == ["segment", "erased", "trace"]
    assert blotted(path, MIA) == 1


def test_what_is_no_file_of_ours_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(HEAD + trace("a", user="mia"))
    (tmp_path / "1-1-1.seg").symlink_to(tmp_path / "real")
    with pytest.raises(OSError, match=r"."):
        blotted(tmp_path / "1-1-1.seg", MIA)
    with pytest.raises(FileNotFoundError):
        blotted(tmp_path / "1-1-2.seg", MIA)


pieces = st.one_of(
    st.builds(trace, st.sampled_from("abc"), user=st.sampled_from(["", "mia", "bob"])),
    st.builds(feedback, st.sampled_from("abc"), user=st.sampled_from(["mia", "bob"])),
    st.binary(max_size=30).map(lambda data: data.replace(b"\n", b"")),
    st.sampled_from([b"\n", b"?\n", trace("a", user="mia")[:-5], trace("a", user="mia")[:-1], trace("b")[:20]]),
)


@settings(deadline=None, max_examples=200)
@given(some=st.lists(pieces, max_size=12))
def test_readers_see_the_same_but_for_their_records(
    tmp_path_factory: pytest.TempPathFactory, some: list[bytes]
) -> None:
    path = segment(tmp_path_factory.mktemp("s"), HEAD, *some)
    before = read(path, whole=True)
    blotted(path, MIA)
    after = read(path, whole=True)
    assert (after.damaged, after.offset, after.torn) == (before.damaged, before.offset, before.torn)
    assert len(after.records) == len(before.records)
    for old, new in zip(before.records, after.records, strict=True):
        assert new == old if b'"mia"' not in old[1] else new[0] == "erased" and not new[1].strip(b'" ')
