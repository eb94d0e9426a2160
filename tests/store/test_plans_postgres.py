"""How PostgreSQL carries out what is asked most: by an index, in its order, once there is enough to look through."""

import re
from collections.abc import Iterator

import pytest
from benchmarks.store import START, arrivals

from gatewatch.store.postgres import PostgresDatabase
from gatewatch.store.sql import SQLStore
from store.postgres import a_database

LOOKUPS = [
    ("SELECT seq FROM trace WHERE flow = ? AND seq < ? AND at >= ? ORDER BY seq DESC LIMIT 50", "trace_flow"),
    ("SELECT seq FROM trace WHERE flow = ? AND seq > ? ORDER BY seq LIMIT 50", "trace_flow"),
    ("SELECT seq FROM trace WHERE payload = 1 ORDER BY seq LIMIT 50", "trace_held"),
    ("SELECT seq, span_id FROM trace WHERE id IN (?, ?, ?)", "trace_id_key"),
    ("SELECT seq FROM trace WHERE external_id = ? AND external_id <> '' ORDER BY seq DESC LIMIT 1", "trace_external"),
    ("SELECT turns FROM session WHERE flow = ? AND id = ?", "session_pkey"),
    ("SELECT seq FROM mark WHERE bit = ? AND seq < ? AND at >= ? ORDER BY seq DESC LIMIT 50", "mark_pkey"),
    ("SELECT body FROM payload WHERE seq = ?", r"payload_\d+_pkey"),
    ("DELETE FROM payload WHERE seq IN (?, ?)", r"payload_\d+_pkey"),
    (
        "SELECT n FROM signal_cell WHERE series = ? AND tier = 60 AND bucket = ? AND share = ?",
        r"signal_cell\w*_60_pkey",
    ),
    ("SELECT seq FROM trace t WHERE flow = ? AND session = ? AND session <> ''", "trace_session"),
    ("SELECT id FROM session WHERE flow = ? AND moved > ? AND moved < ? ORDER BY moved LIMIT 50", "session_moved"),
    ("SELECT measures FROM entry WHERE stream = ? AND number > ? ORDER BY number LIMIT 50", "entry_pkey"),
    ("SELECT measures FROM entry WHERE stream = ? AND at >= ? AND at < ?", "entry_at"),
    ("DELETE FROM entry WHERE seq IN (?, ?)", "entry_seq_stream_key"),
    ("DELETE FROM fresh WHERE seq IN (?, ?)", "fresh_seq"),
    ("SELECT work FROM fresh f WHERE number > ? ORDER BY f.number LIMIT 50", "fresh_pkey"),
    ("SELECT id FROM item WHERE state = 'waiting' ORDER BY rank, id LIMIT 5", "item_state"),
    ("SELECT id FROM item WHERE trace = ? AND queue = ? AND scorer = ?", "item_trace_queue_scorer_key"),
    ("SELECT id FROM item WHERE person <> '' AND person IN (?, ?)", "item_person"),
    ("SELECT body FROM label WHERE body IS NOT NULL AND item IN (?, ?)", "label_pkey"),
    ("SELECT item FROM label WHERE reviewer = ? AND until > 0 AND until > ? AND body IS NULL", "label_claim"),
    ("SELECT id FROM change WHERE key = ? AND state <> 'withdrawn'", "change_key"),
    ("SELECT id FROM change WHERE trace <> '' AND trace IN (?, ?)", "change_trace"),
    (
        "SELECT trace FROM gathering WHERE settled >= moved AND root = ? AND moved < ? ORDER BY moved LIMIT 5",
        "gathering_made",
    ),
    (
        "SELECT span FROM (VALUES ('a', 'b', ''), ('a', 'c', '')) asked CROSS JOIN piece"
        " WHERE trace = column1 AND span = column2 AND part = column3",
        "piece_pkey",
    ),
]


@pytest.fixture(scope="module")
def large() -> Iterator[PostgresDatabase]:
    db = a_database()
    store = SQLStore(db)
    for batch in arrivals(5000, days=2, size=200):
        store.take_in(batch, START)
    db.execute("UPDATE trace SET flow = 'another', payload = 2 WHERE seq % 20 <> 0")
    for table in ("trace", "session", "mark", "payload", "signal_cell"):
        with db.transaction():
            db.execute(f"ANALYZE {table}")
    yield db
    db.close()


@pytest.mark.parametrize(("statement", "index"), LOOKUPS)
def test_an_index_gives_what_is_wanted(large: PostgresDatabase, statement: str, index: str) -> None:
    texts = {
        "flow": "support",
        "id": "x",
        "trace": "x",
        "queue": "x",
        "scorer": "x",
        "person": "x",
        "reviewer": "x",
        "key": "x",
        "external_id": "m-3",
        "session": "s3",
    }
    names = re.findall(r"(\w+) (?:=|<|>|>=|<=) \?", statement.replace("IN (?", "= ?").replace(", ?", " = ?"))
    values = [texts.get(name, 3) for name in names]
    values += values[-1:] * (statement.count("?") - len(values))
    with large.transaction(write=False):  # of so few rows a scan may be cheaper, as of many it never is
        large.execute("SELECT set_config('enable_seqscan', 'off', true)")
        plan = [line for (line,) in large.execute(f"EXPLAIN {statement}", *values)]
    assert any(
        re.search(rf"(Index Scan|Index Only Scan|Bitmap Index Scan).* (on|using) {index}\b", line) for line in plan
    ), plan
    bad = [line for line in plan if "Seq Scan" in line and not re.search(r"payload_(rest|kept|\d+)", line)]
    assert not bad, plan
    assert not any("Sort" in line for line in plan), plan
