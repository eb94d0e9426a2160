"""`gatewatch rescore`: the stored outputs of a run under the scorers as they are now."""

import click

from gatewatch.cli.terminal import counted, only_json, print_json, print_summary, shown, tell, while_heard


@click.command(name="rescore")
@click.argument("run")
@click.option("--suite", default="", help="The suite whose scorers are used; the run's own by default.")
@click.option("--name", default="", help="A name for the new run.")
@click.option("--forecast", "only_forecast", is_flag=True, help="Say what it would cost, and do nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
@click.option("--plain", is_flag=True, help="Plain lines in the place of a live display.")
def command(run: str, *, suite: str, name: str, only_forecast: bool, as_json: bool, plain: bool) -> int:
    """Score the stored outputs of a RUN again, without calling the application.

    RUN is a run's id or name, a file, or "baseline" (with --suite): the run that the suite's baseline was pinned from.
    """
    from gatewatch.cli.run import exit_code, shown_run
    from gatewatch.config.forecast import forecast
    from gatewatch.config.project import Project
    from gatewatch.config.rescore import prepare_rescore
    from gatewatch.offline.report import as_json as to_json

    with only_json(as_json):
        project = Project.open()
        ready, left_out = prepare_rescore(project, run, suite=suite, label=name)
        tell(f"{ready.header.run}: {shown(forecast(project, ready))}")
        if left_out:
            tell(f"! {counted(left_out, 'case')} left out: not in the dataset as it is now")
        if only_forecast:
            return 0
        result = shown_run(ready, plain=plain or as_json, closing=project.close)
    with while_heard():
        if as_json:
            print_json(to_json(result.summary))
        else:
            print_summary(result.summary)
            click.echo(f"\npin it:  gatewatch baseline pin {result.id}")
    return exit_code(result.summary)
