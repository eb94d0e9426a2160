"""A shop's bot in four versions, which needs no model.

"good" is in use, "rewrite" fell behind with returns and with orders of six digits, "mended" knows what "good" does not,
and "broken" fails on gift cards.
"""

import json
import re
from typing import Any

from gatewatch import Usage, span

HOSTILE = (
    "<script>document.title='taken'</script> ![x](http://elsewhere.example/x.png) \u202egnp\u202c \x1b[31mred =1+1"
)
_LONG = "The terms of the guarantee, in full. " * 60


def answer(input: Any, version: str = "good") -> str:  # noqa: A002 - the argument of tasks
    """The answer of a version."""
    text = str(input)
    with span("search", kind="retrieval") as step:
        step.input = text[:200]
        step.output = [{"id": "help-1", "text": "Returns within 30 days."}]
    said = _said(text, version)
    with span("answer", kind="llm") as step:
        step.model = "app-1"
        step.usage = Usage(input_tokens=300 + len(text), output_tokens=20 + len(said) // 4)
    return said


def _said(text: str, version: str) -> str:
    order = re.search(r"#(\d+)", text)
    if order:
        return _order(order[1], version)
    if "gift" in text:
        if version == "broken":
            raise ConnectionError("the ledger of gift cards does not answer")
        return f"Your gift card has {len(text) % 5}0 EUR left."
    if "return" in text:
        return "You may send it back within 14 days." if version == "rewrite" and "boots" in text else _window(version)
    if "json" in text:
        stock = {"stock": len(text) % 7, "sizes": ["M", "L"], "colour": "red" if version == "rewrite" else "blue"}
        return json.dumps(stock)
    if "guarantee" in text:
        return _LONG + ("It lasts two years." if version == "mended" else "Ask the maker.")
    if "script" in text:
        return f"You wrote: {HOSTILE}"
    return "We ship within two days."


def _window(version: str) -> str:
    return "Send it back within 30 days, please." if version == "mended" else "You may send it back within 30 days."


def _order(number: str, version: str) -> str:
    with span("order_status", kind="tool") as step:
        known = number[:5] if version == "rewrite" else number
        step.input = {"order_id": known}
        step.output = {"day": None if known != number else f"day {int(number) % 9}"}
    if known != number:
        return f"I cannot find the order {known}."
    return f"Order {number} arrives on day {int(number) % 9}."
