"""The body of a request, read and unpacked under limits: of bytes on the wire and after it, of time, of memory."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from gatewatch.web.held import Held
from gatewatch.web.refusals import Refused

T = TypeVar("T")

PATIENCE_S = 30.0
"""How long a body may take to arrive, all in all."""
_STEP = 1 << 20
_MEMBERS = 64
_WINDOW = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Hold:
    """What one request holds of the room that all share."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self.size = 0

    def take(self, size: int) -> None:
        """Hold some more (see `Held.take`)."""
        self._held.take(size)
        self.size += size

    def give(self) -> None:
        """Let go of all of it."""
        self._held.give(self.size)
        self.size = 0


class Bodies:
    """How bodies are read: `most` bytes at the most, before and after they are unpacked."""

    def __init__(self, most: int, held: Held, patience_s: float = PATIENCE_S) -> None:
        self.most = most
        self.held = held
        self.patience_s = patience_s
        # Two: a large body is unpacked and read while small ones are, and no more of them than memory is meant for.
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="gatewatch-body")

    @asynccontextmanager
    async def read(
        self, request: Request, make: Callable[[bytes], T], *, most: int | None = None
    ) -> AsyncIterator[tuple[T, int]]:
        """What `make` makes of a request's body, and the body's length; its room is held until this is left.

        Raises:
            Refused: it is too long (413), too slow (408), packed in a way that is not known (415), or damaged (400);
                there is no room for it (503).
        """
        limit = self.most if most is None else most
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "", *_WINDOW):
            what = f"the content-encoding {encoding[:40]!r} is not known: gzip, deflate and identity are"
            raise Refused(415, what, where="content-encoding", headers={"accept-encoding": "gzip, deflate"})
        stated = request.headers.get("content-length", "")
        if stated.isdecimal() and int(stated) > limit:
            raise _too_long(limit)
        hold = Hold(self.held)
        try:
            data = await self._arrived(request, hold, limit)
            window = _WINDOW.get(encoding)

            def made() -> tuple[T, int]:
                plain = data if window is None else unpacked(data, window, limit, hold.take)
                return make(plain), len(plain)

            yield await asyncio.get_running_loop().run_in_executor(self._threads, made)
        finally:
            hold.give()

    async def _arrived(self, request: Request, hold: Hold, most: int) -> bytes:
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(self.patience_s):
                async for part in request.stream():
                    if hold.size + len(part) > most:
                        raise _too_long(most)
                    hold.take(len(part))
                    parts.append(part)
        except TimeoutError:
            what = f"the body did not arrive within {self.patience_s:g} s"
            raise Refused(408, what, headers={"connection": "close"}) from None
        except ClientDisconnect:
            raise Refused(400, "the body is not whole: the connection was closed", reason="cut off") from None
        return b"".join(parts)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()


def unpacked(data: bytes, window: int, most: int, take: Callable[[int], None]) -> bytes:
    """What a packed body says, at most so many bytes; `take` is asked for room with each step of it.

    Raises:
        Refused: it is longer (413), damaged or cut off (400).
    """
    parts: list[bytes] = []
    total = members = 0
    while members < _MEMBERS:  # each costs a copy of what is behind it
        reader = zlib.decompressobj(window)
        try:
            while not reader.eof:
                part = reader.decompress(data, _STEP)
                data = reader.unconsumed_tail
                total += len(part)
                if total > most:
                    raise _too_long(most)
                take(len(part))
                parts.append(part)
                if not part and not data and not reader.eof:
                    raise Refused(400, "the body is cut off: it does not unpack to its end", where="content-encoding")
        except zlib.error as error:
            if window == zlib.MAX_WBITS and not total:  # "deflate" without its wrapping, as some clients send it
                window = -zlib.MAX_WBITS
                continue
            raise Refused(400, f"the body does not unpack: {error}", where="content-encoding") from None
        data = reader.unused_data
        members += 1
        if not data or window < 0:
            return b"".join(parts)
    raise Refused(400, f"the body is packed in more than {_MEMBERS} pieces", where="content-encoding")


def _too_long(most: int) -> Refused:
    return Refused(413, f"the body is longer than {most:,} bytes", hint="send it in smaller batches")
