"""How a flow did, as it is shown to people."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from gatewatch.cli.terminal import console, counted

if TYPE_CHECKING:
    from rich.console import Console

    from gatewatch.online.beside import Beside
    from gatewatch.online.signals import Quantile, Signals
    from gatewatch.online.trends import JudgeCost, Trend
    from gatewatch.online.window import By, Figure
    from gatewatch.stats.intervals import Estimate, Interval

_SHOWN_POINTS = 31
_SHOWN_PARTS = 20
_WIDEST_MEAN = 22
_FORMATS = {"minute": "%H:%M", "hour": "%m-%d %H:%M", "day": "%Y-%m-%d"}
_PARTS = ("slice", "variant", "version")
_LONGEST_NAME = 36
_SHOWN_THIN = 4


def print_trend(
    found: "Trend", beside: "Mapping[tuple[str, str], Beside]" = MappingProxyType({}), by: "Sequence[By]" = ()
) -> None:
    """Print how a flow did; with the baseline beside its scorers, and its parts."""
    from datetime import UTC, datetime

    from rich.text import Text

    from gatewatch.offline.report import clean
    from gatewatch.online.trends import Erased

    out = console(100)

    def say(line: str) -> None:
        out.print(Text(clean(line)))

    def moment(at: float) -> str:
        return datetime.fromtimestamp(at, UTC).strftime(_FORMATS[found.tier])

    whole = "%Y-%m-%d" if found.tier == "day" else "%Y-%m-%d %H:%M"
    ends = [datetime.fromtimestamp(at, UTC).strftime(whole) for at in (found.since, found.until)]
    chosen = [f"{name} {value}" for name in _PARTS if (value := getattr(found.of, name))]
    say(f"{found.flow}  {ends[0]} to {ends[1]} UTC, by {found.tier}" + "".join(f", {each}" for each in chosen))
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
    _scorers(found, beside, out, say)
    for each in by:
        say("")
        _parts(found, each, out, say)
    if len(found.points) > 1:
        say("")
        rows = [(moment(bucket), signals) for bucket, signals in found.points]
        figures = [{moment(bucket): figure for bucket, figure in each.points} for each in found.scorers]
        _grid(found, found.tier, rows[-_SHOWN_POINTS:], figures, out)
        if len(rows) > _SHOWN_POINTS:
            say(f"... and {len(rows) - _SHOWN_POINTS} before (--json has all)")


def _signals(signals: "Signals") -> Iterator[str]:
    from gatewatch.core.money import dollars

    errors = "" if signals.errors.mean is None else f" \u00b7 errors {_share(signals.errors)}"
    yield f"{_requests(signals)}{errors} \u00b7 {signals.timeouts} timed out"
    for name, quantiles in (("latency", signals.latency_s), ("first token", signals.first_token_s)):
        if quantiles:
            yield f"{name}  " + " \u00b7 ".join(f"{key} {_seconds(each)}" for key, each in quantiles.items())
    known = round(signals.every) - signals.unknown_cost
    cost = f"{dollars(signals.cost)} ({dollars(signals.cost / known)} a request)" if known else "unknown"
    cost += f", unknown of {signals.unknown_cost:,}" if known and signals.unknown_cost else ""
    yield f"cost  {cost} \u00b7 tokens {signals.input_tokens:,} in, {signals.output_tokens:,} out"
    marks = [(name.replace("_", " "), each) for name, each in signals.marks.items() if each.mean]
    if marks:
        yield "marks  " + " \u00b7 ".join(f"{name} {_share(each)}" for name, each in marks)


def _share(each: "Estimate") -> str:
    ends = each.interval
    return f"{each.mean:.2%}" + ("" if ends is None else f" [{ends.low:.2%}, {ends.high:.2%}]")


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


def _scorers(
    found: "Trend", beside: "Mapping[tuple[str, str], Beside]", out: "Console", say: Callable[[str], None]
) -> None:
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
        name = names[each.fingerprint, each.source]
        if each.total.incomplete:
            say(f"! {name}: incomplete, no estimate: {each.total.incomplete}")
        if (known := beside.get((each.scorer, each.fingerprint))) is not None and each.source != "signal":
            for line in _beside(name, known):
                say(line)


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


def _beside(name: str, each: "Beside") -> Iterator[str]:
    """The baseline of a scorer, at the mix of the live traffic, and how far the live scores are from it."""
    title = f"{name}  baseline {each.suite}" + (f" ({each.pinned[:10]})" if each.pinned[:1].isdigit() else "")
    if each.difference is None or each.golden.mean is None:
        yield f"{title}: {each.why}"
    else:
        ends, far = each.golden.interval, each.interval
        golden = f"{each.golden.mean:.3f}" + ("" if ends is None else f" [{ends.low:.3f}, {ends.high:.3f}]")
        yield f"{title} at this mix {golden} \u00b7 live is {_gap(each.difference, far)}"
    if each.thin:
        names = [f"{part.slice or '(none)'} ({part.share:.1%}, {counted(part.cases, 'case')})" for part in each.thin]
        listed = ", ".join(names[:_SHOWN_THIN]) + (", ..." if len(names) > _SHOWN_THIN else "")
        yield f"  too thin to compare, {each.left_out:.1%} of traffic: {listed}"


def _gap(difference: float, ends: "Interval | None") -> str:
    size = f"{100 * difference:+.1f} pp"
    if ends is None:
        return size
    unclear = ends.low <= 0.0 <= ends.high
    told = f"{size} [{100 * ends.low:+.1f}, {100 * ends.high:+.1f}]"
    return f"no different as far as can be told: {told}" if unclear else told


def _parts(found: "Trend", by: "By", out: "Console", say: Callable[[str], None]) -> None:
    """The slices, variants or versions, below each other: requests, and each scorer's mean with its n."""
    rows = [(_part(each.name), each.signals) for each in found.parts if each.by == by]
    figures = [{_part(part.name): part.total for part in each.parts if part.by == by} for each in found.scorers]
    _grid(found, by, rows[:_SHOWN_PARTS], figures, out, counts=True)
    if len(rows) > _SHOWN_PARTS:
        say(f"... and {len(rows) - _SHOWN_PARTS} smaller ones (--json has all)")


def _part(name: str) -> str:
    return name or "(none)"


def _grid(
    found: "Trend",
    heading: str,
    rows: "Sequence[tuple[str, Signals]]",
    figures: "Sequence[Mapping[str, Figure]]",
    out: "Console",
    *,
    counts: bool = False,
) -> None:
    """Buckets or parts, below each other; scorers that do not fit beside each other follow in further tables."""
    from rich.table import Table
    from rich.text import Text

    from gatewatch.offline.report import clean, seconds

    def start(*headings: str) -> Table:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column(heading, max_width=_LONGEST_NAME, overflow="fold")
        for each in headings:
            table.add_column(each, justify="right", no_wrap=True)
        return table

    table = start("requests", "errors", "p95")
    for name, signals in rows:
        p95, rate = signals.latency_s.get("p95"), signals.errors.mean
        about = "~" if signals.requests else ""
        row = (
            f"{about}{signals.every:,.0f}",
            "" if rate is None else f"{rate:.1%}",
            "" if p95 is None else seconds(p95.value),
        )
        table.add_row(Text(clean(name)), *row)
    out.print(table)
    names = _names(found)
    widest = min(_LONGEST_NAME, max((len(name) for name, _ in rows), default=0))
    each_time = max(1, (out.width - widest) // (_WIDEST_MEAN + (10 if counts else 0)))
    for first in range(0, len(found.scorers), each_time):
        some = list(zip(found.scorers, figures, strict=True))[first : first + each_time]
        table = start()
        for each, _ in some:
            table.add_column(Text(clean(names[each.fingerprint, each.source])), justify="right")
        for name, _ in rows:
            cells = (_cell(known[name], counts) if name in known else "" for _, known in some)
            table.add_row(Text(clean(name)), *(Text(cell) for cell in cells))
        out.print()
        out.print(table)


def _cell(figure: "Figure", counts: bool) -> str:
    mean = " ".join(_mean(figure)).rstrip()
    return f"{mean}  n {figure.estimate.n:,}" if counts else mean
