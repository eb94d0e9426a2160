"""`gatewatch plan`: what a suite's gate can see, and what seeing more would cost."""

import click

from gatewatch.cli.terminal import print_json, shown


@click.command(name="plan")
@click.argument("suite")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(suite: str, *, as_json: bool) -> None:
    """What the gate of a SUITE can see with the cases that it has, and what seeing more would cost. Nothing is run."""
    from gatewatch.config.foresight import gate_reach
    from gatewatch.config.project import Project
    from gatewatch.offline.reach import in_words

    found = gate_reach(Project.open(), suite)
    if as_json:
        print_json({"kind": "gatewatch.plan", "version": 1, "suite": suite, "reach": found})
        return
    click.echo(f"What the gate of {shown(suite)} detects (smallest fall, 80 % power):")
    for line in in_words(found):
        click.echo(f"  {shown(line)}")
