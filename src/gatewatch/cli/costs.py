"""`gatewatch costs`: what live traffic costs."""

from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import console, counted, print_json

if TYPE_CHECKING:
    from gatewatch.online.monitor_costs import MonitorCost
    from gatewatch.online.spending import SpendLine


@click.command(name="costs")
@click.option(
    "--by", default="flow,scorer,model", show_default=True, help="What to put together: kind, flow, scorer, model, day."
)
@click.option("--month", default="", help='A month such as "2026-11"; this one by default (UTC).')
@click.option("--monitors", is_flag=True, help="What judging costs by monitor: today, this month, by its end; budgets.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(*, by: str, month: str, monitors: bool, as_json: bool) -> None:
    """Say what live traffic costs in a month: the application's calls, and the judges'."""
    if monitors:
        if month:
            raise click.BadParameter("is not for --monitors, which tells of this month", param_hint="--month")
        _monitors(as_json)
        return
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project
    from gatewatch.core.clock import wall
    from gatewatch.core.errors import did_you_mean
    from gatewatch.core.money import dollars
    from gatewatch.online.spending import KEYS, as_rows, month_of, sampled, spending
    from gatewatch.online.trends import erased

    keys = [each.strip() for each in by.split(",") if each.strip()]
    for each in keys:
        if each not in KEYS:
            raise click.BadParameter(f"{each!r} is not known ({did_you_mean(each, KEYS)})", param_hint="--by")
    try:
        since, until = month_of(month, wall())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--month") from None
    keys = ["kind", *[each for each in keys if each != "kind"]]
    store = store_of(Project.open())
    try:
        lines = spending(store, since, until, keys)
        chosen = sampled(store, since, until)
        gone = erased(store, since, until)
    finally:
        store.close()
    if as_json:
        rows = as_rows(keys, lines)
        found = {"kind": "gatewatch.costs", "version": 1, "since": since, "until": until, "rows": rows, "erased": gone}
        print_json(found | ({"sampled": chosen} if chosen else {}))
        return
    if not lines:
        click.echo("nothing was spent, or nothing is known of it")
        return
    from gatewatch.offline.report import clean

    _print_table(keys, lines)
    known = sum(line.cost for line in lines)
    unknown = sum(line.unknown for line in lines)
    click.echo(f"in all {dollars(known)}" + (f", and {unknown:,} calls whose price is unknown" if unknown else ""))
    if gone.requests:
        what = f"{counted(gone.requests, 'request')} of this month {'was' if gone.requests == 1 else 'were'} erased"
        click.echo(f"{what} on request: what they cost was spent, and is in these figures")
    for flow in chosen:
        cost = (
            f"all of them cost about {dollars(flow.cost)}" if flow.unknown < flow.requests else "their cost is unknown"
        )
        cost += f", unknown of about {flow.unknown:,}" if 0 < flow.unknown < flow.requests else ""
        name = clean(flow.flow or "(no flow)")
        click.echo(f"{name}: {flow.sent:,} of about {flow.requests:,} requests were sent (upstream sampling); {cost}")


def _monitors(as_json: bool) -> None:
    from gatewatch.config.monitors import online, store_of
    from gatewatch.config.project import Project
    from gatewatch.core.clock import wall
    from gatewatch.online.monitor_costs import monitor_costs

    project, now = Project.open(), wall()
    watched = online(project, bound=False).monitors
    store = store_of(project)
    try:
        found = monitor_costs(store, watched, now=now)
    finally:
        store.close()
    if as_json:
        print_json({"kind": "gatewatch.monitor_costs", "version": 1, "at": now, "monitors": found})
        return
    if not found:
        click.echo("nothing is watched: [monitors] names no flow")
        return
    _print_monitors(found, now)


def _print_monitors(found: "list[MonitorCost]", now: float) -> None:
    from rich.table import Table
    from rich.text import Text

    from gatewatch.core.money import dollars
    from gatewatch.offline.report import clean

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("monitor", overflow="fold")
    for heading in ("today", "this month", "by its end", "95 % interval", "budget", "left"):
        table.add_column(heading, justify="right", no_wrap=heading != "95 % interval")
    for each in found:
        ends = each.interval
        cells = (
            each.monitor,
            dollars(each.today),
            dollars(each.month),
            "" if each.forecast is None else dollars(each.forecast),
            "" if ends is None else f"[{dollars(ends.low)}, {dollars(ends.high)}]",
            "" if each.budget is None else f"{dollars(each.budget)}/day",
            "" if each.left is None else dollars(each.left),
        )
        table.add_row(*(Text(clean(cell)) for cell in cells))
    console(100).print(table)
    for each in found:
        if each.used_up is not None:
            click.echo(f"! {clean(each.monitor)}: {_lasts(each.used_up, now)}")
        if each.unknown:
            click.echo(
                f"! {clean(each.monitor)}: the price of {counted(each.unknown, 'call')} is unknown, and not in this"
            )
    few = [each.monitor for each in found if each.forecast is not None and each.interval is None]
    if few:
        click.echo(clean(f"{', '.join(few)}: too few whole days to say how much days differ"))


def _lasts(used_up: float, now: float) -> str:
    from datetime import UTC, datetime

    if used_up <= now:
        return "today's budget is used up"
    return f"at today's rate the budget is used up at {datetime.fromtimestamp(used_up, UTC):%H:%M} UTC"


def _print_table(keys: list[str], lines: "list[SpendLine]") -> None:
    from rich.table import Table
    from rich.text import Text

    from gatewatch.core.money import dollars
    from gatewatch.offline.report import clean

    table = Table(box=None, pad_edge=False, header_style="bold")
    for key in keys:
        table.add_column(key)
    for heading in ("calls", "tokens in", "tokens out", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in lines:
        cost = dollars(line.cost) if line.unknown < line.calls else "unknown"
        cost += f" + {line.unknown} unknown" if 0 < line.unknown < line.calls else ""
        cells = (*line.key, f"{line.calls:,}", f"{line.input_tokens:,}", f"{line.output_tokens:,}", cost)
        table.add_row(*(Text(clean(cell)) for cell in cells))
    console(100).print(table)
