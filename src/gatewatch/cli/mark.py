"""`gatewatch mark`: what was changed, and when, so that alerts can name it."""

from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import console, print_json, who

if TYPE_CHECKING:
    from gatewatch.core.watch import Marker

_LONGEST = 400


@click.command(name="mark")
@click.argument("words", metavar="FLOW WHAT", nargs=-1)
@click.option("--all", "every", is_flag=True, help="It was changed for all flows: give WHAT alone.")
@click.option("--at", default="", help='When: how long ago, such as "2h", or a date with a time (UTC); now by default.')
@click.option("--accept", is_flag=True, help="What comes after is as it should be: the new reference. Needs --reason.")
@click.option("--reason", default="", help="Why what comes after is accepted.")
@click.option("--list", "listing", is_flag=True, help="List the markers of a FLOW, or of all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(
    words: tuple[str, ...], *, every: bool, at: str, accept: bool, reason: str, listing: bool, as_json: bool
) -> None:
    """Note that WHAT was changed in a FLOW: a deploy, a prompt, a knowledge base.

    Alerts name the markers near to what they found. With --accept, monitors learn anew what is as it should be.
    """
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project
    from gatewatch.config.units import moment
    from gatewatch.core.clock import wall
    from gatewatch.core.errors import InputError, Problem, did_you_mean
    from gatewatch.core.watch import Marker
    from gatewatch.offline.report import clean

    if listing:
        _list(words[0] if words else "", as_json=as_json)
        return
    if len(words) != (1 if every else 2) or not words[-1].strip():
        raise click.UsageError('give FLOW and WHAT, such as support "prompt 4"; or --all and WHAT')
    if len(words[-1]) > _LONGEST:
        raise click.BadParameter(f"is longer than {_LONGEST} letters", param_hint="WHAT")
    if accept and not reason.strip():
        raise click.UsageError("--accept needs a --reason: why is what comes after as it should be?")
    now, name = wall(), who()
    try:
        when = moment(at, now) if at else now
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None
    if not 0 < when <= now:
        what = "is before 1970" if when <= 0 else "is not in the past"
        raise click.BadParameter(f"{what}: {at!r}", param_hint="--at")
    flow = "" if every else words[0]
    project = Project.open()
    store = store_of(project)
    try:
        known = {each.flow for each in project.settings.monitors.values()} | set(store.flows())
        if flow and flow not in known:
            raise InputError(Problem(flow, "there is no such flow", did_you_mean(flow, known)))
        kept = store.mark(Marker(when, flow, words[-1].strip(), name, reason, accepted=accept))
        store.note(now, name, "mark", f"{kept.id} {flow or 'all flows'}{' accepted' if accept else ''}")
    finally:
        store.close()
    if as_json:
        print_json({"kind": "gatewatch.mark", "version": 1, "mark": kept})
        return
    more = ": what comes after is the new reference. Until it is learnt, only limits are watched" if accept else ""
    click.echo(clean(f"marker {kept.id} on {flow or 'all flows'} at {_moment(kept.at)}{more}"))


def _list(flow: str, *, as_json: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project
    from gatewatch.offline.report import clean

    store = store_of(Project.open())
    try:
        found = store.markers(flow)
    finally:
        store.close()
    if as_json:
        print_json({"kind": "gatewatch.marks", "version": 1, "marks": found})
        return
    if not found:
        click.echo('there is no marker: `gatewatch mark FLOW "what was changed"`')
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "at (UTC)", "flow", "what", "by", ""):
        table.add_column(heading, no_wrap=heading in ("id", "at (UTC)"), overflow="fold")
    for each in reversed(found):
        cells = (str(each.id), _moment(each.at), each.flow or "(all)", each.what, each.who, _note(each))
        table.add_row(*(Text(clean(cell)) for cell in cells))
    console(100).print(table)


def _note(marker: "Marker") -> str:
    if marker.accepted:
        return f"accepted: {marker.reason}"
    return "seen in traffic" if marker.seen else marker.reason


def _moment(at: float) -> str:
    from gatewatch.online.alert_text import moment

    return moment(at).removesuffix(" UTC")
