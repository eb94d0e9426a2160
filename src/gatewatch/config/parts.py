"""What a run is made of beside its settings: found good, or refused by name."""

import inspect
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from gatewatch.config.imports import named_object
from gatewatch.config.load import FILE
from gatewatch.config.project import Project
from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.core.money import parse_budget
from gatewatch.offline.dataset import Dataset
from gatewatch.offline.plan import Hook
from gatewatch.offline.task import Task
from gatewatch.offline.tasks.prompt import PromptTask
from gatewatch.scorers.base import Scorer

if TYPE_CHECKING:
    from gatewatch.models.client import OpenAIClient


class Parts(Struct, frozen=True, kw_only=True):
    """What a run is made of, as far as it is not in the suite's settings."""

    task: Task
    dataset: Dataset
    scorers: tuple[Scorer, ...]
    setup: Hook | None = None
    teardown: Hook | None = None
    slice_of: Callable[[Any], str] | None = None


def budget_of(text: str, where: str) -> float | None:
    """A budget in US dollars, if there is one.

    Raises:
        ConfigError: when the text is no amount.
    """
    try:
        return parse_budget(text) if text else None
    except ValueError as error:
        raise ConfigError(Problem(where, str(error))) from None


def function_of(project: Project, reference: str, where: str) -> Callable[[Any], Any] | None:
    """The function of one argument that a project names, if it names one.

    Raises:
        ConfigError: when there is none of that name, or it takes another number of arguments.
    """
    return one_argument(named_object(project.root, reference, where), where) if reference else None


def one_argument(fn: Callable[..., Any], where: str) -> Callable[[Any], Any]:
    """The function, after making sure that it can be called with one argument.

    Raises:
        ConfigError: when it cannot.
    """
    try:
        inspect.signature(fn).bind(None)
    except TypeError as error:
        raise ConfigError(Problem(where, f"cannot be called with one argument: {error}")) from None
    except ValueError:  # it has no signature that could be read: calling it will tell
        return fn
    return fn


def project_slice(project: Project) -> Callable[[Any], Any] | None:
    """The project's function from an input to the name of its slice, if it has one.

    Raises:
        ConfigError: when it cannot be that.
    """
    where = f"{FILE}: project.slice"
    fn = function_of(project, project.settings.project.slice, where)
    if inspect.iscoroutinefunction(fn):
        raise ConfigError(Problem(where, "is async", "it is called for every row: write it as a plain function"))
    return fn


def check_scorers(names: Sequence[str], pass_at: dict[str, float], where: str) -> list[Problem]:
    """What is wrong with a list of scorers by their names: one that is given twice, a pass mark of none of them."""
    problems = [
        Problem(f"{where}scorers[{position}]", f"{name!r} is given twice")
        for position, name in enumerate(names)
        if name in names[:position]
    ]
    return problems + [
        Problem(f"{where}pass_at.{name}", "not a scorer of this suite", did_you_mean(name, names))
        for name in pass_at
        if name not in names
    ]


def models_of(project: Project, task: Task, scorers: Sequence[Scorer]) -> "dict[str, OpenAIClient]":
    """The configured models that a task and some scorers call."""
    names = [task.model_name] if isinstance(task, PromptTask) else []
    names += [name for scorer in scorers for name in scorer.models]
    return {name: project.models[name] for name in names if name in project.models}


def check_prices(project: Project, task: Task, scorers: Sequence[Scorer], where: str) -> None:
    """Make sure that a budget can be kept: that the price of every model in use is known.

    Raises:
        ConfigError: with every model whose price is not.
    """
    problems = []
    for name, model in models_of(project, task, scorers).items():
        settings = model.settings
        if not project.prices.known(settings.model, settings.base_url):
            what = f"cannot be kept: the price of {settings.model!r} ([models.{name}]) is unknown"
            problems.append(Problem(where, what, f'add [prices."{settings.model}"] with input and output'))
    if problems:
        raise ConfigError(problems)


def commit_of(root: Path) -> dict[str, str]:
    """The commit that a folder is at, as a component; "+changes" says that there is more than was committed."""

    if not any((folder / ".git").exists() for folder in (root.resolve(), *root.resolve().parents)):
        return {}  # quicker than asking git

    def git(*words: str) -> str | None:
        try:
            found = subprocess.run(
                ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return found.stdout.strip() if found.returncode == 0 else None

    commit = git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return {}
    return {"commit": commit + ("+changes" if git("status", "--porcelain", "--untracked-files=no") else "")}
