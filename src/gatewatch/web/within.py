"""Where a request is: the path of the server that it came to, and the project whose pages it is about.

A server may be mounted under a path (its root), and behind that `/in/PROJECT` names a project, so that a link tells
which one it means and pages of two projects stand side by side. What is named so becomes part of the root path: links
that are made from it stay in the project.
"""

import re
from urllib.parse import quote

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gatewatch.store import access

_IN = re.compile(rf"/in/({access.NAME.pattern})(/.*)?", re.DOTALL)
_LONGEST = 4000
_ROOT, _PROJECT = "gatewatch.root", "gatewatch.project"
_OF_PROGRAMS = re.compile(r"/(v1|api)/.*|/(metrics|healthz|readyz|openapi\.json)", re.DOTALL)


class Within:
    """Takes the project out of the path before the application sees it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http":
            root = scope.get("root_path", "")
            scope = {**scope, _ROOT: root}
            if found := _IN.fullmatch(_behind(scope["path"], root)):
                within = f"{root}/in/{found[1]}"
                scope |= {_PROJECT: found[1], "root_path": within, "path": within + (found[2] or "/")}
        await self._app(scope, receive, send)


def root_of(request: Request) -> str:
    """The path that the server is mounted under, without a stroke at its end: "" for none."""
    root: str = request.scope.get(_ROOT, request.scope.get("root_path", ""))
    return root


def project_of(request: Request) -> str:
    """The project that a request's path names, or ""."""
    project: str = request.scope.get(_PROJECT, "")
    return project


def place_of(request: Request) -> str:
    """What a request asks for: its path behind the root and the project."""
    return _behind(request.scope["path"], request.scope.get("root_path", "")) or "/"


def address_of(request: Request) -> str:
    """The address of what a request asks for, on this server, with what is behind the question mark."""
    query = request.url.query
    return quote(request.scope.get("root_path", "") + place_of(request)) + (f"?{query}" if query else "")


def of_programs(request: Request) -> bool:
    """Whether what is asked for is no page."""
    return _OF_PROGRAMS.fullmatch(place_of(request)) is not None


def own_address(text: str, root: str) -> str:
    """An address that a page is to lead on to, if it is one of this server's own; else the server's first page."""
    path = text.partition("?")[0].lower().replace("%2e", ".")
    good = text.startswith(f"{root}/") and text.isprintable() and text.isascii() and len(text) <= _LONGEST
    odd = "\\" in text or "//" in path or any(part in (".", "..") for part in path.split("/"))
    return text if good and not odd else f"{root}/"


def _behind(path: str, root: str) -> str:
    """A path without the root before it, where that is there: a proxy may have taken it off."""
    return path.removeprefix(root) if path == root or path.startswith(f"{root}/") else path
