"""The menu: what is offered for a few letters, or for a whole id that was pasted."""

import asyncio
import logging

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.core.errors import GatewatchError
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.house import Found, House

_log = logging.getLogger("gatewatch")
_MOST = 12
_LONGEST = 200


def routes(house: House) -> list[Route]:
    """The menu as a part of any page, and as a page of its own where scripts are off."""

    async def menu(request: Request) -> Response:
        asked = await house.enter(request)
        text = asked.get("q", longest=_LONGEST).strip()
        found = await asyncio.to_thread(offered, house, asked, text)
        if asked.fragment:
            return await house.fragment(asked, "shell/menu_found.html", found=found, text=text)
        return await house.page(asked, "shell/menu.html", title="Menu", found=found, text=text)

    return [Route("/menu", menu)]


def offered(house: House, asked: Asked, text: str) -> list[Found]:
    """What the menu offers for a text: screens whose name it begins or has, then what they find."""
    words = text.lower()
    named = [each for each in house.screens if words in each.title.lower()]
    named.sort(key=lambda each: not each.title.lower().startswith(words))
    found = [Found(each.title, "screen", each.path) for each in named]
    if text:
        for screen in house.screens:
            if screen.find is not None:
                try:
                    found += screen.find(asked, text)
                except GatewatchError as error:  # what others find is found all the same
                    _log.warning("the menu found nothing of %s: %s", screen.title, error)
    # A thing that is called exactly so is what was pasted.
    found.sort(key=lambda each: each.title != text)
    return found[:_MOST]
