"""`gatewatch trends`: how a flow of live traffic is doing."""

from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.terminal import console, print_json, shown, tell

if TYPE_CHECKING:
    from gatewatch.config.coverage import SliceCoverage
    from gatewatch.online.trends import Trend
    from gatewatch.online.window import By, Of

_NAMED = 20
_PARTS: "tuple[By, ...]" = ("slice", "variant", "version")


@click.command(name="trends")
@click.argument("flow", default="")
@click.option(
    "--days", type=click.FloatRange(0, 3650, min_open=True), default=7.0, show_default=True, help="How far back."
)
@click.option("--by", type=click.Choice(["minute", "hour", "day"]), default=None, help="How long a bucket is.")
@click.option("--slice", "part", default="", help="Only requests of this slice.")
@click.option("--variant", default="", help="Only requests of this variant.")
@click.option("--version", default="", help='Only requests of these component versions, such as "model=m-2, prompt=7".')
@click.option("--by-slice", is_flag=True, help="Tell of each slice, too.")
@click.option("--by-variant", is_flag=True, help="Tell of each variant, too.")
@click.option("--by-version", is_flag=True, help="Tell of each version of the application's components, too.")
@click.option(
    "--slices",
    is_flag=True,
    help="Show the slices instead: their share of traffic, and cases that suites have of each.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(
    flow: str,
    *,
    days: float,
    by: Any,
    part: str,
    variant: str,
    version: str,
    by_slice: bool,
    by_variant: bool,
    by_version: bool,
    slices: bool,
    as_json: bool,
) -> None:
    """Say how a FLOW is doing: its signals over every request, and its scores, each with its interval.

    Without a FLOW, every flow that a scorer watches is shown. Where a suite's pinned baseline has a scorer, what it
    comes to at the mix of the live traffic is shown beside.
    """
    from gatewatch.cli.trend_text import print_trend
    from gatewatch.config.beside import besides
    from gatewatch.config.coverage import coverage
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project
    from gatewatch.core.clock import wall
    from gatewatch.core.errors import InputError, Problem, did_you_mean
    from gatewatch.offline.report import clean
    from gatewatch.online.trends import trend
    from gatewatch.online.window import Of

    project = Project.open()
    store = store_of(project)
    try:
        now = wall()
        watched = {each.flow for each in project.settings.monitors.values()} | {each.flow for each in store.works()}
        if flow and flow not in watched and not store.latest(flow, most=1):
            raise InputError(Problem(flow, "there is no such flow", did_you_mean(flow, {*watched, *store.flows()})))
        flows = [flow] if flow else sorted(watched)
        since = now - days * 86_400
        if slices:
            _slices({each: coverage(project, store, each, since=since, until=now + 1) for each in flows}, as_json)
            return
        parts: list[By] = ["slice"]  # which a baseline is held against
        parts += ["variant"] if by_variant else []
        parts += ["version"] if by_version else []
        of = Of(part, variant, version)
        found = [trend(store, each, since=since, until=now + 1, tier=by, of=of, by=parts) for each in flows]
        for each in found:
            if of != Of() and not each.signals.n:
                _tell_unknown(trend(store, each.flow, since=since, until=now + 1, tier=by, by=_PARTS), of)
        others = [] if flows else [each for each in store.flows() if each]
    finally:
        store.close()
    beside = [besides(project, each) for each in found]
    if as_json:
        import msgspec

        flows_told = [msgspec.to_builtins(each) for each in found]
        for told, known in zip(flows_told, beside, strict=True):
            for each in told["scorers"]:
                each["baseline"] = known.get((each["scorer"], each["fingerprint"]))
        print_json({"kind": "gatewatch.trends", "version": 1, "flows": flows_told})
        return
    if not found:
        click.echo("no flow is watched: [monitors] names none")
        there = ", ".join(others[:_NAMED]) + (", ..." if len(others) > _NAMED else "")
        click.echo(clean(f"there are {there}: name one" if others else "no worker or server took any request in yet"))
    for place, each in enumerate(found):
        if place:
            click.echo("")
        print_trend(each, beside[place], parts if by_slice else parts[1:])


def _tell_unknown(whole: "Trend", of: "Of") -> None:
    """Say of which parts there are requests, where there are none of those that were asked for."""
    from gatewatch.core.errors import did_you_mean

    for kind in _PARTS:
        names = [each.name for each in whole.parts if each.by == kind and each.name][:_NAMED]
        asked = getattr(of, kind)
        if asked and asked not in names:
            tell(shown(f"! {whole.flow} had no {kind} {asked!r} in this time ({did_you_mean(asked, names)})"))


def _slices(found: "dict[str, list[SliceCoverage]]", as_json: bool) -> None:
    from msgspec import UNSET
    from rich.table import Table
    from rich.text import Text

    from gatewatch.offline.report import clean

    if as_json:
        print_json({"kind": "gatewatch.slices", "version": 1, "flows": found})
        return
    out = console(100)
    for flow, each in found.items():
        table = Table(box=None, pad_edge=False, header_style="bold", title=Text(clean(flow)), title_justify="left")
        table.add_column("slice")
        suites = list(each[0].cases) if each else []
        for heading in ("requests", "share", *(f"cases of {name}" for name in suites)):
            table.add_column(Text(clean(heading)), justify="right")
        table.add_column("")
        for part in each:
            about = "" if part.sent is UNSET else "~"
            cells = (part.slice or "(none)", f"{about}{part.requests:,}", f"{part.share:.1%}")
            gap = "hardly tested" if part.gap else ""
            table.add_row(*(Text(clean(str(cell))) for cell in (*cells, *(str(n) for n in part.cases.values()), gap)))
        out.print(table)
