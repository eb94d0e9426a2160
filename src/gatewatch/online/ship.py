"""From a spool to a server elsewhere, over HTTP: each stretch of a segment until it is acknowledged, then the next.

A stretch is named by its segment and where it begins and ends, so that a server which has it already (the reply was
lost) says so and keeps it once. Where what is known here is not what the server has (either was restored from a
backup, say), the server says where it goes on, and so it does. Nothing is given up for want of a server: it waits in
the spool, whose quota bounds it.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from gatewatch.core import codec
from gatewatch.core.clock import now
from gatewatch.core.errors import GatewatchError, InputError, said_by
from gatewatch.core.http import retry_after_of, try_again
from gatewatch.online.blot import ERASED
from gatewatch.online.ingest import alone
from gatewatch.online.segments import finished, read, segments

if TYPE_CHECKING:
    import httpx

_log = logging.getLogger("gatewatch")

_STATE = ".shipped.json"
_MOST_BYTES = 1 << 20
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
_LONGEST_ASKED_S = 300.0
_ELSEWHERE = 409
_MOST_TURNS = 10


class Shipped(Struct, frozen=True):
    """What was acknowledged: how many records, in how many requests."""

    records: int = 0
    requests: int = 0


class Refused(GatewatchError):  # noqa: N818 - what the server did
    """The server does not take what it is sent."""


def ship(
    folder: Path,
    client: "httpx.Client",
    *,
    source: str,
    stopped: Callable[[], bool] = lambda: False,
    wait: Callable[[float], object] = time.sleep,
    tries: int | None = None,
    patience_s: float = 0.0,
) -> Shipped:
    """Send what is in a spool now, and say how much that was; segments whose writer is gone are removed after it.

    Args:
        folder: the spool.
        client: with the server's address, its token, and a time limit.
        source: this machine's name, to which names of segments belong.
        stopped: whether to end, asked between requests.
        wait: how to wait before another try; what it returns may end the wait for the spool.
        tries: how often a stretch is sent before it is given up for now; by default until it is acknowledged.
        patience_s: for how long to wait while another process sends what is in the spool; where that is not all of it
            after so long, it is told. Without patience nothing is sent then.

    Raises:
        Refused: for a reply that another try will not change (a wrong token, say), or when the tries or the
            patience are used up.
    """
    total = Shipped()
    with alone(folder, patience_s=patience_s, wait=wait) as mine:
        if not mine:
            if patience_s and folder.is_dir() and not stopped():
                raise Refused(f"{folder}: another process has it, and is not done after {patience_s:.0f} s")
            return total
        state = _offsets(folder)
        for path in segments(folder):
            over, turned = finished(path), 0
            while not stopped():
                offset = state.get(path.name, 0)
                try:
                    found = read(path, offset, _MOST_BYTES, whole=over)
                except (OSError, InputError) as error:
                    _log.warning("%s is passed over: %s", path, error)
                    break
                if found.offset == offset:
                    if over:
                        path.unlink(missing_ok=True)
                        state.pop(path.name, None)
                        _keep(folder, state)
                    break
                body = b"".join(codec.frame(kind, payload) for kind, payload in found.records if kind != ERASED)
                if found.damaged:
                    lost = codec.encode({"reasons": {"damaged record": found.damaged}})
                    body += codec.frame("loss", lost)
                headers = {
                    "x-gatewatch-segment": f"{source}/{path.name}",
                    "x-gatewatch-stretch": f"{offset}-{found.offset}",
                }
                goes_on = _post(client, body, headers, found.offset, stopped, wait, tries)
                if goes_on is None:
                    return total
                sent = 0
                if goes_on == found.offset:
                    sent = sum(kind not in ("segment", ERASED) for kind, _ in found.records)
                else:
                    turned += 1
                    _look(client, path, goes_on, turned)
                state[path.name] = goes_on
                _keep(folder, state)
                total = Shipped(total.records + sent, total.requests + 1)
    return total


def _look(client: "httpx.Client", path: Path, goes_on: int, turned: int) -> None:
    """Refuse to follow a server that cannot mean this segment, or that says something else each time."""
    if turned > _MOST_TURNS or goes_on > path.stat().st_size:
        what = f"{client.base_url} says that {path.name} goes on at byte {goes_on}, which cannot be"
        raise Refused(f"{what}; it stays in the spool")
    _log.warning("%s is sent from byte %d on, as %s asks", path.name, goes_on, client.base_url)


def _post(
    client: "httpx.Client",
    body: bytes,
    headers: dict[str, str],
    end: int,
    stopped: Callable[[], bool],
    wait: Callable[[float], object],
    tries: int | None,
) -> int | None:
    """Send a stretch until it is acknowledged, and give where its segment goes on: at its end, or where the server
    says; None when told to stop before."""
    import gzip

    import httpx

    packed = gzip.compress(body, 6, mtime=0)
    headers |= {"content-type": "application/x-ndjson", "content-encoding": "gzip"}
    pause, tried, why = _FIRST_WAIT_S, 0, ""
    while not stopped():
        if tried == tries:
            raise Refused(f"{client.base_url} did not take it in {tried} tries: {why}; it stays in the spool")
        tried += 1
        asked_to_wait = 0.0
        try:
            reply = client.post("/v1/segments", content=packed, headers=headers)
        except httpx.TransportError as error:
            why = said_by(error)
        else:
            if reply.is_success:
                return end
            if reply.status_code == _ELSEWHERE and (expected := _expected(reply.content)) is not None:
                return expected
            if not try_again(reply.status_code):
                what = f"{client.base_url} refuses what it is sent: status {reply.status_code}"
                raise Refused(f"{what} {reply.text[:200]}".rstrip())
            why = f"status {reply.status_code}"
            asked_to_wait = retry_after_of(reply.headers, now()) or 0.0
        if tried == 1:
            _log.warning("%s does not take what it is sent (%s): tried again until it does", client.base_url, why)
        wait(max(pause, min(asked_to_wait, _LONGEST_ASKED_S)))
        pause = min(2 * pause, _LONGEST_WAIT_S)
    return None


class _Elsewhere(Struct, frozen=True):
    expected: Annotated[int, Meta(ge=0)]


def _expected(data: bytes) -> int | None:
    try:
        return codec.decode(data, _Elsewhere).expected
    except (ValueError, RecursionError):  # another server's 409: it is told as it is
        return None


def _offsets(folder: Path) -> dict[str, int]:
    try:
        return codec.decode((folder / _STATE).read_bytes(), dict[str, int])
    except (OSError, ValueError):  # sent again from the start, and known there
        return {}


def _keep(folder: Path, state: dict[str, int]) -> None:
    aside = folder / f"{_STATE}.new"
    aside.write_bytes(codec.encode(state))
    aside.replace(folder / _STATE)
