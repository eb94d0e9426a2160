"""A user's own logs, read for the questions in them: CSV or JSON lines, whatever the columns are called.

They are not our format and were not made for us: a line that cannot be read is told with its place, and left out.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.errors import InputError, Problem, did_you_mean

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")
_LOOKED_AT = 200
_INPUT = (
    "input question prompt query user_message user_input user_query "
    "message text utterance request messages conversation"
)
_OUTPUT = "output answer response reply completion bot_response assistant_message"
_SLICE = "slice flow intent category topic route"
_SESSION = "session session_id conversation_id thread_id chat_id"
_LIKED = ("thumbs", "thumb", "feedback", "vote", "thumbs_up", "liked", "helpful")
_RATED = ("rating", "stars", "csat")
_FAILED = ("error", "exception", "failed", "escalated", "thumbs_down", "disliked")
_STATUS = ("status", "status_code")
_TIMED = ("latency", "latency_s", "latency_ms", "duration", "duration_ms")
_NO = frozenset({"", "0", "false", "no", "none", "null", "nil", "ok", "n/a", "-"})
_DOWN = frozenset(
    {"down", "thumbs_down", "thumbsdown", "negative", "bad", "dislike", "disliked", "-1", "false", "no", "👎"}
)


class Columns(Struct, frozen=True, kw_only=True):
    """Which columns of a log say what; empty where there is none.

    `signals` are those that tell how it went: thumbs, ratings, errors, latency.
    """

    input: str
    output: str = ""
    slice: str = ""
    session: str = ""
    signals: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = [("input", self.input), ("output", self.output), ("slice", self.slice), ("session", self.session)]
        found = [f"{what} from {column!r}" for what, column in named if column]
        return ", ".join(found + ([f"signals from {', '.join(map(repr, self.signals))}"] if self.signals else []))


class LogLine(Struct, frozen=True, kw_only=True):
    """One request of a log. `flagged` says that it failed or was disliked; `rating` is in whatever unit the log has."""

    number: int
    input: str | dict[str, Any]
    output: Any = None
    slice: str = ""
    session: str = ""
    flagged: bool = False
    rating: float | None = None
    signals: dict[str, Any] = {}

    @property
    def text(self) -> str:
        """All that was asked, as text."""
        if isinstance(self.input, dict) and "messages" in self.input:
            return "\n".join(codec.text_of(message.get("content")) for message in self.input["messages"])
        return codec.text_of(self.input)


def columns_of(file: Path, *, given: str = "") -> Columns:
    """Find out which columns of a log say what, from their names.

    Args:
        file: the log.
        given: the column that has the input, where its name does not say so.

    Raises:
        InputError: when the file cannot be read, or no column is known to have the input.
    """
    if file.suffix.lower() not in SUFFIXES:
        raise InputError(Problem(str(file), "is neither JSON lines nor CSV", f"a log ends in {', '.join(SUFFIXES)}"))
    if not file.is_file():
        raise InputError(Problem(str(file), "no such file"))
    try:
        records = list(islice(_records(file), _LOOKED_AT))
    except OSError as error:
        raise InputError(Problem(str(file), f"cannot be read: {error.strerror}")) from None
    names = list(dict.fromkeys(name for _, record in records if isinstance(record, dict) for name in record))
    if not names:
        problems = [record for _, record in records if isinstance(record, Problem)]
        raise InputError(problems or Problem(str(file), "is empty"))
    if given and given not in names:
        raise InputError(Problem(str(file), f"there is no column {given!r}", did_you_mean(given, names)))
    filled = Counter(name for _, record in records if isinstance(record, dict) for name in record if record[name])
    usable = [name for name in names if 2 * filled[name] >= max(filled.values(), default=0)]
    chosen = given or _first(usable, _INPUT) or _first(names, _INPUT)
    if not chosen:
        near = [name for name in names if get_close_matches(_plain(name), _INPUT.split(), n=1, cutoff=0.75)]
        hint = f"did you mean {near[0]!r}? " if near else ""
        hint += f"name the column with --input COLUMN: {', '.join(names[:30])}"
        raise InputError(Problem(str(file), "no column is known to hold what users asked", hint))
    rest = [name for name in names if name != chosen]
    signals = [name for name in rest if _plain(name) in (*_LIKED, *_RATED, *_FAILED, *_STATUS, *_TIMED)]
    return Columns(
        input=chosen,
        output=_first(rest, _OUTPUT),
        slice=_first(rest, _SLICE),
        session=_first(rest, _SESSION),
        signals=tuple(signals),
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s.\-]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())).lower()


def _first(names: Sequence[str], known: str) -> str:
    """The column whose name stands first in a list of known ones."""
    by_name = {_plain(name): name for name in reversed(names)}
    return next((by_name[word] for word in known.split() if word in by_name), "")


def read_log(file: Path, columns: Columns) -> Iterator[LogLine | Problem]:
    """Each request of a log in order, or why the line cannot be used."""
    for number, record in _records(file):
        if isinstance(record, Problem):
            yield record
            continue
        try:
            yield _line(number, record, columns)
        except ValueError as error:
            yield Problem(f"{file}:{number}", str(error))


def _records(file: Path) -> Iterator[tuple[int, dict[str, Any] | Problem]]:
    return _csv_records(file) if file.suffix.lower() in (".csv", ".tsv") else _json_records(file)


def _json_records(file: Path) -> Iterator[tuple[int, dict[str, Any] | Problem]]:
    with file.open("rb") as lines:
        for number, raw in enumerate(lines, start=1):
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            if not line.strip():
                continue
            try:
                yield number, codec.decode(line, dict[str, Any])
            except UnicodeDecodeError:
                yield number, Problem(f"{file}:{number}", "not UTF-8")
            except json.JSONDecodeError as error:
                yield number, Problem(f"{file}:{number}:{error.colno}", f"not JSON: {error.msg}")
            except (ValueError, RecursionError) as error:  # another shape than an object, NaN
                yield number, Problem(f"{file}:{number}", f"not a JSON object: {error}")


def _csv_records(file: Path) -> Iterator[tuple[int, dict[str, Any] | Problem]]:
    # What is not UTF-8 comes as lone surrogates, so that the line it is in can be told from the rest.
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        first = text.readline()
        delimiter = max(",;\t|", key=first.count)
        text.seek(0)
        reader = csv.reader(text, delimiter=delimiter)
        header: list[str] = []
        while True:
            start = reader.line_num + 1
            where = f"{file}:{start}"
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield start, Problem(where, f"not CSV: {error}")
                continue
            if not header:
                header = [cell.strip() for cell in cells]
            elif not any(cells):
                continue
            elif len(cells) != len(header):
                yield start, Problem(where, f"{len(cells)} cells, but the header names {len(header)} columns")
            elif any("\udc80" <= letter <= "\udcff" for cell in cells if not cell.isascii() for letter in cell):
                yield start, Problem(where, "not UTF-8")
            else:
                yield start, dict(zip(header, cells, strict=True))


def _line(number: int, record: dict[str, Any], columns: Columns) -> LogLine:
    """A record as a request.

    Raises:
        ValueError: when it asks nothing.
    """
    asked, said = _input(record.get(columns.input), columns.input)
    signals = {name: record[name] for name in columns.signals if record.get(name) not in (None, "")}
    words = {_plain(name): codec.text_of(value).strip().lower() for name, value in signals.items()}
    ratings = [float(words[name]) for name in _RATED if _is_number(words.get(name, ""))]
    return LogLine(
        number=number,
        input=asked,
        output=record.get(columns.output) or said if columns.output else said,
        slice=codec.text_of(record.get(columns.slice)).strip() if columns.slice else "",
        session=codec.text_of(record.get(columns.session)).strip() if columns.session else "",
        flagged=_is_flagged(words),
        rating=min(ratings, default=None),
        signals=signals,
    )


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", text) is not None


def _is_flagged(words: dict[str, str]) -> bool:
    """Whether any signal says that it went wrong. A vote of 0 may be no vote at all: it says nothing."""
    return (
        any(words.get(name, "") in _DOWN for name in _LIKED)
        or any(words.get(name, "") not in _NO for name in _FAILED)
        or any(re.match(r"[45]\d\d\b|.*(error|fail|timeout)", words.get(name, "")) is not None for name in _STATUS)
    )


def _input(value: Any, column: str) -> tuple[str | dict[str, Any], Any]:
    """What was asked, and what was answered where a conversation ends with an answer."""
    if isinstance(value, str):
        if value.lstrip().startswith(("[", "{")):
            try:
                return _input(json.loads(value), column)
            except (ValueError, RecursionError):  # text that looks like JSON is text
                pass
        if not value.strip():
            raise ValueError(f"{column} is empty")
        return value, None
    if isinstance(value, dict) and value and "messages" not in value:
        return value, None
    messages = value.get("messages") if isinstance(value, dict) else value
    if not isinstance(messages, list):
        raise ValueError(f"{column}: expected text, got {'nothing' if value is None else type(value).__name__}")
    return _conversation(messages, column)


def _conversation(messages: Iterable[Any], column: str) -> tuple[dict[str, Any], Any]:
    turns = list(messages)
    if not all(isinstance(turn, dict) and isinstance(turn.get("role"), str) for turn in turns):
        raise ValueError(f"{column}: expected messages with role and content")
    asked = max((place for place, turn in enumerate(turns, start=1) if turn["role"] == "user"), default=0)
    if not asked:
        raise ValueError(f"{column}: no message of a user")
    answers = [turn.get("content") for turn in turns[asked:] if turn["role"] == "assistant"]
    return {"messages": turns[:asked]}, answers[-1] if answers else None
