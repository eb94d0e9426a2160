"""`gatewatch demo`: a support bot of our own, and a gate that judges three changes of it."""

import shlex
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

    from gatewatch.config.project import Project
    from gatewatch.offline.gated import Gated
    from gatewatch.offline.reports.moves import Moved
    from gatewatch.offline.result import RunResult
    from gatewatch.offline.verdict import Side, Verdict

SUITE = "support"
CANDIDATES = {
    "rewrite": "A rewrite, meant to make the bot simpler. Its author tried three questions and found nothing wrong.",
    "tidied": "The version in use with its code tidied up: every answer ought to be the same.",
    "reworded": "What the version in use finds, in words of its own: as with a model, other ones each time.",
}
TRIALS = 5
_CASES_SHOWN = {"rewrite": 3, "reworded": 2}
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
    """Run a small support bot and gate three changes of it, without a key and without network.

    The project is written into a folder, where you can change it and try the other commands. A file of it that you have
    changed is kept.
    """
    from rich.text import Text

    from gatewatch.cli.terminal import console
    from gatewatch.config.baselines import pin
    from gatewatch.config.gates import gate_suite

    out = console(100)
    out.print(Text("A support bot, and three changes of it that would like to go live. Did it get worse?", "bold"))
    for line in write_project(folder, fresh=fresh):
        out.print(Text(line), soft_wrap=True)
    project = _opened(folder)
    _print_summary(out, "The version in use", _run(project))
    pinned = pin(project, SUITE, trials=TRIALS)
    said = (
        f"Pinned as the baseline, with {TRIALS} trials of each case, so that it is known which ones always pass. All "
    )
    said += f"that later gates need of it is one file, to be committed: {pinned.path}"
    out.print(Text(said), soft_wrap=True)
    gates = {task: gate_suite(project, SUITE, task=task, label=task) for task in CANDIDATES}
    for task, gated in gates.items():
        _print_gate(out, task, CANDIDATES[task], gated)
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
    """The project, if it still has what is shown of it here.

    Raises:
        InputError: when its settings are wrong, or lack a candidate.
    """
    from gatewatch.config.project import Project
    from gatewatch.config.runs import suite_settings
    from gatewatch.core.errors import InputError, Problem

    project = Project.open(folder)
    missing = [f"[tasks.{task}]" for task in CANDIDATES if task not in project.settings.tasks]
    if suite_settings(project, SUITE).matrix:
        what = f"suites.{SUITE}.matrix is there: the demo shows one version in use"
    elif missing:
        what = f"no longer has {' and '.join(missing)}"
    else:
        return project
    raise InputError(Problem(str(folder / "gatewatch.toml"), what, "--fresh writes all files anew"))


def _run(project: "Project") -> "RunResult":
    from gatewatch.config.runs import prepare_suite
    from gatewatch.offline.result import execute

    (ready,) = prepare_suite(project, SUITE)
    return execute(ready)


def _print_summary(out: "Console", title: str, result: "RunResult") -> None:
    """The summary as `gatewatch run` prints it, without its tables by slice."""
    from msgspec.structs import replace

    from gatewatch.offline.report import renderables

    _print_title(out, title, f"gatewatch run {SUITE}")
    scorers = {name: replace(scorer, slices={}) for name, scorer in result.summary.scorers.items()}
    for part in renderables(replace(result.summary, scorers=scorers)):
        out.print(part)
    out.print()


def _print_title(out: "Console", about: str, typed: str) -> None:
    """A line across, with the command that shows the same; then what it is about."""
    from rich.rule import Rule
    from rich.text import Text

    out.print()
    out.print(Rule(Text(typed, "bold"), align="left", style="dim"))
    out.print(Text(about), soft_wrap=False)
    out.print()


# A gate's report: the one that `gatewatch gate` prints, with less in it.


def _print_gate(out: "Console", task: str, about: str, gated: "Gated") -> None:
    from rich.text import Text

    from gatewatch.offline.reports.cases import details, others
    from gatewatch.offline.reports.fact import Fact
    from gatewatch.offline.reports.terminal import STYLES, renderables
    from gatewatch.offline.reports.words import plain

    _print_title(out, about, f"gatewatch gate {SUITE} --task {task}")
    verdict = _shorter(gated.verdict)
    marks = not sys.stdout.isatty()
    # A little narrower than there is room for: a table that just fits folds the names of these scorers.
    parts = list(renderables(verdict, {}, width=out.width - 2, marks=marks))
    rows = [*details(verdict, {}, marks=marks), *others(verdict)]  # what the report ends on: some of them will do
    for part in [*parts[: len(parts) - len(rows)], *_some_rows(gated, _CASES_SHOWN.get(task, 0), marks=marks)]:
        out.print(part)
    out.print()
    for place, line in enumerate(gated.verdict.reach):
        out.print(Fact("to decide" if not place else "", Text(plain(line))))
    out.print(Fact("exit code", Text(_exit(gated.verdict), STYLES[gated.verdict.verdict])))


def _shorter(verdict: "Verdict") -> "Verdict":
    """A verdict without what a first look can do without: the rule, slices, costs, scorers that did not move."""
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
        baseline=_without_cost(verdict.baseline),
        candidate=_without_cost(verdict.candidate),
        scorers={name: each for name, each in verdict.scorers.items() if each.gating or each.losses or each.wins},
        slices={},
        explore=(),
        reruns=0,
        reach=(),
        next=(),
    )


def _without_cost(side: "Side | None") -> "Side | None":
    """A side without what its rows took, which is next to nothing for a bot without a model."""
    from msgspec.structs import replace

    return side and replace(side, cost=None, judge_cost=None, latency_s={})


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
        yield from (gap, Text(f"{len(shown)} of {counted(len(fell), 'case')} that fell", "bold"), *cases)
    blocked = ids_of(blocking(gated.verdict))
    if blocked:
        yield Text("")
        yield Fact("blocking", Text(listed(tuple(blocked), _IDS_SHOWN)))


def _worst_first(verdict: "Verdict") -> "list[Moved]":
    """The cases that fell, one of each slice before a second one of any; of a slice, what must pass and fell most."""
    from gatewatch.offline.reports.moves import by_case

    turns: Counter[str] = Counter()
    ranked = []
    fell = [case for case in by_case(verdict.rows) if case.fell]
    for case in sorted(fell, key=lambda case: (not case.rows[0].must_pass, -len(case.rows))):
        turns[case.rows[0].slice] += 1
        ranked.append((turns[case.rows[0].slice], case))
    return [case for _, case in sorted(ranked, key=lambda found: found[0])]


def _exit(verdict: "Verdict") -> str:
    """The exit code of `gatewatch gate`, and what it means to a CI job."""
    code = verdict.exit_code
    if code == 0 and verdict.verdict == "UNDECIDED":
        return "0: not to know is no failure, unless it is made one (--undecided fail: 3)"
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
        (f"gatewatch accept {case} --reason agreed --until {until} --owner me", "let it fall, for a month"),
        (f"gatewatch gate {SUITE} --task reworded --trials 5", "asked five times, it can tell"),
        (f"gatewatch plan {SUITE}", "what this gate can see at all"),
        (f"gatewatch gate {SUITE} --selftest", "how often it would be wrong"),
        ("gatewatch init ../my-evals", "start a project of your own"),
    ]
    steps = [step for step in steps if fallen or case not in step[0].split()]
    widest = max(len(typed) for typed, _ in steps)
    out.print()
    out.print(Text("Next", "bold"))
    for typed in (*_activation(), f"cd {shlex.quote(str(folder))}"):
        out.print(Text(f"  {typed}"), soft_wrap=True)
    for typed, why in steps:
        out.print(Text(f"  {typed:{widest}}").append(f"  # {why}", "dim"), soft_wrap=True)


def _activation() -> list[str]:
    """What to type first where we are not on the search path: in an environment that is not active."""
    script = Path(sys.prefix) / "bin" / "activate"
    if shutil.which("gatewatch") or not script.is_file():
        return []
    here = Path.cwd()
    return [f". {shlex.quote(str(script.relative_to(here) if script.is_relative_to(here) else script))}"]
