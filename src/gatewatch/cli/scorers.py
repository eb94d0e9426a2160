"""`gatewatch scorers`: what scorers there are here."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import console, print_json, shown

if TYPE_CHECKING:
    from gatewatch.config.scorer_list import Listed


@click.command(name="scorers")
@click.argument("name", default="")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(name: str, *, as_json: bool) -> None:
    """List the scorers that a suite may name here, or say more about the one with this NAME."""
    from gatewatch.config.project import Project
    from gatewatch.config.scorer_list import find_scorer, list_scorers

    project = Project.open(required=False)
    found = [find_scorer(project, name)] if name else list_scorers(project)
    if as_json:
        print_json({"kind": "gatewatch.scorers", "version": 1, "scorers": found})
    elif name:
        for line in _lines(found[0]):
            click.echo(shown(line))
    else:
        _table(found)


def _lines(one: "Listed") -> Iterator[str]:
    yield f"{one.name} ({one.group})"
    if one.says:
        yield f"  {one.says}"
    yield ""
    if one.needs or one.gives:
        optional = f", and {', '.join(one.optional)} where there is one" if one.optional else ""
        yield f"  needs        {', '.join(one.needs) or 'nothing'}{optional}"
        yield f"  gives        {one.gives}"
        yield f"  costs        {_cost(one)}"
        yield f"  fingerprint  {one.fingerprint}"
    if one.lacks:
        yield f"  lacks        {one.lacks}"
    for key, default in one.options.items():
        yield f"  option       {key} = {default}" if default != "required" else f"  option       {key} (required)"


def _cost(one: "Listed") -> str:
    if not one.models:
        return "free"
    amount = "unknown" if one.cost is None else f"about {one.cost:.5f} USD a trace" if one.cost else "free"
    return f"{amount} ({', '.join(one.models)})"


def _table(found: "list[Listed]") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("scorer", "needs", "gives", "costs", "fingerprint"):
        table.add_column(heading, no_wrap=heading != "needs")
    group = ""
    for one in found:
        if one.group != group:
            group = one.group
            table.add_row(Text(group, style="bold"))
        needs = ", ".join((*one.needs, *(f"({each})" for each in one.optional)))
        costs = ", ".join(one.models)
        if one.cost is not None and one.gives:
            costs = f"{one.cost:.4f} USD" if one.cost else "free"
        last = one.fingerprint or f"needs {one.lacks.removeprefix('the ')}"
        cells = (f"  {one.name}", needs or ("nothing" if one.gives else ""), one.gives, costs, last)
        table.add_row(*(Text(shown(cell)) for cell in cells))
    console(100).print(table)
