"""`gatewatch erase` on PostgreSQL: afterwards the person is in no file of the server but its write-ahead log."""

from pathlib import Path

import pytest

from cli.building import run
from cli.erasing import MIA, PLANTED, a_project, asked, bytes_found, pushed
from cli.traffic import spooling
from gatewatch import feedback
from gatewatch.checks.traffic import NOW
from gatewatch.core import codec
from gatewatch.store.open import open_store
from gatewatch.store.rows import Piece
from store.postgres import server

LOG = ("pg_wal",)


def test_they_are_in_no_file_of_the_server_but_its_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEWATCH_USER_KEY", raising=False)
    address = server().new_database()
    database = address.partition("@/")[2].partition("?")[0]
    a_project(tmp_path, address)
    with spooling(tmp_path):
        for n in range(40):
            asked(n, MIA if n % 2 else "bob", planted=PLANTED * (n % 2), session=PLANTED if n % 2 else "", thumbs="up")
        feedback("nowhere", thumbs="down", comment=PLANTED, user=MIA)
    assert run(capsys, "work", "--once")[0] == 0
    assert run(capsys, "why", f"m1{PLANTED}")[0] == 0
    pushed(address, "nightly", PLANTED)
    pushed(address, "cut", PLANTED)
    store = open_store(address, project="bot")
    body = codec.encode({"user": MIA, "input": PLANTED})
    store.stage([Piece("f" * 32, f"{n:016x}", "", root=True, body=body) for n in range(40)], NOW)
    store.close()
    server().execute("ANALYZE", database)
    server().execute("CHECKPOINT")
    assert bytes_found(server().data, PLANTED, MIA, besides=LOG)
    assert run(capsys, "erase", "--user", MIA, "--yes")[0] == 0
    assert run(capsys, "db", "forget-run", "nightly")[0] == 0
    server().execute("CHECKPOINT")
    assert bytes_found(server().data, PLANTED, MIA, besides=LOG) == {}
    store = open_store(address, project="bot")
    assert {row.external_id for row in store.latest()} == {f"m{n}" for n in range(0, 40, 2)}
    store.close()
