"""Is a project in order? Everything that it names is looked at; nothing is run and nothing is paid for."""

from gatewatch.config.load import FILE, shortest
from gatewatch.config.project import Problems, Project
from gatewatch.config.runs import prepare_suite
from gatewatch.config.sides import exceptions_of
from gatewatch.core.errors import ConfigError, Problem
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
    for name, monitor in project.settings.monitors.items():
        for position, each in enumerate(monitor.scorers):
            with problems.gather():
                _check_monitored(project, each.use, f"{FILE}: monitors.{name}.scorers[{position}]")
    return list(dict.fromkeys(problems))


def _check_monitored(project: Project, name: str, where: str) -> None:
    scorer = project.named(name, where)  # its model's key need not be on this machine
    for model in scorer.models:
        project.model_settings(model)
    if scorer.reference_based:
        what = f"{name!r} needs what was expected, which live traffic does not have"
        hint = "use it in a suite, and here one that looks at the output alone"
        raise ConfigError(Problem(where, what, hint))
