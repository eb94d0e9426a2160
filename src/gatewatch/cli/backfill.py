"""`gatewatch backfill`: a scorer over requests that are stored, and what became of such."""

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.opened import opened
from gatewatch.cli.terminal import console, counted, only_json, print_json, shown, tell, who

if TYPE_CHECKING:
    from gatewatch.config.backfills import Asked, Foreseen, Price
    from gatewatch.store.base import Store
    from gatewatch.store.filling import Backfill, Heard

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")


class _StartByDefault(click.Group):
    """What is no verb is a flow, of which a back-fill is to be started."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["start", *args])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("-") and args[0] not in ctx.help_option_names:
            args = ["start", *args]
        return super().parse_args(ctx, args)


@click.group(name="backfill", cls=_StartByDefault)
def command() -> None:
    """Score requests that are stored with a new or changed scorer: `gatewatch backfill FLOW SCORER` starts it, workers
    do it. `gatewatch backfill start --help` shows the options.
    """


@command.command(name="start")
@click.argument("flow")
@click.argument("scorer")
@click.option("--since", default="30d", show_default=True, help='How far back by time of arrival ("30d"), or a date.')
@click.option("--until", default="", help="Until when: so long ago, or a date; now by default.")
@click.option("--sample", default="1", show_default=True, help='The share of them, such as 0.5 or "50%".')
@click.option("--slice", "part", default="", help="Only requests of this slice.")
@click.option("--tag", default="", help="Only requests with this tag.")
@click.option("--variant", default="", help="Only requests of this variant.")
@click.option("--mark", default="", help="Only requests with this mark, such as thumbs_down.")
@click.option("--budget", default="", help='The most that it may cost, such as "5.00 USD"; it is stopped there.')
@click.option("--yes", is_flag=True, help="Do not ask.")
@_JSON
def start(
    *,
    flow: str,
    scorer: str,
    since: str,
    until: str,
    sample: str,
    part: str,
    tag: str,
    variant: str,
    mark: str,
    budget: str,
    yes: bool,
    as_json: bool,
) -> int | None:
    """Start to score a FLOW's stored requests with a SCORER, after a forecast and a question.

    Which requests, and at which share, stays fixed. Without a terminal and without --yes only the forecast is printed,
    and the exit code is 2.
    """
    from gatewatch.config.backfills import asked, foresee, under_way
    from gatewatch.config.units import moment
    from gatewatch.core.clock import wall
    from gatewatch.core.money import parse_budget
    from gatewatch.core.rates import Rule

    now = wall()
    most = _read("--budget", parse_budget, budget) if budget else None
    share = _read("--sample", _share, sample)
    first = _read("--since", moment, since, now)
    last = _read("--until", moment, until, now) if until else now
    with only_json(as_json), opened() as (project, store):
        rule = Rule(share, slice=part, variant=variant, tag=tag)
        wanted = asked(
            project, store, flow, scorer, since=first, until=last, rule=rule, mark=mark, budget=most is not None
        )
        seen, others = foresee(project, store, wanted, now), under_way(store, wanted)
        if not as_json:
            _print_forecast(wanted, seen, most)
            for each in others:
                tell(f"! back-fill {each.id} is under way over some of these: what it scores is not scored again")
        begun, code = None, None
        if not seen.to_score:
            tell("nothing is to be scored: not started")
        elif yes or (not as_json and sys.stdin.isatty() and click.confirm("Start it?")):
            begun = _begin(store, wanted, most, now)
        elif not as_json and sys.stdin.isatty():
            tell("not started")
        else:
            tell("not started: say --yes, since nobody can be asked here")
            code = 2
    if as_json:
        print_json(_forecast_json(wanted, seen, most, None if begun is None else begun.id))
    elif begun is not None:
        click.echo(shown(f"back-fill {begun.id} is running: workers do it; `gatewatch backfill list` shows how far"))
    return code


@command.command(name="list")
@_JSON
def list_(*, as_json: bool) -> None:
    """Say of each back-fill how far it is, and what it cost."""
    from gatewatch.cli.work import at_work
    from gatewatch.core.clock import wall

    with opened() as (_, store):
        workers = at_work(store, wall())
        told = [_told(store, each, workers) for each in store.backfills()]
    if as_json:
        print_json({"kind": "gatewatch.backfills", "version": 1, "backfills": told})
        return
    if not told:
        click.echo("no back-fill was started yet: `gatewatch backfill FLOW SCORER`")
        return
    from rich.table import Table
    from rich.text import Text

    from gatewatch.core.money import dollars
    from gatewatch.offline.report import clean

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "flow", "scorer", "rule", "state", "decided on", "scored", "waiting", "lost", "spent", ""):
        table.add_column(heading, justify="right" if heading in ("scored", "waiting", "lost", "spent") else "left")
    for each in told:
        spent = dollars(each["spent"]) + ("" if each["budget"] is None else f" of {dollars(each['budget'])}")
        cells = [each["id"], each["flow"], each["scorer"], _rule_text(each["rule"]), each["state"]]
        cells += [f"{each['decided']:.0%}", f"{each['scored']:,}", f"{each['waiting']:,}", f"{each['lost']:,}", spent]
        table.add_row(*(Text(clean(str(cell))) for cell in (*cells, each["note"])))
    console(140).print(table)


@command.command(name="stop")
@click.argument("number", metavar="ID", type=int)
def stop(*, number: int) -> None:
    """Stop a back-fill. What is under way is finished; what was scored stays, and estimates stay true."""
    _turn(number, "stopped", "stopped by hand")


@command.command(name="resume")
@click.argument("number", metavar="ID", type=int)
@click.option("--budget", default="", help='From now on the most that it may cost in all, such as "10.00 USD".')
def resume(*, number: int, budget: str) -> None:
    """Go on with a back-fill that was stopped, where it was; or give one that runs another budget."""
    from gatewatch.core.money import parse_budget

    _turn(number, "running", "", _read("--budget", parse_budget, budget) if budget else None)


def _turn(number: int, state: Any, reason: str, most: float | None = None) -> None:
    from gatewatch.core.clock import wall
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.core.money import dollars

    with opened() as (_, store):
        known = {each.id: each for each in store.backfills()}
        if number not in known:
            there = f"there are {', '.join(map(str, known))}" if known else "none was started yet"
            raise InputError(Problem(str(number), "there is no such back-fill", there))
        changed = store.turn_backfill(number, state, now=wall(), reason=reason, most=most)
        before = known[number].state
    if changed and before == state and most is not None:
        click.echo(f"back-fill {number} is {state} already; from now on it may cost {dollars(most)} in all")
    elif changed:
        click.echo(f"back-fill {number} is {state}")
    elif before == "done":
        raise InputError(Problem(str(number), "this back-fill is done", "start another one"))
    else:
        click.echo(f"back-fill {number} is {state} already")


def _read(option: str, read: Any, *given: Any) -> Any:
    try:
        return read(*given)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _share(text: str) -> float:
    with suppress(ValueError):
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if 0 < share <= 1:
            return share
    raise ValueError(f"expected a share above 0 and at most 1, such as 0.5 or 50%, got {text!r}")


def _begin(store: "Store", asked: "Asked", most: float | None, now: float) -> "Backfill":
    scorer = asked.scorer
    work = store.work(asked.flow, scorer.name, scorer.fingerprint, scorer.source)
    return store.begin_backfill(work.id, (asked.rule,), asked.numbers, author=who(), now=now, most=most)


# What is shown


def _print_forecast(asked: "Asked", seen: "Foreseen", most: float | None) -> None:
    scorer = f"{asked.scorer.name} ({asked.scorer.fingerprint})"
    click.echo(shown(f"{scorer} over {asked.flow}: {_rule_text(_plain(asked.rule))}"))
    click.echo(f"  {counted(seen.matching, 'request')} of that time match; {seen.with_payload:,} have a payload still")
    click.echo(f"  {seen.there:,} have this score already, or are about to; {seen.to_score:,} will be scored")
    click.echo(shown(f"  cost: {_price_text(seen.price)}"))
    mean = seen.price.mean
    if most is not None:
        from gatewatch.core.money import dollars

        stops = f": it will stop at about {most / mean:.0%}" if mean is not None and mean > most else ""
        click.echo(f"  budget: {dollars(most)}{stops}")


def _price_text(price: "Price") -> str:
    from gatewatch.core.money import dollars

    if price.mean is None:
        return price.source
    if not price.mean:
        return f"nothing ({price.source})"
    ends = f" [{dollars(price.low)}, {dollars(price.high)}]" if price.low is not None and price.high is not None else ""
    return f"about {dollars(price.mean)}{ends} ({price.source})"


def _plain(rule: Any) -> dict[str, Any]:
    from gatewatch.core import marks

    said = {"sample": rule.rate, "slice": rule.slice, "tag": rule.tag, "variant": rule.variant}
    said["mark"] = ", ".join(marks.names(rule.marks))
    return {key: value for key, value in said.items() if value != ""}


def _rule_text(plain: dict[str, Any]) -> str:
    rest = [f"{key} {value}" for key, value in plain.items() if key != "sample"]
    return ", ".join([f"{plain['sample']:.3g} of them", *rest])


def _forecast_json(asked: "Asked", seen: "Foreseen", most: float | None, started: int | None) -> dict[str, Any]:
    price = seen.price
    known = {"mean": price.mean, "low": price.low, "high": price.high}
    return {
        "kind": "gatewatch.backfill",
        "version": 1,
        "flow": asked.flow,
        "scorer": asked.scorer.name,
        "fingerprint": asked.scorer.fingerprint,
        "rule": _plain(asked.rule),
        "matching": seen.matching,
        "with_payload": seen.with_payload,
        "there": seen.there,
        "to_score": seen.to_score,
        "cost": (None if price.mean is None else known),
        "cost_source": price.source,
        "budget": most,
        "started": started,
    }


def _told(store: "Store", backfill: "Backfill", workers: "dict[str, Heard]") -> dict[str, Any]:
    undone = store.undone(backfill.id)
    waiting = undone.pop("waiting", 0) + undone.pop("leased", 0)
    return {
        "id": backfill.id,
        "flow": backfill.flow,
        "scorer": backfill.scorer,
        "fingerprint": backfill.fingerprint,
        "rule": _plain(backfill.rules[0]),
        "state": backfill.state,
        "author": backfill.author,
        "at": backfill.at,
        "decided": backfill.share,
        "scored": backfill.done,
        "waiting": waiting,
        "lost": sum(undone.values()),
        "lost_by": undone,
        "spent": store.spent(backfill.budget)[0],
        "budget": backfill.most,
        "note": backfill.reason or _nobody(backfill, workers),
    }


def _nobody(backfill: "Backfill", workers: "dict[str, Heard]") -> str:
    """Why nobody does a back-fill that is running; empty where somebody does."""
    if backfill.state != "running":
        return ""
    if not workers:
        return "no worker is at work"
    if any(each.scorers.get(backfill.scorer) == backfill.fingerprint for each in workers.values()):
        return ""
    return f"no worker has this version ({backfill.fingerprint})"
