"""Our own scorers by the names they have in gatewatch.toml."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin

from gatewatch.core.errors import did_you_mean
from gatewatch.scorers.agent import tool_calls
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.judge import judge
from gatewatch.scorers.safety import pii
from gatewatch.scorers.structure import json_schema, valid_json
from gatewatch.scorers.text import contains, exact, numeric, regex, similarity

BUILT_INS: dict[str, Callable[..., Scorer]] = {
    "contains": contains,
    "exact": exact,
    "json_schema": json_schema,
    "judge": judge,
    "numeric": numeric,
    "pii": pii,
    "regex": regex,
    "similarity": similarity,
    "tool_calls": tool_calls,
    "valid_json": valid_json,
}


def make(name: str, options: Mapping[str, Any]) -> Scorer:
    """Make one of our scorers with options.

    Raises:
        ValueError: for a scorer or an option that there is not, an option that is missing, or of the wrong kind.
        RubricError: for a judge whose rubric cannot be used.
    """
    if name not in BUILT_INS:
        raise ValueError(f"there is no scorer {name!r} ({did_you_mean(name, BUILT_INS)})")
    parameters = inspect.signature(BUILT_INS[name]).parameters
    for option, value in options.items():
        if option not in parameters:
            raise ValueError(f"{name} has no option {option!r} ({did_you_mean(option, parameters)})")
        _check(name, option, value, parameters[option])
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and option not in options:
            raise ValueError(f"{name} needs the option {option!r}")
    return BUILT_INS[name](**options)


def _check(name: str, option: str, value: Any, parameter: inspect.Parameter) -> None:
    """Refuse a value that is plainly of another kind than the option's."""
    wanted = parameter.annotation
    if get_origin(wanted) is Literal and value not in get_args(wanted):
        allowed = ", ".join(repr(each) for each in get_args(wanted))
        raise ValueError(f"{name}: {option} must be one of {allowed}, got {value!r}")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    wrong = {
        bool: not isinstance(value, bool),
        str: not isinstance(value, str),
        float: not number,
    }
    if wrong.get(wanted):
        kind = {bool: "true or false", str: "text", float: "a number"}[wanted]
        raise ValueError(f"{name}: {option} must be {kind}, got {value!r}")
