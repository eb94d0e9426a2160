"""A screen for tests of what all screens share: things on a shelf, in rows that open, with filters and an export."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.exports import exported, form_of
from gatewatch.web.pages.house import Found, House, Screen
from gatewatch.web.refusals import Refused

WINDOW = 48
HOSTILE = [
    "<script>document.title='taken'</script>",
    '"><svg onload=alert(1)>',
    "=HYPERLINK(0)",
    "\u202egnp.exe\u202c",
    "\x1b[31mred\x1b[0m\x00",
    "![a](http://elsewhere.example/x.png)",
    "\ud800 alone",
]
THINGS: list[dict[str, Any]] = [
    {
        "id": f"t-{n}",
        "name": HOSTILE[n] if n < len(HOSTILE) else f"thing {n}",
        "kind": ("cup", "plate")[n % 2],
        "drop": -n / 400,
    }
    for n in range(200)
]


def chosen(asked: Asked) -> dict[str, str]:
    return {
        "q": asked.get("q"),
        "kind": asked.get("kind", among=("cup", "plate")),
        "sort": asked.get("sort", among=("name",)),
    }


def matching(by: dict[str, str]) -> list[dict[str, Any]]:
    found = [each for each in THINGS if by["q"].lower() in each["name"].lower() and by["kind"] in ("", each["kind"])]
    return sorted(found, key=lambda each: str(each["name"])) if by["sort"] else found


def routes(house: House) -> list[Route]:
    loader = house.templates.loader
    assert isinstance(loader, FileSystemLoader)
    loader.searchpath.append(str(Path(__file__).parent / "templates"))

    async def shelf(request: Request) -> Response:
        asked = await house.enter(request)
        by = chosen(asked)
        found, offset = matching(by), asked.number("offset")
        data: dict[str, Any] = {
            "by": by,
            "rows": found[offset : offset + WINDOW],
            "offset": offset,
            "after": offset + WINDOW,
            "n": len(found),
            "all": len(THINGS),
        }
        if asked.fragment:
            return await house.fragment(asked, "shelf_parts.html", **data)
        return await house.page(asked, "shelf.html", title="Shelf", screen="shelf", **data)

    async def thing(request: Request) -> Response:
        asked = await house.enter(request)
        one = next((each for each in THINGS if each["id"] == request.path_params["thing"]), None)
        if one is None:
            raise Refused(404, f"there is no thing {request.path_params['thing']!r}")
        if asked.fragment:
            return await house.fragment(asked, "thing.html", one=one)
        return await house.page(asked, "thing_page.html", title=one["id"], screen="shelf", one=one)

    async def export(request: Request) -> Response:
        asked = await house.enter(request)
        by, form = chosen(asked), form_of(request)
        rows: Iterator[dict[str, Any]] = iter(matching(by))
        return exported(form, "gatewatch.things", ["id", "name", "kind", "drop"], rows, by)

    async def live(request: Request) -> Response:
        asked = await house.enter(request)
        house.__dict__["looked"] = looked = house.__dict__.get("looked", 0) + 1
        data = {"looked": looked, "rows": THINGS[10 - min(looked, 3) : 20]}
        if asked.fragment:
            return await house.fragment(asked, "live_parts.html", **data)
        return await house.page(asked, "live.html", title="Live", **data)

    async def long(request: Request) -> Response:
        asked = await house.enter(request)
        text = "long " * 100_000 + "end"
        if asked.fragment or asked.get("whole"):
            return await house.fragment(asked, "long_whole.html", text=text)
        return await house.page(asked, "long.html", title="Long", text=text)

    async def fault(request: Request) -> Response:
        await house.enter(request)
        raise RuntimeError("nobody foresaw this")

    return [
        Route("/shelf", shelf),
        Route("/shelf/live", live),
        Route("/shelf/long", long),
        Route("/shelf/fault", fault),
        Route("/shelf/{thing}", thing),
        Route("/shelf.{form}", export),
    ]


def find(asked: Asked, text: str) -> list[Found]:
    return [
        Found(each["name"], "thing", f"/shelf/{each['id']}") for each in THINGS if text in (each["id"], each["name"])
    ]


SHELF = Screen(
    key="shelf",
    path="/shelf",
    title="Shelf",
    group="Loop",
    icon="datasets",
    chord="h",
    routes=routes,
    badge=lambda _: 3,
    find=find,
)
