"""Labelling: what a reviewer is shown of an item, what they say of it, and what all of them together say."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct, to_builtins

from gatewatch.core import codec, shape
from gatewatch.core.case import Expected, ToolCall
from gatewatch.core.codec import text_of
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.review import Item, Label, is_right
from gatewatch.core.score import Score
from gatewatch.core.trace import Span, Trace
from gatewatch.scorers.agent import calls_made, messages_of

RIGHT = "right"
"""The name of the score that an item without a scorer is labelled with: whether the answer is right."""


def item_name(number: int) -> str:
    """What people call an item by its number: I7."""
    return f"I{number}"


# What is shown


class Part(Struct, frozen=True):
    """A piece of a request, to be shown under a heading: what was asked, looked up, done or answered."""

    heading: str
    text: str


def parts_of(trace: Trace) -> list[Part]:
    """What a reviewer sees of a request: the conversation, the context, the steps, what came of it. Nothing of what
    anybody said of it."""
    found = [*_asked(trace.input), *_context(trace.context), *map(_step, trace.spans)]
    if trace.error is not None:
        found.append(Part(trace.error.kind, trace.error.message))
    messages = messages_of(trace.output)
    found += map(_message, messages)
    if not messages and (trace.output is not None or trace.error is None):
        found.append(Part("output", text_of(trace.output)))
    return found


def _asked(given: Any) -> Iterator[Part]:
    messages = given.get("messages") if isinstance(given, dict) else None
    if not isinstance(messages, list | tuple):
        yield Part("input", text_of(given))
        return
    rest = {key: value for key, value in given.items() if key not in ("messages", "assistant")}
    if rest:
        yield Part("input", text_of(rest))
    yield from map(_message, messages)


def _message(message: Any) -> Part:
    if not isinstance(message, dict):
        return Part("message", text_of(message))
    said = [text_of(message[key]) for key in ("content", "tool_calls") if message.get(key)]
    return Part(str(message.get("role", "message")), "\n".join(said))


def _context(context: Any) -> Iterator[Part]:
    if isinstance(context, str):
        yield Part("context", context)
        return
    for place, each in enumerate(context or (), 1):
        yield Part(f"context {place}", text_of(each))


def _step(span: Span) -> Part:
    """A step in a line or two: a model's call by its name alone, since what it was given is what is shown already."""
    if span.kind == "llm":
        return Part("step", " ".join(filter(None, (span.name, span.model))))
    said = f"{span.name} {text_of(span.input)}".rstrip()
    if span.error is not None:
        return Part("step", f"{said}\n! {span.error.message}")
    return Part("step", said if span.output is None else f"{said}\n= {text_of(span.output)}")


# What is expected


def expected_of(text: str, where: str = "expected") -> str | Expected | None:
    """What a reviewer says is right: text, or an object as in a dataset; None for nothing.

    Raises:
        InputError: with all that is wrong in an object, each by its path.
    """
    given = text.strip()
    if not given.startswith("{"):
        return given or None
    hint = 'an answer that begins with { is written {"answer": "{ ..."}'
    try:
        value = codec.parse(given.encode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(where, f"not JSON: {error}", hint)) from None
    found = shape.convert(value, Expected)
    if isinstance(found, list):
        raise InputError([Problem(f"{where}.{at}" if at else where, what, more or hint) for at, what, more in found])
    if found == Expected():
        raise InputError(Problem(where, "is an empty object", "leave it out, or say what is expected"))
    return found


def suggested(trace: Trace) -> str:
    """What to correct into what would be right: the calls that were made, where tools were called, else the answer."""
    made = [each for each in calls_made(trace) if each.name]
    if not made:
        return text_of(trace.output)
    return codec.indented(Expected(tool_calls=tuple(ToolCall(each.name, each.arguments) for each in made)))


def expected_text(expected: str | Expected | None) -> str:
    """What is expected, as it is typed."""
    return codec.encode(expected).decode() if isinstance(expected, Expected) else expected or ""


# What reviewers say together


class Together(Struct, frozen=True):
    """What the reviewers of an item say: the word that settled it, else that of most.

    `agreed` of the `of` who labelled it are on that side. `by` are those whose word it is.
    """

    value: float
    by: tuple[str, ...]
    agreed: int
    of: int
    settled: bool = False
    expected: str | Expected | None = None
    comment: str = ""


def together(labels: Iterable[Label], mark: float = 0.5) -> Together | None:
    """What the reviewers of one item say together; None where nobody labelled it, or as many say one as the other.

    From the mark on a value says that it is right.
    Of several who say the same, the value is the mean, and what they expect is the last one's who says anything of it.
    """
    said = [(label, label.value) for label in labels if label.value is not None and not label.skipped]
    settling = [(label, value) for label, value in said if label.settles]
    if settling:
        label, value = settling[-1]
        agreed = sum(is_right(each, mark) == is_right(value, mark) for _, each in said)
        return Together(value, (label.by,), agreed, len(said), True, label.expected, label.comment)
    right = [(label, value) for label, value in said if is_right(value, mark)]
    wrong = [(label, value) for label, value in said if not is_right(value, mark)]
    if len(right) == len(wrong):
        return None
    most = max(right, wrong, key=len)
    return Together(
        value=sum(value for _, value in most) / len(most),
        by=tuple(label.by for label, _ in most),
        agreed=len(most),
        of=len(said),
        expected=next((label.expected for label, _ in reversed(most) if label.expected is not None), None),
        comment=next((label.comment for label, _ in reversed(most) if label.comment), ""),
    )


def score_of(item: Item, label: Label) -> Score:
    """A label as a score: a person's word, on the one scale."""
    status = "skipped" if label.value is None else "scored"
    return Score(label.value, explanation=label.comment, status=status, name=item.scorer or RIGHT, source="human")  # type: ignore[arg-type]


# What is told once the label is there


def revealed(item: Item, label: Label, others: Sequence[Label], why: str = "") -> Iterator[str]:
    """What was hidden until the label was there: how it came to be looked at, what the judge said, what others said.

    `why` is the judge's explanation.
    """
    if item.judged is not None:
        because = f", because {why}" if why else ""
        said = f"{item.judged:.3g}{because}"
        if label.value is None:
            yield f"the judge said {said}"
        elif is_right(label.value, item.mark) == is_right(item.judged, item.mark):
            yield f"you agreed with the judge: {said}"
        else:
            yield f"you disagreed with the judge: {said}"
    if item.pi is not None:
        yield f"it was drawn by chance, with probability {item.pi:.3g}"
    elif item.signs:
        yield f"it was mined: {', '.join(item.signs)}"
    for each in others:
        if each.by != label.by:
            yield f"{each.by} said {said_by(each)}"


def said_by(label: Label) -> str:
    """What a reviewer said, in a few words."""
    if label.skipped or label.value is None:
        return "nothing (skipped)" + (f": {label.comment}" if label.comment else "")
    parts = [f"{label.value:.3g}" + (" (settled)" if label.settles else "")]
    if label.expected is not None:
        parts.append(f"expected: {expected_text(label.expected)}")
    parts += label.kinds
    if label.severity is not None:
        parts.append(label.severity)
    if label.comment:
        parts.append(label.comment)
    return "; ".join(parts)


def label_plain(item: Item, label: Label) -> dict[str, Any]:
    """A label as JSON: the score that it is, by whom, when, and what is expected."""
    score = score_of(item, label)
    return {
        "item": item_name(item.id),
        "queue": item.queue,
        "name": score.name,
        "source": score.source,
        "value": score.value,
        "status": score.status,
        "by": label.by,
        "at": label.at,
        "expected": to_builtins(label.expected),
        "comment": label.comment,
        "kinds": list(label.kinds),
        "severity": label.severity,
        "disputes": label.disputes,
        "saw": label.saw,
        "settles": label.settles,
    }
