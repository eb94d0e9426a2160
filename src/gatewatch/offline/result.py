"""Runs on the disk: naming a new one, finding an old one, going on with one that was cut off."""

import asyncio
import re
import secrets
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from gatewatch.core.clock import now
from gatewatch.core.errors import InputError, Problem, RunBroken
from gatewatch.core.run import Row, RunHeader
from gatewatch.core.score import models_named
from gatewatch.offline.flips import Again
from gatewatch.offline.journal import Journal, JournalReader, in_use
from gatewatch.offline.plan import Done, Key, Plan, paid
from gatewatch.offline.run import Runner
from gatewatch.offline.summary import Summary, Tally
from gatewatch.scorers.fingerprint import changed

if TYPE_CHECKING:
    from gatewatch.offline.gated import Gated

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
SUFFIX = ".jsonl"


class RunResult:
    """A run that was made: its journal, and what it says. Printing it shows the summary.

    `again`, where the run was made in this process, runs some of its cases again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.again: Again | None = None
        self._summary: Summary | None = None

    @property
    def id(self) -> str:
        """The run's id, which is also its journal's name."""
        return self.summary.header.run

    @property
    def summary(self) -> Summary:
        """The run, counted from its rows."""
        if self._summary is None:
            self._summary = summarise(self.path)
        return self._summary

    def rows(self) -> Iterator[Row]:
        """Each row of the run, in the order in which they were finished."""
        return JournalReader(self.path).rows()

    def compare(self, reference: "RunResult | str | Path") -> "Gated":
        """This run beside another: "baseline" (the pinned one), a run's result, id or name, or a file.

        Printing what it gives shows what changed, how each scorer moved, and the rows, regressions first.

        Raises:
            InputError: when nothing is meant, or it cannot be read.
        """
        from gatewatch.offline.baseline import baseline_name, baseline_path, is_baseline, read_baseline
        from gatewatch.offline.gated import compared
        from gatewatch.offline.outcomes import read_run

        after = read_run(self.path)
        if isinstance(reference, RunResult):
            return compared(read_run(reference.path), after)
        if reference == "baseline":
            path = baseline_path(self.path.parents[2], baseline_name(after))
        else:
            path = find_run(self.path.parent, str(reference))
        before = read_baseline(path) if is_baseline(path) else read_run(path)
        return compared(before, after, journal=self.path.with_name(f"{before.run}{SUFFIX}"))

    def __str__(self) -> str:
        from gatewatch.offline.report import as_text

        return as_text(self.summary)

    __repr__ = __str__  # what a notebook, or a failing assertion, shows


def summarise(path: Path) -> Summary:
    """Count a run's rows.

    Raises:
        InputError: when the file is not a run's journal.
    """
    reader = JournalReader(path)
    tally = Tally(reader.header)
    for row in reader.rows():
        tally.add(row)
    return tally.summary(reader.end, reader.damaged, running=in_use(path))


def new_run_id(stem: str) -> str:
    """An id for a new run: what it is a run of, when it began (UTC), and four random hex digits."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:70] or "run"
    return f"{slug}-{now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def run_paths(folder: Path) -> list[Path]:
    """The journals in a folder of runs, newest first."""
    paths = (path for path in folder.glob(f"*{SUFFIX}") if path.is_file())  # a pipe would keep its reader waiting
    return sorted(paths, key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def find_run(folder: Path, reference: str) -> Path:
    """The newest journal of a run named by its id, its name, its suite, the start of its id, its file, or "latest".

    Raises:
        InputError: when no run is meant, or more than one.
    """
    if reference.endswith(SUFFIX) and Path(reference).is_file():
        return Path(reference)
    paths = run_paths(folder)
    if not paths:
        raise InputError(Problem(reference, f"there are no runs in {folder}", "make one with `gatewatch run SUITE`"))
    if reference == "latest":
        return next((path for path in paths if _is_whole(path)), paths[0])
    exact = [path for path in paths if path.stem == reference]
    starting = [path for path in paths if path.stem.startswith(reference)]
    found = exact or [path for path in paths if reference in _names_of(path)][:1] or starting
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(path.stem for path in found[:5])
        raise InputError(
            Problem(reference, f"{len(found)} runs start so: {some}", "give the whole id, or a run's name")
        )
    newest = ", ".join(path.stem for path in paths[:3])
    raise InputError(Problem(reference, f"no such run in {folder}", f"the newest: {newest}"))


def _names_of(path: Path) -> tuple[str, ...]:
    try:
        header = JournalReader(path).header
    except InputError:  # a foreign file in the folder is nobody's run
        return ()
    return (header.name, header.suite) if header.purpose in _WHOLE else ()


_WHOLE = ("", "rescore")  # what a run is made for that can stand for its suite


def _is_whole(path: Path) -> bool:
    return bool(_names_of(path))


def unfinished(folder: Path, suite: str, name: str) -> Path | None:
    """The journal of the newest run of a suite under a name, if that run is not complete."""
    for path in run_paths(folder):
        try:
            header = JournalReader(path).header
        except InputError:
            continue
        if header.suite == suite and header.purpose in _WHOLE and name in ("", header.name, header.run):
            return path if summarise(path).state != "complete" else None
    return None


class Prepared(Struct, frozen=True):
    """A run ready to start: its plan, its header, where its journal lies, and what an earlier stretch left."""

    plan: Plan
    header: RunHeader
    path: Path
    done: Done | None = None


def progress_of(path: Path, header: RunHeader, *, task_is_paid: bool = True) -> Done:
    """What a run that was cut off has done, after making sure that it would be gone on with unchanged.

    `task_is_paid` says that the task's answers cost money now; those of a recording do not.

    Raises:
        InputError: naming all that differs between the run as it began and as it would go on.
        RunBroken: when another process is working on it.
    """
    if in_use(path):
        raise RunBroken(f"{path}: another process is working on this run")
    reader = JournalReader(path)
    differences = [
        Problem(str(path), f"cannot be resumed: {what} {was} when the run began and {now_is} now", "start a new run")
        for what, was, now_is in _differences(reader.header, header)
    ]
    if differences:
        raise InputError(differences)
    finished: set[Key] = set()
    started: dict[Key, Row] = {}
    costs = [0.0]
    judges: dict[str, dict[str, str]] = {}
    for row in reader.rows():
        for name, score in row.scores.items():
            judges.setdefault(name, {}).update(models_named(score.model) if score.counts else {})
        costs.append(paid(row, task=task_is_paid))
        if row.complete:
            finished.add(row.key)
        else:
            started[row.key] = row
    return Done(finished=frozenset(finished), started=started, spent=sum(costs), dearest=max(costs), judges=judges)


def _differences(before: RunHeader, after: RunHeader) -> Iterator[tuple[str, Any, Any]]:
    if before.dataset.version != after.dataset.version:
        yield "the dataset was", before.dataset.version, after.dataset.version
    if before.task != after.task:
        yield "the task was", before.task, after.task
    for name in sorted(before.components.keys() | after.components.keys()):
        one, other = before.components.get(name), after.components.get(name)
        if one != other:
            yield f"the component {name} was", one, other
    for name in sorted(before.scorers.keys() | after.scorers.keys()):
        was, is_now = before.scorers.get(name), after.scorers.get(name)
        if was is None or is_now is None:
            yield f"the scorer {name} was", "in use" if was else "not in use", "in use" if is_now else "not in use"
        elif was.fingerprint != is_now.fingerprint:
            parts = ", ".join(changed(was.parts, is_now.parts)) or "version"
            yield f"the scorer {name} ({parts}) was", was.fingerprint, is_now.fingerprint


def execute(
    prepared: Prepared,
    *,
    watch: Callable[[Row], None] | None = None,
    until: Callable[[Row], str] | None = None,
    beat: Callable[[], None] | None = None,
    closing: Callable[[], Awaitable[None]] | None = None,
) -> RunResult:
    """Make a run, or go on with one, and give its result.

    Args:
        prepared: what is to be run.
        watch: called with each finished row.
        until: asked after each finished row for a reason to begin no more; what is going on is finished.
        beat: called a few times a second as long as the run is alive.
        closing: awaited in the end, on the run's event loop, to let go of what the plan uses.

    Raises:
        RunBroken: when the run could not go on; what was done is in its journal.
        KeyboardInterrupt, SystemExit: when it was interrupted or told to end; what was done is in its journal.
    """
    if prepared.done is None:
        journal = Journal.create(prepared.path, prepared.header)
    else:
        journal = Journal.resume(prepared.path)
    runner = Runner(prepared.plan, journal, done=prepared.done, watch=watch, until=until, beat=beat)

    async def work() -> None:
        try:
            await runner.run()
        finally:
            await prepared.plan.task.close()
            if closing is not None:
                await closing()

    try:
        run_on_loop(work())
    finally:
        journal.close()
    return RunResult(prepared.path)


def run_on_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on an event loop of its own, from a notebook's running loop too.

    An interrupt or a SIGTERM cancels it, so that it can put things in order. The loop is left even when some task
    will not be cancelled: `asyncio.run` would wait for such a task for ever.
    """
    if not _is_on_a_loop():
        _run_here(coroutine)
        return
    failures: list[BaseException] = []
    stops: list[Callable[[], object]] = []

    def there() -> None:
        try:
            _run_here(coroutine, stops)
        except BaseException as error:
            failures.append(error)

    thread = Thread(target=there, name="gatewatch-run")
    thread.start()
    try:
        thread.join()
    except BaseException:  # interrupted: it must not go on, and go on paying, behind our back
        for stop in stops:
            with suppress(RuntimeError):  # its loop is closed: it is over
                stop()
        thread.join()
        raise
    if failures:
        raise failures[0]


def _is_on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _run_here(coroutine: Coroutine[Any, Any, None], stops: list[Callable[[], object]] | None = None) -> None:
    loop = asyncio.new_event_loop()
    main = loop.create_task(coroutine)
    if stops is not None:
        stops.append(lambda: loop.call_soon_threadsafe(main.cancel))
    caught: list[signal.Signals] = []

    def interrupt(number: signal.Signals) -> None:
        if not caught:
            main.cancel()
        caught.append(number)

    mine = (signal.SIGINT, signal.SIGTERM) if current_thread() is main_thread() else ()
    before = {number: signal.getsignal(number) for number in mine}
    for number in mine:
        loop.add_signal_handler(number, interrupt, number)
    try:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(main)
    except SystemExit as error:  # raised inside of a task of the application's own, past all that would hold it
        if caught:
            raise
        raise RunBroken(f"the application ended the process (exit code {error.code}); --resume goes on") from error
    finally:
        rest = [task for task in asyncio.all_tasks(loop) if not task.done()]
        for task in rest:
            task.cancel()
        if rest:
            loop.run_until_complete(asyncio.wait(rest, timeout=0.2))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.set_exception_handler(lambda _loop, _context: None)  # what is left will not end; that was said already
        loop.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        if caught[0] is signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + caught[0])
