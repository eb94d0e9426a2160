"""What is somebody's, in a store and in exports; what cannot be read keeps nothing else from going."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewatch.checks.looping import item, put
from gatewatch.checks.traffic import NOW, request, take, thumb
from gatewatch.core.erasure import Subject, Tombstone, mark_of
from gatewatch.online.blot import blot
from gatewatch.online.erasing import belongings, blot_spool, remove_exports, would_go
from gatewatch.online.exporting import export
from gatewatch.online.ingest import alone
from gatewatch.store.base import Store
from gatewatch.store.open import open_store

MIA = Subject("user", ("mia",))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store(tmp_path / "x.db")
    mine = [request(f"m{n}", user="mia") for n in range(3)]
    said = [thumb("1", "m0"), thumb("2", "b", author="mia"), thumb("3", "b"), thumb("4", "later", author="mia")]
    take(made, *mine, request("b", user="bob"), request("e", user="eve"), said=said)
    yield made
    made.close()


def exported(store: Store, folder: Path, *names: str) -> None:
    for name in names:
        export(store, Subject("user", (name,)), folder / f"{name}.json", who="ana", now=NOW)


def test_all_of_somebody_each_request_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewatch.online import erasing

    monkeypatch.setattr(erasing, "_AT_ONCE", 1)
    found = list(belongings(store, MIA))
    assert [each.row.id if each.row else each.seq for each in found] == ["m0", "m1", "m2", 4]
    assert [[kept.author for kept in each.scores] for each in found] == [["u"], [], [], ["mia"]]
    put(store, item("old", user="mia"))
    counts = {"requests": 3, "payloads": 3, "scores": 0, "feedback": 2, "items": 1, "feedback waiting": 1}
    assert would_go(store, MIA) == counts


def test_an_export_goes_by_whom_it_is_of_and_by_what_is_in_it(store: Store, tmp_path: Path) -> None:
    folder, left = tmp_path / "exports", list[str]()
    put(store, item("o", user="kim"))
    exported(store, folder, "mia", "bob", "eve", "kim")
    (folder / "notes.txt").write_text("mia\n")
    assert remove_exports(folder, MIA, store, left) == 2
    assert sorted(path.name for path in folder.iterdir()) == ["eve.json", "kim.json", "notes.txt"] and left == []
    store.bury(Tombstone(mark_of("turn", name), "turn", NOW) for name in "eo")  # what was erased before
    assert remove_exports(folder, MIA, store, left) == 2


def test_an_export_that_cannot_be_removed_is_told(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, left = tmp_path / "exports", list[str]()
    exported(store, folder, "bob", "mia")
    unlink = Path.unlink

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.name == "bob.json":
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refused)
    assert remove_exports(folder, MIA, store, left) == 1
    assert left == [
        f"{folder / 'bob.json'}: Permission denied; what it has of them is there still: put that right, and erase again"
    ]


def test_a_spool_is_seen_to_though_another_has_it_and_one_segment_cannot_be_opened(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatewatch.core import codec
    from gatewatch.online import erasing

    monkeypatch.setattr(erasing, "_PATIENCE_S", 0.0)
    spool, left = tmp_path / "spool", list[str]()
    assert blot_spool(spool, store, left) == 0
    spool.mkdir()
    store.bury([Tombstone(mark, "user", NOW) for mark in MIA.marks])
    record = codec.frame("trace", codec.encode({"id": "9", "user": "mia"}))
    (spool / "1-1-1.seg").write_bytes(record + codec.frame("trace", b'{"id":"8"}'))
    (spool / "1-1-0.seg").write_bytes(record)

    def refused(path: Path, *rest: Any) -> int:
        if path.name == "1-1-0.seg":
            raise PermissionError(13, "Permission denied", str(path))
        return blot(path, *rest)

    monkeypatch.setattr(erasing, "blot", refused)
    with alone(spool) as mine:
        assert mine and blot_spool(spool, store, left) == 1
    assert b"mia" not in (spool / "1-1-1.seg").read_bytes()
    assert len(left) == 1 and "1-1-0.seg: Permission denied; " in left[0]
