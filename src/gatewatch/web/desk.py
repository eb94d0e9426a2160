"""Where reviewers ask: whose store it is about, and what a small body in JSON says."""

from typing import Any, TypeVar

import msgspec
from msgspec import Struct, ValidationError
from starlette.requests import Request

from gatewatch.core import codec
from gatewatch.store.base import Store
from gatewatch.web.host import Host
from gatewatch.web.ingest import of_type
from gatewatch.web.refusals import Refused
from gatewatch.web.visitors import Need, Visitor

T = TypeVar("T", bound=Struct)

_MOST_BYTES = 20_000


class Desk:
    """Lets visitors in, and reads what they say."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def enter(self, request: Request, need: Need) -> tuple[Store, Visitor]:
        """The store that a request is about, and who asks."""
        visitor = await self._host.visitors.who(request, need)
        return (await self._host.served(visitor.project)).store, visitor

    async def body(self, request: Request, visitor: Visitor, kind: type[T]) -> T:
        """What a request says."""
        of_type(request, "application/json")  # which no page of another origin can send unasked
        async with self._host.bodies.read(request, bytes, project=visitor.project, most=_MOST_BYTES) as data:
            return _decoded(data, kind)


def _decoded(data: bytes, kind: type[T]) -> T:
    try:
        return codec.decode(data, kind)
    except ValidationError as error:
        what, _, at = str(error).partition(" - at `$")
        raise Refused(422, what, where=f"body{at.rstrip('`')}") from None
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {str(error)[:200]}", where="body") from None


def described(kind: type[Struct]) -> dict[str, Any]:
    """A body's shape, for the OpenAPI document."""
    schema = msgspec.json.schema(kind)["$defs"][kind.__name__]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
