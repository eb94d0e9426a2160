"""`gatewatch push`: a run's journal to a server."""

import os

import click

from gatewatch.cli.terminal import counted, print_json, shown


@click.command(name="push")
@click.argument("run")
@click.option(
    "--to",
    "address",
    envvar="GATEWATCH_SERVER",
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

    import httpx
    import msgspec

    from gatewatch.config.project import runs_of
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.core.http import header_flaw, url_flaw
    from gatewatch.offline.push import push
    from gatewatch.offline.result import find_run

    if flaw := url_flaw(address):
        raise click.BadParameter(flaw, param_hint="--to")
    token = os.environ.get(token_env, "")
    if token and (flaw := header_flaw("authorization", f"Bearer {token}")):
        raise InputError(Problem(token_env, flaw))
    path = find_run(runs_of(Path.cwd()), run)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    with httpx.Client(base_url=address, headers=headers, timeout=30.0) as client:
        pushed = push(path, client)
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
