"""`gatewatch mine`: what goes wrong live, as failures to be labelled and promoted."""

from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.opened import opened
from gatewatch.cli.terminal import console, counted, print_json, who

if TYPE_CHECKING:
    from gatewatch.config.mining import Mined
    from gatewatch.core.failure import Failure
    from gatewatch.loop.attend import Act
    from gatewatch.store.base import Store

_DAY_S = 86_400.0
_STYLES = {"new": "not bold", "regressed": "bold red", "fixed": "green", "promoted": "cyan", "in_review": "yellow"}


@click.command(name="mine")
@click.argument("flow")
@click.option("--days", type=click.IntRange(1, 3650), default=7, show_default=True, help="How many days back.")
@click.option("--suite", "suites", multiple=True, help="Hold against this suite's dataset; against all by default.")
@click.option("--most", type=click.IntRange(1, 1000), default=20, show_default=True, help="List at most so many.")
@click.option("--list", "listing", is_flag=True, help="List what was mined before, those that are ignored too.")
@click.option("--ignore", default="", metavar="F", help="Leave failure F alone. Needs --reason.")
@click.option("--reopen", default="", metavar="F", help="Look at failure F again, which was ignored.")
@click.option("--assign", default="", metavar="F", help="Say who sees to failure F: needs --owner.")
@click.option("--reason", default="", help="Why it is ignored, or looked at again.")
@click.option("--owner", default="", help="Who sees to it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(
    flow: str,
    *,
    days: int,
    suites: tuple[str, ...],
    most: int,
    listing: bool,
    ignore: str,
    reopen: str,
    assign: str,
    reason: str,
    owner: str,
    as_json: bool,
) -> None:
    """Find what goes wrong in a FLOW, group it into failures, and put requests of each up to be labelled.

    Failures are ranked by the share of traffic that they stand for and by how grave they are, and less where the
    dataset has a case like them. `gatewatch label` labels their requests, `gatewatch show F3` shows one.
    """
    named = {"--ignore": ignore, "--reopen": reopen, "--assign": assign}
    chosen = [(option, name) for option, name in named.items() if name]
    if len(chosen) > 1 or (chosen and listing):
        raise click.UsageError("give one of --list, --ignore, --reopen and --assign")
    if (reason or owner) and not chosen:
        raise click.UsageError("--reason and --owner are for --ignore, --reopen and --assign")
    if chosen:
        _turn(flow, *chosen[0], reason.strip(), owner.strip(), as_json=as_json)
    elif listing:
        _list(flow, most, as_json=as_json)
    else:
        _mine(flow, days, suites, most, as_json=as_json)


def _mine(flow: str, days: int, suites: tuple[str, ...], most: int, *, as_json: bool) -> None:
    from gatewatch.config.mining import mined
    from gatewatch.core.clock import wall

    now = wall()
    with opened() as (project, store):
        found = mined(project, store, flow, since=now - days * _DAY_S, until=now, suites=suites)
        store.note(now, who(), "mined", flow)
    if as_json:
        told = {"flow": flow, "since": found.mining.since, "until": now, "cases": found.cases}
        told |= {"conversations": found.mining.conversations, "traffic": found.mining.traffic}
        told |= {"ignored": found.mining.ignored, "cost": found.cost}
        _print_json(told, found.mining.failures[:most])
        return
    _print_mined(found, days, most, now)


def _list(flow: str, most: int, *, as_json: bool) -> None:
    from gatewatch.config.mining import known_flow
    from gatewatch.core.clock import wall
    from gatewatch.loop.mine import rank

    with opened() as (_, store):
        known_flow(store, flow)
        every = sorted(store.failures(flow), key=rank)
    if as_json:
        _print_json({"flow": flow}, every[:most])
        return
    if not every:
        click.echo("nothing was mined yet: `gatewatch mine` without --list does")
        return
    _print_failures(every[:most], wall())
    _left_out(len(every), most)
    for each in every[:most]:
        if each.state == "ignored":
            from gatewatch.offline.report import clean

            click.echo(clean(f"F{each.id} is ignored by {each.who}: {each.reason}"))


def _turn(flow: str, option: str, name: str, reason: str, owner: str, *, as_json: bool) -> None:
    from gatewatch.core.clock import wall
    from gatewatch.core.failure import failure_name
    from gatewatch.loop.attend import attend, word
    from gatewatch.offline.report import clean

    if option == "--ignore" and not reason:
        raise click.UsageError("--ignore needs a --reason: why is it left alone?")
    if option == "--assign" and not owner:
        raise click.UsageError("--assign needs an --owner: who sees to it?")
    acts: dict[str, Act] = {"--ignore": "ignore", "--reopen": "reopen", "--assign": "assign"}
    with opened() as (_, store):
        there = _known(store, flow, name)
        found = attend(store, there, acts[option], by=who(), now=wall(), reason=reason, owner=owner)
    if as_json:
        _print_json({"flow": flow}, [found])
        return
    seen_to = f", {found.owner} sees to it" if found.owner else ""
    click.echo(clean(f"{failure_name(found.id)} is {word(found.state)}{seen_to}"))


def _known(store: "Store", flow: str, name: str) -> "Failure":
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.core.failure import number_in

    number = number_in(name, "F")
    found = None if number is None else store.failure(number)
    if found is None or found.flow != flow:
        what = f"is a failure of {found.flow}" if found else f"there is no such failure of {flow}"
        raise InputError(Problem(name, what, f"`gatewatch mine {flow} --list` lists those there are, such as F3"))
    return found


# Printing


def _print_json(told: dict[str, Any], failures: Any) -> None:
    from gatewatch.core.failure import told as of_failure

    print_json(
        {"kind": "gatewatch.failures", "version": 1, **told, "failures": [of_failure(each) for each in failures]}
    )


def _print_mined(found: "Mined", days: int, most: int, now: float) -> None:
    from gatewatch.offline.report import clean

    mining = found.mining
    live = [each for each in mining.failures if each.n or each.state in ("fixed", "promoted")]
    if not live:
        click.echo(clean(f"nothing goes wrong in {mining.flow}: {counted(mining.conversations, 'conversation')} read"))
    else:
        _print_failures(live[:most], now)
        _left_out(len(live), most)
    cost = found.cost
    said = [
        f"{counted(mining.conversations, 'conversation')} of {counted(days, 'day')}",
        f"held against {counted(found.cases, 'case')}" if found.cases else "no case to hold them against",
        f"{mining.ignored} ignored" if mining.ignored else "",
        f"models cost {cost}" if cost.amount or cost.unknown else "",
    ]
    click.echo(clean(" · ".join(filter(None, said))))
    if live:
        click.echo(f"next: gatewatch show F{live[0].id}, gatewatch label")


def _left_out(number: int, most: int) -> None:
    if number > most:
        click.echo(f"{number - most} more: --most {number}")


def _print_failures(failures: "list[Failure]", now: float) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from gatewatch.cli.failure_text import against, share
    from gatewatch.core.failure import failure_name
    from gatewatch.loop.attend import word
    from gatewatch.offline.report import clean

    out = console(100)
    for each in failures:
        line = Text(f"{failure_name(each.id):<5}", "bold")
        line.append(f"{word(each.state):<11}", _STYLES.get(each.state, "dim"))
        line.append(clean(f"{each.sign}: {each.name}"), "default not bold")
        out.print(line)
        parts = [
            counted(each.n, "conversation"),
            f"{share(each)} of traffic",
            f"severity {each.severity:.1f}",
            f"dataset: {against(each)}",
            f"first seen {_ago(now - each.first)}",
            each.owner,
        ]
        out.print(Padding(Text(clean(" · ".join(filter(None, parts))), "dim"), (0, 0, 0, 16)))


def _ago(length: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if length >= 2 * size:
            return f"{length // size:.0f} {unit} ago"
    return "just now"
