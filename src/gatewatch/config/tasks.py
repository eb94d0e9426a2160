"""From a task's settings to the task itself."""

import inspect
import os
import shlex
import shutil
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import asdict, replace

from gatewatch.config.imports import named_object
from gatewatch.config.load import shortest
from gatewatch.config.settings import SuiteSettings, TaskSettings
from gatewatch.core import codec, shape
from gatewatch.core.codec import text_of
from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.core.http import header_flaw, url_flaw
from gatewatch.core.threads import DaemonPool
from gatewatch.models.protocol import Model
from gatewatch.offline.task import Task
from gatewatch.offline.tasks.call import CallTask
from gatewatch.offline.tasks.command import CommandTask
from gatewatch.offline.tasks.http import PATHS, HttpTask
from gatewatch.offline.tasks.prompt import PromptTask
from gatewatch.offline.tasks.replay import ReplayTask

_KINDS = ("call", "command", "url", "prompt", "replay")
_FILES = ("prompt", "replay", "system", "tools")
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
        ConfigError: for a key that the task does not have, or values that cannot be its.
    """
    if not suite.matrix:
        return [("", task)]
    kind = _kind(task) or next((key for key in suite.matrix if key in _KINDS), "")
    known = [
        key
        for key in TaskSettings.__struct_fields__
        if (key == kind if key in _KINDS else kind in _BELONGS.get(key, (kind,)))
    ]
    columns: dict[str, list[Any]] = {}
    problems: list[Problem] = []
    for key, values in suite.matrix.items():
        at = f"{where}.matrix.{key}"
        if not values:
            problems.append(Problem(at, "an empty list", "name the values to be tried"))
        texts = [text_of(value) for value in values]
        problems += [Problem(at, f"{text} is given twice") for n, text in enumerate(texts) if text in texts[:n]]
        columns[key] = list(values)
        if key in known:
            made = [shape.convert({key: value}, TaskSettings, f"{where}.matrix") for value in values]
            for number, each in enumerate(made, start=1):
                flaws = each if isinstance(each, list) else []
                problems += [Problem(place, what, f"in value {number} of the list") for place, what, _ in flaws]
            columns[key] = [getattr(each, key, None) for each in made]
        elif not task.call:
            problems.append(Problem(at, f"a {kind or 'task'} has no {key!r}", did_you_mean(key, known)))
    if problems:
        raise ConfigError(problems)
    shown = [_shown(key, values) for key, values in columns.items()]
    found = []
    for names, values in zip(product(*shown), product(*columns.values()), strict=True):
        chosen = dict(zip(columns, values, strict=True))
        fields = {key: value for key, value in chosen.items() if key in known}
        arguments = {key: value for key, value in chosen.items() if key not in known}
        if arguments:
            fields["arguments"] = {**fields.get("arguments", task.arguments), **arguments}
        found.append(
            (",".join(f"{key}={name}" for key, name in zip(columns, names, strict=True)), replace(task, **fields))
        )
    return found


def _shown(key: str, values: Sequence[Any]) -> list[str]:
    """The values of a matrix's key as a variant's name has them: of files, the bare names if those differ."""
    texts = [text_of(value) for value in values]
    stems = [Path(text).stem for text in texts]
    return stems if key in _FILES and len(set(stems)) == len(stems) else texts


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
    short: bool = False,
) -> Task:
    """Make a task from its settings; files it names are relative to `root`.

    `where` is the place of its table, or, for a `short` form, of that.

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
    at = where if short else f"{where}.{kind}"
    made: Task
    if kind == "call":
        made = _call(task, root, at, spec, concurrency, timeout)
    elif kind == "command":
        made = _command(task, root, at)
    elif kind == "url":
        made = _http(task, where, at, concurrency)
    elif kind == "prompt":
        made = _prompt(task, root, where, at, spec, model_named)
    else:
        made = ReplayTask(shortest(root / task.replay), spec)
    made.spec = spec
    made.versions = {**made.versions, **task.versions}
    return made


def _call(task: TaskSettings, root: Path, at: str, spec: str, concurrency: int, timeout: float) -> CallTask:
    fn = named_object(root, task.call, at)
    try:
        parameters = inspect.signature(fn).parameters
    except ValueError as error:
        raise ConfigError(Problem(at, str(error), "name a function that is written in Python")) from None
    if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        unknown = [name for name in task.arguments if name not in parameters]
        if unknown:
            raise ConfigError(
                Problem(at, f"{task.call} has no argument {name!r}", did_you_mean(name, parameters)) for name in unknown
            )
    return CallTask(fn, spec, threads=DaemonPool(concurrency), timeout=timeout, arguments=task.arguments)


def _command(task: TaskSettings, root: Path, at: str) -> CommandTask:
    try:
        argv = shlex.split(task.command) if isinstance(task.command, str) else list(task.command)
    except ValueError as error:
        raise ConfigError(Problem(at, f"cannot be split into words: {error}")) from None
    if not argv or not argv[0]:
        raise ConfigError(Problem(at, "names no program"))
    if any("\0" in word for word in argv):
        raise ConfigError(Problem(at, "holds a null character, which no command may"))
    here = "/" in argv[0]  # such a one is looked for from the folder that it is started in
    path = task.environment.get("PATH", os.environ.get("PATH"))
    if shutil.which(root / argv[0] if here else argv[0], path=path) is None:
        hint = f"looked in {root}" if here else "looked along PATH"
        raise ConfigError(Problem(at, f"there is no program {argv[0]!r}", hint))
    made = CommandTask(argv, folder=root, environment=task.environment)
    made.versions = {"command": shlex.join(argv)}
    return made


def _http(task: TaskSettings, where: str, at: str, concurrency: int) -> HttpTask:
    if flaw := url_flaw(task.url):
        raise ConfigError(Problem(at, flaw))
    if "@" in urlsplit(task.url).netloc:
        raise ConfigError(Problem(at, "holds a name or password", "put the secret into headers, as $NAME"))
    headers = {name: _from_environment(value, f"{where}.headers.{name}") for name, value in task.headers.items()}
    for flaw in filter(None, map(header_flaw, headers, headers.values())):
        raise ConfigError(Problem(f"{where}.headers", flaw))
    for name in task.paths:
        if name not in PATHS:
            raise ConfigError(Problem(f"{where}.paths.{name}", "unknown", did_you_mean(name, PATHS)))
    if task.paths and "output" not in task.paths:
        raise ConfigError(Problem(f"{where}.paths.output", "missing", "say where in the reply the output lies"))
    made = HttpTask(
        task.url,
        headers=headers,
        body=task.body,
        paths=task.paths,
        method=task.method,
        concurrency=concurrency,
    )
    made.versions = {"url": task.url}
    if task.body is not None or task.paths or task.method != "POST":
        made.versions["request"] = codec.digest((task.method, task.body, task.paths), 12)
    return made


def _prompt(
    task: TaskSettings, root: Path, where: str, at: str, spec: str, model_named: Callable[[str], Model]
) -> PromptTask:
    if not task.model:
        raise ConfigError(Problem(f"{where}.model", "missing", "name the [models.NAME] that the prompt is sent to"))
    return PromptTask(
        _read(root, task.prompt, at),
        model_named(task.model),
        spec=spec,
        system=_read(root, task.system, f"{where}.system") if task.system else "",
        parameters=task.parameters,
        tools=_tools(root, task.tools, f"{where}.tools") if task.tools else (),
    )


def _tools(root: Path, name: str, where: str) -> list[dict[str, Any]]:
    try:
        tools = codec.parse(_read(root, name, where).encode())
    except (ValueError, RecursionError) as error:
        raise ConfigError(Problem(where, f"{name} is not JSON: {error}")) from None
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise ConfigError(
            Problem(where, f"{name} is not a list of objects", "one for each tool, as providers take them")
        )
    return tools


def _from_environment(value: str, where: str) -> str:
    if not value.startswith("$"):
        return value
    if value[1:] not in os.environ:
        raise ConfigError(Problem(where, f"the variable {value[1:]} is not set", "set it, or write the value"))
    return os.environ[value[1:]]


def _read(root: Path, name: str, where: str) -> str:
    try:
        return (root / name).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(Problem(where, f"{name} cannot be read: not UTF-8")) from None
    except (OSError, ValueError) as error:  # a null character is a ValueError
        reason = getattr(error, "strerror", error)
        raise ConfigError(Problem(where, f"{name} cannot be read: {reason}")) from None
