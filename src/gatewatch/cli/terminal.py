"""What commands print with: tables and text for people, JSON for programs."""

import sys
from typing import Any

import click


def print_json(value: Any) -> None:
    """Print one JSON object on standard output, indented, and nothing else."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_summary(summary: Any) -> None:
    """Print a run's summary, in colour where the terminal has it."""
    from rich.console import Console

    from gatewatch.offline.report import as_text, renderables

    if not sys.stdout.isatty():
        click.echo(as_text(summary))
        return
    console = Console(highlight=False)
    for part in renderables(summary):
        console.print(part)
