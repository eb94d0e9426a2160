"""A task that is a Python function, sync or async."""

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from msgspec.structs import replace

from gatewatch.core.case import Case
from gatewatch.core.clock import monotonic
from gatewatch.core.spans import recorder
from gatewatch.core.threads import DaemonPool
from gatewatch.core.trace import Trace
from gatewatch.offline.task import traced
from gatewatch.scorers.fingerprint import of_function

_NOTHING: dict[str, Any] = {}


class CallTask:
    """A function that answers.

    Text becomes its first argument. An object's fields become its arguments by name, unless it asks for the whole by
    having an argument `input`. An argument `case` gets the case. `arguments` are the same for every case (a
    variant's). Synchronous functions run on threads, at most `threads.size` at once.
    """

    timed = True

    def __init__(
        self,
        fn: Callable[..., Any],
        spec: str,
        *,
        threads: DaemonPool,
        timeout: float,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.spec = spec
        self.arguments = dict(arguments or {})
        self.versions = {"code": of_function(fn).fingerprint} | {k: str(v) for k, v in self.arguments.items()}
        self._fn = fn
        self._threads = threads
        self._timeout = timeout
        call = fn if inspect.isroutine(fn) else getattr(fn, "__call__", fn)  # noqa: B004 - objects that can be called
        self._is_async = inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(call)
        self.own_deadline = not self._is_async
        self._signature = inspect.signature(fn)
        names = self._signature.parameters
        self._wants_case = "case" in names
        self._wants_whole = "input" in names
        self._extra = bool(self.arguments) or self._wants_case
        self._bindable: dict[frozenset[str] | None, str] = {}

    @property
    def abandoned(self) -> int:
        """How many calls did not come back, and hold a thread for ever."""
        return self._threads.abandoned

    def flaw(self, case: Case, trials: int) -> str:
        """Why the case's input cannot be bound to the function's arguments, or nothing."""
        shape = frozenset(case.input) if isinstance(case.input, dict) else None
        if shape not in self._bindable:
            positional, named = self._bind(case)
            try:
                self._signature.bind(*positional, **named)
                self._bindable[shape] = ""
            except TypeError as error:
                given = "text" if shape is None else f"the arguments {', '.join(sorted(shape))}"
                self._bindable[shape] = (
                    f"the input is {given}, but {self.spec}{self._signature} cannot take it: {error}"
                )
        return self._bindable[shape]

    def _bind(self, case: Case) -> tuple[tuple[Any, ...], dict[str, Any]]:
        given = case.input
        named = dict(self.arguments)
        if self._wants_case:
            named["case"] = case
        if isinstance(given, str):
            only_case = self._wants_case and len(self._signature.parameters) == 1 + len(self.arguments)
            return (() if only_case else (given,)), named
        given = deepcopy(given)  # what the function does to its arguments is nothing to the next trial
        if self._wants_whole:
            return (), {"input": given, **named}
        return (), {
            **{key: value for key, value in given.items() if key != "assistant" or "messages" not in given},
            **named,
        }

    async def answer(self, case: Case, trial: int) -> Trace:
        """Call the function.

        Raises:
            Abandoned: when a synchronous one has not come back in time.
            BaseException: whatever it raises.
        """
        given = case.input
        positional, named = ((given,), _NOTHING) if isinstance(given, str) and not self._extra else self._bind(case)
        if self._is_async:
            return traced(await self._fn(*positional, **named))
        return await self._threads.call(_timed, self._fn, positional, named, timeout=self._timeout)

    async def close(self) -> None:
        """Let the threads go that are idle."""
        self._threads.close()


def _timed(fn: Callable[..., Any], positional: tuple[Any, ...], named: dict[str, Any]) -> Trace:
    """The answer with the time it took on its thread, without the way there and back."""
    began = monotonic()
    trace = traced(fn(*positional, **named))
    took = monotonic() - began
    current = recorder.get()
    waited = 0.0 if current is None else current.waited_s
    return trace if trace.latency_s is not None else replace(trace, latency_s=max(0.0, took - waited))
