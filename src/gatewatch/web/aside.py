"""A few threads of their own for what reads the journals of runs, which may take seconds: whoever asks for anything
else (to be known by a token, to send a segment, whether the server is ready) does not wait for them.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
AT_ONCE = 3
_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="gatewatch-journals")


async def aside(make: Callable[[], T]) -> T:
    """What a call gives that reads journals; at most AT_ONCE are made at once, and the others wait for their turn."""
    return await asyncio.get_running_loop().run_in_executor(_threads, make)
