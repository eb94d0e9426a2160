"""The server itself: an open socket, uvicorn over it, deadlines for slow senders, and an end that loses nothing."""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from gatewatch.core.errors import InputError, Problem
from gatewatch.web.body import PATIENCE_S

_HEAD_S = 10.0
_KEEP_ALIVE_S = 75
_DRAIN_S = 20
_HEAD_BYTES = 32_768
_MOST_UNREAD = 32_000_000
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def listen(name: str, port: int) -> socket.socket:
    """A socket that listens on an address.

    Raises:
        InputError: the address is not one of this machine's, or is taken.
    """
    try:
        family = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((name, port), family=family, backlog=2048)
    except OSError as error:
        what = f"cannot listen there: {error.strerror}"
        raise InputError(Problem(f"{name}:{port}", what, "another --port, or 0 for any that is free")) from None


class Server(uvicorn.Server):
    """Serves an application until SIGTERM or SIGINT; a second one ends it at once. `heard` has which it was.

    `proxies` are addresses or networks: who connects from there is believed on whose behalf (X-Forwarded-For).
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[str] = ()) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="on",
                loop="asyncio",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(proxies),
                forwarded_allow_ips=list(proxies),
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_DRAIN_S,
                h11_max_incomplete_event_size=_HEAD_BYTES,
            )
        )
        self.heard: list[int] = []

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let signals end the server, and not the process."""
        kept = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, or where that was asked before end at once."""
        self.heard.append(sig)
        self.force_exit = self.should_exit
        self.should_exit = True


def serve(app: ASGIApp, listening: socket.socket, proxies: Sequence[str] = ()) -> int:
    """Serve until told to end, and give the signal that did; `proxies` as for `Server`."""
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    server = Server(app, proxies)
    asyncio.run(server.serve([listening]))
    return server.heard[0] if server.heard else 0


class _Protocol(H11Protocol):
    """HTTP/1.1 with deadlines: for the head of a request, and for a body that nobody reads any more, which is not taken
    without end either."""

    _deadline: asyncio.TimerHandle | None = None
    _unread = 0
    _waits_for: Any = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(h11.IDLE)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect(self.conn.their_state)
        # Most clients look for a reply once they have sent all: who does not send much more sees that it is refused.
        refused = self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete
        self._unread = self._unread + len(data) if refused else 0
        if self._unread > _MOST_UNREAD:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect(None)
        super().connection_lost(exc)

    def _expect(self, state: Any) -> None:
        """Give what is to come its time; what is there already has none to keep."""
        if state is self._waits_for:
            return
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._waits_for = state if state in (h11.IDLE, h11.SEND_BODY) else None
        if self._waits_for is not None:
            # The application has its own, shorter one for the body that it reads, and says so.
            seconds = _HEAD_S if state is h11.IDLE else 2 * PATIENCE_S
            self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            with suppress(h11.LocalProtocolError):
                self.conn.send(h11.ConnectionClosed())
            self.transport.close()
