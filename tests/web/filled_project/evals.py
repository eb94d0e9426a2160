"""The scorers of the shop's bot."""

from typing import Any

from gatewatch import scorer


@scorer
def right(output: str, expected: str) -> bool:
    """Whether the fact that is expected is in the answer."""
    return expected.lower() in output.lower()


def slice_of(asked: Any) -> str:
    """What a question is about."""
    text = str(asked).lower()
    for word, part in (("order", "orders"), ("return", "returns"), ("gift", "gifts"), ("json", "exports")):
        if word in text:
            return part
    return "other"
