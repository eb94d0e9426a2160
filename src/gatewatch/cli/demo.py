"""`gatewatch demo`: a support bot of our own, and a gate that judges three changes of it."""

import shlex
import shutil
import sys
from collections import Counter
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import titled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

    from gatewatch.config.project import Project
    from gatewatch.offline.gated import Gated
    from gatewatch.offline.reports.moves import Moved
    from gatewatch.offline.verdict import Verdict

SUITE = "support"
CANDIDATES = {
    "rewrite": "A rewrite, meant to make the bot simpler. Its author tried three questions and found nothing wrong.",
    "tidied": "The version in use with its code tidied up: every answer ought to be the same.",
    "reworded": "What the version in use finds, in words of its own: as with a model, other ones each time.",
}
TRIALS = 5
_CASES_SHOWN = {"rewrite": 3, "reworded": 1}
_REASONS_SHOWN = 4
_IDS_SHOWN = 12


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
    """Run a small support bot, gate three changes of it and watch its traffic, without a key and without network.

    The project is written into a folder, where you can change it and try the other commands. A file of it that you have
    changed is kept.
    """
    from rich.text import Text

    from gatewatch.cli.demo_live import print_live
    from gatewatch.cli.terminal import console
    from gatewatch.config.gates import gate_suite

    out = console(100)
    out.print(Text("A support bot, and three changes of it that would like to go live. Did it get worse?", "bold"))
    for line in write_project(folder, fresh=fresh):
        out.print(Text(line), soft_wrap=True)
    with chdir(folder):  # so that all that is said here can be typed there, and says the same
        project = _opened(folder)
        _print_run(out, project)
        _print_pinned(out, project)
        gates = {task: gate_suite(project, SUITE, task=task, label=task) for task in CANDIDATES}
        for task, gated in gates.items():
            _print_gate(out, task, gated)
        print_live(out, project)
    fallen = _worst_first(gates["rewrite"].verdict)
    _print_next(out, folder, fallen[0].id if fallen else "")


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
    from gatewatch.config.project import Project
    from gatewatch.config.runs import suite_settings
    from gatewatch.core.errors import InputError, Problem

    project = Project.open()
    missing = [f"[tasks.{task}]" for task in CANDIDATES if task not in project.settings.tasks]
    if suite_settings(project, SUITE).matrix:
        what = f"suites.{SUITE} has a matrix now, and the demo one version in use"
    elif missing:
        what = f"no longer has {' and '.join(missing)}"
    else:
        return project
    raise InputError(Problem(str(folder / "gatewatch.toml"), what, "--fresh writes all files anew"))


def _print_run(out: "Console", project: "Project") -> None:
    """Run the version in use; its summary is the one of `gatewatch run`, without its tables by slice."""
    from msgspec.structs import replace

    from gatewatch.config.runs import prepare_suite
    from gatewatch.offline.report import renderables
    from gatewatch.offline.result import execute

    (ready,) = prepare_suite(project, SUITE)
    summary = execute(ready).summary
    scorers = {name: replace(scorer, slices={}) for name, scorer in summary.scorers.items()}
    titled(out, f"gatewatch run {SUITE}", "The version in use, over all of its cases.")
    out.print()
    for part in renderables(replace(summary, scorers=scorers)):
        out.print(part)


def _print_pinned(out: "Console", project: "Project") -> None:
    from rich.text import Text

    from gatewatch.config.baselines import pin

    pinned = pin(project, SUITE, trials=TRIALS)
    titled(
        out,
        f"gatewatch baseline pin {SUITE} --trials {TRIALS}",
        "What later versions are held against: five answers to each case show which ones always pass.",
    )
    out.print(Text(f"All of it is in {pinned.path}, a file to be committed with the code."))


# A gate's report: the one that `gatewatch gate` prints, with less in it.


def _print_gate(out: "Console", task: str, gated: "Gated") -> None:
    from rich.text import Text

    from gatewatch.offline.reports.cases import details, others
    from gatewatch.offline.reports.fact import Fact
    from gatewatch.offline.reports.terminal import STYLES, renderables
    from gatewatch.offline.reports.words import plain

    titled(out, f"gatewatch gate {SUITE} --task {task}", CANDIDATES[task])
    out.print()
    verdict = _shorter(gated.verdict)
    marks = not sys.stdout.isatty()
    # A little narrower than there is room for: a table that just fits folds the names of these scorers.
    parts = list(renderables(verdict, {}, width=out.width - 2, marks=marks))
    # It begins with the names of the runs, up to an empty line, and ends on its rows: some of them will do.
    begin = next(place for place, part in enumerate(parts) if not str(part)) + 1
    end = len(parts) - len([*details(verdict, {}, marks=marks), *others(verdict)])
    for part in [*parts[begin:end], *_some_rows(gated, _CASES_SHOWN.get(task, 0), marks=marks)]:
        out.print(part)
    if gated.verdict.reach:
        out.print()
    for place, line in enumerate(gated.verdict.reach):
        out.print(Fact("to decide" if not place else "", Text(plain(line))))
    out.print()
    out.print(Fact("exit code", Text(_exit(gated.verdict), STYLES[gated.verdict.verdict])))


def _shorter(verdict: "Verdict") -> "Verdict":
    """A verdict without what a first look can do without: the rule, slices, latency, scorers that did not move."""
    from msgspec.structs import replace

    reasons = verdict.reasons
    if len(reasons) > _REASONS_SHOWN:  # the first are of cases, the last of the suite as a whole
        between = f"... and {len(reasons) - _REASONS_SHOWN} more like these"
        reasons = (*reasons[: _REASONS_SHOWN - 2], between, *reasons[-2:])
    return replace(
        verdict,
        reasons=reasons,
        rule="",
        changed={},
        attribution="",
        baseline=None,
        candidate=None,
        scorers={name: each for name, each in verdict.scorers.items() if each.gating or each.losses or each.wins},
        slices={},
        explore=(),
        reruns=0,
        reach=(),
        next=(),
    )


def _some_rows(gated: "Gated", most: int, *, marks: bool) -> "Iterator[RenderableType]":
    """Some of the cases that fell, in full, and the ids of those that block."""
    from msgspec.structs import replace
    from rich.text import Text

    from gatewatch.offline.reports.cases import details
    from gatewatch.offline.reports.fact import Fact
    from gatewatch.offline.reports.moves import blocking, ids_of
    from gatewatch.offline.reports.texts import texts_of
    from gatewatch.offline.reports.words import counted, listed

    fell = _worst_first(gated.verdict)
    shown = fell[:most]
    if shown:
        texts = texts_of([case.id for case in shown], gated.before, gated.after, journal=gated.journal)
        rows = replace(gated.verdict, rows=tuple(row for case in shown for row in case.rows))
        gap, _, *cases = details(rows, texts, marks=marks)
        yield from (gap, Text(f"{len(shown)} of the {counted(len(fell), 'case')} that fell", "bold"), *cases)
    blocked = ids_of(blocking(gated.verdict))
    if blocked:
        yield Text("")
        yield Fact("blocking", Text(listed(tuple(blocked), _IDS_SHOWN)))


def _worst_first(verdict: "Verdict") -> "list[Moved]":
    """The cases that fell: what must pass and what fell under most scorers first, but one of each kind before others.

    Cases are of a kind when they fell under the same scorers.
    """
    from gatewatch.offline.reports.moves import by_case

    turns: Counter[frozenset[str]] = Counter()
    ranked = []
    fell = [case for case in by_case(verdict.rows) if case.fell]
    for case in sorted(fell, key=lambda case: (not case.rows[0].must_pass, -len(case.rows))):
        kind = frozenset(row.scorer for row in case.rows)
        turns[kind] += 1
        ranked.append((turns[kind], case))
    return [case for _, case in sorted(ranked, key=lambda found: found[0])]


def _exit(verdict: "Verdict") -> str:
    """The exit code of `gatewatch gate`, and what it means to a CI job."""
    code = verdict.exit_code
    if code == 0 and verdict.verdict == "UNDECIDED":
        return "0: not to know is no failure, unless the gate is told so (with --undecided fail it is 3)"
    return {0: "0: the change may go live", 1: "1: the change is stopped", 3: "3: no verdict"}.get(code, f"{code}")


def _print_next(out: "Console", folder: Path, fallen: str) -> None:
    """Commands to go on with, as they can be typed."""
    from datetime import timedelta

    from rich.text import Text

    from gatewatch.core.clock import now

    until = (now() + timedelta(days=30)).date().isoformat()
    case = shlex.quote(fallen)
    steps = [
        (f"gatewatch gate {SUITE} --task rewrite", "its report in full"),
        (f"gatewatch show rewrite --case {case}", "a case in full"),
        (f"gatewatch accept {case} --reason agreed --until {until} --owner me", "let it fail, for a month"),
        (f"gatewatch gate {SUITE} --task reworded --trials 5", "five answers each: it is worse"),
        (f"gatewatch plan {SUITE}", "what the gate can see"),
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
