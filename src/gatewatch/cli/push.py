"""`gatewatch push`: a run's journal to a server."""

import click

from gatewatch.cli.sending import client_to
from gatewatch.cli.terminal import counted, print_json, shown


@click.command(name="push")
@click.argument("run")
@click.option(
    "--to",
    "address",
    envvar="GATEWATCH_SERVER",
    show_envvar=True,
    required=True,
    help="The server's address, such as https://gatewatch.example; by default what GATEWATCH_SERVER says.",
)
@click.option("--token-env", default="GATEWATCH_TOKEN", show_default=True, help="The variable that has the token.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(run: str, *, address: str, token_env: str, as_json: bool) -> None:
    """Send the journal of a RUN (its id, the start of it, its name, a file, or "latest") to a server, which keeps it.

    A push that was cut is taken up where it stopped; a run that is there already is not sent again.
    """
    from pathlib import Path

    import msgspec

    from gatewatch.config.project import runs_of
    from gatewatch.offline.push import push
    from gatewatch.offline.result import find_run

    with client_to(address, token_env) as client:
        pushed = push(find_run(runs_of(Path.cwd()), run), client)
    if as_json:
        print_json({"kind": "gatewatch.push", "version": 1, "to": address, **msgspec.to_builtins(pushed)})
        return
    state = "" if pushed.state == "complete" else f" ({pushed.state})"
    if pushed.kept_before:
        click.echo(shown(f"{pushed.run}{state} is there already"))
        return
    parts = counted(pushed.parts, "part")
    sent = parts if pushed.sent == pushed.parts else f"{pushed.sent} of {parts}, the others were there"
    click.echo(shown(f"{pushed.run}{state} is kept by {address}: {pushed.size:,} bytes, {sent}"))
