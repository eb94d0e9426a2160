"""The statements of each step of the tables (see `store.schema`). A step that was released never changes."""

FIRST = """
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


SECOND = """
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

THIRD = """
ALTER TABLE trace ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE trace ADD COLUMN traits TEXT NOT NULL DEFAULT '';
CREATE TABLE series_by_version (
    id INTEGER PRIMARY KEY, flow TEXT NOT NULL, slice TEXT NOT NULL, variant TEXT NOT NULL, version TEXT NOT NULL,
    scorer TEXT NOT NULL, fingerprint TEXT NOT NULL, source TEXT NOT NULL,
    UNIQUE (flow, scorer, slice, variant, version, fingerprint, source)
);
INSERT INTO series_by_version (id, flow, slice, variant, version, scorer, fingerprint, source)
    SELECT id, flow, slice, variant, '', scorer, fingerprint, source FROM series;
DROP TABLE series;
ALTER TABLE series_by_version RENAME TO series;

CREATE TABLE stream (
    id INTEGER PRIMARY KEY, flow TEXT NOT NULL, scorer TEXT NOT NULL, fingerprint TEXT NOT NULL, source TEXT NOT NULL,
    last BIGINT NOT NULL, state BLOB NOT NULL, folded BIGINT NOT NULL, told BIGINT NOT NULL, base BLOB NOT NULL,
    base_at BIGINT NOT NULL, UNIQUE (flow, scorer, fingerprint, source)
);
CREATE TABLE entry (
    stream BIGINT NOT NULL, number BIGINT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, slice TEXT NOT NULL,
    variant TEXT NOT NULL, version TEXT NOT NULL, sampled SMALLINT NOT NULL, measures BLOB NOT NULL,
    traits TEXT NOT NULL, PRIMARY KEY (stream, number), UNIQUE (seq, stream)
) WITHOUT ROWID;
CREATE INDEX entry_at ON entry (stream, at);
CREATE TABLE fresh (
    number INTEGER PRIMARY KEY AUTOINCREMENT, work BIGINT NOT NULL, seq BIGINT NOT NULL, value DOUBLE PRECISION
);
CREATE INDEX fresh_seq ON fresh (seq);
CREATE TABLE heard (flow TEXT PRIMARY KEY, alone BIGINT NOT NULL, moved BIGINT NOT NULL) WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('steps', 0);

CREATE TABLE alert (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, flow TEXT NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL
);
CREATE UNIQUE INDEX alert_key ON alert (key) WHERE state <> 'resolved';
CREATE INDEX alert_state ON alert (state, id);
CREATE INDEX alert_flow ON alert (flow, id);
CREATE TABLE shown (trace TEXT NOT NULL, alert BIGINT NOT NULL, PRIMARY KEY (trace, alert)) WITHOUT ROWID;
CREATE TABLE notice (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, alert BIGINT NOT NULL, channel TEXT NOT NULL,
    event TEXT NOT NULL, body BLOB NOT NULL, due BIGINT NOT NULL, attempts BIGINT NOT NULL, owner TEXT NOT NULL,
    until BIGINT NOT NULL, reason TEXT NOT NULL
);
CREATE INDEX notice_due ON notice (due, id);
CREATE INDEX notice_alert ON notice (alert);
CREATE TABLE marker (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at BIGINT NOT NULL, flow TEXT NOT NULL, what TEXT NOT NULL,
    who TEXT NOT NULL, reason TEXT NOT NULL, seen SMALLINT NOT NULL, accepted SMALLINT NOT NULL
);
CREATE INDEX marker_at ON marker (flow, at);
CREATE UNIQUE INDEX marker_seen ON marker (flow, what) WHERE seen = 1;

CREATE TABLE canary (
    stream BIGINT NOT NULL, seq BIGINT NOT NULL, body BLOB NOT NULL, value DOUBLE PRECISION, at BIGINT NOT NULL,
    PRIMARY KEY (stream, seq)
) WITHOUT ROWID;
CREATE INDEX canary_seq ON canary (seq);
CREATE TABLE canary_check (
    stream BIGINT NOT NULL, at BIGINT NOT NULL, seq BIGINT NOT NULL, value DOUBLE PRECISION,
    PRIMARY KEY (stream, at, seq)
) WITHOUT ROWID;
CREATE INDEX canary_check_seq ON canary_check (seq);
CREATE INDEX canary_check_at ON canary_check (at, stream);
CREATE TABLE canary_set (
    stream BIGINT PRIMARY KEY, flow TEXT NOT NULL, scorer TEXT NOT NULL, frozen BIGINT NOT NULL,
    settled SMALLINT NOT NULL, due BIGINT NOT NULL, tries BIGINT NOT NULL, reason TEXT NOT NULL,
    attempt BIGINT NOT NULL, owner TEXT NOT NULL, until BIGINT NOT NULL, budget TEXT NOT NULL, reserved BIGINT NOT NULL
) WITHOUT ROWID;
"""

FOURTH = """
CREATE TABLE failure (
    id INTEGER PRIMARY KEY AUTOINCREMENT, flow TEXT NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX failure_flow ON failure (flow, id);
CREATE TABLE item (
    id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, flow TEXT NOT NULL, failure BIGINT NOT NULL,
    trace TEXT NOT NULL, scorer TEXT NOT NULL, person TEXT NOT NULL, session TEXT NOT NULL, state TEXT NOT NULL,
    needed BIGINT NOT NULL, rank BIGINT NOT NULL, body BLOB NOT NULL, payload BLOB NOT NULL,
    UNIQUE (trace, queue, scorer)
);
CREATE INDEX item_state ON item (state, rank, id);
CREATE INDEX item_failure ON item (failure, id) WHERE failure > 0;
CREATE INDEX item_flow ON item (flow, id);
CREATE INDEX item_person ON item (person) WHERE person <> '';
CREATE INDEX item_session ON item (session, flow) WHERE session <> '';
CREATE TABLE label (
    item BIGINT NOT NULL, reviewer TEXT NOT NULL, at BIGINT NOT NULL, until BIGINT NOT NULL, counts SMALLINT NOT NULL,
    body BLOB, PRIMARY KEY (item, reviewer)
) WITHOUT ROWID;
CREATE INDEX label_claim ON label (reviewer, item) WHERE until > 0;
CREATE TABLE change (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, kind TEXT NOT NULL, failure BIGINT NOT NULL,
    trace TEXT NOT NULL, state TEXT NOT NULL, body BLOB NOT NULL
);
CREATE UNIQUE INDEX change_key ON change (key) WHERE state <> 'withdrawn';
CREATE INDEX change_state ON change (state, id);
CREATE INDEX change_trace ON change (trace) WHERE trace <> '';
CREATE INDEX change_failure ON change (failure, id) WHERE failure > 0;
INSERT INTO meta (key, value) VALUES ('mined', 0);
"""

FIFTH = """
CREATE TABLE visit (
    id TEXT NOT NULL, project TEXT NOT NULL, token TEXT NOT NULL, role TEXT NOT NULL, who TEXT NOT NULL,
    begun BIGINT NOT NULL, seen BIGINT NOT NULL, until BIGINT NOT NULL, PRIMARY KEY (id, project)
) WITHOUT ROWID;
CREATE INDEX visit_token ON visit (token);
CREATE INDEX visit_until ON visit (until);
CREATE INDEX visit_project ON visit (project);
CREATE INDEX audit_done ON audit (id) WHERE action <> 'read';
CREATE INDEX label_by ON label (reviewer, at) WHERE body IS NOT NULL;
"""
