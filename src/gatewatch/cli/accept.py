"""`gatewatch accept`: an exception from the gate, with a reason, an owner and a last day, in a reviewed file."""

from datetime import date
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gatewatch.config.project import Project
    from gatewatch.offline.accept import Entry


@click.command(name="accept")
@click.argument("what")
@click.option("--reason", required=True, help="Why it is accepted.")
@click.option("--until", required=True, help="The last day on which it holds, such as 2026-12-31.")
@click.option("--owner", required=True, help="Who will look again.")
@click.option("--suite", default="", help="Only in this suite.")
@click.option("--scorer", default="", help="The case WHAT under this scorer alone.")
@click.option("--outbox", is_flag=True, help="Leave the file as it is: `gatewatch pull` writes it, in a checkout.")
def command(what: str, *, reason: str, until: str, owner: str, suite: str, scorer: str, outbox: bool) -> None:
    """Accept WHAT, a case or a scorer, for a while: it stays listed and does not block.

    The entry is written to accepted.toml, which is reviewed and committed like code. The day after --until the gate
    fails until somebody looks again.
    """
    from gatewatch.cli.terminal import shown
    from gatewatch.config.exceptions import accept
    from gatewatch.config.project import Project

    try:
        last = date.fromisoformat(until)
    except ValueError:
        raise click.UsageError(f"--until: expected a day such as 2026-12-31, got {until!r}") from None
    for option, text in (("--reason", reason), ("--owner", owner)):
        if not text.strip():
            raise click.UsageError(f"{option} is empty: say who accepts it, and why")
    project = Project.open()
    entry, path = accept(
        project,
        what,
        reason=reason.strip(),
        until=last,
        owner=owner.strip(),
        suite=suite,
        scorer=scorer,
        write=not outbox,
    )
    if outbox:
        name = _propose(project, entry)
        click.echo(shown(f"{name}: {entry.what} is accepted until {entry.until}, once `gatewatch pull` wrote it."))
        return
    click.echo(shown(f"{path}: {entry.what} is accepted until {entry.until}. Have it reviewed, and commit it."))


def _propose(project: "Project", entry: "Entry") -> str:
    """Put an exception into the outbox; what it is called there."""
    from gatewatch.cli.terminal import who
    from gatewatch.config.monitors import store_of
    from gatewatch.core.change import change_name
    from gatewatch.core.clock import wall
    from gatewatch.loop.pull import exception_change

    store, now = store_of(project), wall()
    try:
        ((change, _),) = store.propose([exception_change(entry, by=who(), at=now)], now)
        store.note(now, who(), "accept", f"{change_name(change.id)} {entry.what}")
    finally:
        store.close()
    return change_name(change.id)
