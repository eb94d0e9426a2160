"""`gatewatch db`: the store of live traffic, what is in it, and bringing it up to date."""

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import counted, print_json, shown, tell, who

if TYPE_CHECKING:
    from collections.abc import Mapping

_JUST_NOW_S = 60.0


@click.group(name="db")
def command() -> None:
    """See what is in the store of live traffic, and bring it up to date."""


@command.command(name="status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def status(*, as_json: bool) -> None:
    """Say what is in the store, and which version of its layout it has."""
    import msgspec

    from gatewatch.config.monitors import name_of, store_address
    from gatewatch.config.project import Project
    from gatewatch.store import schema
    from gatewatch.store.open import open_database, open_store

    project = Project.open()
    address, name = store_address(project), name_of(project)
    db = open_database(address, project=name)
    try:
        found = schema.status(db)
    finally:
        db.close()
    place = db.name
    missing = [f"{step.date} {step.what}" for step in found.missing]
    if found.version and missing:
        if as_json:
            print_json({"kind": "gatewatch.db", "version": 1, "schema": found.version, "missing": missing})
            return
        click.echo(shown(f"{place}  layout {found.version}, {len(missing)} behind: `gatewatch db migrate` adds"))
        for each in missing:
            click.echo(shown(f"  {each}"))
        return
    store = open_store(address, project=name)
    try:
        counts = store.counts()
    finally:
        store.close()
    if as_json:
        print_json({"kind": "gatewatch.db", "version": 1, **msgspec.to_builtins(counts)})
        return
    click.echo(shown(f"{place}  layout {counts.schema}, {counts.file_bytes / 1e6:,.1f} MB"))
    click.echo(
        f"requests  {counts.traces:,}; {counts.payloads:,} have a payload ({counts.payload_bytes / 1e6:,.1f} MB)"
    )
    click.echo(f"scores    {counts.scores:,}")
    click.echo(f"tasks     {_by_state(counts.tasks)}")
    click.echo(f"feedback  {counts.parked:,} without a request")
    click.echo(f"failures  {counts.failures:,}")
    click.echo(f"items     {_by_state(counts.items)}; {counted(counts.labels, 'label')}")
    click.echo(f"changes   {_by_state(counts.changes)}")
    for reason, n in sorted(counts.losses.items()):
        click.echo(shown(f"lost      {n:,}: {reason}"))


def _by_state(counts: "Mapping[str, int]") -> str:
    return ", ".join(f"{n:,} {state.replace('_', ' ')}" for state, n in sorted(counts.items())) or "none"


@command.command(name="migrate")
def migrate() -> None:
    """Bring the store's layout up to date. Stop the workers and servers first; others wait until it is done."""
    from gatewatch.config.monitors import name_of, store_address
    from gatewatch.config.project import Project
    from gatewatch.store import schema
    from gatewatch.store.open import open_database

    project = Project.open()
    address, name = store_address(project), name_of(project)
    db = open_database(address, project=name)
    try:
        done = schema.migrate(db)
    finally:
        db.close()
    for step in done:
        click.echo(shown(f"{step.date} {step.what}"))
    click.echo(shown(f"{db.name} is up to date"))


@command.command(name="audit")
@click.option("--since", default="30d", show_default=True, help="How far back, such as 12h or 30d.")
@click.option("--most", type=click.IntRange(1, 100_000), default=200, show_default=True, help="At most so many lines.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def audit(*, since: str, most: int, as_json: bool) -> None:
    """Say who looked at requests, exported or erased them, the newest first."""
    from datetime import UTC, datetime

    import msgspec

    from gatewatch.config import units
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project
    from gatewatch.core.clock import stamp, wall

    try:
        back = units.seconds(since)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--since") from None
    store = store_of(Project.open())
    try:
        lines = store.audit(wall() - back, most)
    finally:
        store.close()
    if as_json:
        print_json({"kind": "gatewatch.audit", "version": 1, "lines": msgspec.to_builtins(lines)})
        return
    for line in lines:
        told = f"{stamp(datetime.fromtimestamp(line.at, UTC))}  {line.who or '(no token)'}  {line.action}  {line.what}"
        click.echo(shown(told.replace("\n", " ")))
    if not lines:
        click.echo("nothing was noted in this time")


@command.command(name="forget-run")
@click.argument("run")
def forget_run(*, run: str) -> None:
    """Remove a RUN that was pushed to the store, by its id, so that nothing of it is left in the store's files."""
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project
    from gatewatch.core.clock import wall
    from gatewatch.core.errors import InputError, Problem

    store = store_of(Project.open())
    try:
        if not store.forget_run(run):
            raise InputError(Problem(run, "no run of this id was pushed to the store"))
        store.note(wall(), who(), "forget", f"run {run}")
        scrubbed = store.scrub()
    finally:
        store.close()
    click.echo(shown(f"{run} is removed; the journal that was pushed is where it was pushed from"))
    if not scrubbed:
        tell("! others are reading from the store: its log has the run until they are done")


@command.command(name="copy")
@click.option(
    "--to", "address", required=True, help="The address of an empty store, such as postgresql://db/gatewatch."
)
@click.option("--yes", is_flag=True, help="Copy while workers are at work, too.")
def copy(address: str, *, yes: bool) -> None:
    """Copy this project's store to another database. Stop the workers and servers first: what comes meanwhile is not
    copied.
    """
    from gatewatch.cli.work import at_work
    from gatewatch.config.monitors import name_of, store_address
    from gatewatch.config.project import Project
    from gatewatch.core.clock import wall
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.store import copying
    from gatewatch.store.open import open_database, open_store

    project = Project.open()
    name, here = name_of(project), store_address(project)
    with closing(open_database(here, project=name)) as source:
        copying.look_at(source)
    with closing(open_store(here, project=name)) as store:
        now = wall()
        workers, newest = at_work(store, now), store.latest(most=1)
    if workers and not yes:
        hint = "stop them and the servers first; --yes copies without what comes meanwhile"
        raise InputError(Problem("gatewatch db copy", f"at work: {', '.join(sorted(workers))}", hint))
    if newest and now - newest[0].received < _JUST_NOW_S:
        tell(f"! the newest request came {max(now - newest[0].received, 0):.0f} s ago: does a server run yet?")
    open_store(address, project=name).close()  # its tables
    with ExitStack() as opened:
        source, target, base, other = (
            opened.enter_context(closing(open_database(where, project=of)))
            for where, of in ((here, name), (address, name), (here, ""), (address, ""))
        )
        tokens = copying.copy(
            source, target, lambda table, n: click.echo(f"{table:12} {n:,}"), bases=(base, other), project=name
        )
        click.echo(shown(f"{source.name} is copied to {target.name}" + (f", with {tokens} tokens" if tokens else "")))
    click.echo("Now name the new address in [project] store, and start the workers and servers again.")
