"""The file: whose it is, who may use it when, and what is said when it cannot be used."""

import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from gatewatch.checks.traffic import request, take
from gatewatch.core.errors import StoreBusy, StoreError
from gatewatch.store.open import open_store
from gatewatch.store.sqlite_file import SQLiteDatabase
from meddling import comes_before
from store.making import on_sqlite as a_store


def test_a_store_is_opened_by_path_and_by_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    take(open_store("sqlite:///deep/er/a.db"), request("a"))
    assert open_store(tmp_path / "deep" / "er" / "a.db").find("a") is not None
    assert open_store(f"sqlite:///{tmp_path}/deep/er/a.db").find("a") is not None
    with pytest.raises(StoreError, match="mysql://: no such store is known") as caught:
        open_store("mysql://me:secret@x")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["text", "other", "later"])
def test_a_file_that_is_not_ours_is_left_as_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.db"
    if name == "text":
        path.write_bytes(b"my notes, which are no database at all" * 100)
        message = "is not a database"
    elif name == "other":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE mine (x)")
        db.close()
        message = "is a database of some other program"
    else:
        open_store(path).close()
        with sqlite3.connect(path) as db:
            db.execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
        db.close()
        message = r"a later Gatewatch wrote it \(schema 99; this one reads up to 5\): upgrade gatewatch"
    before = path.read_bytes()
    with pytest.raises(StoreError, match=message):
        open_store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("moment", range(20))
def test_another_process_may_make_it_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    def rival() -> None:
        with suppress(StoreBusy):  # it may be kept out
            take(a_store(tmp_path, busy_s=0), request("theirs"))

    comes_before(moment, rival, monkeypatch)
    store = a_store(tmp_path)
    take(store, request("ours"))
    assert store.find("ours") is not None
    store.close()


def test_a_folder_or_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(tmp_path / "file" / "x.db")
    with pytest.raises(StoreError, match="cannot be opened for writing"):
        open_store(tmp_path)


def test_a_damaged_file_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, *(request(f"{n}", payload=b"%d" % n * 3000) for n in range(300)))
    store.close()
    path = tmp_path / "gatewatch.db"
    data = bytearray(path.read_bytes())
    data[8192 : len(data) // 2] = b"\xff" * (len(data) // 2 - 8192)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="is damaged"):
        a_store(tmp_path).latest()
    assert path.read_bytes() == data


def test_a_locked_store_makes_wait_then_says_so_and_works_again(tmp_path: Path) -> None:
    store = a_store(tmp_path, busy_s=0.05)
    take(store, request("a"))
    other = sqlite3.connect(tmp_path / "gatewatch.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="another process keeps it locked"):
        take(store, request("b"))
    with pytest.raises(StoreBusy):
        store.heartbeat("w", 1.0)
    assert [row.id for row in store.latest()] == ["a"]  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    take(store, request("b"))
    assert [row.id for row in store.latest()] == ["b", "a"]


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    db = SQLiteDatabase.open(tmp_path / "x.db")
    db.execute("CREATE TABLE t (x UNIQUE)")
    with pytest.raises(StoreError, match="UNIQUE"), db.transaction():
        db.execute("INSERT INTO t VALUES (1)")
        db.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(ZeroDivisionError), db.transaction():
        db.execute("INSERT INTO t VALUES (1)")
        raise ZeroDivisionError
    with db.transaction():
        db.execute("INSERT INTO t VALUES (2)")
    assert db.execute("SELECT x FROM t") == [(2,)]


def test_a_list_of_any_length_is_looked_up(tmp_path: Path) -> None:
    db = SQLiteDatabase.open(tmp_path / "x.db")
    db.execute("CREATE TABLE t (x, y)")
    assert db.executemany("INSERT INTO t VALUES (?, 1)", [(n,) for n in range(1300)]) == 1300
    assert len(db.among("SELECT x FROM t WHERE y = ? AND x IN {}", range(5000), 1)) == 1300
    assert db.among("SELECT x FROM t WHERE x IN {}", []) == []


def test_the_mode_is_one_that_survives_a_power_cut(tmp_path: Path) -> None:
    db = SQLiteDatabase.open(tmp_path / "x.db")
    modes = [db.execute(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "auto_vacuum")]
    assert modes == ["wal", 2, 2]


OPENER = """
import sys
from gatewatch.checks.traffic import request, take
from gatewatch.store.open import open_store
store = open_store(sys.argv[1], busy_s=60)
for n in range(20):
    take(store, request(f"{sys.argv[2]}-{n}"), request(f"shared-{n}"))
"""


def test_several_processes_make_and_fill_one_store(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    writers = [subprocess.Popen([sys.executable, "-c", OPENER, str(path), name]) for name in "abcd"]
    assert [writer.wait() for writer in writers] == [0] * 4
    store = open_store(path)
    assert store.counts().traces == 100
    assert sum(cell.n for cell in store.signals("support", "day", 0, 2e9)) == 100


def test_room_is_given_back_by_as_many_pages_as_is_said(tmp_path: Path) -> None:
    db = SQLiteDatabase.open(tmp_path / "x.db")
    db.execute("CREATE TABLE t (x)")
    db.executemany("INSERT INTO t VALUES (?)", [(bytes(4000),) for _ in range(100)])
    db.execute("DROP TABLE t")
    free = db.execute("PRAGMA freelist_count")[0][0]
    assert db.shrink(30) == free - 30
    assert db.shrink(1000) == 0


def test_what_is_thrown_out_gives_its_room_back(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    import random

    noise = random.Random(1)
    take(store, *(request(f"{n}", at=n, payload=noise.randbytes(3000)) for n in range(2000)))
    store.close()
    path = tmp_path / "gatewatch.db"
    full = path.stat().st_size
    store = a_store(tmp_path)
    steps = 1
    while store.expire(1500, 0, 0).more:
        steps += 1
    assert steps < 10
    assert store.payload_bytes() < 500 * 3100
    store.close()
    assert path.stat().st_size < full * 0.35


def test_a_store_that_was_removed_or_replaced_takes_in_nothing_more(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a"))
    (tmp_path / "gatewatch.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(StoreError, match="removed or replaced"):
        take(store, request("b"))
    (tmp_path / "gatewatch.db").touch()
    with pytest.raises(StoreError, match="removed or replaced"):
        take(store, request("b"))
    (tmp_path / "gatewatch.db").unlink()
    (tmp_path / "elsewhere.db").rename(tmp_path / "gatewatch.db")
    assert take(store, request("b")).traces == 1
