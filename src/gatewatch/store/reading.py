"""Reading requests back: one by its name, the newest of a kind, a session's, and what is still to be done on them."""

import zlib
from collections.abc import Mapping
from typing import Any

from gatewatch.core import codec
from gatewatch.core.alias import alias_of
from gatewatch.core.people import tag_in
from gatewatch.store.database import Database
from gatewatch.store.payloads import PAYLOADS
from gatewatch.store.rollups import each_bit
from gatewatch.store.rows import Row, TaskRow, Unsettled, Work
from gatewatch.store.units import down, from_micros, from_nano, micros, up

ROW = (
    "seq, id, at, received, flow, session, slice, variant, tags, person, external_id, u, latency, first_token, cost,"
    " input_tokens, output_tokens, error, marks, late, kept, payload, share,"
    " version, traits"
)
"""The columns that `row_of` makes a row of."""

_FEW = 2000
_MOST_KEYS = 1000
_HOUR = 3600


def row_of(found: tuple[Any, ...]) -> Row:
    """A row from its columns."""
    latency, first_token, cost = found[12:15]
    return Row(
        *[
            *found[:2],
            from_micros(found[2]),
            from_micros(found[3]),
            *found[4:8],
            codec.decode(found[8].encode(), tuple[str, ...]) if found[8] else (),
            *found[9:12],
            None if latency is None else from_micros(latency),
            None if first_token is None else from_micros(first_token),
            None if cost is None else from_nano(cost),
            *found[15:21],
            PAYLOADS[found[21]],
            *found[22:24],
            traits_of(found[24]),
        ]
    )


def traits_text(traits: Mapping[str, str]) -> str:
    """Traits as their column has them."""
    return codec.canonical(traits).decode() if traits else ""


def traits_of(column: str) -> dict[str, str]:
    """Traits from their column."""
    return codec.decode(column.encode(), dict[str, str]) if column else {}


def find(db: Database, name: str) -> Row | None:
    """A request by its trace id or, failing that, the newest by external id or by the alias kept for it."""
    by_external = f"SELECT {ROW} FROM trace WHERE external_id = ? AND external_id <> '' ORDER BY seq DESC LIMIT 1"
    found = (
        db.execute(f"SELECT {ROW} FROM trace WHERE id = ?", name)
        or db.execute(by_external, name)
        or db.execute(by_external, alias_of(name))
    )
    return row_of(found[0]) if found else None


def user_keys(db: Database) -> set[str]:
    """Tags of the keys that ids of users were hashed with, of requests, items and feedback: a look for each tag."""
    found = set()
    for lookup in (
        "SELECT min(person) FROM trace WHERE person <> '' AND person > ? AND person < 'l'",
        "SELECT min(person) FROM item WHERE person <> '' AND person > ? AND person < 'l'",
        "SELECT min(author) FROM score WHERE source = 'feedback' AND author <> '' AND author > ? AND author < 'l'",
    ):
        after = "k"
        for _ in range(_MOST_KEYS):
            name = db.execute(lookup, after)[0][0]
            if name is None:
                break
            tag = tag_in(name)
            after = f"{tag}." if tag else name  # behind all that have the tag
            found.add(tag)
    return found - {""}


def payload(db: Database, seq: int) -> bytes | None:
    """A request's payload, where there is one."""
    found = db.execute("SELECT body FROM payload WHERE seq = ?", seq)
    return zlib.decompress(found[0][0]) if found else None


def session(db: Database, flow: str, name: str) -> list[Row]:
    """The requests of a session, in the order in which they happened."""
    found = db.execute(
        f"SELECT {ROW} FROM trace WHERE flow = ? AND session = ? AND session <> '' ORDER BY at, seq",
        *(flow, name),
    )
    return [row_of(each) for each in found]


def happened(
    db: Database, work: Work, numbers: tuple[int, int], since: float, until: float, *, never_kept: bool = False
) -> bool:
    """Whether any of some requests, or sessions, of a work happened in a window (see `Store.happened`)."""
    if never_kept:  # an index has these alone
        found = db.execute(
            "SELECT 1 FROM trace WHERE flow = ? AND at >= ? AND at < ? AND kept = 0 AND seq >= ? AND seq <= ? LIMIT 1",
            *(work.flow, micros(since), micros(until), *numbers),
        )
    elif work.of_sessions:
        found = db.execute(
            "SELECT 1 FROM session JOIN trace ON trace.seq = session.first"
            " WHERE session.flow = ? AND moved >= ? AND moved <= ? AND at >= ? AND at < ? LIMIT 1",
            *(work.flow, *numbers, micros(since), micros(until)),
        )
    else:  # the sign keeps it to the index by time, in which the window is one stretch
        found = db.execute(
            "SELECT 1 FROM trace WHERE flow = ? AND at >= ? AND at < ? AND +seq >= ? AND +seq <= ? LIMIT 1",
            *(work.flow, micros(since), micros(until), *numbers),
        )
    return bool(found)


def tasks(db: Database, seq: int) -> list[TaskRow]:
    """The work on a request that is not done."""
    return [
        TaskRow(*[*row[:3], from_micros(row[3]), *row[4:]])
        for row in db.execute(
            "SELECT scorer, fingerprint, state, due, attempts, pi, reason, owner FROM task"
            " JOIN work ON work.id = task.work WHERE seq = ? ORDER BY task.id",
            seq,
        )
    ]


def unsettled(db: Database, flow: str, since: float, until: float, *, finely: bool) -> list[Unsettled]:
    """Work that is not done, by the hour of its request (those that begin before `until`), scorer, slice and state."""
    by, rows = "hour, scorer, fingerprint, task.slice, state, backfill", "work JOIN task ON task.work = work.id"
    if finely:
        by, rows = f"{by}, variant, version", f"{rows} JOIN trace ON trace.seq = task.seq"
    return [
        Unsettled(float(hour * _HOUR), scorer, fingerprint, part, state, n, backfill, *rest)
        for hour, scorer, fingerprint, part, state, backfill, *rest, n in db.execute(
            f"SELECT {by}, count(*) FROM {rows}"
            f" WHERE work.flow = ? AND hour >= ? AND hour < ? GROUP BY {by} ORDER BY {by}",
            *(flow, down(since, _HOUR) // _HOUR, up(until / _HOUR)),
        )
    ]


# The newest


def latest(db: Database, flow: str, *, slice_: str, marks: int, since: float, before: int, most: int) -> list[Row]:
    """The newest requests of a kind, newest first (see `Store.latest`)."""
    with db.transaction(write=False):
        below, from_ = before or 2**62, micros(since)
        if marks:
            seqs = _marked(db, flow, slice_, marks, from_, below, most)
        else:
            flows = [flow] if flow else all_flows(db)
            seqs = [seq for each in flows for seq in _newest(db, each, slice_, from_, below, most)]
        seqs = sorted(set(seqs), reverse=True)[:most]
        found = db.among(f"SELECT {ROW} FROM trace WHERE seq IN {{}}", seqs)
    return sorted(map(row_of, found), key=lambda row: -row.seq)


def _newest(db: Database, flow: str, slice_: str, since: int, below: int, most: int) -> list[int]:
    """The numbers of the newest requests of a flow, found within one index."""
    if since > 0:
        recent = db.execute("SELECT seq FROM trace WHERE flow = ? AND at >= ? LIMIT ?", flow, since, _FEW + 1)
        if len(recent) <= _FEW:  # so that a long history before the window is not gone through
            condition = "SELECT seq FROM trace WHERE slice = ? AND seq IN {}" if slice_ else ""
            found = db.among(condition, [seq for (seq,) in recent], slice_) if slice_ else recent
            return sorted((seq for (seq,) in found if seq < below), reverse=True)[:most]
    condition, values = ("flow = ? AND slice = ?", (flow, slice_)) if slice_ else ("flow = ?", (flow,))
    found = db.execute(
        f"SELECT seq FROM trace WHERE {condition} AND seq < ? AND at >= ? ORDER BY seq DESC LIMIT ?",
        *(*values, below, since, most),
    )
    return [seq for (seq,) in found]


def _marked(db: Database, flow: str, slice_: str, marks: int, since: int, below: int, most: int) -> list[int]:
    """The numbers of the newest requests with any of some marks."""
    condition, values = "", []
    for column, value in (("flow", flow), ("slice", slice_)):
        if value:
            condition += f" AND {column} = ?"
            values.append(value)
    return [
        seq
        for bit in each_bit(marks)
        for (seq,) in db.execute(
            f"SELECT seq FROM mark WHERE bit = ? AND seq < ? AND at >= ?{condition} ORDER BY seq DESC LIMIT ?",
            *(bit, below, since, *values, most),
        )
    ]


def all_flows(db: Database) -> list[str]:
    """The flows that there are requests of, each found by one step in an index."""
    flows: list[str] = []
    found = db.execute("SELECT flow FROM trace ORDER BY flow LIMIT 1")
    while found:
        flows.append(found[0][0])
        found = db.execute("SELECT flow FROM trace WHERE flow > ? ORDER BY flow LIMIT 1", flows[-1])
    return flows
