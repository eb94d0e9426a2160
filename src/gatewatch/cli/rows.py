"""The rows of a run as tables: as many scorers beside each other as there is room for, and the case in every table."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.table import Table

    from gatewatch.core.run import Row

_LEAST_OUTPUT = 24
_SCORE = 5
_GAP = 3  # between the columns of a table
_FACT = 28


def _cell(row: "Row", name: str) -> str:
    score = row.scores.get(name)
    if score is None:
        return ""
    if score.value is None:
        return {"skipped": "—", "scorer_error": "!"}.get(score.status, score.status)
    return f"{score.value:.3g}"


def print_rows(rows: "list[Row]", scorers: list[str], limit: int) -> None:
    """Print rows, as many as `limit`, with what was answered and what each scorer says.

    Where there is no room for the scorers' names, they are numbered; where there is none for the numbers either, the
    scorers come in several tables.
    """
    from rich.text import Text

    from gatewatch.cli.terminal import console
    from gatewatch.offline.report import clean

    rows, more = rows[:limit], len(rows) - limit
    drawn = console(120)
    heads = [clean(name) for name in scorers]
    facts = _facts(rows, drawn.width // 2)
    left = _left(drawn.width, facts)
    places = list(range(len(scorers)))
    numbers = [str(place + 1) for place in places]
    if left - _room(heads) >= _LEAST_OUTPUT:
        drawn.print(_table(rows, facts, scorers, heads, places, left - _room(heads)))
    elif left - _room(numbers) >= _LEAST_OUTPUT // 2:
        drawn.print(_table(rows, facts, scorers, numbers, places, left - _room(numbers)))
        drawn.print(Text("   ".join(f"{number} {head}" for number, head in zip(numbers, heads, strict=True))))
    else:
        drawn.print(_table(rows, facts, scorers, heads, [], max(_LEAST_OUTPUT // 2, left)))
        if facts.pop("slice", None):  # it stands beside the outputs
            left = _left(drawn.width, facts)
        while places:
            fitting = [place for place in places if _room(heads[places[0] : place + 1]) <= left] or places[:1]
            drawn.print()
            drawn.print(_table(rows, facts, scorers, heads, fitting, None))
            places = places[len(fitting) :]
    if more > 0:
        click.echo(f"{more} more rows: --limit {limit + more}")


def _facts(rows: "list[Row]", most: int) -> dict[str, list[str]]:
    """What is said of each row beside its output and its scores; what is the same everywhere is left out."""
    from gatewatch.offline.report import clean

    found = {"case": [clean(row.case) for row in rows], "trial": [str(row.trial) for row in rows]}
    slices = [clean(row.slice) for row in rows]
    found["slice"] = [name if len(name) <= _FACT else f"{name[: _FACT - 1]}…" for name in slices]
    told = {name: cells for name, cells in found.items() if name == "case" or any(c not in ("", "0") for c in cells)}
    # An id is never cut, but may take more lines than one.
    told["case"] = ["\n".join(cell[at : at + most] for at in range(0, len(cell), most)) for cell in told["case"]]
    return told


def _left(width: int, facts: dict[str, list[str]]) -> int:
    """The columns that are left beside some facts."""
    lines = ([line for cell in [name, *cells] for line in cell.split("\n")] for name, cells in facts.items())
    return width - sum(_GAP + max(map(len, each)) for each in lines)


def _room(heads: list[str]) -> int:
    return sum(_GAP + max(_SCORE, len(head)) for head in heads)


def _table(
    rows: "list[Row]",
    facts: dict[str, list[str]],
    scorers: list[str],
    heads: list[str],
    places: list[int],
    width: int | None,
) -> "Table":
    """A table of some scorers, those at `places`; with the outputs, where they get a width."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from gatewatch.core.codec import text_of
    from gatewatch.offline.report import clean

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in facts:
        table.add_column(name, no_wrap=True)
    if width is not None:  # without one of its own, the longest output would take all the room
        table.add_column("output or error", no_wrap=True, overflow="ellipsis", width=width)
    for place in places:
        table.add_column(Text(heads[place]), justify="right", no_wrap=True, min_width=_SCORE)
    for position, row in enumerate(rows):
        cells = [Text(column[position]) for column in facts.values()]
        if width is not None:
            fault = row.trace.error if row.trace is not None else None
            said = fault.message if fault is not None else text_of(row.trace.output if row.trace is not None else None)
            cells.append(Text(clean(said[:500]), style="yellow" if fault is not None else ""))
        table.add_row(*cells, *(Text(_cell(row, scorers[place])) for place in places))
    return table
