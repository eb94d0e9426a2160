"""Who may do what: projects, tokens of which only a hash is kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.errors import InputError, StoreError
from gatewatch.store import access, schema
from gatewatch.store.database import Database
from gatewatch.store.open import open_database
from store.postgres import a_database

NOW = 1_700_000_000.0


def a_base(path: Path) -> Database:
    db = open_database(path)
    schema.ready(db)
    return db


@pytest.fixture(params=["sqlite", "postgres"])
def db(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    found: Database
    if request.param == "postgres":
        found = a_database()
        schema.ready(found)
    else:
        found = a_base(tmp_path / "x.db")
    yield found
    found.close()


def test_the_first_project_has_the_base_and_others_a_place_of_their_own(db: Database) -> None:
    assert access.register(db, "shop", NOW) == ""
    assert access.register(db, "bot_2", NOW + 1) == "bot_2"
    assert access.register(db, "shop", NOW + 2) == ""
    assert access.projects(db) == ["shop", "bot_2"]


@pytest.mark.parametrize("name", ["", "Shop", "a b", "-a", "../x", "a" * 64, "a.b", "\u00e9"])
def test_what_cannot_name_a_project_is_refused(db: Database, name: str) -> None:
    with pytest.raises(StoreError, match="is no name for a project"):
        access.register(db, name, NOW)
    assert access.projects(db) == []


def test_a_token_is_known_by_its_text_alone(db: Database) -> None:
    token, secret = access.create(db, project="shop", role="review", note="mia", now=NOW, expires=NOW + 10)
    assert secret.startswith(f"gw_v_{token.id}_")
    assert len(secret.rpartition("_")[2]) == 64  # 256 bits in hexadecimal
    found = access.known(db, secret, NOW)
    assert found == token
    assert (token.project, token.role, token.note, token.expires) == ("shop", "review", "mia", NOW + 10)
    other = access.create(db, project="shop", role="read", now=NOW)[1]
    for wrong in ("", secret[:-1], secret[:-1] + "x", secret.replace("gw_v_", "gw_a_"), secret + "0", f" {secret}"):
        assert access.known(db, wrong, NOW) is None, wrong
    mixed = f"gw_v_{token.id}_{other.rpartition('_')[2]}"
    assert access.known(db, mixed, NOW) is None


@given(st.text())
def test_no_text_is_taken_for_a_token(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    db = a_base(tmp_path_factory.mktemp("a") / "x.db")
    try:
        access.create(db, project="shop", role="read", now=NOW)
        assert access.known(db, text.encode("utf-8", "replace").decode("latin-1"), NOW) is None
    finally:
        db.close()


def test_the_secret_is_nowhere_in_the_file(db: Database, tmp_path: Path) -> None:
    _, secret = access.create(db, project="shop", role="ingest", now=NOW)
    access.known(db, secret, NOW)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.rpartition("_")[2].encode() not in kept


def test_what_was_revoked_or_has_expired_says_so(db: Database) -> None:
    token, secret = access.create(db, project="shop", role="ingest", now=NOW, expires=NOW + 10)
    found = access.known(db, secret, NOW + 10)
    assert found is not None and found.flaw(NOW + 10) == "has expired" and not found.flaw(NOW + 9)
    assert access.revoke(db, token.id, NOW + 3).revoked == NOW + 3
    assert access.revoke(db, secret, NOW + 4).revoked == NOW + 3
    found = access.known(db, secret, NOW + 5)
    assert found is not None and found.flaw(NOW + 5) == "was revoked"
    with pytest.raises(InputError, match="there is no such token"):
        access.revoke(db, "0123456789", NOW)


def test_its_use_is_noted_once_a_minute(db: Database) -> None:
    _, secret = access.create(db, project="shop", role="ingest", now=NOW)
    used = []
    for at in (0, 1, 59, 60, 119, 121):
        access.known(db, secret, NOW + at)
        used.append(access.tokens(db)[0].used - NOW)
    assert used == [0, 0, 0, 60, 60, 121]
