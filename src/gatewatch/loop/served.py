"""The outbox of a server, over HTTP."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.change import Change, ChangeState
from gatewatch.core.errors import GatewatchError, InputError, Problem, said_by

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
_PAGE = 500
_HINTS = {
    401: "it takes a token of role review; see --token-env",
    403: "it takes a token of role review; see --token-env",
    404: "is a Gatewatch server at this address (`gatewatch serve`)?",
}


class ServerRefused(InputError):  # noqa: N818 - what the server did
    """The server does not give out its outbox, or does not take word of it, and another try will not change that."""


class NotAnswered(GatewatchError):  # noqa: N818 - what it did
    """The server was not reached, or could not answer. What was pulled until then is in the files; pull again."""


class _Page(Struct, frozen=True):
    changes: tuple[Change, ...]


class _One(Struct, frozen=True):
    change: Change


class Served:
    """The outbox of a server.

    Args:
        client: with the server's address, its token, and a time limit.
    """

    def __init__(self, client: "httpx.Client") -> None:
        self._client = client

    def changes(self, states: Collection[ChangeState] = (), *, after: int = 0, most: int = 1000) -> list[Change]:
        """Changes by number, of those in some states.

        Raises:
            ServerRefused: the server does not give them out.
            NotAnswered: it did not answer.
        """
        asked = {"state": list(states), "cursor": after, "limit": min(most, _PAGE)}
        return list(self._ask("GET", "/v1/changes", _Page, params=asked).changes)

    def turn_change(self, number: int, state: ChangeState, now: float, *, where: str = "") -> Change | None:
        """Move a change on, and give it as it is then.

        Raises:
            ServerRefused: the server does not take it.
            NotAnswered: it did not answer.
        """
        body = {"state": state, "where": where}
        return self._ask("POST", f"/v1/changes/{number}/state", _One, json=body).change

    def _ask(self, method: str, at: str, kind: type[T], **more: Any) -> T:
        import httpx

        where = str(self._client.base_url)
        try:
            reply = self._client.request(method, at, **more)
        except httpx.TransportError as error:
            raise NotAnswered(f"{where} did not answer: {said_by(error)}") from None
        if reply.status_code >= 500 or reply.status_code in (408, 429):
            raise NotAnswered(f"{where} could not answer (status {reply.status_code}): pull again later")
        try:
            if reply.is_success:
                return codec.decode(reply.content, kind)
            said = str(codec.parse(reply.content).get("error", ""))[:500]
        except (ValueError, RecursionError, AttributeError):
            said = "" if not reply.is_success else "answers as no Gatewatch server does"
        what = said if reply.is_success else f"refuses: status {reply.status_code} {said}".rstrip()
        raise ServerRefused(Problem(where, what, _HINTS.get(reply.status_code, "")))
