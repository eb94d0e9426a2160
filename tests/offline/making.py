"""What the tests of the offline room share: making files, plans and runs in a folder of their own."""

import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.errors import InputError
from gatewatch.core.run import DatasetRef, Row, RunHeader, ScorerRef
from gatewatch.core.threads import DaemonPool
from gatewatch.offline.dataset import Dataset, from_cases
from gatewatch.offline.journal import Journal
from gatewatch.offline.plan import Plan, choose
from gatewatch.offline.result import Prepared, RunResult, execute, progress_of
from gatewatch.offline.task import Task
from gatewatch.offline.tasks.call import CallTask
from gatewatch.scorers.base import Scorer, built_in

PATIENCE_S = 30
"""Far longer than any test here takes: what has not ended by then never would."""


def _same(output: Any, expected: str) -> bool:
    return bool(output == expected)


EXACT = built_in("exact", _same, version="1", binary=True)


def text_cases(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Cases c0, c1 ... with the inputs q0, q1 ..., and any other fields alike."""
    return [{"id": f"c{number}", "input": f"q{number}", **fields} for number in range(count)]


def write(path: Path, *lines: str | bytes) -> Path:
    """A file of these lines, each ended by a newline."""
    path.write_bytes(b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines))
    return path


def problems(act: Callable[[], object]) -> list[str]:
    """What is said to be wrong, one problem a line."""
    with pytest.raises(InputError) as caught:
        act()
    return str(caught.value).splitlines()


def header(
    scorers: Mapping[str, ScorerRef] | Sequence[str] = (), *, cases: int = 1, trials: int = 1, **fields: Any
) -> RunHeader:
    """The header of a run that was never made."""
    refs = scorers if isinstance(scorers, Mapping) else {name: ScorerRef("f" * 12) for name in scorers}
    fields = {"run": "demo-1", "task": "app:answer", **fields}
    return RunHeader(dataset=DatasetRef("d.jsonl", "0" * 12, cases), scorers=dict(refs), trials=trials, **fields)


def prepare(
    folder: Path,
    task: Callable[..., Any] | Task,
    cases: Sequence[Case | dict[str, Any]] | Dataset,
    scorers: Sequence[Scorer] = (),
    *,
    name: str = "run",
    trials: int = 1,
    seed: int = 0,
    concurrency: int = 4,
    timeout: float = 10.0,
    pass_at: Mapping[str, float] | None = None,
    resume: bool = False,
    **plan: Any,
) -> Prepared:
    """A run, ready to start or to be gone on with, whose journal lies in a folder."""
    dataset = cases if isinstance(cases, Dataset) else from_cases(cases)
    made: Task
    if callable(task):
        made = CallTask(task, "app:answer", threads=DaemonPool(concurrency), timeout=timeout)
    else:
        made = task
    chosen = choose(dataset, made, scorers, trials=trials, seed=seed)
    head = RunHeader(
        run=name,
        task=made.spec,
        # Tests resume with another function in the place of the first: its code is not what they are about.
        components={name: each for name, each in made.versions.items() if name != "code"},
        dataset=DatasetRef(dataset.path, dataset.version, len(chosen)),
        scorers={
            each.name: ScorerRef(each.fingerprint, each.source, each.identity.parts, (pass_at or {}).get(each.name))
            for each in scorers
        },
        trials=trials,
        seed=seed,
    )
    path = folder / f"{name}.jsonl"
    whole = Plan(
        run=name,
        task=made,
        dataset=dataset,
        chosen=chosen,
        scorers=tuple(scorers),
        trials=trials,
        concurrency=concurrency,
        timeout=timeout,
        **plan,
    )
    return Prepared(whole, head, path, progress_of(path, head) if resume else None)


def run(
    folder: Path,
    task: Callable[..., Any] | Task,
    cases: Sequence[Case | dict[str, Any]] | Dataset,
    scorers: Sequence[Scorer] = (),
    *,
    watch: Callable[[Row], None] | None = None,
    **settings: Any,
) -> RunResult:
    """Make a run; it fails the test when it does not end."""
    with ended():
        return execute(prepare(folder, task, cases, scorers, **settings), watch=watch)


def rows_of(result: RunResult) -> dict[tuple[str, int], Row]:
    """The rows of a run by case and trial."""
    return {row.key: row for row in result.rows()}


@contextmanager
def ended() -> Iterator[None]:
    """Fail the test when the block does not end by itself."""

    def give_up(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"this did not end within {PATIENCE_S} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def write_journal(path: Path, head: RunHeader, rows: Sequence[Row]) -> Path:
    """A journal that was cut off after these rows."""
    journal = Journal.create(path, head)
    journal.close()
    append_rows(path, rows)
    return path


def append_rows(path: Path, rows: Sequence[Row]) -> None:
    """Put rows behind what a journal has."""
    from gatewatch.core import codec

    with path.open("ab") as file:
        for row in rows:
            file.write(codec.frame("row", codec.encode(row)))
