"""What commands print with: tables and text for people, JSON for programs."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import click

# JSON may hold these as they are, and a terminal would obey: control characters, marks that hide text or turn it.
_UNSHOWN = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def print_json(value: Any) -> None:
    """Print one JSON object on standard output, indented, and nothing else."""
    import msgspec

    from gatewatch.core import codec

    text = msgspec.json.format(codec.encode(value), indent=2).decode()
    click.echo(_UNSHOWN.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


@contextmanager
def only_json(wanted: bool) -> Iterator[None]:
    """Where JSON is wanted, keep standard output for it: what a project's code prints goes to standard error."""
    if not wanted:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def while_heard() -> Iterator[None]:
    """Print to a reader who may leave (`| head`): what is being done goes on, and its exit code stands."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _discard(1)


def tell(text: str) -> None:
    """Say something on standard error, to whoever is still there to hear it."""
    try:
        click.echo(text, err=True)
    except BrokenPipeError:
        _discard(2)


def _discard(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def shown(text: object) -> str:
    """A message as a terminal may show it: line by line, without what would steer the terminal."""
    from gatewatch.offline.report import clean

    return "\n".join(clean(line) for line in str(text).split("\n"))


def counted(number: int, noun: str) -> str:
    """A number and its noun: 1 error, 2 errors."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


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
