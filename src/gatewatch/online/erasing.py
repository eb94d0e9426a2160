"""What is somebody's in a store, a spool and the exports of a project, and taking it out of the files.

A file that cannot be read or written keeps nothing else from going: what is wrong with it is added to `left`.
"""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.erasure import Subject, Whose, base_of
from gatewatch.core.errors import InputError
from gatewatch.online.blot import blot
from gatewatch.online.ingest import alone
from gatewatch.online.segments import segments
from gatewatch.store.base import Store
from gatewatch.store.rows import KeptScore, Row

_AT_ONCE = 500
_PATIENCE_S = 2.0


class Belonging(Struct, frozen=True):
    """A request of somebody with all that was said of it; or, without a `row`, what they said of another's."""

    seq: int
    row: Row | None
    scores: list[KeptScore]


def belongings(store: Store, subject: Subject) -> Iterator[Belonging]:
    """All that is stored of somebody, each request once; what waits (`Store.waiting`) is not in it."""
    mine: set[int] = set()
    after = 0
    while True:
        rows, after = store.belonging(subject, after, _AT_ONCE)
        for row in rows:
            if row.seq not in mine:
                mine.add(row.seq)
                yield Belonging(row.seq, row, store.scores(row.seq))
        if not after:
            break
    for seq, name in store.said_elsewhere(subject):
        if seq not in mine:
            yield Belonging(seq, None, [kept for kept in store.scores(seq) if kept.author == name])


def would_go(store: Store, subject: Subject) -> dict[str, int]:
    """What of the store an erasure would remove now, by part."""
    counts = {"requests": 0, "payloads": 0, "scores": 0, "feedback": 0}
    for each in belongings(store, subject):
        counts["requests"] += each.row is not None
        counts["payloads"] += each.row is not None and each.row.payload in ("held", "kept")
        for kept in each.scores:
            counts["feedback" if kept.score.source == "feedback" else "scores"] += 1
    counts["items"] = len(store.items_of(subject))
    counts["feedback waiting"] = len(store.waiting(subject))
    return counts


def blot_spool(folder: Path, store: Store, left: list[str]) -> int:
    """Take the records of all that were erased out of a spool, and say how many that was."""
    number = 0
    # Who reads a record while it is written over finds it damaged: better not to, but not at any price.
    with alone(folder, patience_s=_PATIENCE_S):
        for path in segments(folder) if folder.is_dir() else ():
            try:
                number += blot(path, store.buried, lambda name: store.find(name) is not None)
            except FileNotFoundError:
                continue
            except (OSError, InputError) as error:
                left.append(_again(path, error))
    return number


def remove_exports(folder: Path, subject: Subject, store: Store, left: list[str]) -> int:
    """Remove the exports that are of somebody, or have a request or feedback of theirs; say how many that was."""
    number = 0
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file() and _is_of(path, subject, store):
                path.unlink(missing_ok=True)
                number += 1
        except OSError as error:
            left.append(_again(path, error))
    return number


def _again(path: Path, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{path}: {why}; what it has of them is there still: put that right, and erase again"


def _is_of(path: Path, subject: Subject, store: Store) -> bool:
    """Whether a line of an export is of somebody who was erased, now or before."""
    marks: set[str] = set()
    with path.open("rb") as file:
        for line in file:
            try:
                marks.update(codec.decode(line, _Exported).all_marks())
            except (ValueError, RecursionError):  # no line of an export
                continue
    return bool(marks.intersection(subject.marks) or store.buried(marks))


class _Said(Struct, frozen=True):
    author: str = ""


class _Part(Struct, frozen=True):
    """A request, or feedback that waited for one."""

    id: str = ""
    trace: str = ""
    user: str = ""
    author: str = ""
    session: str = ""
    flow: str = ""
    scores: tuple[_Said, ...] = ()


class _Item(Struct, frozen=True):
    trace: str = ""
    user: str = ""
    session: str = ""
    flow: str = ""


class _Exported(Struct, frozen=True):
    marks: tuple[str, ...] = ()
    request: _Part | None = None
    item: _Item | None = None
    feedback: _Part | None = None
    scores: tuple[_Said, ...] = ()

    def all_marks(self) -> Iterator[str]:
        """Every tombstone that might be meant for what this line tells."""
        yield from self.marks
        request, item, said = self.request or _Part(), self.item or _Item(), self.feedback or _Part()
        yield from Whose(base_of(request.id), request.user, request.session, request.flow).marks
        yield from Whose(base_of(item.trace), item.user, item.session, item.flow).marks
        yield from Whose(base_of(said.trace), said.author).marks
        for each in (*self.scores, *said.scores):
            yield from Whose(user=each.author).marks
