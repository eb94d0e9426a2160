"""The beginnings of what each case of a run was asked and answered, and what that cost and took: what a list of rows
shows and searches. The whole texts stay where they lie, in the journal.
"""

import mmap
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from gatewatch.core import codec
from gatewatch.core.errors import GatewatchError
from gatewatch.core.money import Cost
from gatewatch.core.run import Row
from gatewatch.core.trace import Fault
from gatewatch.offline.outcomes import Outcomes, Trial, read_run

if TYPE_CHECKING:
    from numpy.typing import NDArray

LENGTH = 1000
"""How many characters of a text are kept: what a search looks at."""
_NULL = Raw(b"null")
_WHOLE = 8 * LENGTH  # bytes of JSON that are decoded whole
_PAYLOAD = 24  # where the payload of a row's record begins
_HALF_ESCAPE = re.compile(rb"\\(u[0-9a-fA-F]{0,3})?$")


class _Said(Struct, gc=False):
    """A trace, as far as a list of rows looks at it."""

    input: Raw = _NULL
    output: Raw = _NULL
    error: Fault | None = None
    latency_s: float | None = None
    cost: Cost | None = None


class _Line(Struct, gc=False):
    trace: _Said | None = None


_decoder = msgspec.json.Decoder(_Line)


class Heads(Struct, frozen=True):
    """Of some cases, in their order: the first characters of their input and of the first trial's output (or of its
    error), whether that failed, and the means over trials of what they cost (US dollars) and took (seconds), NaN where
    that is unknown.
    """

    inputs: list[str]
    outputs: list[str]
    failed: "NDArray[Any]"
    cost: "NDArray[Any]"
    latency_s: "NDArray[Any]"


def heads_of(cases: Sequence[str], side: Outcomes, source: Outcomes | None) -> Heads:
    """The heads of some cases. What is not there, or damaged, has none: nothing fails.

    Args:
        cases: their ids.
        side: a run, or a baseline.
        source: the outcomes of the same side that know where in a journal its rows lie (see `placed`).
    """
    import numpy as np

    count = len(cases)
    found = Heads([""] * count, [""] * count, np.zeros(count, bool), np.full(count, np.nan), np.full(count, np.nan))
    if source is None or source.path is None:
        return found
    with (
        suppress(OSError, ValueError),
        source.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        for place, case in enumerate(cases):
            outcome, mine = source.cases.get(case), side.cases.get(case)
            if outcome is not None and mine is not None and outcome.hash == mine.hash:
                _take(found, place, _said(data, outcome.trials))
    return found


def placed(side: Outcomes, journal: Path | None = None) -> Outcomes | None:
    """The outcomes whose records' places in a journal are known: a run's own, or those of the run that a pinned
    baseline was made from; None where that journal is gone."""
    if not side.pinned:
        return side
    if journal is None or not journal.is_file():
        return None
    with suppress(GatewatchError, OSError):
        found = read_run(journal)
        return found if found.run == side.run else None
    return None


def _said(data: mmap.mmap, trials: Iterable[Trial]) -> list[_Said]:
    found = []
    for trial in trials:
        for at in trial.places[:1]:
            end = data.find(b"\n", at)
            payload = data[at + _PAYLOAD : end - 1]
            try:
                said = _decoder.decode(payload).trace
            except (msgspec.MsgspecError, UnicodeDecodeError):
                said = _with_surrogates(payload)
            if said is not None:
                found.append(said)
    return found


def _with_surrogates(payload: bytes) -> _Said | None:
    """A row that has half of a surrogate pair in it, which JSON can say and UTF-8 cannot."""
    with suppress(ValueError, RecursionError):
        trace = codec.decode(payload, Row).trace
        if trace is not None:
            asked, answered = (Raw(codec.encode(value)) for value in (trace.input, trace.output))
            return _Said(asked, answered, trace.error, trace.latency_s, trace.cost)
    return None


def _take(heads: Heads, place: int, said: list[_Said]) -> None:
    if not said:
        return
    first = said[0]
    heads.inputs[place] = _head(first.input, asked=True)
    heads.failed[place] = first.error is not None
    heads.outputs[place] = _head(first.output) if first.error is None else first.error.message[:LENGTH]
    if len(said) == 1:
        heads.cost[place] = None if first.cost is None else first.cost.total
        heads.latency_s[place] = None if first.error is not None else first.latency_s
        return
    costs = [each.cost.total for each in said if each.cost is not None and each.cost.total is not None]
    times = [each.latency_s for each in said if each.latency_s is not None and each.error is None]
    if len(costs) == len(said):
        heads.cost[place] = sum(costs) / len(costs)
    if times:
        heads.latency_s[place] = sum(times) / len(times)


def _head(raw: Raw, *, asked: bool = False) -> str:
    """The first characters of a value as text, without decoding all of what is long."""
    data = bytes(memoryview(raw)[:_WHOLE])
    if data[:1] == b'"' and b"\\" not in data:  # as nearly every text is, it needs no parser
        return data[1 : -1 if len(data) < _WHOLE else None].decode(errors="ignore")[:LENGTH]
    if len(data) < _WHOLE:
        with suppress(ValueError, RecursionError):
            value = codec.parse(data)
            return codec.text_of(asked_of(value) if asked else value)[:LENGTH]
    if data[:1] == b'"':
        data = _HALF_ESCAPE.sub(b"", data.rstrip(b'"')[1:])
        with suppress(ValueError):
            return str(codec.parse(b'"' + data.decode(errors="ignore").encode() + b'"'))[:LENGTH]
    return data.decode(errors="replace")[:LENGTH]


def asked_of(value: Any) -> Any:
    """What is asked, in short: the last message of a conversation, the only argument of a task; else the input."""
    if not isinstance(value, dict):
        return value
    messages = value.get("messages")
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict) and messages[-1].get("content"):
        return messages[-1]["content"]
    return next(iter(value.values())) if len(value) == 1 else value
