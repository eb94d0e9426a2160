"""The settings that hold, each with where it comes from: the file, the environment, or nobody, which is the default.

What may be secret is not told: values of headers and of variables for a command, passwords in addresses, what stands
in an address of a channel behind its host, and whatever is called a key, a password, a secret or a token.
"""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from gatewatch.config.load import FILE, load
from gatewatch.config.project import Project
from gatewatch.core import codec, toml
from gatewatch.core.errors import ConfigError
from gatewatch.online.channels import public, variables

Source = Literal["file", "environment", "default"]
HIDDEN = "•••"
_PASSWORD = re.compile(
    r"(://[^/\s:@]*):[^@/\s]*@|\b(password|sslpassword|api_?key|token|secret)=[^&\s]*", re.IGNORECASE
)
_SECRET = re.compile(r"(?i)(^|_|-)(password|passwd|secret|token|api_?key|authorization|credential)s?$")
_MEANING = re.compile(r"^( {4}| {8})(\w+): (.*(?:\n\1 {4}.*)*)", re.MULTILINE)


class Setting(Struct, frozen=True):
    """A key and its value as text, where it comes from, what it means, and what is wrong with the environment: a
    variable that it needs and that is not set."""

    key: str
    value: str
    source: Source
    means: str = ""
    lacks: str = ""


class Section(Struct, frozen=True):
    """A table of the file: `online`, or `suites.support`."""

    name: str
    settings: tuple[Setting, ...]


def effective(project: Project, environment: Mapping[str, str] = os.environ) -> list[Section]:
    """All settings of a project that hold."""
    raw, found = _raw(project), list[Section]()
    for field in fields(project.settings):
        value, given = getattr(project.settings, field.name), raw.get(field.name, {})
        if isinstance(value, Struct):
            found.append(Section(field.name, tuple(_rows(value, given, "", environment))))
            continue
        for name, table in value.items():
            inner = given.get(name, {})
            rows = (
                _rows(table, inner, "", environment)
                if isinstance(table, Struct)
                else (_row(key, item, "file", "", environment) for key, item in table.items())
            )
            found.append(Section(f"{field.name}.{name}", tuple(rows)))
    return found


def has_changed(project: Project) -> bool:
    """Whether the file says something else by now than when the project was opened."""
    path = project.root / FILE
    try:
        return path.is_file() and load(path) != project.settings
    except ConfigError:
        return True


def _raw(project: Project) -> dict[str, Any]:
    """The file as it is written; nothing where it cannot be read any more."""
    try:
        return toml.parse((project.root / FILE).read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError):
        return {}


def _rows(table: Struct, raw: Mapping[str, Any], path: str, environment: Mapping[str, str]) -> Iterator[Setting]:
    means = _meanings(type(table))
    for field in fields(table):
        name, value = field.encode_name, getattr(table, field.name)
        key, given = path + name, raw.get(name)
        if isinstance(value, Struct):
            yield from _rows(value, given or {}, f"{key}.", environment)
        elif isinstance(value, dict) and value and all(isinstance(each, Struct) for each in value.values()):
            for each, inner in value.items():
                yield from _rows(inner, (given or {}).get(each, {}), f"{key}.{each}.", environment)
        else:  # of a list of tables what is written is shorter than all that holds
            plain = given if given is not None and isinstance(value, tuple) else msgspec.to_builtins(value)
            yield _row(key, plain, "default" if given is None else "file", means.get(field.name, ""), environment)


def _row(key: str, value: Any, source: Source, means: str, environment: Mapping[str, str]) -> Setting:
    name = key.rpartition(".")[2]
    needed = list(dict.fromkeys(_variables(value)))
    if name.endswith("_env") and isinstance(value, str) and value:
        needed.append(value)
    if isinstance(value, str) and value.startswith("$") and needed:
        source = "environment"
    lacks = ", ".join(each for each in needed if not environment.get(each, "").strip())
    return Setting(key, _text(_hushed(name, value)), source, means, lacks)


def _variables(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from variables(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _variables(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _variables(item)


def _hushed(name: str, value: Any) -> Any:
    """A value without what may be secret."""
    if isinstance(value, Mapping):
        if name in ("headers", "environment"):
            return {key: item if _is_variable(item) else HIDDEN for key, item in value.items()}
        return {key: _hushed(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_hushed(name, item) for item in value]
    if not isinstance(value, str) or not value or _is_variable(value):
        return value
    if _SECRET.search(name):
        return HIDDEN
    if name == "to":
        return public(value)
    if name == "heartbeat":
        return public(f"to:{value}").removeprefix("to:")
    return _PASSWORD.sub(lambda at: f"{at[1]}:{HIDDEN}@" if at[1] else f"{at[2]}={HIDDEN}", value)


def _is_variable(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("$")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else codec.encode(value).decode()


@cache
def _meanings(kind: type[Struct]) -> dict[str, str]:
    """What each key of a table means, as its class says; nothing where such texts are left out (`python -OO`)."""
    return {name: " ".join(text.split()) for _, name, text in _MEANING.findall(kind.__doc__ or "")}
