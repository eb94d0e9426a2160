"""What a scorer is: a function bound by the names of its arguments, with an identity.

A scorer is written once and used in both modes: it is handed a trace, and a case where there is one, and cannot tell
where the trace came from. Its arguments are bound by name, as pytest binds fixtures:

    output      what the application answered: text, or any JSON value
    expected    what the dataset expects: text, or `Expected`
    input       the case's input: text or an object
    context     the passages the answer was built on: the trace's, else the case's
    trace       the whole trace
    case        the whole case
    session     the traces of one session, in order; of a trace that stands alone, the turns of its conversation
    other       a second trace that the first is held against; where there is none, what the case expects, as one

`output: str` and `expected: str` ask for text: an output that is not text arrives as JSON, and of an `Expected`
the `answer`. A scorer that asks for `expected` (or `case`) is reference-based: cases without one are skipped.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, overload

from msgspec import Struct

from gatewatch.core.codec import text_of
from gatewatch.core.errors import GatewatchError, did_you_mean
from gatewatch.core.names import OTHERWISE
from gatewatch.core.score import Source
from gatewatch.scorers.fingerprint import Identity, declared, of_function

if TYPE_CHECKING:
    from gatewatch.core.case import Case
    from gatewatch.core.trace import Trace
    from gatewatch.models.embeddings import Embedder
    from gatewatch.models.protocol import Model

ARGUMENTS = ("input", "output", "expected", "context", "trace", "case", "session", "other")
MISSING: Any = object()
"""What a getter gives when there is nothing to bind: the scorer has nothing to say of this trace."""

Getter = Callable[["Trace", "Case | None"], Any]


class Models(Protocol):
    """Where configured models are had by their names: those that chat, and those that embed."""

    def model(self, name: str) -> "Model":
        """The model that chats."""
        ...

    def embedder(self, name: str) -> "Embedder":
        """The model that embeds."""
        ...


class Scorer(Struct, frozen=True, kw_only=True, dict=False, eq=False):
    """A named function that scores one trace.

    `inline` says that it is ours and bounded, so that it may run on the event loop; other synchronous scorers run on
    a thread, where they can be left behind when they do not come back. `optional` names arguments that have a default
    and need not be there. `models` are the names of the models it asks, each as often as it is asked; `bind_models`
    gives the scorer with them resolved; `prompt_length` is what it asks, in characters, without what is scored: for
    forecasts. `parts` are what a composite is made of; unless it is `inline`, its function is also given how to apply
    them: `timeout`, `threads` and `patient`, as `apply` has them. One that `needs_all` has nothing to say where one
    of its parts has not; any other where none has.
    """

    name: str
    fn: Callable[..., Any]
    getters: tuple[tuple[str, Getter], ...]
    identify: Callable[[], Identity]
    source: Source = "rule"
    is_async: bool = False
    inline: bool = False
    binary: bool = False
    optional: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    prompt_length: int = 0
    parts: tuple["Scorer", ...] = ()
    needs_all: bool = False
    bind_models: Callable[[Models], "Scorer"] | None = None

    @property
    def identity(self) -> Identity:
        """What the scorer is made of. It is looked at when first asked for: by then its whole file has been read."""
        return self.identify()

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change when what the scorer measures changes."""
        return self.identity.fingerprint

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the arguments it asks for."""
        return tuple(name for name, _ in self.getters)

    @property
    def reference_based(self) -> bool:
        """Whether it needs what only a dataset has: what was expected."""
        return not {"expected", "case", "other", "criteria"}.isdisjoint(set(self.needs) - self.optional)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, as written: for the scorer's own unit tests."""
        return self.fn(*args, **kwargs)


def not_configured(scorer: str, model: str) -> GatewatchError:
    """What is wrong when a scorer is asked before the model that it names is bound."""
    return GatewatchError(f"{scorer!r} names the model {model!r}, which is not configured: add [models.{model}]")


def _input(trace: "Trace", case: "Case | None") -> Any:
    return trace.input if case is None or trace.input else case.input


def _output(trace: "Trace", _case: "Case | None") -> Any:
    return trace.output


def _output_text(trace: "Trace", _case: "Case | None") -> Any:
    output = trace.output
    return output if isinstance(output, str) else text_of(output)


def _expected(_trace: "Trace", case: "Case | None") -> Any:
    return MISSING if case is None or case.expected is None else case.expected


def expected_text(_trace: "Trace", case: "Case | None") -> Any:
    """Bind the answer that a case expects, as text."""
    answer = None if case is None else case.answer
    return MISSING if answer is None else answer


def _context(trace: "Trace", case: "Case | None") -> Any:
    if trace.context is not None:
        return trace.context
    return MISSING if case is None or case.context is None else case.context


def _trace(trace: "Trace", _case: "Case | None") -> Any:
    return trace


def _case(_trace: "Trace", case: "Case | None") -> Any:
    return MISSING if case is None else case


def _session(trace: "Trace", _case: "Case | None") -> Any:
    from gatewatch.core.session import session_of

    return session_of(trace)


def _other(_trace: "Trace", case: "Case | None") -> Any:
    from gatewatch.core.trace import Trace

    answer = None if case is None else case.answer
    return MISSING if answer is None else Trace(input=case.input if case else "", output=answer)


_GETTERS: Mapping[str, Getter] = {
    "input": _input,
    "output": _output,
    "expected": _expected,
    "context": _context,
    "trace": _trace,
    "case": _case,
    "session": _session,
    "other": _other,
}
_TEXT_GETTERS: Mapping[str, Getter] = {"output": _output_text, "expected": expected_text}


def getters_named(names: Iterable[str]) -> tuple[tuple[str, Getter], ...]:
    """How to bind arguments by these names, the output as text."""
    return tuple((name, _output_text if name == "output" else _GETTERS[name]) for name in names)


def getters_of(fn: Callable[..., Any], given: Mapping[str, Any] | None = None) -> tuple[tuple[str, Getter], ...]:
    """How to bind a function's arguments, but for those `given` elsewhere.

    Raises:
        TypeError: for an argument that nothing can be bound to.
    """
    bound: list[tuple[str, Getter]] = []
    for parameter in inspect.signature(fn).parameters.values():
        name = parameter.name
        if given is not None and name in given:
            continue
        if name not in _GETTERS:
            if parameter.default is not parameter.empty:
                continue
            where = getattr(fn, "__name__", "the scorer")
            meant = OTHERWISE.get(name)
            hint = f'did you mean "{meant}"?' if meant else did_you_mean(name, ARGUMENTS)
            raise TypeError(
                f"{where} asks for {name!r}, which a scorer is not given ({hint}); "
                f"a scorer may ask for {', '.join(ARGUMENTS)}"
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"{name!r} is positional-only, but a scorer's arguments are bound by name")
        as_text = parameter.annotation in (str, "str") and name in _TEXT_GETTERS
        bound.append((name, _TEXT_GETTERS[name] if as_text else _GETTERS[name]))
    return tuple(bound)


@overload
def scorer(fn: Callable[..., Any], /) -> Scorer: ...
@overload
def scorer(*, name: str = "", version: str = "") -> Callable[[Callable[..., Any]], Scorer]: ...
def scorer(fn: Callable[..., Any] | None = None, /, *, name: str = "", version: str = "") -> Any:
    """Make a scorer of a function, sync or async.

    The function may return a bool (1 or 0), a number in 0..1 (1 is always good), a `Score` (with a label or an
    explanation), or None when it has nothing to say. Anything else, NaN included, is an error of the scorer.

    Args:
        fn: the function; its arguments are bound by name (see this module's text).
        name: the scorer's name; the function's own by default.
        version: overrides the fingerprint, which otherwise changes with the function's source (comments and layout do
            not count), with the project's own functions that it calls, and with its defaults and closure values.

    Raises:
        TypeError: for an argument that a scorer is not given.
    """

    def make(function: Callable[..., Any]) -> Scorer:
        named = name or _name_of(function)
        call = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
        return Scorer(
            name=named,
            fn=function,
            getters=getters_of(function),
            identify=cache(lambda: declared(f"{named} {version}") if version else of_function(function)),
            is_async=inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call),
            optional=frozenset(
                each.name for each in inspect.signature(function).parameters.values() if each.default is not each.empty
            ),
        )

    return make if fn is None else make(fn)


def _name_of(function: Any) -> str:
    """The name of a function, of the one inside a `partial`, or of an object's class."""
    inner = getattr(function, "func", function)
    return str(getattr(inner, "__name__", type(inner).__name__))


def built_in(
    name: str,
    fn: Callable[..., Any],
    *,
    version: str,
    parameters: Mapping[str, Any] | None = None,
    binary: bool = False,
) -> Scorer:
    """Make one of our own scorers: identified by its declared version and parameters, and quick enough to run inline.

    `binary` says that it gives 0 or 1 only, so that a mean over it is a rate.
    """
    identity = declared(version, parameters or {})
    return Scorer(
        name=name,
        fn=fn,
        getters=getters_of(fn),
        identify=lambda: identity,
        inline=True,
        binary=binary,
    )
