"""A request for a page: who asks, of which project, how it is to look, and addresses that keep what is chosen."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from gatewatch.config.project import Project
from gatewatch.store.base import Store
from gatewatch.web.host import Served
from gatewatch.web.visitors import FRAGMENT, Need, Visitor

THEMES = ("light", "dark")
DENSITIES = ("compact", "comfortable", "full")
_THEME, _DENSITY = "gatewatch_theme", "gatewatch_density"


class Asked:
    """One request for a page.

    Attributes:
        request: as it came.
        visitor: who asks.
        served: their project, open.
        project: the checkout that the server was started in, with its runs, datasets and settings; None where the
            visitor's project is another one, of which the server has the store only.
    """

    def __init__(self, request: Request, visitor: Visitor, served: Served, project: Project | None) -> None:
        self.request = request
        self.visitor = visitor
        self.served = served
        self.project = project

    @property
    def store(self) -> Store:
        """The project's store, to be read in a thread."""
        return self.served.store

    @property
    def root(self) -> Path | None:
        """The folder of the checkout."""
        return None if self.project is None else self.project.root

    @property
    def fragment(self) -> str:
        """Which part of the page is wanted: "rows", "row", "live" ...; "" for the whole page."""
        return self.request.headers.get(FRAGMENT, "")

    @cached_property
    def look(self) -> "Look":
        """How the page is to look."""
        return Look(self.request)

    def may(self, need: Need) -> bool:
        """Whether who asks may do something: "read", "review", or "admin" for what only an admin may."""
        return self.visitor.may(need)

    def get(self, name: str, default: str = "", *, among: tuple[str, ...] = (), longest: int = 400) -> str:
        """A parameter of the query, cut at so many characters; what is not `among` the known is the default."""
        value = self.request.query_params.get(name, default)[:longest]
        return value if not among or value in among else default

    def number(self, name: str, default: int = 0, *, least: int = 0, most: int = 10**9) -> int:
        """A whole number of the query, drawn into its range; the default where it is none."""
        text = self.request.query_params.get(name, "")
        return min(most, max(least, int(text))) if text.isascii() and text.isdecimal() and len(text) < 19 else default

    def url(self, path: str, **query: Any) -> str:
        """The address of a path of ours, under the prefix; parameters that are None, False or "" are left out."""
        return address(self.request, path, query)

    def link(self, **changes: Any) -> str:
        """The address of this page with some parameters changed, and the others kept; None takes one out."""
        kept: dict[str, Any] = {}
        for name, value in self.request.query_params.multi_items():
            kept.setdefault(name, []).append(value)
        path = self.request.scope["path"].removeprefix(self.request.scope.get("root_path", ""))
        return address(self.request, path, kept | changes)


class Look:
    """How a page is to look: what cookies say, which the page's script sets."""

    def __init__(self, request: Request) -> None:
        theme, density = request.cookies.get(_THEME, ""), request.cookies.get(_DENSITY, "")
        self.theme = theme if theme in THEMES else ""
        self.density = density if density in DENSITIES else DENSITIES[0]


def address(request: Request, path: str, query: Mapping[str, Any]) -> str:
    """The address of a path, under the prefix that the server is mounted at."""
    given: list[tuple[str, str]] = []
    for name, value in query.items():
        each = value if isinstance(value, list | tuple) else [value]
        given += [(name, str(part)) for part in each if part is not None and part is not False and part != ""]
    # A lone surrogate, as JSON may have one, has no UTF-8.
    tail = ("&" if "?" in path else "?") + urlencode(given, errors="replace") if given else ""
    return f"{request.scope.get('root_path', '')}{path}{tail}"
