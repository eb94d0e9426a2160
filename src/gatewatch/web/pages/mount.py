"""The pages of a server, as routes."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.core import codec
from gatewatch.web.pages import answers, menu, signin
from gatewatch.web.pages.house import House

_SPEC = codec.encode({"prefetch": [{"where": {"selector_matches": "a[data-ahead]"}, "eagerness": "moderate"}]})


def routes(house: House) -> list[Route]:
    """Every page there is: the screens', the files', the menu, and what leads in."""

    async def first(request: Request) -> Response:
        asked = await house.enter(request)
        if house.screens:
            return answers.elsewhere(asked.url(house.screens[0].path))
        return answers.elsewhere(asked.url("/start"))

    async def start(request: Request) -> Response:
        return await house.page(await house.enter(request), "shell/start.html", title="Getting started")

    async def ahead(_: Request) -> Response:
        headers = answers.SAFE | {"cache-control": "max-age=3600"}
        return Response(_SPEC, 200, headers, "application/speculationrules+json")

    found = [Route("/", first)] if all(screen.path != "/" for screen in house.screens) else []
    found += [
        Route("/start", start),
        Route("/spec.json", ahead),
        *menu.routes(house),
        *signin.routes(house),
        *house.static.routes(),
    ]
    for screen in house.screens:
        found += screen.routes(house)
    return found
