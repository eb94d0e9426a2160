"""`gatewatch erase`: a user or a session goes, from everywhere, with a receipt."""

import sys
from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.terminal import counted, print_json, shown, tell, who

if TYPE_CHECKING:
    from gatewatch.config.erasing import Person
    from gatewatch.config.project import Project
    from gatewatch.core.erasure import Receipt
    from gatewatch.store.base import Store

_SHOWN = 20
_ONE = {"cached replies": "cached reply", "canaries": "canary", "tasks under way": "task under way"}


@click.command(name="erase")
@click.option("--user", default="", help="The user's id, as the application gave it to capture, or its hash.")
@click.option("--session", default="", help="The session's id.")
@click.option("--flow", default="", help="Only the session of this flow.")
@click.option("--key-env", "more", multiple=True, help="A variable that has one more key that ids were hashed with.")
@click.option("--dry-run", is_flag=True, help="Say what would go, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before.")
@click.option("--again", is_flag=True, help="Erase again what was erased before, after an old store was put back.")
@click.option("--list", "listed", is_flag=True, help="Show the receipts there are.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(
    *,
    user: str,
    session: str,
    flow: str,
    more: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    again: bool,
    listed: bool,
    as_json: bool,
) -> None:
    """Erase all that is kept of a user, or of a session, and keep out what arrives of them later.

    It cannot be undone. What was spent on their requests stays in the costs, without saying on whose.
    """
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project

    if bool(user) + bool(session) + again + listed != 1:
        raise click.UsageError("give one of --user, --session, --again and --list")
    if flow and not session:
        raise click.UsageError("--flow says of which flow a --session is")
    if more and not user:
        raise click.UsageError("--key-env says with which key the id of a --user was hashed")
    project = Project.open()
    store = store_of(project)
    try:
        if listed:
            _list(store, as_json=as_json)
        elif again:
            _again(project, store, as_json=as_json)
        else:
            found = _person(project, store, user, session, flow, more)
            if found.missed:
                tell(shown(f"! {found.missed}"))
            _erase(project, store, found, dry_run=dry_run, yes=yes, as_json=as_json)
    finally:
        store.close()


def _person(project: "Project", store: "Store", user: str, session: str, flow: str, more: tuple[str, ...]) -> "Person":
    from gatewatch.config.erasing import Person, person
    from gatewatch.core.erasure import Subject
    from gatewatch.core.lengths import cut

    if session:
        return Person(Subject("session", tuple(sorted({session, cut(session)})), flow))
    return person(project, store, user, more)


def _erase(project: "Project", store: "Store", person: "Person", *, dry_run: bool, yes: bool, as_json: bool) -> None:
    from gatewatch.config.erasing import erase
    from gatewatch.core.clock import wall
    from gatewatch.online.erasing import would_go

    subject = person.subject
    if dry_run:
        counts = would_go(store, subject)
        if as_json:
            told = {"marks": subject.marks, "counts": counts, "other_keys": person.other_keys}
            print_json({"kind": "gatewatch.erasure-forecast", "version": 1, **told})
            return
        click.echo(f"would go from the store: {_parts(counts, person)}")
        click.echo("and: their records in the spool, labels of their requests, exports of them, the whole reply cache")
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("it cannot be undone, and nobody is here to be asked: give --yes (or --dry-run)")
        click.confirm(f"{_parts(would_go(store, subject), person)}: erase for good?", abort=True, err=True)
    say = (lambda _: None) if as_json else (lambda text: tell(shown(text)))
    receipt = erase(project, store, subject, who=who(), now=wall(), missed=person.missed, say=say)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(receipt))
        return
    _print(receipt, person)


def _parts(counts: Any, person: "Person | None" = None) -> str:
    told = ", ".join(
        f"{n:,} {_ONE.get(part, part.removesuffix('s')) if n == 1 else part}" for part, n in counts.items() if n
    )
    of = "under the keys that are here" if person is not None and person.other_keys else "of them"
    return told or f"nothing is kept {of}"


def _print(receipt: "Receipt", person: "Person") -> None:
    from datetime import UTC, datetime

    click.echo(shown(f"erasure {receipt.id}, {receipt.at}, by {receipt.who}"))
    click.echo(f"{receipt.subject}  {' '.join(receipt.marks)} (digests; the id itself is not kept)")
    click.echo(f"gone  {_parts(receipt.counts, person)}")
    for day in receipt.days[:_SHOWN]:
        date = datetime.fromtimestamp(day.day, UTC).strftime("%Y-%m-%d")
        gone = f"{counted(day.requests, 'request')}, {counted(day.scores, 'score')}, feedback among them"
        click.echo(shown(f"  {date}  {day.flow or '(no flow)'}  {gone}: the trends of that day are without them"))
    _more(len(receipt.days))
    for place in receipt.changed[:_SHOWN]:
        click.echo(shown(f"  {place.file}:{place.line}  label, taken out"))
    _more(len(receipt.changed))
    if receipt.look_at or receipt.runs:
        click.echo("left as they are, to be looked at:")
    for place in receipt.look_at[:_SHOWN]:
        click.echo(shown(f"  {place.file}:{place.line}"))
    _more(len(receipt.look_at))
    for run in receipt.runs[:_SHOWN]:
        click.echo(shown(f"  pushed run {run}: `gatewatch db forget-run {run}` removes it"))
    _more(len(receipt.runs))
    for what in receipt.left:
        click.echo(shown(f"! {what}"))


def _more(number: int) -> None:
    if number > _SHOWN:
        click.echo(f"  ... and {number - _SHOWN:,} more (--json has all)")


def _again(project: "Project", store: "Store", *, as_json: bool) -> None:
    from gatewatch.config.erasing import erase_again
    from gatewatch.core.clock import wall

    number, left = erase_again(project, store, wall())
    if as_json:
        print_json({"kind": "gatewatch.erased-again", "version": 1, "requests": number, "left": left})
        return
    click.echo(f"erased again: {counted(number, 'request')}")
    for what in left:
        click.echo(shown(f"! {what}"))


def _list(store: "Store", *, as_json: bool) -> None:
    from datetime import UTC, datetime

    from gatewatch.core.clock import stamp

    found = store.erasures()
    if as_json:
        import msgspec

        print_json({"kind": "gatewatch.erasures", "version": 1, "erasures": msgspec.to_builtins(found)})
        return
    for each in found:
        state = "under way, or interrupted: erase again to end it"
        if each.receipt is not None:
            state = _parts(each.receipt.get("counts", {}))
        at = stamp(datetime.fromtimestamp(each.at, UTC))
        click.echo(shown(f"{each.id}  {at}  by {each.who}  {each.subject} {each.marks[0][:12]}  {state}"))
    if not found:
        click.echo("nobody was erased")
