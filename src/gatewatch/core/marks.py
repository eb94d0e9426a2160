"""Marks: facts about a live request that rules of sampling may name, each a bit of a whole number.

Some are known when the request ends (`error`, `guardrail`), others arrive later, with feedback. A mark that was set is
never taken back. The order is kept for good: stores hold the bits.
"""

from collections.abc import Iterable

MARKS = ("error", "thumbs_down", "thumbs_up", "escalated", "guardrail", "retried", "abandoned", "copied")
_BITS = {name: 1 << place for place, name in enumerate(MARKS)}


def bits(names: Iterable[str]) -> int:
    """Marks as one number. Unknown ones are left out: a later version's, or a slip that capture has told of."""
    found = 0
    for name in names:
        found |= _BITS.get(name, 0)
    return found


def names(found: int) -> tuple[str, ...]:
    """The marks that a number stands for."""
    return tuple(name for name, bit in _BITS.items() if found & bit)
