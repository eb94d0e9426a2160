"""`gatewatch label draw` and `export`: a random slice to be labelled, and labels as files that `calibrate` reads."""

from pathlib import Path
from shlex import quote

import click

from gatewatch.cli.opened import opened
from gatewatch.cli.terminal import counted, print_json, shown, who

_MOST = 10_000
_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else."
)


@click.command(name="draw")
@click.argument("flow")
@click.option("--scorer", required=True, help="The scorer that is to be calibrated, on whose scale is labelled.")
@click.option("-n", "--number", "most", type=click.IntRange(2, _MOST), default=60, show_default=True, help="How many.")
@click.option(
    "--days", type=click.FloatRange(0.01, 366), default=7.0, show_default=True, help="Of the last so many days."
)
@click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True, help="Another one draws others.")
@_as_json
def draw(*, flow: str, scorer: str, most: int, days: float, seed: int, as_json: bool) -> None:
    """Draw requests of a FLOW by chance, to be labelled for `gatewatch calibrate`.

    Half of them are of those that the scorer passed, where there are as many. With each its probability is kept, so
    that what people say of them tells of all that was scored.
    """
    from gatewatch.config.labelling import draw_items
    from gatewatch.core.clock import wall
    from gatewatch.loop.label import item_name

    now = wall()
    with opened() as (project, store):
        found = draw_items(project, store, flow, scorer, most=most, days=days, seed=seed, now=now)
        store.note(now, who(), "draw", f"{len(found.items)} of {flow} for {scorer}")
    pool = found.pool
    if as_json:
        drawn = [{"item": item_name(item.id), "trace": item.trace, "pi": item.pi} for item in found.items]
        pooled = {"scored": len(pool.scored), "no_payload": pool.no_payload, "failed": pool.failed}
        told = {"flow": flow, "scorer": scorer, "seed": seed, "new": found.new, "pool": pooled, "drawn": drawn}
        print_json({"kind": "gatewatch.draw", "version": 1, **told})
        return
    there = len(found.items) - found.new
    more = f" ({there} of them drawn before)" if there else ""
    of = counted(len(pool.scored), "request")
    click.echo(shown(f"{counted(len(found.items), 'request')} drawn of {of} that {scorer} scored{more}"))
    if pool.no_payload:
        click.echo(f"! {counted(pool.no_payload, 'request')} left out: their payloads are gone")
    if pool.failed:
        click.echo(f"! {counted(pool.failed, 'request')} left out: they failed, which is no word of the scorer's")
    if found.items:
        click.echo(shown(f"label them: gatewatch label {quote(flow)} --queue calibration"))


@click.command(name="export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--scorer", required=True, help="On whose scale the labels are.")
@click.option("--queue", type=click.Choice(["failures", "calibration"]), help="Only of what was mined, or chance drew.")
@click.option("--verdicts", type=click.Path(path_type=Path, dir_okay=False), help="Write the scorer's verdicts here.")
@_as_json
def export(*, file: Path, scorer: str, queue: str | None, verdicts: Path | None, as_json: bool) -> None:
    """Write labels into FILE, as lines that `gatewatch calibrate` reads; those that are there stay.

    What chance drew has its probability (pi). What was mined has none: `calibrate` does not count it.
    """
    from msgspec import to_builtins

    from gatewatch.config.label_lines import export as write
    from gatewatch.core.clock import wall

    if verdicts is not None and verdicts.absolute() == file.absolute():
        raise click.BadParameter("is the file of the labels", param_hint="--verdicts")
    with opened() as (project, store):
        done = write(project, store, file, scorer, queue=queue, verdicts=verdicts)  # type: ignore[arg-type]
        store.note(wall(), who(), "labels exported", f"{done.drawn + done.mined} of {scorer}")
    if as_json:
        print_json({"kind": "gatewatch.labels", "version": 1, "file": str(file), **to_builtins(done)})
        return
    parts = f"{done.new} new, {done.changed} changed, {done.there} there already"
    click.echo(shown(f"{counted(done.drawn + done.mined, 'label')} in {file}: {parts}"))
    click.echo(f"{done.drawn} of what chance drew; {done.mined} of what was mined, which no calibration counts")
    if done.withdrawn:
        click.echo(f"{counted(done.withdrawn, 'line')} taken out: who wrote it took it back")
    if done.unlabelled:
        click.echo(f"! {counted(done.unlabelled, 'request')} drawn and not labelled yet: those that are stand for them")
    if done.outdated:
        click.echo(f"! {counted(done.outdated, 'verdict')} left out: another version of the scorer gave them")
    if done.verdicts and verdicts is not None:
        paths = f"--labels {quote(str(file))} --verdicts {quote(str(verdicts))}"
        click.echo(shown(f"{counted(done.verdicts, 'verdict')} in {verdicts}: gatewatch calibrate {scorer} {paths}"))
