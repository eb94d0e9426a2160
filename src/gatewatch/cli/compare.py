"""`gatewatch compare`: runs side by side."""

from pathlib import Path

import click

from gatewatch.cli.faces import report_options


@click.command(name="compare")
@click.argument("runs", nargs=-1, required=True)
@click.option("--suite", default="", help="The suite whose baseline is meant, where the runs do not tell.")
@report_options
def command(runs: tuple[str, ...], *, suite: str, as_json: bool, **files: Path | None) -> int:
    """Put RUNS side by side; the first is the baseline side.

    Each is a run's id or name, a file, or "baseline". Two are compared row by row; more than two give a table of
    scorers by runs.
    """
    from gatewatch.cli.faces import show
    from gatewatch.cli.terminal import columns, print_json
    from gatewatch.config.project import Project
    from gatewatch.config.sides import compare_named, matrix_named
    from gatewatch.offline.matrix import as_text

    if len(runs) < 2:
        raise click.UsageError("give two runs or more: the baseline side, then the others")
    project = Project.open(required=False)
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
