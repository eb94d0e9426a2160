"""A task that is a command: one JSON object on its standard input, one on its standard output."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.spans import recorder
from gatewatch.core.trace import Trace
from gatewatch.offline.task import TaskFailed, reply_of, trace_of

_SHOWN = 500
_KEPT = 6000


class CommandTask:
    """A command that is started once for each case.

    It reads `{"id", "input", "context", "trial"}` and writes an object with `output` (and, as it likes, `usage`,
    `cost`, `latency_s`, `spans`, `versions`, `context`, `error`). `TRACEPARENT` is set in its environment.
    """

    timed = True
    own_deadline = False
    abandoned = 0

    def __init__(self, argv: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.spec = "command:" + " ".join(argv)
        self.versions: dict[str, str] = {}
        self._argv = list(argv)
        self._folder = folder
        self._environment = dict(environment or {})

    def flaw(self, case: Case, trials: int) -> str:
        """Any input can be given to a command."""
        return ""

    async def answer(self, case: Case, trial: int) -> Trace:
        """Run the command once.

        Raises:
            TaskFailed: when it cannot be started, fails, or does not answer in JSON.
        """
        given = {"id": case.id, "input": case.input, "context": case.context, "trial": trial}
        current = recorder.get()
        environment = {**os.environ, **self._environment}
        if current is not None:
            environment["TRACEPARENT"] = traceparent(current.trace_id)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=self._folder,
                env=environment,
                start_new_session=True,  # so that what it started can be ended with it
            )
        except OSError as error:
            raise TaskFailed(f"{self._argv[0]}: cannot be started: {error.strerror}") from None
        try:
            out, err = await process.communicate(codec.encode(given) + b"\n")
        except BaseException:  # our deadline, or the run's end
            # What it started is ended even when it has gone itself: its children are what we waited for then.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if process.returncode:
            said = err.decode(errors="replace").strip()
            last = said.rpartition("\n")[2][:_SHOWN]
            failure = TaskFailed(f"exit code {process.returncode}" + (f": {last}" if last else ""))
            failure.detail = said[-_KEPT:] if "\n" in said else ""
            raise failure
        try:
            value = codec.parse(out)
        except (ValueError, RecursionError) as error:
            shown = out.decode(errors="replace").strip()[:_SHOWN] or "nothing"
            raise TaskFailed(f"standard output is not one JSON object ({error}): {shown}") from None
        return trace_of(reply_of(value))

    async def close(self) -> None:
        """Nothing is held."""


def traceparent(trace_id: str) -> str:
    """The W3C trace context header for a call made on behalf of a trace."""
    return f"00-{trace_id}-{trace_id[:16]}-01"
