"""`gatewatch alerts`: what is wrong with live traffic, who sees to it, and whether word of it arrives."""

from shlex import quote
from typing import TYPE_CHECKING

import click

from gatewatch.cli.backtest import backtest, monitors
from gatewatch.cli.opened import opened
from gatewatch.cli.terminal import console, counted, print_json, who

if TYPE_CHECKING:
    from gatewatch.core.watch import Alert, AlertState
    from gatewatch.store.base import Store

_STYLES = {"page": "bold red", "ticket": "bold yellow", "info": "bold"}
_EVERY = 100_000
_LONGEST_SNOOZE_S = 366 * 86_400.0
_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else."
)
_number = click.argument("number", metavar="N", type=click.IntRange(1, 2**62))


@click.group(name="alerts", invoke_without_command=True)
@click.option("--all", "every", is_flag=True, help="Those that are resolved, too.")
@click.option("--flow", default="", help="Only this flow's.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="The newest so many.")
@_as_json
@click.pass_context
def command(context: click.Context, *, every: bool, flow: str, limit: int, as_json: bool) -> None:
    """List the alerts that are open, newest first."""
    if context.invoked_subcommand is not None:
        return
    from gatewatch.core.clock import wall
    from gatewatch.online.alert_text import told

    with opened() as (project, store):
        found = store.alerts(flow=flow, every=every, most=limit)
        waiting = store.untold()
        watched = bool(project.settings.monitors)
    if as_json:
        print_json({"kind": "gatewatch.alerts", "version": 1, "alerts": [told(each) for each in found]})
        return
    if not found:
        what = "no alert" if every else "no alert is open"
        click.echo(what if watched else f"{what}: nothing is watched ([monitors] names none)")
    now = wall()
    for each in found:
        _print_line(each, now)
    if waiting:
        what = f"{counted(len(waiting), 'notice')} {'is' if len(waiting) == 1 else 'are'} not delivered"
        click.echo(f"! {what}: `gatewatch alerts undelivered`")


@command.command(name="show")
@_number
@_as_json
def show(*, number: int, as_json: bool) -> None:
    """Show all that is known of alert N: how much, since when, where, what was changed near it, what to do."""
    from gatewatch.online.alert_text import told

    with opened() as (_, store):
        found = _known(store, number, store.alert(number))
    if as_json:
        print_json({"kind": "gatewatch.alert", "version": 1, "alert": told(found)})
        return
    print_alert(found)


def print_alert(found: "Alert") -> None:
    """Print all that is known of an alert."""
    from rich.table import Table
    from rich.text import Text

    from gatewatch.offline.report import clean
    from gatewatch.online.alert_text import facts, headline

    out = console(100)
    out.print(Text(clean(headline(found)), _STYLES[found.severity]))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    before = ""
    for label, text in facts(found):
        line = _why(text) if label == "request" else text
        table.add_row("" if label == before else label, Text(clean(line)))
        before = label
    if found.to:
        from gatewatch.online.channels import public

        table.add_row("channels", Text(clean(", ".join(map(public, found.to)))))
    out.print(table)


@command.command(name="ack")
@_number
@click.option("--reason", default="", help="A word on it, for others.")
def ack(*, number: int, reason: str) -> None:
    """Acknowledge alert N: somebody sees to it."""
    _turn(number, "acknowledged", reason)


@command.command(name="resolve")
@_number
@click.option("--reason", required=True, help="What it was, or what was done.")
def resolve(*, number: int, reason: str) -> None:
    """Resolve alert N. Should it be found again, it is another alert."""
    _turn(number, "resolved", reason)


@command.command(name="snooze")
@_number
@click.option("--for", "lasts", required=True, help='For how long nobody is told, such as "2h".')
@click.option("--reason", default="", help="Why.")
def snooze(*, number: int, lasts: str, reason: str) -> None:
    """Tell nobody of alert N for a while."""
    from gatewatch.config.units import seconds

    try:
        length = seconds(lasts)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--for") from None
    if length > _LONGEST_SNOOZE_S:
        raise click.BadParameter(f"must be a year at most, got {lasts!r}: `resolve` ends an alert", param_hint="--for")
    _turn(number, "snoozed", reason, length)


@command.command(name="reopen")
@_number
@click.option("--reason", default="", help="Why.")
def reopen(*, number: int, reason: str) -> None:
    """Open alert N again."""
    _turn(number, "open", reason)


@command.command(name="test")
@click.argument("channel", default="")
@_as_json
def test(*, channel: str, as_json: bool) -> int:
    """Send a notice that says it is a test, now: to a CHANNEL such as "slack:$SLACK_URL", or to each of the project."""
    import asyncio

    from gatewatch.config.alerting import channels, named_channels
    from gatewatch.config.project import Project
    from gatewatch.offline.report import clean
    from gatewatch.online import channels as naming
    from gatewatch.online.trying import tried

    project = Project.open()
    wires, every = channels(project), named_channels(project)
    if channel:
        try:
            naming.channel(channel)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="CHANNEL") from None
        every = [channel]
    if not every:
        raise click.UsageError("the project names no channel: give one, or add `to` to [alerts]")
    reasons = asyncio.run(tried(every, wires, who()))
    if as_json:
        told = [{"to": naming.public(to), "taken": not reason, "reason": reason} for to, reason in reasons.items()]
        print_json({"kind": "gatewatch.alerts_test", "version": 1, "channels": told})
    else:
        for to, reason in reasons.items():
            name = naming.public(to)
            click.echo(clean(f"✕ {name} did not take it: {reason}" if reason else f"✓ {name} took it"))
    return 4 if any(reasons.values()) else 0


@command.command(name="undelivered")
@click.option("--drop", default="", metavar="CHANNEL", help="Give up what waits for this channel, as it is listed.")
@_as_json
def undelivered(*, drop: str, as_json: bool) -> None:
    """List what did not arrive yet, and why. Workers try again for as long as it takes."""
    from rich.table import Table
    from rich.text import Text

    from gatewatch.offline.report import clean
    from gatewatch.online.channels import public

    if drop:
        _drop(drop)
        return
    with opened() as (_, store):
        found = store.untold()
    if as_json:
        told = [
            {
                "key": each.key,
                "to": public(each.to),
                "event": each.event,
                "attempts": each.attempts,
                "reason": reason,
                "alert": each.alert.id,
                "title": each.alert.title,
            }
            for each, reason in found
        ]
        print_json({"kind": "gatewatch.notices", "version": 1, "notices": told})
        return
    if not found:
        click.echo("everything was delivered")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("alert", "event", "to", "taken up", "why not"):
        table.add_column(heading, justify="right" if heading in ("alert", "taken up") else "left", overflow="fold")
    for each, reason in found:
        cells = (str(each.alert.id), each.event, public(each.to), str(each.attempts), reason or "not tried yet")
        table.add_row(*(Text(clean(cell)) for cell in cells))
    console(100).print(table)


def _drop(channel: str) -> None:
    from gatewatch.core.clock import wall
    from gatewatch.core.errors import InputError, Problem, did_you_mean
    from gatewatch.offline.report import clean
    from gatewatch.online.channels import public

    now, number = wall(), 0
    with opened() as (_, store):
        names = {public(each.to) for each, _ in store.untold(_EVERY)}
        if channel not in names:
            raise InputError(Problem(channel, "nothing waits for this channel", did_you_mean(channel, names)))
        for each, _ in store.untold(_EVERY):
            if public(each.to) == channel:
                store.told(each.id, now)
                number += 1
        store.note(now, who(), "notices dropped", f"{number} to {channel}")
    click.echo(clean(f"{counted(number, 'notice')} to {channel} given up"))


command.add_command(backtest)
command.add_command(monitors)


def _why(request: str) -> str:
    """The command that shows a request. Senders choose ids: a shell must take one as a word, click as no option."""
    return f"gatewatch why {'-- ' if request.startswith('-') else ''}{quote(request)}"


def _print_line(alert: "Alert", now: float) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from gatewatch.offline.report import clean
    from gatewatch.online.alert_text import GLYPHS, size

    out = console(100)
    where = f"{alert.flow}: " if alert.flow else ""
    line = Text(f"{GLYPHS[alert.severity]} {alert.severity:<6}", _STYLES[alert.severity])
    line.append(f" {alert.id}  ", "default not bold")
    line.append(clean(f"{where}{alert.title}"), "dim" if alert.quiet else "default not bold")
    out.print(line)
    until = f" for {_ago(alert.until - now)} more" if alert.state == "snoozed" and alert.until else ""
    began = alert.evidence.onset
    parts = [
        f"{alert.state}{until}, opened {_ago(now - alert.opened)} ago",
        "" if began is None else f"began about {_ago(now - began)} ago",
        f"found {alert.times:,} times" if alert.times > 1 else "",
        size(alert),
        f"not told: {alert.quiet}" if alert.quiet else "",
        alert.owner,
    ]
    out.print(Padding(Text(clean(" · ".join(filter(None, parts))), "dim"), (0, 0, 0, 9)))


def _ago(length: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if length >= 2 * size:
            return f"{length // size:.0f} {unit}"
    return f"{max(0.0, length):.0f} s"


def _turn(number: int, state: "AlertState", reason: str, length: float | None = None) -> None:
    from gatewatch.core.clock import wall
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.online.alert_text import moment

    now, name = wall(), who()
    until = None if length is None else now + length
    with opened() as (_, store):
        found = _known(store, number, store.turn_alert(number, state, who=name, reason=reason, now=now, until=until))
        if found.state != state:
            what = f"stays {found.state}: another alert of the same cause is open"
            raise InputError(Problem(str(number), what, "`gatewatch alerts` lists it"))
        store.note(now, name, f"alert {state}", str(number))
    click.echo(f"alert {number} is {state}" + (f" until {moment(until)}" if until is not None else ""))


def _known(store: "Store", number: int, found: "Alert | None") -> "Alert":
    from gatewatch.core.errors import InputError, Problem

    if found is None:
        newest = store.alerts(every=True, most=1)
        hint = f"the newest is {newest[0].id}: `gatewatch alerts --all`" if newest else "there was none yet"
        raise InputError(Problem(str(number), "there is no such alert", hint))
    return found
