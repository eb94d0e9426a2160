"""More than two runs: a table of scorers by runs, each beside the first."""

import io
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.offline.compare import Comparison
from gatewatch.offline.figures import figures
from gatewatch.offline.outcomes import Outcomes

MATRIX_KIND = "gatewatch.matrix"


class Cell(Struct, frozen=True, kw_only=True):
    """One scorer over one run: its mean with its interval, and the change from the first run over paired cases.

    `why` says why there is no change to be stated.
    """

    mean: float | None
    interval: tuple[float, float] | None
    n: int
    delta: float | None = None
    delta_interval: tuple[float, float] | None = None
    wins: int = 0
    losses: int = 0
    why: str = ""


class Matrix(Struct, frozen=True, kw_only=True):
    """Scorers by runs; the first run is the one that the others are held against."""

    kind: str = MATRIX_KIND
    version: int = 1
    runs: tuple[str, ...]
    labels: tuple[str, ...]
    paired: tuple[int, ...]
    cost: tuple[float | None, ...]
    scorers: dict[str, tuple[Cell, ...]]


def matrix(sides: Sequence[Outcomes]) -> Matrix:
    """Every scorer over every run, with its change from the first."""
    first = sides[0]
    comparisons = [Comparison(first, side) for side in sides]
    names = list(dict.fromkeys(name for side in sides for name in side.scorers))
    return Matrix(
        runs=tuple(side.run for side in sides),
        labels=tuple(side.label for side in sides),
        paired=tuple(len(each.paired) for each in comparisons),
        cost=tuple((side.task_cost + side.judge_cost).total for side in sides),
        scorers={name: tuple(_cell(each, name) for each in comparisons) for name in names},
    )


def cells_beside(before: Outcomes, after: Outcomes) -> dict[str, Cell]:
    """Every scorer over a run, with its change from another."""
    comparison = Comparison(before, after)
    return {name: _cell(comparison, name) for name in after.scorers}


def cell(run: Outcomes, name: str) -> Cell:
    """A scorer over a run that is held against nothing."""
    found = run.estimate(name)
    interval = None if found.interval is None else (found.interval.low, found.interval.high)
    return Cell(mean=found.mean, interval=interval, n=found.n)


def _cell(comparison: Comparison, name: str) -> Cell:
    bare = cell(comparison.after, name)
    if comparison.after is comparison.before or bare.mean is None:
        return bare
    why = comparison.rulers.get(name, "") or "; ".join(comparison.why_not())
    if why:
        return replace(bare, why=why)
    moved = figures(comparison, comparison.pairs(name), alpha=0.05, max_drop=0.0)
    return replace(bare, delta=moved.delta, delta_interval=moved.interval, wins=moved.wins, losses=moved.losses)


def as_text(found: Matrix, *, width: int = 100) -> str:
    """The table as plain text: a block for each scorer, a line for each run."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from gatewatch.core.money import dollars
    from gatewatch.offline.report import clean, number

    out = io.StringIO()
    console = Console(file=out, width=width, no_color=True, highlight=False, force_terminal=False)
    for name, cells in found.scorers.items():
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        table.add_column(Text(clean(name)), overflow="fold")
        for column in ("mean", "95 % interval", "change", "95 % interval", "down", "up"):
            table.add_column(column, justify="right", no_wrap=True)
        for label, cell in zip(found.labels, cells, strict=True):
            row: list[str | Text] = [Text(clean(label)), number(cell.mean), _span(cell.interval)]
            if cell.delta is None:
                row += [Text("not comparable" if cell.why else "—"), "", "", ""]
            else:
                row += [_points(cell.delta), _span(cell.delta_interval, points=True), str(cell.losses), str(cell.wins)]
            table.add_row(*row)
        console.print(table)
        for label, cell in zip(found.labels, cells, strict=True):
            if cell.why:
                console.print(Text(clean(f"! {label}: {cell.why}")))
        console.print()
    facts = [
        f"{label}: {paired} paired, cost {'unknown' if cost is None else dollars(cost)}"
        for label, paired, cost in zip(found.labels, found.paired, found.cost, strict=True)
    ]
    console.print(Text(clean(" · ".join(facts))))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).rstrip("\n")


def _points(value: float) -> str:
    return f"{value * 100:+.1f} pp".replace("-", "−")


def _span(interval: tuple[float, float] | None, *, points: bool = False) -> str:
    if interval is None:
        return "—"
    if points:
        return f"[{interval[0] * 100:+.1f}, {interval[1] * 100:+.1f}]".replace("-", "−")
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"
