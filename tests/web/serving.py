"""A server on a real socket, in a thread of the test's own process, over a project in a folder."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
from starlette.types import ASGIApp

from gatewatch.config.project import Project
from gatewatch.config.serving import serving
from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.store import access
from gatewatch.store.access import Role
from gatewatch.web.app import application
from gatewatch.web.host import Base, Host
from gatewatch.web.pages.house import Screen
from gatewatch.web.pages.screens import SCREENS
from gatewatch.web.server import Server, listen
from gatewatch.web.visitors import Visitors

TOML = """
[project]
name = "bot"

[ingest]
settle = "1s"
max_body = "1 MB"
origins = ["https://app.example"]
"""


class Served:
    """A server, and how to ask it."""

    def __init__(self, host: Host, port: int, prefix: str = "") -> None:
        self.host = host
        self.url = f"http://127.0.0.1:{port}{prefix}"
        self.port = port

    def token(self, role: Role = "ingest", project: str = "bot") -> str:
        return access.create(self.host.base(), project=project, role=role, now=wall())[1]

    def client(self, token: str = "", **more: Any) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **more)


@contextmanager
def served(
    folder: Path,
    toml: str = TOML,
    *,
    open_: Literal["always", "untokened", "never"] = "never",
    names: tuple[str, ...] | None = (),
    proxies: tuple[str, ...] = (),
    around: Callable[[Host, ASGIApp], ASGIApp] = lambda _, app: app,
    prefix: str = "",
    screens: Sequence[Screen] = SCREENS,
) -> Iterator[Served]:
    """A server over a project in a folder; `around` may put something before its application."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gatewatch.toml").write_text(toml)
    project = Project.open(folder)
    found = serving(project)
    base = Base(found.base)
    access.register(base(), found.own, wall())
    host = Host(found, Visitors(base, wall, own=found.own, open_=open_), base)
    listening = listen("127.0.0.1", 0)
    app = application(host, project=project, screens=screens, names=names, prefix=prefix)
    server = Server(around(host, app), proxies)
    server.capture_signals = _none  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield Served(host, listening.getsockname()[1], prefix)
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def _none() -> Iterator[None]:
    yield


def frames(*records: tuple[str, Any]) -> bytes:
    return b"".join(codec.frame(kind, codec.encode(value)) for kind, value in records)


def a_trace(name: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "trace", {"id": name, "span_id": name[:16], "flow": "support", "input": "q", "output": "a", **more}


def stretch(
    client: httpx.Client,
    data: bytes,
    begins: int = 0,
    *,
    segment: str = "web-1/1-a-0.seg",
    more: dict[str, str] | None = None,
) -> httpx.Response:
    """Post a stretch of a segment, as long as its data."""
    headers = {
        "content-type": "application/x-ndjson",
        "x-gatewatch-segment": segment,
        "x-gatewatch-stretch": f"{begins}-{begins + len(data)}",
        **(more or {}),
    }
    return client.post("/v1/segments", content=data, headers=headers)
