"""Reading conversations in whole, with all that was said of them: what variants are compared by.

A conversation is a session, or a request without one. They come a page at a time, so that a reader's memory does not
grow with the window; none comes twice, whatever arrives meanwhile.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.score import Source
from gatewatch.store import scores
from gatewatch.store.database import Database
from gatewatch.store.reading import ROW, row_of
from gatewatch.store.rows import Row, Value
from gatewatch.store.units import micros


class Told(NamedTuple):
    """A value that a request was given, 0..1, and with which probability it came to be. `label` is feedback's own word
    for it."""

    scorer: str
    fingerprint: str
    source: Source
    value: float
    pi: float
    label: str = ""


class Talk(NamedTuple):
    """A conversation: its turns in the order in which they happened, and what was said of each, by its number.
    `split` are the judges whose votes on a turn differed, whether there is a value all the same or not."""

    turns: tuple[Row, ...]
    told: Mapping[int, tuple[Told, ...]]
    split: Mapping[int, tuple[str, ...]] = MappingProxyType({})


class Page(Struct, frozen=True):
    """Some conversations of a window. `after` is where the next page begins; None when this was the last."""

    talks: tuple[Talk, ...]
    after: "Place | None"


class Place(Struct, frozen=True):
    """How far conversations were read: first all requests without a session, by time and number, then all sessions, by
    id."""

    at: int = -(2**62)
    seq: int = 0
    sessions: bool = False
    session: str = ""


BEGIN = Place()


class _Detail(Struct):
    label: str = ""
    split: bool = False


class Talking(Protocol):
    """What every store can do of whole conversations."""

    def talks(self, flow: str, since: float, until: float, *, after: Place = BEGIN, most: int = 500) -> Page:
        """The next conversations of a flow that began in a window, at most so many, and at times none although there
        are more. What is stored of them counts: turns that were let go of are gone."""
        ...

    def worst(
        self, flow: str, scorer: str, fingerprint: str, source: Source, since: float, until: float, among: int
    ) -> list[tuple[int, float]]:
        """Of the newest values of a scorer, by one source, on requests that happened in a window, at most so many, each
        with its request's number: the lowest first."""
        ...

    def numbered_rows(self, numbers: Sequence[int]) -> list[Row]:
        """Requests by number, those that are still there, in the order of the numbers given."""
        ...

    def between(self, flow: str, since: float, until: float, most: int, before: int = 0) -> list[Row]:
        """The requests of a flow that happened in a window, the latest first; `before` the one of a number, for a next
        page."""
        ...

    def session_counts(self, flow: str, since: float, until: float) -> tuple[int, int]:
        """How many sessions of a flow were last heard of in a window, and how many turns they have."""
        ...


class SQLTalking:
    """What a store that speaks SQL does of values, and of whole conversations."""

    _db: Database

    def values(
        self, flow: str, scorer: str, fingerprint: str, source: Source, since: float, until: float, most: int
    ) -> list[Value]:
        """See `Store`."""
        return scores.values(self._db, flow, scorer, fingerprint, source, micros(since), micros(until), most)

    def worst(
        self, flow: str, scorer: str, fingerprint: str, source: Source, since: float, until: float, among: int
    ) -> list[tuple[int, float]]:
        """See `Talking`."""
        return scores.worst(self._db, flow, scorer, fingerprint, source, micros(since), micros(until), among)

    def numbered_rows(self, numbers: Sequence[int]) -> list[Row]:
        """See `Talking`."""
        found = {row[0]: row for row in self._db.among(f"SELECT {ROW} FROM trace WHERE seq IN {{}}", numbers)}
        return [row_of(found[number]) for number in numbers if number in found]

    def between(self, flow: str, since: float, until: float, most: int, before: int = 0) -> list[Row]:
        """See `Talking`."""
        end = micros(until), 0
        if before:
            found = self._db.execute("SELECT at, seq FROM trace WHERE seq = ?", before)
            end = found[0] if found else end
        return [
            row_of(each)
            for each in self._db.execute(
                f"SELECT {ROW} FROM trace WHERE flow = ? AND at >= ? AND (at, seq) < (?, ?)"
                " ORDER BY at DESC, seq DESC LIMIT ?",
                *(flow, micros(since), *end, most),
            )
        ]

    def talks(self, flow: str, since: float, until: float, *, after: Place = BEGIN, most: int = 500) -> Page:
        """See `Talking`."""
        with self._db.transaction(write=False):
            if after.sessions:
                return _sessions(self._db, flow, micros(since), micros(until), after, most)
            return _alone(self._db, flow, micros(since), micros(until), after, most)

    def session_counts(self, flow: str, since: float, until: float) -> tuple[int, int]:
        """See `Talking`."""
        found = self._db.execute(
            "SELECT count(*), CAST(coalesce(sum(turns), 0) AS BIGINT) FROM session"
            " WHERE flow = ? AND moved >= ? AND moved < ?",
            *(flow, micros(since), micros(until)),
        )
        return int(found[0][0]), int(found[0][1])


def _alone(db: Database, flow: str, since: int, until: int, after: Place, most: int) -> Page:
    found = [
        row_of(each)
        for each in db.execute(
            f"SELECT {ROW} FROM trace WHERE flow = ? AND session = '' AND at >= ? AND at < ? AND (at, seq) > (?, ?)"
            " ORDER BY at, seq LIMIT ?",
            *(flow, max(since, after.at), until, after.at, after.seq, most),
        )
    ]
    talks = _said_of(db, [(row,) for row in found])
    if len(found) < most:
        return Page(talks, Place(sessions=True))
    return Page(talks, Place(micros(found[-1].at), found[-1].seq))


def _sessions(db: Database, flow: str, since: int, until: int, after: Place, most: int) -> Page:
    # By id, which never changes, and not by when they were last heard of, which does while pages are read.
    found = [
        (name, moved)
        for name, moved in db.execute(
            "SELECT id, moved FROM session WHERE flow = ? AND id > ? ORDER BY id LIMIT ?", flow, after.session, most
        )
    ]
    near = [name for name, moved in found if moved >= since]  # nothing happens after it was heard of
    by_session: dict[str, list[Row]] = {}
    for row in map(
        row_of, db.among(f"SELECT {ROW} FROM trace WHERE flow = ? AND session <> '' AND session IN {{}}", near, flow)
    ):
        by_session.setdefault(row.session, []).append(row)
    talks = []
    for rows in by_session.values():
        rows.sort(key=lambda row: (row.at, row.seq))
        if since <= micros(rows[0].at) < until:
            talks.append(tuple(rows))
    return Page(_said_of(db, talks), Place(sessions=True, session=found[-1][0]) if len(found) == most else None)


def _said_of(db: Database, talks: Sequence[tuple[Row, ...]]) -> tuple[Talk, ...]:
    """Conversations with all that was said of them."""
    told: dict[int, list[Told]] = {}
    votes: dict[int, list[str]] = {}
    for seq, scorer, fingerprint, source, value, pi, detail in db.among(
        "SELECT seq, name, fingerprint, source, value, pi, detail FROM score"
        " WHERE (value IS NOT NULL OR source = 'judge') AND seq IN {}",
        [row.seq for rows in talks for row in rows],
    ):
        if value is not None:
            label = codec.decode(detail, _Detail).label if source == "feedback" else ""
            told.setdefault(seq, []).append(Told(scorer, fingerprint, source, value, pi, label))
        if source == "judge" and b'"split":true' in detail and codec.decode(detail, _Detail).split:
            votes.setdefault(seq, []).append(scorer)
    return tuple(
        Talk(
            rows,
            {row.seq: tuple(told.get(row.seq, ())) for row in rows},
            {row.seq: tuple(votes[row.seq]) for row in rows if row.seq in votes},
        )
        for rows in talks
    )
