"""`gatewatch baseline`: pin a run as what later ones are held against, or show what is pinned."""

from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import counted, only_json, print_json, shown, tell

if TYPE_CHECKING:
    from gatewatch.offline.result import Prepared


@click.group(name="baseline")
def command() -> None:
    """Pin a run as what later ones are held against, or show what is pinned."""


@command.command(name="pin")
@click.argument("run")
@click.option(
    "--trials", type=click.IntRange(1), help="How many trials of each case it is to have: what lacks is run now."
)
@click.option("--reason", default="", help="Why, for the file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
@click.option("--plain", is_flag=True, help="Plain lines in the place of a live display.")
def pin_command(run: str, *, trials: int | None, reason: str, as_json: bool, plain: bool) -> None:
    """Pin a RUN (its id, name, suite or file) as the baseline of its suite, in baselines/SUITE.jsonl."""
    from gatewatch.cli.run import shown_run
    from gatewatch.config.baselines import pin
    from gatewatch.config.forecast import forecast
    from gatewatch.config.project import Project
    from gatewatch.offline.compare import COMMIT, DIRTY

    with only_json(as_json):
        project = Project.open(required=False)

        def say(ready: "Prepared") -> None:
            tell(f"{ready.header.run}: {shown(forecast(project, ready))}")

        pinned = pin(
            project,
            run,
            trials=trials,
            reason=reason,
            make=lambda ready, **hooks: shown_run(ready, plain=plain or as_json, **hooks),
            forecast=say,
        )
    for note in pinned.notes:
        tell(f"! {shown(note)}")
    header = pinned.header
    if as_json:
        print_json({"path": str(pinned.path), **_facts(header), "lines": len(pinned.lines)})
        return
    cases = len({line.case for line in pinned.lines})
    most = max((len(line.outcomes) for line in pinned.lines), default=0)
    click.echo(f"{pinned.path}: {counted(cases, 'case')}, {counted(len(header.scorers), 'scorer')}")
    click.echo(f"  run       {shown(header.run)}")
    click.echo(f"  trials    {header.trials} of each case, up to {counted(most, 'outcome')} with those of earlier runs")
    if header.components.get(COMMIT, "").endswith(DIRTY):
        click.echo("  ! made from a tree with uncommitted changes: its commit does not tell what it is")
    click.echo("Commit the file: it is all that a gate needs.")


@command.command(name="show")
@click.argument("suite")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def show_command(suite: str, *, as_json: bool) -> None:
    """Show what is pinned for a SUITE."""
    from gatewatch.config.project import Project
    from gatewatch.config.sides import side_named
    from gatewatch.offline.report import interval_text, number
    from gatewatch.offline.summary import Figure

    found = side_named(Project.open(required=False), "baseline", suite)
    figures = {}
    for name in found.scorers:
        mean = found.estimate(name)
        interval = None if mean.interval is None else (mean.interval.low, mean.interval.high)
        figures[name] = Figure(mean=mean.mean, interval=interval, n=mean.n, states={})
    if as_json:
        facts = {"run": found.run, "suite": found.suite, "task": found.task, "pinned": found.pinned}
        plain = {name: {"mean": each.mean, "interval": each.interval, "n": each.n} for name, each in figures.items()}
        print_json(facts | {"dataset": found.dataset, "components": found.components, "scorers": plain})
        return
    click.echo(f"{shown(found.run)}, pinned {found.pinned}")
    click.echo(f"  dataset   {shown(found.dataset.path)}@{found.dataset.version}, {counted(len(found.cases), 'case')}")
    for name, version in found.components.items():
        click.echo(f"  {shown(name):9} {shown(version)}")
    most = max((found.most_outcomes(name) for name in found.scorers), default=0)
    click.echo(f"  outcomes  up to {most} of a case")
    for name, figure in figures.items():
        click.echo(f"  {shown(name)}: {number(figure.mean)} {interval_text(figure)} over {counted(figure.n, 'case')}")


def _facts(header: object) -> dict[str, object]:
    import msgspec

    found: dict[str, object] = msgspec.to_builtins(header)
    return found
