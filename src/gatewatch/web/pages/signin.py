"""Where people sign in and out, and where the link leads that a server prints at its start.

GET  /signin     ?next=: a form for a token and a name
POST /signin     token, name, next: begins a visit
POST /signout    ends it
GET  /enter      ?key=: begins the visit of whoever started the server, once
"""

import asyncio
from ipaddress import ip_address

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.core.clock import wall
from gatewatch.store.visits import Place
from gatewatch.web import cookies
from gatewatch.web.forms import form
from gatewatch.web.pages import answers
from gatewatch.web.pages.house import House
from gatewatch.web.rate import Rate
from gatewatch.web.refusals import Refused
from gatewatch.web.visitors import MAY, Visitor
from gatewatch.web.within import own_address, root_of

A_MINUTE = 20
"""How often an address may try to sign in within a minute, and how often at once."""
NOTED_A_MINUTE = 100
"""How many refused tries of all addresses are noted within a minute; all are counted."""
_MOST_BYTES = 20_000
_LONGEST_NAME = 100


class Tried(Struct, frozen=True, kw_only=True):
    """What the page for signing in shows: where it leads on to, and what was wrong with the last try.

    `wrong` is the field that was.
    """

    next: str
    name: str = ""
    error: str = ""
    wrong: str = ""


class _Door:
    def __init__(self, house: House) -> None:
        self._house = house
        self._host = house.host
        self._visitors = self._host.visitors
        self._rate = Rate(A_MINUTE, wall)
        self._noting = Rate(NOTED_A_MINUTE, wall)

    async def look(self, request: Request) -> Response:
        """The page for signing in; where nobody has to, the page that was meant."""
        next_ = own_address(request.query_params.get("next", ""), root_of(request))
        if await self._visitors.open():
            return answers.elsewhere(next_)
        return await self._page(request, Tried(next=next_))

    async def sign_in(self, request: Request) -> Response:
        """Begin a visit with a token. What is wrong with one that is not taken is not told."""
        if not cookies.by_own_page(request):
            raise Refused(403, "a page of another site may not sign you in", reason="origin")
        root, address = root_of(request), _address(request)
        if wait := self._rate.wait(address):
            error = f"That was tried too often. Try again in {round(wait) + 1} s."
            reply = await self._page(request, Tried(next=f"{root}/", error=error), 429)
            reply.headers["retry-after"] = str(round(wait) + 1)
            return reply
        said = await form(request, _MOST_BYTES)
        next_, name = own_address(said.get("next", ""), root), said.get("name", "").strip()
        shown = name if name.isprintable() else ""
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            error = f"Say who you are: a name of one line, of {_LONGEST_NAME} letters at most."
            return await self._page(request, Tried(next=next_, error=error, wrong="name"), 422)
        token = await self._visitors.token(said.get("token", "").strip())
        if token is None:
            if not self._noting.wait(""):  # whoever tries from many places does not fill the audit
                await self._note(self._host.serving.own, "", "sign-in refused", address)
            self._host.metrics.count("gatewatch_refused_total", reason="sign-in")
            error = "This token is not taken."
            return await self._page(request, Tried(next=next_, name=shown, error=error, wrong="token"), 401)
        if token.role not in MAY["read"]:
            error = f"A token of role {token.role} is for sending: it does not open the pages."
            return await self._page(request, Tried(next=next_, name=shown, error=error, wrong="token"), 403)
        place = Place(token.project, token.role, token.id)
        before = await self._visitors.visit(request)
        more = before is not None and before.who == name and {each.project for each in before.places} != {place.project}
        secret = await self._visitors.begin(request, place, name)
        await self._note(place.project, Visitor(place.project, place.role, token.id, name).author, "sign-in", address)
        if next_ == f"{root}/" and more:  # what is new is shown, where several are there
            next_ = f"{root}/in/{place.project}/"
        reply = answers.elsewhere(next_)
        cookies.let_in(request, reply, secret)
        return reply

    async def sign_out(self, request: Request) -> Response:
        """End the visit, and forget the cookie."""
        visitor = await self._visitors.who(request, "read")
        await self._visitors.end(request)
        if visitor.places:
            await self._note(visitor.project, visitor.author, "sign-out", "")
        reply = answers.elsewhere(f"{root_of(request)}/signin")
        cookies.let_out(request, reply)
        return reply

    async def enter(self, request: Request) -> Response:
        """Begin the visit of whoever has the link that the server printed."""
        if request.method == "HEAD":  # which looks, and is not to use up the key
            raise Refused(405, "the link is opened, not looked at")
        secret = await self._visitors.enter(request, request.query_params.get("key", ""))
        if not secret and (await self._visitors.open() or await self._visitors.visit(request) is not None):
            return answers.elsewhere(f"{root_of(request)}/")  # opened again by whoever it let in
        if not secret:
            error = "This link was used, or is older than 15 minutes. Start the server again for another, or sign in."
            return await self._page(request, Tried(next=f"{root_of(request)}/", error=error), 401)
        await self._note(self._host.serving.own, self._visitors.account, "sign-in", "by the link of the server")
        reply = answers.elsewhere(f"{root_of(request)}/")
        reply.headers["referrer-policy"] = "no-referrer"  # the key is good for nothing by now, and is told nobody
        cookies.let_in(request, reply, secret)
        return reply

    async def _page(self, request: Request, tried: Tried, status: int = 200) -> Response:
        visit = await self._visitors.visit(request)
        mark = cookies.mark(cookies.key_of(cookies.cookie_of(request)), visit.places[0].project) if visit else ""
        data = {"tried": tried, "visit": visit, "mark": mark}
        return await self._house.plain(request, "shell/signin.html", title="Sign in", status=status, **data)

    async def _note(self, project: str, who: str, action: str, what: str) -> None:
        served = await self._host.served(project)
        await asyncio.to_thread(served.store.note, wall(), who, action, what)


def routes(house: House) -> list[Route]:
    """The routes of signing in and out."""
    door = _Door(house)
    return [
        Route("/signin", door.look, methods=["GET"]),
        Route("/signin", door.sign_in, methods=["POST"]),
        Route("/signout", door.sign_out, methods=["POST"]),
        Route("/enter", door.enter, methods=["GET"]),
    ]


def _address(request: Request) -> str:
    """Where a request comes from: of IPv6 the network, of which everybody has all addresses."""
    host = request.client.host if request.client is not None else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return host if address.version == 4 else f"{address.exploded[:19]}::/64"
