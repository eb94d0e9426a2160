"""Requests that are answered in parts: captured while the parts go by, and written down when there are no more.

The request is the current one only while the application works on the next part, not while its caller does something
with the last.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import Token
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from gatewatch.core.spans import Recorder, recorder
from gatewatch.online.request import Request

Start = Callable[[tuple[Any, ...], dict[str, Any]], tuple[Request | None, Any]]
"""From a call's arguments to its request, or None where nothing is captured, and the generator that answers."""


def enter(request: Request | None) -> Token[Recorder | None] | None:
    """Make a request the current one."""
    return None if request is None else recorder.set(request.recorder)


def leave(token: Token[Recorder | None] | None) -> None:
    """Undo that."""
    if token is not None:
        try:
            recorder.reset(token)
        except ValueError:  # in another context than it was entered in; a request that has ended is nobody's
            return


def streaming(start: Start) -> Callable[..., Generator[Any, Any, Any]]:
    """A generator function that passes on all that goes into a generator and comes out of it (as PEP 380 has it)."""

    def made(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        request, source = start(args, kwargs)
        step, value = source.send, None
        while True:
            token = enter(request)
            try:
                item = step(value)
            except StopIteration as stop:
                leave(token)
                if request is not None:
                    request.end()
                return stop.value
            except BaseException as error:
                leave(token)
                if request is not None:
                    request.end(error)
                raise
            leave(token)
            if request is not None:
                request.item(item)
            try:
                value = yield item
                step = source.send
            except GeneratorExit as closed:
                _close(request, source, closed)
                raise
            except BaseException as error:
                step, value = source.throw, error

    return made


def _close(request: Request | None, source: Generator[Any, Any, Any], closed: GeneratorExit) -> None:
    token = enter(request)
    failed: BaseException = closed
    try:
        source.close()
    except BaseException as error:
        failed = error
        raise
    finally:
        leave(token)
        if request is not None:
            request.end(failed)


def streaming_async(start: Start) -> Callable[..., AsyncGenerator[Any, Any]]:
    """The same for an asynchronous generator."""

    async def made(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        request, source = start(args, kwargs)
        step, value = source.asend, None
        while True:
            token = enter(request)
            try:
                item = await step(value)
            except StopAsyncIteration:
                leave(token)
                if request is not None:
                    request.end()
                return
            except BaseException as error:
                leave(token)
                if request is not None:
                    request.end(error)
                raise
            leave(token)
            if request is not None:
                request.item(item)
            try:
                value = yield item
                step = source.asend
            except GeneratorExit as closed:
                await _aclose(request, source, closed)
                raise
            except BaseException as error:
                step, value = source.athrow, error

    return made


async def _aclose(request: Request | None, source: AsyncGenerator[Any, Any], closed: GeneratorExit) -> None:
    token = enter(request)
    failed: BaseException = closed
    try:
        await source.aclose()
    except BaseException as error:
        failed = error
        raise
    finally:
        leave(token)
        if request is not None:
            request.end(failed)


async def awaited(request: Request, source: Coroutine[Any, Any, Any]) -> Any:
    """The answer of a coroutine that a function returned without being asynchronous itself."""
    token = enter(request)
    try:
        output = await source
    except BaseException as error:
        leave(token)
        request.end(error)
        raise
    leave(token)
    return answered(request, output)


def answered(request: Request, output: Any) -> Any:
    """What a function returned: the request's output, or something that will yet bring it."""
    kind = type(output)
    if kind is not str and kind in _LATER:
        return _LATER[kind](request, output)
    request.output = output
    request.end()
    return output


_LATER: dict[type, Callable[[Request, Any], Any]] = {
    GeneratorType: lambda request, source: streaming(lambda *_: (request, source))(),
    AsyncGeneratorType: lambda request, source: streaming_async(lambda *_: (request, source))(),
    CoroutineType: awaited,
}
