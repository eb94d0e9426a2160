"""The tables, as a dated list of steps that only ever grows; a file says how many of them it has been through.

    2026-11-26  the first tables
    2026-11-26  many machines: projects and tokens, spans that wait for their trace, upstream sampling,
                back-fills, attempts that were paid for, runs, erasures

Times are in microseconds since the epoch, money in billionths of a dollar, values of scores in billionths where they
are added up: whole numbers, so that sums do not depend on the order in which things arrive.
"""

from collections.abc import Sequence

from msgspec import Struct

from gatewatch.core.errors import StoreVersion
from gatewatch.store.database import Database


class Step(Struct, frozen=True):
    """A change of the tables: when and what, and its statements."""

    date: str
    what: str
    statements: tuple[str, ...]


_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BIGINT NOT NULL) WITHOUT ROWID;

CREATE TABLE trace (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    span_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    received BIGINT NOT NULL,
    flow TEXT NOT NULL,
    session TEXT NOT NULL,
    slice TEXT NOT NULL,
    variant TEXT NOT NULL,
    tags TEXT NOT NULL,
    person TEXT NOT NULL,
    external_id TEXT NOT NULL,
    u DOUBLE PRECISION NOT NULL,
    latency BIGINT,
    first_token BIGINT,
    cost BIGINT,
    input_tokens BIGINT,
    output_tokens BIGINT,
    error TEXT NOT NULL,
    marks BIGINT NOT NULL,
    late BIGINT NOT NULL,
    kept DOUBLE PRECISION,
    payload SMALLINT NOT NULL
);
CREATE INDEX trace_flow ON trace (flow, seq, at);
CREATE INDEX trace_slice ON trace (flow, slice, seq, at);
CREATE INDEX trace_at ON trace (flow, at, seq);
CREATE INDEX trace_session ON trace (flow, session, at) WHERE session <> '';
CREATE INDEX trace_external ON trace (external_id, seq) WHERE external_id <> '';
CREATE INDEX trace_held ON trace (seq, received) WHERE payload = 1;
CREATE INDEX trace_kept ON trace (seq) WHERE payload = 2;
CREATE TABLE payload (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE mark (
    bit BIGINT NOT NULL, seq BIGINT NOT NULL, flow TEXT NOT NULL, slice TEXT NOT NULL, at BIGINT NOT NULL,
    PRIMARY KEY (bit, seq)
) WITHOUT ROWID;
CREATE TABLE changed (number INTEGER PRIMARY KEY, flow TEXT NOT NULL, seq BIGINT NOT NULL);
CREATE INDEX changed_flow ON changed (flow, number, seq);
CREATE TABLE session (
    flow TEXT NOT NULL, id TEXT NOT NULL, first BIGINT NOT NULL, last_at BIGINT NOT NULL, turns BIGINT NOT NULL,
    moved BIGINT NOT NULL, PRIMARY KEY (flow, id)
) WITHOUT ROWID;
CREATE INDEX session_moved ON session (flow, moved);

CREATE TABLE said (id TEXT PRIMARY KEY, seq BIGINT NOT NULL) WITHOUT ROWID;
CREATE INDEX said_seq ON said (seq);
CREATE TABLE parked (
    id TEXT PRIMARY KEY, at BIGINT NOT NULL, trace TEXT NOT NULL, external_id TEXT NOT NULL, body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX parked_trace ON parked (trace) WHERE trace <> '';
CREATE INDEX parked_external ON parked (external_id) WHERE external_id <> '';
CREATE TABLE loss (reason TEXT PRIMARY KEY, n BIGINT NOT NULL) WITHOUT ROWID;
CREATE TABLE segment (name TEXT PRIMARY KEY, taken BIGINT NOT NULL) WITHOUT ROWID;

CREATE TABLE work (
    id INTEGER PRIMARY KEY, flow TEXT NOT NULL, scorer TEXT NOT NULL, fingerprint TEXT NOT NULL, source TEXT NOT NULL,
    planned BIGINT NOT NULL, changes BIGINT NOT NULL,
    sessions SMALLINT NOT NULL, UNIQUE (flow, scorer, fingerprint)
);
CREATE TABLE ruleset (hash TEXT PRIMARY KEY, rules BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE epoch (
    work BIGINT NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL, ruleset TEXT NOT NULL,
    multiplier DOUBLE PRECISION NOT NULL, PRIMARY KEY (work, ruleset, multiplier, first)
) WITHOUT ROWID;
CREATE INDEX epoch_last ON epoch (work, last);
CREATE TABLE task (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    work BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    hour BIGINT NOT NULL,
    state TEXT NOT NULL,
    due BIGINT NOT NULL,
    since BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    crashes BIGINT NOT NULL,
    pi DOUBLE PRECISION NOT NULL,
    reason TEXT NOT NULL,
    owner TEXT NOT NULL,
    until BIGINT NOT NULL,
    budget TEXT NOT NULL,
    reserved BIGINT NOT NULL,
    turns BIGINT NOT NULL,
    leased_turns BIGINT NOT NULL,
    slice TEXT NOT NULL,
    UNIQUE (work, seq)
);
CREATE INDEX task_due ON task (work, due) WHERE state = 'waiting' AND crashes = 0;
CREATE INDEX task_suspect ON task (work, due) WHERE state = 'waiting' AND crashes > 0;
CREATE INDEX task_leased ON task (work, until) WHERE state = 'leased';
CREATE INDEX task_hour ON task (work, hour, slice, state);
CREATE INDEX task_seq ON task (seq);
CREATE TABLE budget (name TEXT PRIMARY KEY, spent BIGINT NOT NULL, reserved BIGINT NOT NULL) WITHOUT ROWID;
CREATE TABLE score (
    seq BIGINT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    author TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    flow TEXT NOT NULL,
    happened BIGINT NOT NULL,
    at BIGINT NOT NULL,
    pi DOUBLE PRECISION NOT NULL,
    value DOUBLE PRECISION,
    status TEXT NOT NULL,
    turns BIGINT NOT NULL,
    detail BLOB NOT NULL,
    PRIMARY KEY (seq, name, source, author, fingerprint)
) WITHOUT ROWID;
CREATE INDEX score_values ON score (flow, name, fingerprint, source, happened, seq) WHERE value IS NOT NULL;

CREATE TABLE series (
    id INTEGER PRIMARY KEY, flow TEXT NOT NULL, slice TEXT NOT NULL, variant TEXT NOT NULL, scorer TEXT NOT NULL,
    fingerprint TEXT NOT NULL, source TEXT NOT NULL, UNIQUE (flow, scorer, slice, variant, fingerprint, source)
);
CREATE TABLE signal_cell (
    series BIGINT NOT NULL, tier BIGINT NOT NULL, bucket BIGINT NOT NULL, n BIGINT NOT NULL, errors BIGINT NOT NULL,
    timeouts BIGINT NOT NULL, cost BIGINT NOT NULL, unknown_cost BIGINT NOT NULL, input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL, latency BLOB NOT NULL, first_token BLOB NOT NULL, marks BLOB NOT NULL,
    PRIMARY KEY (series, tier, bucket)
) WITHOUT ROWID;
CREATE TABLE score_cell (
    series BIGINT NOT NULL, tier BIGINT NOT NULL, bucket BIGINT NOT NULL, pi DOUBLE PRECISION NOT NULL,
    n BIGINT NOT NULL, total BIGINT NOT NULL, squares BIGINT NOT NULL, unknown BIGINT NOT NULL, skipped BIGINT NOT NULL,
    PRIMARY KEY (series, tier, bucket, pi)
) WITHOUT ROWID;
CREATE TABLE spend (
    day BIGINT NOT NULL, kind TEXT NOT NULL, flow TEXT NOT NULL, scorer TEXT NOT NULL, model TEXT NOT NULL,
    calls BIGINT NOT NULL, cost BIGINT NOT NULL, unknown BIGINT NOT NULL, input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL, PRIMARY KEY (day, kind, flow, scorer, model)
) WITHOUT ROWID;

CREATE TABLE worker (name TEXT PRIMARY KEY, at BIGINT NOT NULL, note TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('seq', 0), ('changes', 0), ('thin', 0), ('payloads', 0), ('payload_bytes', 0),
    ('minute_from', 0), ('hour_from', 0);
"""


_SECOND = """
CREATE TABLE project (name TEXT PRIMARY KEY, place TEXT NOT NULL, at BIGINT NOT NULL) WITHOUT ROWID;
CREATE TABLE token (
    id TEXT PRIMARY KEY, project TEXT NOT NULL, role TEXT NOT NULL, note TEXT NOT NULL, hash TEXT NOT NULL UNIQUE,
    at BIGINT NOT NULL, until BIGINT NOT NULL, revoked BIGINT NOT NULL, used BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY, at BIGINT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL, what TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_what ON audit (what) WHERE action = 'read';
CREATE INDEX audit_read ON audit (what) WHERE action = 'read';

CREATE TABLE piece (
    trace TEXT NOT NULL, span TEXT NOT NULL, part TEXT NOT NULL, size BIGINT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (trace, span, part)
) WITHOUT ROWID;
CREATE TABLE gathering (
    trace TEXT PRIMARY KEY, root SMALLINT NOT NULL, moved BIGINT NOT NULL, settled BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX gathering_open ON gathering (root, moved) WHERE settled < moved;
CREATE INDEX gathering_made ON gathering (root, moved) WHERE settled >= moved;

ALTER TABLE segment ADD COLUMN at BIGINT NOT NULL DEFAULT 0;
UPDATE segment SET at = (SELECT coalesce(max(received), 0) FROM trace);
CREATE INDEX segment_at ON segment (at);

ALTER TABLE trace ADD COLUMN share DOUBLE PRECISION NOT NULL DEFAULT 1;
CREATE INDEX trace_person ON trace (person, seq) WHERE person <> '';
CREATE TABLE signal_cell_by_share (
    series BIGINT NOT NULL, tier BIGINT NOT NULL, bucket BIGINT NOT NULL, share DOUBLE PRECISION NOT NULL,
    n BIGINT NOT NULL, errors BIGINT NOT NULL, timeouts BIGINT NOT NULL, cost BIGINT NOT NULL,
    unknown_cost BIGINT NOT NULL, input_tokens BIGINT NOT NULL, output_tokens BIGINT NOT NULL, latency BLOB NOT NULL,
    first_token BLOB NOT NULL, marks BLOB NOT NULL, PRIMARY KEY (series, tier, bucket, share)
) WITHOUT ROWID;
INSERT INTO signal_cell_by_share SELECT series, tier, bucket, 1, n, errors, timeouts, cost, unknown_cost, input_tokens,
    output_tokens, latency, first_token, marks FROM signal_cell;
DROP TABLE signal_cell;
ALTER TABLE signal_cell_by_share RENAME TO signal_cell;

ALTER TABLE task ADD COLUMN backfill BIGINT NOT NULL DEFAULT 0;
DROP INDEX task_due;
CREATE INDEX task_due ON task (work, backfill, due) WHERE state = 'waiting' AND crashes = 0;
DROP INDEX task_hour;
CREATE INDEX task_hour ON task (work, hour, slice, state, backfill);
CREATE TABLE backfill (
    id INTEGER PRIMARY KEY, work BIGINT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, author TEXT NOT NULL,
    at BIGINT NOT NULL, rules BLOB NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL, planned BIGINT NOT NULL,
    made BIGINT NOT NULL, done BIGINT NOT NULL, most BIGINT
);
CREATE INDEX task_backfill ON task (backfill, state) WHERE backfill > 0;
CREATE INDEX trace_never ON trace (flow, at, seq) WHERE kept = 0;
ALTER TABLE spend ADD COLUMN scores BIGINT NOT NULL DEFAULT 0;
UPDATE spend SET scores = calls WHERE kind = 'judge';
CREATE TABLE paid (
    task BIGINT NOT NULL, attempt BIGINT NOT NULL, at BIGINT NOT NULL, budget TEXT NOT NULL, guessed BIGINT NOT NULL,
    PRIMARY KEY (task, attempt)
) WITHOUT ROWID;
CREATE INDEX paid_at ON paid (at);
ALTER TABLE worker ADD COLUMN scorers TEXT NOT NULL DEFAULT '';

CREATE TABLE run (
    id TEXT PRIMARY KEY, suite TEXT NOT NULL, received BIGINT NOT NULL, author TEXT NOT NULL, digest TEXT NOT NULL,
    size BIGINT NOT NULL, state TEXT NOT NULL, header BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX run_suite ON run (suite, received);
CREATE INDEX run_received ON run (received);
CREATE TABLE run_upload (
    run TEXT NOT NULL, digest TEXT NOT NULL, suite TEXT NOT NULL, received BIGINT NOT NULL, author TEXT NOT NULL,
    size BIGINT NOT NULL, header BLOB NOT NULL, PRIMARY KEY (run, digest)
) WITHOUT ROWID;
CREATE TABLE run_part (
    run TEXT NOT NULL, digest TEXT NOT NULL, part BIGINT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (run, digest, part)
);

CREATE TABLE tombstone (mark TEXT PRIMARY KEY, kind TEXT NOT NULL, at BIGINT NOT NULL) WITHOUT ROWID;
CREATE TABLE erasure (
    id TEXT PRIMARY KEY, at BIGINT NOT NULL, who TEXT NOT NULL, kind TEXT NOT NULL, marks TEXT NOT NULL,
    receipt BLOB
) WITHOUT ROWID;
CREATE TABLE erased (
    erasure TEXT NOT NULL, flow TEXT NOT NULL, day BIGINT NOT NULL, requests BIGINT NOT NULL, scores BIGINT NOT NULL,
    PRIMARY KEY (erasure, flow, day)
) WITHOUT ROWID;
CREATE INDEX erased_day ON erased (day, flow);
CREATE TABLE erased_part (
    erasure TEXT NOT NULL, part TEXT NOT NULL, n BIGINT NOT NULL, PRIMARY KEY (erasure, part)
) WITHOUT ROWID;
CREATE INDEX score_author ON score (author, seq) WHERE source = 'feedback' AND author <> '';
"""


_THIRD = """
CREATE TABLE canary (
    stream BIGINT NOT NULL, seq BIGINT NOT NULL, body BLOB NOT NULL, value DOUBLE PRECISION, at BIGINT NOT NULL,
    PRIMARY KEY (stream, seq)
) WITHOUT ROWID;
CREATE TABLE canary_check (
    stream BIGINT NOT NULL, at BIGINT NOT NULL, seq BIGINT NOT NULL, value DOUBLE PRECISION,
    PRIMARY KEY (stream, at, seq)
) WITHOUT ROWID;
CREATE TABLE canary_set (
    stream BIGINT PRIMARY KEY, flow TEXT NOT NULL, scorer TEXT NOT NULL, frozen BIGINT NOT NULL,
    settled SMALLINT NOT NULL, due BIGINT NOT NULL, tries BIGINT NOT NULL, reason TEXT NOT NULL,
    attempt BIGINT NOT NULL, owner TEXT NOT NULL, until BIGINT NOT NULL, budget TEXT NOT NULL, reserved BIGINT NOT NULL
) WITHOUT ROWID;
"""


def _statements(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(";") if each.strip())


STEPS: tuple[Step, ...] = (
    Step("2026-11-26", "the first tables", _statements(_FIRST)),
    Step("2026-11-26", "projects, tokens, spans, back-fills, runs, erasures", _statements(_SECOND)),
    Step("2026-11-26", "canaries", _statements(_THIRD)),
)
"""Every step, oldest first. What stands here is never changed: a change is a new step."""
WITH_PROJECTS = 2
"""The version from which on projects may share an address."""


class Status(Struct, frozen=True):
    """How many steps a store has been through, and what the ones are that it has not."""

    version: int
    missing: tuple[Step, ...] = ()


def status(db: Database, steps: Sequence[Step] = STEPS) -> Status:
    """Where a store stands.

    Raises:
        StoreVersion: a later Gatewatch wrote it.
    """
    version = 0
    if db.has_tables():
        version = int(db.execute("SELECT value FROM meta WHERE key = 'schema'")[0][0])
    if version > len(steps):
        what = f"a later Gatewatch wrote it (schema {version}; this one reads up to {len(steps)})"
        raise StoreVersion(db.name, f"{what}: upgrade gatewatch to use it")
    return Status(version, tuple(steps[version:]))


def migrate(db: Database, steps: Sequence[Step] = STEPS) -> tuple[Step, ...]:
    """Bring a store's tables to the newest version, in one transaction, and give the steps that this took."""
    with db.transaction(patient=True):
        missing = status(db, steps).missing
        if len(missing) == len(steps):
            db.claim()
        for step in missing:
            for statement in step.statements:
                db.execute(statement)
        if missing:
            db.execute(
                "INSERT INTO meta (key, value) VALUES ('schema', ?)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                len(steps),
            )
    return missing


def ready(db: Database, steps: Sequence[Step] = STEPS) -> None:
    """Make the tables of a new file; refuse one whose tables are of another version.

    Raises:
        StoreVersion: for a later version's, and for an older one, which is never migrated without being asked.
    """
    found = status(db, steps)
    if not found.version:
        migrate(db, steps)
    elif found.missing:
        what = f"it is of an older version (schema {found.version}; this one needs {len(steps)})"
        raise StoreVersion(db.name, f"{what}: run `gatewatch db migrate`")
