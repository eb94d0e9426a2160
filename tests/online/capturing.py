"""A process's capture, begun anew for a test, and what it wrote."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import UNSET

from gatewatch.core import codec
from gatewatch.core.trace import Trace
from gatewatch.online.process import configure, flush, process
from gatewatch.online.segments import read, segments
from gatewatch.online.spool import Spool

PATIENCE_S = 30.0


class Captured:
    """What was captured since a test began."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def records(self) -> list[tuple[str, bytes]]:
        """All records in the folder, but for the segments' first lines."""
        assert flush(PATIENCE_S)
        found = [record for path in segments(self.folder) for record in read(path).records]
        return [record for record in found if record[0] != "segment"]

    def traces(self) -> list[Trace]:
        return [codec.decode(payload, Trace) for kind, payload in self.records() if kind == "trace"]

    def trace(self) -> Trace:
        (only,) = self.traces()
        return only

    def losses(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for kind, payload in self.records():
            if kind == "loss":
                for reason, number in codec.decode(payload, dict[str, Any])["reasons"].items():
                    total[reason] = total.get(reason, 0) + number
        return total


@contextmanager
def capturing(folder: Path, **settings: Any) -> Iterator[Captured]:
    """Capture into a folder, and nothing afterwards."""
    anew()
    configure(spool=folder, **settings)
    try:
        yield Captured(folder)
    finally:
        anew()


def anew() -> None:
    """Forget settings and spool."""
    if isinstance(process.spool, Spool):
        process.spool.close(PATIENCE_S)
    process.asked, process.spool = {}, UNSET
    process.told.clear()
