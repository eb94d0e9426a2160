"""`gatewatch plan`: what a suite's gate, or a monitor, can see, and what seeing more would cost."""

from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import console, print_json, shown

if TYPE_CHECKING:
    from gatewatch.online.foresee import Asked, AtRate, Foreseen

_WEEK = 7.0


@click.command(name="plan")
@click.argument("suite", default="")
@click.option("--monitor", default="", help="A monitor, in the place of a suite.")
@click.option("--drop", default="5pp", show_default=True, help="Of a mean score: what a monitor is to see.")
@click.option("--within", default="24h", show_default=True, help="How soon a monitor is to see it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(suite: str, *, monitor: str, drop: str, within: str, as_json: bool) -> None:
    """What the gate of a SUITE can see with the cases that it has, and what seeing more would cost. Nothing is run.

    With --monitor, after how long a monitor sees that live scores fell, by the traffic that is stored: at which
    sampling rate, and for how much money a day.
    """
    if bool(suite) == bool(monitor):
        raise click.UsageError("name a suite, or a monitor with --monitor")
    if monitor:
        _monitor(monitor, drop, within, as_json)
        return
    from gatewatch.config.foresight import gate_reach
    from gatewatch.config.project import Project
    from gatewatch.offline.reach import in_words

    found = gate_reach(Project.open(), suite)
    if as_json:
        print_json({"kind": "gatewatch.plan", "version": 1, "suite": suite, "reach": found})
        return
    click.echo(f"What the gate of {shown(suite)} detects (smallest fall, 80 % power):")
    for line in in_words(found):
        click.echo(f"  {shown(line)}")


def _monitor(name: str, drop: str, within: str, as_json: bool) -> None:
    from gatewatch.config.monitor_reach import monitor_reach
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project
    from gatewatch.core.clock import wall

    project = Project.open()
    store = store_of(project)
    try:
        asked, found = monitor_reach(project, store, name, drop=drop, within=within, now=wall())
    finally:
        store.close()
    if as_json:
        told = {"monitor": name, "asked": asked, "scorers": found}
        print_json({"kind": "gatewatch.plan", "version": 1, **told})
        return
    click.echo(
        f"What the monitor {shown(name)} sees: a fall of {100 * asked.drop:.3g} points,"
        f" with one false alarm in {asked.days:.3g} days by all {asked.detectors} detectors of the project"
    )
    for each in found:
        click.echo("")
        _print(asked, each)


def _print(asked: "Asked", found: "Foreseen") -> None:
    from rich.table import Table
    from rich.text import Text

    from gatewatch.core.money import dollars
    from gatewatch.offline.report import clean

    out = console(100)

    def say(line: str) -> None:
        out.print(Text(clean(line)))

    say(f"{found.scorer}  {_count(found.per_day)} conversations a day; known are {found.n:,} scored ones")
    if found.window_days < _WEEK and not found.flaw:
        say(f"! by the traffic of {_lasted(found.window_days)}: days of a week differ, so ask again after one")
    if found.flaw or found.mean is None or found.sd is None:
        say(f"  {found.flaw}")
        return
    cost = "what one costs is unknown" if found.cost is None else f"{dollars(found.cost)} a score"
    say(f"  mean {found.mean:.3f}, sd within slices {found.sd:.3f}, {cost}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("rate", "scored a day", "tolerance", "seen in half", "in 9 of 10", "a day", ""):
        table.add_column(heading, justify="left" if not heading else "right", no_wrap=bool(heading))
    for row in found.rows:
        money = "?" if row.dollars is None else dollars(row.dollars)
        cells = (
            f"{row.rate:.3g}",
            _count(row.per_day),
            f"{100 * row.tolerance:.1f} pp",
            _after(row.delay.median, row.median_h),
            _after(row.delay.most, row.most_h),
            money,
            _note(row, found),
        )
        table.add_row(*(Text(clean(cell)) for cell in cells))
    out.print(table)
    if found.smallest is None:
        say(f"  at no rate is it seen within {asked.within_h:.3g} h in 9 of 10 cases")


def _count(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _lasted(days: float) -> str:
    return f"{days:.2g} days" if days >= 2 else f"{24 * days:.2g} h"


def _after(count: int | None, hours: float | None) -> str:
    if count is None or hours is None:
        return "not in 90 d"
    return f"{hours:.3g} h" if hours < 72 else f"{hours / 24:.3g} d"


def _note(row: "AtRate", found: "Foreseen") -> str:
    notes = ["enough" if row.rate == found.smallest else "", "today" if row.present else ""]
    return ", ".join(filter(None, notes))
