"""More than two runs: a table of scorers by runs, each beside the first."""

import io
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.offline.compare import Comparison
from gatewatch.offline.gate import decide
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.reports.words import Direction, direction
from gatewatch.offline.rule import Rule
from gatewatch.offline.verdict import Figures

MATRIX_KIND = "gatewatch.matrix"


class Cell(Struct, frozen=True, kw_only=True):
    """One scorer over one run: its mean with its interval, and the change from the first run over paired cases.

    `way` is which way that went, as far as it is sure by the verdict of the two: see `reports.words.direction`. `why`
    says why there is no change to be stated.
    """

    mean: float | None
    interval: tuple[float, float] | None
    n: int
    delta: float | None = None
    delta_interval: tuple[float, float] | None = None
    wins: int = 0
    losses: int = 0
    way: Direction = "none"
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


def matrix(sides: Sequence[Outcomes], rule: Callable[[Outcomes], Rule] | None = None) -> Matrix:
    """Every scorer over every run, with its change from the first, by the rule that a run is judged by."""
    first = sides[0]
    comparisons = [Comparison(first, side) for side in sides]
    names = list(dict.fromkeys(name for side in sides for name in side.scorers))
    columns = [_cells(each, names, Rule() if rule is None else rule(each.after)) for each in comparisons]
    return Matrix(
        runs=tuple(side.run for side in sides),
        labels=tuple(side.label for side in sides),
        paired=tuple(len(each.paired) for each in comparisons),
        cost=tuple((side.task_cost + side.judge_cost).total for side in sides),
        scorers={name: tuple(column[name] for column in columns) for name in names},
    )


def cells_beside(before: Outcomes, after: Outcomes, rule: Rule) -> dict[str, Cell]:
    """Every scorer over a run, with its change from another."""
    return _cells(Comparison(before, after), list(after.scorers), rule)


def cell(run: Outcomes, name: str) -> Cell:
    """A scorer over a run that is held against nothing."""
    found = run.estimate(name)
    interval = None if found.interval is None else (found.interval.low, found.interval.high)
    return Cell(mean=found.mean, interval=interval, n=found.n)


def _cells(comparison: Comparison, names: Sequence[str], rule: Rule) -> dict[str, Cell]:
    """The cells of a run. Changes are those of the verdict, so that no two faces tell of one in two ways."""
    after = comparison.after
    bare = {name: cell(after, name) for name in names}
    if after is comparison.before:
        return bare
    apart = "; ".join(comparison.why_not())
    moved = {} if apart else decide(comparison, rule, why_not_again="stored runs are compared").scorers
    found = {}
    for name, each in bare.items():
        why = "" if each.mean is None else comparison.rulers.get(name, "") or apart
        figures = None if each.mean is None or why else moved.get(name)
        found[name] = replace(each, why=why) if figures is None else _moved(each, figures)
    return found


def _moved(bare: Cell, figures: Figures) -> Cell:
    return replace(
        bare,
        delta=figures.delta,
        delta_interval=figures.interval,
        wins=figures.wins,
        losses=figures.losses,
        way=direction(figures),
    )


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
