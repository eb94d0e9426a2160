"""`gatewatch doctor`: is this project in order? Everything is looked at, nothing is run and nothing is paid for."""

import platform
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gatewatch.config.project import Project
    from gatewatch.core.errors import Problem


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
            problems = [*check(project), *_undelivered(project)]
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


def _undelivered(project: "Project") -> "list[Problem]":
    """Channels that did not take what they were sent, where there is a store to ask; one that cannot be asked is no
    matter of the configuration."""
    from contextlib import closing, suppress
    from pathlib import Path

    from gatewatch.cli.terminal import counted
    from gatewatch.config.monitors import store_address, store_of
    from gatewatch.core.errors import GatewatchError, Problem
    from gatewatch.online.channels import public
    from gatewatch.store.open import SQLITE

    found: dict[str, tuple[int, str]] = {}
    with suppress(GatewatchError):  # what is wrong with the address was told
        address = store_address(project)
        if address.startswith(SQLITE) and not Path(address.removeprefix(SQLITE)).is_file():
            return []
        with closing(store_of(project)) as store:
            for notice, reason in store.untold(1000):
                if reason:
                    found[notice.to] = found.get(notice.to, (0, ""))[0] + 1, reason
    hint = "`gatewatch alerts undelivered`; workers try again"
    return [
        Problem(f"alerts: {public(to)}", f"{counted(number, 'notice')} not delivered: {reason}", hint)
        for to, (number, reason) in found.items()
    ]
