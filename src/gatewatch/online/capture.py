"""Live requests, captured as they are answered, at next to no cost to whoever waits for the answer.

Nothing here raises, waits for a disk, or grows without bound; what cannot be kept is counted (`process.stats`) and said
once to the log "gatewatch".
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar, Token
from functools import wraps
from math import isfinite
from types import TracebackType
from typing import Any, TypeVar, cast, overload

from msgspec import UNSET

from gatewatch.core.money import Cost
from gatewatch.core.spans import Recorder, recorder
from gatewatch.core.trace import Fault, Span, Usage
from gatewatch.online.arguments import Arguments
from gatewatch.online.identity import incoming
from gatewatch.online.process import process
from gatewatch.online.request import Request, Step, lost
from gatewatch.online.serialise import as_input, snapshot
from gatewatch.online.spool import Spool
from gatewatch.online.streams import answered, leave, streaming, streaming_async
from gatewatch.online.told import as_cost, dict_of, fault_of, text_of, texts

F = TypeVar("F", bound=Callable[..., Any])
Told = str | Callable[[dict[str, Any]], Any]
"""Text, or a function from a call's arguments, by name, to it."""


class _Block:
    """A block that was entered and not yet left."""

    __slots__ = ("owner", "request", "token")

    def __init__(self, owner: "Capture", request: Request, token: Token[Recorder | None] | None) -> None:
        self.owner = owner
        self.request = request
        self.token = token


_blocks: ContextVar[tuple[_Block, ...]] = ContextVar("gatewatch_blocks", default=())
"""The blocks that were entered in this context, or in the one that it was copied from."""


class Capture:
    """What is to be said of each request: a decorator, and a context manager."""

    def __init__(self, given: Mapping[str, Any], *, traceparent: Told, payload: bool, input: Any) -> None:  # noqa: A002
        self._said = {name: value for name, value in given.items() if not callable(value) and value}
        self._asked = {name: value for name, value in given.items() if callable(value)}
        self._versions = self._said.pop("versions", None)
        self._traceparent = traceparent
        self._payload = payload
        self._input = input
        self._open: dict[_Block, None] = {}

    def __call__(self, function: F) -> F:
        """Capture every call of a function: sync or async, a generator or not."""
        if isinstance(function, classmethod | staticmethod):
            return cast(F, type(function)(self(function.__func__)))
        return cast(F, _wrapped(function, self._beginning(function)))

    def _beginning(self, function: Callable[..., Any]) -> "_Begin":
        arguments = Arguments(function, self._input if isinstance(self._input, str) else "")
        whole = getattr(function, "__qualname__", "") or type(function).__name__
        name = self._said.get("flow") or whole.rpartition(".")[2]
        asks = bool(self._asked) or callable(self._traceparent)
        payload = self._payload

        def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request | None:
            try:
                given = arguments.input(args, kwargs) if payload else ""
                request = self._begin(given, name)
                if request is not None and asks:
                    self._ask(request, arguments.bound(args, kwargs))
            except Exception as problem:
                lost(problem)
                return None
            return request

        return begin

    def _begin(self, given: Any, name: str) -> Request | None:
        """Begin a request, or a step of the one that is being answered; None where nothing is captured."""
        current = recorder.get()
        if current is not None:
            if current.offline:
                return None
            if isinstance(current, Request) and current.live:
                return self._filled(
                    Step(current, name or "capture", given=given, payload=self._payload and current.payload)
                )
        if type(process.spool) is not Spool and process.open() is None:
            return None
        header = self._traceparent
        request = Request(incoming(header) if header and not callable(header) else None)
        request.name = name
        if self._payload:
            request.input = given if type(given) is str else snapshot(as_input(given), request.flaws, "$.input")
        else:
            request.payload = False
        return self._filled(request)

    def _filled(self, request: Request) -> Request:
        if self._said:
            request.__dict__.update(self._said)
        if self._versions:
            request.versions = dict(self._versions)
        return request

    def _ask(self, request: Request, arguments: dict[str, Any]) -> None:
        """Ask the functions that were given instead of text."""
        for name, ask in self._asked.items():
            try:
                value = ask(arguments)
                if value is not None:
                    setattr(request, name, dict_of(value) if name == "versions" else value)
            except Exception as error:
                request.flaws.append(f"{name} could not be told: {type(error).__name__}")
        if callable(self._traceparent) and not isinstance(request, Step):
            try:
                caller = incoming(self._traceparent(arguments))
            except Exception as error:
                request.flaws.append(f"traceparent could not be told: {type(error).__name__}")
                return
            if caller is not None:
                request.join(caller)

    def __enter__(self) -> Request:
        request = None
        try:
            given = None if self._input is UNSET else self._input
            request = self._begin("" if given is None else given, self._said.get("flow", ""))
            if request is not None and self._asked:
                self._ask(request, {})
        except Exception as problem:
            lost(problem)
        if request is None:
            request = self._filled(Request())  # nobody will read it
            block = _Block(self, request, None)
        else:
            block = _Block(self, request, recorder.set(request.recorder))
        self._open[block] = None
        here = _blocks.get()
        # One that was left in another context would stay in this one for ever.
        _blocks.set((*[each for each in here if each in each.owner._open], block) if here else (block,))
        return request

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A block may be open in several tasks and threads at once, and be left in another context than it was entered.
        here = _blocks.get()
        if here and here[-1].owner is self and here[-1] in self._open:
            mine: _Block | None = here[-1]
        else:
            mine = next((each for each in reversed(here) if each.owner is self and each in self._open), None)
        try:
            if mine is None:
                mine, _ = self._open.popitem()
            else:
                del self._open[mine]
                _blocks.set(here[:-1] if mine is here[-1] else tuple(each for each in here if each is not mine))
        except KeyError:
            return
        leave(mine.token)
        if mine.token is not None:
            mine.request.end(error)

    async def __aenter__(self) -> Request:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


_Begin = Callable[[tuple[Any, ...], dict[str, Any]], Request | None]


def _wrapped(function: Callable[..., Any], begin: _Begin) -> Callable[..., Any]:
    """The function with its calls captured, of the same kind as before."""
    call = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
    if inspect.isgeneratorfunction(call):
        return wraps(function)(streaming(lambda args, kwargs: (begin(args, kwargs), function(*args, **kwargs))))
    if inspect.isasyncgenfunction(call):
        return wraps(function)(streaming_async(lambda args, kwargs: (begin(args, kwargs), function(*args, **kwargs))))
    if inspect.iscoroutinefunction(call):

        @wraps(function)
        async def answer(*args: Any, **kwargs: Any) -> Any:
            request = begin(args, kwargs)
            if request is None:
                return await function(*args, **kwargs)
            token = recorder.set(request.recorder)
            try:
                output = await function(*args, **kwargs)
            except BaseException as error:
                leave(token)
                request.end(error)
                raise
            leave(token)
            return answered(request, output)

        return answer

    @wraps(function)
    def made(*args: Any, **kwargs: Any) -> Any:
        request = begin(args, kwargs)
        if request is None:
            return function(*args, **kwargs)
        token = recorder.set(request.recorder)
        try:
            output = function(*args, **kwargs)
        except BaseException as error:
            leave(token)
            request.end(error)
            raise
        leave(token)
        return answered(request, output)

    return made


@overload
def capture(function: F, /) -> F: ...


@overload
def capture(
    *,
    flow: str = "",
    session: Told = "",
    user: Told = "",
    external_id: Told = "",
    variant: Told = "",
    tags: Iterable[str] | Callable[[dict[str, Any]], Any] = (),
    versions: Mapping[str, str] | Callable[[dict[str, Any]], Any] | None = None,
    traceparent: Told = "",
    payload: bool = True,
    input: Any = UNSET,
) -> Capture: ...


def capture(
    function: Callable[..., Any] | None = None,
    /,
    *,
    flow: str = "",
    session: Told = "",
    user: Told = "",
    external_id: Told = "",
    variant: Told = "",
    tags: Iterable[str] | Callable[[dict[str, Any]], Any] = (),
    versions: Mapping[str, str] | Callable[[dict[str, Any]], Any] | None = None,
    traceparent: Told = "",
    payload: bool = True,
    input: Any = UNSET,  # noqa: A002 - the trace's own name for it
) -> Any:
    """Capture live requests: every call of a function, or a block.

        @capture(flow="support", session=lambda arguments: arguments["chat"])
        async def handle(question: str, chat: str) -> str: ...

        with capture(flow="support", input=question) as request:
            request.output = answer(question)

    A function may be sync, async or a generator of either kind; the parts of a stream are captured as they go by. What
    a function is given is its input, what it returns (or sets as `request.output`) the output. Errors are recorded, and
    go on. A request captured inside another is a step of that. Inside an offline run nothing is captured.

    Args:
        function: the function, where nothing else is to be said: `@capture`.
        flow: the kind of request; the function's name, or `configure(flow=)`, where it is not said.
        session: the conversation that the request belongs to. This and the following may be text, or a function from
            the call's arguments (an object by name, defaults included) to it.
        user: who asks; only a keyed hash of it is kept.
        external_id: the application's own name for the request: a message, a ticket.
        variant: the arm of an A/B test.
        tags: words to find requests by.
        versions: versions of components: `{"prompt": "v3"}`.
        traceparent: the W3C header of the incoming request; its trace's id becomes the request's.
        payload: whether what is said is kept; False keeps signals only (times, tokens, cost, errors).
        input: the input of a block; for a function, the name of the argument that is the input.
    """
    names = {"flow": flow, "session": session, "user": user, "external_id": external_id, "variant": variant}
    given = {
        **{name: value if type(value) is str or callable(value) else text_of(value) for name, value in names.items()},
        "tags": tags if callable(tags) else texts(tags),
        "versions": versions if callable(versions) or versions is None else dict_of(versions),
    }
    made = Capture(given, traceparent=traceparent, payload=payload, input=input)
    return made if function is None else made(function)


def record(
    *,
    flow: str = "",
    input: Any = "",  # noqa: A002 - the trace's own name for it
    output: Any = None,
    context: Any = None,
    spans: Iterable[Span] = (),
    usage: Usage | None = None,
    cost: float | Cost | None = None,
    started: float | None = None,
    latency_s: float | None = None,
    first_token_s: float | None = None,
    error: BaseException | Fault | str | None = None,
    session: str = "",
    user: str = "",
    external_id: str = "",
    variant: str = "",
    tags: Iterable[str] = (),
    versions: Mapping[str, str] | None = None,
    marks: Iterable[str] = (),
    traceparent: str = "",
    payload: bool = True,
) -> str:
    """Record a request after the fact. It never raises.

    The arguments are the fields of a trace (`gatewatch.Trace`), and those of `capture`. `started` is in seconds since
    the epoch, and now where it is not said; `error` may be an exception, or what it said.

    Returns:
        The request's trace id; nothing where it was not taken.
    """
    try:
        if process.open() is None:
            return ""
        request = Request(incoming(traceparent))
        request.input, request.output, request.context = input, output, context
        request.spans = list(spans)
        request.usage, request.cost = usage, None if cost is None else as_cost(cost)
        request.wall = _when(started, request)
        request.latency_s, request.first_token_s = latency_s, first_token_s
        request.flow, request.session, request.user = flow, session, user
        request.external_id, request.variant, request.tags = external_id, variant, tags
        request.versions = dict_of(versions or {})
        request.payload = payload
        request.mark(*((marks,) if isinstance(marks, str) else marks))
        fault = fault_of(error) if isinstance(error, BaseException) else error
        return request.trace_id if request.put(None, Fault(fault) if isinstance(fault, str) else fault) else ""
    except Exception as problem:
        lost(problem)
        return ""


def _when(started: float | None, request: Request) -> float:
    try:
        if started is not None and isfinite(started):
            return float(started)
    except (TypeError, OverflowError):
        pass
    if started is not None:
        request.flaws.append("started is not a time in seconds")
    return request.wall


def _current() -> Request | None:
    current = recorder.get()
    return current if isinstance(current, Request) and current.live else None


def mark(*names: str) -> None:
    """Mark the request that is being answered: "guardrail", "escalated" ...; outside of one nothing happens."""
    current = _current()
    if current is not None:
        current.mark(*names)


def current_trace_id() -> str:
    """The id of the request that is being answered, or nothing outside of one."""
    current = recorder.get()
    if isinstance(current, Request):
        return current.trace_id if current.live else ""
    return "" if current is None else current.trace_id


def traceparent() -> str:
    """The W3C header for a service that is called while a request is answered, or nothing outside of one."""
    current = _current()
    return "" if current is None else current.traceparent()
