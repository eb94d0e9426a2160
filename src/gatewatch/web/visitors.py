"""Who asks: the token that a request bears, its project, and what its role may do.

What a token is good for is looked up at most every second; the secrets themselves are kept nowhere, and appear in
no log.
"""

import asyncio
import binascii
import hashlib
from base64 import b64decode
from collections.abc import Callable
from typing import Literal

from msgspec import Struct
from starlette.requests import Request

from gatewatch.store import access
from gatewatch.store.database import Database
from gatewatch.web.refusals import Refused

Need = Literal["ingest", "feedback", "push", "read", "review"]
MAY: dict[Need, frozenset[access.Role]] = {
    "ingest": frozenset({"ingest", "admin"}),
    "feedback": frozenset({"feedback", "ingest", "admin"}),
    "push": frozenset({"ingest", "review", "admin"}),
    "read": frozenset({"read", "review", "admin"}),
    "review": frozenset({"review", "admin"}),
}
"""Which roles may do what."""

KNOWN_S = 1.0
"""For how long what was found out about a token is believed."""
_MOST = 2000
_CHALLENGE = {"www-authenticate": 'Bearer realm="gatewatch"'}


class Visitor(Struct, frozen=True):
    """Who asks: a project, a role, and the token's id ("" where the server is open)."""

    project: str
    role: access.Role
    token: str = ""


class Visitors:
    """Finds out who asks.

    Args:
        base: gives the base of the store, where tokens are.
        clock: gives seconds since the epoch.
        own: the project that whoever asks has where the server is open.
        open_: whether to ask for no token: "always", "untokened" (as long as there is none) or "never".
    """

    def __init__(
        self,
        base: Callable[[], Database],
        clock: Callable[[], float],
        *,
        own: str,
        open_: Literal["always", "untokened", "never"],
    ) -> None:
        self._base, self._clock = base, clock
        self._own, self._open = own, open_
        self._seen: dict[bytes, tuple[access.Token, float]] = {}
        self._none_yet = (False, -KNOWN_S)

    async def who(self, request: Request, need: Need) -> Visitor:
        """Who sent a request that needs a role.

        Raises:
            Refused: 401 without a token that is good, 403 with one that may not do this.
            StoreError: tokens cannot be looked up.
        """
        if self._open == "always" or (self._open == "untokened" and await self._untokened()):
            return Visitor(self._own, "admin")
        secret = _secret(request.headers.get("authorization", ""))
        if not secret:
            hint = "send it as Authorization: Bearer; `gatewatch token create` makes one"
            raise Refused(401, "a token is needed", reason="no token", hint=hint, headers=_CHALLENGE)
        token = await self._known(secret)
        if token is None:
            raise Refused(401, "the token is not known", reason="unknown token", headers=_CHALLENGE)
        if flaw := token.flaw(self._clock()):
            raise Refused(401, f"the token {flaw}", reason="token of no use", headers=_CHALLENGE)
        if token.role not in MAY[need]:
            roles = ", ".join(sorted(MAY[need]))
            what = f"a token of role {token.role} may not do this"
            raise Refused(403, what, reason="role", hint=f"it takes one of: {roles}")
        return Visitor(token.project, token.role, token.id)

    async def _known(self, secret: str) -> access.Token | None:
        key, now = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest(), self._clock()
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
