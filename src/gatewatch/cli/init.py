"""`gatewatch init`: a project to start from, and cases proposed from logs that there are already."""

import re
import shlex
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gatewatch.offline.propose import Proposal

_WORKFLOW = ".github/workflows/gatewatch.yml"
_ABOUT = {
    "gatewatch.toml": "a suite, a judge, and a monitor for live traffic",
    "app.py": "a tiny application: put yours in its place",
    "evals.py": "a scorer of your own, in Python",
    "rubrics/helpful.md": "what a judge goes by",
    "datasets/starter.jsonl": "one case of every kind",
    "datasets/README.md": "the kinds, and how to get to 30 to 50 cases",
    _WORKFLOW: "the gate on pull requests (belongs at the root of the repository)",
    ".gitignore": "keeps runs (.gatewatch/) out of git",
}
_IGNORED = ".gatewatch/"
_STARTER = "starter"
_PROBLEMS_SHOWN = 10
_IDS_SHOWN = 20
_SUITE = """
# Cases proposed from {log}. They say nothing of what is right yet: add "expected" to each (see datasets/README.md).
[suites.{name}]
dataset = "datasets/{name}.jsonl"
task = "app:answer"
scorers = ["states_the_answer", "format", "pii"]
"""


@click.command(name="init")
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--from", "log", type=click.Path(path_type=Path), help="Propose 40 cases from your own logs, CSV or JSON lines."
)
@click.option("--input", "column", default="", help="The column of the logs that has what users asked.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
def command(folder: Path, *, log: Path | None, column: str, force: bool) -> None:
    """Start a project in FOLDER (here by default): a suite, a rubric, a monitor, a dataset.

    With --from, also propose 40 cases from your own logs: all different, and of every kind that the logs have. In a
    folder that is a project already, only those are written.
    """
    from gatewatch.cli.packaged import write_files
    from gatewatch.config.load import FILE
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.offline.report import clean

    if column and log is None:
        raise click.UsageError("--input names a column of the logs: give their file with --from")
    is_project = log is not None and (folder / FILE).is_file()
    files = {} if is_project else _starter(folder)
    proposal, name, block = None, _STARTER, ""
    if log is not None:
        from gatewatch.offline.propose import propose

        proposal = propose(log, input=column)
        name = _dataset_name(folder, log)
        block = _SUITE.format(log=clean(log.name), name=name)
        files[f"datasets/{name}.jsonl"] = b""
        if not is_project:
            files[FILE] += block.encode()
            files[_WORKFLOW] = files[_WORKFLOW].replace(_STARTER.encode(), name.encode())
    there = [path for path in (folder / each for each in files) if path.exists() and path.name != ".gitignore"]
    if there and not force:
        raise InputError(Problem(str(path), "is there already", "--force writes over it") for path in there)
    write_files(folder, files)
    if proposal is not None:
        from gatewatch.offline.dataset import write_cases

        write_cases(folder / "datasets" / f"{name}.jsonl", proposal.cases)
    _print_written(folder, files, log)
    if proposal is not None and log is not None:
        _print_proposal(proposal, log)
    if not is_project:
        _print_reach(folder, name)
    _print_next(folder, name, block if is_project else "")


def _starter(folder: Path) -> dict[str, bytes]:
    """The files of a new project. A .gitignore that is there is kept, and gets a line if it lacks ours."""
    from gatewatch.cli.packaged import packaged

    files = packaged("starter")
    files[_WORKFLOW] = files.pop("workflow.yml")
    line = files.pop("gitignore")
    named = b'name = "starter"'
    assert named in files["gatewatch.toml"]
    files["gatewatch.toml"] = files["gatewatch.toml"].replace(named, f'name = "{_project_name(folder)}"'.encode(), 1)
    ignore = folder / ".gitignore"
    before = ignore.read_bytes() if ignore.is_file() else b""
    if not before:
        files[".gitignore"] = line
    elif _IGNORED.rstrip("/") not in [each.strip().strip("/") for each in before.decode(errors="replace").split("\n")]:
        files[".gitignore"] = before.rstrip(b"\n") + b"\n" + line
    return files


def _project_name(folder: Path) -> str:
    """The folder's name, as projects may be called: those that share a store are told apart by it."""
    return re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:60] or _STARTER


def _dataset_name(folder: Path, log: Path) -> str:
    """A name for the cases of a log: the log's own, unless that is the log itself or the template."""
    name = re.sub(r"[^a-z0-9]+", "-", log.stem.lower()).strip("-")[:60] or "logs"
    target = folder / "datasets" / f"{name}.jsonl"
    taken = name == _STARTER or (target.exists() and target.samefile(log))
    return f"{name}-cases" if taken else name


def _print_written(folder: Path, files: dict[str, bytes], log: Path | None) -> None:
    click.echo(f"Written to {folder.resolve().name if folder == Path() else folder}:")
    width = max(len(name) for name in files)
    for name in files:
        about = _ABOUT.get(name, f"cases proposed from {log.name if log else 'logs'}")
        click.echo(f"  {name:{width}}  {about}")


def _print_proposal(proposal: "Proposal", log: Path) -> None:
    """What was made of the logs, and what a person has to look at."""
    from gatewatch.offline.propose import personal
    from gatewatch.offline.report import clean

    unreadable = f", {proposal.unreadable:,} of them unreadable" if proposal.unreadable else ""
    click.echo(f"\nFrom {log}:")
    click.echo(fill(clean(str(proposal.columns)), 78, initial_indent="  ", subsequent_indent="    "))
    click.echo(f"  {proposal.read:,} lines read{unreadable}")
    click.echo(f"  {proposal.exact:,} repeat another word for word, {proposal.near:,} almost so")
    click.echo(f"  {len(proposal.cases)} cases proposed, from {proposal.strata} strata")
    for note in proposal.notes:
        click.echo(f"  ! {clean(note)}")
    found = list(personal(proposal.cases).items())
    if found:
        ids = [f"{case} ({', '.join(kinds)})" for case, kinds in found[:_IDS_SHOWN]]
        more = f" and {len(found) - _IDS_SHOWN} more" if len(found) > _IDS_SHOWN else ""
        click.echo(f"  ! personal data in {len(found)}, left as it is: {', '.join(ids)}{more}")
        click.echo("    mask it before you commit the file; names and addresses are not looked for")
    for problem in proposal.problems[:_PROBLEMS_SHOWN]:
        click.echo(f"left out: {clean(str(problem))}", err=True)
    if proposal.unreadable > _PROBLEMS_SHOWN:
        click.echo(f"left out: ... and {proposal.unreadable - _PROBLEMS_SHOWN:,} more lines", err=True)


def _print_reach(folder: Path, name: str) -> None:
    """What a gate over so many cases can tell, and what it cannot: to be known before it is trusted."""
    from gatewatch.config.foresight import gate_reach
    from gatewatch.config.project import Project
    from gatewatch.offline.reach import in_words

    click.echo(f"\nWhat a gate over the cases of {name} can see (smallest fall that it detects, 80 % power):")
    for line in in_words(gate_reach(Project.open(folder), name)):
        click.echo(f"  {line}")


def _print_next(folder: Path, name: str, block: str) -> None:
    if name != _STARTER:
        click.echo('\nWhat would be right is yours to say: add "expected" to each of them.')
    steps = [] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]
    steps += ["gatewatch doctor", f"gatewatch run {name}", "gatewatch show --rows"]
    steps += [f"gatewatch baseline pin {name} --trials 5", f"gatewatch gate {name}"]
    if block:
        click.echo(f"\nAdd a suite for them to gatewatch.toml, with your own task and scorers:\n{block}")
        click.echo("Then:")
    else:
        click.echo("\nNext:")
    for step in steps:
        click.echo(f"  {step}")
