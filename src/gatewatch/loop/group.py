"""From requests to failure modes: near copies are folded, what asks about the same thing is put together.

The same requests make the same groups, in whatever order they came.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import ceil
from zlib import crc32

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from gatewatch.core.failure import Failure
from gatewatch.loop.gather import Found
from gatewatch.loop.likeness import copies
from gatewatch.loop.space import Space, Vectors, unit

_MOST_GROUPS = 40
_LEAST_SHARE = 200  # a group is at least one 200th of its sign
_LEAST = 2
_PIVOTS = 3000
_MOST_FOLDED = 3000
_ROWS = 2000

ALONE = "other"
"""How the name of what stands alone begins."""
_NOWHERE = -1

Places = NDArray[np.int64]


class Fold(Struct, frozen=True):
    """Requests that ask the same, or nearly: the oldest first. `key` is the form that most of them have."""

    key: str
    found: tuple[Found, ...]

    @property
    def text(self) -> str:
        """What the oldest one asks."""
        return self.found[0].text

    @property
    def form(self) -> str:
        """Their form, which is the same for all where the sign is formal."""
        return self.found[0].form

    @property
    def units(self) -> int:
        """How many conversations they are of."""
        return len({each.unit for each in self.found})


class Known(Struct, frozen=True):
    """A failure that is known, by what its items are: their traces, and what these ask."""

    failure: Failure
    traces: frozenset[str]
    keys: tuple[str, ...]
    texts: tuple[str, ...]


class Group(Struct, frozen=True):
    """A failure mode: its folds, the most typical first, and the vectors of these; a failure that it is already, or the
    form that a new one has. `rest` says that it is what stands alone."""

    folds: tuple[Fold, ...]
    vectors: Vectors
    failure: Failure | None = None
    form: str = ""
    rest: bool = False

    @property
    def found(self) -> list[Found]:
        """All of its requests."""
        return [each for some in self.folds for each in some.found]


def fold(found: Iterable[Found]) -> list[Fold]:
    """Requests that ask the same but for numbers, or nearly so, as one; by their keys."""
    by_key: defaultdict[str, list[Found]] = defaultdict(list)
    for each in found:
        by_key[each.key].append(each)
    keys = sorted(by_key, key=lambda key: (-len(by_key[key]), key))
    into = list(range(len(keys)))  # the place of a key that has more, of which it is a copy
    compared = [place for place, key in enumerate(keys) if key][:_MOST_FOLDED]
    for one, other, _ in copies([keys[place] for place in compared]):
        a, b = sorted((_root(into, compared[one]), _root(into, compared[other])))
        into[b] = a
    merged: defaultdict[str, list[Found]] = defaultdict(list)
    for place, key in enumerate(keys):
        merged[keys[_root(into, place)]] += by_key[key]
    return [Fold(key, tuple(sorted(merged[key], key=lambda each: (each.at, each.trace)))) for key in sorted(merged)]


def _root(into: list[int], place: int) -> int:
    while into[place] != place:
        into[place] = place = into[into[place]]
    return place


def grouped(found: Sequence[Found], known: Sequence[Known], space: Space, *, formal: bool) -> list[Group]:
    """The failure modes of one sign: known ones, in their order, then new ones, then what stands alone.

    A request belongs to a known failure if it is one of its items, asks the same as one, or is about the same thing;
    where the sign is `formal`, if it has its form. What remains is grouped anew.
    """
    modes = [each for each in known if not stands_alone(each.failure)]
    if formal:
        by_form: defaultdict[str, list[Found]] = defaultdict(list)
        for each in found:
            by_form[each.form].append(each)
        folds = [each for form in sorted(by_form) for each in fold(by_form[form])]
    else:
        folds = fold(found)
    vectors = space.vectors([each.text for each in folds])
    if formal:
        homes = _by_form(folds, modes)
        new = _new_forms(folds, homes)
    else:
        homes = _by_theme(folds, vectors, modes, space)
        new = _new_themes(folds, vectors, homes, space.near)
    made = []
    for number, members in enumerate([*(_members(homes, place) for place in range(len(modes))), *new]):
        if members:
            homes[members] = number
            form = folds[members[0]].form if formal else ""
            failure = modes[number].failure if number < len(modes) else None
            made.append(_group(folds, vectors, members, failure, form=form))
    alone = _members(homes, _NOWHERE)
    if alone:
        there = next((each.failure for each in known if stands_alone(each.failure)), None)
        made.append(_group(folds, vectors, alone, there, rest=True))
    return made


def stands_alone(failure: Failure) -> bool:
    """Whether a failure is what stands alone of its sign, rather than one mode."""
    return failure.name == ALONE or failure.name.startswith(f"{ALONE}: ")


def _members(homes: Places, home: int) -> list[int]:
    return [int(place) for place in np.flatnonzero(homes == home)]


def _group(
    folds: Sequence[Fold],
    vectors: Vectors,
    members: list[int],
    failure: Failure | None,
    *,
    form: str = "",
    rest: bool = False,
) -> Group:
    """A group with its folds in order: those most like its middle first, of what stands alone the gravest."""
    mine = vectors[members]
    units = np.array([folds[place].units for place in members], np.float32)
    if rest:
        by = [-max(each.severity for each in folds[place].found) for place in members]
    else:
        by = [float(each) for each in -np.round(mine @ _middle(mine, units), 4)]
    order = sorted(range(len(members)), key=lambda at: (by[at], -units[at], folds[members[at]].key))
    return Group(tuple(folds[members[at]] for at in order), mine[order], failure, form, rest)


def _middle(vectors: Vectors, units: Vectors) -> Vectors:
    middle: Vectors = unit((units[:, None] * vectors).sum(axis=0, keepdims=True))[0]
    return middle


# Known failures


def _by_form(folds: Sequence[Fold], modes: Sequence[Known]) -> Places:
    named = {each.failure.name: place for place, each in enumerate(modes)}
    return np.array([named.get(each.form, _NOWHERE) for each in folds], np.int64)


def _by_theme(folds: Sequence[Fold], vectors: Vectors, modes: Sequence[Known], space: Space) -> Places:
    homes = np.full(len(folds), _NOWHERE, np.int64)
    texts = [(text, place) for place, each in enumerate(modes) for text in each.texts]
    if texts and folds:
        placed = space.vectors([text for text, _ in texts])
        for start in range(0, len(folds), _ROWS):
            alike = vectors[start : start + _ROWS] @ placed.T
            best = alike.argmax(axis=1)
            for at, place in enumerate(best):
                if alike[at, place] >= space.near:
                    homes[start + at] = texts[place][1]
    by_key = {key: place for place, each in reversed(list(enumerate(modes))) for key in each.keys if key}
    by_trace = {trace: place for place, each in reversed(list(enumerate(modes))) for trace in each.traces}
    for at, each in enumerate(folds):
        if each.key in by_key:
            homes[at] = by_key[each.key]
        if mine := [by_trace[found.trace] for found in each.found if found.trace in by_trace]:
            homes[at] = min(mine)
    return homes


# New groups


def _least(folds: Iterable[Fold]) -> int:
    return max(_LEAST, ceil(sum(each.units for each in folds) / _LEAST_SHARE))


def _new_forms(folds: Sequence[Fold], homes: Places) -> list[list[int]]:
    by_form: defaultdict[str, list[int]] = defaultdict(list)
    for place in _members(homes, _NOWHERE):
        if folds[place].form:
            by_form[folds[place].form].append(place)
    sizes = {form: sum(folds[place].units for place in places) for form, places in by_form.items()}
    least = _least(folds)
    names = sorted((form for form in sizes if sizes[form] >= least), key=lambda form: (-sizes[form], form))
    return [by_form[form] for form in names[:_MOST_GROUPS]]


def _new_themes(folds: Sequence[Fold], vectors: Vectors, homes: Places, near: float) -> list[list[int]]:
    """Groups of what is about the same thing: around those texts that most others are near to, one after the other
    (Butina, J. Chem. Inf. Comput. Sci. 39, 1999), and then by the middle that each text is nearest to."""
    left = [place for place in _members(homes, _NOWHERE) if folds[place].key]
    if not left:
        return []
    least = _least(folds)
    mine, units = vectors[left], np.array([folds[place].units for place in left], np.float32)
    pivots = sorted(range(len(left)), key=lambda at: (-units[at], crc32(folds[left[at]].key.encode("utf-8", "replace"))))
    middles = [_middle(mine[some], units[some]) for some in _around(mine, units, sorted(pivots[:_PIVOTS]), near, least)]
    if not middles:
        return []
    alike = mine @ np.stack(middles).T
    nearest, near_enough = alike.argmax(axis=1), alike.max(axis=1) >= near
    groups = [[left[int(at)] for at in np.flatnonzero((nearest == number) & near_enough)] for number in range(len(middles))]
    return [each for each in groups if sum(folds[place].units for place in each) >= least]


def _around(vectors: Vectors, units: Vectors, pivots: list[int], near: float, least: int) -> list[list[int]]:
    mine, weights = vectors[pivots], units[pivots].copy()
    neighbours = mine @ mine.T >= near
    reach = neighbours @ weights
    found = []
    while len(found) < _MOST_GROUPS:
        best = int(reach.argmax())
        if reach[best] < least:
            break
        members = np.flatnonzero(neighbours[best] & (weights > 0))
        if not len(members):
            break
        found.append([pivots[int(at)] for at in members])
        reach -= neighbours[:, members] @ weights[members]
        weights[members] = 0.0
    return found
