"""Reading gatewatch.toml: every problem at once, each with its path."""

import re
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any

from gatewatch.config.settings import Settings
from gatewatch.core import shape, toml
from gatewatch.core.errors import ConfigError, Problem
from gatewatch.offline.result import NAME

FILE = "gatewatch.toml"
_DEAREST = 1_000_000
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")


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
        raw = toml.parse(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(Problem(path.name, f"cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError as error:
        raise ConfigError(Problem(path.name, f"not UTF-8 at byte {error.start}", "save it as UTF-8")) from None
    except ValueError as error:  # a number or a nesting beyond all measure, too
        at = _AT.search(str(error))
        where = f"{path.name}:{at[1]}:{at[2]}" if at and at[1] else path.name
        raise ConfigError(Problem(where, f"not TOML: {_AT.sub('', str(error))}")) from None
    settings = shape.convert(raw, Settings)
    flaws = settings if isinstance(settings, list) else []
    flaws += [
        flaw for flaw in (*_odd_numbers(raw), *_names(raw), *_models(raw)) if flaw[0] not in {at for at, _, _ in flaws}
    ]
    if isinstance(settings, list) or flaws:
        raise ConfigError(Problem(f"{path.name}: {at}", what, hint) for at, what, hint in flaws)
    return settings


def _odd_numbers(value: Any, at: str = "") -> Iterator[shape.Flaw]:
    """Numbers that TOML has and no key of ours can mean: NaN, infinity, a price below 0 or beyond all prices."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            place = f"{at}[{key}]" if isinstance(value, list) else f"{at}.{key}" if at else str(key)
            yield from _odd_numbers(item, place)
    elif isinstance(value, float) and not isfinite(value):
        yield at, f"must be a finite number, got {value}", ""
    elif isinstance(value, int | float) and value < 0 and at.startswith("prices."):
        yield at, f"must be 0 or more, got {value}", ""
    elif isinstance(value, int | float) and value > _DEAREST and at.startswith("prices."):
        yield at, f"must be at most {_DEAREST:,}, got {value}", "US dollars per million tokens"


def _names(raw: dict[str, Any]) -> Iterator[shape.Flaw]:
    """Names that runs cannot be kept under."""
    rule = "lower-case letters, digits, dots, dashes and underscores, 100 at most"
    for table in ("suites", "monitors"):
        inner = raw.get(table)
        for name in inner if isinstance(inner, dict) else ():
            if not NAME.fullmatch(name):
                yield f"{table}.{name}", "not a usable name", rule


def _models(raw: dict[str, Any]) -> Iterator[shape.Flaw]:
    """Models that are neither a provider's nor in a folder, or both."""
    tables = raw.get("models")
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if isinstance(table, dict) and not table.get("model") and not table.get("path"):
            yield f"models.{name}.model", "missing", ""
        elif isinstance(table, dict) and table.get("model") and table.get("path"):
            yield f"models.{name}", "has model and path", "it is a provider's or in a folder, not both"
