"""`gatewatch gate`: run a candidate, hold it against the baseline, and say whether it got worse."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.faces import report_options
from gatewatch.cli.terminal import only_json, print_json, shown, tell

if TYPE_CHECKING:
    from gatewatch.config.project import Project
    from gatewatch.offline.result import Prepared, RunResult
    from gatewatch.offline.selftest import SelfTest


@click.command(name="gate")
@click.argument("suite")
@click.option("--task", default="", help="The candidate, where it is another task than the suite's.")
@click.option("--run", "run", default="", help="A run that was made already: its id, its name, or a file.")
@click.option("--against", default="baseline", show_default=True, help='What it is held against: "baseline", or a run.')
@click.option("--name", default="", help="A name for the candidate's run.")
@click.option("--trials", type=click.IntRange(1), help="How often each case of the candidate is run.")
@click.option("--budget", help='The most that the candidate\'s run may cost, such as "2.00 USD".')
@click.option("--undecided", type=click.Choice(["warn", "fail", "spend"]), help="What UNDECIDED means, this time.")
@click.option("--selftest", is_flag=True, help="How often would this gate block a change that changes nothing?")
@report_options
@click.option("--plain", is_flag=True, help="Plain lines in the place of a live display.")
def command(
    suite: str,
    *,
    task: str,
    run: str,
    against: str,
    name: str,
    trials: int | None,
    budget: str | None,
    undecided: str | None,
    selftest: bool,
    as_json: bool,
    plain: bool,
    **files: Path | None,
) -> int:
    """Did it get worse? Run a SUITE's candidate, unless a run is named, and hold it against the baseline.

    Exit codes: 0 PASS, or UNDECIDED where that only warns; 1 REGRESSED; 3 no verdict; 4 the run itself broke.
    """
    from gatewatch.cli.faces import look_at, show
    from gatewatch.config.foresight import gate_selftest
    from gatewatch.config.gates import gate_suite
    from gatewatch.config.project import Project
    from gatewatch.core.errors import InputError

    if run and (task or name or trials or budget):
        raise click.UsageError("--run is a run that was made already: leave out --task, --name, --trials, --budget")
    look_at(**files)
    with only_json(as_json):
        project = Project.open()
        if selftest:
            found = gate_selftest(project, suite)
        else:
            gated = gate_suite(
                project,
                suite,
                task=task,
                run=run,
                against=against,
                label=name,
                changes={"trials": trials, "budget": budget},
                undecided=undecided,
                make=Making(project, plain=plain or as_json),
                tell=tell,
            )
    if selftest:
        _print_selftest(found, as_json=as_json)
        return 0
    try:
        show(gated, as_json=as_json, **files)
    except InputError as error:
        if not gated.verdict.exit_code:
            raise
        tell(str(error))
    return gated.verdict.exit_code


class Making:
    """Makes runs with a display, each with its forecast before it."""

    def __init__(self, project: "Project", *, plain: bool) -> None:
        self._project = project
        self._plain = plain

    def __call__(self, ready: "Prepared", **hooks: Any) -> "RunResult":
        """Make one."""
        from gatewatch.cli.run import shown_run
        from gatewatch.config.forecast import forecast

        tell(f"{ready.header.run}: {shown(forecast(self._project, ready))}")
        return shown_run(ready, plain=self._plain, **hooks)


def _print_selftest(found: "SelfTest", *, as_json: bool) -> None:
    rate, (least, most) = found.blocked / found.deals, found.trials
    if as_json:
        print_json({"kind": "gatewatch.selftest", "version": 1, "rate": rate, "selftest": found})
        return
    trials = f"{least} to {most}" if least < most else str(least)
    around = f"95 % interval [{found.interval.low:.1%}, {found.interval.high:.1%}]"
    click.echo(f"Of {found.deals} changes that change nothing, this gate would")
    click.echo(f"  block      {found.blocked:4}  {rate:6.1%}  {around}")
    click.echo(f"  not decide {found.undecided:4}  {found.undecided / found.deals:6.1%}")
    click.echo(f"  pass       {found.passed:4}  {found.passed / found.deals:6.1%}")
    click.echo(f"with {found.reruns:.1%} of calls more, for what was tried again.")
    click.echo(
        f"Dealt from {trials} stored trials of each of {found.cases} cases: noise that shows more seldom is not in it."
    )
