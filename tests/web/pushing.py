"""A server on loopback that takes runs, and does before that whatever trouble it is told to make."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gatewatch.store.base import Store
from gatewatch.web.body import Bodies
from gatewatch.web.held import Held
from gatewatch.web.refusals import Refused, refusal
from gatewatch.web.runs import Entered, Need, router
from store.making import a_store

TOKENS = {"Bearer sends": "push", "Bearer looks": "read"}


class Serving:
    """A store, and the application that keeps runs in it.

    `troubles` are what happens instead, one for each request: a status; "drop", which takes the request, does it, and
    breaks the connection without a reply; "cut", which breaks it before.
    """

    def __init__(self, folder: Path) -> None:
        self.store: Store = a_store(folder)
        self.troubles: list[Any] = []
        self.asked: list[tuple[str, str]] = []
        self.url = ""
        self._bodies = Bodies(16_000_000, Held(48_000_000))
        self.now = 1_790_000_000.0
        app = FastAPI(exception_handlers={Refused: self._told})
        app.include_router(router(self._enter, self._bodies.read, lambda: self.now))
        self.app = app

    async def _enter(self, request: Request, need: Need) -> Entered:
        role = TOKENS.get(request.headers.get("authorization", ""))
        if role is None:
            raise Refused(401, "the token is not known")
        if role != need:
            raise Refused(403, f"a token of role {role} may not do this")
        return Entered(self.store, "ci")

    async def _told(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return refusal(error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append((scope["method"], scope["path"]))
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble == "cut":
            raise ConnectionResetError("told to")
        if isinstance(trouble, int):
            await Response(b"not now", trouble, {"retry-after": "7"})(scope, receive, send)
            return
        if trouble == "drop":

            async def nothing(message: Any) -> None: ...

            await self.app(scope, receive, nothing)
            raise ConnectionResetError("told to")
        await self.app(scope, receive, send)

    def close(self) -> None:
        self._bodies.close()
        self.store.close()


@contextmanager
def serving(folder: Path) -> Iterator[Serving]:
    """The application under a real server."""
    found = Serving(folder)
    config = uvicorn.Config(found, port=0, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    ready = threading.Event()
    startup = server.startup

    async def started(sockets: Any = None) -> None:
        await startup(sockets)
        ready.set()

    server.startup = started  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(30)
        port = server.servers[0].sockets[0].getsockname()[1]
        found.url = f"http://127.0.0.1:{port}"
        yield found
    finally:
        server.should_exit = True
        thread.join()
        found.close()
