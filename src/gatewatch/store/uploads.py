"""Runs that were pushed: journals, sent in parts, kept once they are whole and as they were announced.

A journal is cut into parts of `PART` bytes, wherever lines end, so that whoever sends it again after a cut sends the
same parts, and only those that are missing. It is known by the SHA-256 of all of it. What arrives lies aside under that
until it is finished, so that two who push under one id do not mix.
"""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from typing import Any, Protocol

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.run import Ending, RunEnd
from gatewatch.store.database import Database
from gatewatch.store.units import from_micros, micros

PART = 1_000_000
"""How many bytes of a journal each part has; compressed it stays under 1 MiB whatever it holds."""

LONGEST = 4_000_000_000
"""How many bytes a journal may have."""

_FORGOTTEN_S = 7 * 86_400.0
_LEVEL = 6
_TAIL = 65_536  # the record that says how a run ended is shorter


class Upload(Struct, frozen=True):
    """A journal that is to be sent: the run's id and suite, the SHA-256 (hex) and the length in bytes of all of it, the
    payload of its first record as it stands there, and who sends it."""

    run: str
    suite: str
    digest: str
    size: int
    header: bytes
    author: str = ""


class Begun(Struct, frozen=True):
    """What is to be sent of a journal: nothing where it is `kept` already, else the parts that are `missing`."""

    kept: bool
    missing: tuple[int, ...] = ()


class KeptRun(Struct, frozen=True):
    """A run that was pushed: when it was received whole, by whom, how it ended (cut off is partial), its header."""

    run: str
    suite: str
    received: float
    author: str
    digest: str
    size: int
    state: Ending
    header: bytes


class NotBegun(InputError):  # noqa: N818 - what it is
    """A part, or the end, of a journal that nobody said would be sent, or that was let go of since."""


class AnotherJournal(InputError):  # noqa: N818 - what there is
    """Another journal is kept under the run's id."""


class Uploading(Protocol):
    """What every store can do of runs that are pushed to it."""

    def begin_upload(self, upload: Upload, now: float) -> Begun:
        """Say that a run's journal is to be sent, and learn which parts of it are not here yet.

        Raises:
            AnotherJournal: another one is kept under this run's id, and this one cannot be a longer version of it.
        """
        ...

    def put_part(self, run: str, digest: str, part: int, body: bytes) -> None:
        """Keep a part of a journal that is being sent: `PART` bytes of it, the last one what is left. Again is no harm.

        Raises:
            NotBegun: nobody said that it would be sent, or it was let go of since.
            InputError: there is no such part, or it is not as long as it has to be.
        """
        ...

    def finish_upload(self, run: str, digest: str, now: float) -> KeptRun:
        """Keep a run whose journal is here whole and as it was announced. Again is no harm.

        Raises:
            NotBegun: nobody said that it would be sent, or it was let go of since, as it is when it proves to be
                another journal than was announced.
            AnotherJournal: another one is kept under this run's id, which this one does not merely continue.
            InputError: parts of it are missing.
        """
        ...

    def runs(self, suite: str = "", *, since: float = 0.0, most: int = 50) -> list[KeptRun]:
        """Runs that were pushed since a time, the latest first."""
        ...

    def run(self, run: str) -> KeptRun | None:
        """A run by its id."""
        ...

    def run_part(self, run: KeptRun, part: int) -> bytes:
        """A part of a run's journal, of `parts_of(run.size)`.

        Raises:
            NotBegun: it is not there any more: a longer version took its place.
        """
        ...

    def run_names(self) -> list[str]:
        """The ids of all runs that were pushed, in order."""
        ...

    def forget_run(self, run: str) -> bool:
        """Let go of a run, and of what is being pushed under its id; say whether it was there."""
        ...


def parts_of(size: int) -> int:
    """How many parts a journal of a length has."""
    return -(-size // PART)


def begin(db: Database, upload: Upload, now: float) -> Begun:
    """Say that a journal is to be sent (see `Store.begin_upload`)."""
    if not 0 < upload.size <= LONGEST:
        raise InputError(Problem(upload.run, f"a journal has 1 to {LONGEST:,} bytes, got {upload.size:,}"))
    with db.transaction():
        let_go(db, micros(now - _FORGOTTEN_S))
        kept = find(db, upload.run)
        if kept is not None:
            if (kept.digest, kept.size) == (upload.digest, upload.size):
                return Begun(True)
            if kept.header != upload.header or kept.size >= upload.size:
                raise AnotherJournal(_conflict(kept, upload))
        db.execute(
            "INSERT INTO run_upload (run, digest, suite, received, author, size, header) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (run, digest) DO UPDATE SET received = excluded.received, size = excluded.size,"
            " header = excluded.header, suite = excluded.suite, author = excluded.author",
            *(upload.run, upload.digest, upload.suite, micros(now), upload.author, upload.size, upload.header),
        )
        have = {part for (part,) in db.execute(f"SELECT part {_PARTS}", upload.run, upload.digest)}
    return Begun(False, tuple(part for part in range(parts_of(upload.size)) if part not in have))


def put(db: Database, run: str, digest: str, part: int, body: bytes) -> None:
    """Keep a part of a journal (see `Store.put_part`)."""
    packed = zlib.compress(body, _LEVEL)
    with db.transaction():
        kept = find(db, run)
        if kept is not None and kept.digest == digest:
            return
        size = _uploading(db, run, digest).size
        if not 0 <= part < parts_of(size):
            raise InputError(Problem(run, f"it has parts 0 to {parts_of(size) - 1}, got part {part}"))
        wanted = min(PART, size - part * PART)
        if len(body) != wanted:
            raise InputError(Problem(run, f"part {part} has {wanted:,} bytes, got {len(body):,}"))
        db.execute(
            "INSERT INTO run_part (run, digest, part, body) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (run, digest, part) DO NOTHING",
            *(run, digest, part, packed),
        )


def finish(db: Database, run: str, digest: str, now: float) -> KeptRun:
    """Keep a run whose journal is here (see `Store.finish_upload`).

    What was sent is read before the transaction, since it takes a while, and no part of it changes once it is there.
    """
    before = find(db, run)
    if before is not None and before.digest == digest:
        return before
    upload = _uploading(db, run, digest)
    there = db.execute(f"SELECT count(*) {_PARTS}", run, digest)[0][0]
    wanted = parts_of(upload.size)
    if there < wanted:
        raise InputError(Problem(run, f"{wanted - there} of its {wanted} parts are missing"))
    read = _read(_bodies(db, run, digest, upload.size), before.size if before is not None else 0)
    if read.digest != digest or read.header != upload.header:
        what = "its first record" if read.digest == digest else "its SHA-256"
        with db.transaction():
            _drop(db, run, digest)
        why = f"what arrived is another journal than was announced: {what} differs"
        raise NotBegun(Problem(run, why, "push it again: it begins anew"))
    with db.transaction():
        kept = find(db, run)
        if kept is not None and kept.digest == digest:
            return kept
        if kept is not None and (kept != before or read.first != kept.digest):
            raise AnotherJournal(_conflict(kept, upload))
        _uploading(db, run, digest)
        db.execute(
            "INSERT INTO run (id, suite, received, author, digest, size, state, header)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET received = excluded.received,"
            " author = excluded.author, digest = excluded.digest, size = excluded.size, state = excluded.state",
            *(run, upload.suite, micros(now), upload.author, digest, upload.size, read.state, upload.header),
        )
        db.execute("DELETE FROM run_upload WHERE run = ? AND digest = ?", run, digest)
        if kept is not None:
            _drop(db, run, kept.digest)
    received = from_micros(micros(now))
    return KeptRun(run, upload.suite, received, upload.author, digest, upload.size, read.state, read.header)


def runs(db: Database, suite: str, since: float, most: int) -> list[KeptRun]:
    """Runs that were pushed (see `Store.runs`)."""
    where, values = (" AND suite = ?", [suite]) if suite else ("", [])
    found = db.execute(
        f"{_RUN} WHERE received >= ?{where} ORDER BY received DESC, id LIMIT ?", micros(since), *values, most
    )
    return [_run_of(row) for row in found]


def find(db: Database, run: str) -> KeptRun | None:
    """A run by its id."""
    found = db.execute(f"{_RUN} WHERE id = ?", run)
    return _run_of(found[0]) if found else None


def part(db: Database, run: KeptRun, number: int) -> bytes:
    """A part of a run's journal (see `Store.run_part`)."""
    return _body(db, run.run, run.digest, number)


def names(db: Database) -> list[str]:
    """The ids of all runs that were pushed, in order."""
    return [name for (name,) in db.execute("SELECT id FROM run ORDER BY id")]


def forget(db: Database, run: str) -> bool:
    """Let go of a run that was pushed, and of what is being pushed under its id; say whether it was there."""
    db.overwrite_deleted()
    with db.transaction():
        found = db.execute("DELETE FROM run WHERE id = ? RETURNING id", run)
        for table in ("run_upload", "run_part"):
            db.execute(f"DELETE FROM {table} WHERE run = ?", run)
    return bool(found)


_RUN = "SELECT id, suite, received, author, digest, size, state, header FROM run"
_PARTS = "FROM run_part WHERE run = ? AND digest = ?"


def _run_of(row: tuple[Any, ...]) -> KeptRun:
    return KeptRun(*[*row[:2], from_micros(row[2]), *row[3:7], bytes(row[7])])


def _uploading(db: Database, run: str, digest: str) -> Upload:
    found = db.execute(
        "SELECT run, suite, digest, size, header, author FROM run_upload WHERE run = ? AND digest = ?", run, digest
    )
    if not found:
        raise NotBegun(Problem(run, "nobody began to push this journal, or it was let go of since", "push it again"))
    id_, suite, digest, size, header, author = found[0]
    return Upload(id_, suite, digest, size, bytes(header), author)


def _body(db: Database, run: str, digest: str, number: int) -> bytes:
    found = db.execute(f"SELECT body {_PARTS} AND part = ?", run, digest, number)
    if not found:
        raise NotBegun(Problem(run, "its journal is not there any more: a longer one took its place", "ask again"))
    return zlib.decompress(found[0][0])


def _bodies(db: Database, run: str, digest: str, size: int) -> Iterator[bytes]:
    return (_body(db, run, digest, number) for number in range(parts_of(size)))


class _Read(Struct, frozen=True):
    """What a journal says: its SHA-256, that of its first so many bytes, its first record, and how the run ended."""

    digest: str
    first: str
    header: bytes
    state: Ending


def _read(bodies: Iterator[bytes], first: int) -> _Read:
    whole, header, tail, seen, of_first = sha256(), b"", b"", 0, ""
    for body in bodies:
        if not seen:
            record = codec.unframe(body[: body.find(b"\n") + 1])
            header = record[1] if record is not None and record[0] == "head" else b""
        if seen < first <= seen + len(body):
            upto = whole.copy()
            upto.update(body[: first - seen])
            of_first = upto.hexdigest()
        whole.update(body)
        seen += len(body)
        tail = (tail + body)[-_TAIL:]
    record = codec.unframe(tail[tail.rfind(b"\n", 0, -1) + 1 :])
    state: Ending = "partial"
    if record is not None and record[0] == "end":
        with suppress(ValueError, RecursionError):  # whole, but not a record of ours
            state = codec.decode(record[1], RunEnd).state
    return _Read(whole.hexdigest(), of_first, header, state)


def _drop(db: Database, run: str, digest: str) -> None:
    db.execute("DELETE FROM run_upload WHERE run = ? AND digest = ?", run, digest)
    db.execute(f"DELETE {_PARTS}", run, digest)


def let_go(db: Database, before: int) -> None:
    """Let go of what was begun before a time (microseconds) and never finished; within the caller's transaction."""
    for run, digest in db.execute("SELECT run, digest FROM run_upload WHERE received < ?", before):
        _drop(db, run, digest)


def _conflict(kept: KeptRun, upload: Upload) -> Problem:
    """What differs between the journal that is kept and one that is pushed."""
    try:
        mine, other = (codec.decode(each, dict[str, Any]) for each in (kept.header, upload.header))
        differs = sorted(key for key in mine.keys() | other.keys() if mine.get(key) != other.get(key))
    except (ValueError, RecursionError):
        differs = ["header"]
    what = f"it differs in {', '.join(differs)}" if differs else "its header is the same, its rows are not"
    sizes = f"{kept.size:,} bytes are kept ({kept.digest[:12]}), {upload.size:,} are pushed ({upload.digest[:12]})"
    return Problem(upload.run, f"another journal is kept under this id: {what}; {sizes}")
