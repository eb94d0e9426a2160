"""`gatewatch pull`: what was promoted, accepted or pinned elsewhere, into the files of this checkout."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.terminal import console, counted, print_json, shown, tell, who

if TYPE_CHECKING:
    from gatewatch.config.project import Project
    from gatewatch.config.pulling import Pulled
    from gatewatch.core.change import Change
    from gatewatch.loop.pull import Outbox

_KINDS = {"case": "case", "accept": "exception", "baseline": "baseline"}


@click.command(name="pull")
@click.option("--from", "address", default="", help="From this server, in the place of the project's own store.")
@click.option("--token-env", default="GATEWATCH_TOKEN", show_default=True, help="The variable that has the token.")
@click.option("--list", "listed", is_flag=True, help="Show every change and how far it is; write nothing.")
@click.option("--again", is_flag=True, help="Write here, too, what another checkout pulled and no main branch has yet.")
@click.option("--withdraw", default="", metavar="C3", help="Take a change back that nobody has yet.")
@click.option("--dry-run", is_flag=True, help="Show what waits; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(
    *, address: str, token_env: str, listed: bool, again: bool, withdraw: str, dry_run: bool, as_json: bool
) -> int:
    """Write what waits in the outbox into the files of this checkout: cases, exceptions, baselines.

    Each is written once, however often this is called, and shown as pending, pulled, and merged once git has it in the
    main branch. One that cannot be applied is told of and waits on.
    """
    from gatewatch.config.pulling import pull, waiting
    from gatewatch.config.pulling import withdraw as taken_back
    from gatewatch.core.clock import wall

    if bool(withdraw) + listed + (dry_run or again) > 1:
        raise click.UsageError("give one of --list, --withdraw and --dry-run; --again goes with the last alone")
    with _outbox(address, token_env) as (project, outbox, note):
        if withdraw:
            change = taken_back(outbox, withdraw, wall(), who())
            note("change withdrawn", [change])
            _tell_one(change, as_json=as_json)
            return 0
        if listed:
            _list(waiting(outbox, ("pending", "pulled", "merged", "withdrawn")), as_json=as_json)
            return 0
        done, branch = pull(project, outbox, wall(), dry=dry_run, again=again)
        note("change pulled", [each.change for each in done if each.applied is not None])
        note("change merged", [each.change for each in done if each.applied is None and each.change.state == "merged"])
    if as_json:
        print_json(_plain(done, branch, dry=dry_run))
    else:
        _print(done, dry=dry_run)
    failed = [each for each in done if each.problems]
    for each in failed:
        for problem in each.problems:
            tell(f"error: {shown(f'{_named(each.change)} waits on: {problem}')}")
    return 2 if failed else 0


@contextmanager
def _outbox(address: str, token_env: str) -> "Iterator[tuple[Project, Outbox, Any]]":
    """The project, its outbox or a server's, and what notes in the audit what was done; a server does that itself."""
    from gatewatch.cli.opened import opened
    from gatewatch.config.project import Project
    from gatewatch.core.change import change_name
    from gatewatch.core.clock import wall

    if address:
        from gatewatch.cli.sending import client_to
        from gatewatch.loop.served import Served

        with client_to(address, token_env, "--from") as client:
            yield Project.open(), Served(client), lambda *_: None
        return
    with opened() as (project, store):

        def note(action: str, changes: "list[Change]") -> None:
            if changes:
                store.note(wall(), who(), action, " ".join(change_name(each.id) for each in changes))

        yield project, store, note


def _named(change: "Change") -> str:
    from gatewatch.core.change import change_name

    return f"{change_name(change.id)} ({_KINDS[change.kind]})"


def _about(change: "Change") -> str:
    """What a change is about, in a few words."""
    body = change.body
    if change.kind == "case":
        case = body.get("case")
        id_ = str(case.get("id", "")) if isinstance(case, dict) else ""
        into = str(body.get("into", ""))
        return f"{into or id_}" + (", once more" if into else "")
    if change.kind == "accept":
        return " under ".join(str(body[key]) for key in ("case", "scorer") if body.get(key))
    return change.suite


def _print(done: "list[Pulled]", *, dry: bool) -> None:
    for each in done:
        about = f"{_named(each.change)}: {_about(each.change)}"
        if dry:
            click.echo(shown(f"{about} waits for {each.change.path}, by {each.change.by}"))
        elif each.applied is not None:
            what = {"added": "added to", "changed": "changed in", "there": "was in already:"}[each.applied.what]
            click.echo(shown(f"{about} {what} {each.applied.where}"))
            for problem in each.applied.broken:
                click.echo(shown(f"  ! a line was left as it is, and no run takes the file: {problem}"))
        elif not each.problems:
            click.echo(shown(f"{about} is merged"))
    written = sorted({each.change.path for each in done if each.applied and each.applied.what != "there"})
    if written:
        click.echo(shown(f"Have {', '.join(written)} reviewed, and commit it."))
    if not done:
        click.echo("nothing waits")


def _list(changes: "list[Change]", *, as_json: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from gatewatch.core.change import change_name, told
    from gatewatch.offline.report import clean

    if as_json:
        print_json({"kind": "gatewatch.changes", "version": 1, "changes": [told(each) for each in changes]})
        return
    if not changes:
        click.echo("nothing was proposed yet")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "state", "kind", "what", "file", "by", "where"):
        table.add_column(heading, overflow="fold")
    for each in changes:
        cells = (change_name(each.id), each.state, _KINDS[each.kind], _about(each), each.path, each.by, each.where)
        table.add_row(*(Text(clean(cell)) for cell in cells))
    console(100).print(table)
    pending = sum(each.state == "pending" for each in changes)
    if pending:
        click.echo(f"{counted(pending, 'change')} {'waits' if pending == 1 else 'wait'}: `gatewatch pull`")


def _tell_one(change: "Change", *, as_json: bool) -> None:
    from gatewatch.core.change import told

    if as_json:
        print_json({"kind": "gatewatch.change", "version": 1, "change": told(change)})
    else:
        click.echo(shown(f"{_named(change)}: {_about(change)} is withdrawn"))


def _plain(done: "list[Pulled]", branch: str, *, dry: bool) -> dict[str, Any]:
    import msgspec

    from gatewatch.core.change import told

    changes = [
        {
            "change": told(each.change),
            "written": msgspec.to_builtins(each.applied) if each.applied else None,
            "problems": [msgspec.to_builtins(problem) for problem in each.problems],
        }
        for each in done
    ]
    return {"kind": "gatewatch.pull", "version": 1, "dry_run": dry, "branch": branch, "changes": changes}
