"""Names that others gave, in addresses: each is found again by its address, and none leads elsewhere."""

import asyncio
from urllib.parse import urljoin

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatewatch.web.pages.asked import address
from gatewatch.web.pages.segments import named, segment
from gatewatch.web.pages.templating import environment

NAMES = ["a", "..", ".", "../../v1/items", "x/similar", "<b>a%2F?#'q", "x/y?<b>#%", "é ü", "+", "//else.example"]


async def _said(request: Request) -> Response:
    return PlainTextResponse(f"{named(request, 'trace')} {request.query_params.get('tab')}")


async def _linked(name: str) -> str:
    """What the page behind a name's link takes its name to be."""
    given = Request({"type": "http", "root_path": "", "headers": []})
    link = urljoin("http://server/traces", address(given, f"/traces/{segment(name)}", {"tab": "raw"}))
    assert link.startswith("http://server/traces/")
    app = Starlette(routes=[Route("/traces/{trace:path}", _said)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        return (await client.get(link)).text


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_found_again(name: str) -> None:
    assert asyncio.run(_linked(name)) == f"{name} raw"


def test_templates_write_it_in_the_same_way() -> None:
    made = environment().from_string("{{ name|urlencode }}")
    assert made.render(name="x/<y>") == segment("x/<y>") == "x%2F%3Cy%3E"
