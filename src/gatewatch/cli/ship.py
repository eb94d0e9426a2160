"""`gatewatch ship`: from the spool of this machine to a server elsewhere."""

import signal
import socket
import threading

import click

from gatewatch.cli.sending import client_to
from gatewatch.cli.terminal import counted, shown, tell

_PAUSE_S = 1.0
_TRIES, _LAST_TRIES = 6, 3
_PATIENCE_S = 60.0


@click.command(name="ship")
@click.option("--to", "address", required=True, help="The server's address, such as https://gatewatch.example.")
@click.option("--spool", default="", help="The folder that capture writes to; by default the project's.")
@click.option("--token-env", default="GATEWATCH_TOKEN", show_default=True, help="The variable that has the token.")
@click.option("--once", is_flag=True, help="Send what there is now, and end; while another process sends it, wait.")
def command(address: str, *, spool: str, token_env: str, once: bool) -> int | None:
    """Send what capture wrote here to a server elsewhere, each record until the server has it.

    Told to end (SIGTERM), it sends what is left before, within a few tries; Ctrl-C and a second signal end it at once.
    """
    from pathlib import Path

    from gatewatch.config.project import Project
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.online.ship import Refused, ship

    if spool:
        folder = Path(spool)
    else:
        project = Project.open()
        folder = project.root / project.settings.online.spool
    client = client_to(address, token_env)
    if once and spool and not folder.is_dir():
        raise InputError(Problem(str(folder), "there is no such folder", "capture makes it with its first request"))
    stop, now = threading.Event(), threading.Event()
    heard = _on_signals(stop, now)
    source, records = socket.gethostname(), 0
    with client:
        if not once:
            waits = "" if folder.is_dir() else " (the folder is not there yet: waiting for the first request)"
            tell(shown(f"{folder} -> {address}{waits}"))
        while not stop.is_set():
            sent = ship(
                folder,
                client,
                source=source,
                stopped=stop.is_set,
                wait=stop.wait,
                tries=_TRIES if once else None,
                patience_s=_PATIENCE_S if once else 0.0,
            )
            records += sent.records
            if once:
                break
            if not sent.records:
                stop.wait(_PAUSE_S)
        if not once and heard == [signal.SIGTERM]:  # who captures here may have been told to end, too
            try:
                last = ship(folder, client, source=source, stopped=now.is_set, wait=now.wait, tries=_LAST_TRIES)
                records += last.records
            except Refused as error:
                tell(shown(f"! {error}"))
    click.echo(f"sent {counted(records, 'record')}")
    return 128 + heard[0] if heard else None


def _on_signals(stop: threading.Event, now: threading.Event) -> list[int]:
    """Which signals were heard: the first sets `stop`, the second `now`, too."""
    heard: list[int] = []

    def told(number: int, _frame: object) -> None:
        heard.append(number)
        (now if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    return heard
