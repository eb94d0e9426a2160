"""`gatewatch promote`: what went wrong live becomes a case of a dataset."""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.reviewer import expected_given
from gatewatch.cli.terminal import print_json, shown, tell, who

if TYPE_CHECKING:
    from gatewatch.config.promoting import Outcome, Promoted
    from gatewatch.core.case import Case

_STATES = {"new": "is new", "merge": "has it as well now", "there": "asks it already"}


@click.command(name="promote")
@click.argument("what", nargs=-1, required=True)
@click.option("--suite", default="", help="Into the dataset of this suite; by default the flow's.")
@click.option("--expected", default="", metavar="TEXT|JSON|@FILE", help="What is right, over what labels say.")
@click.option("--owner", default="", help="Who sees to it; by default the failure's owner, or that of [loop].")
@click.option("--until", default="", help="The last day on which it may fail, such as 2026-12-31.")
@click.option("--open", "lasts", default="", help='For how long it may fail, such as "30d"; by default as [loop] says.')
@click.option("--strict", is_flag=True, help="It must pass from the start.")
@click.option("--merge", is_flag=True, help="Add it to the case that asks the same, or nearly; what it expects holds.")
@click.option("--separate", is_flag=True, help="Make a case of it, though another asks nearly the same.")
@click.option("--slice", "slice_", default="", help="The slice of the case; by default that of the request.")
@click.option("--alone", is_flag=True, help="Without the turns before it in its session.")
@click.option("--outbox", is_flag=True, help="Leave the file as it is: `gatewatch pull` writes it, in a checkout.")
@click.option("--dry-run", is_flag=True, help="Show the cases, and do nothing.")
@click.option("--by", default="", help="Who promotes it; by default who you are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(
    *,
    what: tuple[str, ...],
    suite: str,
    expected: str,
    owner: str,
    until: str,
    lasts: str,
    strict: bool,
    merge: bool,
    separate: bool,
    slice_: str,
    alone: bool,
    outbox: bool,
    dry_run: bool,
    by: str,
    as_json: bool,
) -> int:
    """Make cases of WHAT: failures (F3: all of its items that people found wrong), items (I7), ids of requests.

    A case is open at first: the gate reports it, and does not block, until its last day. A query that the dataset has
    already makes no other case. It is noted in the audit.
    """
    from gatewatch.cli.opened import opened
    from gatewatch.config.promotable import Asked
    from gatewatch.config.promoting import promote
    from gatewatch.core.clock import wall

    if merge and separate:
        raise click.UsageError("give one of --merge and --separate")
    if bool(until) + bool(lasts) + strict > 1:
        raise click.UsageError("give one of --until, --open and --strict")
    asked = Asked(
        by=by.strip() or who(),
        suite=suite,
        expected=expected_given(expected),
        owner=owner.strip(),
        until=_until(until, lasts),
        strict=strict,
        way="merge" if merge else "separate" if separate else "",
        slice=slice_.strip(),
        alone=alone,
        outbox=outbox,
        dry=dry_run,
    )
    with opened() as (project, store):
        found = promote(project, store, what, asked, wall())
    if as_json:
        print_json(_plain(found, dry=dry_run))
    else:
        _print(found, dry=dry_run)
    for problem in found.refused:
        tell(f"error: {shown(problem)}")
    return 2 if found.refused else 0


def _until(until: str, lasts: str) -> date | None:
    from gatewatch.config.units import seconds
    from gatewatch.core.clock import now

    if lasts:
        try:
            return now().date() + timedelta(days=max(1, round(seconds(lasts) / 86_400)))
        except (ValueError, OverflowError) as error:
            raise click.BadParameter(str(error), param_hint="--open") from None
    try:
        return date.fromisoformat(until) if until else None
    except ValueError:
        raise click.BadParameter(f"expected a day such as 2026-12-31, got {until!r}", param_hint="--until") from None


def _print(found: "Outcome", *, dry: bool) -> None:
    from gatewatch.core.codec import encode

    for each in found.promoted:
        case = each.planned.decision.case
        click.echo(shown(f"{_name(each)}: case {case.id} {_STATES[each.planned.decision.kind]}{_about(each, found)}"))
        for line in (*each.planned.decision.moved, *each.notes):
            click.echo(shown(f"  {line}"))
        for problem in each.applied.broken if each.applied else ():
            click.echo(shown(f"  ! a line was left as it is, and no run takes the file: {problem}"))
        if dry:
            click.echo(shown(f"  {encode(case).decode()}"))
    for line in found.left:
        click.echo(shown(f"! {line}"))
    if dry and found.promoted:
        click.echo(shown(f"nothing was written: this is what would become of it in {found.path}"))
    elif any(each.applied and each.applied.what != "there" for each in found.promoted):
        click.echo(
            shown(f"Have {found.path} reviewed, and commit it. Once it passes: `gatewatch rebaseline {found.suite}`")
        )


def _name(each: "Promoted") -> str:
    from gatewatch.loop.label import item_name

    source = each.planned.source
    return item_name(source.item.id) if source.item else source.trace.id


def _about(each: "Promoted", found: "Outcome") -> str:
    from gatewatch.core.change import change_name

    parts = [each.applied.where if each.applied else found.path]
    into = each.planned.decision.into
    if each.applied is None and into is not None and into.line:
        parts = [f"{found.path}:{into.line}"]
    if each.planned.decision.kind != "there":
        parts.append(_open(each.planned.decision.case))
    if each.change is not None:
        parts.append(f"{change_name(each.change.id)} {each.change.state}")
    if each.waits:
        parts.append(f"waits for `gatewatch pull`: {each.waits}")
    origin = each.planned.decision.case.provenance
    if each.planned.decision.kind == "there" and {"trace", "at"} <= origin.keys():
        parts.append(f"promoted from {origin['trace']} on {origin['at']}")
    return f" ({'; '.join(filter(None, parts))})"


def _open(case: "Case") -> str:
    if case.open is not None:
        return f"may fail until {case.open.until}, {case.open.owner} sees to it"
    return "must pass" if case.must_pass else ""


def _plain(found: "Outcome", *, dry: bool) -> dict[str, Any]:
    import msgspec

    from gatewatch.core.change import told

    promoted = [
        {
            "trace": each.planned.source.trace.id,
            "item": each.planned.source.item.id if each.planned.source.item else None,
            "failure": each.planned.source.failure.id if each.planned.source.failure else None,
            "state": each.planned.decision.kind,
            "case": msgspec.to_builtins(each.planned.decision.case),
            "moved": each.planned.decision.moved,
            "change": told(each.change) if each.change else None,
            "written": msgspec.to_builtins(each.applied) if each.applied else None,
            "waits": each.waits,
            "notes": each.notes,
        }
        for each in found.promoted
    ]
    return {
        "kind": "gatewatch.promote",
        "version": 1,
        "suite": found.suite,
        "path": found.path,
        "dry_run": dry,
        "promoted": promoted,
        "refused": [msgspec.to_builtins(each) for each in found.refused],
        "left": found.left,
    }
