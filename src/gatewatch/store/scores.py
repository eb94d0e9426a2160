"""Scores of stored requests: put in, moved to another probability, read; the trends are kept in step."""

from math import isfinite

from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.score import Score
from gatewatch.store.database import Database
from gatewatch.store.rollups import Place, Rollup
from gatewatch.store.rows import KeptScore, Value
from gatewatch.store.units import from_micros

_COLUMNS = "name, source, author, fingerprint, at, pi, value, status, turns, detail"


def sound(score: Score) -> Score:
    """A score as it may be kept: a value that is no number in 0..1 is a scorer's error."""
    value = score.value
    if value is None or (isfinite(value) and 0 <= value <= 1):
        return score
    why = f"{value!r} is no value in 0..1. {score.explanation}".rstrip()
    return replace(score, value=None, status="scorer_error", explanation=why)


def put(
    db: Database,
    rollup: Rollup,
    seq: int,
    place: Place,
    score: Score,
    *,
    author: str,
    at: int,
    pi: float,
    turns: int = 0,
) -> None:
    """Keep a score. Where there is one of the same name, source, author and fingerprint, the later stands: the one of
    more turns, then of the later time, then the greater by what it says, so that the order of arrival is no matter."""
    detail = codec.encode(replace(score, name="", source="rule", fingerprint="", value=None, status="scored"))
    key = (seq, score.name, score.source, author, score.fingerprint)
    known = db.execute(
        "SELECT turns, at, value, status, detail, pi FROM score"
        " WHERE seq = ? AND name = ? AND source = ? AND author = ? AND fingerprint = ?",
        *key,
    )
    if known:
        if _rank(turns, at, score.value, score.status, detail) <= _rank(*known[0][:5]):
            return
        _, _, value, status, _, old_pi = known[0]
        take_away(rollup, place, score.name, score.fingerprint, score.source, pi=old_pi, value=value, status=status)
    db.execute(
        "INSERT INTO score (seq, name, source, author, fingerprint, flow, happened, at, pi, value, status, turns,"
        " detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (seq, name, source, author, fingerprint) DO UPDATE SET at = excluded.at, pi = excluded.pi,"
        " value = excluded.value, status = excluded.status, turns = excluded.turns, detail = excluded.detail",
        *(*key, place.flow, place.at, at, pi, score.value, score.status, turns, detail),
    )
    rollup.score(place, score.name, score.fingerprint, score.source, pi=pi, value=score.value, status=score.status)


def _rank(turns: int, at: int, value: float | None, status: str, detail: bytes) -> tuple[int, int, float, str, bytes]:
    return turns, at, -1.0 if value is None else value, status, detail


def take_away(
    rollup: Rollup,
    place: Place,
    name: str,
    fingerprint: str,
    source: str,
    *,
    pi: float,
    value: float | None,
    status: str,
) -> None:
    """Take a score out of the trends."""
    rollup.score(place, name, fingerprint, source, pi=pi, value=value, status=status, sign=-1)


def move(db: Database, rollup: Rollup, seq: int, name: str, fingerprint: str, source: str, pi: float) -> None:
    """Give the scores of a scorer on a request another probability."""
    found = db.execute(
        "SELECT t.flow, t.slice, t.variant, t.at, t.share, t.version, s.value, s.status, s.pi"
        " FROM score s JOIN trace t ON t.seq = s.seq"
        " WHERE s.seq = ? AND s.name = ? AND s.source = ? AND s.fingerprint = ? AND s.pi <> ?",
        *(seq, name, source, fingerprint, pi),
    )
    for row in found:
        place = Place(*row[:6])
        value, status, old = row[6:]
        take_away(rollup, place, name, fingerprint, source, pi=old, value=value, status=status)
        rollup.score(place, name, fingerprint, source, pi=pi, value=value, status=status)
    if found:
        db.execute(
            "UPDATE score SET pi = ? WHERE seq = ? AND name = ? AND source = ? AND fingerprint = ?",
            *(pi, seq, name, source, fingerprint),
        )


def of_request(db: Database, seq: int) -> list[KeptScore]:
    """All that was said of a request, oldest first."""
    return [
        KeptScore(
            replace(
                codec.decode(detail, Score),
                name=name,
                source=source,
                fingerprint=fingerprint,
                value=value,
                status=status,
            ),
            author,
            from_micros(at),
            pi,
        )
        for name, source, author, fingerprint, at, pi, value, status, _, detail in db.execute(
            f"SELECT {_COLUMNS} FROM score WHERE seq = ? ORDER BY at, name, source, author",
            seq,
        )
    ]


def values(
    db: Database, flow: str, scorer: str, fingerprint: str, source: str, since: int, until: int, most: int
) -> list[Value]:
    """The newest values of a scorer, by one source, on requests that happened in a window, newest first."""
    found = db.execute(
        "SELECT s.happened, t.session, t.id, t.slice, s.pi, s.value, t.variant, t.version, t.error"
        " FROM score s JOIN trace t ON t.seq = s.seq"
        " WHERE s.flow = ? AND s.name = ? AND s.fingerprint = ? AND s.source = ? AND s.value IS NOT NULL"
        " AND s.happened >= ? AND s.happened < ? ORDER BY s.happened DESC, s.seq DESC LIMIT ?",
        *(flow, scorer, fingerprint, source, since, until, most),
    )
    return [
        Value(from_micros(at), session or name, part, pi, value, variant, version, bool(error))
        for at, session, name, part, pi, value, variant, version, error in found
    ]


def worst(
    db: Database, flow: str, scorer: str, fingerprint: str, source: str, since: int, until: int, among: int
) -> list[tuple[int, float]]:
    """Of the newest values of a scorer on requests that happened in a window, each with its request's number, the
    lowest first."""
    found = db.execute(
        "SELECT s.seq, s.value FROM score s WHERE s.flow = ? AND s.name = ? AND s.fingerprint = ? AND s.source = ?"
        " AND s.value IS NOT NULL AND s.happened >= ? AND s.happened < ?"
        " ORDER BY s.happened DESC, s.seq DESC LIMIT ?",
        *(flow, scorer, fingerprint, source, since, until, among),
    )
    return sorted(((seq, value) for seq, value in found), key=lambda each: (each[1], -each[0]))
