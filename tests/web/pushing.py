"""A server on loopback that takes runs, and does before that whatever trouble it is told to make."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gatewatch.config.project import Project
from gatewatch.config.serving import serving as settings_of
from gatewatch.core.clock import wall
from gatewatch.store import access
from gatewatch.store.base import Store
from gatewatch.web.app import application
from gatewatch.web.host import Base, Host
from gatewatch.web.server import Server, listen
from gatewatch.web.visitors import Visitors


class Serving:
    """The server over a project in a folder.

    `troubles` are what happens instead, one for each request: a status; "drop", which takes the request, does it, and
    breaks the connection without a reply; "cut", which breaks it before. `sends` and `looks` are tokens that may do so;
    `who` is the id of the first.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "gatewatch.toml").write_text('[project]\nname = "bot"\n')
        found = settings_of(Project.open(folder))
        base = Base(found.base)
        access.register(base(), found.own, wall())
        self.sends, self.looks = (
            access.create(base(), project=found.own, role=role, now=wall())[1] for role in ("ingest", "read")
        )
        self.who = self.sends.split("_")[2]
        self.host = Host(found, Visitors(base, wall, own=found.own, open_="never"), base)
        self.store: Store = self.host._open(found.own).store
        self.app = application(self.host, names=())
        self.troubles: list[Any] = []
        self.asked: list[tuple[str, str]] = []
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
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


@contextmanager
def serving(folder: Path, kind: type[Serving] = Serving) -> Iterator[Serving]:
    """The server on a real socket, in a thread."""
    found = kind(folder)
    listening = listen("127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = Server(found)
    server.capture_signals = _none  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield found
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def _none() -> Iterator[None]:
    yield
