"""Trends, kept in step with the rows: sums by minute, hour and day, changed in the transaction that changes the rows.

What a transaction changes is added up in memory first, by minute, and then written once for each tier. All sums are
of whole numbers, so that they are the same whatever the order, and what is taken away again leaves nothing behind.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from gatewatch.core.trace import Trace
from gatewatch.store.bins import bin_of_micros
from gatewatch.store.database import Database
from gatewatch.store.rows import TIER_S, ScoreCell, SignalCell, Tier
from gatewatch.store.units import NANO, count, down, maybe_micros, maybe_nano, up

SIGNALS = ("latency", "first_token", "cost", "input_tokens", "output_tokens", "error")
"""The columns of a request that trends count."""
_MINUTE = 60_000_000
_Histogram = dict[int, int]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Histogram).decode


class Place(NamedTuple):
    """Where in the trends a request counts; `at` is in microseconds, `share` the probability with which it was sent,
    `version` the versions of its components in one line."""

    flow: str
    slice: str
    variant: str
    at: int
    share: float = 1.0
    version: str = ""


def signals_of(trace: Trace) -> dict[str, Any]:
    """What trends count of a request, in the order of the columns: durations in microseconds, money in billionths of a
    dollar."""
    usage = trace.usage
    return {
        "latency": maybe_micros(trace.latency_s),
        "first_token": maybe_micros(trace.first_token_s),
        "cost": None if trace.cost is None else maybe_nano(trace.cost.total),
        "input_tokens": count(usage.input_tokens) if usage is not None else None,
        "output_tokens": count(usage.output_tokens) if usage is not None else None,
        "error": trace.error.kind if trace.error is not None else "",
    }


class _Series(NamedTuple):
    flow: str
    slice: str
    variant: str
    version: str
    scorer: str = ""
    fingerprint: str = ""
    source: str = ""


class _Signals:
    """Sums over requests: of numbers, and histograms."""

    __slots__ = ("first_token", "latency", "marks", "sums")

    def __init__(self, sums: Iterable[int] = (0,) * 7) -> None:
        self.sums = list(sums)  # n, errors, timeouts, cost, unknown cost, input tokens, output tokens
        self.latency: _Histogram = {}
        self.first_token: _Histogram = {}
        self.marks: _Histogram = {}

    def add(self, other: "_Signals") -> None:
        self.sums = [mine + theirs for mine, theirs in zip(self.sums, other.sums, strict=True)]
        for name in ("latency", "first_token", "marks"):
            mine = getattr(self, name)
            for key, more in getattr(other, name).items():
                mine[key] = mine.get(key, 0) + more
                if not mine[key]:
                    del mine[key]


class Rollup:
    """What one transaction changes in the trends."""

    def __init__(self) -> None:
        self._signals: dict[tuple[_Series, int, float], _Signals] = defaultdict(_Signals)
        self._scores: dict[tuple[_Series, int, float], list[int]] = {}

    def request(
        self,
        place: Place,
        *,
        error: str,
        latency: int | None,
        first_token: int | None,
        cost: int | None,
        input_tokens: int | None,
        output_tokens: int | None,
        sign: int = 1,
    ) -> None:
        """Count a request, or with `sign` -1 take it away; see `signals_of`. Its marks are added apart."""
        found = self._signals[_Series(*place[:3], place.version), place.at // _MINUTE, place.share]
        sums = found.sums
        sums[0] += sign
        sums[1] += sign * (error == "error")
        sums[2] += sign * (error == "timeout")
        sums[3] += sign * (cost or 0)
        sums[4] += sign * (cost is None)
        sums[5] += sign * (input_tokens or 0)
        sums[6] += sign * (output_tokens or 0)
        if latency is not None:
            place_of = bin_of_micros(latency)
            found.latency[place_of] = found.latency.get(place_of, 0) + sign
        if first_token is not None:
            place_of = bin_of_micros(first_token)
            found.first_token[place_of] = found.first_token.get(place_of, 0) + sign

    def marks(self, place: Place, bits: int, sign: int = 1) -> None:
        """Count the marks that a request has now, and had not before; or with `sign` -1 take them away."""
        found = self._signals[_Series(*place[:3], place.version), place.at // _MINUTE, place.share].marks
        for bit in each_bit(bits):
            found[bit] = found.get(bit, 0) + sign

    def score(
        self,
        place: Place,
        scorer: str,
        fingerprint: str,
        source: str,
        *,
        pi: float,
        value: float | None,
        status: str,
        sign: int = 1,
    ) -> None:
        """Count a score, or with `sign` -1 take it away."""
        key = (_Series(*place[:3], place.version, scorer, fingerprint, source), place.at // _MINUTE, pi)
        found = self._scores.setdefault(key, [0] * 5)  # n, total, squares, unknown, skipped
        if value is not None:
            found[0] += sign
            found[1] += sign * round(value * NANO)
            found[2] += sign * round(value * value * NANO)
        elif status == "skipped":
            found[4] += sign
        else:
            found[3] += sign

    def write(self, db: Database) -> None:
        """Bring the cells up to date, within the caller's transaction."""
        if not self._signals and not self._scores:
            return
        kept_from = dict(db.execute("SELECT key, value FROM meta WHERE key IN ('minute_from', 'hour_from')"))
        ids: dict[_Series, int] = {}
        for series in {key[0] for key in self._signals} | {key[0] for key in self._scores}:
            ids[series] = _series_id(db, series)
        for tier, length in TIER_S.items():
            first = kept_from.get(f"{tier}_from")
            self._write_signals(db, ids, length, first)
            self._write_scores(db, ids, length, first)

    def _write_signals(self, db: Database, ids: dict[_Series, int], length: int, first: int | None) -> None:
        cells: dict[tuple[int, int, float], _Signals] = defaultdict(_Signals)
        for (series, minute, share), found in self._signals.items():
            bucket = minute * 60 // length * length
            if first is None or bucket >= first:
                cells[ids[series], bucket, share].add(found)
        rows, empty = [], []
        for (series_id, bucket, share), cell in cells.items():
            for old in db.execute(
                "SELECT n, errors, timeouts, cost, unknown_cost, input_tokens, output_tokens,"
                " latency, first_token, marks FROM signal_cell"
                " WHERE series = ? AND tier = ? AND bucket = ? AND share = ?",
                *(series_id, length, bucket, share),
            ):
                cell.add(_stored(old))
            if not any(cell.sums) and not cell.marks:  # all of it was taken away
                empty.append((series_id, length, bucket, share))
                continue
            histograms = (_encode(cell.latency), _encode(cell.first_token), _encode(cell.marks))
            rows.append((series_id, length, bucket, share, *cell.sums, *histograms))
        db.executemany(
            "INSERT INTO signal_cell (series, tier, bucket, share, n, errors, timeouts, cost, unknown_cost,"
            " input_tokens, output_tokens, latency, first_token, marks)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (series, tier, bucket, share) DO UPDATE SET n = excluded.n, errors = excluded.errors,"
            " timeouts = excluded.timeouts, cost = excluded.cost, unknown_cost = excluded.unknown_cost,"
            " input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,"
            " latency = excluded.latency, first_token = excluded.first_token, marks = excluded.marks",
            rows,
        )
        db.executemany("DELETE FROM signal_cell WHERE series = ? AND tier = ? AND bucket = ? AND share = ?", empty)

    def _write_scores(self, db: Database, ids: dict[_Series, int], length: int, first: int | None) -> None:
        cells: dict[tuple[int, int, float], list[int]] = {}
        for (series, minute, pi), sums in self._scores.items():
            bucket = minute * 60 // length * length
            if first is None or bucket >= first:
                cell = cells.setdefault((ids[series], bucket, pi), [0] * 5)
                for place, amount in enumerate(sums):
                    cell[place] += amount
        changes = [(key[0], length, *key[1:], *sums) for key, sums in cells.items() if any(sums)]
        db.executemany(
            "INSERT INTO score_cell (series, tier, bucket, pi, n, total, squares, unknown, skipped)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (series, tier, bucket, pi) DO UPDATE SET n = score_cell.n + excluded.n,"
            " total = score_cell.total + excluded.total, squares = score_cell.squares + excluded.squares,"
            " unknown = score_cell.unknown + excluded.unknown, skipped = score_cell.skipped + excluded.skipped",
            changes,
        )
        db.executemany(
            "DELETE FROM score_cell WHERE series = ? AND tier = ? AND bucket = ? AND pi = ?"
            " AND n = 0 AND unknown = 0 AND skipped = 0",
            [change[:4] for change in changes if min(change[4:]) < 0],
        )


def _series_id(db: Database, series: _Series) -> int:
    where = "flow = ? AND scorer = ? AND slice = ? AND variant = ? AND version = ? AND fingerprint = ? AND source = ?"
    flow, part, variant, version, scorer, fingerprint, source = series
    found = db.execute(
        f"SELECT id FROM series WHERE {where}",
        flow,
        scorer,
        part,
        variant,
        version,
        fingerprint,
        source,
    ) or db.execute(
        "INSERT INTO series (flow, slice, variant, version, scorer, fingerprint, source) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " RETURNING id",
        *series,
    )
    return int(found[0][0])


def _stored(row: tuple[object, ...]) -> _Signals:
    found = _Signals(row[:7])  # type: ignore[arg-type]
    found.latency, found.first_token, found.marks = map(_decode, row[7:])  # type: ignore[arg-type]
    return found


def each_bit(bits: int) -> Iterator[int]:
    """The bits that are set in a number, each as a number."""
    while bits:
        low = bits & -bits
        yield low
        bits ^= low


def signals(db: Database, flow: str, tier: Tier, since: float, until: float) -> list[SignalCell]:
    """Operational signals by bucket: of those that begin before `until`, from the one on that `since` lies in."""
    length = TIER_S[tier]
    found = db.execute(
        "SELECT CAST(bucket AS DOUBLE PRECISION), slice, variant, n, errors, timeouts,"
        " CAST(cost AS DOUBLE PRECISION) / 1e9, unknown_cost, input_tokens, output_tokens,"
        " latency, first_token, marks, share, version FROM series JOIN signal_cell ON series = id"
        " WHERE flow = ? AND scorer = '' AND tier = ? AND bucket >= ? AND bucket < ?"
        " ORDER BY bucket, slice, variant, version, share",
        flow,
        length,
        down(since, length),
        up(until),
    )
    return [SignalCell(*row[:10], *map(_decode, row[10:13]), *row[13:]) for row in found]


def cells(db: Database, flow: str, tier: Tier, since: float, until: float) -> list[ScoreCell]:
    """Sums of scores by bucket: of those that begin before `until`, from the one on that `since` lies in."""
    length = TIER_S[tier]
    found = db.execute(
        "SELECT CAST(bucket AS DOUBLE PRECISION), slice, variant, scorer, fingerprint, source, pi, n,"
        " CAST(total AS DOUBLE PRECISION) / 1e9, CAST(squares AS DOUBLE PRECISION) / 1e9, unknown, skipped, version"
        " FROM series JOIN score_cell ON series = id WHERE flow = ? AND scorer <> '' AND tier = ?"
        " AND bucket >= ? AND bucket < ? ORDER BY bucket, scorer, slice, variant, version, pi",
        flow,
        length,
        down(since, length),
        up(until),
    )
    return [ScoreCell(*row) for row in found]
