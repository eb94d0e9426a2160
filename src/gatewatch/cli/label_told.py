"""`gatewatch label show`, `status` and `agreement`: an item as a reviewer sees it, what waits, how far people agree."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.opened import opened
from gatewatch.cli.terminal import console, counted, print_json, shown, who

if TYPE_CHECKING:
    from gatewatch.core.review import Item
    from gatewatch.loop.agreement import Agreement, Figure, Pair

_SHOWN = 20
_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else."
)
_flow = click.option("--flow", default="", help="Only this flow's.")
_queue = click.option("--queue", type=click.Choice(["failures", "calibration"]), help="Only of one queue.")


@click.command(name="show")
@click.argument("name", metavar="ITEM")
@_as_json
def show(*, name: str, as_json: bool) -> None:
    """Show ITEM, such as I7, in full, as a reviewer sees it: without what the judge and others said."""
    from gatewatch.config.labelling import answers_for
    from gatewatch.core import codec
    from gatewatch.core.clock import wall
    from gatewatch.core.trace import Trace
    from gatewatch.loop.label import item_name, parts_of
    from gatewatch.loop.review import item_named

    with opened() as (project, store):
        item = item_named(store, name)
        store.note(wall(), who(), "read", item.trace)
        parts = parts_of(codec.decode(store.item_trace(item.id) or b"{}", Trace))
        asked = answers_for(project, item.scorer)
    if as_json:
        seen = {"item": item_name(item.id), "flow": item.flow, "slice": item.slice, "trace": item.trace}
        how = {"question": asked.question, "answers": asked.told, "guide": asked.guide}
        told = {"state": item.state, **how, "parts": parts}
        print_json({"kind": "gatewatch.item", "version": 1, **seen, **told})
        return
    click.echo(shown(f"{item_name(item.id)}  {item.flow}  {item.slice}".rstrip()))
    for part in parts:
        click.echo(f"\n{shown(part.heading)}")
        click.echo("\n".join(f"  {line}" for line in shown(part.text).split("\n")))
    click.echo(shown(f"\n{asked.question} {asked.told}"))
    if asked.guide:
        click.echo(shown(asked.guide))


@click.command(name="status")
@_flow
@_queue
@_as_json
def status(*, flow: str, queue: str | None, as_json: bool) -> None:
    """Say what waits for reviewers, what is disputed, and who labelled how much."""
    from msgspec import to_builtins
    from rich.table import Table
    from rich.text import Text

    from gatewatch.config.labelling import every_item, labels_of
    from gatewatch.core.clock import wall
    from gatewatch.loop.label import item_name
    from gatewatch.loop.review import worked

    with opened() as (_, store):
        items = list(every_item(store, queue=queue, flow=flow))  # type: ignore[arg-type]
        labels = labels_of(store, items)
    counts = {name: _states(items, name) for name in ("failures", "calibration")}
    people = [to_builtins(each) for each in worked(labels)]
    waiting = [item for item in items if item.state == "waiting"]
    disputed = [item_name(item.id) for item in items if item.state == "disputed"]
    oldest = min((item.added for item in waiting), default=None)
    if as_json:
        next_ = [item_name(item.id) for item in sorted(waiting, key=lambda each: (-each.severity, each.id))]
        told = {"queues": counts, "reviewers": people, "oldest": oldest, "waiting": next_, "disputed": disputed}
        print_json({"kind": "gatewatch.label_status", "version": 1, **told})
        return
    if not items:
        click.echo("there is nothing to label: `gatewatch mine FLOW`, or `gatewatch label draw FLOW --scorer NAME`")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, heading in enumerate(("queue", "waiting", "disputed", "settled")):
        table.add_column(heading, justify="right" if place else "left")
    for name, states in counts.items():
        table.add_row(name, *(f"{states[state]:,}" for state in ("waiting", "disputed", "settled")))
    out = console(100)
    out.print(table)
    if oldest is not None:
        click.echo(f"the oldest waits for {_ago(wall() - oldest)}")
    if disputed:
        more = ", ..." if len(disputed) > _SHOWN else ""
        click.echo(f"! disputed: {', '.join(disputed[:_SHOWN])}{more} (`gatewatch label settle`)")
    if people:
        by = Table(box=None, pad_edge=False, header_style="bold")
        for place, heading in enumerate(("reviewer", "labelled", "skipped", "median seconds")):
            by.add_column(heading, justify="right" if place else "left", overflow="fold")
        for each in people:
            took = "—" if each["median_s"] is None else f"{each['median_s']:.0f}"
            by.add_row(Text(shown(each["by"])), f"{each['labelled']:,}", f"{each['skipped']:,}", took)
        out.print()
        out.print(by)


def _states(items: "list[Item]", queue: str) -> dict[str, int]:
    of = [item.state for item in items if item.queue == queue]
    return {state: of.count(state) for state in ("waiting", "disputed", "settled")}


def _ago(length: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if length >= 2 * size:
            return f"{length // size:.0f} {unit}"
    return f"{max(0.0, length):.0f} s"


@click.command(name="agreement")
@_flow
@_queue
@click.option("--scorer", default=None, help='Only what is labelled on this one\'s scale; "" for right or wrong.')
@_as_json
def agreement(*, flow: str, queue: str | None, scorer: str | None, as_json: bool) -> None:
    """Say how far reviewers agree with each other, and with the judge; list what they disagree on."""
    from gatewatch.config.labelling import agreements

    with opened() as (project, store):
        found = agreements(project, store, queue=queue, flow=flow, scorer=scorer)  # type: ignore[arg-type]
    if as_json:
        print_json({"kind": "gatewatch.agreement", "version": 1, "scorers": [_plain(*each) for each in found.items()]})
        return
    if not found:
        click.echo("nothing is labelled yet: `gatewatch label`")
    for name, each in found.items():
        for line in _lines(name, each):
            click.echo(shown(line))


def _plain(scorer: str, found: "Agreement") -> dict[str, Any]:
    from msgspec import to_builtins

    from gatewatch.loop.label import item_name

    said = [
        {"item": item_name(each.item.id), "trace": each.item.trace, "said": [list(one) for one in each.said]}
        for each in found.disagreements
    ]
    return {"scorer": scorer, **to_builtins(found), "disagreements": said}


def _lines(scorer: str, found: "Agreement") -> Iterator[str]:
    from gatewatch.loop.label import RIGHT, item_name

    yield f"{scorer or RIGHT}: {counted(found.items, 'item')} labelled by {', '.join(found.reviewers)}"
    if found.share is not None:
        yield f"  all agree on {found.agreed} of {found.several} that two or more labelled: {_in_words(found.share)}"
        alpha = "no two values differ" if found.alpha is None else _in_words(found.alpha)
        yield f"  Krippendorff's alpha: {alpha}"
    for pair in (*found.pairs, *found.judged):
        yield from _of_pair(pair)
    if found.disagreements:
        yield f"  disagreements ({len(found.disagreements)}):"
    for each in found.disagreements[:_SHOWN]:
        yield f"    {item_name(each.item.id)}: " + ", ".join(f"{name} {value:.3g}" for name, value in each.said)
    if len(found.disagreements) > _SHOWN:
        yield f"    {len(found.disagreements) - _SHOWN} more: --json"


def _of_pair(pair: "Pair") -> Iterator[str]:
    from gatewatch.loop.agreement import FEW, JUDGE

    how = ""
    if pair.other == JUDGE:
        how = ", over all traffic that they stand for" if pair.drawn else ", of what was mined: not of the traffic"
    yield f"  {pair.one} and {pair.other}: {pair.agreed} of {pair.n}, {_in_words(pair.share)}{how}"
    kappa = "none: chance alone agrees always" if pair.kappa is None else _in_words(pair.kappa)
    wide = ""
    if pair.n < FEW and pair.kappa is not None:
        width = pair.kappa.high - pair.kappa.low
        wide = f": {width:.2f} wide, on fewer than {FEW} items; go by the agreement"
    yield f"    kappa {kappa}{wide}"
    both, one, other, neither = pair.table
    yield f"    both good {both}, both bad {neither}, only {pair.one} good {one}, only {pair.other} good {other}"


def _in_words(figure: "Figure") -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
