"""What monitors have not heard of: fresh scores, and conversations that have settled.

A request is looked at once: those without a session by their number, sessions by when they were last heard of. What
these come to, and what is still to be scored of them, is looked up by number.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gatewatch.core import codec
from gatewatch.store.database import Database
from gatewatch.store.reading import traits_of
from gatewatch.store.units import from_micros, from_nano, micros
from gatewatch.store.watching import Conversation, Fresh, Turn, Unheard

_TURN = (
    "t.seq, t.id, t.at, t.received, t.flow, t.session, t.slice, t.variant, t.version, t.tags, t.u, t.cost,"
    " t.marks | t.late, t.error, t.latency, t.first_token, t.output_tokens, t.traits"
)
_FRESH = (
    f"SELECT f.number, f.work, w.scorer, w.fingerprint, w.source, f.value, s.first, s.moved, {_TURN} FROM fresh f"
    " JOIN work w ON w.id = f.work JOIN trace t ON t.seq = f.seq"
    " LEFT JOIN session s ON s.flow = t.flow AND s.id = t.session AND t.session <> '' ORDER BY f.number LIMIT ?"
)
_TURNS = f"SELECT {_TURN} FROM trace t WHERE t.flow = ? AND t.session = ? AND t.session <> ''"
_SESSIONS = "SELECT id, first, moved FROM session WHERE flow = ? AND moved"
_AT_ONCE = 50  # sessions
_Key = tuple[str, str]  # a flow, and a session of it


def unheard(db: Database, settled_before: Mapping[str, float], most: int) -> Unheard:
    """What no monitor has looked at (see `Watching.unheard`)."""
    with db.transaction(write=False):
        read_at = db.execute("SELECT value FROM meta WHERE key = 'steps'")[0][0]
        heard = {flow: (alone, moved) for flow, alone, moved in db.execute("SELECT flow, alone, moved FROM heard")}
        fresh = db.execute(_FRESH, most)
        alone: list[Turn] = []
        sessions: dict[_Key, tuple[int, int]] = {}
        cursors: dict[str, tuple[int, int]] = {}
        for flow, before in settled_before.items():
            last_alone, last_moved = heard.get(flow, (0, 0))
            last_alone, turns = _alone(db, flow, last_alone, micros(before), most)
            alone += turns
            found = _ended(db, flow, last_moved, micros(before), most)
            sessions |= {(flow, name): (first, moved) for name, first, moved in found}
            cursors[flow] = last_alone, max([last_moved, *(moved for *_, moved in found)])
        late = {
            (row[12], row[13]): row[6:8]
            for row in fresh
            if row[13] and row[7] is not None and row[7] < micros(settled_before.get(row[12], 0.0))
        }
        turns_of = _turns(db, late | sessions)
        by_itself = {row[8] for row in fresh if not row[13]}
        seqs = {turn.seq for turn in alone} | {turn.seq for turns in turns_of.values() for turn in turns}
        said, left = _said(db, seqs), _left(db, seqs | by_itself)
    conversations = [[turn] for turn in alone] + [turns_of[key] for key in sessions if turns_of[key]]
    return Unheard(
        read_at,
        tuple(_fresh(fresh, turns_of, said, left)),
        tuple(
            Conversation(
                tuple(turns),
                tuple(sorted(_means(said, turns).items())),
                frozenset(work for turn in turns for work in left.get(turn.seq, ())),
            )
            for turns in conversations
        ),
        cursors,
    )


def _alone(db: Database, flow: str, after: int, before: int, most: int) -> tuple[int, list[Turn]]:
    """The next requests of a flow that are no part of a session, up to the first that has not settled; and the number
    of the last one that was looked at."""
    found = []
    for row in db.execute(
        f"SELECT {_TURN} FROM trace t WHERE t.flow = ? AND t.seq > ? ORDER BY t.seq LIMIT ?", flow, after, most
    ):
        if row[3] >= before:
            break
        after = row[0]
        if not row[5]:
            found.append(_turn(row))
    return after, found


def _ended(db: Database, flow: str, after: int, before: int, most: int) -> list[tuple[str, int, int]]:
    """The next sessions of a flow that have settled, and all that were heard of at the same moment as the last."""
    found = db.execute(f"{_SESSIONS} > ? AND moved < ? ORDER BY moved, id LIMIT ?", flow, after, before, most)
    if len(found) == most:
        found += db.execute(f"{_SESSIONS} = ? AND id > ? ORDER BY id", flow, found[-1][2], found[-1][0])
    return found


def _turns(db: Database, sessions: Mapping[_Key, tuple[int, int]]) -> dict[_Key, list[Turn]]:
    """The turns of some sessions (first, moved), in the order in which they happened."""
    turns: dict[_Key, list[Turn]] = {key: [] for key in sessions}
    keys = list(sessions)
    for start in range(0, len(keys), _AT_ONCE):  # each session by itself: of a list, PostgreSQL may go through all
        part = keys[start : start + _AT_ONCE]
        statement = " UNION ALL ".join([_TURNS] * len(part))
        for row in db.execute(statement, *(text for key in part for text in key)):
            key = row[4], row[5]
            turns[key].append(_turn(row, *sessions[key]))
    for every in turns.values():
        every.sort(key=lambda turn: (turn.at, turn.seq))
    return turns


def _turn(row: Sequence[Any], first: int | None = None, moved: int | None = None) -> Turn:
    seq, name, at, received, flow, session, part, variant, version, tags, u, cost, marks, error = row[:14]
    latency, first_token, output_tokens, traits = row[14:]
    return Turn(
        seq,
        seq if first is None else first,
        name,
        from_micros(at),
        from_micros(max(at, received) if moved is None else moved),
        flow,
        session,
        part,
        variant,
        version,
        codec.decode(tags.encode(), tuple[str, ...]) if tags else (),
        u,
        None if cost is None else from_nano(cost),
        marks,
        error,
        None if latency is None else from_micros(latency),
        None if first_token is None else from_micros(first_token),
        output_tokens,
        traits_of(traits),
    )


_Said = Mapping[int, Sequence[tuple[int, float]]]


def _said(db: Database, seqs: Iterable[int]) -> _Said:
    """What live works say of some requests: (work, value) by number."""
    said: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    for work, value, seq in db.among(
        "SELECT w.id, s.value, s.seq FROM score s JOIN work w ON w.flow = s.flow AND w.scorer = s.name"
        " AND w.fingerprint = s.fingerprint AND w.source = s.source WHERE s.value IS NOT NULL AND s.seq IN {}",
        seqs,
    ):
        said[seq].append((work, value))
    return said


def _left(db: Database, seqs: Iterable[int]) -> Mapping[int, list[int]]:
    """The works that have a task on some requests that is still to be done, by number."""
    left: defaultdict[int, list[int]] = defaultdict(list)
    for seq, work in db.among(
        "SELECT seq, work FROM task WHERE state IN ('waiting', 'leased') AND backfill = 0 AND seq IN {}", seqs
    ):
        left[seq].append(work)
    return left


def _means(said: _Said, turns: Iterable[Turn]) -> dict[int, float]:
    """What each work says of a conversation: the mean over its turns, in their order."""
    values: defaultdict[int, list[float]] = defaultdict(list)
    for turn in turns:
        for work, value in said.get(turn.seq, ()):
            values[work].append(value)
    return {work: sum(every) / len(every) for work, every in values.items()}


def _fresh(
    rows: Iterable[tuple[Any, ...]],
    turns_of: Mapping[_Key, Sequence[Turn]],
    said: _Said,
    left: Mapping[int, Sequence[int]],
) -> Iterable[Fresh]:
    known: dict[int, Turn] = {}
    means: dict[_Key, dict[int, float]] = {}
    for row in rows:
        number, work, scorer, fingerprint, source, value, first, moved, seq = row[:9]
        turn = known.get(seq) or known.setdefault(seq, _turn(row[8:], first, moved))
        turns: Sequence[Turn] = (turn,)
        if turn.session and (key := (turn.flow, turn.session)) in turns_of:
            turns = turns_of[key]
            if key not in means:
                means[key] = _means(said, turns)
            value = means[key].get(work)
        waits = sum(left[each.seq].count(work) for each in turns if each.seq in left)
        yield Fresh(number, work, scorer, fingerprint, source, value, waits, turn)


def named(db: Database, numbers: Iterable[int]) -> dict[int, str]:
    """The trace ids of some requests, by number."""
    return dict(db.among("SELECT seq, id FROM trace WHERE seq IN {}", numbers))


def newest(db: Database, flows: Iterable[str]) -> dict[str, float]:
    """When a request of each flow was last received, where there is one."""
    found = {
        flow: db.execute("SELECT received FROM trace WHERE flow = ? ORDER BY seq DESC LIMIT 1", flow) for flow in flows
    }
    return {flow: from_micros(rows[0][0]) for flow, rows in found.items() if rows}
