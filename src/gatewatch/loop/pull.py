"""Pulling: what waits in an outbox is written into a checkout's files, once, and found again in its main branch."""

import os
import platform
import subprocess
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from msgspec import Struct

from gatewatch.core import codec, shape
from gatewatch.core.case import Case
from gatewatch.core.change import Change, ChangeState, change_name
from gatewatch.core.errors import InputError, Problem
from gatewatch.loop.same import There, agrees, merged, origins, place, query_of
from gatewatch.offline.accept import FILE as EXCEPTIONS
from gatewatch.offline.accept import Entry, entries_in, write_entry
from gatewatch.offline.baseline import FOLDER, header_of, put_baseline
from gatewatch.offline.dataset import case_of
from gatewatch.offline.dataset_edit import Edit, Line, lines_of, placed, rewrite

_GIT_S = 30.0


class Outbox(Protocol):
    """Where changes wait: the project's store, or a server."""

    def changes(self, states: Collection[ChangeState] = (), *, after: int = 0, most: int = 1000) -> list[Change]:
        """Changes by number, of those in some states."""
        ...

    def turn_change(self, number: int, state: ChangeState, now: float, *, where: str = "") -> Change | None:
        """Move a change on, and give it as it is then."""
        ...


class Applied(Struct, frozen=True):
    """What became of a change in a checkout: a line was added or changed, or all of it was there; and where. `broken`
    are lines of the file that cannot be read, and were left as they are."""

    what: Literal["added", "changed", "there"]
    where: str
    broken: Sequence[Problem] = ()


# Applying


def apply(change: Change, root: Path, datasets: Collection[str] = ()) -> Applied:
    """Write a change into a checkout's files, whole or not at all; one that is there already is not written again.

    Args:
        change: the change; what it says is not trusted.
        root: the project's folder.
        datasets: the datasets that the project names, from its folder. A case goes into none but these.

    Raises:
        InputError: it cannot be applied here: its file is gone, or says something else by now, or is none that a change
            may write to. `NotWritable` where the file may not be written.
    """
    if change.kind == "case":
        if change.path not in datasets:
            raise _cannot(change, "is no dataset of this project", "its gatewatch.toml names the datasets it may go to")
        return _apply_case(change, root / change.path)
    if change.kind == "accept":
        if change.path != EXCEPTIONS:
            raise _cannot(change, "is not where exceptions are kept", f"they are in {EXCEPTIONS}")
        return _apply_exception(change, root / change.path)
    path = PurePosixPath(change.path)
    if path.parent != PurePosixPath(FOLDER) or path.suffix != ".jsonl" or (root / FOLDER).is_symlink():
        raise _cannot(change, "is not where a baseline is kept", f"they are in {FOLDER}/")
    return _apply_baseline(change, root / change.path)


def _cannot(change: Change, what: str, hint: str = "") -> InputError:
    return InputError(Problem(f"{change_name(change.id)}: {change.path}", what, hint))


def _case_in(change: Change) -> tuple[Case, str]:
    """The case that a change brings, and the id of the one that it is merged into.

    Raises:
        InputError: it has none.
    """
    case = case_of(change.body.get("case"), f"{change_name(change.id)}: case")
    if isinstance(case, list):
        raise InputError(case)
    return case, str(change.body.get("into", ""))


def _apply_case(change: Change, path: Path) -> Applied:
    new, into = _case_in(change)
    found: list[Applied] = []

    def written(lines: Sequence[Line]) -> Edit | None:
        broken = [problem for line in lines for problem in line.problems]
        if into:
            line, case = placed(lines, into, str(path))
            after = merged(case, new)
            what: Literal["changed", "there"] = "there" if after == case else "changed"
            found[:] = [Applied(what, f"{path}:{line.number}", broken)]
            return None if after == case else Edit({line.number: after})
        there = _there(new, lines, str(path))
        if there:
            found[:] = [Applied("there", f"{path}:{there}", broken)]
            return None
        found[:] = [Applied("added", str(path), broken)]
        return Edit(added=(new,))

    made = rewrite(path, written)
    (applied,) = found
    return Applied("added", f"{path}:{made[0].line}", applied.broken) if applied.what == "added" else applied


def _there(new: Case, lines: Sequence[Line], path: str) -> int:
    """The line in which a case is already; 0 for none.

    Raises:
        InputError: one that asks the same is something else.
    """
    query = query_of(new)
    for line in lines:
        case = line.case
        if case is None or (case.id != new.id and query_of(case) != query):
            continue
        known = not set(origins(new)).isdisjoint(origins(case))
        if known or (not case.retired and agrees(case.expected, new.expected)):
            return line.number
        why = f"and is retired: {case.retired}" if case.retired else "and expects something else"
        hint = "promote its request again with --merge, or withdraw the change (`gatewatch pull --withdraw`)"
        where = place(There(case, line.number), path)
        raise InputError(Problem(where, f"case {case.id} asks the same {why}", hint))
    return 0


def _apply_exception(change: Change, path: Path) -> Applied:
    entry = shape.convert(change.body, Entry)
    if isinstance(entry, list):
        raise InputError([Problem(f"{change_name(change.id)}: {at}", what, hint) for at, what, hint in entry])
    return Applied("added" if write_entry(path, entry) else "there", str(path))


def _apply_baseline(change: Change, path: Path) -> Applied:
    text = change.body.get("text")
    if not isinstance(text, str):
        raise _cannot(change, "the change has no baseline in it")
    data = text.encode("utf-8", "surrogatepass")
    there = path.read_bytes() if path.is_file() else b""
    if there == data:
        return Applied("there", str(path))
    if digest_of(there) != change.body.get("before", ""):
        if there and header_of(path, data).run in header_of(path, there).runs:  # it, or a later one
            return Applied("there", str(path))
        what = "is another baseline than the one that this was made after"
        raise _cannot(change, what, "make it anew with `gatewatch rebaseline`, or withdraw the change")
    put_baseline(path, data)
    return Applied("changed" if there else "added", str(path))


def digest_of(data: bytes) -> str:
    """By what a baseline's file is known: the SHA-256 of its bytes, "" for none."""
    return sha256(data).hexdigest() if data else ""


# Changes that others propose


def exception_change(entry: Entry, *, by: str, at: float) -> Change:
    """The change that puts an exception into accepted.toml.

    Args:
        entry: the exception.
        by: who proposes it.
        at: when, in seconds since the epoch.
    """
    body = {name: value for name, value in codec.plain(entry).items() if value}
    key = f"accept:{codec.digest(body)[:24]}"
    return Change(key=key, kind="accept", suite=entry.suite, path=EXCEPTIONS, body=body, by=by, at=at)


def baseline_change(path: str, data: bytes, before: bytes, *, suite: str, by: str, at: float) -> Change:
    """The change that pins a baseline.

    Args:
        path: its file, from the project's folder.
        data: the file, as it is to be.
        before: the file as it is now, b"" for none.
        suite: whose baseline it is.
        by: who proposes it.
        at: when, in seconds since the epoch.
    """
    body = {"text": data.decode("utf-8", "surrogatepass"), "before": digest_of(before)}
    key = f"baseline:{path}:{digest_of(data)[:24]}"
    return Change(key=key, kind="baseline", suite=suite, path=path, body=body, by=by, at=at)


# What is in the main branch


class Branch:
    """The main branch of a checkout, by what git has of it: that of its origin, else its own main or master. `name` is
    "" where there is none."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[str, bytes] = {}
        head = self._git("symbolic-ref", "--short", "refs/remotes/origin/HEAD").decode().strip()
        names = (head, "origin/main", "origin/master", "main", "master")
        self.name = next((each for each in names if each and self._git("rev-parse", "--verify", "-q", each)), "")

    def file(self, path: str) -> bytes:
        """A file as it is in the branch, by its path from the project's folder; b"" where it is not there."""
        if path not in self._read:
            self._read[path] = self._git("show", f"{self.name}:./{path}") if self.name else b""
        return self._read[path]

    def here(self) -> str:
        """The branch that is checked out, "" for none."""
        return self._git("symbolic-ref", "--short", "-q", "HEAD").decode("utf-8", "replace").strip()

    def has(self, commit: str) -> bool:
        """Whether a commit, by its hexadecimal name, is in the branch."""
        whole = self._git("rev-parse", "--verify", "-q", f"{commit}^{{commit}}").strip() if self.name else b""
        return bool(whole) and self._git("merge-base", whole.decode(), self.name).strip() == whole

    def _git(self, *words: str) -> bytes:
        with suppress(OSError, subprocess.TimeoutExpired):
            found = subprocess.run(
                ["git", "-C", str(self._root), *words],
                capture_output=True,
                timeout=_GIT_S,
                check=False,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            )
            return found.stdout if found.returncode == 0 else b""
        return b""


def here(root: Path) -> str:
    """What a checkout is called where it is told who pulled a change: its branch, and its machine."""
    return "@".join(filter(None, (Branch(root).here(), platform.node())))


def is_merged(change: Change, file: Callable[[str], bytes]) -> bool:
    """Whether a change that was pulled is in a branch, of which `file` gives the files by their paths."""
    data = file(change.path)
    if not data:
        return False
    with suppress(InputError):
        if change.kind == "case":
            new, into = _case_in(change)
            lines = lines_of(data, change.path)
            return any(_has(line.case, new, into) for line in lines if line.case is not None)
        if change.kind == "accept":
            entry = shape.convert(change.body, Entry)
            return entry in entries_in(data)
        text = str(change.body.get("text", "")).encode("utf-8", "surrogatepass")
        path = Path(change.path)
        return data == text or header_of(path, text).run in header_of(path, data).runs
    return False


def _has(case: Case, new: Case, into: str) -> bool:
    """Whether a line of the branch is the case that a change brought: by its hash, or by where it came from."""
    if into:
        return case.id == into and set(origins(new)) <= set(origins(case))
    return case.id == new.id and (case.hash == new.hash or not set(origins(new)).isdisjoint(origins(case)))
