"""The chain of a case, link by link: request, scores, failure, labels, change, case, runs, verdicts; each says when,
and by whom.

Where a link is not to be had any more (a store that is elsewhere, a request that is too old), the case's own provenance
says what it was made of.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct

from gatewatch.core.case import Case
from gatewatch.core.change import Change, change_name
from gatewatch.core.clock import stamp
from gatewatch.core.failure import Failure, failure_name
from gatewatch.core.marks import names
from gatewatch.core.review import Item, Label
from gatewatch.loop.label import item_name
from gatewatch.offline.outcomes import CaseOutcome, Outcomes
from gatewatch.store.audit import Audited
from gatewatch.store.rows import KeptScore, Row

Step = Literal["trace", "score", "failure", "item", "label", "change", "case", "run", "baseline", "verdict", "audit"]
STEPS: tuple[Step, ...] = (
    *("trace", "score", "failure", "item", "label", "change", "case", "run", "baseline", "verdict", "audit"),
)
"""The links of a chain, in the order in which they are made."""


class Link(Struct, frozen=True):
    """One link: what it is, what it is called, when it was made (UTC, as ISO 8601 has it, or only a day; "" where
    nobody knows) and by whom, and what it says."""

    step: Step
    name: str
    at: str = ""
    by: str = ""
    said: str = ""


def of_request(row: Row, scores: Sequence[KeptScore]) -> Iterator[Link]:
    """A request that is stored, and what was said of it."""
    facts = [row.flow, row.slice, row.error, ", ".join(names(row.marks | row.late))]
    yield Link("trace", row.id, _moment(row.at), "", " · ".join(filter(None, facts)))
    for kept in scores:
        score = kept.score
        value = score.status if score.value is None else f"{score.value:.3g}"
        yield Link("score", score.name, _moment(kept.at), kept.author or score.source, value)


def of_failure(failure: Failure) -> Link:
    """A failure, as it stands."""
    why = f", {failure.reason}" if failure.reason else ""
    said = f"{failure.name} · {failure.sign} · {failure.state.replace('_', ' ')}{why}"
    return Link("failure", failure_name(failure.id), _moment(failure.updated), failure.who, said)


def of_item(item: Item, labels: Sequence[Label]) -> Iterator[Link]:
    """What was put up to be labelled, and what people said of it."""
    yield Link(
        "item", item_name(item.id), _moment(item.added), "", f"{item.trace} · {', '.join(item.signs)} · {item.state}"
    )
    for label in labels:
        said = "skipped" if label.value is None else f"{label.value:.3g}" + (", settles it" if label.settles else "")
        yield Link("label", item_name(item.id), _moment(label.at), label.by, said)


def of_change(change: Change) -> Link:
    """A change of the outbox, and how far it came."""
    moved = f" since {_moment(change.moved)}" if change.moved else ""
    where = f" by {change.where}" if change.where else ""
    said = f"{change.kind} for {change.path}: {change.state}{moved}{where}"
    return Link("change", change_name(change.id), _moment(change.at), change.by, said)


def of_case(case: Case, place: str) -> Link:
    """A case as it stands in its dataset."""
    state = "must pass" if case.must_pass else "does not block by itself"
    if case.retired:
        state = f"retired: {case.retired}"
    elif case.open is not None:
        state = f"open until {case.open.until}" + (f", {case.open.owner} sees to it" if case.open.owner else "")
    known = case.provenance
    fixed = f", fixed {known['fixed']}" if known.get("fixed") else ""
    run = f" ({known['run']})" if fixed and known.get("run") else ""
    return Link("case", case.id, _text(known.get("at")), _text(known.get("by")), f"{place}: {state}{fixed}{run}")


def of_run(run: Outcomes, case: str, started: str) -> Link:
    """What a run gave a case, by scorer."""
    return Link("run", run.run, started, "", _values(run, run.cases[case]))


def of_baseline(baseline: Outcomes, case: str) -> Link:
    """What the pinned baseline has of a case: its last outcomes."""
    must = ", must pass" if baseline.cases[case].must_pass else ""
    return Link("baseline", baseline.run, baseline.pinned, "", f"{_values(baseline, baseline.cases[case])}{must}")


def _values(run: Outcomes, outcome: CaseOutcome) -> str:
    told = []
    for name in run.scorers:
        values = outcome.history.get(name) or outcome.values(name)
        if values:
            told.append(f"{name} {' '.join(f'{value:.3g}' for value in values)}")
    return ", ".join(told) or "no scores"


def of_verdict(verdict: Mapping[str, Any], run: str, case: str, at: str) -> Link:
    """What a gate said of a run, and of a case in it."""
    rows = [row for row in verdict.get("rows", ()) if isinstance(row, dict) and row.get("id") == case]
    said = [str(verdict.get("verdict", ""))]
    if any(row.get("why") for row in rows):
        said.append("blocked by it")
    elif any(row.get("effect") == "loss" for row in rows):
        said.append("it fell")
    for each in verdict.get("open", ()):
        if isinstance(each, dict) and each.get("id") == case:
            passes = each.get("passes")
            became = "is not judged" if passes is None else "passes" if passes else "fails"
            said.append(f"{each.get('state')}, {became}")
    return Link("verdict", run, at, "", ", ".join(said))


def of_audit(lines: Sequence[Audited], known: set[str]) -> Iterator[Link]:
    """The lines of the audit that are about any of some names, the oldest first. A line begins with what it is about:
    what else stands in it (the run that closed a failure) may be of others, too."""
    for line in reversed(lines):
        about = line.what.split()
        if line.action != "read" and not known.isdisjoint(about[:1] if line.action == "fixed" else about):
            yield Link("audit", line.action, _moment(line.at), line.who, line.what)


# Of what a case says itself


def of_provenance(case: Case) -> Iterator[Link]:
    """The links before a case, as they stand in its own line."""
    known = case.provenance
    if known.get("trace"):
        yield Link("trace", _text(known["trace"]), "", "", _text(known.get("flow")))
    scores = known.get("scores")
    for name, value in scores.items() if isinstance(scores, dict) else ():
        yield Link("score", _text(name), "", "", _text(value))
    if known.get("failure"):
        said = " · ".join(filter(None, (_text(known.get("failure_name")), _text(known.get("sign")))))
        yield Link("failure", _text(known["failure"]), "", "", said)
    labels = known.get("labels")
    for label in labels if isinstance(labels, list) else ():
        if isinstance(label, dict):
            name = _text(known.get("item")) or "label"
            yield Link("label", name, _text(label.get("at")), _text(label.get("by")), _text(label.get("value")))


def traces_of(case: Case) -> list[str]:
    """The requests that a case was promoted from."""
    more = case.provenance.get("more")
    every = [case.provenance, *(more if isinstance(more, list) else ())]
    found = [each.get("trace") for each in every if isinstance(each, dict)]
    return list(dict.fromkeys(each for each in found if isinstance(each, str) and each))


def in_order(links: Sequence[Link]) -> tuple[Link, ...]:
    """Links in the order of the chain, each once; what stands together stays so."""
    return tuple(sorted(dict.fromkeys(links), key=lambda link: STEPS.index(link.step)))


def _moment(at: float) -> str:
    return stamp(datetime.fromtimestamp(at, UTC)) if at else ""


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
