"""What the tests of joined diffs share: two runs of the same cases in a folder, as journals."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewatch.core.money import Cost
from gatewatch.core.run import DatasetRef, Row, RunEnd, RunHeader, ScorerRef, trace_id
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Span, Trace
from gatewatch.offline.gated import compared
from gatewatch.offline.joined import Joined
from gatewatch.offline.journal import Journal
from gatewatch.offline.outcomes import read_run

SCORERS = {"exact": ScorerRef("f" * 12), "helpful": ScorerRef("e" * 12, "judge", pass_at=0.75)}


def a_row(
    run: str,
    case: str,
    output: Any = "the same",
    *,
    trial: int = 0,
    exact: float | Score = 1.0,
    helpful: float | Score = 0.9,
    slice_: str = "billing",
    asked: str | dict[str, Any] = "",
    error: str = "",
    tools: tuple[Span, ...] = (),
    cost: float = 0.001,
    latency_s: float = 1.0,
    **more: Any,
) -> Row:
    """A row of a case that went well, but for what is said of it."""
    given = {"exact": exact, "helpful": helpful}
    fault = Fault(error) if error else None
    failed = Score(0.0, status="task_error") if error else None
    scores = {name: failed or (each if isinstance(each, Score) else Score(each)) for name, each in given.items()}
    trace = Trace(
        id=trace_id(run, case, trial),
        input=asked or f"question of {case}",
        output=None if error else output,
        error=fault,
        spans=tools,
        cost=Cost(cost),
        latency_s=latency_s,
    )
    fields = {"hash": f"h-{case}", **more}
    return Row(case=case, trial=trial, slice=slice_, trace=trace, scores=scores, **fields)


def a_run(
    folder: Path,
    run: str,
    rows: list[Row],
    *,
    ended: bool = True,
    trials: int = 1,
    dataset_cases: int = 0,
    **about: Any,
) -> Path:
    """The journal of a run with these rows."""
    cases = dataset_cases or len({row.case for row in rows})
    fields: dict[str, Any] = {
        "suite": "support",
        "task": "app:answer",
        "components": {"prompt": run},
        "dataset": DatasetRef("datasets/support.jsonl", "0" * 12, cases),
        "scorers": SCORERS,
        "trials": trials,
        **about,
    }
    from gatewatch.core import codec

    path = folder / f"{run}.jsonl"
    Journal.create(path, RunHeader(run=run, **fields)).close()
    with path.open("ab") as file:
        for row in rows:
            file.write(codec.frame("row", codec.encode(row)))
        if ended:
            file.write(codec.frame("end", codec.encode(RunEnd("complete"))))
    return path


LOST = Score(status="scorer_error", explanation="the judge did not answer")

BEFORE: Mapping[str, dict[str, Any]] = {
    "same": {},
    "fell": {"output": "within thirty days", "latency_s": 1.0, "cost": 0.001},
    "slid": {"output": "thirty days", "helpful": 0.9, "slice_": "returns"},
    "rose": {"output": "no idea", "exact": 0.0, "helpful": 0.2, "slice_": "returns"},
    "broke": {"output": "fine"},
    "lost": {},
    "reworded": {"output": "thirty days"},
    "altered": {"hash": "h-1"},
    "gone": {},
}
AFTER: Mapping[str, dict[str, Any]] = {
    "same": {},
    "fell": {"output": "within thirty weeks", "exact": 0.0, "helpful": 0.3, "latency_s": 3.0, "cost": 0.004},
    "slid": {"output": "30 days", "helpful": 0.8, "slice_": "returns"},
    "rose": {"output": "thirty days", "slice_": "returns"},
    "broke": {"error": "the app crashed"},
    "lost": {"helpful": LOST},
    "reworded": {"output": "30 days"},
    "altered": {"hash": "h-2"},
    "new": {"output": "a new one"},
}


def two_runs(folder: Path) -> tuple[Path, Path]:
    """The journals of two runs, "one" and "two": a case of each kind there is, and thirty that stayed as they were."""
    folder.mkdir(parents=True, exist_ok=True)
    rest: dict[str, dict[str, Any]] = {f"c{number:02}": {} for number in range(30)}
    one = a_run(folder, "one", [a_row("one", case, **about) for case, about in {**BEFORE, **rest}.items()])
    two = a_run(folder, "two", [a_row("two", case, **about) for case, about in {**AFTER, **rest}.items()])
    return one, two


def joined(folder: Path) -> Joined:
    """The joined diff of the two."""
    one, two = two_runs(folder)
    return Joined(compared(read_run(one), read_run(two)))
