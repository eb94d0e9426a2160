"""Visits of people who signed in: how long they last, what ends them, and that nothing in the store lets anybody in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewatch.store import access, schema, visits
from gatewatch.store.database import Database
from gatewatch.store.open import open_database
from gatewatch.store.sqlite_file import SQLiteDatabase
from gatewatch.store.visits import IDLE_S, LONGEST_S, Place
from store.postgres import a_database

NOW = 1_700_000_000.0


@pytest.fixture(params=["sqlite", "postgres"])
def db(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    found: Database = a_database() if request.param == "postgres" else open_database(tmp_path / "x.db")
    schema.ready(found)
    yield found
    found.close()


def begun(db: Database, project: str = "bot", *, who: str = "mia", now: float = NOW, before: str = "") -> str:
    token, _ = access.create(db, project=project, role="review", now=now)
    return visits.begin(db, Place(project, "review", token.id), who, now, before=before)


def places(db: Database, secret: str, now: float = NOW) -> list[str]:
    found = visits.find(db, secret, now)
    return [place.project for place in found.places] if found else []


def test_a_visit_is_known_by_its_secret_alone(db: Database, tmp_path: Path) -> None:
    secret = begun(db)
    found = visits.find(db, secret, NOW)
    assert found is not None
    assert (found.who, [(place.project, place.role) for place in found.places]) == ("mia", [("bot", "review")])
    for wrong in ("", found.id, secret[:-1], secret + "a", secret.swapcase(), "\u00e9" * 43):
        assert visits.find(db, wrong, NOW) is None, wrong
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_it_ends_when_nothing_was_heard_of_it_for_long_or_after_seven_days(db: Database) -> None:
    secret = begun(db)
    assert places(db, secret, NOW + IDLE_S - 1) == ["bot"]
    assert places(db, secret, NOW + 2 * IDLE_S - 2) == ["bot"], "that it was seen was not noted"
    assert places(db, secret, NOW + 3 * IDLE_S) == []
    other, now = begun(db), NOW
    while now < NOW + LONGEST_S - IDLE_S:
        now += IDLE_S / 2
        assert places(db, other, now) == ["bot"]
    assert places(db, other, NOW + LONGEST_S) == []


def test_that_it_was_seen_is_noted_once_a_minute(db: Database) -> None:
    secret, seen = begun(db), []
    for at in (1, 59, 60, 119, 121):
        visits.find(db, secret, NOW + at)
        seen.append(db.execute("SELECT seen FROM visit")[0][0] / 1e6 - NOW)
    assert seen == [0, 0, 60, 60, 121]


def test_its_token_ends_it(db: Database) -> None:
    token, _ = access.create(db, project="bot", role="read", now=NOW, expires=NOW + 10)
    secret = visits.begin(db, Place("bot", "read", token.id), "mia", NOW)
    assert places(db, secret, NOW + 9) == ["bot"] and places(db, secret, NOW + 10) == []
    assert places(db, secret) == ["bot"]
    access.revoke(db, token.id, NOW)
    assert places(db, secret) == [] and db.execute("SELECT 1 FROM visit") == []
    gone = visits.begin(db, Place("bot", "read", "0123456789"), "mia", NOW)
    assert places(db, gone) == [], "a token that is not there began it"
    assert places(db, visits.begin(db, Place("bot", "admin", ""), "mia", NOW)) == ["bot"]


def test_it_may_be_to_several_projects_each_by_its_token(db: Database) -> None:
    first = begun(db)
    both = begun(db, "shop", now=NOW + 1, before=first)
    assert places(db, both, NOW + 1) == ["bot", "shop"] and places(db, first, NOW + 1) == []
    token = next(each for each in access.tokens(db) if each.project == "bot")
    access.revoke(db, token.id, NOW)
    assert places(db, both, NOW + 2) == ["shop"]
    again = begun(db, "shop", now=NOW + 3, before=both)
    assert places(db, again, NOW + 3) == ["shop"] and places(db, both, NOW + 3) == []


def test_another_person_in_the_same_browser_takes_over_nothing(db: Database) -> None:
    first = begun(db)
    other = begun(db, "shop", who="ana", before=first)
    assert places(db, other) == ["shop"] and places(db, first) == []


def test_signing_out_ends_it_and_an_admin_ends_all_of_a_project(db: Database) -> None:
    one, two, shop = begun(db), begun(db), begun(db, "shop")
    visits.end(db, one)
    assert places(db, one) == [] and places(db, two) == ["bot"]
    assert visits.end_those_to(db, "bot") == 1
    assert places(db, two) == [] and places(db, shop) == ["shop"]


def test_an_admin_sees_who_is_signed_in_to_their_project(db: Database) -> None:
    begun(db, now=NOW - IDLE_S)
    begun(db, who="ana")
    begun(db, now=NOW + 1)
    begun(db, "shop")
    found = visits.guests(db, "bot", NOW + 2)
    assert [(each.who, each.role, each.begun - NOW, each.until - NOW - LONGEST_S) for each in found] == [
        ("mia", "review", 1, 1),
        ("ana", "review", 0, 0),
    ]
    access.revoke(db, found[0].token, NOW)
    assert [each.who for each in visits.guests(db, "bot", NOW + 2, 1)] == ["ana"]


def test_what_has_ended_is_removed_when_the_next_begins(db: Database) -> None:
    begun(db)
    begun(db, now=NOW + LONGEST_S)
    assert db.execute("SELECT count(*) FROM visit") == [(1,)]


def test_no_statement_goes_through_all_visits(tmp_path: Path) -> None:
    found, seen = open_database(tmp_path / "y.db"), set[str]()
    assert isinstance(found, SQLiteDatabase)
    schema.ready(found)
    found._connection.set_trace_callback(seen.add)
    secret = begun(found, "shop", before=begun(found))
    visits.find(found, secret, NOW + 100)
    visits.guests(found, "shop", NOW)
    visits.end(found, secret)
    visits.end_those_to(found, "bot")
    access.revoke(found, access.tokens(found)[0].id, NOW)
    found._connection.set_trace_callback(None)
    asked = [each for each in seen if " visit" in each and not each.startswith("INSERT")]
    assert len(asked) > 6
    for statement in asked:
        for *_, detail in found._connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
            assert not detail.startswith("SCAN"), (detail, statement)
    found.close()
