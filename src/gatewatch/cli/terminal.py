"""What commands print with: tables and text for people, JSON for programs."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

# JSON may hold these as they are, and a terminal would obey: control characters, marks that hide text or turn it.
_UNSHOWN = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_COMMAND = re.compile(r"#(?=#\w*\[)")  # the first half of what some CI systems obey wherever it stands


def print_json(value: Any) -> None:
    """Print one JSON object on standard output, indented, and nothing else."""
    from gatewatch.core import codec

    text = _UNSHOWN.sub(lambda match: f"\\u{ord(match[0]):04x}", codec.indented(value))
    click.echo(_COMMAND.sub("\\\\u0023#", text))


@contextmanager
def only_json(wanted: bool) -> Iterator[None]:
    """Where JSON is wanted, keep standard output for it: what a project's code prints goes to standard error."""
    if not wanted:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


class while_heard:  # noqa: N801 - used as a statement
    """Print to a reader who may leave (`| head`): what is being done goes on, and its exit code stands."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            if error is None:
                sys.stdout.flush()
        except BrokenPipeError as left:
            error = left
        if isinstance(error, BrokenPipeError):
            _discard(1)
        return isinstance(error, BrokenPipeError)


def tell(text: str) -> None:
    """Say something on standard error, if anybody is there to hear it: neither that nor a full disk ends a run."""
    try:
        click.echo(text, err=True)
    except OSError:
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


def who() -> str:
    """Who calls a command, as it is noted: the account's name, or its number where it has none, as in a container."""
    from getpass import getuser

    try:
        return getuser()
    except (KeyError, OSError):  # the one until Python 3.12, the other since
        return f"uid {os.getuid()}"


def log_to_standard_error() -> None:
    """What a worker or a server meets (a judge that does not answer, a store that is full) belongs into its log."""
    import logging

    log = logging.getLogger("gatewatch")
    if not log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        log.addHandler(handler)


def console(width: int) -> "Console":
    """What draws tables on standard output: as wide as the terminal, or `width` columns where there is none."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:  # rich would end the process, with the code of a gate that failed
            raise BrokenPipeError

    return Ours(highlight=False, width=None if sys.stdout.isatty() else columns(width))


def columns(usual: int) -> int:
    """How wide to draw where there is no terminal: as COLUMNS says, or as usual."""
    stated = os.environ.get("COLUMNS", "")
    return int(stated) if stated.isdecimal() and int(stated) > 0 else usual


def print_summary(summary: Any) -> None:
    """Print a run's summary, in colour where the terminal has it."""
    from gatewatch.offline.report import as_text, renderables

    if not sys.stdout.isatty():
        click.echo(as_text(summary, width=columns(100)))
        return
    drawn = console(80)
    for part in renderables(summary):
        drawn.print(part)


def titled(out: "Console", typed: str, about: str) -> None:
    """A line across with the command that shows the same, and what it is about."""
    from rich.rule import Rule
    from rich.text import Text

    out.print()
    out.print(Rule(Text(typed, "bold"), align="left", style="dim"))
    out.print(Text(about))
