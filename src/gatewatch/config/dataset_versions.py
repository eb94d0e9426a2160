"""Versions of a dataset: as git has its file, as runs had it, and as it is; and what differs between two of them."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config.dataset_books import Book
from gatewatch.config.stored_runs import StoredRun, StoredRuns
from gatewatch.core.case import Case
from gatewatch.core.errors import GatewatchError, InputError, Problem
from gatewatch.offline.dataset import from_cases
from gatewatch.offline.dataset_edit import lines_of
from gatewatch.offline.journal import JournalReader

NOW = "now"
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_GIT_S = 20.0
_MOST_COMMITS = 48
_MOST_HELD = 60
_BUDGET_S = 1.5

Cases = Mapping[str, Case]


class Version(Struct, frozen=True, kw_only=True):
    """A version: `key` names it ("now", "git:COMMIT", "run:ID"), `at` is in seconds since the epoch. `cases` and what
    differs from the one before it (`added`, `removed`, `edited`) are None where there was no time to read it."""

    key: str
    kind: Literal["file", "commit", "run"]
    version: str = ""
    at: float = 0.0
    by: str = ""
    said: str = ""
    runs: tuple[str, ...] = ()
    cases: int | None = None
    added: int | None = None
    removed: int | None = None
    edited: int | None = None


class Change(Struct, frozen=True):
    """A case that differs between two versions: it was added (no `before`), removed (no `after`), or edited."""

    id: str
    before: Case | None
    after: Case | None

    @property
    def kind(self) -> Literal["added", "removed", "edited"]:
        """What became of it."""
        return "added" if self.before is None else "removed" if self.after is None else "edited"


class _Commit(Struct, frozen=True):
    id: str
    at: float
    by: str
    said: str


class _Read(Struct, frozen=True):
    """The cases of a version; of a run, which does not keep all of them, with their hashes."""

    cases: Cases
    hashes: Mapping[str, str] | None = None


class Versions:
    """The versions of a project's datasets; threads may share it.

    Args:
        root: the folder of the checkout.
        runs: the runs that there are.
    """

    def __init__(self, root: Path, runs: StoredRuns) -> None:
        self._root, self._runs = root, runs
        self._held: dict[tuple[str, str], tuple[Cases, str]] = {}
        self._lock = Lock()

    def listed(self, book: Book) -> list[Version]:
        """The versions of a dataset, the latest first: the file as it is, the commits that changed it, and the contents
        that only runs had."""
        until = monotonic() + _BUDGET_S
        now = {case.id: case for case in book.dataset}
        found = [Version(key=NOW, kind="file", version=book.dataset.version, cases=len(now))]
        commits = self._commits(book.known.path)
        after: Cases | None = now
        cases: Cases | None
        for each in commits:
            cases, version = None, ""
            if monotonic() < until:
                with suppress(InputError):
                    cases, version = self._of_commit(book.known.path, each.id)
            if after is not None and cases is not None:
                found[-1] = _counted(found[-1], differ(cases, after))
            found.append(
                Version(
                    key=f"git:{each.id}",
                    kind="commit",
                    version=version,
                    at=each.at,
                    by=each.by,
                    said=each.said,
                    cases=None if cases is None else len(cases),
                )
            )
            after = cases
        if len(found) > 1 and found[0].added == found[0].removed == found[0].edited == 0:
            found[0] = replace(found[0], said="as committed")
        had = self._had(book)
        found = [replace(each, runs=tuple(run.header.run for run in had.pop(each.version, []))) for each in found]
        return found + [
            Version(
                key=f"run:{runs[0].header.run}",
                kind="run",
                version=version,
                at=runs[0].at,
                runs=tuple(each.header.run for each in runs),
                cases=runs[0].header.dataset.cases,
            )
            for version, runs in had.items()
        ]

    def _had(self, book: Book) -> dict[str, list[StoredRun]]:
        """The runs that went over a dataset, by its version, the latest first."""
        found: dict[str, list[StoredRun]] = {}
        for each in self._runs.listed():
            if each.header.suite in book.known.suites or Path(each.header.dataset.path) == book.path:
                found.setdefault(each.header.dataset.version, []).append(each)
        return found

    def changes(self, book: Book, before: str, after: str) -> list[Change]:
        """What differs between two versions, by the id of the case.

        Raises:
            InputError: one of them is not to be had.
        """
        one, other = self._read(book, before), self._read(book, after)
        return differ(one.cases, other.cases, one.hashes, other.hashes)

    def _read(self, book: Book, key: str) -> "_Read":
        kind, _, name = key.partition(":")
        if key == NOW:
            return _Read({case.id: case for case in book.dataset})
        if kind == "git":
            return _Read(self._of_commit(book.known.path, name)[0])
        if kind == "run":
            return self._of_run(name)
        raise InputError(Problem("version", f"there is no version {key[:80]!r}", "choose one of the list"))

    def _of_run(self, name: str) -> "_Read":
        """The cases of a run, as far as its journal tells them: what they ask and expect, and their hashes."""
        path = self._runs.journal(self._runs.named(name))
        cases: dict[str, Case] = {}
        hashes: dict[str, str] = {}
        for row in JournalReader(path).rows():
            if row.trial == 0 and row.trace is not None:
                cases[row.case] = Case(
                    id=row.case,
                    input=row.trace.input,
                    expected=row.expected,
                    slice=row.slice,
                    must_pass=row.must_pass,
                )
                hashes[row.case] = row.hash
        return _Read(cases, hashes)

    # What git has

    def _of_commit(self, path: str, commit: str) -> tuple[Cases, str]:
        """The cases of a file in a commit, and their version."""
        if _COMMIT.fullmatch(commit) is None:
            raise InputError(Problem("version", f"{commit[:80]!r} is no commit"))
        with self._lock:
            held = self._held.get((path, commit))
        if held is None:
            data = self._git("show", f"{commit}:./{path}")
            if data is None:
                raise InputError(Problem("version", f"git has no {path} in {commit[:12]}"))
            cases = {line.case.id: line.case for line in lines_of(data, path) if line.case is not None}
            held = cases, from_cases(cases.values()).version if cases else ""
            with self._lock:
                if len(self._held) >= _MOST_HELD:
                    self._held.clear()
                self._held[path, commit] = held
        return held

    def _commits(self, path: str) -> list[_Commit]:
        told = self._git("log", f"-n{_MOST_COMMITS}", "--format=%H%x1f%at%x1f%an%x1f%s", "--", path) or b""
        return list(_commits(told.decode("utf-8", "replace")))

    def _git(self, *words: str) -> bytes | None:
        """What git says, None where it refuses, or there is none."""
        with suppress(OSError, subprocess.TimeoutExpired):
            found = subprocess.run(
                ["git", "-C", str(self._root), *words],
                capture_output=True,
                timeout=_GIT_S,
                check=False,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            )
            return found.stdout if found.returncode == 0 else None
        return None

    def texts(self, path: str) -> list[tuple[Version, str]]:
        """A text file of the checkout (a rubric) in the versions that git has, the latest first, with its text in each;
        the file as it is comes first, where it is another than the last commit's."""
        found = []
        for each in self._commits(path):
            data = self._git("show", f"{each.id}:./{path}")
            if data is not None:
                said = Version(key=f"git:{each.id}", kind="commit", at=each.at, by=each.by, said=each.said)
                found.append((said, data.decode("utf-8", "replace")))
        with suppress(OSError, GatewatchError):
            now = (self._root / path).read_text(encoding="utf-8-sig", errors="replace")
            if not found or found[0][1] != now:
                found.insert(0, (Version(key=NOW, kind="file"), now))
        return found


def _commits(told: str) -> Iterator[_Commit]:
    for line in told.splitlines():
        parts = line.split("\x1f")
        if len(parts) == 4 and parts[1].isdecimal():
            yield _Commit(parts[0], float(parts[1]), parts[2], parts[3])


def differ(
    before: Cases, after: Cases, one: Mapping[str, str] | None = None, other: Mapping[str, str] | None = None
) -> list[Change]:
    """What differs between two sets of cases: the removed first, then what was edited or added, in the order of the
    later. Where `one` or `other` has the hashes of a side, as of a run, cases are told apart by these alone."""
    found = [Change(case, each, None) for case, each in before.items() if case not in after]
    for case, each in after.items():
        was = before.get(case)
        if was is None:
            found.append(Change(case, None, each))
        elif one is None and other is None:
            found += [Change(case, was, each)] if was != each else []
        elif (was.hash if one is None else one[case]) != (each.hash if other is None else other[case]):
            found.append(Change(case, was, each))
    return found


def _counted(version: Version, changes: list[Change]) -> Version:
    kinds = [each.kind for each in changes]
    return replace(version, added=kinds.count("added"), removed=kinds.count("removed"), edited=kinds.count("edited"))
