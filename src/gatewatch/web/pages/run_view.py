"""What the pages of one run show, made ready for their templates."""

from typing import Any

from msgspec import Struct

from gatewatch.config.run_briefs import RunBrief
from gatewatch.core import codec
from gatewatch.core.run import Row, RunHeader
from gatewatch.offline.joined import Joined
from gatewatch.offline.matrix import Cell
from gatewatch.offline.reports.words import direction
from gatewatch.offline.run_rows import By, RunRows
from gatewatch.offline.summary import Summary
from gatewatch.offline.verdict import Figures
from gatewatch.web.pages.compare_view import SIGNS
from gatewatch.web.pages.numbers import WAYS
from gatewatch.web.pages.texts import brief as shortened

ORDERS: dict[By, str] = {
    "worst": "worst first",
    "cost": "dearest first",
    "latency": "slowest first",
    "run": "as they were run",
}
BINS = 10
_ENDS = {
    "complete": ("pass", "✓"),
    "running": ("running", "●"),
    "partial": ("unsure", "~"),
    "broken": ("error", "!"),
    "unreadable": ("error", "!"),
}


class Score(Struct, frozen=True):
    """A scorer in the strip of a run: its figures, and how its values are spread over ten parts of 0 to 1."""

    name: str
    cell: Cell
    bars: list[int]


class SliceCell(Struct, frozen=True):
    """A slice under a scorer: its mean, and beside a baseline the change and which way that went."""

    mean: float | None
    n: int
    interval: tuple[float, float] | None = None
    figures: Figures | None = None
    way: str = "missing"


def sign_of(brief: RunBrief | None) -> tuple[str, str, str]:
    """The class, the sign and the word of how a run stands: what a gate said of it, else how it ended."""
    if brief is None:
        return "none", "—", "not read yet"
    if brief.state == "complete" and brief.word in SIGNS:
        return *SIGNS[brief.word], f"the gate said {brief.word}"
    if brief.state == "unreadable":
        return *_ENDS["unreadable"], f"cannot be read: {shortened(brief.reason, 300)}"
    return *_ENDS[brief.state], brief.state


def strip_of(rows: RunRows, brief: RunBrief | None) -> list[Score]:
    """A line for each scorer."""
    cells = {} if brief is None else brief.scorers
    return [Score(name, cells[name], histogram(rows, name)) for name in rows.scorers if name in cells]


def histogram(rows: RunRows, name: str) -> list[int]:
    """How many cases have a value in each of ten parts of 0 to 1."""
    import numpy as np

    values = rows.values.get(name)
    if values is None:
        return [0] * BINS
    found, _ = np.histogram(values[~np.isnan(values)], bins=BINS, range=(0.0, 1.0))
    return [int(each) for each in found]


def slices_of(summary: Summary, beside: Joined | None) -> dict[str, Any]:
    """Slices by scorers, those first that fell furthest; without a baseline those with the lowest mean."""
    figures = {} if beside is None else beside.verdict.slices
    lines = []
    for name, cases in summary.slices.items():
        cells = {}
        for scorer, said in summary.scorers.items():
            mine = said.slices.get(name)
            found = figures.get(name, {}).get(scorer)
            cells[scorer] = SliceCell(
                None if mine is None else mine.mean,
                0 if mine is None else mine.n,
                None if mine is None else mine.interval,
                found,
                "missing" if found is None else WAYS[direction(found)],
            )
        lines.append((name, cases, cells))
    lines.sort(key=lambda line: (_lowest(line[2]), line[0]))
    return {"lines": lines, "scorers": list(summary.scorers), "beside": beside}


def _lowest(cells: dict[str, SliceCell]) -> tuple[float, float]:
    deltas = [
        each.figures.delta for each in cells.values() if each.figures is not None and each.figures.delta is not None
    ]
    means = [each.mean for each in cells.values() if each.mean is not None]
    return min(deltas, default=0.0), min(means, default=2.0)


def changes_of(header: RunHeader, beside: Joined | None, *, every: bool) -> dict[str, Any]:
    """What the run is made of, beside the run that it is held against: what differs, or all of it."""
    before = {} if beside is None else beside.before.components
    changed = {} if beside is None else beside.verdict.changed
    names = list(dict.fromkeys([*header.components, *before]))
    lines = [(name, before.get(name, ""), header.components.get(name, "")) for name in names]
    shown = lines if every or beside is None else [line for line in lines if line[1] != line[2]]
    others = [(name, one, other) for name, (one, other) in changed.items() if name not in names]
    scorers = [(name, ref) for name, ref in header.scorers.items()]
    return {
        "lines": shown,
        "others": others,
        "beside": beside,
        "every": every,
        "hidden": len(lines) - len(shown),
        "refs": scorers,
    }


def log_of(summary: Summary) -> dict[str, Any]:
    """How the run went: its notes, its end, the pace that models were asked at, prices."""
    return {"summary": summary, "pace": summary.end.pace if summary.end is not None else {}}


def row_of(row: Row) -> dict[str, Any]:
    """A trial as a line of an export."""
    trace = row.trace
    assert trace is not None
    told: dict[str, Any] = {
        "id": row.case,
        "trial": row.trial,
        "slice": row.slice,
        "output": None if trace.output is None else codec.text_of(trace.output),
        "error": None if trace.error is None else trace.error.message,
        "latency_s": trace.latency_s,
        "cost": None if trace.cost is None else trace.cost.total,
        "input": codec.text_of(trace.input),
        "expected": None if row.expected is None else codec.text_of(row.expected),
    }
    for name, score in row.scores.items():
        told |= {
            f"{name}.value": score.value,
            f"{name}.status": score.status,
            f"{name}.label": score.label,
            f"{name}.explanation": score.explanation,
        }
    return told
