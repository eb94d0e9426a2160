"""What services send as `gatewatch ship` posts it: stretches of segments. Acknowledged means stored."""

import re

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.core.errors import InputError
from gatewatch.online.ingest import arrived
from gatewatch.online.segments import check_version
from gatewatch.online.writer import SUFFIX
from gatewatch.store.rows import Arrivals
from gatewatch.web.host import Host
from gatewatch.web.refusals import Refused, as_json

_SEGMENT = re.compile(rf"[^/\x00-\x20]{{1,255}}/[0-9A-Za-z]+-[0-9a-f]+-[0-9]+{re.escape(SUFFIX)}")
_STRETCH = re.compile(r"(\d{1,15})-(\d{1,15})")
_LINES = "application/x-ndjson"
_MOST_BRACKETS = 600_000
"""Objects and lists of a body: each takes some fifty bytes of memory, and two of JSON."""


def routes(host: Host) -> list[Route]:
    """The route of segments."""

    async def endpoint(request: Request) -> Response:
        return await _segments(host, request)

    return [Route("/v1/segments", endpoint, methods=["POST"])]


async def _segments(host: Host, request: Request) -> Response:
    """Take in a stretch of a segment: once, however often it comes, and only where the one before it ended."""
    visitor = await host.visitors.who(request, "ingest")
    of_type(request, _LINES)
    name, begins, ends = _place(request)
    try:
        async with host.bodies.read(request, lambda data: _arrivals(host, data), project=visitor.project) as arrivals:
            served = await host.served(visitor.project)
            done = await served.writer.take_in(replace(arrivals, segment=name, begins=begins, offset=ends))
    except InputError as error:
        raise Refused(400, str(error), where="body") from None
    if done.expected is not None:
        what = f"the stretch begins at {begins}, and the segment goes on at {done.expected}"
        return as_json({"error": what, "expected": done.expected}, 409)
    host.metrics.count("gatewatch_received_total", project=visitor.project, kind="segment")
    host.metrics.count("gatewatch_stored_total", done.traces, project=visitor.project, kind="request")
    host.metrics.count("gatewatch_stored_total", done.said + done.parked, project=visitor.project, kind="feedback")
    return as_json({"taken": ends, "requests": done.traces, "repeated": done.repeated})


def of_type(request: Request, *types: str) -> str:
    """The media type of a request's body, without its parameters.

    Raises:
        Refused: it is none of some types. A page elsewhere cannot make a browser send these without asking first.
    """
    stated = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stated not in types:
        what = f"the content-type {stated[:60]!r} is not taken here"
        raise Refused(415, what, where="content-type", hint=f"it takes {' or '.join(types)}")
    return stated


def _place(request: Request) -> tuple[str, int, int]:
    """The segment that a stretch is of, and where in it the stretch begins and ends."""
    name = request.headers.get("x-gatewatch-segment", "")
    if not _SEGMENT.fullmatch(name):
        what = f"{name[:80]!r} is no segment: a source, a stroke, and the file's name"
        raise Refused(400, what, where="x-gatewatch-segment")
    stretch = request.headers.get("x-gatewatch-stretch", "")
    match = _STRETCH.fullmatch(stretch)
    if match is None or int(match[1]) >= int(match[2]):
        what = f"{stretch[:40]!r} is no stretch: where it begins, a dash, where it ends"
        raise Refused(400, what, where="x-gatewatch-stretch")
    return name, int(match[1]), int(match[2])


def _arrivals(host: Host, data: bytes) -> Arrivals:
    if codec.crowded(data, _MOST_BRACKETS):
        what = f"it has more than {_MOST_BRACKETS:,} objects and lists"
        raise Refused(413, what, where="body", hint="send it in shorter stretches")
    records = []
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        record = codec.unframe(line)
        if record is None:
            raise Refused(400, f"line {number} is no whole record", where="body")
        records.append(record)
    if records:
        check_version("the segment", records[0])
    return arrived(records, host.ways, now=wall())
