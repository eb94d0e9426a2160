"""Promoting: a request that went wrong, and what people said of it, becomes a case that guards every later change.

The case has what was asked, what is expected, and where it came from; neither the user nor the session.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.case import Case, Expected, Open, derived_id
from gatewatch.core.change import Change
from gatewatch.core.clock import stamp
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.failure import Failure, failure_name
from gatewatch.core.review import Item, Label, is_right
from gatewatch.core.trace import Trace
from gatewatch.loop.label import Together, item_name, together
from gatewatch.loop.likeness import asked
from gatewatch.loop.same import Decision, query_of
from gatewatch.offline.dataset import case_of

TAG = "promoted"
_KEY, _SESSION = 24, 12


class Source(Struct, frozen=True, kw_only=True):
    """A request to be promoted: as it was, with the turns before it in its session, and what was said of it."""

    trace: Trace
    earlier: tuple[Trace, ...] = ()
    item: Item | None = None
    failure: Failure | None = None
    labels: tuple[Label, ...] = ()
    scores: Mapping[str, float] = {}

    @property
    def said(self) -> Together | None:
        """What its reviewers say together."""
        return together(self.labels, 0.5 if self.item is None else self.item.mark)


class Terms(Struct, frozen=True, kw_only=True):
    """How requests are promoted: by whom and when (seconds since the epoch), and until which day their cases may fail,
    unless they are `strict`. `expected` goes before what labels say, `slice` before that of the request. `redact` takes
    out of a request, and `clean` out of any JSON value, what the project does not keep; `slice_of` names the slice of
    an input."""

    by: str
    at: float
    until: date
    owner: str = ""
    strict: bool = False
    expected: str | Expected | None = None
    slice: str = ""
    redact: Callable[[Trace], Trace]
    clean: Callable[[Any], Any]
    slice_of: Callable[[Any], Any] | None = None


# From a request to a case


def made_case(source: Source, terms: Terms) -> Case:
    """The case that a request makes.

    Raises:
        InputError: it is not kept whole, so that nobody could ask it again; or it makes no case that could be run.
    """
    trace = terms.redact(source.trace)
    _check(source.trace.id, trace)
    given = input_of(trace, [terms.redact(each) for each in source.earlier])
    expected = cleaned(expected_of(source, terms), terms.clean)
    item, failure = source.item, source.failure
    named = terms.slice or trace.slice or (item.slice if item else "")
    if not named and terms.slice_of is not None:
        named = _slice_of(terms.slice_of, given, trace.id)
    owner = terms.owner or (failure.owner if failure else "") or terms.by
    case = Case(
        id=derived_id(given),
        input=given,
        expected=expected,
        context=trace.context,
        tags=(TAG,),
        slice=named,
        cluster=_cluster(trace, failure),
        must_pass=terms.strict,
        open=None if terms.strict else Open(terms.until, owner),
        provenance=_provenance(source, terms),
    )
    found = case_of(msgspec.to_builtins(case), trace.id)
    if isinstance(found, list):
        raise InputError(found)
    return found


def _slice_of(slice_of: Callable[[Any], Any], given: Any, name: str) -> str:
    """The slice that the project's own function names.

    Raises:
        InputError: it fails.
    """
    try:
        return str(slice_of(given) or "")
    except Exception as error:
        what = f"[project] slice fails for it: {type(error).__name__}: {error}"
        raise InputError(Problem(name, what, "correct that function, or say which slice it is (--slice)")) from None


def _check(name: str, trace: Trace) -> None:
    what = hint = ""
    if cut := [field for field in trace.cut if field.partition(".")[0] == "input"]:
        what = f"was too long to be kept whole ({cut[0]} had {trace.cut[cut[0]]:,} bytes)"
        hint = "what was asked is not all there: write the case by hand"
    elif trace.input in ("", {}, "[dropped]"):
        what = "has no input that is kept"
        hint = "see [online] drop_fields and the application's capture"
    if what:
        raise InputError(Problem(name, what, hint))


def input_of(trace: Trace, earlier: Sequence[Trace]) -> str | dict[str, Any]:
    """What a case asks: as the request did; of a later turn that asked by text alone, the conversation until then."""
    if not earlier or not isinstance(trace.input, str):
        return trace.input
    messages: list[dict[str, Any]] = []
    for turn in earlier:
        messages.append({"role": "user", "content": asked(turn.input)})
        if turn.output is not None:
            messages.append({"role": "assistant", "content": codec.text_of(turn.output)})
    return {"messages": [*messages, {"role": "user", "content": trace.input}]}


def expected_of(source: Source, terms: Terms) -> str | Expected | None:
    """What is expected: as who promotes it says, else as its reviewers do."""
    if terms.expected is not None:
        return terms.expected
    return None if source.said is None else source.said.expected


def cleaned(expected: str | Expected | None, clean: Callable[[Any], Any]) -> str | Expected | None:
    """What is expected, without what the project does not keep."""
    if isinstance(expected, Expected):
        return msgspec.convert(clean(msgspec.to_builtins(expected)), Expected)
    return None if expected is None else str(clean(expected))


def _cluster(trace: Trace, failure: Failure | None) -> str:
    """What cases of one origin share: a digest of their session, else the failure that they were mined with."""
    if trace.session:
        return f"session-{codec.digest((trace.flow, trace.session), _SESSION)}"
    return failure_name(failure.id) if failure else ""


def _provenance(source: Source, terms: Terms) -> dict[str, Any]:
    item, failure = source.item, source.failure
    told = {
        "trace": source.trace.id,
        "flow": source.trace.flow,
        "failure": failure_name(failure.id) if failure else "",
        "failure_name": terms.clean(failure.name) if failure else "",
        "sign": failure.sign if failure else ", ".join(item.signs) if item else "",
        "item": item_name(item.id) if item else "",
        "scores": dict(source.scores),
        "labels": [_label(each, terms) for each in source.labels if each.value is not None],
        "agreement": agreement(source.labels, 0.5 if source.item is None else source.item.mark),
        "judged": item.judged if item else None,
        "by": terms.by,
        "at": _moment(terms.at),
    }
    return {name: value for name, value in told.items() if value not in ("", None, [], {})}


def _label(label: Label, terms: Terms) -> dict[str, Any]:
    told: dict[str, Any] = {"by": label.by, "at": _moment(label.at), "value": label.value}
    if label.comment:
        told["comment"] = terms.clean(label.comment)
    if label.kinds:
        told["kinds"] = list(label.kinds)
    if label.severity is not None:
        told["severity"] = label.severity
    return told | ({"settles": True} if label.settles else {})


def _moment(at: float) -> str:
    from datetime import UTC, datetime

    return stamp(datetime.fromtimestamp(at, UTC))


def agreement(labels: Iterable[Label], mark: float = 0.5) -> float | None:
    """The share of pairs of reviewers who are on the same side, by their first word; None where fewer than two said
    anything."""
    said = [each.first if each.first is not None else each.value for each in labels if _by_themselves(each)]
    sides = [is_right(value, mark) for value in said if value is not None]
    right, all_ = sum(sides), len(sides)
    wrong = all_ - right
    if all_ < 2:
        return None
    return (right * (right - 1) + wrong * (wrong - 1)) / (all_ * (all_ - 1))


def _by_themselves(label: Label) -> bool:
    """Whether somebody labelled an item by themselves, rather than only settled what others said."""
    return label.value is not None and (not label.settles or label.first is not None)


# The change


def change_key(path: str, case: Case) -> str:
    """What makes one change of the promotion of a query into a dataset, whoever promotes it, and from which request."""
    return f"case:{path}:{codec.digest(query_of(case), _KEY)}"


def change_of(decision: Decision, case: Case, *, suite: str, path: str, terms: Terms, source: Source) -> Change:
    """The change that a decision is: the case, and which one it is merged into.

    Args:
        decision: what becomes of it.
        case: the case that the request made.
        suite: the suite.
        path: its dataset, from the project's folder.
        terms: how it is promoted.
        source: the request.
    """
    into = decision.into.case.id if decision.kind == "merge" and decision.into is not None else ""
    key = change_key(path, case)
    if into:
        before = decision.into.case.expected if decision.into is not None else None
        key = f"merge:{path}:{codec.digest((into, source.trace.id, case.expected, before), _KEY)}"
    body = decision.case if not into else case
    return Change(
        key=key,
        kind="case",
        suite=suite,
        path=path,
        body={"case": msgspec.to_builtins(body), "into": into},
        failure=source.failure.id if source.failure else 0,
        trace=source.trace.id,
        by=terms.by,
        at=terms.at,
    )
