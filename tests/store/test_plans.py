"""How SQLite carries out each statement: none goes through a table that grows, but for those that may."""

import re
from pathlib import Path

import pytest

from gatewatch.checks.store import CHECKS
from gatewatch.checks.traffic import FLOW, NOW, request, take, thumb
from gatewatch.store.rows import Thinned
from gatewatch.store.sql import SQLStore
from gatewatch.store.sqlite_file import SQLiteDatabase
from store.making import a_store

SMALL = {
    "run_upload",
    "meta",
    "work",
    "loss",
    "worker",
    "epoch",
    "ruleset",
    "backfill",
    "stream",
    "heard",
    "marker",
    "canary_set",
}
"""Tables with a row for each scorer, rule, worker, back-fill, deploy or reason."""

ASKED = {"asked", "CONSTANT"}
"""What a statement itself lists."""

MAY_SCAN = (
    "SELECT count(*) FROM",  # `counts`
    "SELECT state, count(*) FROM",
    "SELECT flow FROM trace ORDER BY flow LIMIT 1",  # stops at the first
    "SELECT received FROM trace ORDER BY seq DESC LIMIT 1",
    "SELECT coalesce((SELECT min(seq) FROM trace), value + 1)",
    "SELECT 1 FROM parked LIMIT 1",
    "SELECT 1 FROM tombstone LIMIT 1",
    "DELETE FROM parked WHERE at <",  # once for each `expire`, as are the next two
    "DELETE FROM changed WHERE seq <",
    "SELECT id, budget, reserved FROM task WHERE (state = 'waiting'",
    "SELECT id, body FROM parked",  # once for each erasure, as are those below
    "SELECT id, at, who, kind, marks, receipt FROM erasure",
    "SELECT id FROM erasure WHERE marks =",
    "SELECT mark, kind, at FROM tombstone ORDER BY",
    "SELECT DISTINCT person FROM trace",
    "SELECT DISTINCT author FROM score",
    "SELECT DISTINCT person FROM item",
    "SELECT DISTINCT flow, session FROM item",
    "SELECT flow, id FROM session",
    "DELETE FROM series WHERE id NOT IN",
    "DELETE FROM changed WHERE seq IN",
    "SELECT stream, seq, body FROM canary ORDER BY",
    "SELECT body FROM canary",
    "SELECT number, work, seq, value FROM fresh",  # in the order of the numbers, up to a limit
    "SELECT id, key, channel, event, body, attempts, reason FROM notice ORDER BY id LIMIT",  # what waits
)


def followed(folder: Path, seen: set[str]) -> SQLStore:
    store = a_store(folder)
    assert isinstance(store, SQLStore)
    assert isinstance(store._db, SQLiteDatabase)
    store._db._connection.set_trace_callback(seen.add)
    return store


def statements(tmp_path: Path) -> set[str]:
    """Every statement that the checks of the kit, and some traffic, come to."""
    seen: set[str] = set()
    for check in CHECKS:
        store = followed(tmp_path / check.__name__, seen)
        check(store)
        store.close()
    store = followed(tmp_path / "traffic", seen)
    take(store, *(request(f"{n}", session=f"{n % 3}", external_id=f"{n}", slice="de") for n in range(9)))
    take(store, said=[thumb("x", external_id="3"), thumb("y", "nobody")])
    for since in (0.0, NOW):
        store.latest(since=since)
        store.latest(FLOW, slice="de", marks=3, since=since)
    store.signals(FLOW, "hour", 0, NOW * 2)
    store.cells(FLOW, "hour", 0, NOW * 2)
    store.ended(FLOW, NOW * 2, 5)
    store.worst(FLOW, "helpful", "f", "judge", 0, NOW * 2, 5)
    store.numbered_rows([3, 1])
    store.between(FLOW, 0, NOW * 2, 5, 3)
    after = store.talks(FLOW, 0, NOW * 2).after
    assert after is not None
    store.talks(FLOW, 0, NOW * 2, after=after)
    store.held(NOW * 2, 5)
    store.thin([Thinned(row.seq, row.marks, 1.0, row.seq == 2) for row in store.held(NOW * 2, 5)])
    store.spend(0, NOW * 2)
    store.expire(NOW + 1, NOW + 1, NOW + 1)
    store.close()
    return {each for each in seen if each.startswith(("SELECT", "UPDATE", "DELETE", "INSERT"))}


def test_no_statement_goes_through_a_table_that_grows(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    assert isinstance(store, SQLStore) and isinstance(store._db, SQLiteDatabase)
    shapes = {re.sub(r"\([\d, ]{20,}\)", "(1)", each): each for each in statements(tmp_path)}
    assert len(shapes) > 80
    bad, used = [], set()
    for statement in shapes.values():
        if allowed := next((each for each in MAY_SCAN if statement.startswith(each)), ""):
            used.add(allowed)
            continue
        if "\x10" in statement:
            continue
        for *_, detail in store._db._connection.execute(f"EXPLAIN QUERY PLAN {statement}"):
            found = re.match(r"SCAN (?:\d+ )?(\w+)|SEARCH (\w+)$", detail)  # the second is the search for a minimum
            if found and (found[1] or found[2]) not in SMALL | ASKED and not re.search("trace_(held|kept)", detail):
                bad.append((detail, statement[:200]))
    assert not bad
    assert used == set(MAY_SCAN), "what nothing needs any more is not allowed"


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("SELECT seq FROM trace WHERE flow = 'f' AND seq < 9 AND at >= 0 ORDER BY seq DESC LIMIT 50", "trace_flow"),
        (
            "SELECT seq FROM trace WHERE flow = 'f' AND slice = 's' AND seq < 9 AND at >= 0 ORDER BY seq DESC",
            "trace_slice",
        ),
        ("SELECT seq FROM trace WHERE flow = 'f' AND at >= 5 LIMIT 2001", "trace_at"),
        (
            "SELECT due, id FROM task WHERE work = 1 AND backfill = 7 AND state = 'waiting' AND crashes = 0"
            " AND due <= 5 ORDER BY due LIMIT 9",
            "task_due",
        ),
        (
            "SELECT due, id FROM task WHERE work = 1 AND backfill = 0 AND state = 'leased' AND until <= 5"
            " ORDER BY until",
            "task_leased",
        ),
        (
            "SELECT 1 FROM trace WHERE flow = 'f' AND at >= 1 AND at < 5 AND kept = 0 AND seq >= 1 LIMIT 1",
            "trace_never",
        ),
        (
            "SELECT hour, slice, state, backfill, count(*) FROM task WHERE work = 1 AND hour >= 1 AND hour < 9"
            " GROUP BY hour, slice, state, backfill",
            "task_hour",
        ),
        ("SELECT seq FROM trace WHERE payload = 1 ORDER BY seq LIMIT 5", "trace_held"),
        (
            "SELECT trace FROM gathering WHERE settled >= moved AND root = 1 AND moved < 9 ORDER BY moved LIMIT 5",
            "gathering_made",
        ),
        (
            "SELECT trace FROM gathering WHERE settled < moved AND root = 1 AND moved < 9 ORDER BY moved LIMIT 5",
            "gathering_open",
        ),
        (
            "SELECT first FROM session WHERE flow = 'f' AND moved > 2 AND moved < 5 ORDER BY moved",
            "session_moved",
        ),
        ("SELECT what FROM audit WHERE id < 9 AND action <> 'read' ORDER BY id DESC LIMIT 48", "audit_done"),
    ],
)
def test_an_index_gives_what_is_wanted_in_order(tmp_path: Path, statement: str, index: str) -> None:
    store = a_store(tmp_path)
    assert isinstance(store, SQLStore)
    plan = [row[-1] for row in store._db.execute(f"EXPLAIN QUERY PLAN {statement}")]
    assert len(plan) == 1, plan  # no sorting
    assert f"INDEX {index}" in plan[0]
