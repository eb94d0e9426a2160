"""What users say of answers, from a browser or a service: write-only, and not too often."""

from math import isfinite
from typing import Annotated, Literal
from uuid import uuid4

from msgspec import Meta, Struct, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.core.feedback import Feedback
from gatewatch.core.people import hashed
from gatewatch.online.ingest import said_of
from gatewatch.store.rows import Arrivals
from gatewatch.web.host import Host
from gatewatch.web.ingest import of_type
from gatewatch.web.rate import Rate
from gatewatch.web.refusals import Refused, as_json

_MOST_BYTES = 20_000
_Name = Annotated[str, Meta(max_length=400)]


class Told(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request: see `core.feedback.Feedback`. `id` makes it one, however often it is sent;
    `user` is the id itself, of which a hash is kept."""

    id: Annotated[str, Meta(max_length=100)] = ""
    trace: _Name = ""
    external_id: _Name = ""
    user: _Name = ""
    thumbs: Literal["", "up", "down"] = ""
    rating: Annotated[float, Meta(ge=1, le=5)] | None = None
    comment: Annotated[str, Meta(max_length=8000)] = ""
    event: Literal["", "retry", "abandon", "escalate", "copy"] = ""
    value: float | None = None


class _Desk:
    def __init__(self, host: Host) -> None:
        self.host = host
        self.per_address = Rate(host.serving.feedback_rate, wall)
        self.per_token = Rate(host.serving.feedback_total, wall)

    async def take(self, request: Request) -> Response:
        """Keep a piece of feedback."""
        host, allowed = self.host, _allowed(request, self.host.serving.origins)
        try:
            visitor = await host.visitors.who(request, "feedback")
            address = request.client.host if request.client is not None else ""
            for rate, key in ((self.per_address, f"{visitor.project} {address}"), (self.per_token, visitor.token)):
                if wait := rate.wait(key):
                    raise Refused(429, "there is too much feedback at once", reason="rate", retry_s=wait + 1)
            of_type(request, "application/json")
            async with host.bodies.read(request, _told, project=visitor.project, most=_MOST_BYTES) as told:
                now = wall()
                told_id = told.id or uuid4().hex
                feedback = Feedback(
                    id=f"{visitor.token}-{told_id}",  # whoever has one token cannot take the ids of another's
                    at=now,
                    trace=told.trace,
                    external_id=told.external_id,
                    thumbs=told.thumbs,
                    rating=told.rating,
                    comment=told.comment,
                    event=told.event,
                    value=told.value,
                    user=hashed(told.user, host.serving.rules.reading.user_key) if told.user else "",
                )
                served = await host.served(visitor.project)
                await served.writer.take_in(Arrivals(said=(said_of(feedback, host.ways, now=now),)))
        except Refused as refused:
            refused.headers |= allowed
            raise
        host.metrics.count("gatewatch_received_total", project=visitor.project, kind="feedback")
        host.metrics.count("gatewatch_stored_total", project=visitor.project, kind="feedback")
        reply = as_json({"id": told_id}, 201)
        reply.headers.update(allowed)
        return reply

    async def preflight(self, request: Request) -> Response:
        """Say to a browser what pages of which origins may send."""
        headers = _allowed(request, self.host.serving.origins)
        headers |= {
            "access-control-allow-methods": "POST",
            "access-control-allow-headers": "authorization, content-type",
            "access-control-max-age": "3600",
        }
        return Response(None, 204, headers)


def routes(host: Host) -> list[Route]:
    """The routes of feedback."""
    desk = _Desk(host)

    async def endpoint(request: Request) -> Response:
        return await (desk.preflight(request) if request.method == "OPTIONS" else desk.take(request))

    return [Route("/v1/feedback", endpoint, methods=["POST", "OPTIONS"])]


def _told(data: bytes) -> Told:
    try:
        told = codec.decode(data, Told)
    except ValidationError as error:
        what, _, at = str(error).partition(" - at `$")
        raise Refused(422, what, where=f"body{at.rstrip('`')}") from None
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {str(error)[:200]}", where="body") from None
    if not (told.trace or told.external_id):
        raise Refused(422, "it names no request", where="body", hint="give trace or external_id")
    if not (told.thumbs or told.event or told.comment or told.rating is not None):
        raise Refused(422, "it says nothing", where="body", hint="give thumbs, rating, event or comment")
    if told.value is not None and not isfinite(told.value):
        raise Refused(422, "it is no number", where="body.value")
    return told


def _allowed(request: Request, origins: tuple[str, ...]) -> dict[str, str]:
    """The headers by which a page may read the reply; none where no page asks.

    Raises:
        Refused: a page asks whose origin is not among those that may.
    """
    origin = request.headers.get("origin", "")
    if not origin:
        return {}
    if origin.partition("://")[2] == request.headers.get("host", ""):  # of this server's own pages
        return {"vary": "origin"}
    if "*" not in origins and origin not in origins:
        what = f"pages of {origin[:100]!r} may not send feedback"
        raise Refused(403, what, reason="origin", hint="[ingest] origins says which may")
    return {"access-control-allow-origin": origin, "vary": "origin"}
