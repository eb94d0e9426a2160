"""The runs that a project has: journals in its checkout, and those that were pushed to its store, as one list.

A journal from a store is copied into a folder when it is first read, and let go of when there are too many.
"""

import os
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Protocol

from msgspec import Struct

from gatewatch.config.load import FILE
from gatewatch.config.project import Project
from gatewatch.core.errors import GatewatchError, InputError, Problem
from gatewatch.core.run import RUN_ID, RunHeader
from gatewatch.offline.accept import FILE as ACCEPTED
from gatewatch.offline.baseline import baseline_path
from gatewatch.offline.journal import JournalReader, header_of
from gatewatch.offline.result import NAME, SUFFIX, find_run, run_paths
from gatewatch.store.uploads import KeptRun, parts_of

COPIED_BYTES = 2_000_000_000
"""How many bytes of journals from a store are kept copied, the one in use besides."""
LISTED = 1000
"""How many runs of a store are listed, the latest."""

Mark = tuple[str, int, int]
"""What tells one state of a file from another: its path, its length in bytes, when it was last written (ns)."""


class Pushed(Protocol):
    """As much of a store as has runs."""

    def runs(self, suite: str = "", *, since: float = 0.0, most: int = 50) -> list[KeptRun]:
        """See `Store.runs`."""
        ...

    def run(self, run: str) -> KeptRun | None:
        """See `Store.run`."""
        ...

    def run_part(self, run: KeptRun, part: int) -> bytes:
        """See `Store.run_part`."""
        ...


class StoredRun(Struct, frozen=True, kw_only=True):
    """A run, as a list has it: its header, when its journal was last written (or received), in seconds since the
    epoch, its length in bytes, and who pushed it, if it is the store's.
    """

    header: RunHeader
    at: float
    size: int
    path: Path | None = None
    kept: KeptRun | None = None

    @property
    def key(self) -> str:
        """What changes whenever the journal does."""
        return self.kept.digest if self.kept is not None else f"{self.path}:{self.size}:{self.at}"


class StoredRuns:
    """The runs of a project; threads may share it.

    Args:
        project: the checkout, or None where there is only a store.
        store: gives the runs that were pushed, or None.
        copies: a folder for journals from the store.
    """

    def __init__(self, project: Project | None, store: Pushed | None = None, copies: Path | None = None) -> None:
        self.project = project
        self._store = store
        self._copies = copies
        self._headers: dict[Mark, RunHeader | None] = {}
        self._pushed: dict[str, StoredRun] = {}
        self._lock = Lock()

    def listed(self, *, parts: bool = False) -> list[StoredRun]:
        """All runs that can stand for themselves, the latest first; each once, the checkout's before the store's. With
        `parts`, also those that were made for another: what was tried again, more trials."""
        found = {each.header.run: each for each in self._local()}
        for kept in self._store.runs(most=LISTED) if self._store is not None else ():
            if kept.run not in found and (each := self._of_store(kept)) is not None:
                found[kept.run] = each
        whole = (each for each in found.values() if parts or each.header.purpose in ("", "rescore"))
        return sorted(whole, key=lambda each: (each.at, each.header.run), reverse=True)

    def _local(self) -> list[StoredRun]:
        if self.project is None:
            return []
        found = []
        for path in run_paths(self.project.runs):
            with suppress(OSError):
                seen = mark_of(path)
                header = self._header(path, seen)
                if header is not None:
                    found.append(StoredRun(header=header, at=seen[2] / 1e9, size=seen[1], path=path))
        return found

    def _header(self, path: Path, seen: Mark) -> RunHeader | None:
        if seen not in self._headers:
            if len(self._headers) > 20_000:
                self._headers.clear()
            try:
                self._headers[seen] = JournalReader(path).header
            except InputError:  # a foreign file in the folder is nobody's run
                self._headers[seen] = None
        return self._headers[seen]

    def named(self, reference: str) -> StoredRun:
        """The run that a reference means: an id, a name, a suite (its newest), the start of an id, or "latest".

        Raises:
            InputError: none is meant, or more than one; it says which there are.
        """
        if RUN_ID.fullmatch(reference) is None or reference.endswith(SUFFIX):
            raise InputError(Problem("run", f"{reference[:100]!r} is no run's id or name"))
        if self.project is not None:
            with suppress(InputError):  # it may be one that was pushed
                return self._at(find_run(self.project.runs, reference))
        kept = self._store.run(reference) if self._store is not None else None
        if kept is not None and (found := self._of_store(kept)) is not None:
            return found
        listed = self.listed()
        for each in listed:
            if reference in ("latest", each.header.name, each.header.suite):
                return each
        starting = [each for each in listed if each.header.run.startswith(reference)]
        if len(starting) == 1:
            return starting[0]
        some = ", ".join(each.header.run for each in (starting or listed)[:3])
        if starting:
            raise InputError(Problem("run", f"{len(starting)} runs start so: {some}", "give the whole id, or a name"))
        hint = f"the newest: {some}" if some else "make one with `gatewatch run SUITE`, or push one"
        raise InputError(Problem("run", f"there is no run {reference[:100]!r}", hint))

    def _at(self, path: Path) -> StoredRun:
        seen = mark_of(path)
        return StoredRun(header=JournalReader(path).header, at=seen[2] / 1e9, size=seen[1], path=path)

    def _of_store(self, kept: KeptRun) -> StoredRun | None:
        found = self._pushed.get(kept.digest)
        if found is None or found.at != kept.received:
            if len(self._pushed) > 4 * LISTED:
                self._pushed.clear()
            try:
                header = header_of(kept.header, kept.run)
            except GatewatchError:
                return None
            found = self._pushed[kept.digest] = StoredRun(header=header, at=kept.received, size=kept.size, kept=kept)
        return found

    def journal(self, run: StoredRun) -> Path:
        """The journal of a run as a file; one from the store is copied first.

        Raises:
            StoreError: the store cannot be read.
            InputError: it is not there any more.
        """
        if run.path is not None:
            return run.path
        assert run.kept is not None and self._store is not None and self._copies is not None
        path = self._copies / f"{run.kept.digest}{SUFFIX}"
        with self._lock:
            if not path.is_file():
                self._make_room(run.kept.size)
                beside = path.with_suffix(".part")
                with beside.open("wb") as file:
                    for part in range(parts_of(run.kept.size)):
                        file.write(self._store.run_part(run.kept, part))
                beside.replace(path)
            os.utime(path)  # which tells when it was used last
        return path

    def _make_room(self, size: int) -> None:
        assert self._copies is not None
        self._copies.mkdir(parents=True, exist_ok=True)
        there = sorted(self._copies.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
        held = sum(path.stat().st_size for path in there)
        for path in there:
            if held + size <= COPIED_BYTES:
                return
            held -= path.stat().st_size
            path.unlink()

    def baseline(self, suite: str) -> Path | None:
        """The file of a suite's pinned baseline, where the checkout has one; a name that no suite can have has none."""
        if self.project is None or not NAME.fullmatch(suite):
            return None
        path = baseline_path(self.project.root, suite)
        return path if path.is_file() else None

    def rules(self) -> tuple[Mark, ...]:
        """The state of the files that say by what rule runs are compared."""
        if self.project is None:
            return ()
        return tuple(mark_of(self.project.root / name) for name in (FILE, ACCEPTED))


def mark_of(path: Path) -> Mark:
    """The state of a file; of one that is not there, a length of −1."""
    try:
        found = os.stat(path)  # noqa: PTH116 - it may not be there
    except FileNotFoundError:
        return str(path), -1, 0
    return str(path), found.st_size, found.st_mtime_ns
