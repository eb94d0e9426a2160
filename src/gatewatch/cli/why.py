"""`gatewatch why`: what became of a live request with each scorer, and why."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from gatewatch.cli.terminal import print_json, who

_SHOWN = 600

if TYPE_CHECKING:
    from gatewatch.core.review import Item, Label
    from gatewatch.core.trace import Trace
    from gatewatch.online.ledger import Entry, Ledger


@click.command(name="why")
@click.argument("trace")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else.")
def command(trace: str, *, as_json: bool) -> None:
    """Say of a TRACE (its id, or the application's own for it) which scorers saw it, which did not, and why.

    It shows what was asked and answered, and is noted in the audit.
    """
    from gatewatch.config.monitors import store_of
    from gatewatch.config.project import Project
    from gatewatch.core import codec
    from gatewatch.core.clock import wall
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.core.trace import Trace
    from gatewatch.online.ledger import ledger

    store = store_of(Project.open())
    try:
        row = store.find(trace)
        if row is None:
            hint = "a worker may not have taken it in yet (`gatewatch work`), or it is older than is kept"
            raise InputError(Problem(trace, "no such request is stored", hint))
        store.note(wall(), who(), "read", row.id)
        found = ledger(store, row)
        payload = store.payload(row.seq)
        items = {item.id: item for item in store.items(trace=row.id)}
        labels = [(items[label.item], label) for label in store.labels(items)]
    finally:
        store.close()
    from gatewatch.offline.report import clean

    trace_told = codec.decode(payload, Trace) if payload else None
    if as_json:
        from gatewatch.loop.label import label_plain

        people = [label_plain(*each) for each in labels]
        print_json({"kind": "gatewatch.why", "version": 1, **_plain(found), "labels": people, "trace": trace_told})
        return
    for line in lines_of(found, trace_told):
        click.echo(clean(line))  # one line each: a comment cannot make another
    for line in _of_people(labels):
        click.echo(clean(line))


def _plain(found: "Ledger") -> dict[str, Any]:
    import msgspec

    from gatewatch.core.marks import names

    plain = dict(msgspec.to_builtins(found))
    plain["row"] |= {"marks": names(found.row.marks), "late": names(found.row.late)}
    return plain


def lines_of(found: "Ledger", trace: "Trace | None" = None) -> Iterator[str]:
    """A request's ledger, line by line, with what was said where it is there."""
    from datetime import UTC, datetime

    from gatewatch.core.clock import stamp
    from gatewatch.core.marks import names
    from gatewatch.core.money import dollars
    from gatewatch.offline.report import seconds

    row = found.row
    yield f"{row.id}  {row.flow or '(no flow)'}  {stamp(datetime.fromtimestamp(row.at, UTC))}"
    facts = {
        "slice": row.slice,
        "variant": row.variant,
        "tags": ", ".join(row.tags),
        "session": row.session,
        "error": row.error,
        "latency": "" if row.latency_s is None else seconds(row.latency_s),
        "cost": "" if row.cost is None else dollars(row.cost),
        "marks": ", ".join(names(row.marks)),
        "late marks": ", ".join(names(row.late)),
        "payload": row.payload if row.kept is None else f"{row.payload} (kept with probability {row.kept:.3g})",
    }
    if row.share < 1:
        facts["sent"] = f"with probability {row.share:.3g}, by upstream sampling: it stands for {1 / row.share:.3g}"
    for name, value in facts.items():
        if value:
            yield f"  {name:<11} {value}"
    factor = " over that of being sent" if row.share < 1 else ""
    yield f"  {'u':<11} {row.u:.6f}: it is scored where this is below pi{factor}"
    if trace is not None:
        yield ""
        yield from _content(trace)
    if found.entries:
        yield ""
        width = max(len(each.scorer) for each in found.entries)
        for each in found.entries:
            yield f"  {each.scorer:<{width}}  {_fate(each)}"
    if found.said:
        yield ""
    for kept in found.said:
        score = kept.score
        value = "" if score.value is None else f" {score.value:.3g}"
        more = " ".join(filter(None, (score.label, score.explanation[:200])))
        yield f"  {score.source} {score.name}{value}  {more}".rstrip()


def _of_people(labels: "list[tuple[Item, Label]]") -> Iterator[str]:
    """What reviewers said of a request."""
    from gatewatch.loop.label import item_name, said_by, score_of

    for item, label in labels:
        score = score_of(item, label)
        yield f"  {score.source} {score.name} {said_by(label)}  {label.by}, {item_name(item.id)} ({item.queue})"


def _content(trace: "Trace") -> Iterator[str]:
    from gatewatch.core.codec import text_of

    told = {"input": text_of(trace.input), "output": text_of(trace.output)}
    told["error"] = "" if trace.error is None else trace.error.message
    told["steps"] = ", ".join(span.name for span in trace.spans[:20])
    told["taken out"] = ", ".join(f"{each.count} {each.type} ({each.field})" for each in trace.redacted)
    told["flaws"] = "; ".join(trace.flaws)
    for name, value in told.items():
        if value:
            flat = " ".join(value.split())
            yield f"  {name:<11} {flat[:_SHOWN]}{'...' if len(flat) > _SHOWN else ''}"


def _fate(each: "Entry") -> str:
    value = "" if each.score is None or each.score.value is None else f" {each.score.value:.3g}"
    why = f"  ({each.why})" if each.why else ""
    reason = ""
    if each.score is not None and each.score.explanation:
        reason = f"  {each.score.explanation[:200]}"
    sent = f" = {each.pi / each.sent:.3g} x {each.sent:.3g} sent" if each.sent else ""
    return f"{each.fate}{value}  pi {each.pi:.3g}{sent}{why}{reason}"
