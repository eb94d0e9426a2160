"""A TCP proxy that does to connections what networks do: seven poisons, and one that is no server at all.

latency      what is sent comes later
bandwidth    and slowly
slicer       in pieces of a few bytes
limit_data   the connection is closed after some bytes
reset_peer   it is reset after some bytes
slow_close   it is closed late
timeout      nothing is ever answered
down         nobody listens (the connection is reset at once)
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

POISONS = ("latency", "bandwidth", "slicer", "limit_data", "reset_peer", "slow_close", "timeout", "down")
_LATE_S = 0.02
_PIECE = 64
_SLICED = 4000
_SLOW = 16_384


class Proxy:
    """Stands before a server; `poison` says, when asked, what is done to the next connection ("" for nothing)."""

    def __init__(self, port: int, poison: Callable[[], str]) -> None:
        self._target = port
        self._poison = poison
        self.port = 0
        self.seen: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        poison = self._poison()
        self.seen.append(poison)
        try:
            if poison == "down":
                _reset(writer)
            elif poison == "timeout":
                while await reader.read(65536):
                    pass
            else:
                await self._through(reader, writer, poison)
        except (OSError, asyncio.CancelledError):  # it is broken, or the proxy ends
            return
        finally:
            with suppress(Exception):
                writer.close()

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, poison: str) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            up = asyncio.ensure_future(_pump(reader, back, poison, most=2000))
            down = asyncio.ensure_future(_pump(there, writer, poison, most=40))
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            if poison == "reset_peer":
                _reset(writer)
            if poison == "slow_close":
                await asyncio.sleep(_LATE_S)
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
        finally:
            back.close()

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, poison: str, *, most: int) -> None:
    """Move bytes from one side to the other, as a poison has it, `most` of them where it breaks off."""
    moved = 0
    while data := await source.read(_PIECE if poison == "slicer" and moved < _SLICED else _SLOW):
        if poison in ("limit_data", "reset_peer"):
            data = data[: most - moved]
        if poison == "latency" or (poison == "bandwidth" and len(data) > _PIECE):
            await asyncio.sleep(_LATE_S)
        target.write(data)
        await target.drain()
        moved += len(data)
        if poison in ("limit_data", "reset_peer") and moved >= most:
            return


def _reset(writer: asyncio.StreamWriter) -> None:
    held = writer.get_extra_info("socket")
    held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def poisoned(port: int, poison: Callable[[], str]) -> Iterator[Proxy]:
    """A proxy before a server's port."""
    with Proxy(port, poison) as proxy:
        yield proxy
