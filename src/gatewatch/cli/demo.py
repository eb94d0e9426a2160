"""`gatewatch demo`: a support bot of our own, in a version that works and a worse one, run and scored."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from gatewatch.core.run import Row
    from gatewatch.offline.result import RunResult

SUITE = "support"
GOOD, WORSE = "version=good", "version=worse"
_SLICES_SHOWN = 5
_FAILURES_SHOWN = 5
_SHOWN_TEXT = 300


@click.command(name="demo")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("gatewatch-demo"),
    show_default=True,
    help="The folder that the project is written into.",
)
@click.option("--fresh", is_flag=True, help="Write all of the project's files anew, over your changes to them.")
def command(folder: Path, *, fresh: bool) -> None:
    """Run a small support bot in a good and a worse version, without a key and without network.

    The project is written into a folder, where you can change it and try the other commands. A file of it that you have
    changed is kept.
    """
    from rich.console import Console
    from rich.text import Text

    from gatewatch.config.project import Project
    from gatewatch.config.runs import prepare_suite
    from gatewatch.offline.result import execute

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
    console.print(_head("A support bot in two versions: the one in use, and a rewrite that looked fine."))
    for line in write_project(folder, fresh=fresh):
        console.print(Text(line), soft_wrap=True)
    results = [execute(ready) for ready in prepare_suite(Project.open(folder), SUITE)]
    good, worse = _versions(folder, results)
    console.print(f"\nEach was run over the {good.summary.header.dataset.cases} cases, and every answer was scored:\n")
    _print_summary(console, "The version in use", good)
    _print_summary(console, "The rewrite", worse)
    _print_slices(console, good, worse)
    _print_failures(console, good, worse)
    _print_next(console, folder, worse)


def write_project(folder: Path, *, fresh: bool) -> list[str]:
    """Write the project's files where they are not there yet, and say what was done.

    Raises:
        InputError: when the folder is there and holds something else.
    """
    from gatewatch.cli.packaged import packaged, write_files
    from gatewatch.config.load import FILE
    from gatewatch.core.errors import InputError, Problem

    files = packaged("demo_project")
    if folder.exists() and not _is_ours(folder, files[FILE]):
        raise InputError(Problem(str(folder), "is there already, and is not the demo", "name another folder: --dir"))
    there = {name: content for name, content in files.items() if (folder / name).is_file()}
    changed = [] if fresh else [name for name, content in there.items() if (folder / name).read_bytes() != content]
    missing = files if fresh else {name: content for name, content in files.items() if name not in there}
    write_files(folder, missing)
    count = "1 file was" if len(missing) == 1 else f"{len(missing)} files were"
    said = [f"Its project is in {folder}" + (f", {count} written there." if missing else ".")]
    if changed:
        said.append(f"Kept as you changed them: {', '.join(changed)} (--fresh writes them anew).")
    return said


def _is_ours(folder: Path, settings: bytes) -> bool:
    """Whether a folder is empty, or has the demo's settings, which are known by their first line."""
    if not folder.is_dir():
        return False
    file = folder / "gatewatch.toml"
    if file.is_file():
        return file.read_bytes().startswith(settings.split(b"\n")[0])
    return not any(folder.iterdir())


def _versions(folder: Path, results: "list[RunResult]") -> "tuple[RunResult, RunResult]":
    from gatewatch.core.errors import InputError, Problem

    by_name = {result.summary.header.name: result for result in results}
    if GOOD not in by_name or WORSE not in by_name:
        where = f"{folder / 'gatewatch.toml'}: suites.{SUITE}.matrix"
        raise InputError(Problem(where, "no longer has the versions good and worse", "--fresh writes all files anew"))
    return by_name[GOOD], by_name[WORSE]


def _head(text: str) -> "Text":
    from rich.text import Text

    return Text(text, style="bold")


def _print_summary(console: "Console", title: str, result: "RunResult") -> None:
    """The summary as `gatewatch run` prints it, without its tables by slice: one of those follows for both."""
    from msgspec.structs import replace

    from gatewatch.offline.report import renderables

    summary = result.summary
    scorers = {name: replace(scorer, slices={}) for name, scorer in summary.scorers.items()}
    console.print(_head(title))
    for part in renderables(replace(summary, scorers=scorers)):
        console.print(part)
    console.print()


def _print_slices(console: "Console", good: "RunResult", worse: "RunResult") -> None:
    """The slices whose mean fell most, by the first scorer."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from gatewatch.offline.report import clean, interval_text, number

    name = next(iter(good.summary.scorers))
    before, after = (result.summary.scorers[name].slices for result in (good, worse))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("slice")
    for column in ("cases", "in use", "95 % interval", "rewrite", "95 % interval"):
        table.add_column(column, justify="right", no_wrap=True)
    for slice_name in _fallen(good, worse)[:_SLICES_SHOWN]:
        figures = before[slice_name], after[slice_name]
        cells = [cell for figure in figures for cell in (number(figure.mean), interval_text(figure))]
        table.add_row(Text(clean(slice_name)), str(figures[0].n), *cells)
    console.print(_head(f"Where {name} fell most"))
    console.print(table)
    console.print()


def _fallen(good: "RunResult", worse: "RunResult") -> list[str]:
    """The slices in which the first scorer's mean fell, the ones that fell most first."""
    name = next(iter(good.summary.scorers))
    before, after = (result.summary.scorers[name].slices for result in (good, worse))
    drops = {
        slice_name: (figure.mean or 0.0) - (after[slice_name].mean or 0.0)
        for slice_name, figure in before.items()
        if figure.n and slice_name in after
    }
    return sorted((name for name, drop in drops.items() if drop > 0), key=lambda name: (-drops[name], name))


def _print_failures(console: "Console", good: "RunResult", worse: "RunResult") -> None:
    """Some of the cases that only the rewrite fails: what was asked, what is right, and what each version said."""
    from rich.table import Table
    from rich.text import Text

    from gatewatch.offline.report import clean

    scorers = list(good.summary.header.scorers)
    before = {row.key: row for row in good.rows()}
    both = [(before[row.key], row) for row in worse.rows() if row.key in before]
    pairs = [(one, other) for one, other in both if _lost(one, other, scorers)]
    shown = _varied(pairs, _fallen(good, worse))[:_FAILURES_SHOWN]
    some = f"; {len(shown)} of them" if len(shown) < len(pairs) else ""
    console.print(_head(f"{len(pairs)} of {worse.summary.rows} cases fail in the rewrite alone{some}"))
    for one, other in shown:
        console.print()
        console.print(
            Text.assemble((clean(one.case), "bold"), clean(f" · {one.slice}"), " · must pass" * one.must_pass)
        )
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        for label, said in (
            ("asked", _asked(one)),
            ("expected", _expected(one)),
            ("in use", _said(one)),
            ("rewrite", _said(other)),
            ("failed", clean(", ".join(_lost(one, other, scorers)))),
        ):
            table.add_row(label, said)
        console.print(table)
    console.print()


def _lost(one: "Row", other: "Row", scorers: list[str]) -> list[str]:
    """The scorers that were satisfied with one answer and give the other less."""
    pairs = [(name, one.scores[name].value, other.scores[name].value) for name in scorers if name in one.scores]
    return [name for name, before, after in pairs if before == 1.0 and after is not None and after < 1.0]


def _varied(pairs: "list[tuple[Row, Row]]", slices: list[str]) -> "list[tuple[Row, Row]]":
    """The pairs, a pair of each slice before a second one of any; of a slice, what must pass and what crashed first."""
    by_slice: dict[str, int] = {}
    ranked = []
    for pair in sorted(pairs, key=lambda pair: (not pair[1].must_pass, not _crashed(pair[1]), pair[1].case)):
        name = pair[1].slice
        turn = by_slice[name] = by_slice.get(name, 0) + 1
        ranked.append((turn, slices.index(name) if name in slices else len(slices), pair))
    return [pair for *_, pair in sorted(ranked, key=lambda found: found[:2])]


def _crashed(row: "Row") -> bool:
    return row.trace is not None and row.trace.error is not None


def _plain(value: Any) -> "Text":
    """What came out of a model, or may have: text without marks of any kind, and not too long."""
    from rich.text import Text

    from gatewatch.core.codec import text_of
    from gatewatch.offline.report import clean

    text = clean(text_of(value))
    return Text(text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]} ...")


def _asked(row: "Row") -> "RenderableType":
    given = row.trace.input if row.trace is not None else ""
    if isinstance(given, dict) and given.get("messages"):
        return _plain(" / ".join(f"{turn['role']}: {turn.get('content')}" for turn in given["messages"]))
    return _plain(given)


def _expected(row: "Row") -> "RenderableType":
    from gatewatch.core.case import Expected

    return _plain(row.expected.answer if isinstance(row.expected, Expected) else row.expected)


def _said(row: "Row") -> "RenderableType":
    trace = row.trace
    if trace is not None and trace.error is not None:
        crashed = _plain(f"crashed: {trace.error.message}")
        crashed.stylize("yellow")
        return crashed
    return _plain(trace.output if trace is not None else None)


def _print_next(console: "Console", folder: Path, worse: "RunResult") -> None:
    """Commands to go on with, as they can be typed."""
    from rich.table import Table
    from rich.text import Text

    crashed = min((row.case for row in worse.rows() if _crashed(row)), default="")
    steps = [
        (f"gatewatch show {WORSE} --failed", "the rows that went wrong"),
        *([(f"gatewatch show {WORSE} --case {shlex.quote(crashed)}", "one case in full")] if crashed else []),
        (f"gatewatch run {SUITE}", "both again: change bot.py or a case"),
        ("gatewatch init ../my-evals", "start a project of your own"),
    ]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(style="dim")
    for typed, why in steps:
        table.add_row(Text(f"  {typed}"), why)
    console.print(_head("Next"))
    for typed in (*_activation(), f"cd {shlex.quote(str(folder))}"):
        console.print(Text(f"  {typed}"), soft_wrap=True)
    console.print(table)


def _activation() -> list[str]:
    """What to type first where we are not on the search path: in an environment that is not active."""
    script = Path(sys.prefix) / "bin" / "activate"
    if shutil.which("gatewatch") or not script.is_file():
        return []
    here = Path.cwd()
    return [f". {shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))}"]
