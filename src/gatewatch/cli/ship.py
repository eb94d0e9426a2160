"""`gatewatch ship`: from the spool of this machine to a server elsewhere."""

import os
import socket
import threading

import click

from gatewatch.cli.terminal import counted, shown, tell

_PAUSE_S = 1.0
_TRIES = 6


@click.command(name="ship")
@click.option("--to", "address", required=True, help="The server's address, such as https://gatewatch.example.")
@click.option("--spool", default="", help="The folder that capture writes to; by default the project's.")
@click.option("--token-env", default="GATEWATCH_TOKEN", show_default=True, help="The variable that has the token.")
@click.option("--once", is_flag=True, help="Send what there is now, and end.")
def command(address: str, *, spool: str, token_env: str, once: bool) -> int | None:
    """Send what capture wrote here to a server elsewhere, each record until the server has it."""
    from pathlib import Path

    import httpx

    from gatewatch.config.project import Project
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.core.http import header_flaw, url_flaw
    from gatewatch.online.ship import ship

    if spool:
        folder = Path(spool)
    else:
        project = Project.open()
        folder = project.root / project.settings.online.spool
    if flaw := url_flaw(address):
        raise click.BadParameter(flaw, param_hint="--to")
    token = os.environ.get(token_env, "")
    if token and (flaw := header_flaw("authorization", f"Bearer {token}")):
        raise InputError(Problem(token_env, flaw))
    if spool and not folder.is_dir():
        raise InputError(Problem(str(folder), "there is no such folder", "capture makes it with its first request"))
    stop = threading.Event()
    heard = _on_signals(stop)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    records = 0
    with httpx.Client(base_url=address, headers=headers, timeout=30.0) as client:
        if not once:
            tell(shown(f"{folder} -> {address}"))
        while not stop.is_set():
            sent = ship(
                folder,
                client,
                source=socket.gethostname(),
                stopped=stop.is_set,
                wait=stop.wait,
                tries=_TRIES if once else None,
            )
            records += sent.records
            if once:
                break
            if not sent.records:
                stop.wait(_PAUSE_S)
    click.echo(f"sent {counted(records, 'record')}")
    return 128 + heard[0] if heard else None


def _on_signals(stop: threading.Event) -> list[int]:
    import signal

    heard: list[int] = []

    def told(number: int, _frame: object) -> None:
        heard.append(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    return heard
