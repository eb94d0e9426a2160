"""The project's list of tombstones: written once, read whatever its end, held against the store."""

import logging
from pathlib import Path

import pytest

from gatewatch.checks.traffic import NOW, request, take, thumb
from gatewatch.core.erasure import Subject, Tombstone, mark_of
from gatewatch.core.errors import InputError
from gatewatch.online.graves import AGAIN, Graves
from gatewatch.store.rows import Piece
from online.living import Living
from store.making import a_store

MIA = Tombstone(mark_of("user", "mia"), "user", NOW)
TURN = Tombstone(mark_of("session", "support", "s"), "session", NOW)


def test_each_is_written_once_and_read_back(tmp_path: Path) -> None:
    graves = Graves(tmp_path / ".gatewatch" / "erased.jsonl")
    assert graves.read() == []
    graves.add([])
    graves.add([MIA])
    graves.add([MIA, TURN])
    assert graves.read() == [MIA, TURN]
    assert graves.path.read_text().count("\n") == 3


def test_a_torn_end_costs_that_line_alone(tmp_path: Path) -> None:
    graves = Graves(tmp_path / "erased.jsonl")
    graves.add([MIA])
    with graves.path.open("ab") as file:
        file.write(b'{"mark":"12')
    graves.add([TURN])
    assert graves.read() == [MIA, TURN]


def test_a_later_version_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "erased.jsonl"
    path.write_text('{"kind":"gatewatch.erased","version":2}\n')
    with pytest.raises(InputError, match=r"erased\.jsonl:1: is of format 2; this Gatewatch reads gatewatch\.erased"):
        Graves(path).read()


def test_what_the_store_lacks_is_erased_and_what_the_file_lacks_is_added(tmp_path: Path) -> None:
    store, graves = a_store(tmp_path), Graves(tmp_path / "erased.jsonl")
    take(store, request("a", user="mia"), request("b", session="s"), request("c", session="s", flow="other"))
    take(store, said=[thumb("1", "c", author="mia"), thumb("2", "none", author="mia")])
    store.stage([Piece("p", "1", "", root=False, body=b'{"user":"mia"}')], NOW)
    assert graves.catch_up(store, NOW) == 0
    graves.add([MIA, TURN])
    other = Tombstone(mark_of("user", "bob"), "user", NOW)
    store.bury([other])
    assert graves.catch_up(store, NOW) == 2
    assert [row.id for row in store.latest()] == ["c"] and store.scores(3) == [] and store.counts().parked == 0
    assert not store.gathered(NOW * 2, NOW * 2, 9)
    assert other in graves.read() and len(graves.read()) == store.tombstone_count() == 5
    assert {each.who for each in store.erasures()} == {AGAIN}
    assert all(each.receipt for each in store.erasures())
    assert graves.catch_up(store, NOW) == 0


def test_one_that_was_killed_is_ended_and_those_of_others_are_left(tmp_path: Path) -> None:
    store, graves = a_store(tmp_path), Graves(tmp_path / "erased.jsonl")
    take(store, request("a", user="mia"), request("b", user="bob"))
    store.begin_erasure("e1", Subject("user", ("mia",)), AGAIN, NOW)
    store.begin_erasure("e2", Subject("user", ("bob",)), "ana", NOW)
    assert graves.catch_up(store, NOW) == 1
    assert [row.id for row in store.latest()] == ["b"]
    assert [each.id for each in store.erasures() if each.receipt is None] == ["e2"]


def test_a_worker_goes_on_where_it_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "erased.jsonl"
    path.write_text('{"kind":"gatewatch.erased","version":2}\n')
    living = Living(tmp_path)
    with caplog.at_level(logging.WARNING, "gatewatch"):
        living.work(graves=Graves(path))
    assert "what was erased before cannot be looked up" in caplog.text
