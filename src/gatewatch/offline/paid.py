"""What a run's calls cost, by scorer and model, and what the reply cache spared it: read quickly from its journal."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.money import Cost
from gatewatch.core.score import models_named
from gatewatch.core.trace import Usage
from gatewatch.offline.journal import JournalReader

_MILLION = 1_000_000
_DATED = re.compile(r"([-@:]\d[\d-]*)?")
"""What may follow a priced model's name in that of a release of it: a date, and not the name of a smaller one."""


class Paid(Struct, kw_only=True):
    """Calls of one kind, for one scorer ("" for the task's) by one model, in US dollars. Where a task states no cost, a
    row is one call, and unknown.

    `cost` leaves out `unknown` calls, which have no known price. `saved` is what a judge's replies out of the reply
    cache would have cost by the run's prices; of `unsaid` such replies that is not known. `scores` is how many scores
    came of a judge's calls.
    """

    kind: Literal["task", "judge"]
    scorer: str = ""
    model: str = ""
    calls: int = 0
    cost: float = 0.0
    unknown: int = 0
    saved: float = 0.0
    unsaid: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    scores: int = 0


class RunPaid(Struct, frozen=True):
    """What a run cost, and how many rows it has."""

    rows: int
    paid: tuple[Paid, ...]


class _Money(Struct, gc=False):
    """A trace or a score, as far as it says what it cost."""

    cost: Cost | None = None
    usage: Usage | None = None
    model: str = ""
    versions: dict[str, str] = {}
    status: str = "scored"


class _Piece(Struct, gc=False):
    case: str
    trial: int = 0
    trace: _Money | None = None
    scores: dict[str, _Money] = {}


_decoder = msgspec.json.Decoder(_Piece)


def run_paid(path: Path) -> RunPaid:
    """What a run cost. A row or a score that is given twice counts once; what is torn or damaged is left out.

    Raises:
        InputError: when the file is not a run's journal.
    """
    prices = JournalReader(path).header.prices
    found: dict[tuple[str, str, str], Paid] = {}
    seen: dict[tuple[str, int], set[str]] = {}
    rows = 0
    with path.open("rb") as file:
        for line in file:
            record = codec.unframe(line)
            if record is None or record[0] != "row":
                continue
            try:
                piece = _decoder.decode(record[1])
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            said = seen.get((piece.case, piece.trial))
            if said is None:
                said = seen[piece.case, piece.trial] = set()
            if piece.trace is not None and "" not in said:
                said.add("")
                rows += 1
                _add(found, "task", "", piece.trace, prices)
            for name, score in piece.scores.items():
                if name not in said:
                    said.add(name)
                    _add(found, "judge", name, score, prices)
    return RunPaid(rows, tuple(found.values()))


def _add(
    found: dict[tuple[str, str, str], Paid],
    kind: Literal["task", "judge"],
    scorer: str,
    money: _Money,
    prices: Mapping[str, Mapping[str, Any]],
) -> None:
    if money.cost is None and kind == "judge":  # a rule costs nothing; of the task's calls it is not known
        return
    named = money.model or money.versions.get("model", "")
    model = ", ".join(dict.fromkeys(models_named(named).values()))
    into = found.get((kind, scorer, model))
    if into is None:
        into = found[kind, scorer, model] = Paid(kind=kind, scorer=scorer, model=model)
    cost, usage = money.cost or Cost(unknown=1), money.usage
    into.calls += 1
    into.cost += cost.amount
    into.unknown += cost.unknown
    into.scores += kind == "judge" and money.status != "skipped"
    if usage is None:
        return
    # A call of the task that cost nothing may be to a model of one's own: nothing tells it from a reply of the cache.
    if kind == "task" or cost.amount or cost.unknown:
        into.input_tokens += usage.input_tokens or 0
        into.output_tokens += usage.output_tokens or 0
        return
    spared = _price(model, usage, prices)
    if spared is None:
        into.unsaid += 1
    else:
        into.saved += spared


def _is_release(model: str, priced: str) -> bool:
    return bool(priced) and model.startswith(priced) and _DATED.fullmatch(model, len(priced)) is not None


def _price(model: str, usage: Usage, prices: Mapping[str, Mapping[str, Any]]) -> float | None:
    """What some usage costs by the prices that a run was made at; None where that is not known."""
    fitting = [each for each in prices.values() if _is_release(model, str(each.get("model", "")))]
    rates = max(fitting, key=lambda each: len(str(each["model"])), default=None)
    if rates is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    usage = usage.whole()
    fresh, out = rates.get("input"), rates.get("output")
    if not isinstance(fresh, int | float) or not isinstance(out, int | float):
        return None
    again = rates.get("cached_input")
    held = min(usage.cached_input_tokens or 0, usage.input_tokens or 0)
    read = again if isinstance(again, int | float) else fresh
    return (((usage.input_tokens or 0) - held) * fresh + held * read + (usage.output_tokens or 0) * out) / _MILLION
