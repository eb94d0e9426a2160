"""Runs that were pushed: a journal in parts, each once, until it is whole; and the way back.

POST /v1/runs/{run}                 {"digest", "size", "header"}: which parts are missing
PUT  /v1/runs/{run}/parts/{part}    ?digest=: a part, as it is or gzip
POST /v1/runs/{run}/done            ?digest=: it is whole
GET  /v1/runs                       ?suite=, ?since=, ?limit=: what is kept, the latest first
GET  /v1/runs/{run}                 the journal, line by line
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.core.errors import InputError, Problem
from gatewatch.offline.journal import header_of
from gatewatch.offline.result import NAME
from gatewatch.store.base import Store
from gatewatch.store.uploads import LONGEST, PART, AnotherJournal, KeptRun, NotBegun, Upload, parts_of
from gatewatch.web.described import refusals
from gatewatch.web.host import Host
from gatewatch.web.refusals import Refused, as_json, known_parameters
from gatewatch.web.visitors import Visitor

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST_HEADER = 256_000
_ROOM = 2 * _LONGEST_HEADER  # a header's quotation marks are escaped within the announcement
_MOST = 1000
_RULE = "lower-case letters, digits, dots, dashes and underscores, 100 at most"


class _Announced(Struct, frozen=True):
    """A journal that is to be sent: its SHA-256, its length in bytes, the payload of its first record."""

    digest: str
    size: int
    header: str


Run = Annotated[str, Path(description="The run's id.")]
Digest = Annotated[str, Query(description="The SHA-256 of the whole journal, in hex.")]


def router(host: Host) -> APIRouter:
    """The routes of runs."""
    routes = APIRouter(prefix="/v1/runs", tags=["runs"], dependencies=[Depends(known_parameters)])

    async def enter(request: Request, need: Literal["push", "read"]) -> tuple[Store, Visitor]:
        visitor = await host.visitors.who(request, need)
        return (await host.served(visitor.project)).store, visitor

    @routes.post("/{run}", openapi_extra=_body("application/json"), responses=refusals("408", "409", "413", "415"))
    async def begin(request: Request, run: Run) -> Response:
        """Announce a run's journal, and learn which parts of it are missing."""
        store, visitor = await enter(request, "push")
        async with host.bodies.read(request, bytes, project=visitor.project, most=_ROOM) as data:
            upload = _announced(run, data, visitor.author)
        begun = await _asked(store.begin_upload, upload, wall())
        return as_json({"run": run, "kept": begun.kept, "missing": begun.missing, "part_bytes": PART})

    @routes.put(
        "/{run}/parts/{part}",
        openapi_extra=_body("application/octet-stream"),
        responses=refusals("408", "413", "415"),
    )
    async def put(
        request: Request, run: Run, part: Annotated[int, Path(ge=0, lt=parts_of(LONGEST))], digest: Digest
    ) -> Response:
        """Send a part of a journal that was announced."""
        store, visitor = await enter(request, "push")
        async with host.bodies.read(request, bytes, project=visitor.project, most=PART) as data:
            await _asked(store.put_part, _named(run), _digest(digest), part, data)
        return as_json({"run": run, "part": part})

    @routes.post("/{run}/done", responses=refusals("409"))
    async def done(request: Request, run: Run, digest: Digest) -> Response:
        """Say that all parts of a journal were sent: it is kept if it is whole and as announced."""
        store, _ = await enter(request, "push")
        kept = await _asked(store.finish_upload, _named(run), _digest(digest), wall())
        return as_json(told(kept))

    @routes.get("")
    async def listed(
        request: Request,
        suite: Annotated[str, Query(max_length=100)] = "",
        since: Annotated[
            float, Query(ge=0, le=1e11, allow_inf_nan=False, description="Seconds since the epoch.")
        ] = 0.0,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
    ) -> Response:
        """The runs that are kept, the latest first."""
        store, _ = await enter(request, "read")
        found = await asyncio.to_thread(lambda: store.runs(suite, since=since, most=limit))
        return as_json({"kind": "gatewatch.runs", "version": 1, "runs": [told(each) for each in found]})

    @routes.get("/{run}")
    async def journal(request: Request, run: Run) -> Response:
        """A run's journal, as it was pushed. That it was read is noted."""
        store, visitor = await enter(request, "read")
        kept = await asyncio.to_thread(store.run, run)
        if kept is None:
            raise Refused(404, f"no run {run[:100]!r} is kept here", hint="GET /v1/runs lists them")
        await asyncio.to_thread(store.note, wall(), visitor.author, "read", f"run {kept.run}")
        headers = {"content-length": str(kept.size), "x-gatewatch-digest": kept.digest}
        return StreamingResponse(_parts(store, kept), headers=headers, media_type="application/x-ndjson")

    return routes


def told(run: KeptRun) -> dict[str, Any]:
    """A run as it is told: what it was received as, and its header."""
    return {
        "run": run.run,
        "suite": run.suite,
        "state": run.state,
        "received": run.received,
        "by": run.author,
        "digest": run.digest,
        "size": run.size,
        "header": codec.parse(run.header),
    }


async def _parts(store: Store, run: KeptRun) -> AsyncIterator[bytes]:
    for part in range(parts_of(run.size)):
        yield await asyncio.to_thread(store.run_part, run, part)


async def _asked(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return await asyncio.to_thread(call, *arguments)
    except InputError as error:
        raise _refused(error) from None


def _refused(error: InputError) -> Refused:
    status = 409 if isinstance(error, AnotherJournal) else 404 if isinstance(error, NotBegun) else 400
    first = error.problems[0]
    return Refused(status, first.what, where=first.where, hint=first.hint)


def _announced(run: str, data: bytes, who: str) -> Upload:
    """What a client announces, if it can be a run's."""
    try:
        found = codec.decode(data, _Announced)
        header = found.header.encode()
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"no announcement of a journal: {error}") from None
    if len(header) > _LONGEST_HEADER:
        raise Refused(413, f"its header is longer than {_LONGEST_HEADER:,} bytes", where=run[:100])
    try:
        told_ = header_of(header, _named(run))
        if told_.run != run:
            raise InputError(Problem(run, f"its header is that of {told_.run!r}"))
        if told_.suite and not NAME.fullmatch(told_.suite):
            raise InputError(Problem(run, f"{told_.suite[:100]!r} is no suite's name", _RULE))
        if not 0 < found.size <= LONGEST:
            raise InputError(Problem(run, f"a journal has 1 to {LONGEST:,} bytes, got {found.size:,}"))
    except InputError as error:
        raise _refused(error) from None
    return Upload(run, told_.suite, _digest(found.digest), found.size, header, who)


def _named(run: str) -> str:
    if not NAME.fullmatch(run):
        raise Refused(400, f"{run[:120]!r} is no name for a run", where="run", hint=_RULE)
    return run


def _digest(text: str) -> str:
    if not _DIGEST.fullmatch(text):
        raise Refused(400, "no SHA-256 in 64 hex digits", where="digest")
    return text


def _body(media_type: str) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media_type: {}}}}
