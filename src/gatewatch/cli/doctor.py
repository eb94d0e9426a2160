"""`gatewatch doctor`: is this project in order? Everything is looked at, nothing is run and nothing is paid for."""

import platform

import click


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(*, as_json: bool) -> int:
    """Check the configuration, and the datasets, tasks, scorers and models that it names."""
    from gatewatch import __version__
    from gatewatch.cli.terminal import print_json
    from gatewatch.config.project import Project
    from gatewatch.config.runs import check
    from gatewatch.core.errors import InputError

    facts = {"gatewatch": __version__, "python": platform.python_version()}
    try:
        project = Project.open()
        settings = project.settings
        facts["project"] = str(project.root)
        for name, table in (("suites", settings.suites), ("models", settings.models), ("monitors", settings.monitors)):
            facts[name] = ", ".join(table) or "none"
        problems = check(project)
    except InputError as error:
        problems = list(error.problems)
    if as_json:
        found = [{"where": each.where, "what": each.what, "hint": each.hint} for each in problems]
        print_json({"kind": "gatewatch.doctor", "version": 1, "ok": not problems, "problems": found, **facts})
    else:
        for name, value in facts.items():
            click.echo(f"  {name:10} {value}")
        for problem in problems:
            click.echo(f"✕ {problem}")
        click.echo(f"{len(problems)} problems" if problems else "✓ all is in order")
    return 2 if problems else 0
