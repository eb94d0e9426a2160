"""A task that is a file of outputs recorded elsewhere: they are scored without calling anything."""

import json
import os
from array import array
from hashlib import sha256
from pathlib import Path

import msgspec

from gatewatch.core import codec, shape
from gatewatch.core.case import Case
from gatewatch.core.errors import DatasetError, Problem
from gatewatch.core.trace import Trace
from gatewatch.offline.task import Reply, trace_of


class ReplayLine(Reply, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a replay file: whose output it is, and the reply."""

    id: str
    trial: int = 0


class ReplayTask:
    """Recorded outputs, one line for each trial of each case. The file is checked whole, then read line by line."""

    timed = False
    own_deadline = False
    abandoned = 0

    def __init__(self, path: Path, spec: str = "") -> None:
        """Check a replay file.

        Raises:
            DatasetError: with all that is wrong in it.
        """
        self.spec = spec or f"replay:{path}"
        self.versions: dict[str, str] = {}
        self._path = path
        self._offsets = array("Q")
        self._sizes = array("Q")
        self._places: dict[tuple[str, int], int] = {}
        try:
            self._file = path.open("rb")
        except (OSError, ValueError) as error:  # a null character is a ValueError
            raise DatasetError(Problem(str(path), f"cannot be read: {getattr(error, 'strerror', error)}")) from None
        problems = self._index()
        if problems:
            self._file.close()
            raise DatasetError(problems)
        self.trials = 1 + max(trial for _, trial in self._places)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def _index(self) -> list[Problem]:
        problems: list[Problem] = []
        content = sha256()
        offset = 0
        lines: dict[tuple[str, int], int] = {}
        for number, raw in enumerate(self._file, start=1):
            content.update(raw)
            start, offset = offset, offset + len(raw)
            line = raw.rstrip(b"\r\n")
            if number == 1 and line.startswith(b"\xef\xbb\xbf"):
                line, start = line[3:], start + 3
            if not line.strip():
                continue
            where = f"{self._path}:{number}"
            found = _parse(line, where)
            if isinstance(found, list):
                problems += found
                continue
            key = (found.id, found.trial)
            if key in lines:
                again = f"id {found.id!r}, trial {found.trial} is given in line {lines[key]} already"
                problems.append(Problem(where, again, 'number repeated outputs of a case with "trial": 0, 1, ...'))
                continue
            lines[key] = number
            self._places[key] = len(self._offsets)
            self._offsets.append(start)
            self._sizes.append(len(line))
        if not problems and not self._places:
            problems.append(
                Problem(str(self._path), "no outputs", 'write one object a line: {"id": "...", "output": "..."}')
            )
        self.versions["outputs"] = content.hexdigest()[:12]
        return problems

    def flaw(self, case: Case, trials: int) -> str:
        """Which trial of the case has no recorded output, or nothing."""
        for trial in range(trials):
            if (case.id, trial) not in self._places:
                return f"{self._path} has no output for case {case.id!r}" + (f", trial {trial}" if trials > 1 else "")
        return ""

    async def answer(self, case: Case, trial: int) -> Trace:
        """The recorded trace."""
        place = self._places[case.id, trial]
        raw = os.pread(self._file.fileno(), self._sizes[place], self._offsets[place])
        return trace_of(codec.decode(raw, ReplayLine))

    async def close(self) -> None:
        """Close the file."""
        self._file.close()


def _parse(line: bytes, where: str) -> ReplayLine | list[Problem]:
    try:
        found: ReplayLine | list[shape.Flaw]
        try:
            found = codec.decode(line, ReplayLine)
            value = codec.decode(line, object)
        except msgspec.ValidationError:  # it tells the first flaw only
            value = codec.parse(line)
            found = shape.convert(value, ReplayLine)
        repeated = codec.repeated_key(line, value)
        codec.check_depth(line, value)
    except UnicodeDecodeError as error:
        return [Problem(where, f"not UTF-8 at byte {error.start} of the line", "save the file as UTF-8")]
    except json.JSONDecodeError as error:
        return [Problem(f"{where}:{error.colno}", f"not JSON: {error.msg}", "one JSON object a line")]
    except (ValueError, RecursionError) as error:
        return [Problem(where, f"not JSON: {error}", "one JSON object a line")]
    if repeated is not None:
        return [Problem(where, f"the field {repeated!r} is given twice in one object", "keep one of the two")]
    if isinstance(found, list):
        return [Problem(f"{where}: {path}" if path else where, what, hint) for path, what, hint in found]
    if found.output is msgspec.UNSET and found.error is None:
        return [Problem(where, "neither output nor error", 'say {"output": null} when the output was nothing')]
    if found.trial < 0:
        return [Problem(f"{where}: trial", f"must be 0 or more, got {found.trial}")]
    return found
