"""`gatewatch token`: who may send to a server, and who may read from it."""

from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.terminal import console, print_json, shown, tell

if TYPE_CHECKING:
    from gatewatch.store.access import Token
    from gatewatch.store.database import Database


@click.group(name="token")
def command() -> None:
    """Make, end and list the tokens by which a server knows who asks."""


@command.command(name="create")
@click.option("--project", default="", help="The project that it is for; by default this one.")
@click.option(
    "--role",
    type=click.Choice(["ingest", "feedback", "read", "review", "admin"]),
    default="ingest",
    show_default=True,
    help="What it may be used for.",
)
@click.option("--note", default="", help="What it is for, in your words.")
@click.option("--expires", default="", help='After how long it is good for nothing, such as "90d"; never by default.')
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def create(*, project: str, role: Any, note: str, expires: str, as_json: bool) -> None:
    """Make a token. Its text is told this once: only a hash of it is kept."""
    from gatewatch.config.units import seconds
    from gatewatch.core.clock import wall
    from gatewatch.store import access

    now, lasts = wall(), 0.0
    if project and not access.NAME.fullmatch(project):
        what = "expected small letters, digits, _ and -, at most 63, a letter or digit first"
        raise click.BadParameter(f"{what}, got {project!r}", param_hint="--project")
    try:
        lasts = seconds(expires) if expires else 0.0
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--expires") from None
    db, own = _base()
    try:
        there = access.projects(db)
        access.register(db, own, now)  # so that what is in the store already is this project's
        token, secret = access.create(
            db, project=project or own, role=role, note=note, now=now, expires=now + lasts if lasts else 0.0
        )
    finally:
        db.close()
    if as_json:
        print_json({"kind": "gatewatch.token", "version": 1, **_plain(token), "token": secret})
        return
    click.echo(secret)
    if token.project not in (*there, own):
        tell(
            f"project {token.project} is made: there was none of this name"
            + (f" beside {', '.join(there)}" if there else "")
        )
    tell(f"token {token.id} of project {token.project}, role {token.role}: it is not shown again")


@command.command(name="revoke")
@click.argument("token_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def revoke(token_id: str, *, as_json: bool) -> None:
    """End the token of an ID, and visits of whoever signed in with it. Servers that run hear of it within a second."""
    from gatewatch.core.clock import wall
    from gatewatch.store import access

    db, _ = _base()
    try:
        token = access.revoke(db, token_id, wall())
    finally:
        db.close()
    if as_json:
        print_json({"kind": "gatewatch.token", "version": 1, **_plain(token)})
        return
    click.echo(f"token {token.id} of project {token.project}, role {token.role}, is revoked")


@command.command(name="list")
@click.option("--project", default="", help="Only this project's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def list_(*, project: str, as_json: bool) -> None:
    """List the tokens, without their texts: what each is for, when it was last used, whether it is still good."""
    from gatewatch.core.clock import wall
    from gatewatch.store import access

    db, _ = _base()
    try:
        found = [each for each in access.tokens(db) if project in ("", each.project)]
    finally:
        db.close()
    if as_json:
        print_json({"kind": "gatewatch.tokens", "version": 1, "tokens": [_plain(each) for each in found]})
        return
    if not found:
        click.echo("there is no token: `gatewatch token create`")
        return
    from rich.table import Table
    from rich.text import Text

    now = wall()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "project", "role", "created", "last used", "expires", "", "note"):
        table.add_column(heading, no_wrap=heading != "note")
    for each in found:
        moments = (_moment(each.created), _moment(each.used), _moment(each.expires))
        cells = (each.id, each.project, each.role, *moments, each.flaw(now), each.note)
        table.add_row(*(Text(shown(cell)) for cell in cells))
    console(120).print(table)


def _base() -> "tuple[Database, str]":
    """The base of this project's store, and the name under which it is registered there."""
    from gatewatch.config.monitors import base_of, name_of
    from gatewatch.config.project import Project

    project = Project.open()
    return base_of(project), name_of(project)


def _moment(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") if at else "never"


def _plain(token: "Token") -> dict[str, Any]:
    import msgspec

    plain = dict(msgspec.to_builtins(token))
    return plain | {key: plain[key] or None for key in ("expires", "revoked", "used")}
