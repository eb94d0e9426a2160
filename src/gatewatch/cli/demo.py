"""`gatewatch demo`: a support bot of our own goes through the loop, until the gate sees what it did not see."""

import shlex
import shutil
import sys
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from gatewatch.config.project import Project

BROKEN, SHIPPED = "rewrite", "quicker"
_MADE = (".gatewatch", "baselines")


@click.command(name="demo")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("gatewatch-demo"),
    show_default=True,
    help="The folder that the project is written into.",
)
@click.option(
    "--fresh", is_flag=True, help="Begin anew: write all files over your changes to them, forget runs and traffic."
)
@click.option("--serve", "serving", is_flag=True, help="Then serve its pages, until Ctrl-C.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8321, show_default=True, help="Where to serve; 0 for any."
)
@click.pass_context
def command(context: click.Context, folder: Path, *, fresh: bool, serving: bool, port: int) -> int | None:
    """Take a small support bot through the loop: a gate passes a change, live traffic finds it wrong, what failed is
    labelled and promoted, and the gate stops the same change. Without a key and without network.

    The project is written into a folder, where you can change it and try the other commands. A file of it that you have
    changed is kept. Where OPENAI_BASE_URL and OPENAI_API_KEY are set, a model judges live traffic.
    """
    from rich.text import Text

    from gatewatch.cli.demo_gate import SUITE, print_gate, print_pinned, print_run, worst_first
    from gatewatch.cli.demo_live import live
    from gatewatch.cli.demo_loop import loop
    from gatewatch.cli.terminal import console
    from gatewatch.config.gates import gate_suite
    from gatewatch.config.monitors import store_of

    out = console(100)
    out.print(Text("A support bot, and a change of it that every test passes. What happens when it is live?", "bold"))
    for line in write_project(folder, fresh=fresh):
        out.print(Text(line), soft_wrap=True)
    with chdir(folder):  # so that all that is said here can be typed there, and says the same
        project = _opened(folder)
        print_run(out, project)
        print_pinned(out, project)
        gated = gate_suite(project, SUITE, task=BROKEN, label=BROKEN)
        print_gate(out, BROKEN, gated, "A rewrite. Its author tried three questions and found nothing wrong.")
        fallen = worst_first(gated.verdict)
        gated = gate_suite(project, SUITE, task=SHIPPED, label=SHIPPED)
        print_gate(
            out, SHIPPED, gated, "Another change: the bot, made quicker. No case of the dataset is answered otherwise."
        )
        promoted = ""
        if gated.verdict.verdict == "PASS":
            store = store_of(project)
            try:
                live(out, project, store)
                promoted = loop(out, project, store)
            finally:
                store.close()
        else:
            out.print()
            out.print(Text("It is stopped: the loop was gone through here before. --fresh begins anew."))
    _print_next(out, folder, fallen[0].id if fallen else "", promoted)
    if not serving:
        return None
    from gatewatch.cli import serve

    with chdir(folder):
        signal: int | None = context.invoke(serve.command, port=port)
    return signal


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
    if fresh:
        for name in _MADE:
            shutil.rmtree(folder / name, ignore_errors=True)
    write_files(folder, missing)
    count = "1 file was" if len(missing) == 1 else f"{len(missing)} files were"
    said = [f"Its project is in {folder}" + (f", {count} written there." if missing else ".")]
    if changed:
        said.append(f"Kept as you changed them: {', '.join(changed)} (--fresh writes them anew).")
    return said


def _is_ours(folder: Path, settings: bytes) -> bool:
    """Whether a folder is empty, or has the demo's settings, in whichever edition: their first line says so."""
    if not folder.is_dir():
        return False
    file = folder / "gatewatch.toml"
    if file.is_file():
        return file.read_bytes().startswith(settings.partition(b":")[0])
    return not any(folder.iterdir())


def _opened(folder: Path) -> "Project":
    """The project in the current folder, if it still has what is shown of it here.

    Raises:
        InputError: when its settings are wrong, or lack a candidate.
    """
    from gatewatch.cli.demo_gate import SUITE
    from gatewatch.config.project import Project
    from gatewatch.config.runs import suite_settings
    from gatewatch.core.errors import InputError, Problem

    project = Project.open()
    missing = [f"[tasks.{task}]" for task in (BROKEN, SHIPPED) if task not in project.settings.tasks]
    if suite_settings(project, SUITE).matrix:
        what = f"suites.{SUITE} has a matrix now, and the demo one version in use"
    elif missing:
        what = f"no longer has {' and '.join(missing)}"
    else:
        return project
    raise InputError(Problem(str(folder / "gatewatch.toml"), what, "--fresh writes all files anew"))


def _print_next(out: "Console", folder: Path, fallen: str, promoted: str) -> None:
    """Commands to go on with, as they can be typed."""
    from datetime import timedelta

    from rich.text import Text

    from gatewatch.cli.demo_gate import SUITE
    from gatewatch.core.clock import now

    until = (now() + timedelta(days=30)).date().isoformat()
    case = shlex.quote(fallen)
    steps = [
        (f"gatewatch show {shlex.quote(promoted)}", "from the request to the verdict"),
        (f"gatewatch show rewrite --case {case}", "a case in full"),
        (f"gatewatch accept {case} --reason agreed --until {until} --owner me", "let it fail, for a month"),
        (f"gatewatch gate {SUITE} --task reworded --trials 5", "five answers each: it is worse"),
        (f"gatewatch plan {SUITE}", "what the gate can see"),
        ("gatewatch serve", "all of this as pages"),
        (f"gatewatch gate {SUITE} --selftest", "how often it errs"),
        ("gatewatch init ../my-evals", "your own project"),
    ]
    steps = [step for step in steps if fallen or case not in step[0].split()]
    widest = max(len(typed) for typed, _ in steps)
    beside = widest + max(len(why) for _, why in steps) + len("    # ") <= out.width
    out.print()
    out.print(Text("Next", "bold"))
    for typed in (*_activation(), f"cd {shlex.quote(str(folder))}"):
        out.print(Text(f"  {typed}"), soft_wrap=True)
    for typed, why in steps:
        line = Text(f"  {typed:{widest}}").append(f"  # {why}", "dim")
        out.print(line if beside else Text.assemble((f"  # {why}\n", "dim"), f"  {typed}"), soft_wrap=True)


def _activation() -> list[str]:
    """What to type first where we are not on the search path: in an environment that is not active."""
    script = Path(sys.prefix) / "bin" / "activate"
    if shutil.which("gatewatch") or not script.is_file():
        return []
    here = Path.cwd()
    return [f". {shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))}"]
