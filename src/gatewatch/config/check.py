"""Is a project in order? Everything that it names is looked at; nothing is run and nothing is paid for."""

from gatewatch.config.alerting import alarming
from gatewatch.config.load import shortest
from gatewatch.config.monitors import online, store_address
from gatewatch.config.project import Problems, Project
from gatewatch.config.runs import prepare_suite
from gatewatch.config.sides import exceptions_of
from gatewatch.core.errors import Problem
from gatewatch.offline.baseline import baseline_path, read_baseline


def check(project: Project) -> list[Problem]:
    """Everything that is wrong with a project: suites, monitors, baselines and exceptions."""
    problems = Problems()
    with problems.gather():
        project.scorers()
    for name in project.settings.suites:
        with problems.gather():
            prepare_suite(project, name)
        path = baseline_path(project.root, name)
        if path.is_file():
            with problems.gather():
                read_baseline(shortest(path))
    for name in project.settings.suites or ("",):
        with problems.gather():
            expired = exceptions_of(project, name).expired_reasons()
            problems += [Problem(where, what) for where, _, what in (each.partition(": ") for each in expired)]
    with problems.gather():
        store_address(project)
    with problems.gather():
        online(project, bound=False)
    with problems.gather():
        alarming(project)
    return list(dict.fromkeys(problems))
