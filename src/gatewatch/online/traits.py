"""Traits of a request's input, by which a change of the traffic's mix is told from one of quality.

Each is one of few words, so that they can be counted: the language, a class of length, what was retrieved.
"""

from bisect import bisect
from functools import lru_cache
from typing import Any

from gatewatch.core.trace import Trace
from gatewatch.scorers.language import language_of

_LENGTHS = (64, 256, 1024, 4096, 16_384)
_NAMES = ("under 64", "64 to 255", "256 to 1,023", "1,024 to 4,095", "4,096 to 16,383", "16,384 and more")
_LONGEST = 80


def traits(trace: Trace) -> dict[str, str]:
    """The traits of a request, by name: `language` (where the extra `language` is there), `length` in characters,
    `document` (the first that was retrieved, by its id) and `knowledge_base` (its version)."""
    found = {}
    text = _asked(trace.input)
    if text:
        found["length"] = _NAMES[bisect(_LENGTHS, len(text))]
        if (spoken := _language(text)) != "unknown":
            found["language"] = spoken
    if document := _document(trace):
        found["document"] = document[:_LONGEST]
    if version := trace.versions.get("knowledge_base"):
        found["knowledge_base"] = version[:_LONGEST]
    return found


def _asked(value: str | dict[str, Any]) -> str:
    """What was asked, where it is text, or what a user said last in a conversation: nothing is copied or encoded."""
    messages = value.get("messages") if isinstance(value, dict) else None
    if isinstance(messages, list | tuple):
        said = [each.get("content") for each in messages if isinstance(each, dict) and each.get("role") == "user"]
        return said[-1] if said and isinstance(said[-1], str) else ""
    return value if isinstance(value, str) else ""


def _language(text: str) -> str:
    return language_of(text) if can_tell() else "unknown"


@lru_cache(maxsize=1)
def can_tell() -> bool:
    """Whether languages can be told; the first time it loads the model, which a server does before it listens."""
    try:
        language_of("which language is this?")
    except ValueError:  # the extra is not there
        return False
    return True


def _document(trace: Trace) -> str:
    context = trace.context
    if not isinstance(context, tuple) or not context or not isinstance(context[0], dict):
        return ""
    named = context[0].get("id")
    return named if isinstance(named, str) else ""
