"""Editing a dataset file in git's favour: one line more, or another in the place of one; no other byte changes.

The file is replaced in one step, and only if it is still what was read: whatever a person or another process wrote
meanwhile is read, and the edit is made again on top of it. Processes wait for each other by a lock on the file itself.
"""

import errno
import fcntl
import glob
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.errors import DatasetError, Problem, among_many
from gatewatch.offline.dataset import BOM, case_in

_TRIES = 20
_FIELDS = Case.__struct_fields__
_SPACED, _TIGHT = (", ", ": "), (",", ":")


class Line(Struct, frozen=True):
    """A line of a dataset file: its number, its bytes without its end, and its case, or what is wrong with it."""

    number: int
    raw: bytes
    end: bytes
    case: Case | None
    problems: Sequence[Problem] = ()


class Edit(Struct, frozen=True):
    """What is to be written: cases in the place of those in some lines, by the line's number, and cases to be added."""

    instead: Mapping[int, Case] = {}
    added: Sequence[Case] = ()


class Edited(Struct, frozen=True):
    """The line that a case stands in now, the case as it was (None for a new one), and as it is."""

    line: int
    before: Case | None
    after: Case


class NotWritable(DatasetError):  # noqa: N818 - what it is
    """The dataset file may be read, and not written."""


def lines_of(data: bytes, path: str) -> list[Line]:
    """The lines of a dataset file's bytes, blank ones left out; one that is broken has no case.

    Raises:
        DatasetError: the file is no JSON lines in UTF-8 at all.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DatasetError(Problem(f"{path}:1", "the file is UTF-16", "save it as UTF-8"))
    return [_line(raw, number, path) for number, raw in enumerate(_split(data), 1) if raw.removeprefix(BOM).strip()]


def _split(data: bytes) -> list[bytes]:
    return [part + b"\n" for part in data.split(b"\n")[:-1]] + list(filter(None, [data.rpartition(b"\n")[2]]))


def _line(whole: bytes, number: int, path: str) -> Line:
    raw = whole.rstrip(b"\r\n")
    end = whole[len(raw) :]
    found = case_in(raw.removeprefix(BOM) if number == 1 else raw, f"{path}:{number}")
    return Line(number, raw, end, found) if isinstance(found, Case) else Line(number, raw, end, None, found)


def edited(data: bytes, edit: Edit, path: str) -> bytes:
    """The bytes of a dataset file with an edit made: of all that it does not name, none is another.

    A line is written as the one that was there: its fields in their order, as wide or as tight; a new one as the last.

    Raises:
        DatasetError: the file is no JSON lines in UTF-8 at all, or has no case in a line that is to be replaced.
    """
    return _edited(data, lines_of(data, path), edit, path)


def _edited(data: bytes, lines: Sequence[Line], edit: Edit, path: str) -> bytes:
    there = {line.number: line for line in lines}
    parts = _split(data)
    for number, case in edit.instead.items():
        line = there.get(number)
        if line is None or line.case is None:
            raise DatasetError(Problem(f"{path}:{number}", "there is no case in this line"))
        mark = BOM if number == 1 and line.raw.startswith(BOM) else b""
        parts[number - 1] = mark + _instead(line.raw.removeprefix(mark), line.case, case) + line.end
    if edit.added:
        last = next((line for line in reversed(lines) if line.case is not None), None)
        end = next((line.end for line in reversed(lines) if line.end), b"\n")
        if parts and not parts[-1].endswith(b"\n"):
            parts[-1] += end
        style = _style(b"" if last is None else last.raw.removeprefix(BOM))
        parts += [_text(_plain(case), style) + end for case in edit.added]
    return b"".join(parts)


def _plain(case: Case) -> dict[str, Any]:
    return dict(msgspec.to_builtins(case))


def _instead(raw: bytes, before: Case, after: Case) -> bytes:
    """A line with the fields that changed written anew; those that did not stay as they were put."""
    value: dict[str, Any] = codec.parse(raw)
    style = _style(raw)
    now = _plain(after)
    declared = sorted(value, key=_FIELDS.index) == list(value)
    for name in _FIELDS:
        if getattr(before, name) == getattr(after, name):
            continue
        if name in now:
            value[name] = now[name]
        else:
            value.pop(name, None)
    if declared:
        value = {name: value[name] for name in _FIELDS if name in value}
    return _text(value, style)


def _style(raw: bytes) -> tuple[tuple[str, str], bool]:
    """How a line is written: its separators, and whether letters beyond ASCII are escaped."""
    try:
        value = codec.parse(raw)
    except (ValueError, RecursionError):
        return _TIGHT, False
    for separators in (_SPACED, _TIGHT):
        for escaped in (False, True):
            if _text(value, (separators, escaped)) == raw.strip():
                return separators, escaped
    return (_SPACED if b'": ' in raw else _TIGHT), raw.isascii() and b"\\u" in raw


def _text(value: dict[str, Any], style: tuple[tuple[str, str], bool]) -> bytes:
    separators, escaped = style
    text = json.dumps(value, ensure_ascii=escaped, separators=separators, allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(value, separators=separators, allow_nan=False).encode()


# The file


def rewrite(path: Path, decide: Callable[[Sequence[Line]], Edit | None]) -> list[Edited]:
    """Edit a dataset file, whoever else does; what is now in the lines that were written, on the disk.

    Args:
        path: the file; of a link, what it leads to.
        decide: given the lines, what to write; None, or an empty edit, for nothing. It may be asked again.

    Raises:
        DatasetError: there is no such file, it is no JSON lines, others keep writing to it; or what `decide` raises.
        NotWritable: it may not be written.
    """
    if path.suffix.lower() == ".csv":
        hint = f"write it as JSON lines, {path.stem}.jsonl, and name that in gatewatch.toml"
        raise DatasetError(Problem(str(path), "is a CSV file, which has no place for all that a case says", hint))
    target = path.resolve()
    for _ in range(_TRIES):
        try:
            with _alone(target) as file:
                data = _all_of(file)
                lines = lines_of(data, str(path))
                edit = decide(lines)
                if edit is None or not (edit.instead or edit.added):
                    return []
                made = _edited(data, lines, edit, str(path))
                if made == data or _replaced(target, file, data, made):
                    return _told(lines, edit, made)
        except FileNotFoundError:
            raise DatasetError(Problem(str(path), "no such file", "a dataset is a .jsonl file")) from None
        except PermissionError as error:
            raise NotWritable(Problem(str(path), f"cannot be written: {error.strerror}")) from None
        except OSError as error:
            kind = NotWritable if error.errno == errno.EROFS else DatasetError
            raise kind(Problem(str(path), f"cannot be written: {error.strerror}")) from None
    raise DatasetError(Problem(str(path), "others keep writing to it", "try again"))


@contextmanager
def _alone(target: Path) -> Iterator[int]:
    """The file, open, while no other process that edits it has it: locked, and still the one of that name."""
    while True:
        file = os.open(target, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is(file, target):
                yield file
                return
        finally:
            os.close(file)


def _is(file: int, target: Path) -> bool:
    """Whether an open file is the one of a name, which may have been given to another meanwhile."""
    return os.path.samestat(os.fstat(file), target.stat())


def _all_of(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size + 1, 0)


def _replaced(target: Path, file: int, data: bytes, made: bytes) -> bool:
    """Put other bytes in the place of a file's, in one step; False, and nothing done, where it is no more what was
    read."""
    there = os.fstat(file)
    beside = target.with_name(f".{target.stem}.writing-{os.getpid()}{target.suffix}")
    with _written(beside, made, there):
        if not _is(file, target) or _all_of(file) != data:
            return False
        try:
            beside.replace(target)
        except FileNotFoundError:  # it was taken for one that was left behind
            return False
    folder = os.open(target.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


@contextmanager
def _written(beside: Path, made: bytes, like: os.stat_result) -> Iterator[None]:
    """A file beside a dataset, on the disk, for as long as this lasts; those that killed processes left are let go. An
    erasure looks through them, too, by their ending."""
    stem, _, _ = beside.name.rpartition("-")
    for left in beside.parent.glob(f"{glob.escape(stem)}-*{glob.escape(beside.suffix)}"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(beside, flags, 0o600), "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with suppress(PermissionError):
            os.fchown(file.fileno(), like.st_uid, like.st_gid)
        os.fchmod(file.fileno(), like.st_mode & 0o7777)
        try:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
            yield
        finally:
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), beside.stat()):
                    beside.unlink()


def _told(lines: Sequence[Line], edit: Edit, made: bytes) -> list[Edited]:
    before = {line.number: line.case for line in lines}
    found = [Edited(number, before[number], case) for number, case in edit.instead.items()]
    first = len(_split(made)) - len(edit.added) + 1
    return found + [Edited(first + place, None, case) for place, case in enumerate(edit.added)]


# What is edited


def edit_case(path: Path, id: str, change: Callable[[Case], Case]) -> Edited:  # noqa: A002 - the field's own name
    """Put what `change` makes of a case in its place; where it changes nothing, nothing is written.

    Raises:
        DatasetError: as `rewrite` does, or there is no case of that id, or more than one.
    """
    found: list[Edited] = []

    def changed(lines: Sequence[Line]) -> Edit | None:
        line, case = placed(lines, id, str(path))
        after = change(case)
        found[:] = [Edited(line.number, case, after)]
        return None if after == case else Edit({line.number: after})

    rewrite(path, changed)
    return found[0]


def placed(lines: Sequence[Line], id: str, path: str) -> tuple[Line, Case]:  # noqa: A002 - the field's own name
    """The line of a case, and the case.

    Raises:
        DatasetError: there is none of that id, or more than one.
    """
    there = [(line, line.case) for line in lines if line.case is not None and line.case.id == id]
    if not there:
        ids = [line.case.id for line in lines if line.case is not None]
        raise DatasetError(Problem(path, f"has no case {id!r}", among_many(id, ids, "the file lists them")))
    if len(there) > 1:
        where = f"{path}:{there[1][0].number}"
        raise DatasetError(
            Problem(where, f"id {id!r} is given in line {there[0][0].number} already", "ids must differ")
        )
    return there[0]
