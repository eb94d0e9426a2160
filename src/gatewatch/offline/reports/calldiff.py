"""What differs between two sequences of tool calls: which calls answer each other, and what differs in arguments."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from gatewatch.offline.reports.jsondiff import JsonLine, value_diff
from gatewatch.scorers.agent import Made

MOST = 300
"""How many calls of each side are compared."""


class CallPair(Struct, frozen=True, omit_defaults=True):
    """A call on both sides, or on one of them.

    `kind`: same, change (other arguments, whose difference is `lines`), del or ins. `flaw` is what is wrong with a call
    that can be none.
    """

    kind: Literal["same", "change", "del", "ins"]
    name: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    lines: tuple[JsonLine, ...] = ()
    flaw: str = ""


def call_diff(before: Sequence[Made], after: Sequence[Made]) -> list[CallPair]:
    """The calls of two sides aligned, in order: with as few calls gone, new and changed as can be.

    A call answers one of the same name; the first 300 of each side are compared.
    """
    one, other = before[:MOST], after[:MOST]
    cost = _costs(one, other)
    found: list[CallPair] = []
    at, to = 0, 0
    while at < len(one) or to < len(other):
        here = cost[at][to]
        if at < len(one) and to < len(other) and one[at].name == other[to].name:
            differ = one[at].arguments != other[to].arguments
            if here == cost[at + 1][to + 1] + differ:
                found.append(_pair(one[at], other[to], differ))
                at, to = at + 1, to + 1
                continue
        if at < len(one) and here == cost[at + 1][to] + 1:
            found.append(CallPair("del", one[at].name, before=one[at].arguments, flaw=one[at].flaw))
            at += 1
        else:
            found.append(CallPair("ins", other[to].name, after=other[to].arguments, flaw=other[to].flaw))
            to += 1
    return found


def _costs(one: Sequence[Made], other: Sequence[Made]) -> list[list[int]]:
    """For every two places, in how many calls what follows them differs at least."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for at in range(len(one), -1, -1):
        for to in range(len(other), -1, -1):
            if at == len(one) or to == len(other):
                table[at][to] = len(one) - at + len(other) - to
                continue
            least = 1 + min(table[at + 1][to], table[at][to + 1])
            if one[at].name == other[to].name:
                least = min(least, table[at + 1][to + 1] + (one[at].arguments != other[to].arguments))
            table[at][to] = least
    return table


def _pair(one: Made, other: Made, differ: bool) -> CallPair:
    lines = tuple(value_diff(one.arguments, other.arguments).lines) if differ else ()
    kind: Literal["same", "change"] = "change" if differ else "same"
    return CallPair(kind, other.name, one.arguments, other.arguments, lines, one.flaw or other.flaw)
