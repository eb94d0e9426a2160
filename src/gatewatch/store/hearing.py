"""What monitors have not heard of: fresh scores, and conversations that have settled.

A request is looked at once: those without a session by their number, sessions by when they were last heard of. What
these come to, and what is still to be scored of them, is looked up by number.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from gatewatch.core import codec
from gatewatch.store.database import Database
from gatewatch.store.reading import traits_of
from gatewatch.store.units import MICRO, from_micros, from_nano, micros
from gatewatch.store.watching import Conversation, Fresh, Turn, Unheard

_TURN = (
    "t.seq, t.id, t.at, t.received, t.flow, t.session, t.slice, t.variant, t.version, t.tags, t.u, t.cost,"
    " t.marks | t.late, t.error, t.latency, t.first_token, t.output_tokens, t.traits"
)
_FRESH = "SELECT number, work, seq, value FROM fresh ORDER BY number LIMIT ?"
_WITH_SESSION = (
    f"SELECT s.first, s.moved, {_TURN} FROM trace t"
    " LEFT JOIN session s ON s.flow = t.flow AND s.id = t.session AND t.session <> '' WHERE t.seq IN {}"
)
_NUMBERS = "SELECT t.flow, t.session, t.at, t.seq FROM trace t WHERE t.flow = ? AND t.session = ? AND t.session <> ''"
_TURNS = f"SELECT {_TURN} FROM trace t WHERE t.flow = ? AND t.session = ? AND t.session <> ''"
_SESSIONS = "SELECT id, first, moved FROM session WHERE flow = ? AND moved"
_DAY = 86_400 * MICRO
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
            if last_moved > micros(before):  # a clock was ahead: nothing enters twice that is gone through again
                last_moved = micros(before) - _DAY
            found = _ended(db, flow, last_moved, micros(before), most)
            sessions |= {(flow, name): (first, moved) for name, first, moved in found}
            cursors[flow] = last_alone, max([last_moved, *(moved for *_, moved in found)])
        rows = db.among(_WITH_SESSION, {seq for _, _, seq, _ in fresh})
        turn_of = {row[2]: _turn(row[2:], row[0], row[1]) for row in rows}
        late = {
            (turn.flow, turn.session)
            for turn in turn_of.values()
            if turn.session and turn.moved < settled_before.get(turn.flow, 0.0)
        }
        turns_of = _turns(db, sessions)
        parts = _numbers(db, late - sessions.keys())
        parts |= {key: [turn.seq for turn in turns] for key, turns in turns_of.items()}
        seqs = {turn.seq for turn in alone}.union(*parts.values())
        said, left = _said(db, seqs), _left(db, seqs | turn_of.keys())
        works = {number: rest for number, *rest in db.execute("SELECT id, scorer, fingerprint, source FROM work")}
    conversations = [[turn] for turn in alone] + [turns_of[key] for key in sessions if turns_of[key]]
    return Unheard(
        read_at,
        tuple(_fresh(fresh, works, turn_of, parts, said, left)),
        tuple(
            Conversation(
                tuple(turns),
                tuple(sorted(_means(said, [turn.seq for turn in turns]).items())),
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
    for row in _each(db, _TURNS, sessions):
        key = row[4], row[5]
        turns[key].append(_turn(row, *sessions[key]))
    for every in turns.values():
        every.sort(key=lambda turn: (turn.at, turn.seq))
    return turns


def _numbers(db: Database, sessions: Iterable[_Key]) -> dict[_Key, list[int]]:
    """The numbers of the turns of some sessions, in the order in which they happened."""
    found: defaultdict[_Key, list[tuple[int, int]]] = defaultdict(list)
    for flow, session, at, seq in _each(db, _NUMBERS, sessions):
        found[flow, session].append((at, seq))
    return {key: [seq for _, seq in sorted(every)] for key, every in found.items()}


def _each(db: Database, statement: str, sessions: Iterable[_Key]) -> Iterator[tuple[Any, ...]]:
    """The rows of a statement for each of some sessions. Of a list of them PostgreSQL might go through all there is."""
    keys = list(sessions)
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        yield from db.execute(" UNION ALL ".join([statement] * len(part)), *(text for key in part for text in key))


@lru_cache(maxsize=1024)
def _tags(column: str) -> tuple[str, ...]:
    return codec.decode(column.encode(), tuple[str, ...]) if column else ()


@lru_cache(maxsize=1024)
def _traits(column: str) -> Mapping[str, str]:
    return traits_of(column)


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
        _tags(tags),
        u,
        None if cost is None else from_nano(cost),
        marks,
        error,
        None if latency is None else from_micros(latency),
        None if first_token is None else from_micros(first_token),
        output_tokens,
        _traits(traits),
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


def _means(said: _Said, seqs: Iterable[int]) -> dict[int, float]:
    """What each work says of a conversation: the mean over its turns, in their order."""
    values: defaultdict[int, list[float]] = defaultdict(list)
    for seq in seqs:
        for work, value in said.get(seq, ()):
            values[work].append(value)
    return {work: sum(every) / len(every) for work, every in values.items()}


def _fresh(
    rows: Iterable[tuple[Any, ...]],
    works: Mapping[int, Sequence[Any]],
    turn_of: Mapping[int, Turn],
    parts: Mapping[_Key, Sequence[int]],
    said: _Said,
    left: Mapping[int, Sequence[int]],
) -> Iterable[Fresh]:
    means: dict[_Key, dict[int, float]] = {}
    for number, work, seq, value in rows:
        if seq not in turn_of or work not in works:
            continue
        turn, seqs, said_of_it = turn_of[seq], [seq], value
        key = turn.flow, turn.session
        if turn.session and key in parts:
            seqs = list(parts[key])
            if key not in means:
                means[key] = _means(said, seqs)
            said_of_it = means[key].get(work)
        waits = sum(left[each].count(work) for each in seqs if each in left)
        scorer, fingerprint, source = works[work]
        yield Fresh(number, work, scorer, fingerprint, source, said_of_it, waits, turn, value)


def named(db: Database, numbers: Iterable[int]) -> dict[int, str]:
    """The trace ids of some requests, by number."""
    return dict(db.among("SELECT seq, id FROM trace WHERE seq IN {}", numbers))


def newest(db: Database, flows: Iterable[str]) -> dict[str, float]:
    """When a request of each flow was last received, where there is one."""
    found = {
        flow: db.execute("SELECT received FROM trace WHERE flow = ? ORDER BY seq DESC LIMIT 1", flow) for flow in flows
    }
    return {flow: from_micros(rows[0][0]) for flow, rows in found.items() if rows}
