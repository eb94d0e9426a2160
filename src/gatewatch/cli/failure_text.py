"""A failure as it is shown to people."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewatch.core.failure import Failure
    from gatewatch.core.review import Item
    from gatewatch.store.base import Store

_SHOWN = 300
_PARTS = 6
_MOST = 1000


def share(failure: "Failure") -> str:
    """The share of traffic that a failure stands for, with its interval."""
    if failure.share is None:
        return "an unknown part"
    if failure.low is None or failure.high is None:
        return f"{failure.share:.1%}"
    return f"{failure.share:.1%} [{failure.low:.1%}, {failure.high:.1%}]"


def against(failure: "Failure") -> str:
    """How a failure stands to the dataset."""
    if failure.novelty == "covered":
        return f"{failure.nearest} covers it, and it fails"
    return f"near {failure.nearest}" if failure.novelty == "near" else "new"


def lines_of(failure: "Failure", store: "Store") -> Iterator[tuple[str, str]]:
    """What is known of a failure, each with its label: what it is, its requests, and what people said of them. It holds
    texts of requests: print it through `clean`."""
    from gatewatch.core.failure import failure_name
    from gatewatch.online.alert_text import moment

    yield failure_name(failure.id), failure.name + (f" (named by {failure.named_by})" if failure.named_by else "")
    by = f", by {failure.who}: {failure.reason}" if failure.who else ""
    yield "state", failure.state.replace("_", " ") + by
    yield "flow", failure.flow
    yield "found by", failure.sign
    yield "found", f"{failure.n:,} conversations, when it was mined last ({moment(failure.updated)})"
    yield "of traffic", f"{share(failure)}, severity {failure.severity:.2f}"
    alike = f" (likeness {failure.likeness:.2f})" if failure.nearest else ""
    nearest = f", nearest is {failure.nearest}" if failure.novelty == "new" and failure.nearest else ""
    yield "dataset", against(failure) + nearest + alike
    yield "seen", f"{moment(failure.first)} to {moment(failure.last)}"
    yield "slices", _parts(failure.slices)
    yield "versions", _parts(failure.versions)
    if failure.fixed is not None:
        yield "fixed", moment(failure.fixed)
    if failure.owner:
        yield "owner", failure.owner
    for item in store.items(failure=failure.id, queue="failures", most=_MOST):
        yield from _item(item, store)


def _item(item: "Item", store: "Store") -> Iterator[tuple[str, str]]:
    from gatewatch.core import codec
    from gatewatch.core.trace import Trace
    from gatewatch.loop.likeness import asked

    kind = "typical" if item.representative else "at its edge"
    yield f"I{item.id}", f"{item.trace} · {', '.join(item.signs)} · {kind} · {item.state}"
    payload = store.item_trace(item.id)
    if payload:
        trace = codec.decode(payload, Trace)
        yield "  asked", _short(asked(trace.input))
        yield "  answered", _short(trace.error.message if trace.error else codec.text_of(trace.output))
    for label in store.labels([item.id]):
        value = "skipped" if label.skipped else "no value" if label.value is None else f"{label.value:g}"
        expected = "" if label.expected is None else f" · expected: {_short(codec.text_of(label.expected))}"
        comment = f" · {_short(label.comment)}" if label.comment else ""
        yield "  label", f"{value} by {label.by}{expected}{comment}"


def _parts(counts: Mapping[str, int]) -> str:
    some = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    told = ", ".join(f"{name or '(none)'} {number:,}" for name, number in some[:_PARTS])
    return told + (f", and {len(some) - _PARTS} more" if len(some) > _PARTS else "")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} ..."
