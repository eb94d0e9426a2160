"""What capture is told: by `gatewatch.configure()`, or by variables where nobody calls it.

GATEWATCH_SPOOL          the folder that segments are written into; ":memory:" for none
GATEWATCH_FLOW           the flow of requests that name none
GATEWATCH_REDACT         "pii": take personal data and secrets out before anything is written
GATEWATCH_DROP_FIELDS    paths whose values are never written, comma-separated
GATEWATCH_USER_KEY       the key that ids of users are hashed with
GATEWATCH_DURABILITY     "group": written within 20 ms, by a thread; "sync": before the request ends
GATEWATCH_QUOTA_BYTES, GATEWATCH_SEGMENT_BYTES, GATEWATCH_QUEUE_RECORDS, GATEWATCH_MAX_BYTES
GATEWATCH_ENABLED        "0", "false", "no" or "off": nothing is captured
"""

from collections.abc import Callable, Mapping
from os import PathLike, fspath
from typing import Any, Literal

from msgspec import Struct

from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.core.trace import Trace

MEMORY = ":memory:"
DEFAULT_SPOOL = ".gatewatch/spool"
DROPPABLE = ("context", "error", "external_id", "input", "output", "spans", "tags", "versions")
_LEAST = {"quota_bytes": 4096, "segment_bytes": 4096, "queue_records": 1, "max_bytes": 1024}
_WORDS = {"redact": ("off", "pii"), "durability": ("group", "sync")}
_OFF, _ON = ("0", "false", "no", "off"), ("", "1", "true", "yes", "on")


class Settings(Struct, frozen=True, kw_only=True):
    """How capture works in this process.

    `queue_records` bounds what waits for the disk: that many records of up to 16 KiB, a longer one counts as several.
    `max_bytes` is the longest record, `segment_bytes` the longest file, `quota_bytes` the whole folder.
    """

    spool: str = DEFAULT_SPOOL
    flow: str = ""
    redact: Literal["off", "pii"] = "off"
    drop_fields: tuple[str, ...] = ()
    user_key: str = ""
    durability: Literal["group", "sync"] = "group"
    quota_bytes: int = 1 << 30
    segment_bytes: int = 8 << 20
    queue_records: int = 8192
    max_bytes: int = 1 << 20
    enabled: bool = True
    hook: Callable[[Trace], Trace] | None = None


def from_environment(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    """What the variables say, and what is wrong with those that are left out.

    A variable that asks for redaction in words that are not known is taken to ask for it.
    """
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    for name in Settings.__struct_fields__:
        variable = f"GATEWATCH_{name.upper()}"
        said = environment.get(variable, "").strip()
        if not said or name == "hook":
            continue
        value, what = checked(name, _read(name, said))
        if what:
            problems.append(Problem(variable, what))
            if name == "redact":
                found[name] = "pii"
        else:
            found[name] = value
    return found, problems


def stated(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a call of `configure` says, checked.

    Raises:
        ConfigError: naming everything that is wrong.
    """
    found: dict[str, Any] = {}
    problems = []
    for name, said in given.items():
        value, what = checked(name, said)
        if what:
            problems.append(Problem(f"configure({name}=)", what))
        found[name] = value
    if problems:
        raise ConfigError(problems)
    return found


def _read(name: str, said: str) -> Any:
    if name in _LEAST:
        return int(said) if said.isdecimal() else said
    if name == "enabled":
        return {**dict.fromkeys(_OFF, False), **dict.fromkeys(_ON, True)}.get(said.lower(), said)
    if name == "drop_fields":
        return tuple(filter(None, map(str.strip, said.split(","))))
    return said


def checked(name: str, value: Any) -> tuple[Any, str]:
    """A setting's value as it is kept, and what is wrong with it, if anything."""
    if name in _LEAST:
        wrong = not isinstance(value, int) or isinstance(value, bool) or value < _LEAST[name]
        return value, f"must be a whole number of at least {_LEAST[name]}, got {value!r}" if wrong else ""
    if name in _WORDS:
        value = value or _WORDS[name][0]
        return value, "" if value in _WORDS[
            name
        ] else f"{value!r} is not known: {did_you_mean(str(value), _WORDS[name])}"
    if name == "enabled":
        return value, "" if isinstance(value, bool) else f"must be true or false, got {value!r}"
    if name == "drop_fields":
        return _paths(value)
    if name == "hook":
        return value, "" if value is None or callable(value) else f"must be a function, got {value!r}"
    if name == "spool" and isinstance(value, PathLike):
        value = fspath(value)
    if not isinstance(value, str) or (name == "spool" and not value):
        return value, f"must be text, got {value!r}"
    if name == "spool" and ("\0" in value or not _has_utf8(value)):
        return value, f"cannot name a folder: {value!r}"
    return value, ""


def _has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _paths(value: Any) -> tuple[Any, str]:
    if not isinstance(value, list | tuple) or not all(isinstance(path, str) for path in value):
        return value, f"must be a list of paths such as 'input.password', got {value!r}"
    for path in value:
        first = path.partition(".")[0]
        if first not in DROPPABLE:
            return value, f"{path!r} names no field that can be dropped: {did_you_mean(first, DROPPABLE)}"
        if not all(path.split(".")):
            return value, f"{path!r} has an empty step"
    return tuple(value), ""
