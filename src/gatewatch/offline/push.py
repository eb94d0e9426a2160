"""A run's journal to a server, over HTTP, in parts: what a cut left out is sent the next time, and nothing twice."""

import gzip
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.clock import now
from gatewatch.core.errors import GatewatchError, InputError, Problem, said_by
from gatewatch.core.http import retry_after_of, try_again
from gatewatch.core.run import Ending
from gatewatch.offline.journal import JournalReader, in_use, whole_length
from gatewatch.offline.result import NAME

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

TRIES = 8
"""How often each request is sent before it is given up."""
_FIRST_WAIT_S, _LONGEST_WAIT_S, _LONGEST_ASKED_S = 0.5, 15.0, 60.0
_ANEW = 3
_STEP = 1 << 20


class Pushed(Struct, frozen=True):
    """What became of a run: whether the server had it already, how many parts of it were sent, how it ended."""

    run: str
    suite: str
    state: Ending
    size: int
    parts: int
    sent: int
    kept_before: bool


class PushRefused(InputError):  # noqa: N818 - what the server did
    """The server does not take what it is sent, and another try will not change that."""


class NotReached(GatewatchError):  # noqa: N818 - what it is
    """The server was not reached, or could not take it, in all tries; what it has of it stays there for the next."""


class _Begun(Struct, frozen=True):
    kept: bool
    missing: tuple[int, ...]
    part_bytes: int


class _Done(Struct, frozen=True):
    state: Ending


class _Anew(Exception):  # noqa: N818 - what is to be done
    """The journal changed meanwhile, or the server knows nothing of this upload any more."""


def push(
    path: Path, client: "httpx.Client", *, wait: Callable[[float], object] = time.sleep, tries: int = TRIES
) -> Pushed:
    """Send a run's journal to a server; it is there, whole, when this returns.

    Args:
        path: the journal. Behind its last whole line lies what a crash tore, which is not sent.
        client: with the server's address, its token, and a time limit.
        wait: how to wait before another try, in seconds.
        tries: how often each request is sent.

    Raises:
        InputError: it is no journal, a run is being written into it, or its id is one that no server takes.
        PushRefused: the server refuses it: a wrong token, another journal under this id.
        NotReached: the tries are used up.
    """
    asking = _Asking(client, wait, tries)
    for _ in range(_ANEW):
        try:
            return _pushed(path, asking)
        except _Anew as error:
            why = str(error)
    raise NotReached(f"{client.base_url}: {why}")


def _pushed(path: Path, asking: "_Asking") -> Pushed:
    if in_use(path):
        raise InputError(Problem(str(path), "a process is working on this run", "push it when the run has ended"))
    header = JournalReader(path).header
    if not NAME.fullmatch(header.run):
        rule = "lower-case letters, digits, dots, dashes and underscores, 100 at most"
        raise InputError(Problem(header.run, "no server keeps a run of this id", rule))
    size = whole_length(path)
    with path.open("rb") as file:
        record = codec.unframe(file.readline())
        digest = _digest(path, size)
        announced = {"digest": digest, "size": size, "header": record[1].decode() if record is not None else ""}
        at = f"/v1/runs/{header.run}"
        begun = asking.ask("POST", at, codec.encode(announced), "application/json", _Begun)
        if begun.part_bytes < 1:
            raise PushRefused(Problem(str(asking.client.base_url), "answers as no Gatewatch server does"))
        parts = -(-size // begun.part_bytes)
        for part in begun.missing:
            file.seek(part * begun.part_bytes)
            wanted = min(begun.part_bytes, size - part * begun.part_bytes)
            body = file.read(max(wanted, 0))
            if len(body) != wanted:
                raise _Anew(f"{path} became shorter while it was sent")
            asking.ask("PUT", f"{at}/parts/{part}?digest={digest}", body, "application/octet-stream", dict[str, Any])
        done = asking.ask("POST", f"{at}/done?digest={digest}", b"", "application/json", _Done)
    return Pushed(header.run, header.suite, done.state, size, parts, len(begun.missing), begun.kept)


def _digest(path: Path, size: int) -> str:
    """The SHA-256 of the first so many bytes of a file."""
    found, left = sha256(), size
    with path.open("rb") as file:
        while left > 0 and (some := file.read(min(_STEP, left))):
            found.update(some)
            left -= len(some)
    return found.hexdigest()


class _Asking:
    """Sends requests until each is answered."""

    def __init__(self, client: "httpx.Client", wait: Callable[[float], object], tries: int) -> None:
        self.client = client
        self._wait = wait
        self._tries = tries

    def ask(self, method: str, at: str, body: bytes, media_type: str, kind: type[T]) -> T:
        import httpx

        headers = {"content-type": media_type, "content-encoding": "gzip"}
        packed = gzip.compress(body, 6, mtime=0)
        pause, why = _FIRST_WAIT_S, ""
        for tried in range(self._tries):
            asked_to_wait = 0.0
            try:
                reply = self.client.request(method, at, content=packed, headers=headers)
            except httpx.TransportError as error:
                why = said_by(error)
            else:
                if reply.is_success:
                    return self._read(reply, kind)
                if not try_again(reply.status_code):
                    self._refuse(reply)
                why = _said(reply)
                asked_to_wait = retry_after_of(reply.headers, now()) or 0.0
            if tried + 1 < self._tries:
                self._wait(max(pause, min(asked_to_wait, _LONGEST_ASKED_S)))
                pause = min(2 * pause, _LONGEST_WAIT_S)
        what = f"{self.client.base_url} did not take it in {self._tries} tries: {why}"
        raise NotReached(f"{what}; push it again: what is there already is not sent again")

    def _read(self, reply: "httpx.Response", kind: type[T]) -> T:
        try:
            return codec.decode(reply.content, kind)
        except (ValueError, RecursionError):
            raise PushRefused(Problem(str(self.client.base_url), "answers as no Gatewatch server does")) from None

    def _refuse(self, reply: "httpx.Response") -> None:
        said, where = _said(reply), str(self.client.base_url)
        if reply.status_code == 404 and _error(reply):
            raise _Anew(said)
        hints = {
            401: "it takes a token of role ingest or review; see --token-env",
            403: "it takes a token of role ingest or review; see --token-env",
            404: "is a Gatewatch server at this address (`gatewatch serve`)?",
            413: "the server takes no bodies of this length; see its max_body",
        }
        what = f"refuses the run: {said}" if reply.status_code != 404 else f"takes no runs: {said}"
        raise PushRefused(Problem(where, what, hints.get(reply.status_code, "")))


def _error(reply: "httpx.Response") -> str:
    """What a Gatewatch server says of a refusal, and where; "" for what is none."""
    try:
        told = codec.decode(reply.content, dict[str, Any])
    except (ValueError, RecursionError):
        return ""
    return ": ".join(str(told[key])[:500] for key in ("where", "error") if told.get(key)) if "error" in told else ""


def _said(reply: "httpx.Response") -> str:
    return f"status {reply.status_code} {_error(reply) or reply.text[:200]}".rstrip()
