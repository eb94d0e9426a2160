"""`gatewatch export`: what is kept of a user, for who asks."""

from pathlib import Path

import click

from gatewatch.cli.terminal import counted, print_json, shown, tell, who


@click.command(name="export")
@click.option("--user", required=True, help="The user's id, as the application gave it to capture, or its hash.")
@click.option("--key-env", "more", multiple=True, help="A variable that has one more key that ids were hashed with.")
@click.option("--out", default="", help="The file; by default one in .gatewatch/exports, which `erase` removes again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(user: str, *, more: tuple[str, ...], out: str, as_json: bool) -> None:
    """Write all that is kept of a user into a file: requests, what was said of them, feedback. It is noted who did."""
    from datetime import UTC, datetime

    from gatewatch.config.erasing import EXPORTS, person
    from gatewatch.config.load import shortest
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project
    from gatewatch.core.clock import wall
    from gatewatch.online.exporting import export

    if not user:
        raise click.BadParameter("must not be empty", param_hint="--user")
    project = Project.open()
    now = wall()
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S%fZ")
    path = Path(out) if out else project.root / EXPORTS / f"{moment}.jsonl"
    store = store_of(project)
    try:
        found = person(project, store, user, more)
        if found.missed:
            tell(shown(f"! {found.missed}"))
        number = export(store, found.subject, path, who=who(), now=now)
    finally:
        store.close()
    if as_json:
        told = {"file": str(path), "requests": number, "other_keys": found.other_keys}
        print_json({"kind": "gatewatch.exported", "version": 1, **told})
        return
    click.echo(shown(f"{counted(number, 'request')} in {shortest(path)}"))
    if out:
        tell("`gatewatch erase` knows of no file outside .gatewatch/exports: remove this one when it has served")
