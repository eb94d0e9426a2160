"""From a task's settings to the task itself."""

import json
import os
import shlex
from collections.abc import Callable
from itertools import product
from pathlib import Path

from msgspec.structs import asdict, replace

from gatewatch.config.imports import named_object
from gatewatch.config.load import shortest
from gatewatch.config.settings import SuiteSettings, TaskSettings
from gatewatch.core.codec import text_of
from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.core.threads import DaemonPool
from gatewatch.models.protocol import Model
from gatewatch.offline.task import Task
from gatewatch.offline.tasks.call import CallTask
from gatewatch.offline.tasks.command import CommandTask
from gatewatch.offline.tasks.http import PATHS, HttpTask
from gatewatch.offline.tasks.prompt import PromptTask
from gatewatch.offline.tasks.replay import ReplayTask

_KINDS = ("call", "command", "url", "prompt", "replay")
_BELONGS = {
    "arguments": ("call",),
    "model": ("prompt",),
    "system": ("prompt",),
    "parameters": ("prompt",),
    "tools": ("prompt",),
    "headers": ("url",),
    "body": ("url",),
    "paths": ("url",),
    "method": ("url",),
    "environment": ("command",),
}


def settings_of(reference: str, tasks: dict[str, TaskSettings], where: str) -> TaskSettings:
    """The settings that a suite's `task` stands for.

    Raises:
        ConfigError: when it is neither a task's name nor one of the short forms.
    """
    if reference in tasks:
        return tasks[reference]
    if reference.startswith("replay:"):
        return TaskSettings(replay=reference.removeprefix("replay:"))
    if reference.startswith(("http://", "https://")):
        return TaskSettings(url=reference)
    if reference.startswith("command:"):
        return TaskSettings(command=reference.removeprefix("command:"))
    if ":" in reference:
        return TaskSettings(call=reference)
    forms = "module:function, replay:FILE, command:LINE or a URL"
    raise ConfigError(
        Problem(where, f"there is no [tasks.{reference}]", f"{did_you_mean(reference, tasks)}; or write {forms}")
    )


def variants(suite: SuiteSettings, task: TaskSettings, where: str) -> list[tuple[str, TaskSettings]]:
    """The variants of a task that a suite's matrix spells out, each with its name; one without a name if there is none.

    A key of the matrix is a key of the task's table, or, for a function, the name of an argument.

    Raises:
        ConfigError: for a key that the task does not have.
    """
    if not suite.matrix:
        return [("", task)]
    known = [key for key in TaskSettings.__struct_fields__ if key not in _BELONGS or _kind(task) in _BELONGS[key]]
    problems = [
        Problem(f"{where}.matrix.{key}", f"a {_kind(task) or 'task'} has no {key!r}", did_you_mean(key, known))
        for key in suite.matrix
        if not task.call and key not in known
    ]
    problems += [
        Problem(f"{where}.matrix.{key}", "an empty list", "name the values to be tried")
        for key, values in suite.matrix.items()
        if not values
    ]
    if problems:
        raise ConfigError(problems)
    found = []
    for values in product(*suite.matrix.values()):
        chosen = dict(zip(suite.matrix, values, strict=True))
        name = ",".join(
            f"{key}={Path(text_of(value)).stem if key in _KINDS else text_of(value)}" for key, value in chosen.items()
        )
        fields = {key: value for key, value in chosen.items() if key in known}
        arguments = {key: value for key, value in chosen.items() if key not in known}
        found.append(
            (name, replace(task, **fields, **({"arguments": {**task.arguments, **arguments}} if arguments else {})))
        )
    return found


def _kind(task: TaskSettings) -> str:
    given = [kind for kind in _KINDS if getattr(task, kind)]
    return given[0] if len(given) == 1 else ""


def make_task(
    task: TaskSettings,
    *,
    root: Path,
    where: str,
    spec: str,
    model_named: Callable[[str], Model],
    concurrency: int,
    timeout: float,
) -> Task:
    """Make a task from its settings; files it names are relative to `root`.

    Raises:
        InputError: with what is wrong in the settings, or in a file that they name.
    """
    kind = _kind(task)
    if not kind:
        given = [kind for kind in _KINDS if getattr(task, kind)]
        what = f"has {' and '.join(given)}" if given else "says not what to run"
        raise ConfigError(Problem(where, what, f"give exactly one of {', '.join(_KINDS)}"))
    defaults = asdict(TaskSettings())
    for key, kinds in _BELONGS.items():
        if getattr(task, key) != defaults[key] and kind not in kinds:
            raise ConfigError(
                Problem(f"{where}.{key}", f"a task with {kind!r} has no {key}", f"it belongs to {kinds[0]!r}")
            )

    def at(key: str) -> str:
        return where if where.endswith(".task") else f"{where}.{key}"  # a short form has no keys

    made: Task
    if kind == "call":
        fn = named_object(root, task.call, at("call"))
        made = CallTask(fn, spec, threads=DaemonPool(concurrency), timeout=timeout, arguments=task.arguments)
    elif kind == "command":
        argv = shlex.split(task.command) if isinstance(task.command, str) else list(task.command)
        made = CommandTask(argv, folder=root, environment=task.environment)
    elif kind == "url":
        for name in task.paths:
            if name not in PATHS:
                raise ConfigError(Problem(f"{where}.paths.{name}", "unknown", did_you_mean(name, PATHS)))
        made = HttpTask(
            task.url,
            headers={name: _from_environment(value, f"{where}.headers.{name}") for name, value in task.headers.items()},
            body=task.body,
            paths=task.paths,
            method=task.method,
            concurrency=concurrency,
        )
    elif kind == "prompt":
        if not task.model:
            raise ConfigError(Problem(f"{where}.model", "missing", "name the [models.NAME] that the prompt is sent to"))
        tools = json.loads(_read(root, task.tools, f"{where}.tools")) if task.tools else ()
        made = PromptTask(
            _read(root, task.prompt, at("prompt")),
            model_named(task.model),
            spec=spec,
            system=_read(root, task.system, f"{where}.system") if task.system else "",
            parameters=task.parameters,
            tools=tools,
        )
    else:
        made = ReplayTask(shortest(root / task.replay), spec)
    made.versions = {**made.versions, **task.versions}
    return made


def _from_environment(value: str, where: str) -> str:
    if not value.startswith("$"):
        return value
    if value[1:] not in os.environ:
        raise ConfigError(Problem(where, f"the variable {value[1:]} is not set", "set it, or write the value"))
    return os.environ[value[1:]]


def _read(root: Path, name: str, where: str) -> str:
    try:
        return (root / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigError(Problem(where, f"{name} cannot be read: {reason}")) from None
