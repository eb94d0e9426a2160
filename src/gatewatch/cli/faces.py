"""The faces of a verdict, as options of a command: JSON or a report on standard output, others into files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gatewatch.offline.gated import Gated

_FACES = {
    "markdown": "for a pull request and a job's summary",
    "html": "one file that needs nothing else",
    "junit": "JUnit XML: a suite for each scorer, a case for each row",
    "csv": "every row that moved",
}
_IN_FULL = {"terminal": 5, "markdown": 10, "html": 200, "junit": 1000, "csv": 100_000}


def report_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options `--json`, and `--markdown`, `--html`, `--junit` and `--csv` with a file each."""
    for name, about in reversed(_FACES.items()):
        file = click.Path(path_type=Path, dir_okay=False)
        command = click.option(f"--{name}", type=file, help=f"Write a report into this file: {about}.")(command)
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else."
    )(command)


def show(gated: "Gated", *, as_json: bool, **files: Path | None) -> None:
    """Print a verdict, and write the files that were asked for.

    In a GitHub Actions job the rows that block are also annotated, on standard error.

    Raises:
        InputError: when a file cannot be written; the verdict is printed all the same.
    """
    from gatewatch.cli.terminal import print_json, tell, while_heard
    from gatewatch.offline.reports.annotations import as_annotations
    from gatewatch.offline.reports.tables import as_json as to_json

    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in as_annotations(gated.verdict, _from_the_top(gated.places)):
            tell(line)
    with while_heard():
        if as_json:
            print_json(to_json(gated.verdict))
        else:
            _print(gated)
    for name, path in files.items():
        if path is not None:
            _write(path, _face(gated, name))


def _from_the_top(places: dict[str, str]) -> dict[str, str]:
    """Places as GitHub reads them: from the top of the checkout, wherever in it the command is run."""
    top = os.environ.get("GITHUB_WORKSPACE", "")
    return {case: os.path.relpath(place, top) for case, place in places.items()} if top else places


def _face(gated: "Gated", name: str) -> str:
    from gatewatch.offline.reports.html import as_html
    from gatewatch.offline.reports.junit import as_junit
    from gatewatch.offline.reports.markdown import as_markdown
    from gatewatch.offline.reports.tables import as_csv

    face: dict[str, Callable[..., str]] = {"markdown": as_markdown, "html": as_html, "junit": as_junit, "csv": as_csv}
    return face[name](gated.verdict, gated.texts(_IN_FULL[name]))


def _print(gated: "Gated") -> None:
    import sys

    from gatewatch.cli.terminal import columns, console
    from gatewatch.offline.reports.terminal import as_text, renderables

    texts = gated.texts(_IN_FULL["terminal"])
    if not sys.stdout.isatty():
        click.echo(as_text(gated.verdict, texts, width=columns(100)))
        return
    drawn = console(100)
    for part in renderables(gated.verdict, texts, width=drawn.width):
        drawn.print(part)


def look_at(**files: Path | None) -> None:
    """Make sure, before anything is paid for, that reports can be written where they were asked for.

    Raises:
        InputError: where one cannot.
    """
    from gatewatch.core.errors import InputError, Problem

    for path in files.values():
        if path is None:
            continue
        there = next(each for each in (path, *path.absolute().parents) if each.exists())
        if not os.access(there, os.W_OK) or (there != path and not there.is_dir()):
            raise InputError(Problem(str(path), f"cannot be written: {there} is not open to writing"))


def _write(path: Path, text: str) -> None:
    from gatewatch.core.errors import InputError, Problem

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "replace"))
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be written: {error.strerror}")) from None
