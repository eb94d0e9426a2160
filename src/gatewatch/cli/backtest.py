"""`gatewatch alerts backtest` and `alerts monitors`: what rules would have told of, and how monitors stand."""

from typing import TYPE_CHECKING

import click

from gatewatch.cli.opened import opened
from gatewatch.cli.terminal import console, counted, print_json

if TYPE_CHECKING:
    from gatewatch.config.watching import Probed, Standing
    from gatewatch.online.backtest import Told

_WATCHED = {
    "score": "{}",
    "rate": "{}",
    "slow": "{}",
    "amount": "{}",
    "better": "{}, if higher",
    "short": "{}, if less",
}
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")


@click.command(name="backtest")
@click.argument("monitor")
@click.option(
    "--rule", "rules", multiple=True, help="A rule in the place of the saved one: 'helpful = { drop = \"3pp\" }'."
)
@click.option(
    "--days", type=click.FloatRange(0, 3650, min_open=True), default=30.0, show_default=True, help="How far back."
)
@_json
def backtest(*, monitor: str, rules: tuple[str, ...], days: float, as_json: bool) -> None:
    """Say what the rules of a MONITOR would have told of lately, before they are saved in gatewatch.toml.

    It goes through the conversations that are kept. Judges are not asked again.
    """
    from gatewatch.config.watching import tried
    from gatewatch.core.clock import wall
    from gatewatch.online.alert_text import told
    from gatewatch.online.backtest import per_week

    now = wall()
    since = now - days * 86_400
    with opened() as (project, store):
        found = tried(project, store, monitor, rules, since=since, until=now)
    if as_json:
        streams = [
            {
                "scorer": each.stream.scorer,
                "conversations": each.conversations,
                "kept_since": each.since,
                "learnt": each.learnt,
                "alerts": [told(one) for one in each.alerts],
            }
            for each in found
        ]
        weekly = per_week(found, since=since, until=now)
        print_json(
            {"kind": "gatewatch.backtest", "version": 1, "monitor": monitor, "per_week": weekly, "streams": streams}
        )
        return
    _print(found, since, now)


def _print(found: "list[Told]", since: float, now: float) -> None:
    from rich.text import Text

    from gatewatch.offline.report import clean
    from gatewatch.online.alert_text import GLYPHS, moment, size
    from gatewatch.online.backtest import covered, notes, per_week

    out = console(100)
    alerts = sorted((one for each in found for one in each.alerts), key=lambda one: one.opened)
    for one in alerts:
        quiet = f" · not told: {one.quiet}" if one.quiet else ""
        line = f"{moment(one.opened)}  {GLYPHS[one.severity]} {one.severity:<6} {one.title} · {size(one)}{quiet}"
        out.print(Text(clean(line)))
    loud = sum(not one.quiet for one in alerts)
    weekly = per_week(found, since=since, until=now)
    days = (now - covered(found, since=since, until=now)) / 86_400
    rate = "too few days to say how many a week" if weekly is None else f"{weekly:.2g} a week"
    said = f"{counted(loud, 'alert')} in {days:.3g} days, {rate}"
    out.print(Text(f"{said}; {counted(len(alerts) - loud, 'more')} noted only" if len(alerts) > loud else said))
    noted: dict[str, list[str]] = {}
    for each in found:
        for note in notes(each, since):
            noted.setdefault(note, []).append(each.stream.scorer or "signals")
    for note, names in noted.items():
        out.print(Text(clean(f"! {', '.join(names)}: {note}")))


@click.command(name="monitors")
@_json
def monitors(*, as_json: bool) -> None:
    """Say how each monitor stands: learning, or what it holds against what, and how near an alarm is."""
    from gatewatch.config.watching import standings

    with opened() as (project, store):
        found = standings(project, store)
    if as_json:
        print_json({"kind": "gatewatch.monitors", "version": 1, "streams": found})
        return
    if not found:
        click.echo("nothing is watched: [monitors] names none")
        return
    _print_standings(found)


def _print_standings(found: "list[Standing]") -> None:
    from rich.table import Table
    from rich.text import Text

    from gatewatch.offline.report import clean

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("monitor", "watches", "state"):
        table.add_column(heading)
    for heading in ("reference", "tolerance", "to its alarm"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found:
        name = each.scorer or "signals"
        if not each.learnt:
            days = f", day {each.days:.1f} of {each.wanted_days:g}" if each.wanted_days else ""
            state = f"LEARNING {each.n:,} of {each.wanted:,}{days}"
            table.add_row(*(Text(clean(cell)) for cell in (each.monitor, name, state, "", "", "")))
        for probe in each.probes:
            state = "changed" if probe.changed else "watching" if probe.limit is None else "within its limit"
            cells = (each.monitor, _WATCHED[probe.measure].format(probe.name), state, *_held_against(probe))
            table.add_row(*(Text(clean(cell)) for cell in (*cells, f"{probe.near:.0%}")))
    console(100).print(table)
    if not all(each.learnt for each in found):
        click.echo("while a reference is learnt, only limits (above, below, any) are watched")
    if any(not each.scorer and not each.n for each in found):
        click.echo("signals count once a conversation is over: session_end after its last turn")


def _held_against(probe: "Probed") -> tuple[str, str]:
    """A probe's reference (or limit) and tolerance, on its own scale."""
    from gatewatch.offline.report import seconds
    from gatewatch.online.alert import shown
    from gatewatch.online.probe import Probe

    of = Probe(probe.name, 0, "score" if probe.measure == "better" else probe.measure)
    held = shown(of, probe.reference if probe.limit is None or probe.measure == "slow" else probe.limit)
    if probe.longer_than is not None:
        held += f" over {seconds(probe.longer_than)}"
    return (held, shown(of, probe.tolerance)) if probe.limit is None else (f"limit {held}", "")
