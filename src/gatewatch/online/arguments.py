"""From the arguments of a call to the input of a trace, so that a case made of it can call the function again."""

import inspect
from collections.abc import Callable
from typing import Any

from gatewatch.online.serialise import as_input

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Arguments:
    """What a function's arguments are called, looked up once.

    The input is the argument named `wanted`, where one is; the only argument given, where it is text and stands first,
    or is an object and called `input`; an object of all arguments given, elsewhere. `self` and `cls` are left out.
    """

    __slots__ = ("_defaults", "_first", "_names", "_rest", "_skipped", "_wanted")

    def __init__(self, function: Callable[..., Any], wanted: str = "") -> None:
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # some built-in functions do not tell
            parameters = []
        names = [each.name for each in parameters if each.kind in _POSITIONAL]
        self._skipped = int(bool(names) and names[0] in ("self", "cls"))
        self._names = names[self._skipped :]
        self._first = self._names[0] if self._names else ""
        self._rest = next((each.name for each in parameters if each.kind is inspect.Parameter.VAR_POSITIONAL), "args")
        self._defaults = {each.name: each.default for each in parameters if each.default is not inspect.Parameter.empty}
        self._wanted = wanted

    def input(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The input of a call: text, or an object."""
        if not (kwargs or self._wanted) and len(args) == 1 + self._skipped and self._first:  # short, as most calls are
            value = args[-1]
            if isinstance(value, str) or (self._first == "input" and isinstance(value, dict)):
                return value
            return {self._first: value}
        given = self._given(args, kwargs)
        if self._wanted:
            return as_input(given.get(self._wanted))
        if len(given) == 1:
            ((name, value),) = given.items()
            if (name == self._first and isinstance(value, str)) or (name == "input" and isinstance(value, dict)):
                return value
        return given

    def bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """All arguments of a call by name, defaults included."""
        return {**self._defaults, **self._given(args, kwargs)}

    def _given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        named = dict(zip(self._names, args[self._skipped :], strict=False))
        more = args[self._skipped + len(self._names) :]
        if more:
            named[self._rest] = list(more)
        named.update(kwargs)
        return named
