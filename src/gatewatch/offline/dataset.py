"""Datasets: JSON lines (canonical) or CSV, checked whole before anything is run.

Every bad line is reported, with its line, its field and what to do. A JSONL file is not held in memory: where each
case lies is remembered, and a case is read again when its turn comes, so that memory stays flat in the number of
cases.
"""

import json
import os
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from gatewatch.core import codec, shape
from gatewatch.core.case import ID_LENGTH, Case, derived_id
from gatewatch.core.errors import DatasetError, Problem
from gatewatch.offline.csv_cases import read_csv

BOM = b"\xef\xbb\xbf"
_ROLES = ("system", "developer", "user", "assistant", "tool")


class Dataset:
    """The cases of one file, or of a list, in order.

    `version` is 12 hex digits over the content of all cases, whatever their order; `path` is the file as it was named.
    """

    def __init__(self, path: str, version: str, source: "_Lines | Sequence[Case]", lines: Sequence[int]) -> None:
        self.path = path
        self.version = version
        self._source = source
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Case:
        return self._source[index]

    def __iter__(self) -> Iterator[Case]:
        return (self._source[index] for index in range(len(self)))

    def place(self, index: int) -> str:
        """Where a case stands, as `file:line`, for messages."""
        return f"{self.path}:{self._lines[index]}"


class _Lines:
    """Cases in a file that is read where they lie, through one open file: replacing the file does not disturb us.

    Writing into the file does, and is noticed.
    """

    def __init__(self, file: int, path: str) -> None:
        self._file = file
        self._path = path
        self._state = self._state_now()
        self._offsets = array("Q")
        self._sizes = array("Q")

    def add(self, offset: int, size: int) -> None:
        self._offsets.append(offset)
        self._sizes.append(size)

    def _state_now(self) -> tuple[int, int]:
        found = os.fstat(self._file)
        return found.st_size, found.st_mtime_ns

    def __getitem__(self, index: int) -> Case:
        if self._state_now() != self._state:
            raise DatasetError(Problem(self._path, "was written to while it was in use", "start a new run"))
        raw = os.pread(self._file, self._sizes[index], self._offsets[index])
        return _finished(codec.decode(raw, Case))

    def __del__(self) -> None:
        os.close(self._file)


def open_dataset(path: str | Path) -> Dataset:
    """Open a dataset file (`.jsonl` or `.csv`) after checking every line of it.

    Raises:
        DatasetError: with all that is wrong: unreadable, not UTF-8, no cases, bad lines, ids given twice.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise DatasetError(Problem(str(path), "no such file", "a dataset is a .jsonl or .csv file"))
        if file.suffix.lower() == ".csv":
            return _checked(str(path), _read_objects(str(path), read_csv(file)), None)
        lines = _Lines(os.open(file, os.O_RDONLY), str(path))
        return _checked(str(path), _read_lines(file, lines), lines)
    except OSError as error:
        raise DatasetError(Problem(str(path), f"cannot be read: {error.strerror}")) from None


def from_cases(cases: Iterable[Case | dict[str, Any]], name: str = "(in memory)") -> Dataset:
    """A dataset of cases at hand: `Case` objects, or objects with the fields of a dataset line.

    Raises:
        DatasetError: as for a file; the number of the case stands for the line.
    """

    return _checked(name, _read_objects(name, enumerate(cases, start=1)), None)


def _checked(path: str, found: Iterable[tuple[int, Case | list[Problem]]], lines: _Lines | None) -> Dataset:
    """Gather cases and problems, refuse ids given twice, and compute the version."""
    problems: list[Problem] = []
    numbers = array("Q")
    kept: list[Case] = []
    digests: list[bytes] = []
    by_id: dict[str, int] = {}
    for number, case in found:
        if isinstance(case, list):
            problems += case
            continue
        first = by_id.setdefault(case.id, number)
        if first != number:
            same = "the same input twice" if case.id == derived_id(case.input) else "ids must differ"
            problems.append(Problem(f"{path}:{number}", f"id {case.id!r} is given in line {first} already", same))
        numbers.append(number)
        digests.append(sha256(codec.canonical(case)).digest())
        if lines is None:
            kept.append(case)
    if problems:
        raise DatasetError(problems)
    if not numbers:
        raise DatasetError(
            Problem(path, "no cases", 'write one JSON object a line, such as {"input": "...", "expected": "..."}')
        )
    version = sha256(b"".join(sorted(digests))).hexdigest()[:ID_LENGTH]
    return Dataset(path, version, kept if lines is None else lines, numbers)


def _read_objects(path: str, items: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Case | list[Problem]]]:
    for number, item in items:
        where = f"{path}:{number}"
        if isinstance(item, list) and item and isinstance(item[0], Problem):  # found already
            yield number, item
            continue
        try:
            yield number, case_of(codec.plain(item), where)
        except ValueError as error:
            yield number, [Problem(where, str(error), "a case is made of what JSON can say")]


def _read_lines(file: Path, index: _Lines) -> Iterator[tuple[int, Case | list[Problem]]]:
    offset = 0
    with file.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            start, offset = offset, offset + len(raw)
            line = raw.rstrip(b"\r\n")
            if number == 1:
                problem = _not_utf8(file, line)
                if problem is not None:
                    yield number, [problem]
                    return
                if line.startswith(BOM):
                    line, start = line[len(BOM) :], start + len(BOM)
            if not line.strip():
                continue
            case = case_in(line, f"{file}:{number}", start)
            if isinstance(case, Case):
                index.add(start, len(line))
            yield number, case


def _not_utf8(file: Path, line: bytes) -> Problem | None:
    if line.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem(f"{file}:1", "the file is UTF-16, at byte 0", "save it as UTF-8")
    return None


def case_in(line: bytes, where: str, offset: int = 0) -> Case | list[Problem]:
    """One line as a case, or all that is wrong with it. `offset` is at which byte of its file it begins."""
    value: Any
    try:
        try:
            value = codec.decode(line, Case)
        except msgspec.ValidationError:  # it tells the first flaw only
            value = codec.parse(line)
        repeated = codec.repeated_key(line, value)
        codec.check_depth(line, value)
    except UnicodeDecodeError as error:
        return [Problem(where, f"not UTF-8 at byte {offset + error.start}", "save the file as UTF-8")]
    except json.JSONDecodeError as error:
        return [Problem(f"{where}:{error.colno}", f"not JSON: {error.msg}", "one JSON object a line")]
    except (ValueError, RecursionError) as error:
        return [Problem(where, f"not JSON: {error}", "one JSON object a line")]
    if repeated is not None:
        return [Problem(where, f"the field {repeated!r} is given twice in one object", "keep one of the two")]
    if not isinstance(value, Case):
        return case_of(value, where)
    return _flaws(value, where) or _finished(value)


def case_of(value: Any, where: str) -> Case | list[Problem]:
    """A case from an object with the fields of a dataset line, or all that is wrong with it."""
    if not isinstance(value, dict):
        return [Problem(where, f"expected a JSON object, got {type(value).__name__}", "one JSON object a line")]
    case = shape.convert(value, Case)
    if isinstance(case, list):
        return [Problem(f"{where}: {path}" if path else where, what, hint) for path, what, hint in case]
    return _flaws(case, where) or _finished(case)


def _flaws(case: Case, where: str) -> list[Problem]:
    """What is wrong with a well-formed case."""
    found: list[Problem] = []
    if isinstance(case.input, dict):
        found += [Problem(f"{where}: {path}", what, hint) for path, what, hint in _conversation_flaws(case.input)]
        if not case.input:
            found.append(Problem(f"{where}: input", "an object without any argument", "name the task's arguments"))
    if case.id and not case.id.isprintable():
        found.append(Problem(f"{where}: id", "has a character that cannot be shown", "ids are shown in tables"))
    if case.open is not None and case.must_pass:
        found.append(Problem(f"{where}: open", "must_pass is set as well", "it may fail, or it must pass: keep one"))
    if isinstance(case.expected, msgspec.Struct) and case.expected == type(case.expected)():
        found.append(Problem(f"{where}: expected", "is an empty object", "leave it out, or say what is expected"))
    return found


def _conversation_flaws(given: dict[str, Any]) -> Iterator[shape.Flaw]:
    if "messages" not in given:
        return
    messages = given["messages"]
    if not isinstance(messages, list) or not messages:
        yield "input.messages", "expected a list of messages", 'each is {"role": "user", "content": "..."}'
        return
    for position, message in enumerate(messages):
        path = f"input.messages[{position}]"
        if not isinstance(message, dict) or "role" not in message:
            yield path, "expected an object with role and content", ""
        elif message["role"] not in _ROLES:
            yield f"{path}.role", f"unknown role {message['role']!r}", f"one of {', '.join(_ROLES)}"
    turns = given.get("assistant", "fixed")
    if turns not in ("fixed", "regenerated"):
        yield "input.assistant", f"{turns!r} is not known", 'say "fixed" or "regenerated"'
    elif turns == "regenerated" and not any(isinstance(m, dict) and m.get("role") == "user" for m in messages):
        yield "input.messages", "no user turn to answer", "a regenerated conversation needs one"


def _finished(case: Case) -> Case:
    """A case with its id: the given one in NFC, or one derived from its input."""
    if not case.id:
        return replace(case, id=derived_id(case.input))
    return case if case.id.isascii() else replace(case, id=unicodedata.normalize("NFC", case.id))


def write_cases(path: Path, cases: Iterable[Case]) -> int:
    """Write cases as JSON lines, one a line in the order given, so that a change of one shows as one line in a diff."""
    count = 0
    with path.open("wb") as file:
        for case in cases:
            file.write(codec.encode(case) + b"\n")
            count += 1
    return count
