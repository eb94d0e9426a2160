"""The body of a request, read and unpacked under limits: of bytes on the wire and after it, of time, of memory."""

import asyncio
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from gatewatch.web.held import Held
from gatewatch.web.refusals import Refused

T = TypeVar("T")

PATIENCE_S = 30.0
"""How long a body may take to arrive, all in all."""
_STEP = 1 << 18
_MEMBERS = 64
_SMALL, _SMALL_PLAIN = 1 << 15, 1 << 18
"""Up to how many bytes a body is small, as it was sent and unpacked."""
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

    def __init__(self, most: int, held: Held) -> None:
        self.most = most
        self.held = held
        # Of large bodies no more at once than memory is meant for, and of each project one; small ones do not wait.
        self._large = ThreadPoolExecutor(2, thread_name_prefix="gatewatch-body")
        self._small = ThreadPoolExecutor(1, thread_name_prefix="gatewatch-small-body")
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def read(
        self, request: Request, make: Callable[[bytes], T], *, project: str, most: int | None = None
    ) -> AsyncIterator[T]:
        """What `make` makes of the body of a request to a project; its room is held until this is left.

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

            def made(most: int) -> T:
                return make(data if window is None else unpacked(data, window, most, hold.take))

            yield await self._made(made, len(data), limit, project)
        finally:
            hold.give()

    async def _made(self, made: Callable[[int], T], size: int, limit: int, project: str) -> T:
        """What is made of a body, given how long it may be unpacked; of what is small at once."""
        run = asyncio.get_running_loop().run_in_executor
        if size <= _SMALL:
            small = min(limit, _SMALL_PLAIN)
            try:
                return await run(self._small, made, small)
            except Refused as refused:
                if refused.status != 413 or small == limit:
                    raise
        async with self._turns[project]:
            return await run(self._large, made, limit)

    async def _arrived(self, request: Request, hold: Hold, most: int) -> bytes:
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                async for part in request.stream():
                    if hold.size + len(part) > most:
                        parts.clear()  # an error keeps what its frames have, for as long as it is being told
                        raise _too_long(most)
                    hold.take(len(part))
                    parts.append(part)
        except TimeoutError:
            what = f"the body did not arrive within {PATIENCE_S:g} s"
            raise Refused(408, what, headers={"connection": "close"}) from None
        except ClientDisconnect:
            raise Refused(400, "the body is not whole: the connection was closed", reason="cut off") from None
        return b"".join(parts)

    def close(self) -> None:
        """End the threads."""
        self._large.shutdown()
        self._small.shutdown()


def unpacked(data: bytes, window: int, most: int, take: Callable[[int], None]) -> bytes:
    """What a packed body says, at most so many bytes. It is measured first, and then `take` is asked for the room.

    Raises:
        Refused: it is longer (413), damaged or cut off (400).
    """
    try:
        members = list(_measured(data, window, most))
    except zlib.error as error:
        raise Refused(400, f"the body does not unpack: {error}", where="content-encoding") from None
    take(sum(size for _, _, size in members))
    return b"".join(zlib.decompress(part, way, max(1, size)) for part, way, size in members)


def _measured(data: bytes, window: int, most: int) -> Iterator[tuple[bytes, int, int]]:
    """The pieces of a packed body, each with how it is packed and how long it is unpacked; nothing is kept of them."""
    total = 0
    for _ in range(_MEMBERS):  # each costs a copy of what is behind it
        reader, left, size = zlib.decompressobj(window), data, 0
        while not reader.eof:
            try:
                part = reader.decompress(left, _STEP)
            except zlib.error:
                if window != zlib.MAX_WBITS or size:
                    raise
                # "deflate" without its wrapping, as some clients send it
                window, reader = -zlib.MAX_WBITS, zlib.decompressobj(-zlib.MAX_WBITS)
                continue
            left, size = reader.unconsumed_tail, size + len(part)
            if total + size > most:
                raise _too_long(most)
            if not part and not left and not reader.eof:
                raise Refused(400, "the body is cut off: it does not unpack to its end", where="content-encoding")
        total += size
        rest = reader.unused_data
        yield data[: len(data) - len(rest)], window, size
        data = rest
        if not data or window < 0:
            return
    raise Refused(400, f"the body is packed in more than {_MEMBERS} pieces", where="content-encoding")


def _too_long(most: int) -> Refused:
    return Refused(413, f"the body is longer than {most:,} bytes", hint="send it in smaller batches")
