"""`gatewatch trends`: how a flow of live traffic is doing."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.terminal import console, counted, print_json, shown

if TYPE_CHECKING:
    from rich.console import Console

    from gatewatch.config.coverage import SliceCoverage
    from gatewatch.online.signals import Quantile, Signals
    from gatewatch.online.trends import JudgeCost, Trend
    from gatewatch.online.window import Figure

_SHOWN_POINTS = 31
_NAMED = 20
_WIDEST_MOMENT, _WIDEST_MEAN = 12, 22
_FORMATS = {"minute": "%H:%M", "hour": "%m-%d %H:%M", "day": "%Y-%m-%d"}


@click.command(name="trends")
@click.argument("flow", default="")
@click.option(
    "--days", type=click.FloatRange(0, 3650, min_open=True), default=7.0, show_default=True, help="How far back."
)
@click.option("--by", type=click.Choice(["minute", "hour", "day"]), default=None, help="How long a bucket is.")
@click.option("--slice", "part", default="", help="Only requests of this slice.")
@click.option(
    "--slices",
    is_flag=True,
    help="Show the slices instead: their share of traffic, and cases that suites have of each.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(flow: str, *, days: float, by: Any, part: str, slices: bool, as_json: bool) -> None:
    """Say how a FLOW is doing: its signals over every request, and its scores, each with its interval.

    Without a FLOW, every flow that a scorer watches is shown.
    """
    from gatewatch.config.coverage import coverage
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project
    from gatewatch.core.clock import wall
    from gatewatch.core.errors import InputError, Problem, did_you_mean
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
        found = [trend(store, each, since=since, until=now + 1, tier=by, of=Of(part)) for each in flows]
        others = [] if flows else [each for each in store.flows() if each]
    finally:
        store.close()
    if as_json:
        import msgspec

        flows_told = [msgspec.to_builtins(each) for each in found]
        print_json({"kind": "gatewatch.trends", "version": 1, "flows": flows_told})
        return
    if not found:
        click.echo("no flow is watched: [monitors] names none")
        there = ", ".join(others[:_NAMED]) + (", ..." if len(others) > _NAMED else "")
        click.echo(shown(f"there are {there}: name one" if others else "no worker or server took any request in yet"))
    for place, each in enumerate(found):
        if place:
            click.echo("")
        print_trend(each)


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
        table = Table(box=None, pad_edge=False, header_style="bold", title=Text(shown(flow)), title_justify="left")
        table.add_column("slice")
        suites = list(each[0].cases) if each else []
        for heading in ("requests", "share", *(f"cases of {name}" for name in suites)):
            table.add_column(Text(shown(heading)), justify="right")
        table.add_column("")
        for part in each:
            about = "" if part.sent is UNSET else "~"
            cells = (part.slice or "(none)", f"{about}{part.requests:,}", f"{part.share:.1%}")
            gap = "hardly tested" if part.gap else ""
            table.add_row(*(Text(clean(str(cell))) for cell in (*cells, *(str(n) for n in part.cases.values()), gap)))
        out.print(table)


def print_trend(found: "Trend") -> None:
    """Print how a flow did."""
    from datetime import UTC, datetime

    from rich.text import Text

    from gatewatch.online.trends import Erased

    out = console(100)

    def say(line: str) -> None:
        out.print(Text(shown(line)))

    def moment(at: float) -> str:
        return datetime.fromtimestamp(at, UTC).strftime(_FORMATS[found.tier])

    whole = "%Y-%m-%d" if found.tier == "day" else "%Y-%m-%d %H:%M"
    ends = [datetime.fromtimestamp(at, UTC).strftime(whole) for at in (found.since, found.until)]
    say(f"{found.flow}  {ends[0]} to {ends[1]} UTC, by {found.tier}")
    if found.erased != Erased():
        gone = f"{counted(found.erased.requests, 'request')} and {counted(found.erased.scores, 'score')}"
        say(f"! {gone} of these days were erased on request: they are in no figure here")
    if not found.signals.n:
        say("  no request in this time")
        return
    for line in _signals(found.signals):
        say(line)
    if found.judges.calls:
        say(_judges(found.judges))
    say("")
    _scorers(found, out, say)
    if len(found.points) > 1:
        say("")
        _points(found, moment, out, say)


def _signals(signals: "Signals") -> Iterator[str]:
    from gatewatch.core.money import dollars

    rate, ends = signals.errors.mean, signals.errors.interval
    errors = "" if rate is None else f" \u00b7 errors {rate:.2%}"
    errors += "" if ends is None else f" [{ends.low:.2%}, {ends.high:.2%}]"
    yield f"{_requests(signals)}{errors} \u00b7 {signals.timeouts} timed out"
    for name, quantiles in (("latency", signals.latency_s), ("first token", signals.first_token_s)):
        if quantiles:
            yield f"{name}  " + " \u00b7 ".join(f"{key} {_seconds(each)}" for key, each in quantiles.items())
    known = round(signals.every) - signals.unknown_cost
    cost = f"{dollars(signals.cost)} ({dollars(signals.cost / known)} a request)" if known else "unknown"
    cost += f", unknown of {signals.unknown_cost:,}" if known and signals.unknown_cost else ""
    yield f"cost  {cost} \u00b7 tokens {signals.input_tokens:,} in, {signals.output_tokens:,} out"


def _requests(signals: "Signals") -> str:
    """How many requests there were, or about how many, where only some of them were sent."""
    from msgspec import UNSET

    if signals.requests is UNSET:
        return counted(signals.n, "request")
    every, ends = signals.requests.value, signals.requests.interval
    bounds = f"[{ends.low:,.0f}, {ends.high:,.0f}]"
    return f"about {counted(round(every), 'request')} {bounds} ({signals.n:,} sent, {100 * signals.n / every:.3g}%)"


def _judges(judges: "JudgeCost") -> str:
    from gatewatch.core.money import dollars

    known = judges.calls - judges.unknown
    cost = f"{dollars(judges.cost)} ({dollars(judges.cost / known)} a score)" if known else "unknown"
    return f"judges  {cost}" + (f", unknown of {judges.unknown:,}" if known and judges.unknown else "")


def _seconds(each: "Quantile") -> str:
    from gatewatch.offline.report import seconds

    return f"{seconds(each.value)} [{seconds(each.low)}, {'?' if each.high is None else seconds(each.high)}]"


def _scorers(found: "Trend", out: "Console", say: Callable[[str], None]) -> None:
    from rich.table import Table
    from rich.text import Text

    from gatewatch.offline.report import clean

    if not found.scorers:
        say("no score yet")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("scorer")
    for heading in ("of all", "95 % interval", "scored", "errors", "waiting", "lost"):
        table.add_column(heading, justify="right", no_wrap=True)
    told = [each for each in found.scorers if each.source == "feedback"]
    names = _names(found)
    sent = " of those sent" if found.signals.requests else ""
    for each in found.scorers:
        if each in told:
            continue
        total = each.total
        counts = (total.estimate.n, total.unknown, total.waiting, sum(total.lost.values()))
        cells = (names[each.fingerprint, each.source], *_mean(total), *(f"{count:,}" for count in counts))
        table.add_row(*(Text(clean(str(cell))) for cell in cells))
    if table.row_count:
        out.print(table)
    for each in told:  # whoever says something chose to: it is not of all
        n, share = each.total.estimate.n, each.total.estimate.n / found.signals.n
        mean = " ".join(_mean(each.total)).rstrip()
        say(f"{each.scorer}  {mean} over {counted(n, 'request')} ({share:.1%}{sent}) of which it was said")
    for each in found.scorers:
        if each.total.incomplete:
            name = names[each.fingerprint, each.source]
            say(f"! {name}: incomplete, no estimate: {each.total.incomplete}")


def _names(found: "Trend") -> dict[tuple[str, str], str]:
    """What each scorer is called, by fingerprint and source: two of one name are told apart by these."""
    named = Counter(each.scorer for each in found.scorers)
    return {
        (each.fingerprint, each.source): each.scorer
        if named[each.scorer] == 1
        else f"{each.scorer} {'(session)' if each.source == 'signal' else each.fingerprint[:6]}"
        for each in found.scorers
    }


def _mean(figure: "Figure") -> tuple[str, str]:
    estimate = figure.estimate
    if figure.incomplete:
        return "incomplete", ""
    if estimate.mean is None:
        return "\u2014", ""
    ends = estimate.interval
    return f"{estimate.mean:.3f}", "" if ends is None else f"[{ends.low:.3f}, {ends.high:.3f}]"


def _points(found: "Trend", moment: Any, out: "Console", say: Callable[[str], None]) -> None:
    """The buckets, below each other; scorers that do not fit beside each other follow in further tables."""
    from rich.table import Table
    from rich.text import Text

    from gatewatch.offline.report import seconds

    def start(*headings: str) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column(found.tier, no_wrap=True)
        for heading in headings:
            table.add_column(heading, justify="right", no_wrap=True)
        return table

    shown_points = found.points[-_SHOWN_POINTS:]
    table = start("requests", "errors", "p95")
    for bucket, signals in shown_points:
        p95, rate = signals.latency_s.get("p95"), signals.errors.mean
        about = "~" if signals.requests else ""
        row = (
            f"{about}{signals.every:,.0f}",
            "" if rate is None else f"{rate:.1%}",
            "" if p95 is None else seconds(p95.value),
        )
        table.add_row(moment(bucket), *row)
    out.print(table)
    names = _names(found)
    each_time = max(1, (out.width - _WIDEST_MOMENT) // _WIDEST_MEAN)
    for first in range(0, len(found.scorers), each_time):
        some = found.scorers[first : first + each_time]
        table = start()
        for each in some:
            table.add_column(Text(shown(names[each.fingerprint, each.source])), justify="right")
        figures = [dict(each.points) for each in some]
        for bucket, _ in shown_points:
            cells = (" ".join(_mean(each[bucket])).rstrip() if bucket in each else "" for each in figures)
            table.add_row(moment(bucket), *(Text(cell) for cell in cells))
        say("")
        out.print(table)
    more = len(found.points) - _SHOWN_POINTS
    if more > 0:
        say(f"... and {more} before (--json has all)")
