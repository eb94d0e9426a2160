"""`gatewatch db`: what is in the store, and stores of other versions."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cli.building import run
from cli.traffic import TOML, answered, project, spooling, traffic
from gatewatch import feedback
from gatewatch.core.clock import wall
from gatewatch.store import schema
from gatewatch.store.open import open_store
from store.postgres import server


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return project(tmp_path)


def file(here: Path) -> Path:
    return here / ".gatewatch" / "gatewatch.db"


def test_what_is_in_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here, 100)
    with spooling(here):
        feedback(external_id="elsewhere", thumbs="up")
        feedback("x", thumbs="sideways")
    run(capsys, "work", "--once")
    code, out, _ = run(capsys, "db", "status", "--json")
    found = json.loads(out)
    assert (code, found["kind"], found["version"], found["schema"]) == (0, "gatewatch.db", 1, len(schema.STEPS))
    assert (found["traces"], found["payloads"], found["parked"]) == (100, 100, 1)
    assert found["losses"] == {"bad feedback": 1}
    assert found["file_bytes"] >= file(here).stat().st_size
    code, out, _ = run(capsys, "db", "status")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith(f"{file(here)}  layout {len(schema.STEPS)}, ")
    assert lines[1].startswith("requests  100; 100 have a payload (")
    assert lines[3:5] == ["tasks     none", "feedback  1 without a request"]
    assert lines[5:] == ["failures  0", "items     none; 0 labels", "changes   none", "lost      1: bad feedback"]


def test_a_store_is_made_where_there_is_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "db", "status", "--json")
    assert (code, json.loads(out)["traces"]) == (0, 0)
    assert file(here).is_file()


def test_migrating_what_is_up_to_date_changes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        answered(1)
    run(capsys, "work", "--once")
    before = file(here).read_bytes()
    code, out, _ = run(capsys, "db", "migrate")
    assert (code, out) == (0, f"{file(here)} is up to date\n")
    assert file(here).read_bytes() == before


def test_an_older_store_is_brought_up_to_date_when_asked_and_not_before(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with spooling(here):
        answered(1)
    run(capsys, "work", "--once")
    step = schema.Step("2027-01-15", "a table of notes", ("CREATE TABLE note (id INTEGER PRIMARY KEY)",))
    later = (*schema.STEPS, step)
    for function in (schema.status, schema.migrate, schema.ready):
        monkeypatch.setattr(function, "__defaults__", (later,))
    code, _, err = run(capsys, "work", "--once")
    assert code == 4
    assert "it is of an older version" in err and "run `gatewatch db migrate`" in err
    code, out, _ = run(capsys, "db", "status")
    assert code == 0
    assert f"layout {len(schema.STEPS)}, 1 behind: `gatewatch db migrate` adds\n  2027-01-15 a table of notes" in out
    _, out, _ = run(capsys, "db", "status", "--json")
    assert json.loads(out) == {
        "kind": "gatewatch.db",
        "version": 1,
        "schema": len(schema.STEPS),
        "missing": ["2027-01-15 a table of notes"],
    }
    code, out, _ = run(capsys, "db", "migrate")
    assert code == 0
    assert out.startswith("2027-01-15 a table of notes\n")
    code, out, _ = run(capsys, "why", "m1")
    assert code == 0


def test_a_later_store_is_refused_by_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "db", "status")
    with sqlite3.connect(file(here)) as connection:
        connection.execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
    connection.close()
    for words in (("db", "status"), ("db", "migrate"), ("work", "--once"), ("trends",)):
        code, _, err = run(capsys, *words)
        assert code == 4, words
        assert "a later Gatewatch wrote it (schema 99" in err and "upgrade gatewatch" in err


def test_a_file_that_is_no_store_is_left_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file(here).parent.mkdir()
    file(here).write_text("my notes, " * 100)
    before = file(here).read_bytes()
    for words in (("db", "status"), ("db", "migrate"), ("work", "--once")):
        code, _, err = run(capsys, *words)
        assert code == 4, words
        assert str(file(here)) in err
    assert file(here).read_bytes() == before


def test_an_address_that_no_store_is_known_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "gatewatch.toml").write_text(TOML.replace('name = "bot"', 'store = "mysql://db/x"'))
    code, _, err = run(capsys, "db", "status")
    assert code == 2
    assert (
        "gatewatch.toml: project.store: expected sqlite:///PATH or postgresql://USER@HOST/DATABASE, got 'mysql'" in err
    )


def test_a_store_is_copied_and_what_is_there_is_not_written_over(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    traffic(here, 20)
    run(capsys, "work", "--once")
    address = f"sqlite:///{here}/elsewhere.db"
    code, out, _ = run(capsys, "db", "copy", "--to", address)
    assert code == 0
    assert "trace        20\n" in out and f"{file(here)} is copied to {here}/elsewhere.db\n" in out
    code, _, err = run(capsys, "db", "copy", "--to", address)
    assert code == 4
    assert "is not empty" in err and "copy to a new one" in err


def test_a_store_is_copied_to_postgresql_and_read_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here, 20)
    run(capsys, "work", "--once")
    address = server().new_database()
    assert run(capsys, "db", "copy", "--to", address)[0] == 0
    config = here / "gatewatch.toml"
    config.write_text(config.read_text().replace('name = "bot"', f'name = "bot"\nstore = "{address}"'))
    code, out, _ = run(capsys, "db", "status", "--json")
    assert (code, json.loads(out)["traces"]) == (0, 20)
    assert run(capsys, "db", "migrate")[1].endswith("is up to date\n")
    assert run(capsys, "work", "--once")[0] == 0
    assert run(capsys, "trends")[0] == 0
    assert run(capsys, "costs")[0] == 0


def test_nothing_is_copied_of_nothing_or_while_workers_are_at_work(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = here / "elsewhere.db"
    code, _, err = run(capsys, "db", "copy", "--to", f"sqlite:///{target}")
    assert code == 4 and "there is nothing to copy" in err and not target.exists()
    traffic(here, 2)
    run(capsys, "work", "--once")
    with closing(open_store(file(here))) as store:
        store.heartbeat("web-1:7", wall(), "0 at work")
    code, _, err = run(capsys, "db", "copy", "--to", f"sqlite:///{target}")
    assert code == 2 and "at work: web-1:7" in err and "--yes" in err and not target.exists()
    code, out, err = run(capsys, "db", "copy", "--yes", "--to", f"sqlite:///{target}")
    assert code == 0 and "does a server run yet?" in err and "\nworker " not in out
    with closing(open_store(target)) as store:
        assert store.workers(0) == {} and store.counts().traces == 2
