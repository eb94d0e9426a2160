"""Settings: how the project is, what holds for it and why, who may do what, and who did what.

GET  /settings               how it is: store, workers, what waits and what came to nothing
GET  /settings/config        every setting that holds, with where it comes from
GET  /settings/channels      where word of alerts goes; POST there tries one
GET  /settings/access        tokens and visits; POST .../revoke and .../end
GET  /settings/audit         who did what (.csv, .jsonl)
GET  /settings/look          theme and density, keys, what Gatewatch is made of; POST there sets a cookie
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.alerting import channels, named_channels
from gatewatch.config.effective import effective, has_changed
from gatewatch.core.clock import wall
from gatewatch.core.errors import ConfigError, InputError
from gatewatch.online.channels import public
from gatewatch.online.trying import tried
from gatewatch.store import access, visits
from gatewatch.store.audit import Audited
from gatewatch.web.forms import form
from gatewatch.web.pages import answers, settings_facts
from gatewatch.web.pages.asked import DENSITIES, THEMES, Asked
from gatewatch.web.pages.exports import exported, form_of
from gatewatch.web.pages.house import Found, House, Screen
from gatewatch.web.pages.settings_facts import Counting
from gatewatch.web.rate import Rate
from gatewatch.web.refusals import Refused
from gatewatch.web.within import root_of

WINDOW = 48
_TESTS_A_MINUTE = 6
_COLUMNS = ("id", "at", "who", "action", "what")
_YEAR_S = 31_536_000
_TABS = (
    ("health", "Health", "/settings"),
    ("config", "Configuration", "/settings/config"),
    ("channels", "Channels", "/settings/channels"),
    ("access", "Access", "/settings/access"),
    ("audit", "Audit", "/settings/audit"),
    ("look", "Look and keys", "/settings/look"),
)
_FOR_ADMINS = ("access", "audit")


class _Desk:
    def __init__(self, house: House) -> None:
        self.house = house
        self.counting = Counting()
        self.rate = Rate(_TESTS_A_MINUTE, wall)

    async def page(self, asked: Asked, tab: str, **data: Any) -> Response:
        tabs = [
            (key, title, asked.url(path), None)
            for key, title, path in _TABS
            if key not in _FOR_ADMINS or asked.may("admin")
        ]
        return await self.house.page(
            asked, f"settings/{tab}.html", title="Settings", screen="settings", tabs_=tabs, tab=tab, **data
        )

    # How it is

    async def health(self, request: Request) -> Response:
        asked = await self.house.enter(request)
        found = await asyncio.to_thread(settings_facts.health, asked.served, self.counting)
        data: dict[str, Any] = {"health": found, "held": self.house.host.held.now, "states": settings_facts.STATES}
        if asked.fragment:
            return await self.house.fragment(asked, "settings/health_part.html", **data)
        return await self.page(asked, "health", **data)

    # What holds

    async def config(self, request: Request) -> Response:
        asked = await self.house.enter(request)
        text, all_ = asked.get("q", longest=200), asked.get("all", among=("", "1")) == "1"
        project = asked.project
        if project is None:
            return await self.page(asked, "config", project=None)

        def found() -> dict[str, Any]:
            every = effective(project)
            shown = settings_facts.matching(every, text, all_=all_)
            return {
                "sections": shown,
                "n": sum(len(each.settings) for each in shown),
                "of": sum(len(each.settings) for each in every),
                "changed": has_changed(project),
                "models": settings_facts.models(project, every),
            }

        data = {"project": project, "by": {"q": text, "all": "1" if all_ else ""}, **await asyncio.to_thread(found)}
        if asked.fragment:
            return await self.house.fragment(asked, "settings/config_rows.html", **data)
        return await self.page(asked, "config", **data)

    # Where word goes

    async def channels(self, request: Request) -> Response:
        asked = await self.house.enter(request)
        return await self._channels(asked, None)

    async def test(self, request: Request) -> Response:
        """Try one channel of the project, which the form names by its place: an address is nobody's to say."""
        asked = await self.house.enter(request, "admin")
        if asked.project is None:
            raise Refused(404, "channels are tried where the project's checkout is")
        if wait := self.rate.wait(asked.visitor.project):
            raise Refused(429, "channels were tried too often", reason="rate", retry_s=wait + 1)
        every, number = named_channels(asked.project), (await form(request)).get("channel", "")
        if not (number.isascii() and number.isdecimal() and len(number) < 6 and int(number) < len(every)):
            raise Refused(422, "there is no such channel: the settings were changed", where="channel")
        to = every[int(number)]
        reasons = await tried([to], channels(asked.project), asked.visitor.author or "an admin")
        await asyncio.to_thread(asked.store.note, wall(), asked.visitor.author, "channel test", public(to))
        return await self._channels(asked, (int(number), reasons[to]))

    async def _channels(self, asked: Asked, told: tuple[int, str] | None) -> Response:
        problems: list[str] = []
        every: list[str] = []
        try:
            every = [] if asked.project is None else [public(each) for each in named_channels(asked.project)]
        except ConfigError as error:
            problems = [str(each) for each in error.problems]
        undelivered = {
            to: (number, why)
            for to, number, why in (
                await asyncio.to_thread(settings_facts.health, asked.served, self.counting)
            ).undelivered
        }
        data = {"channels": every, "problems": problems, "told": told, "undelivered": undelivered}
        return await self.page(asked, "channels", project=asked.project, **data)

    # Who may do what

    async def access(self, request: Request) -> Response:
        asked = await self.house.enter(request, "admin")
        base, project, now = self.house.host.base, asked.visitor.project, wall()

        def found() -> dict[str, Any]:
            tokens = [each for each in access.tokens(base()) if each.project == project]
            tokens.sort(key=lambda each: (bool(each.flaw(now)), -each.created))
            return {"tokens": tokens, "guests": visits.guests(base(), project, now), "now": now}

        open_ = await self.house.host.visitors.open()
        return await self.page(asked, "access", open_=open_, **await asyncio.to_thread(found))

    async def revoke(self, request: Request) -> Response:
        """End a token of the project."""
        asked = await self.house.enter(request, "admin")
        name, base, project = (await form(request)).get("token", ""), self.house.host.base, asked.visitor.project

        def done() -> None:
            if not any(each.id == name and each.project == project for each in access.tokens(base())):
                raise Refused(404, "there is no such token", where="token")
            try:
                access.revoke(base(), name, wall())
            except InputError as error:
                raise Refused(404, error.problems[0].what, where="token") from None
            asked.store.note(wall(), asked.visitor.author, "token revoked", name)

        await asyncio.to_thread(done)
        return answers.elsewhere(asked.url("/settings/access"))

    async def end(self, request: Request) -> Response:
        """End every visit to the project, one's own among them."""
        asked = await self.house.enter(request, "admin")
        number = await self.house.host.visitors.end_all(asked.visitor.project)
        await asyncio.to_thread(asked.store.note, wall(), asked.visitor.author, "visits ended", str(number))
        return answers.elsewhere(asked.url("/settings/access"))

    # Who did what

    async def audit(self, request: Request) -> Response:
        asked = await self.house.enter(request, "admin")
        reads, before = asked.get("reads", among=("", "1")) == "1", asked.number("before", most=2**62)
        lines = await asyncio.to_thread(lambda: asked.store.audited(before=before, most=WINDOW, reads=reads))
        data: dict[str, Any] = {
            "lines": lines,
            "by": {"reads": "1" if reads else ""},
            "before": before,
            "after": lines[-1].id if len(lines) == WINDOW else 0,
        }
        if asked.fragment:
            return await self.house.fragment(asked, "settings/audit_rows.html", **data)
        return await self.page(asked, "audit", **data)

    async def audit_file(self, request: Request) -> Response:
        asked = await self.house.enter(request, "admin")
        reads = asked.get("reads", among=("", "1"))
        await asyncio.to_thread(asked.store.note, wall(), asked.visitor.author, "export", "audit")
        rows = _lines(asked, reads=reads == "1")
        return exported(form_of(request), "gatewatch.audit", _COLUMNS, rows, {"reads": reads})

    # How it looks

    async def look(self, request: Request) -> Response:
        asked = await self.house.enter(request)
        parts = await asyncio.to_thread(settings_facts.parts)
        about = settings_facts.about(asked.project)
        return await self.page(asked, "look", parts=parts, about=about, themes=THEMES, densities=DENSITIES)

    async def set_look(self, request: Request) -> Response:
        """Keep a theme or a density in the browser, as the keys `t` and `d` do."""
        asked = await self.house.enter(request)
        said, reply = await form(request), answers.elsewhere(asked.url("/settings/look"))
        path = root_of(request) or "/"
        for name, among in (("theme", THEMES), ("density", DENSITIES)):
            value = said.get(name, "none")
            if value in among:
                reply.set_cookie(f"gatewatch_{name}", value, max_age=_YEAR_S, path=path, samesite="lax")
            elif not value:
                reply.delete_cookie(f"gatewatch_{name}", path=path, samesite="lax")
        return reply


def _lines(asked: Asked, *, reads: bool) -> Iterator[dict[str, Any]]:
    """All lines of the audit, the newest first."""
    before = 0
    while True:
        some: list[Audited] = asked.store.audited(before=before, most=500, reads=reads)
        for each in some:
            yield {"id": each.id, "at": each.at, "who": each.who, "action": each.action, "what": each.what}
        if len(some) < 500:
            return
        before = some[-1].id


def find(asked: Asked, text: str) -> list[Found]:
    """Parts of the settings whose name has a text in it."""
    words = text.lower()
    return [
        Found(f"{title}", "settings", path)
        for key, title, path in _TABS
        if words in title.lower() and (key not in _FOR_ADMINS or asked.may("admin"))
    ]


def routes(house: House) -> list[Route]:
    """The routes of the settings."""
    desk = _Desk(house)
    return [
        Route("/settings", desk.health),
        Route("/settings/config", desk.config),
        Route("/settings/channels", desk.channels, methods=["GET"]),
        Route("/settings/channels", desk.test, methods=["POST"]),
        Route("/settings/access", desk.access),
        Route("/settings/access/revoke", desk.revoke, methods=["POST"]),
        Route("/settings/access/end", desk.end, methods=["POST"]),
        Route("/settings/audit", desk.audit),
        Route("/settings/audit.{form}", desk.audit_file),
        Route("/settings/look", desk.look, methods=["GET"]),
        Route("/settings/look", desk.set_look, methods=["POST"]),
    ]


SCREEN = Screen(
    key="settings",
    path="/settings",
    title="Settings",
    group="House",
    icon="settings",
    chord=",",
    routes=routes,
    find=find,
)
