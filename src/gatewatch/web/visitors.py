"""Who asks: the token that a request bears, or the visit of somebody who signed in; their project, and what their role
may do.

What a token or a visit is good for is looked up at most every second; the secrets themselves are kept nowhere, and
appear in no log. A program bears a token. A page has a visit, by a cookie, which takes more care: a browser shows it
whoever's page sends the request (see `web.cookies`).
"""

import asyncio
import binascii
import hashlib
import secrets
from base64 import b64decode
from collections.abc import Callable
from typing import Literal
from urllib.parse import quote, urlsplit

from msgspec import Struct
from starlette.requests import Request

from gatewatch.store import access, visits
from gatewatch.store.database import Database
from gatewatch.store.visits import Place, Visit
from gatewatch.web import cookies
from gatewatch.web.forms import form, is_form
from gatewatch.web.refusals import Refused
from gatewatch.web.within import address_of, of_programs, own_address, project_of, root_of

Need = Literal["ingest", "feedback", "push", "read", "review", "admin"]
MAY: dict[Need, frozenset[access.Role]] = {
    "ingest": frozenset({"ingest", "admin"}),
    "feedback": frozenset({"feedback", "ingest", "admin"}),
    "push": frozenset({"ingest", "review", "admin"}),
    "read": frozenset({"read", "review", "admin"}),
    "review": frozenset({"review", "admin"}),
    "admin": frozenset({"admin"}),
}
"""Which roles may do what."""

KNOWN_S = 1.0
"""For how long what was found out about a token or a visit is believed."""
LINK_S = 900.0
"""For how long the link that a server prints lets somebody in, in seconds."""
MARK = "x-gatewatch-csrf"
"""The header that bears the mark of a page of ours, where it is in no field `csrf` of a form."""
FRAGMENT = "x-gatewatch-fragment"
"""The header by which a page's own script asks for a part of it; its value says which."""
_MOST = 2000
_CHALLENGE = {"www-authenticate": 'Bearer realm="gatewatch"'}
_SAFE = ("GET", "HEAD")


class Visitor(Struct, frozen=True):
    """Who asks: a project, a role, and the token's id ("" where there is none).

    `name` is who they say they are, at a page. `places` are all projects that they are signed in to, and `key` is what
    the marks of their forms are made with.
    """

    project: str
    role: access.Role
    token: str = ""
    name: str = ""
    places: tuple[Place, ...] = ()
    key: bytes = b""

    @property
    def author(self) -> str:
        """Who it is, as the audit has it: the name and the token, as far as there are such."""
        return f"{self.name} (token {self.token})" if self.name and self.token else self.name or self.token

    def may(self, need: Need) -> bool:
        """Whether the role may do something."""
        return self.role in MAY[need]

    def csrf(self) -> str:
        """A mark for a form, or for the header of a request that a page sends."""
        return cookies.mark(self.key, self.project)


class Visitors:
    """Finds out who asks.

    Args:
        base: gives the base of the store, where tokens and visits are.
        clock: gives seconds since the epoch.
        own: the project that whoever asks has where the server is open.
        open_: whether to ask for no token: "always", "untokened" (as long as there is none) or "never".
        account: who is at this machine, where nobody else reaches the server.
    """

    def __init__(
        self,
        base: Callable[[], Database],
        clock: Callable[[], float],
        *,
        own: str,
        open_: Literal["always", "untokened", "never"],
        account: str = "",
    ) -> None:
        self._base, self._clock = base, clock
        self._own, self._open, self.account = own, open_, account
        self._seen: dict[bytes, tuple[access.Token, float]] = {}
        self._here: dict[bytes, tuple[Visit, float]] = {}
        self._links: dict[bytes, float] = {}
        self._none_yet = (False, -KNOWN_S)
        self._key = secrets.token_bytes(32)

    async def who(self, request: Request, need: Need) -> Visitor:
        """Who sent a request that needs a role.

        Raises:
            Refused: 401 without a token that is good, 403 with one that may not do this, or where another site's page
                sent the request, or the mark of our own is missing; 303 to the page where a person signs in, or to
                the same page of the project that is meant; 404 for a project that the path names and they do not see.
            StoreError: tokens cannot be looked up.
        """
        if await self.open():
            return await self._at_open(request, need)
        secret = _secret(request.headers.get("authorization", ""))
        if need not in ("ingest", "feedback") and not secret.startswith("gw_"):  # what else there is may be a proxy's
            visit = await self.visit(request)
            if visit is not None:
                return await self._of_visit(request, visit, need)
            if not secret:
                _to_sign_in(request)
        if not secret:
            hint = "send it as Authorization: Bearer; `gatewatch token create` makes one"
            raise Refused(401, "a token is needed", reason="no token", hint=hint, headers=_CHALLENGE)
        token = await self._known(secret)
        if token is None:
            raise Refused(401, "the token is not known", reason="unknown token", headers=_CHALLENGE)
        if flaw := token.flaw(self._clock()):
            raise Refused(401, f"the token {flaw}", reason="token of no use", headers=_CHALLENGE)
        visitor = Visitor(token.project, token.role, token.id)
        _meant(request, visitor)
        return _allowed(visitor, need, "a token")

    async def open(self) -> bool:
        """Whether whoever asks is let in."""
        return self._open == "always" or (self._open == "untokened" and await self._untokened())

    # Visits

    async def visit(self, request: Request) -> Visit | None:
        """The visit that a request's cookie is of, if it goes on."""
        secret = cookies.cookie_of(request)
        if not secret:
            return None
        key, now = _digest(secret), self._clock()
        seen = self._here.get(key)
        if seen is None or not 0 <= now - seen[1] < KNOWN_S:
            self._here.pop(key, None)
            found = await asyncio.to_thread(lambda: visits.find(self._base(), secret, now))
            if found is None:
                return None
            if len(self._here) >= _MOST:
                self._here.clear()
            seen = self._here[key] = (found, now)
        return seen[0]

    async def begin(self, request: Request, place: Place, who: str) -> str:
        """Begin a visit in the browser that sent a request, and give its secret. The one before it ends, so that nobody
        who knew its secret is let in."""
        before = cookies.cookie_of(request)
        self._here.pop(_digest(before), None)
        now = self._clock()
        return await asyncio.to_thread(lambda: visits.begin(self._base(), place, who, now, before=before))

    async def end(self, request: Request) -> None:
        """End the visit that a request is of."""
        secret = cookies.cookie_of(request)
        self._here.pop(_digest(secret), None)
        await asyncio.to_thread(lambda: visits.end(self._base(), secret))

    async def end_all(self, project: str) -> int:
        """End every visit to a project, and say how many those were."""
        self._here.clear()
        return await asyncio.to_thread(lambda: visits.end_those_to(self._base(), project))

    async def token(self, secret: str) -> access.Token | None:
        """The token that a secret is of, if it is good."""
        found = await self._known(secret)
        return found if found is not None and not found.flaw(self._clock()) else None

    def link(self) -> str:
        """A key that lets whoever has it in as an admin, once and within 15 minutes (see `enter`)."""
        key = secrets.token_urlsafe(32)
        self._links[_digest(key)] = self._clock() + LINK_S
        return key

    async def enter(self, request: Request, key: str) -> str:
        """Begin a visit with the key of a link, and give its secret: "" where the key is good for nothing."""
        if self._links.pop(_digest(key), 0.0) <= self._clock():
            return ""
        return await self.begin(request, Place(self._own, "admin", ""), self.account)

    async def _of_visit(self, request: Request, visit: Visit, need: Need) -> Visitor:
        named = project_of(request)
        if not named and len(visit.places) > 1 and request.method in _SAFE and _is_navigation(request):
            root = root_of(request)
            where = f"{root}/in/{visit.places[0].project}{address_of(request).removeprefix(root)}"
            raise Refused(303, "which project is meant is in the address", headers={"location": where})
        place = next((each for each in visit.places if each.project == (named or visit.places[0].project)), None)
        if place is None:
            raise _no_project(named)
        key = cookies.key_of(cookies.cookie_of(request))
        visitor = Visitor(place.project, place.role, place.token, visit.who, visit.places, key)
        await _by_our_page(request, visitor)
        return _allowed(visitor, need, f"{visit.who}, who is signed in")

    async def _at_open(self, request: Request, need: Need) -> Visitor:
        visitor = Visitor(self._own, "admin", name=self.account, key=self._key)
        _meant(request, visitor)
        if need in ("ingest", "feedback") or (of_programs(request) and not cookies.of_browser(request)):
            return visitor  # a program; or feedback, of which pages send it is told elsewhere
        await _by_our_page(request, visitor)
        return visitor

    # Tokens

    async def _known(self, secret: str) -> access.Token | None:
        key, now = _digest(secret), self._clock()
        seen = self._seen.get(key)
        if seen is None or not 0 <= now - seen[1] < KNOWN_S:
            token = await asyncio.to_thread(lambda: access.known(self._base(), secret, now))
            if token is None:
                return None
            if len(self._seen) >= _MOST:
                self._seen.clear()
            seen = self._seen[key] = (token, now)
        return seen[0]

    async def _untokened(self) -> bool:
        """Whether no token was ever made; once there is one, this is over."""
        now = self._clock()
        if not (self._none_yet[0] and 0 <= now - self._none_yet[1] < KNOWN_S):
            none_yet = not await asyncio.to_thread(lambda: access.any_token(self._base()))
            if not none_yet:
                self._open = "never"
            self._none_yet = none_yet, now
        return self._none_yet[0]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def _allowed(visitor: Visitor, need: Need, what: str) -> Visitor:
    if not visitor.may(need):
        roles = ", ".join(sorted(MAY[need]))
        raise Refused(
            403, f"{what} of role {visitor.role} may not do this", reason="role", hint=f"it takes one of: {roles}"
        )
    return visitor


def _meant(request: Request, visitor: Visitor) -> None:
    if project_of(request) not in ("", visitor.project):
        raise _no_project(project_of(request))


def _no_project(name: str) -> Refused:
    hint = "sign in with a token of it, too, if you have one"
    return Refused(404, f"you see no project {name}", reason="project", hint=hint)


async def _by_our_page(request: Request, visitor: Visitor) -> None:
    """See that no page of another site sends a request in somebody's name.

    Raises:
        Refused: one does, or the mark of our pages is missing.
    """
    if request.method in _SAFE:
        foreign = cookies.by_foreign_page(request)
        if foreign or (of_programs(request) and request.headers.get("sec-fetch-site") in ("cross-site", "same-site")):
            raise Refused(403, "a page of another site may not look at this", reason="origin")
        return
    if not cookies.by_own_page(request):
        raise Refused(403, "a page of another site may not do this", reason="origin")
    said = request.headers.get(MARK, "")
    if not said and is_form(request):
        said = (await form(request)).get("csrf", "")
    if not cookies.is_mark(said, visitor.key, visitor.project):
        hint = "load the page again, then try again"
        raise Refused(403, "this page is older than your signing in, or of another project", reason="csrf", hint=hint)


def _is_navigation(request: Request) -> bool:
    """Whether somebody goes to a page, by a link or an address."""
    headers = request.headers
    goes = headers.get("sec-fetch-mode", "navigate") == "navigate" and FRAGMENT not in headers
    return goes and not of_programs(request) and "text/html" in headers.get("accept", "")


def _to_sign_in(request: Request) -> None:
    """Lead a person who goes to a page to where they sign in, and from there back.

    Raises:
        Refused: with where that is.
    """
    if not _is_navigation(request):
        return
    root, address = root_of(request), address_of(request)
    if request.method not in _SAFE:  # of a form that was open for too long the page comes back, not what it sent
        address = urlsplit(request.headers.get("referer", "")).path
    address = own_address(address, root)
    where = f"{root}/signin" + ("" if address == f"{root}/" else f"?next={quote(address, safe='/')}")
    raise Refused(303, "sign in first", reason="signed out", headers={"location": where})


def _secret(header: str) -> str:
    """The secret that a header bears: a bearer's, or the password of basic authentication, as some clients have it."""
    kind, _, rest = header.strip().partition(" ")
    rest = rest.strip()
    if kind.lower() == "bearer":
        return rest
    if kind.lower() != "basic":
        return ""
    try:
        return b64decode(rest, validate=True).decode("latin-1").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
