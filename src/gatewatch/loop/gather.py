"""Gathering what mining looks at: the conversations of a window, what is wrong with their requests, what these ask.

Each request counts 1 / pi, where pi is the probability with which it was found, and what it asks was still there to be
read. A payload that chance let go of (`Row.kept`) is stood for by those that it left.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.trace import Fault
from gatewatch.core.watch import Alert
from gatewatch.loop.golden import Golden
from gatewatch.loop.likeness import asked, normal, template
from gatewatch.loop.signs import PEOPLE, UNLIKE, Sign, signs_of
from gatewatch.loop.unlike import beyond, malformed
from gatewatch.store.base import Store
from gatewatch.store.rows import Row
from gatewatch.store.values import BEGIN, Talk

QUIET = 10_000
"""Of so many requests, at the most, of which nothing bad is known, it is looked at what they ask: those with the
smallest `u`, so that chance alone chose them."""

_PAGE = 2000
_LONGEST = 2000
_LONGEST_FORM = 90


class Found(Struct, frozen=True, gc=False):
    """A request that was found. `unit` is its conversation. `text` is what it asks, cut at 2,000 characters, and `key`
    the same in the form that copies share; both are "" where that cannot be read any more (`read` is false). `form` is
    by what requests of a formal sign are told apart: an error's message, a language."""

    seq: int
    trace: str
    unit: str
    at: float
    signs: tuple[Sign, ...]
    row: Row
    text: str = ""
    key: str = ""
    form: str = ""
    read: bool = False

    @property
    def severity(self) -> float:
        """That of its gravest sign."""
        return max(sign.severity for sign in self.signs)


class Gathered(Struct, frozen=True):
    """What was gathered: how many conversations there were (`units`), of how many that they stand for (`traffic`); how
    many of them each scorer looked at (all, where people spoke of those they liked); what was found; and requests of
    which nothing bad is known (`quiet`), with what they ask, each found by the sign "unlike:topic" for now."""

    units: int
    traffic: float
    looked: Mapping[str, int]
    found: tuple[Found, ...]
    quiet: tuple[Found, ...]


class _Asked(Struct):
    input: str | dict[str, Any] = ""
    error: Fault | None = None


def gather(
    store: Store,
    flow: str,
    since: float,
    until: float,
    *,
    pass_at: Mapping[str, float],
    golden: Golden,
    alerts: Sequence[Alert] = (),
    quiet: int = QUIET,
) -> Gathered:
    """Read the conversations of a flow that began in a window, a page at a time.

    Args:
        store: where they are.
        flow: the flow.
        since: when the window begins, in seconds since the epoch.
        until: when it ends.
        pass_at: pass marks by scorer.
        golden: what the dataset asks.
        alerts: those of the flow that are not resolved.
        quiet: how many requests of which nothing bad is known are looked at, at the most.
    """
    shown: dict[str, list[Alert]] = {}
    for alert in alerts:
        for trace in alert.evidence.traces:
            shown.setdefault(trace, []).append(alert)
    units, traffic, looked, spoken = 0, 0.0, Counter[str](), set[str]()
    found: list[Found] = []
    rest: list[tuple[str, Row]] = []
    for talk in _talks(store, flow, since, until):
        units += 1
        traffic += 1.0 / talk.turns[0].share
        drawn, of_people = _looked(talk)
        looked.update(drawn)
        spoken |= of_people
        unit = talk.turns[0].session or talk.turns[0].id
        for row in talk.turns:
            signs = signs_of(
                row,
                talk.told[row.seq],
                talk.split.get(row.seq, ()),
                pass_at=pass_at,
                alerts=shown.pop(row.id, ()),
            )
            if signs:
                found += _weighed(row, unit, signs)
            elif row.payload in ("held", "kept"):
                rest.append((unit, row))
    for trace, evidence in shown.items():  # what alerts rest on may be older than the window
        old = store.find(trace)
        if old is not None and old.flow == flow and old.id == trace:
            every = signs_of(old, (), pass_at=pass_at, alerts=evidence)
            shows = tuple(sign for sign in every if sign.name.startswith("alert:"))
            found += _weighed(old, old.session or old.id, shows)
    looked.update({name: units for name in spoken if name not in looked})
    return Gathered(units, traffic, looked, tuple(_read(store, found)), tuple(_quiet(store, rest, quiet, golden)))


def _talks(store: Store, flow: str, since: float, until: float) -> Iterator[Talk]:
    page = store.talks(flow, since, until, after=BEGIN, most=_PAGE)
    yield from page.talks
    while page.after is not None:
        page = store.talks(flow, since, until, after=page.after, most=_PAGE)
        yield from page.talks


def _looked(talk: Talk) -> tuple[set[str], set[str]]:
    """The scorers that looked at a conversation by a plan, and those of which people said something of it."""
    every = [(told, row.share) for row in talk.turns for told in talk.told[row.seq]]
    people = {told.scorer for told, share in every if told.source in PEOPLE and told.pi >= share}
    planned = {told.scorer for told, share in every if told.source not in PEOPLE or told.pi < share}
    return planned.union(*talk.split.values()), people


def _weighed(row: Row, unit: str, signs: tuple[Sign, ...]) -> list[Found]:
    """A request that was found, weighed by whether it could be read; nothing where others stand for it."""
    if row.payload not in ("held", "kept"):
        gone_by_chance = row.payload == "gone" and row.kept is not None and 0.0 < row.kept <= row.u
        return [] if gone_by_chance else [Found(row.seq, row.id, unit, row.at, signs, row)]
    weighed = tuple(sign._replace(pi=_joint(row, sign.pi)) for sign in signs)
    return [Found(row.seq, row.id, unit, row.at, weighed, row, read=True)]


def _joint(row: Row, pi: float) -> float:
    """The probability that a request was found and its payload kept: rates nest, so that it is the smaller one."""
    return pi if not row.kept else min(pi / row.share, row.kept) * row.share


def _quiet(store: Store, rest: list[tuple[str, Row]], most: int, golden: Golden) -> Iterator[Found]:
    """Of requests of which nothing bad is known some that can be read, found by what they are unlike."""
    rate = 1.0
    if len(rest) > most:
        rest.sort(key=lambda each: (each[1].u, each[1].id))
        rate = rest[most][1].u
        rest = [each for each in rest[:most] if each[1].u < rate]
    plain = [
        Found(row.seq, row.id, unit, row.at, (_unlike("topic", _joint(row, rate * row.share)),), row, read=True)
        for unit, row in rest
    ]
    for each in _read(store, plain):
        sign, form = _formal(each, golden)
        yield replace(each, signs=(_unlike(sign, each.signs[0].pi),), form=form) if sign else each


def _unlike(what: str, pi: float) -> Sign:
    return Sign(f"unlike:{what}", UNLIKE, pi)


def _formal(found: Found, golden: Golden) -> tuple[str, str]:
    """What a request is unlike by its form, and that form; nothing where its form is as usual."""
    if form := malformed(found.text):
        return "malformed", form
    if not len(golden):
        return "", ""
    language = found.row.traits.get("language", "")
    if language and golden.languages and language not in golden.languages:
        return "language", f"asked in {language}"
    form = beyond(len(found.text), golden.shortest, golden.longest)
    return ("length", form) if form else ("", "")


def _read(store: Store, found: Collection[Found]) -> Iterator[Found]:
    """What was found, with what it asks."""
    some: list[Found] = []
    for each in found:
        some.append(each)
        if len(some) == _PAGE:
            yield from _with_texts(store, some)
            some = []
    yield from _with_texts(store, some)


def _with_texts(store: Store, some: Iterable[Found]) -> Iterator[Found]:
    every = list(some)
    payloads = store.payloads([each.seq for each in every if each.read])
    for each in every:
        payload = payloads.get(each.seq)
        if payload is None:
            yield replace(each, read=False)
            continue
        text, message = read(payload)
        form = _form(message) if each.signs[0].name in ("error", "timeout") else ""
        yield replace(each, text=text, key=template(normal(text)), form=form)


def read(payload: bytes) -> tuple[str, str]:
    """What the request of a payload (JSON) asks, cut at 2,000 characters, and the message of its error."""
    try:
        found = codec.decode(payload, _Asked)
    except (ValueError, RecursionError):  # it is shown all the same
        return "", ""
    return asked(found.input)[:_LONGEST], "" if found.error is None else found.error.message


def _form(message: str) -> str:
    """What errors of one kind have in common: the first line, with everything that has a digit in it as "#"."""
    first = message.strip().partition("\n")[0][:_LONGEST]
    return template(normal(first))[:_LONGEST_FORM] or "no message"
