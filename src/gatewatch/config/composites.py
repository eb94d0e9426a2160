"""Composites in gatewatch.toml: scorers made of other scorers of the project, by their names."""

from collections.abc import Mapping
from typing import Any

from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.composite import all_of, weighted
from gatewatch.scorers.library import BUILT_INS, make

COMPOSITES = {"weighted": ("parts",), "all_of": ("parts", "pass_at")}
"""The composites by name, with their options."""


def composites_last(tables: Mapping[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The tables of scorers in an order in which each composite comes after those of its parts that are tables."""
    ordered: dict[str, dict[str, Any]] = {}

    def take(name: str, path: tuple[str, ...]) -> None:
        table = tables[name]
        if table.get("use") in COMPOSITES and isinstance(table.get("parts"), dict | list):
            for part in table["parts"]:
                if part in tables and part not in ordered and part not in path:
                    take(part, (*path, part))
        ordered.setdefault(name, table)

    for name in tables:
        take(name, (name,))
    return list(ordered.items())


def composite(name: str, use: str, options: Mapping[str, Any], where: str, made: Mapping[str, Scorer]) -> Scorer:
    """A composite of scorers that were made before it, or that are built in.

    Raises:
        ConfigError: with what is wrong: an unknown option or part, a circle of parts, a weight that cannot be.
    """
    problems = [
        Problem(f"{where}.{key}", "unknown field", did_you_mean(key, COMPOSITES[use]))
        for key in options
        if key not in COMPOSITES[use]
    ]
    parts = options.get("parts")
    if use == "weighted" and not (isinstance(parts, dict) and all(map(_is_number, parts.values()))):
        problems.append(Problem(f"{where}.parts", "must be a table of weights", "{ helpful = 0.7, exact = 0.3 }"))
    if use == "all_of" and not (isinstance(parts, list) and all(isinstance(part, str) for part in parts)):
        problems.append(Problem(f"{where}.parts", "must be a list of names", '["valid_json", "pii"]'))
    if use == "all_of" and not _is_number(options.get("pass_at", 1)):
        problems.append(Problem(f"{where}.pass_at", "must be a number in 0..1"))
    if problems:
        raise ConfigError(problems)
    assert isinstance(parts, dict | list)
    found = [_part(part, f"{where}.parts", made) for part in parts]
    try:
        if isinstance(parts, dict):
            return weighted(list(zip(found, parts.values(), strict=True)), name=name)
        return all_of(found, name=name, pass_at=options.get("pass_at", 1.0))
    except ValueError as error:
        raise ConfigError(Problem(where, str(error))) from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _part(name: str, where: str, made: Mapping[str, Scorer]) -> Scorer:
    if name in made:
        return made[name]
    if name not in BUILT_INS:
        what = f"there is no scorer {name!r}, or it is made of this one"
        raise ConfigError(Problem(where, what, did_you_mean(name, [*made, *BUILT_INS])))
    try:
        return make(name, {})
    except ValueError as error:
        raise ConfigError(Problem(where, str(error), f"give its options in [scorers.{name}]")) from None
