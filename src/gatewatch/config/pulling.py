"""Pulling, composed: what waits in a project's outbox, or in a server's, is written into the files of this checkout."""

import re
from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from gatewatch.config.load import shortest
from gatewatch.config.project import Project
from gatewatch.core.change import Change, ChangeState, change_name
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.failure import number_in
from gatewatch.loop.pull import Applied, Branch, Outbox, apply, here, is_merged

_EVERY = 1000
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


class Pulled(Struct, frozen=True):
    """What became of a change: it was applied, or, of one that was pulled before, is in the main branch by now
    (`applied` is None); or why it could not be applied, so that it waits on."""

    change: Change
    applied: Applied | None = None
    problems: tuple[Problem, ...] = ()


def waiting(outbox: Outbox, states: Sequence[ChangeState] = ("pending",)) -> list[Change]:
    """All changes in some states, by number."""
    found: list[Change] = []
    while some := outbox.changes(states, after=found[-1].id if found else 0, most=_EVERY):
        found += some
    return found


def pull(
    project: Project, outbox: Outbox, now: float, *, dry: bool = False, again: bool = False
) -> tuple[list[Pulled], str]:
    """Write what waits into the checkout's files, in order, each once; and look which of what was pulled is in the main
    branch. What came of each, and that branch ("" where there is none).

    One that cannot be applied waits on, and the others do not wait for it.

    Args:
        project: the project of the checkout.
        outbox: where changes wait.
        now: in seconds since the epoch.
        dry: whether only to say what waits.
        again: whether what some checkout pulled, and no main branch has, is written here as well.
    """
    branch, where, done = Branch(project.root), here(project.root), []
    datasets = {each.dataset for each in project.settings.suites.values()}
    merged = {change.id for change in waiting(outbox, ("pulled",)) if branch.name and is_merged(change, branch.file)}
    for change in waiting(outbox, ("pending", "pulled") if again else ("pending",)):
        if change.id in merged:
            continue
        if dry:
            done.append(Pulled(change))
            continue
        try:
            applied = apply(change, shortest(project.root), datasets)
            if change.state == "pulled" and applied.what == "there":
                continue
            done.append(Pulled(outbox.turn_change(change.id, "pulled", now, where=where) or change, applied))
        except InputError as error:
            done.append(Pulled(change, problems=error.problems))
    if branch.name and not dry:
        for change in waiting(outbox, ("pulled",)):
            if is_merged(change, branch.file):
                done.append(Pulled(outbox.turn_change(change.id, "merged", now, where=where) or change))
    return done, branch.name


def patch(project: Project, outbox: Outbox) -> tuple[str, list[Problem]]:
    """What waits, as a patch of the checkout's files that `git apply` takes; and why some of it is not in it.

    Files are as they stand here, committed or not; nothing is written to them.
    """
    problems: list[Problem] = []
    datasets = {each.dataset for each in project.settings.suites.values()}
    with TemporaryDirectory() as folder:
        copied: dict[str, bytes] = {}
        for change in waiting(outbox):
            if not _copied(project.root, Path(folder), change.path, copied):
                problems.append(Problem(f"{change_name(change.id)}: {change.path}", "is no file of this project"))
                continue
            try:
                apply(change, Path(folder), datasets)
            except InputError as error:
                problems += error.problems
        parts = [_difference(path, before, Path(folder) / path) for path, before in sorted(copied.items())]
    return "".join(parts), problems


def _copied(root: Path, folder: Path, name: str, copied: dict[str, bytes]) -> bool:
    """Copy a file of the project, where it is one, and say whether it is."""
    there = (root / name).resolve()
    if not there.is_relative_to(root.resolve()):
        return False
    if name not in copied:
        copied[name] = there.read_bytes() if there.is_file() else b""
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if there.is_file():
            (folder / name).write_bytes(copied[name])
    return True


def _difference(path: str, before: bytes, now: Path) -> str:
    """How a file differs from what it was, as `git diff` has it; "" where it does not."""
    after = now.read_bytes() if now.is_file() else b""
    if after == before:
        return ""
    old, new = (_LINE.findall(data.decode("utf-8", "surrogateescape")) for data in (before, after))
    found = [f"diff --git a/{path} b/{path}\n"] + ([] if before else ["new file mode 100644\n"])
    for line in unified_diff(old, new, f"a/{path}" if before else "/dev/null", f"b/{path}"):
        found.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(found)


def withdraw(outbox: Outbox, name: str, now: float, who: str) -> Change:
    """Take a change back that nobody has yet.

    Raises:
        InputError: there is none of that name, or somebody has it.
    """
    number = number_in(name, "C")
    known = None if number is None else next(iter(outbox.changes(after=number - 1, most=1)), None)
    if known is None or known.id != number:
        raise InputError(Problem(name, "there is no such change", "`gatewatch pull --list` lists them"))
    found = known if known.state != "pending" else outbox.turn_change(known.id, "withdrawn", now, where=who)
    if found is None or found.state != "withdrawn":
        what = f"is {known.state if found is None else found.state}: it is in somebody's files"
        raise InputError(Problem(change_name(known.id), what, "take it out of the file, and commit that"))
    return found
