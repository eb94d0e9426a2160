"""What an audit looks at, and what it finds in a dataset. Plain data."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.case import Case, Expected, Tier
from gatewatch.loop.likeness import asked, normal

CHECKS: Mapping[str, str] = {
    "must_pass_flaky": "must pass, and does not always: it blocks changes that change nothing",
    "contradictory": "the same is asked, and the answers that are expected cannot both be right",
    "suspect": "the label may be wrong",
    "leaked": "the case stands in what the application or a judge is given",
    "open": "may fail until a day that has come, or is near",
    "duplicate": "asks what another case asks",
    "near_duplicate": "asks nearly what another case asks",
    "unlabelled": "no scorer can say anything of it",
    "missing_slice": "a part of live traffic that hardly any case stands for",
    "flaky": "passes and fails by turns",
    "stale": "nothing like it was asked live for long",
    "saturated": "always passed: a candidate for the nightly tier",
}
"""What is looked for, the worst first."""


class Figure(Struct, frozen=True, omit_defaults=True):
    """A number that carries a finding: its name and value, and where it is an estimate its 95 % interval and from how
    many it is."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


class Proposed(Struct, frozen=True, omit_defaults=True):
    """An edit of one case: it is retired, for a reason, or moves to another tier."""

    case: str
    retired: str = ""
    tier: Tier | None = None


class Finding(Struct, frozen=True, kw_only=True):
    """Something that an audit found.

    `cases` are the cases that it is about, first the one that it is about most, and `where` has the `file:line` of
    each; a slice has none. `why` says it in words, with its `figures`; `do` says what may be done, and `proposed` what
    can be done at once. The heavier (`weight`), the worse, among those of one check.
    """

    check: str
    cases: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    why: str
    figures: tuple[Figure, ...]
    do: str
    proposed: tuple[Proposed, ...] = ()
    weight: float = 0.0


class Looked(Struct, frozen=True, gc=False):
    """A case as the audit looks at it: what it asks, as a normal text, and all that is given with it, likewise."""

    place: int
    where: str
    case: Case
    query: str
    setting: str
    hash: str

    @property
    def id(self) -> str:
        """The case's id."""
        return self.case.id

    @property
    def promoted(self) -> bool:
        """Whether the case was made of a live request."""
        return self.case.open is not None or "trace" in self.case.provenance


def looked(place: int, where: str, case: Case) -> Looked:
    """A case as the audit looks at it."""
    return Looked(place, where, case, normal(asked(case.input)), _setting(case), case.hash)


def _setting(case: Case) -> str:
    """What is given beside the query: the context, and of an input what its user did not say."""
    parts = [] if case.context is None else [codec.text_of(case.context)]
    if isinstance(case.input, dict) and isinstance(case.input.get("messages"), list):
        said = [
            each
            for each in case.input["messages"]
            if not (isinstance(each, dict) and each.get("role") == "user" and isinstance(each.get("content"), str))
        ]
        parts += [codec.text_of(each) for each in said]
        parts += [codec.text_of([name, value]) for name, value in sorted(case.input.items()) if name != "messages"]
    elif isinstance(case.input, dict):
        parts.append(" ".join(sorted(case.input)))
    return normal("\n".join(parts)) if parts else ""


def answer_of(case: Case) -> str:
    """All that a case expects, as text; "" where it expects nothing."""
    if not isinstance(case.expected, Expected):
        return case.expected or ""
    return "\n".join(filter(None, [case.expected.answer or "", *(case.expected.criteria or ())]))


def plain(value: Any) -> str:
    """A text as a finding shows it: on one line, cut to 60 characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else text[:59] + "…"
