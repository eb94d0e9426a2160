"""What an application tells of a request, made into what a trace can hold, whatever it was. Nothing here raises."""

from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from typing import Any, get_args

import msgspec
from msgspec.structs import astuple

from gatewatch.core.errors import said_by
from gatewatch.core.lengths import LONGEST_NAME, cut
from gatewatch.core.money import Cost
from gatewatch.core.trace import COUNTS, Fault, Span, SpanKind, Usage

_KINDS = frozenset(get_args(SpanKind))
_LONGEST_MESSAGE = 2000
_MOST_FRAMES = 20
_MOST_TAGS = 64
_NUMBERS = frozenset((int, type(None)))
_HERE = __file__.removesuffix("told.py")


def fault_of(error: BaseException) -> Fault:
    """Why a request gave no answer: what the error says, and where it came from."""
    message = said_by(error)[:_LONGEST_MESSAGE]
    frames: list[str] = []
    here = error.__traceback__
    while here is not None:
        code = here.tb_frame.f_code
        if not code.co_filename.startswith(_HERE):
            frames.append(f'File "{code.co_filename}", line {here.tb_lineno}, in {code.co_name}')
        here = here.tb_next
    if error.__cause__ is not None:
        frames.append(f"caused by {said_by(error.__cause__)[:_LONGEST_MESSAGE]}")
    return Fault(message, "timeout" if isinstance(error, TimeoutError) else "error", "\n".join(frames[-_MOST_FRAMES:]))


def as_usage(value: Any, flaws: list[str]) -> Usage | None:
    """Tokens, from a `Usage` or an object of its fields; what else there is is told of."""
    if type(value) is Usage and _NUMBERS.issuperset(map(type, astuple(value))):
        return value
    try:
        named = value if isinstance(value, Mapping) else {name: getattr(value, name) for name in COUNTS}
        found = {name: named.get(name) for name in COUNTS}
    except Exception:  # properties of an application's object: what they raise is none of the request's business
        found = {}
    if not found or any(number is not None and type(number) is not int for number in found.values()):
        flaws.append("usage is not as it should be")
        return None
    if isinstance(value, Mapping) and set(value) - set(found):
        flaws.append("usage has fields that are not known")
    return Usage(**found)


def as_cost(value: Any) -> Cost:
    """US dollars; what cannot be added up is unknown."""
    amount, unknown = (value.amount, value.unknown) if isinstance(value, Cost) else (value, 0)
    with suppress(Exception):
        if isfinite(amount) and amount >= 0 and type(unknown) is int:
            return Cost(float(amount), unknown)
    return Cost(unknown=1)


def sound_span(each: Span, flaws: list[str]) -> Span:
    """A span that can be read back, whatever the application made of it."""
    usage = each.usage
    if (
        type(each.name) is str
        and type(each.model) is str
        and each.kind in _KINDS
        and (usage is None or (type(usage) is Usage and _NUMBERS.issuperset(map(type, astuple(usage)))))
    ):
        return each
    return msgspec.structs.replace(
        each,
        name=text_of(each.name),
        model=text_of(each.model),
        kind=each.kind if each.kind in _KINDS else "step",
        usage=None if usage is None else as_usage(usage, flaws),
    )


def seconds(value: Any, name: str, flaws: list[str]) -> float | None:
    """A time in seconds, or None for what is none; that is told of."""
    with suppress(Exception):
        if isfinite(value) and value >= 0:
            return float(value)
    flaws.append(f"{name} is not a number of seconds")
    return None


def text_of(value: Any) -> str:
    """A text, whatever it was."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    try:
        return str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # `__str__` is the application's code
        return f"({type(value).__name__})"


def name_of(value: Any, name: str, flaws: list[str]) -> str:
    """A name or an id, cut where it is longer than any that is meant."""
    text = value if type(value) is str else text_of(value)
    short = cut(text)
    if len(short) < len(text):
        flaws.append(f"{name} was cut from {len(text)} characters")
    return short


def tags_of(value: Any, flaws: list[str]) -> tuple[str, ...]:
    """Tags, as many and as long as are meant."""
    made = texts(value)
    if len(made) <= _MOST_TAGS and sum(map(len, made)) <= LONGEST_NAME:
        return made
    if len(made) > _MOST_TAGS or max(map(len, made)) > LONGEST_NAME:
        flaws.append("tags were cut")
    return tuple(each[:LONGEST_NAME] for each in made[:_MOST_TAGS])


def dict_of(value: Any) -> dict[str, str]:
    """Versions by name; nothing, where they are not given so."""
    try:
        return named_texts(dict(value))
    except Exception:  # whatever an application gave: it is told of nowhere else, and must not fail for it
        return {}


def named_texts(value: dict[Any, Any]) -> dict[str, str]:
    """Texts by name, whatever they were."""
    for name, said in value.items():
        if type(name) is not str or type(said) is not str:
            return {text_of(name): text_of(said) for name, said in value.items()}
    return value


def texts(value: Any) -> tuple[str, ...]:
    """Texts, of one or of several."""
    if type(value) is tuple and set(map(type, value)) == {str}:
        return value
    if isinstance(value, str):
        return (value,)
    try:
        return tuple(text_of(each) for each in value)
    except TypeError:
        return (text_of(value),)
    except Exception:  # a generator's own
        return ()
