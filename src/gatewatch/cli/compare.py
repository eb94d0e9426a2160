"""`gatewatch compare`: runs side by side."""

from pathlib import Path
from typing import Any

import click

from gatewatch.cli.faces import report_options

_SHOWN = ("regressed", "improved", "changed", "errors", "new", "all")
_SORTS = ("worst", "significance", "cost", "latency", "run")


@click.command(name="compare")
@click.argument("runs", nargs=-1, required=True)
@click.option("--suite", default="", help="The suite whose baseline is meant, where the runs do not tell.")
@click.option("--rows", "show_rows", type=click.Choice(_SHOWN), help="List the rows that fit, with both outputs.")
@click.option("--case", default="", help="Show a case of both sides in full: what differs, and what scorers said.")
@click.option("--scorer", default="", help="Of --rows: those that fit under this scorer.")
@click.option("--slice", "slice_", default="", help="Of --rows: those of a slice.")
@click.option("--search", default="", help="Of --rows: those with a text in id, slice, input or output.")
@click.option("--sort", type=click.Choice(_SORTS), default="worst", show_default=True, help="The order of --rows.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Leave out the first so many of --rows.")
@click.option("--limit", type=click.IntRange(1), default=48, show_default=True, help="How many of --rows to list.")
@report_options
def command(
    runs: tuple[str, ...],
    *,
    suite: str,
    show_rows: str | None,
    case: str,
    as_json: bool,
    markdown: Path | None,
    html: Path | None,
    junit: Path | None,
    csv: Path | None,
    **view: Any,
) -> int:
    """Put RUNS side by side; the first is the baseline side.

    Each is a run's id or name, a file, or "baseline". Two are compared row by row; more than two give a table of
    scorers by runs.
    """
    from gatewatch.cli.faces import show
    from gatewatch.cli.joined import show_case, show_window
    from gatewatch.cli.terminal import columns, print_json
    from gatewatch.config.project import Project
    from gatewatch.config.sides import compare_named, joined_named, matrix_named
    from gatewatch.offline.matrix import as_text

    files = {"markdown": markdown, "html": html, "junit": junit, "csv": csv}
    if len(runs) < 2:
        raise click.UsageError("give two runs or more: the baseline side, then the others")
    if (show_rows or case) and (len(runs) > 2 or any(files.values())):
        raise click.UsageError("--rows and --case are of two runs, and go into no report")
    project = Project.open(required=False)
    if case:
        show_case(joined_named(project, *runs, suite=suite), case, as_json=as_json)
        return 0
    if show_rows:
        show_window(joined_named(project, *runs, suite=suite), show_rows, as_json=as_json, **view)
        return 0
    if len(runs) == 2:
        gated = compare_named(project, *runs, suite=suite)
        show(gated, as_json=as_json, **files)
        return 3 if gated.verdict.verdict == "NOT_COMPARABLE" else 0
    if any(files.values()):
        raise click.UsageError("reports are of two runs; of more there is the table, and --json")
    matrix = matrix_named(project, runs, suite=suite)
    if as_json:
        print_json(matrix)
    else:
        click.echo(as_text(matrix, width=columns(100)))
    return 0
