"""From requests to failure modes: near copies are folded, what asks about the same thing is put together.

The same requests make the same groups, in whatever order they came.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from zlib import crc32

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from gatewatch.core.failure import Failure
from gatewatch.loop.gather import Found
from gatewatch.loop.likeness import NEAR, likeness
from gatewatch.loop.space import Space, Vectors, unit

_MOST_GROUPS = 40
_LEAST_SHARE = 100  # a group is at least one 100th of its sign
_LEAST = 2
_PIVOTS = 2000
_MOST_FOLDED = 2000
_ROWS = 2000
_COPIES = 0.7  # how alike texts are, at the least, that may be near copies

ALONE = "other"
"""How the name of what stands alone begins."""
_NOWHERE = -1
_GUARDED = ("promoted", "fixed", "regressed")

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


def fold(found: Iterable[Found], space: Space) -> tuple[list[Fold], Vectors]:
    """Requests that ask the same but for numbers, or nearly so, as one; by their keys. And the vector of each."""
    by_key: defaultdict[str, list[Found]] = defaultdict(list)
    for each in found:
        by_key[each.key].append(each)
    keys = sorted(by_key, key=lambda key: (-len(by_key[key]), key))
    oldest = {key: min(by_key[key], key=lambda each: (each.at, each.trace)) for key in keys}
    vectors = space.vectors([oldest[key].text for key in keys])
    into = list(range(len(keys)))  # the place of a key that has more, of which it is a copy
    for one, other in _copies(keys[:_MOST_FOLDED], vectors):
        a, b = sorted((_root(into, one), _root(into, other)))
        into[b] = a
    merged: defaultdict[int, list[Found]] = defaultdict(list)
    for place, key in enumerate(keys):
        merged[_root(into, place)] += by_key[key]
    places = sorted(merged, key=keys.__getitem__)
    folds = [
        Fold(keys[place], tuple(sorted(merged[place], key=lambda each: (each.at, each.trace)))) for place in places
    ]
    return folds, vectors[places]


def _copies(keys: Sequence[str], vectors: Vectors) -> Iterator[tuple[int, int]]:
    """Pairs of near copies, the smaller place first, among those that are about the same thing."""
    lengths = np.array([len(key) for key in keys], np.float32)
    for start in range(0, len(keys), _ROWS):
        alike = vectors[start : start + _ROWS] @ vectors[: len(keys)].T >= _COPIES
        mine = lengths[start : start + _ROWS, None]
        alike &= 2.0 * np.minimum(mine, lengths) >= NEAR * (mine + lengths)  # no others can be that near
        for at, place in np.argwhere(np.triu(alike, start + 1)):
            one, other = start + int(at), int(place)
            if likeness(keys[one], keys[other]) >= NEAR:
                yield one, other


def _root(into: list[int], place: int) -> int:
    while into[place] != place:
        into[place] = place = into[into[place]]
    return place


def grouped(found: Sequence[Found], known: Sequence[Known], space: Space, *, formal: bool) -> list[Group]:
    """The failure modes of one sign: known ones, in their order, then new ones, then what stands alone.

    A request belongs to a known failure if it is one of its items, asks the same as one, or is about the same thing;
    where the sign is `formal`, if it has its form. What remains is grouped anew.

    What stood alone and was promoted is known by what its items ask, and takes in nothing else any more.
    """
    modes = [each for each in known if not each.failure.rest or each.failure.state in _GUARDED]
    others = [each for each in known if each.failure.rest and each.failure.state not in _GUARDED]
    if formal:
        by_form: defaultdict[str, list[Found]] = defaultdict(list)
        for each in found:
            by_form[each.form].append(each)
        parts = [fold(by_form[form], space) for form in sorted(by_form)]
        folds = [each for part, _ in parts for each in part]
        vectors = np.concatenate([part for _, part in parts]) if parts else space.vectors([])
        homes = _by_form(folds, modes)
        new = _new_forms(folds, homes)
    else:
        folds, vectors = fold(found, space)
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
        there = next((each.failure for each in others), None)
        made.append(_group(folds, vectors, alone, there, rest=True))
    return made


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
    named = {each.failure.name: place for place, each in enumerate(modes) if not each.failure.rest}
    homes = np.full(len(folds), _NOWHERE, np.int64)
    _by_trace(homes, folds, modes)
    for at, each in enumerate(folds):  # a name may be erased: then the form of its items tells
        if homes[at] != _NOWHERE and each.form and not modes[homes[at]].failure.rest:
            named.setdefault(each.form, int(homes[at]))
    for at, each in enumerate(folds):
        homes[at] = named.get(each.form, homes[at])
    return homes


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
    for at, each in enumerate(folds):
        if each.key in by_key:
            homes[at] = by_key[each.key]
    _by_trace(homes, folds, modes)
    return homes


def _by_trace(homes: Places, folds: Sequence[Fold], modes: Sequence[Known]) -> None:
    """What has an item of a known failure is of that one."""
    by_trace = {trace: place for place, each in reversed(list(enumerate(modes))) for trace in each.traces}
    for at, each in enumerate(folds):
        if mine := [by_trace[found.trace] for found in each.found if found.trace in by_trace]:
            homes[at] = min(mine)


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
    by_hash = [crc32(folds[place].key.encode("utf-8", "replace")) for place in left]
    pivots = sorted(sorted(range(len(left)), key=lambda at: (-units[at], by_hash[at]))[:_PIVOTS])
    part = float(units[pivots].sum() / units.sum())
    around = _around(mine, units, pivots, near, max(_LEAST, least * part))
    middles = _merged([_middle(mine[some], units[some]) for some in around], (1.0 + near) / 2)
    groups = _nearest(mine, middles, near)
    placed = {at for some in groups for at in some}
    groups += [[at] for at in range(len(left)) if at not in placed]  # asked so often, it is a group by itself
    sizes = [float(units[some].sum()) for some in groups]
    order = sorted((number for number, size in enumerate(sizes) if size >= least), key=lambda number: -sizes[number])
    return [[left[at] for at in groups[number]] for number in order[:_MOST_GROUPS]]


def _nearest(vectors: Vectors, middles: list[Vectors], near: float) -> list[list[int]]:
    """What is near enough to each middle, and to no other nearer."""
    if not middles:
        return []
    alike = vectors @ np.stack(middles).T
    nearest, enough = alike.argmax(axis=1), alike.max(axis=1) >= near
    return [[int(at) for at in np.flatnonzero((nearest == number) & enough)] for number in range(len(middles))]


def _merged(middles: list[Vectors], alike: float) -> list[Vectors]:
    """Middles without those that are very much like one of a larger group."""
    found: list[Vectors] = []
    for middle in middles:
        if all(float(middle @ other) < alike for other in found):
            found.append(middle)
    return found


def _around(vectors: Vectors, units: Vectors, pivots: list[int], near: float, least: float) -> list[list[int]]:
    mine, weights = vectors[pivots], units[pivots].copy()
    neighbours = (mine @ mine.T >= near).astype(np.float32)
    reach = neighbours @ weights
    found: list[list[int]] = []
    while len(found) < _MOST_GROUPS:
        best = int(reach.argmax())
        if reach[best] < least:
            break
        members = np.flatnonzero((neighbours[best] > 0) & (weights > 0))
        if not len(members):
            break
        found.append([pivots[int(at)] for at in members])
        reach -= neighbours[:, members] @ weights[members]
        weights[members] = 0.0
    return found
