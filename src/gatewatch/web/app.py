"""The application: every route, what becomes of errors, and whom it answers at all."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatewatch import __version__
from gatewatch.config.project import Project
from gatewatch.core.errors import InputError, StoreBusy, StoreError, StoreFull
from gatewatch.web import (
    alerts,
    changes,
    compare,
    failures,
    feedback,
    ingest,
    live,
    ops,
    otlp,
    reading,
    runs,
    standing,
)
from gatewatch.web.described import describe
from gatewatch.web.host import Host
from gatewatch.web.pages import mount
from gatewatch.web.pages.house import House, Screen
from gatewatch.web.pages.screens import SCREENS
from gatewatch.web.refusals import LATER_S, Refused, refusal
from gatewatch.web.within import Within, of_programs

_log = logging.getLogger("gatewatch")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_FULL_S = 30
_MOST_AT_ONCE = 1000
_OPEN_AGAIN_S = 5.0
_MOST_HEAD = 32_768


def application(
    host: Host,
    *,
    project: Project | None = None,
    screens: Sequence[Screen] = SCREENS,
    names: tuple[str, ...] | None = None,
    prefix: str = "",
) -> ASGIApp:
    """The application over a host.

    Args:
        host: the stores, tokens and limits.
        project: the checkout that the server was started in, for the pages.
        screens: the screens of the pages.
        names: the names of hosts that it answers to, besides those of loopback; None: to any.
        prefix: the path that it is mounted at, such as "/x/y"; a proxy may leave it on or take it off.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        opening = asyncio.create_task(_open(host))
        yield
        opening.cancel()
        await asyncio.to_thread(host.close)
        house.joins.close()

    app = FastAPI(
        title="Gatewatch", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan, redirect_slashes=False
    )
    for room in (reading, runs, alerts, failures, changes, ops):
        app.include_router(room.router(host))
    app.router.routes.extend([*otlp.routes(host), *ingest.routes(host), *feedback.routes(host)])
    house = House(host, project, screens)
    app.include_router(compare.router(host, house.joins))
    app.include_router(live.router(host, project))
    app.include_router(standing.router(host, house.standing, project))
    app.router.routes.extend(mount.routes(house))

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = describe(get_openapi(title=app.title, version=app.version, routes=app.routes))
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]

    async def answer(request: Request, error: Exception) -> Response:
        told = _told(error)
        host.metrics.count("gatewatch_refused_total", reason=told.reason)
        return await house.error(request, told) if _for_eyes(request) else refusal(told)

    for kind in (Refused, InputError, StoreError, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, answer)
    return _Guard(Within(app), host, names, prefix.rstrip("/"))


async def _open(host: Host) -> None:
    """Open every project, and try until they are: what waits in a store is settled though nothing more arrives."""
    while True:
        try:
            await asyncio.to_thread(host.open_all)
        except StoreError as error:
            _log.warning("%s", error)
            await asyncio.sleep(_OPEN_AGAIN_S)
        else:
            return


def _for_eyes(request: Request) -> bool:
    """Whether a browser shows the answer to somebody, who reads no JSON."""
    return not of_programs(request) and "text/html" in request.headers.get("accept", "")


def _told(error: Exception) -> Refused:
    """An error as it is told to whoever asked."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, StoreError):
        reason = {StoreBusy: "store busy", StoreFull: "store full"}.get(type(error), "store")
        _log.warning("%s", error)
        what = "the store cannot be used now" if reason == "store" else f"the {reason.replace(' ', ' is ')}"
        return Refused(503, what, reason=reason, retry_s=_FULL_S if reason == "store full" else LATER_S)
    if isinstance(error, InputError):
        problem = error.problems[0]
        return Refused(422, problem.what, reason="input", where=problem.where, hint=problem.hint)
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return Refused(422, str(first["msg"]), reason="shape", where=where)
    if isinstance(error, HTTPException):
        return Refused(error.status_code, str(error.detail), headers=dict(error.headers or {}))
    _log.error("a request met what nobody foresaw", exc_info=error)
    return Refused(503, f"this is a fault of gatewatch: {type(error).__name__}", reason="fault", retry_s=LATER_S)


class _Guard:
    """Stands before the application: it refuses hosts that are not meant, and more requests than can be held at once.

    A page that makes a browser take its own name for 127.0.0.1 is known by the name, which it cannot change.
    """

    def __init__(self, app: ASGIApp, host: Host, names: tuple[str, ...] | None, prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._host = host
        self._names = None if names is None else {*_LOOPBACK, *map(str.lower, names)}
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if refused := self._refused(scope):
            self._host.metrics.count("gatewatch_refused_total", reason=refused.reason)
            await refusal(refused)(scope, receive, send)
            return
        if self._prefix:
            scope = self._mounted(scope)
        started = False

        async def sent(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        self._under_way += 1
        try:
            await self._app(scope, receive, sent)
        except Exception:  # of any route; where the answer began it was told, and logged, by what answers errors
            if not started:
                raise
        finally:
            self._under_way -= 1

    def _mounted(self, scope: Scope) -> Scope:
        """A request as it is under the prefix, whether or not the proxy before left that on."""
        path = scope["path"]
        if path != self._prefix and not path.startswith(f"{self._prefix}/"):
            path = self._prefix + path
        return {**scope, "path": path + "/" * (path == self._prefix), "root_path": self._prefix}

    def _refused(self, scope: Scope) -> Refused | None:
        head = sum(len(name) + len(value) for name, value in scope["headers"])
        if head + len(scope["raw_path"]) + len(scope["query_string"]) > _MOST_HEAD:
            return Refused(431, f"the head is longer than {_MOST_HEAD:,} bytes", reason="head")
        if self._names is not None:
            stated = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
            name, _, port = stated.rpartition(":")
            if (name if port.isdecimal() else stated).lower() not in self._names:
                what = "this server answers to localhost alone"
                return Refused(421, what, reason="host", hint="`gatewatch serve --name` adds a name")
        if self._under_way >= _MOST_AT_ONCE:
            return Refused(503, "too many requests are under way", reason="too many", retry_s=LATER_S)
        return None
