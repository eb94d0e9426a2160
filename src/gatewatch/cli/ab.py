"""`gatewatch ab`: which variant of a flow is better, looked at as often as one likes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.terminal import console, counted, print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from gatewatch.online.ab import Effect, Experiment
    from gatewatch.online.outcomes import Outcome, Unit

_MANY = 1_000_000
_COLUMNS = ("unit", "arm", "outcome", "kind", "fingerprint", "value", "weight")


@click.command(name="ab")
@click.argument("flow")
@click.option(
    "--by",
    type=click.Choice(["variant", "version", "slice"]),
    default="variant",
    show_default=True,
    help="What an arm is.",
)
@click.option("--scorer", default="", help="Only this scorer, or what users told under this name.")
@click.option("--control", default="", help="The arm that others are held against; by default the largest.")
@click.option("--split", default="", help='How conversations were to be split: "a=50,b=50".')
@click.option("--since", default="30d", show_default=True, help='How far back ("30d"), or since when (a date).')
@click.option("--export", type=click.Path(dir_okay=False), help="Write every conversation's outcomes: .csv or .jsonl.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(
    flow: str, *, by: Any, scorer: str, control: str, split: str, since: str, export: str | None, as_json: bool
) -> None:
    """Say which variant of a FLOW is better: by scores, signals, and what users told.

    A conversation is one unit. Intervals hold at all times at once: look, and stop, whenever you like.
    """
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project
    from gatewatch.config.units import moment
    from gatewatch.core.clock import wall
    from gatewatch.core.errors import InputError, Problem, did_you_mean
    from gatewatch.online.ab import experiment

    now = wall()
    try:
        first = moment(since, now)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None
    shares = _shares(split)
    store = store_of(Project.open())
    try:
        if not store.latest(flow, most=1):
            raise InputError(Problem(flow, "there is no such flow", did_you_mean(flow, store.flows())))
        with _table(export) as seen, _as_input(flow):
            found = experiment(
                store,
                flow,
                by=by,
                since=first,
                until=now + 1,
                control=control,
                scorer=scorer,
                split=shares,
                seen=seen,
            )
        known = {each.scorer for each in store.works() if each.flow == flow}
        if scorer and scorer not in known and found.units and not found.results:
            hint = did_you_mean(scorer, known)
            raise InputError(Problem(scorer, "nothing of this name was said of these conversations", hint))
    finally:
        store.close()
    if as_json:
        print_json({"kind": "gatewatch.ab", "version": 1, "experiment": found})
        return
    _print(found, export)


@contextmanager
def _as_input(where: str) -> Iterator[None]:
    """What is wrong with what was asked for, as the user's error."""
    from gatewatch.core.errors import InputError, Problem

    try:
        yield
    except ValueError as error:
        raise InputError(Problem(where, str(error))) from None


def _shares(split: str) -> dict[str, float]:
    """The declared split, from "a=50,b=50"."""
    found: dict[str, float] = {}
    for part in filter(None, (each.strip() for each in split.split(","))):
        name, equals, share = part.rpartition("=")
        try:
            found[name.strip()] = float(share)
        except ValueError:
            equals = ""
        if not equals or not 0 < found[name.strip()] < float("inf"):
            raise click.BadParameter(f'expected shares above 0 such as "a=50,b=50", got {part!r}', param_hint="--split")
    if len(found) == 1:
        raise click.BadParameter("a split has two arms or more", param_hint="--split")
    return found


@contextmanager
def _table(export: str | None) -> "Iterator[Callable[[Unit], None] | None]":
    """What writes the outcomes of each conversation to a file, which is there in whole, or as it was."""
    if export is None:
        yield None
        return
    from contextlib import suppress

    from gatewatch.core.errors import InputError, Problem

    path = Path(export)
    if path.suffix not in (".csv", ".jsonl"):
        raise click.BadParameter(f"expected a .csv or .jsonl file, got {export!r}", param_hint="--export")
    beside = path.with_name(f".{path.name}.part")
    try:
        try:
            with beside.open("w", encoding="utf-8", newline="") as file:
                yield (_csv if path.suffix == ".csv" else _lines)(file)
            beside.replace(path)
        except OSError as error:
            raise InputError(Problem(export, f"cannot be written: {error.strerror}")) from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _rows(unit: "Unit") -> "Iterator[tuple[Any, ...]]":
    for outcome, (value, share) in unit.values.items():
        yield unit.name, unit.arm, outcome.name, outcome.kind, outcome.fingerprint, value, 1.0 / share


def _csv(file: Any) -> "Callable[[Unit], None]":
    import csv

    from gatewatch.offline.reports.tables import inert

    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_COLUMNS)

    def seen(unit: "Unit") -> None:
        writer.writerows([inert(cell) if isinstance(cell, str) else cell for cell in row] for row in _rows(unit))

    return seen


def _lines(file: Any) -> "Callable[[Unit], None]":
    from gatewatch.core import codec

    def seen(unit: "Unit") -> None:
        for row in _rows(unit):
            file.write(codec.encode(dict(zip(_COLUMNS, row, strict=True))).decode() + "\n")

    return seen


def _print(found: "Experiment", export: str | None) -> None:
    from datetime import UTC, datetime

    from rich.table import Table
    from rich.text import Text

    from gatewatch.offline.report import clean
    from gatewatch.online.ab import MOST_ARMS, SRM

    out = console(100)

    def say(line: str) -> None:
        out.print(Text(clean(line)))

    ends = [datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") for at in (found.since, found.until)]
    say(f"{found.flow}  {ends[0]} to {ends[1]} UTC, by {found.by}")
    if not found.units:
        say(f"no conversation of this time has a {found.by}" + _left_out(found))
        return
    arms = list(found.units.items())
    more = f" and {len(arms) - MOST_ARMS} more, which are not compared" if len(arms) > MOST_ARMS else ""
    counts = " \u00b7 ".join(f"{name} {n:,}" for name, n in arms[:MOST_ARMS])
    say(f"conversations  {counts}{more}" + _left_out(found))
    if found.split_p is not None:
        whole = sum(found.split.values())
        split = " \u00b7 ".join(f"{name} {share / whole:.1%}" for name, share in found.split.items())
        if found.split_p < SRM:
            say(f"! they are not split as declared ({split}): by chance that is so in {found.split_p:.1g} of 1.")
            say("  Conversations of an arm get lost, or are sent to another: find out why before you trust any of this")
        else:
            say(f"split as declared ({split}): nothing speaks against it (p = {found.split_p:.2g})")
    if len(arms) == 1:
        say(f"only one {found.by}: there is nothing to compare")
        return
    if not found.results:
        say("nothing is known of it: nothing scored these conversations, and nobody said anything")
        return
    for line in _notes(found):
        say(line)
    say("")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("outcome")
    table.add_column(found.by)
    for heading in ("n", "mean"):
        table.add_column(heading, justify="right", no_wrap=True)
    beside = found.control if len(found.control) < 20 else "the control"
    table.add_column(Text(clean(f"beside {beside}")), overflow="fold")
    for result in found.results:
        first, outcome = result.effects[0], result.outcome
        rows = [(_name(outcome, found), found.control, first.n_control, first.control, "")]
        rows += [("", each.arm, each.n, each.mean, in_words(outcome, each)) for each in result.effects]
        for name, arm, n, mean, words in rows:
            told = "\u2014" if mean is None else _amount(outcome, mean)
            table.add_row(*(Text(clean(cell)) for cell in (name, arm, f"{n:,}", told, words)))
    out.print(table)
    if any(each.needs is not None for result in found.results for each in result.effects):
        say("")
        say("which n it needs is said for a difference as large as the one that is seen now")
    if export is not None:
        say(f"every conversation's outcomes are in {export}")


def _notes(found: "Experiment") -> Iterator[str]:
    if found.users:
        yield f"n counts users once: {counted(found.users, 'user')} had several conversations, all of one {found.by}"
    if found.by != "variant":
        yield f"! who gets which {found.by} is not left to chance: this is no experiment, others may differ"


def _left_out(found: "Experiment") -> str:
    parts = [
        f"{counted(found.mixed, 'conversation')} of several" if found.mixed else "",
        f"{counted(found.outside, 'conversation')} without a {found.by}" if found.outside else "",
    ]
    told = " and ".join(filter(None, parts))
    return f" (left out: {told})" if told else ""


def _name(outcome: "Outcome", found: "Experiment") -> str:
    """An outcome's name; where scorers of one name differ, with their fingerprint or source."""
    alike = [each.outcome for each in found.results if each.outcome.name == outcome.name]
    if len(alike) < 2:
        return outcome.name
    same = len({each.fingerprint for each in alike}) == 1
    return f"{outcome.name} {outcome.source or outcome.kind if same else outcome.fingerprint[:6] or outcome.kind}"


def in_words(outcome: "Outcome", effect: "Effect") -> str:
    """What is known of a difference, in words."""
    if effect.interval is None or effect.difference is None:
        return f"cannot be told: {effect.why}"
    low, high = effect.interval.low, effect.interval.high
    if not effect.told:
        needs = "" if effect.needs is None else f": needs an n of {_about(effect.needs)} in all"
        return f"no difference can be told yet {_range(outcome, low, high)}{needs}"
    up = effect.difference > 0
    words = {1: ("worse", "better"), -1: ("better", "worse"), 0: ("less", "more")}[outcome.better]
    near, far = sorted((abs(low), abs(high)))
    return f"{words[up]} by {_size(outcome, abs(effect.difference))} {_range(outcome, near, far, sign='')}"


def _about(number: int) -> str:
    return "more than a million" if number > _MANY else f"about {int(float(f'{number:.2g}')):,}"


def _range(outcome: "Outcome", low: float, high: float, *, sign: str = "+") -> str:
    """An interval of differences, with its unit once where both ends have the same."""
    ends = [f"{'-' if each < 0 else sign}{_size(outcome, abs(each))}" for each in (low, high)]
    (first, unit), (last, same) = (each.partition(" ")[::2] for each in ends)
    return f"[{first}, {last}] {unit}" if unit and unit == same else f"[{ends[0]}, {ends[1]}]"


def _amount(outcome: "Outcome", value: float) -> str:
    """A mean on its own scale."""
    if outcome.kind == "score" or outcome.name == "thumbs":
        return f"{value:.3f}"
    return f"{value:.2%}" if outcome.kind == "rate" else _size(outcome, value)


def _size(outcome: "Outcome", value: float) -> str:
    """How large a difference is, 0 or more."""
    from gatewatch.core.money import dollars
    from gatewatch.offline.report import seconds

    if outcome.kind in ("score", "rate") or outcome.name == "thumbs":
        return f"{100 * value:.1f} pp"
    if outcome.kind == "told":
        return f"{value:,.4g}"
    if outcome.name == "cost":
        return dollars(value)
    return seconds(value) if outcome.name.endswith("_s") else f"{value:,.3g}"
