"""A server on loopback that takes runs, and does before that whatever trouble it is told to make."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gatewatch.core.clock import wall
from gatewatch.store import access
from gatewatch.store.base import Store
from gatewatch.web.host import Host
from web.serving import TOML, served


class Serving:
    """The server over a project in a folder.

    `troubles` are what happens instead, one for each request: a status; "drop", which takes the request, does it, and
    breaks the connection without a reply; "cut", which breaks it before. `sends` and `looks` are tokens that may do so;
    `who` is the id of the first.
    """

    def __init__(self, host: Host, app: ASGIApp) -> None:
        self.sends, self.looks = (
            access.create(host.base(), project="bot", role=role, now=wall())[1] for role in ("ingest", "read")
        )
        self.who = self.sends.split("_")[2]
        self.host = host
        self.store: Store = host._open("bot").store
        self.app = app
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
    made: list[Serving] = []

    def around(host: Host, app: ASGIApp) -> ASGIApp:
        made.append(kind(host, app))
        return made[0]

    with served(folder, TOML.replace("1 MB", "16 MB"), around=around) as found:
        made[0].url = found.url
        yield made[0]
