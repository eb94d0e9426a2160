"""What a server does not take, and how it says so: JSON with what was wrong, where, and what to do.

A refusal that another try may change (429, 503) says when to come again.
"""

from starlette.requests import Request
from starlette.responses import Response

from gatewatch.core import codec
from gatewatch.core.errors import did_you_mean

LATER_S = 2
"""After how many seconds to come again, where nothing better is known."""


class Refused(Exception):  # noqa: N818 - what the server did
    """A request is not taken. `where` is the part of it that is wrong; `retry_s` says when another try may do."""

    def __init__(
        self,
        status: int,
        what: str,
        *,
        reason: str = "",
        where: str = "",
        hint: str = "",
        retry_s: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(what)
        self.status, self.what, self.where, self.hint = status, what, where, hint
        self.reason = reason or str(status)
        self.headers = dict(headers or {})
        if retry_s is not None:
            self.headers["retry-after"] = str(max(1, round(retry_s)))


def refusal(refused: Refused) -> Response:
    """The reply that says it."""
    told = {"error": refused.what, "where": refused.where, "hint": refused.hint}
    body = codec.encode({key: value for key, value in told.items() if value})
    return Response(body, refused.status, refused.headers, "application/json")


def known_parameters(request: Request) -> None:
    """Refuse what a route does not know behind the question mark, which would be passed over.

    Raises:
        Refused: there is such.
    """
    known = [each.alias for each in request.scope["route"].dependant.query_params]
    if unknown := sorted(set(request.query_params) - set(known)):
        what = f"{unknown[0][:40]!r} is not known here"
        hint = did_you_mean(unknown[0][:40], known) if known else "it knows none"
        raise Refused(422, what, where="query", hint=hint)


def as_json(value: object, status: int = 200) -> Response:
    """A reply of plain values or structs."""
    return Response(codec.encode(value), status, media_type="application/json")
