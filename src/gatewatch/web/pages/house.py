"""What a screen is, and what all of them share: who asks, the templates, the rail, the answers, errors among them."""

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from jinja2 import Environment
from markupsafe import Markup
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from gatewatch.core.errors import GatewatchError
from gatewatch.web.cookies import ahead
from gatewatch.web.host import Host
from gatewatch.web.joins import Joins
from gatewatch.web.pages import answers
from gatewatch.web.pages.asked import Asked, Look, address
from gatewatch.web.pages.jobs import Jobs
from gatewatch.web.pages.reviewers import reviewer_of
from gatewatch.web.pages.static import Static
from gatewatch.web.pages.templating import environment
from gatewatch.web.refusals import Refused
from gatewatch.web.standing import Standing
from gatewatch.web.visitors import Need
from gatewatch.web.within import place_of, root_of

_log = logging.getLogger("gatewatch")
_BADGE_S = 10.0
_NOT_NOTED = re.compile(
    r"/|/(runs|failures|review|alerts|costs)|/(datasets|settings)(/.*)?|/scorers(/[^/]*)?", re.DOTALL
)
"""Pages that show nobody's requests: to look at them is not noted in the audit."""
_WHAT_TO_DO = {
    401: "Sign in, or ask whoever runs this server for a token.",
    403: "Ask for a token with a role that may do this.",
    404: "It may have been renamed, pruned or erased. The menu finds what there is: Ctrl+K.",
    422: "Correct the address, or begin at the screen's start.",
    429: "Wait a little, then load the page again.",
    503: "Wait a little, then load the page again. What was sent to the server is kept.",
}


GROUPS = ("Loop", "Live", "Improve", "House")
"""The groups of the rail, in the order of the loop."""


class Found(Struct, frozen=True):
    """Something that the menu offers: what it is called, what kind of thing it is, and its path (without a prefix)."""

    title: str
    kind: str
    path: str


class Screen(Struct, frozen=True, kw_only=True):
    """A screen, as the rail has it.

    key: what its pages call it: `house.page(..., screen=key)`.
    path: where it begins, such as "/runs".
    title: what it is called.
    group: one of GROUPS.
    icon: a name in templates/macros/icons.html.
    chord: the key that follows `g`.
    routes: gives its routes.
    badge: counts what waits there for whoever asks; called in a thread, and believed for some seconds.
    find: gives what the menu offers for a text; called in a thread.
    """

    key: str
    path: str
    title: str
    group: str
    icon: str
    chord: str
    routes: "Callable[[House], list[Route]]"
    badge: Callable[[Asked], int] | None = None
    find: Callable[[Asked, str], list[Found]] | None = None


_FIELD = Markup('<input type="hidden" name="csrf" value="{}">')


class _Entry(Struct, frozen=True):
    """A screen in the rail."""

    screen: Screen
    url: str
    current: bool
    badge: int


def _person(asked: Asked) -> tuple[str, ...]:
    """Who asks, of what project: several people may have the same token, and what waits for each is their own."""
    return asked.visitor.project, asked.visitor.author, reviewer_of(asked)


class House:
    """All that the screens of a server share."""

    def __init__(self, host: Host, project: Project | None, screens: Sequence[Screen]) -> None:
        self.host = host
        self.own = project
        self.joins = Joins(host.serving.own, project)
        self.standing = Standing(self.joins)
        self.jobs = Jobs()
        self.screens = tuple(screens)
        self.static = Static()
        self.templates: Environment = environment()
        self._badges: dict[tuple[str, ...], tuple[float, int]] = {}

    async def enter(self, request: Request, need: Need = "read") -> Asked:
        """Who asks for a page, and what of.

        Raises:
            Refused: they may not.
            StoreError: their project cannot be opened.
        """
        visitor = await self.host.visitors.who(request, need)
        if ahead(request) and not _NOT_NOTED.fullmatch(place_of(request)):
            # Who reads whose text is noted, and a pointer over a link reads nothing.
            raise Refused(
                503, "this page is not made before somebody goes to it", headers={"cache-control": "no-store"}
            )
        served = await self.host.served(visitor.project)
        own = self.own if visitor.project == self.host.serving.own else None
        if own is not None:
            own.follow()
        asked = Asked(request, visitor, served, own)
        request.state.asked = asked
        if request.method == "POST":  # what waits is counted anew once something was done
            for screen in self.screens:
                self._badges.pop((screen.key, *_person(asked)), None)
        return asked

    async def page(
        self,
        asked: Asked,
        template: str,
        *,
        title: str,
        screen: str = "",
        status: int = 200,
        headers: dict[str, str] | None = None,
        **data: Any,
    ) -> Response:
        """A whole page: a template that extends "base.html"; its screen is marked in the rail."""

        def made() -> Response:
            given = self._given(asked) | {"title": title, "rail": self._rail(asked, screen), "screen": screen} | data
            html = self.templates.get_template(template).render(given)
            return answers.page(asked.request, html, status, headers)

        return await asyncio.to_thread(made)

    async def fragment(self, asked: Asked, template: str, *, status: int = 200, **data: Any) -> Response:
        """A part of a page: elements with ids, each of which takes the place of the one with its id; or what is shown
        under a row."""

        def made() -> Response:
            html = self.templates.get_template(template).render(self._given(asked) | data)
            return answers.page(asked.request, html, status)

        return await asyncio.to_thread(made)

    async def plain(self, request: Request, template: str, *, title: str, status: int = 200, **data: Any) -> Response:
        """A page for whoever comes, without a rail."""
        given = self._shared(request) | {"title": title, "rail": [], "screen": ""} | data
        return answers.page(request, self.templates.get_template(template).render(given), status)

    async def error(self, request: Request, refused: Refused) -> Response:
        """A refusal as a page, or as a part of one."""
        asked: Asked | None = getattr(request.state, "asked", None)
        if asked is None and refused.status == 404:
            try:
                asked = await self.enter(request)
            except (Refused, GatewatchError):
                asked = None
        data = {"refused": refused, "what_to_do": refused.hint or _WHAT_TO_DO.get(refused.status, "")}
        headers = {name: value for name, value in refused.headers.items() if name != "www-authenticate"}
        if request.headers.get("x-gatewatch-fragment"):
            html = self.templates.get_template("shell/refused.html").render(self._shared(request) | data)
        else:
            given = self._shared(request) if asked is None else self._given(asked)
            rail = [] if asked is None else await asyncio.to_thread(self._rail, asked, "")
            more = {"title": refused.what, "rail": rail, "screen": ""}
            html = self.templates.get_template("shell/error.html").render(given | more | data)
        return answers.page(request, html, refused.status, headers)

    def _shared(self, request: Request) -> dict[str, Any]:
        """What a template has though nobody is known."""
        return {
            "asked": None,
            "look": Look(request),
            "own": "",
            "csrf": lambda: Markup(""),
            "home": root_of(request),
            "may": lambda _: False,
            "static": lambda name: root_of(request) + self.static.path(name),
            "url": lambda path, **query: address(request, path, query),
        }

    def _given(self, asked: Asked) -> dict[str, Any]:
        """What every template has."""
        return self._shared(asked.request) | {
            "asked": asked,
            "own": asked.visitor.project,
            "csrf": lambda: _FIELD.format(asked.visitor.csrf()),
            "mark": asked.visitor.csrf,
            "may": asked.may,
            "link": asked.link,
        }

    def _rail(self, asked: Asked, current: str) -> list[tuple[str, list[_Entry]]]:
        """The rail: groups of screens, each with how much waits there."""
        entries = [
            _Entry(each, asked.url(each.path), each.key == current, self._badge(asked, each)) for each in self.screens
        ]
        groups = [(name, [entry for entry in entries if entry.screen.group == name]) for name in GROUPS]
        return [(name, found) for name, found in groups if found]

    def _badge(self, asked: Asked, screen: Screen) -> int:
        if screen.badge is None:
            return 0
        key, now = (screen.key, *_person(asked)), wall()
        seen = self._badges.get(key)
        if seen is None or not 0 <= now - seen[0] < _BADGE_S:
            try:
                seen = now, screen.badge(asked)
            except GatewatchError as error:  # a page is worth more than the number beside its name
                _log.warning("the number beside %s cannot be told: %s", screen.title, error)
                seen = now, 0
            if len(self._badges) > 1000:
                self._badges.clear()
            self._badges[key] = seen
        return seen[1]
