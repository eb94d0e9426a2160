"""What a browser shows: the cookie of a visit, whose page sent a request, and the mark that our own forms bear.

The cookie is `SameSite=Lax`, not `Strict`: a link in a mail or a chat leads a reviewer to the page that it names. What
comes of another site's doing is looking at a page, which changes nothing but the audit: what an address does besides
(review's gives an item to who opens it) it does only for whom no other site sent there, see `by_own_will`. Whatever
else changes something is refused unless a page of ours sends it (`Sec-Fetch-Site`, or `Origin`) and bears the mark,
which no other page can read.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import sha256
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from gatewatch.store.visits import LONGEST_S
from gatewatch.web.within import root_of

_BYTES = 32


def cookie_name(request: Request) -> str:
    """What the cookie is called. Over TLS a prefix keeps pages of other hosts from setting it; without, servers at
    several ports of one machine share a browser's cookies, so that each has its own."""
    if request.url.scheme == "https":
        return "__Secure-gatewatch" if root_of(request) else "__Host-gatewatch"
    return f"gatewatch-{request.url.port}" if request.url.port else "gatewatch"


def cookie_of(request: Request) -> str:
    """The secret of the visit that a request claims to be of, or ""."""
    return request.cookies.get(cookie_name(request), "")


def let_in(request: Request, reply: Response, secret: str) -> None:
    """Have a browser keep a visit's secret."""
    reply.set_cookie(
        cookie_name(request),
        secret,
        max_age=int(LONGEST_S),
        path=root_of(request) or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


def let_out(request: Request, reply: Response) -> None:
    """Have a browser forget it."""
    reply.delete_cookie(
        cookie_name(request),
        path=root_of(request) or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="lax",
    )


# Whose page


def of_browser(request: Request) -> bool:
    """Whether a page sent a request, as browsers tell, and not a program."""
    return "sec-fetch-site" in request.headers or "origin" in request.headers


def by_own_page(request: Request) -> bool:
    """Whether a page of this server sent a request that changes something, as far as the browser tells."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:  # which browsers tell over TLS and on loopback
        return site == "same-origin"
    origin = urlsplit(request.headers.get("origin", ""))
    schemes = ("https",) if request.url.scheme == "https" else ("http", "https")  # a proxy may have taken off the TLS
    return bool(origin.netloc) and origin.netloc == request.headers.get("host", "") and origin.scheme in schemes


def by_foreign_page(request: Request) -> bool:
    """Whether another site's page sent a request for something to look at, other than by leading there."""
    foreign = request.headers.get("sec-fetch-site") in ("cross-site", "same-site")
    return foreign and request.headers.get("sec-fetch-mode") != "navigate"


def ahead(request: Request) -> bool:
    """Whether a browser asks for something before anybody goes there, as it may when a pointer is over a link."""
    told = (request.headers.get(name, "") for name in ("sec-purpose", "purpose", "x-moz"))
    return any(each.lower().startswith("prefetch") for each in told)


def by_own_will(request: Request) -> bool:
    """Whether somebody goes to a page by its address or by a link of this server, as far as can be told: no other
    site sent them there, and no browser asks ahead of them."""
    headers = request.headers
    if ahead(request):
        return False
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("none", "same-origin")
    # A bearer, and a header of our scripts, are nothing that a foreign page can have a browser send.
    if "authorization" in headers or "x-gatewatch-fragment" in headers:
        return True
    return urlsplit(headers.get("referer", "")).netloc == headers.get("host", "")


# The mark


def key_of(secret: str) -> bytes:
    """The key for the marks of a visit."""
    return hmac.digest(secret.encode(), b"gatewatch form", "sha256")


def mark(key: bytes, project: str) -> str:
    """A mark for the forms of a project's pages: another each time, so that how well a page is packed tells nothing."""
    mask = secrets.token_bytes(_BYTES)
    return urlsafe_b64encode(mask + _xor(mask, _mark(key, project))).decode()


def is_mark(text: str, key: bytes, project: str) -> bool:
    """Whether a text is a mark for a project's forms."""
    try:
        data = urlsafe_b64decode(text.encode("ascii"))
    except (Error, ValueError):
        return False
    return hmac.compare_digest(_xor(data[:_BYTES], data[_BYTES:]), _mark(key, project)) and len(data) == 2 * _BYTES


def _mark(key: bytes, project: str) -> bytes:
    return hmac.digest(key, project.encode(), sha256)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=False))
