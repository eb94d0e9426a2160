"""Exceptions in the open: cases and scorers that were accepted, in a text file that is reviewed as code is.

    [[accepted]]
    case = "refund-7"                 # or scorer = "helpful"; both: the case under that scorer alone
    reason = "the policy changed; the new answer is right"
    until = 2026-12-31                # the last day on which it holds
    owner = "mia"
    suite = "support"                 # optional: only in this suite

What is accepted does not block and stays listed. On the day after `until` the gate fails until somebody looks again.
"""

import fcntl
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from msgspec import Struct

from gatewatch.core import shape, toml
from gatewatch.core.case import Open
from gatewatch.core.clock import now
from gatewatch.core.errors import InputError, Problem
from gatewatch.offline.verdict import Accepted, RowDiff

FILE = "accepted.toml"
_ENTRY = re.compile(r"^[ \t]*\[\[[ \t]*accepted[ \t]*\]\]", re.MULTILINE)
_CONFLICT = re.compile(rb"^(<{7}|>{7})", re.MULTILINE)
_HEAD = """\
# What the gate accepts, with a reason, an owner and a last day: see `gatewatch accept`.
# An entry that has expired fails the gate.
"""


class Entry(Struct, frozen=True, kw_only=True):
    """One exception as it is written."""

    reason: str
    until: date
    owner: str
    case: str = ""
    scorer: str = ""
    suite: str = ""

    @property
    def what(self) -> str:
        """What is accepted, in words."""
        if self.case and self.scorer:
            return f"case {self.case} under {self.scorer}"
        return f"case {self.case}" if self.case else f"scorer {self.scorer}"


class _File(Struct, frozen=True):
    accepted: tuple[Entry, ...] = ()


class Exceptions:
    """The exceptions that a gate takes account of; the cases of the dataset that are open are excepted like them."""

    def __init__(
        self,
        entries: Iterable[tuple[str, Entry]] = (),
        *,
        today: date | None = None,
        open_cases: Mapping[str, Open] | None = None,
    ) -> None:
        self.today = today or now().date()
        self.open = open_cases or {}
        # Of entries for one and the same thing the last one holds: that is how one is renewed.
        last = {(entry.case, entry.scorer, entry.suite): (where, entry) for where, entry in entries}
        self.entries = tuple(last.values())
        self._live = [entry for _, entry in self.entries if entry.until >= self.today]
        self._by_case: dict[str, list[Entry]] = {}
        for entry in self._live:
            self._by_case.setdefault(entry.case, []).append(entry)

    def with_open(self, cases: Mapping[str, Open]) -> "Exceptions":
        """The same exceptions, and some cases that are open."""
        return Exceptions(self.entries, today=self.today, open_cases=cases) if cases else self

    def of_scorer(self, name: str) -> Entry | None:
        """The exception for a whole scorer, if there is one."""
        return next((entry for entry in self._live if entry.scorer == name and not entry.case), None)

    def under(self, scorer: str) -> frozenset[str]:
        """The cases that are accepted under a scorer."""
        accepted = (entry.case for entry in self._live if entry.case and entry.scorer in ("", scorer))
        return frozenset((*accepted, *self.open))

    def reason(self, case: str, scorer: str) -> str:
        """Why a case is accepted under a scorer, or nothing."""
        for entry in (*self._by_case.get("", ()), *self._by_case.get(case, ())):
            if entry.scorer in ("", scorer):
                return f"{entry.reason} (until {entry.until}, {entry.owner})"
        found = self.open.get(case)
        return "" if found is None else f"open (until {found.until}{f', {found.owner}' if found.owner else ''})"

    def expired_reasons(self) -> list[str]:
        """Why the gate fails for exceptions that have expired."""
        return [
            f"{where}: the exception for {entry.what} expired on {entry.until} ({entry.owner}): "
            "renew it with a reason, or take it out"
            for where, entry in self.entries
            if entry.until < self.today
        ]

    def used(self, rows: Iterable[RowDiff]) -> tuple[Accepted, ...]:
        """Every exception, and whether there was anything for it to except."""
        moved: dict[str, set[str]] = {}
        for row in rows:
            if row.effect != "win" or row.why:
                for case in (row.id, ""):
                    moved.setdefault(case, set()).add(row.scorer)
        found = []
        for where, entry in self.entries:
            scorers = moved.get(entry.case, set())
            needed = entry.scorer in scorers if entry.scorer else bool(scorers)
            state = "expired" if entry.until < self.today else "holds" if needed else "idle"
            found.append(
                Accepted(
                    where=where,
                    what=entry.what,
                    reason=entry.reason,
                    until=str(entry.until),
                    owner=entry.owner,
                    state=state,  # type: ignore[arg-type]
                )
            )
        return tuple(found)


def read_exceptions(path: Path, suite: str, *, shown: str = FILE, today: date | None = None) -> Exceptions:
    """The exceptions that a file has for a suite; none when there is no file.

    Raises:
        InputError: with all that is wrong in the file.
    """
    if not path.is_file():
        return Exceptions(today=today)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        raw = toml.parse(text)
    except OSError as error:
        raise InputError(Problem(shown, f"cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError as error:
        raise InputError(Problem(shown, f"not UTF-8 at byte {error.start}", "save it as UTF-8")) from None
    except ValueError as error:
        raise InputError(Problem(shown, f"not TOML: {error}")) from None
    lines = [1 + text.count("\n", 0, match.start()) for match in _ENTRY.finditer(text)]
    problems = list(_flaws(raw, lines, shown))
    if problems:
        raise InputError(problems)
    found = shape.convert(raw, _File)
    assert isinstance(found, _File)
    placed = zip(lines, found.accepted, strict=False)
    return Exceptions(((f"{shown}:{line}", entry) for line, entry in placed if entry.suite in ("", suite)), today=today)


def _flaws(raw: dict[str, Any], lines: list[int], shown: str) -> Iterable[Problem]:
    converted = shape.convert(raw, _File)
    if isinstance(converted, list):
        for at, what, hint in converted:
            yield Problem(f"{shown}: {at}", what, hint)
        return
    for line, entry in zip(lines, converted.accepted, strict=False):
        where = f"{shown}:{line}"
        if not (entry.case or entry.scorer):
            yield Problem(where, "names neither a case nor a scorer", 'write case = "..." or scorer = "..."')
        for key in ("reason", "owner"):
            if not getattr(entry, key).strip():
                yield Problem(f"{where}: {key}", "is empty", "say who accepts it, and why")
    if len(lines) != len(converted.accepted):
        yield Problem(shown, "write each exception as a table of its own", "[[accepted]] on a line by itself")


def entries_in(data: bytes) -> tuple[Entry, ...]:
    """The exceptions in the bytes of a file; none where it cannot be read."""
    try:
        found = shape.convert(toml.parse(data.decode("utf-8-sig")), _File)
    except ValueError:
        return ()
    return found.accepted if isinstance(found, _File) else ()


def write_entry(path: Path, entry: Entry) -> bool:
    """Put an exception at the end of the file, which is made if there is none; the rest of it is left as it is. False
    where the very same one is there and holds, and nothing was written.

    Raises:
        InputError: when it cannot be written, or has a merge conflict in it.
    """
    fields = [("case", entry.case), ("scorer", entry.scorer), ("suite", entry.suite)]
    lines = [f"{key} = {_quoted(value)}\n" for key, value in fields if value]
    lines += [
        f"reason = {_quoted(entry.reason)}\n",
        f"until = {entry.until.isoformat()}\n",
        f"owner = {_quoted(entry.owner)}\n",
    ]
    try:
        with path.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            there = file.read()
            if _CONFLICT.search(there):
                raise InputError(Problem(str(path), "a merge conflict is not resolved", "settle it first"))
            about = (entry.case, entry.scorer, entry.suite)
            same = [each for each in entries_in(there) if (each.case, each.scorer, each.suite) == about]
            if same and same[-1] == entry:
                return False
            gap = _HEAD if not there else "" if there.endswith(b"\n") else "\n"
            file.write(f"{gap}\n[[accepted]]\n{''.join(lines)}".encode())
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be written: {error.strerror}")) from None
    return True


def _quoted(text: str) -> str:
    """Text as TOML writes it: JSON's strings are TOML's, but for half of a surrogate pair."""
    import json

    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")
