"""`gatewatch label`: what people say of live requests, blind first; and how far they agree."""

from typing import TYPE_CHECKING

import click

from gatewatch.cli.label_lines import draw, export
from gatewatch.cli.label_told import agreement, show, status
from gatewatch.cli.opened import opened
from gatewatch.cli.reviewer import expected_given, named
from gatewatch.cli.terminal import print_json, shown, who

if TYPE_CHECKING:
    from gatewatch.config.project import Project
    from gatewatch.core.review import Item, Label, Severity
    from gatewatch.store.base import Store

_REVIEW = "review"
_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else."
)
_by = click.option("--by", default="", help="Who labels; by default the account's name.")
_number = click.argument("name", metavar="ITEM")


class _Labelling(click.Group):
    """What is no command of its own is what to review: `gatewatch label F3`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = [_REVIEW, *args]
        return super().parse_args(ctx, args)


@click.group(name="label", cls=_Labelling)
def command() -> None:
    """Say of live requests whether they were answered right, and what would be right.

    Without a command it is `review`: the items that wait, one by one, in this terminal.
    """


for _each in (draw, export, show, status, agreement):
    command.add_command(_each)


@command.command(name=_REVIEW)
@click.argument("what", metavar="[F3|I7|FLOW]", default="")
@click.option(
    "--queue", type=click.Choice(["failures", "calibration"]), help="Only what was mined, or what chance drew."
)
@_by
def review(*, what: str, queue: str | None, by: str) -> None:
    """Label the items that wait, one by one: of a failure, a flow, or one item.

    What the judge said, why it was mined and what others said is shown once the label is there.
    """
    import sys

    from gatewatch.cli.label_review import Reviewing, Wanted

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(
            "this needs a terminal. Elsewhere: `gatewatch label status` says what waits, `gatewatch label show I7`"
            " shows it, and `gatewatch label put I7 --value y` labels it"
        )
    with opened() as (project, store):
        wanted = Wanted.of(what, queue)
        _there_is(store, wanted.item, wanted.failure, wanted.flow)
        Reviewing(project, store, named(by), wanted).run()


@command.command(name="put")
@_number
@click.option(
    "--value", default="", help='What it is worth: "y", "n", a number in 0..1, or a grade or word of its scale.'
)
@click.option("--expected", default="", help="What would be right: text, JSON as in a dataset, or @FILE.")
@click.option("--comment", default="", help="A word on it, for others.")
@click.option("--kind", "kinds", multiple=True, help="In which way it failed: one of [loop] kinds. May be repeated.")
@click.option("--severity", type=click.Choice(["minor", "major", "critical"]), help="How grave that is.")
@click.option("--dispute", is_flag=True, help="Have somebody settle it, whatever others say.")
@click.option("--skip", is_flag=True, help="Leave it to others, in the place of a value.")
@_by
@_as_json
def put(
    *,
    name: str,
    value: str,
    expected: str,
    comment: str,
    kinds: tuple[str, ...],
    severity: "Severity | None",
    dispute: bool,
    skip: bool,
    by: str,
    as_json: bool,
) -> None:
    """Label ITEM, such as I7, in one go: for scripts."""
    from gatewatch.config.labelling import rules_of
    from gatewatch.core.clock import wall
    from gatewatch.core.review import Label
    from gatewatch.loop.review import hidden, item_named, keep

    if skip == bool(value):
        raise click.UsageError("give a --value, or --skip")
    with opened() as (project, store):
        item = item_named(store, name)
        now, reviewer = wall(), named(by)
        label = Label(
            item=item.id,
            by=reviewer,
            at=now,
            value=None if skip else _value(project, item, value),
            expected=expected_given(expected),
            comment=comment.strip(),
            kinds=kinds,
            severity=severity,
            disputes=dispute,
            skipped=skip,
        )
        rules_of(project).check(label, item.mark)
        kept = keep(store, label, now, account=who())
        others, why = hidden(store, item, reviewer, now, account=who())
    _tell(kept, label, others, why, as_json=as_json)


@command.command(name="settle")
@click.argument("name", metavar="[ITEM]", default="")
@click.option("--value", default="", help="What it is worth, as for `put`; asked for in a terminal.")
@click.option("--expected", default="", help="What would be right: text, JSON as in a dataset, or @FILE.")
@click.option("--comment", default="", help="Why.")
@_by
@_as_json
def settle(*, name: str, value: str, expected: str, comment: str, by: str, as_json: bool) -> None:
    """Settle what reviewers disagree on: ITEM, or one after the other. Each side is shown, the judge's too."""
    import sys

    from gatewatch.cli.label_review import Settling
    from gatewatch.core.clock import wall
    from gatewatch.loop.review import hidden, item_named, keep, settling

    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if value and not name:
        raise click.UsageError("say which ITEM the --value is of")
    if not value and (as_json or not at_terminal):
        raise click.UsageError(
            "give an ITEM and a --value: `gatewatch label status` lists what is disputed, `label show` its sides"
        )
    with opened() as (project, store):
        reviewer = named(by)
        if not value:
            Settling(project, store, reviewer).run(item_named(store, name).id if name else 0)
            return
        item = item_named(store, name)
        worth, now = _value(project, item, value), wall()
        if worth is None:
            raise click.BadParameter("that it cannot be judged settles nothing", param_hint="--value")
        right = expected_given(expected)
        found = settling(store, item, reviewer, worth, now, expected=right, comment=comment.strip())
        kept = keep(store, found, now, account=who())
        others, why = hidden(store, item, reviewer, now, account=who())
    _tell(kept, found, others, why, as_json=as_json)


def _there_is(store: "Store", item: int, failure: int, flow: str) -> None:
    from gatewatch.core.errors import InputError, Problem, did_you_mean
    from gatewatch.core.failure import failure_name
    from gatewatch.loop.label import item_name
    from gatewatch.loop.review import item_named

    if item:
        item_named(store, item_name(item))
    if failure and store.failure(failure) is None:
        raise InputError(Problem(failure_name(failure), "there is no such failure"))
    if flow and flow not in store.flows() and not store.items(flow=flow, most=1):
        raise InputError(Problem(flow, "there is no such flow", did_you_mean(flow, store.flows())))


def _value(project: "Project", item: "Item", text: str) -> float | None:
    from gatewatch.config.labelling import answers_for

    try:
        return answers_for(project, item.scorer).value(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--value") from None


def _tell(item: "Item", label: "Label", others: "list[Label]", why: str, *, as_json: bool) -> None:
    from msgspec import to_builtins

    from gatewatch.loop.label import item_name, label_plain, revealed

    if as_json:
        told = {"id": item_name(item.id), **{key: value for key, value in to_builtins(item).items() if key != "id"}}
        plain = {
            "item": told,
            "label": label_plain(item, label),
            "others": [label_plain(item, each) for each in others],
        }
        print_json({"kind": "gatewatch.label", "version": 1, **plain, "explanation": why})
        return
    click.echo(shown(f"{item_name(item.id)} is {item.state}"))
    for line in revealed(item, label, others, why):
        click.echo(f"  {shown(line)}")
