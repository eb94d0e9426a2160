"""A verdict for programs and spreadsheets: one JSON object, or one line of CSV for each row that moved."""

import csv
import io
import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from gatewatch.core.money import Cost
from gatewatch.offline.reports.moves import change
from gatewatch.offline.reports.texts import RowTexts
from gatewatch.offline.verdict import VERDICT_KIND, VERDICT_VERSION, Figures, RowDiff, Side, Verdict

COLUMNS = (
    *("id", "scorer", "slice", "effect", "before", "after", "delta", "crossed", "must_pass", "confirmed", "flaky"),
    *("accepted", "why", "input", "expected", "output_before", "output_after"),
)
FIGURES = (
    *("verdict", "gating", "baseline", "candidate", "delta", "interval", "lower", "method", "p", "p_adjusted", "rose"),
    *(
        "wins",
        "losses",
        "ties",
        "fixed",
        "broke",
        "errors",
        "lost_share",
        "skipped",
        "dropped",
        "n",
        "groups",
        "sd",
        "mde",
        "needed",
    ),
    *("flips", "blocked_by", "reasons"),
)
_MEASURES = ("cost", "judge_cost", "latency_s")
# Control characters but for tabs and ends of lines, and marks that turn the direction of text.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict in the form that `gate --json` prints (see the reference): every key is there, null is unknown.

    Means and changes are in 0..1, amounts in US dollars, latencies in seconds. `cost.reruns` is 0 where nothing was run
    again.
    """
    before, after = verdict.baseline, verdict.candidate
    return {
        "kind": VERDICT_KIND,
        "version": VERDICT_VERSION,
        "verdict": verdict.verdict,
        "reasons": list(verdict.reasons),
        "rule": verdict.rule,
        "suite": verdict.suite,
        "baseline": _side(before),
        "candidate": _side(after),
        "changed": {name: list(pair) for name, pair in verdict.changed.items()},
        "attribution": verdict.attribution,
        "remarks": list(verdict.remarks),
        "layers": [_fields(layer) for layer in verdict.layers],
        "mde": verdict.mde,
        "scorers": {name: _figures(each) for name, each in verdict.scorers.items()},
        "slices": {
            part: {name: _figures(each) for name, each in scorers.items()} for part, scorers in verdict.slices.items()
        },
        "explore": [{"scorer": scorer, "slice": part, "q": q} for scorer, part, q in verdict.explore],
        "cost": {
            **_costs(after),
            "baseline": _costs(before),
            "reruns": _total(verdict.rerun_cost) if verdict.reruns else 0.0,
        },
        "latency_s": {
            "baseline": dict(before.latency_s) if before is not None else {},
            "candidate": dict(after.latency_s) if after is not None else {},
        },
        "ceilings": [_fields(ceiling) for ceiling in verdict.ceilings],
        "accepted": [_fields(accepted) for accepted in verdict.accepted],
        "open": [_fields(each) for each in verdict.open],
        "rows": [_fields(row) for row in verdict.rows],
        "new": list(verdict.new),
        "removed": list(verdict.removed),
        "altered": list(verdict.altered),
        "paired": verdict.paired,
        "identical": verdict.identical,
        "reruns": verdict.reruns,
        "seed": verdict.seed,
        "stopped": verdict.stopped,
        "reach": list(verdict.reach),
        "next": list(verdict.next),
        "exit_code": verdict.exit_code,
    }


def _fields(struct: Struct) -> dict[str, Any]:
    """Every field of a struct, those with their default among them, as plain values."""
    found = msgspec.structs.asdict(struct)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def _figures(figures: Figures) -> dict[str, Any]:
    found = _fields(figures) | {"flips": None if figures.flips is None else _fields(figures.flips)}
    return {name: found[name] for name in FIGURES}


def _side(side: Side | None) -> dict[str, Any] | None:
    """Which run a side is; what it cost and how long it took stand elsewhere."""
    if side is None:
        return None
    found = {name: value for name, value in _fields(side).items() if name not in _MEASURES}
    return {name: _fields(value) if isinstance(value, Struct) else value for name, value in found.items()}


def _costs(side: Side | None) -> dict[str, float | None]:
    if side is None:
        return {"task": None, "judge": None}
    return {"task": _total(side.cost), "judge": _total(side.judge_cost)}


def _total(cost: Cost | None) -> float | None:
    return None if cost is None else cost.total


def as_csv(verdict: Verdict, texts: Mapping[str, RowTexts] | None = None) -> str:
    """A line for each row that moved, all of them, with texts where they are at hand; no cell is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    nothing = RowTexts()
    for row in verdict.rows:
        writer.writerow([_cell(value) for value in _values(row, (texts or {}).get(row.id, nothing))])
    return out.getvalue()


def _values(row: RowDiff, texts: RowTexts) -> list[Any]:
    moved = change(row)
    return [
        row.id,
        row.scorer,
        row.slice,
        row.effect,
        row.before,
        row.after,
        None if moved is None else round(moved, 12),
        row.crossed,
        row.must_pass,
        row.confirmed,
        row.flaky,
        row.accepted,
        row.why,
        texts.input,
        texts.expected,
        texts.before,
        texts.after,
    ]


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return inert(value) if isinstance(value, str) else value


def inert(cell: str) -> str:
    """A cell that neither a spreadsheet nor a terminal takes for more than text."""
    cell = cell.replace("\r\n", "\n").replace("\r", "\n")  # which the csv module leaves without quotation marks
    cell = _STEERING.sub("\ufffd", cell.encode("utf-8", "replace").decode())
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\n")) else cell
