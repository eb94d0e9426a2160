"""Reading gatewatch.toml: every problem at once, each with its path."""

import re
import tomllib
from pathlib import Path

from gatewatch.config.settings import Settings
from gatewatch.core import shape
from gatewatch.core.errors import ConfigError, Problem
from gatewatch.offline.result import NAME

FILE = "gatewatch.toml"
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")
_NAMED = ("models", "scorers", "tasks", "suites", "monitors")


def find(start: Path) -> Path | None:
    """The gatewatch.toml of the project that a folder belongs to: its own, or the nearest one above."""
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / FILE).is_file():
            return candidate / FILE
    return None


def shortest(path: Path) -> Path:
    """A path as people would write it from where they are."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def load(path: Path) -> Settings:
    """Read a configuration file.

    Raises:
        ConfigError: with every key that is unknown, of the wrong type, or missing.
    """
    try:
        raw = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(Problem(path.name, f"cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(path.name, f"not UTF-8 at byte {error.start}", "save it as UTF-8")) from None
    except tomllib.TOMLDecodeError as error:
        at = _AT.search(str(error))
        where = f"{path.name}:{at[1]}:{at[2]}" if at and at[1] else path.name
        raise ConfigError(Problem(where, f"not TOML: {_AT.sub('', str(error))}")) from None
    settings = shape.convert(raw, Settings)
    problems = []
    if isinstance(settings, list):
        problems = [Problem(f"{path.name}: {at}", what, hint) for at, what, hint in settings]
    for table in _NAMED:
        inner = raw.get(table)
        for name in inner if isinstance(inner, dict) else ():
            if not NAME.fullmatch(name) and table in ("suites", "monitors"):
                rule = "lower-case letters, digits, dots, dashes and underscores, 100 at most"
                problems.append(Problem(f"{path.name}: {table}.{name}", "not a usable name", rule))
    if problems:
        raise ConfigError(problems)
    assert not isinstance(settings, list)
    return settings
