"""`gatewatch doctor`: is this project in order? Everything is looked at, nothing is run and nothing is paid for."""

import platform

import click


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(*, as_json: bool) -> int:
    """Check the configuration, and the datasets, tasks, scorers and models that it names."""
    from gatewatch import __version__
    from gatewatch.cli.terminal import counted, only_json, print_json, shown
    from gatewatch.config.check import check
    from gatewatch.config.project import Project
    from gatewatch.core.errors import InputError

    facts = {"gatewatch": __version__, "python": platform.python_version()}
    tables: dict[str, list[str]] = {}
    with only_json(as_json):
        try:
            project = Project.open()
            settings = project.settings
            facts["project"] = str(project.root)
            tables = {"suites": [*settings.suites], "models": [*settings.models], "monitors": [*settings.monitors]}
            problems = check(project)
        except InputError as error:
            problems = list(error.problems)
    if as_json:
        found = [{"where": each.where, "what": each.what, "hint": each.hint} for each in problems]
        print_json({"kind": "gatewatch.doctor", "version": 1, "ok": not problems, "problems": found, **facts, **tables})
    else:
        for name, value in (facts | {name: ", ".join(names) or "none" for name, names in tables.items()}).items():
            click.echo(shown(f"  {name:10} {value}"))
        for problem in problems:
            click.echo(f"✕ {shown(problem)}")
        click.echo(counted(len(problems), "problem") if problems else "✓ all is in order")
    return 2 if problems else 0
