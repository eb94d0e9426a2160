"""A call that several libraries tell of, counted once.

A model call inside nothing but another one is the same call, seen by the wrapper and by what it wraps: they become one
span, with what either knows. A span that is said to be a model call and has several inside it is a step around them. A
tool's call directly inside one of the same name is that call; and what one search is made of is no search by itself.
"""

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from gatewatch.core.trace import COUNTS, Usage
from gatewatch.online.otlp.part import Failed, Part

Nodes = dict[str, Part]


class Tree:
    """The spans of a trace, and which stands inside which; a circle of parents is cut where it is first met."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self.nodes: Nodes = {each.span: each for each in parts}
        self.parents = {each.span: each.parent for each in self.nodes.values() if each.parent in self.nodes}
        self._cut_circles()
        self.inside: dict[str, list[str]] = {}
        for inner, outer in self.parents.items():
            self.inside.setdefault(outer, []).append(inner)

    def _cut_circles(self) -> None:
        """Let a span of each circle of parents stand inside of none."""
        led_out: set[str] = set()
        for span in self.nodes:
            path: dict[str, None] = {}
            while span in self.parents and span not in led_out:
                if span in path:
                    del self.parents[span]
                    break
                path[span] = None
                span = self.parents[span]  # noqa: PLW2901 - the way up
            led_out.update(path)

    def deepest_first(self) -> list[str]:
        """All spans, each before those that it stands inside of."""
        waiting = [each for each in self.nodes if each not in self.parents]
        found: list[str] = []
        while waiting:
            span = waiting.pop()
            found.append(span)
            waiting += self.inside.get(span, ())
        return found[::-1]

    def remove(self, span: str) -> None:
        """Take a span out; what stood inside it stands where it stood."""
        outer = self.parents.pop(span, "")
        inner = self.inside.pop(span, [])
        del self.nodes[span]
        if outer:
            self.inside[outer] = [each for each in self.inside[outer] if each != span] + inner
        for each in inner:
            if outer:
                self.parents[each] = outer
            else:
                self.parents.pop(each, None)


def count_once(tree: Tree) -> Usage | None:
    """Bring doubled spans together, and say what is known to have been used only by spans around model calls."""
    calls: dict[str, list[str]] = {}  # by span, the model calls that are nearest to it
    known: dict[str, bool] = {}  # whether the tokens of any call inside it, or its own, are known
    aggregate: dict[str, Usage | None] = {}
    for span in tree.deepest_first():
        inside = [call for each in tree.inside.get(span, ()) for call in calls.pop(each, [])]
        if tree.nodes[span].kind == "llm":
            inside = [_model_call(tree, span, inside)] if len(inside) < 2 else _around(tree, span, inside)
        calls[span] = inside if tree.nodes[span].kind != "tool" else []  # a tool's model calls are its own
        below = [each for each in tree.inside.get(span, ()) if each in known]
        part = tree.nodes[span]
        known[span] = any(known[each] for each in below) or (part.kind == "llm" and part.usage is not None)
        aggregate[span] = _sum(aggregate.pop(each, None) for each in below)
        if part.kind != "llm" and part.usage is not None and not known[span]:
            aggregate[span] = part.usage
        if part.kind in ("tool", "retrieval"):
            _enclosed(tree, span)
    return _sum(aggregate.get(each) for each in tree.nodes if each not in tree.parents)


def _sum(usages: Iterable[Usage | None]) -> Usage | None:
    total: Usage | None = None
    for each in usages:
        if each is not None:
            total = each if total is None else total + each
    return total


def _around(tree: Tree, span: str, inside: list[str]) -> list[str]:
    tree.nodes[span] = replace(tree.nodes[span], kind="step")
    return inside


def _model_call(tree: Tree, span: str, inside: list[str]) -> str:
    """The call that a span and the only model call inside it are."""
    if inside:
        outer, inner = tree.nodes[span], tree.nodes[inside[0]]
        if not _same_model(outer, inner):
            tree.nodes[span] = replace(outer, kind="step")
            return inside[0]
        tree.nodes[span] = _both(outer, inner)
        tree.remove(inside[0])
    return span


def _same_model(outer: Part, inner: Part) -> bool:
    if outer.attributes.get("operation") != inner.attributes.get("operation"):
        return False
    one, other = (each.model.rpartition("/")[2].lower() for each in (outer, inner))
    return not one or not other or one.startswith(other) or other.startswith(one)


def _both(outer: Part, inner: Part) -> Part:
    """One span of two that tell of the same call: the content of the one that has more of it, the tokens of the one
    that is nearer to the provider. An error that the outer one got over is none."""
    attributes = {**inner.attributes, **outer.attributes}
    return replace(
        outer,
        input=_richer(outer.input, inner.input),
        output=_richer(outer.output, inner.output),
        documents=outer.documents or inner.documents,
        error=_same_fault(outer.error, inner.error),
        model=inner.model or outer.model,
        usage=_usage(inner.usage, outer.usage),
        cost=outer.cost if outer.cost is not None else inner.cost,
        stream=outer.stream or inner.stream,
        finish=outer.finish or inner.finish,
        first_token_s=outer.first_token_s if outer.first_token_s is not None else inner.first_token_s,
        session=outer.session or inner.session,
        user=outer.user or inner.user,
        variant=outer.variant or inner.variant,
        external_id=outer.external_id or inner.external_id,
        flow=outer.flow or inner.flow,
        rank=outer.rank if outer.flow else inner.rank,
        tags=tuple(dict.fromkeys((*outer.tags, *inner.tags))),
        versions={**inner.versions, **outer.versions},
        attributes=attributes,
        redacted=(*outer.redacted, *inner.redacted),
        flaws=tuple(dict.fromkeys((*outer.flaws, *inner.flaws))),
    )


def _richer(one: Any, other: Any) -> Any:
    """Of two forms of the same, the one that is there; messages and calls before plain text."""
    if one is None or one == "":
        return other
    return other if _is_spoken(other) and not _is_spoken(one) else one


def _is_spoken(value: Any) -> bool:
    return isinstance(value, dict) and ("messages" in value or "tool_calls" in value)


def _usage(nearer: Usage | None, other: Usage | None) -> Usage | None:
    if nearer is None or other is None:
        return other if nearer is None else nearer
    missing = {each: getattr(other, each) for each in COUNTS if getattr(nearer, each) is None}
    return replace(nearer, **missing)


def _same_fault(outer: Failed | None, inner: Failed | None) -> Failed | None:
    if outer is None or inner is None:
        return outer
    return Failed(
        outer.message or inner.message,
        outer.type or inner.type,
        outer.status if outer.status is not None else inner.status,
        outer.detail or inner.detail,
        outer.timeout or inner.timeout,
    )


def _enclosed(tree: Tree, span: str) -> None:
    """Make one call of a tool of two in each other, and one search of those that it is made of."""
    outer = tree.nodes[span]
    for each in list(tree.inside.get(span, ())):
        inner = tree.nodes[each]
        if outer.kind == "tool" and inner.kind == "tool" and inner.name == outer.name:
            outer = tree.nodes[span] = replace(
                outer,
                input=outer.input if isinstance(outer.input, dict) else _richer(inner.input, outer.input),
                output=_richer(outer.output, inner.output),
                attributes={**inner.attributes, **outer.attributes},
            )
            tree.remove(each)
        elif outer.kind == "retrieval" and inner.kind == "retrieval":
            outer = tree.nodes[span] = replace(
                outer, documents=outer.documents or inner.documents, output=_richer(outer.output, inner.output)
            )
            tree.nodes[each] = replace(inner, kind="step")
