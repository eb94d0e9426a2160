"""Mining: from a window of live traffic to failures, and requests of each that people are asked to label."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from gatewatch.core.errors import StoreBusy
from gatewatch.core.failure import Failure, Novelty
from gatewatch.loop.describe import came_back, described, unfound
from gatewatch.loop.gather import Found, gather
from gatewatch.loop.golden import Golden, Placed
from gatewatch.loop.group import ALONE, Group, grouped
from gatewatch.loop.known import Before
from gatewatch.loop.likeness import template
from gatewatch.loop.naming import by_terms
from gatewatch.loop.pick import EACH, picked
from gatewatch.loop.signs import formal
from gatewatch.loop.space import Space, Words
from gatewatch.store.base import Store
from gatewatch.store.looping import Mined

ERASED = "(erased)"
"""How a failure is called of which a request was erased. It is named anew when it is found again."""

_TRIES = 5
_MOST_ALERTS = 1000
_FAR = 0.5  # of the likeness from which on texts are about the same thing
_LONGEST_NAME = 60
_FLOOR = 0.7
_SHARED = 2  # texts that must have a word, for it to say what they are about
_RANK: Mapping[Novelty, float] = {"new": 1.0, "near": 0.75, "covered": 0.5}

Namer = Callable[[Sequence[Sequence[str]]], Sequence[str]]
"""Gives names to groups of texts; "" to one that it has none for."""


class Mining(Struct, frozen=True):
    """What was mined: failures, those that matter most first, without those that are ignored; how many these are; and
    of how many conversations, which stand for so much `traffic`."""

    flow: str
    since: float
    until: float
    conversations: int
    traffic: float
    failures: tuple[Failure, ...]
    ignored: int


def mine(
    store: Store,
    flow: str,
    *,
    since: float,
    until: float,
    golden: Golden,
    pass_at: Mapping[str, float],
    space: Space | None = None,
    namer: Namer | None = None,
    named_by: str = "",
    reviewers: int = 1,
    each: int = EACH,
    told: Callable[[str], None] = lambda _: None,
) -> Mining:
    """Find what goes wrong in a flow, keep it, and put requests up to be labelled.

    Args:
        store: where the traffic is, and where failures are kept.
        flow: the flow.
        since: when the window begins, in seconds since the epoch: conversations that began in it are looked at.
        until: when it ends; it is taken for now.
        golden: what the dataset asks.
        pass_at: pass marks by scorer; 0.5 where there is none.
        space: where requests are grouped; by their words if none is given.
        namer: what names new failures; their terms do where it gives no name, or none is given.
        named_by: the name of that model.
        reviewers: how many people are to label each request.
        each: how many typical requests of a failure are put up, and how many at its edge.
        told: is told how far it is, in words.

    Raises:
        ModelError: the model of the space gave no usable answer.
        StoreBusy: others mined all the time.
    """
    told("reading conversations")
    alerts = store.alerts(flow=flow, most=_MOST_ALERTS)
    gathered = gather(store, flow, since, until, pass_at=pass_at, golden=golden, alerts=alerts)
    words = Words([*golden.texts, *_distinct((*gathered.found, *gathered.quiet)).values()], least=_SHARED, floor=_FLOOR)
    told(f"grouping what is wrong in {gathered.units:,} conversations")
    space = space or words
    placed = Placed(golden, space)
    found = [*gathered.found, *_unlike(gathered.quiet, placed, space, golden)]
    answers: dict[tuple[str, ...], str] = {}  # a model's names: what is tried again is not asked, and paid, again
    for _ in range(_TRIES):
        read_at = store.mined_at()
        before = Before(store, flow)
        groups = _groups(found, before, space)
        names = _named([group for _, group in groups], words, namer, named_by, answers)
        fixes = [each.fixed for each in before.failures.values() if each.fixed is not None]
        markers = store.markers(flow, min([since, *fixes]))
        told(f"keeping {len(groups):,} groups")
        mined = []
        for (sign, group), name in zip(groups, names, strict=True):
            failure = described(group, sign, name, gathered, placed, flow)
            back = came_back(group.failure, group.found, markers)
            items = picked(store, group, failure, before, each=each, back=back, reviewers=reviewers, marks=pass_at)
            mined.append(Mined(failure=failure, items=items, came_back=bool(back)))
        there = {one.failure.id for one in mined}
        mined += [
            Mined(failure=unfound(failure, gathered)) for failure in before.failures.values() if failure.id not in there
        ]
        kept = store.keep_mined(mined, until, read_at=read_at)
        if kept is not None:
            shown = sorted((failure for failure in kept if failure.state != "ignored"), key=rank)
            counts = gathered.units, gathered.traffic
            return Mining(flow, since, until, *counts, tuple(shown), len(kept) - len(shown))
    raise StoreBusy("others keep what they mine all the time: try again")


def rank(failure: Failure) -> tuple[float, float, int]:
    """Sorts failures, those that matter most first: by impact, less where the dataset has something like it."""
    return -failure.impact * _RANK[failure.novelty], -failure.severity * failure.n, failure.id


def _distinct(found: Iterable[Found]) -> dict[str, str]:
    """What is asked, each text once, by its key: what is asked often is no more of a theme."""
    texts: dict[str, str] = {}
    for each in found:
        texts[each.key] = min(each.text, texts.get(each.key, each.text))
    return texts


def _unlike(quiet: Sequence[Found], placed: Placed, space: Space, golden: Golden) -> list[Found]:
    """Of requests of which nothing bad is known those that are unlike every case."""
    odd = [each for each in quiet if each.signs[0].name != "unlike:topic"]
    cases = {*map(template, golden.normal), ""}  # what differs from one in numbers only is like it
    usual = [each for each in quiet if each.signs[0].name == "unlike:topic" and each.key not in cases]
    if not len(golden) or not usual:
        return odd
    distinct = _distinct(usual)
    vectors = space.vectors(list(distinct.values()))
    often = Counter(each.key for each in usual)
    telling = vectors.any(axis=1) | np.array([often[key] > 1 for key in distinct])  # others say nothing
    far = telling & (placed.nearest(vectors) < space.near * _FAR)
    keys = {key for key, is_far in zip(distinct, far, strict=True) if is_far}
    return odd + [each for each in usual if each.key in keys]


def _groups(found: Sequence[Found], before: Before, space: Space) -> list[tuple[str, Group]]:
    by_sign: defaultdict[str, list[Found]] = defaultdict(list)
    for each in found:
        by_sign[before.sign_of(each)].append(each)
    return [
        (sign, group)
        for sign in sorted(by_sign)
        for group in grouped(by_sign[sign], before.of(sign), space, formal=formal(sign))
    ]


def _named(
    groups: Sequence[Group], words: Words, namer: Namer | None, named_by: str, answers: dict[tuple[str, ...], str]
) -> list[tuple[str, str]]:
    """What each group is called, and by which model: a failure that is known as before, a form by itself. What the
    model answers is kept in `answers`, by what is in the group."""
    found = [_own(group, words) for group in groups]
    asked = [place for place, group in enumerate(groups) if _is_new(group) and not group.form and not group.rest]
    if namer is not None and asked:
        keys = {place: tuple(fold.key for fold in groups[place].folds) for place in asked}
        unknown = [place for place in asked if keys[place] not in answers]
        given = namer([[fold.text for fold in groups[place].folds] for place in unknown]) if unknown else []
        answers.update((keys[place], name) for place, name in zip(unknown, given, strict=True))
        for place in asked:
            if name := answers[keys[place]]:
                found[place] = name, named_by
    return found


def _is_new(group: Group) -> bool:
    return group.failure is None or group.failure.name == ERASED


def _own(group: Group, words: Words) -> tuple[str, str]:
    if group.failure is not None and not _is_new(group):
        return group.failure.name, group.failure.named_by
    if group.form:
        return group.form, ""
    terms = by_terms([fold.text for fold in group.folds if fold.text], words)
    if group.rest:
        return f"{ALONE}: {terms}" if terms else ALONE, ""
    return terms or " ".join(group.folds[0].text.split())[:_LONGEST_NAME] or ALONE, ""
