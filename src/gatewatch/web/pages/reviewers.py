"""Who reviews at a page: as they signed in, or, where nobody signs in, by the name that a browser is asked for once."""

from urllib.parse import quote, unquote

from starlette.responses import Response

from gatewatch.loop.review import name_of
from gatewatch.web.pages.asked import Asked

_COOKIE = "gatewatch_reviewer"
_YEAR_S = 31_536_000


def reviewer_of(asked: Asked) -> str:
    """The name that labels are kept under; "" where nobody knows it yet."""
    for given in (asked.visitor.name, unquote(asked.request.cookies.get(_COOKIE, ""))):
        try:
            return name_of(given)
        except ValueError:
            continue
    return ""


def account_of(asked: Asked) -> str:
    """Who is noted in the audit: the token and the name, as far as there are such."""
    return asked.visitor.author or reviewer_of(asked) or "somebody at the pages"


def remember(asked: Asked, reply: Response, name: str) -> None:
    """Have the browser keep a name.

    Raises:
        ValueError: it is no name.
    """
    root = asked.request.scope.get("root_path", "")
    secure = asked.request.url.scheme == "https"
    reply.set_cookie(
        _COOKIE, quote(name_of(name)), max_age=_YEAR_S, path=root or "/", secure=secure, httponly=True, samesite="lax"
    )
