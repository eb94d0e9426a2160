"""Proposing cases from a user's own logs: few, all different, and of every kind that the logs have.

What was asked twice counts once. The rest is divided into strata (slice, length, whether it went wrong), each of which
gets its share of the cases and at least one. Which lines are taken depends on a hash of their text, not on the order of
the log. What a right answer would be is for a person to say: `expected` is left out, and what was answered at the time
is kept in `meta`.
"""

import heapq
import re
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

from msgspec import Struct

from gatewatch.core.case import Case, derived_id
from gatewatch.core.errors import InputError, Problem
from gatewatch.offline.logs import Columns, LogLine, columns_of, read_log

K = TypeVar("K", bound=Hashable)

WANTED = 40
NEAR = 90.0
"""From which similarity (rapidfuzz's ratio, 0 to 100) on two inputs ask the same."""
_KEPT_PROBLEMS = 50
_COMPARED = 250  # characters at each end of an input, once normalised, that are compared
_TEMPLATE = 100  # characters that all inputs begin (or end) with, from which on they are taken for a template
_LOOKED_AT = 200  # lines in which a template is looked for
_MOST_IN_BLOCK = 16
_LOW_RATING = 0.4
_LENGTHS = ("short", "medium", "long")
_APART = re.compile(r"[\W_]+")


class Distinct(Struct, frozen=True, gc=False):
    """What is remembered of a line: where it is, its normalised text, and what decides its stratum.

    `rank` orders the lines of a stratum as by chance, whatever their order in the log.
    """

    rank: int
    number: int
    text: str
    length: int
    slice: str = ""
    flagged: bool = False
    rating: float | None = None


class Proposal(Struct, frozen=True, kw_only=True):
    """Cases proposed, and how they were come by.

    `read` counts all lines, of which `unreadable` could not be used (`problems` has the first of them), `exact` were
    repeated word for word and `near` almost so. `notes` say what was decided on the way.
    """

    cases: tuple[Case, ...]
    columns: Columns
    read: int
    unreadable: int
    problems: tuple[Problem, ...]
    exact: int
    near: int
    strata: int
    notes: tuple[str, ...] = ()


def propose(file: Path, *, wanted: int = WANTED, input: str = "", seed: int = 0) -> Proposal:  # noqa: A002
    """Propose cases from a log.

    The file is read twice. Between, about 200 bytes and at most 500 characters are kept of each different input.

    Args:
        file: JSON lines or CSV.
        wanted: how many cases to propose, at most.
        input: the column that has the input, where its name does not say so.
        seed: another seed takes other lines.

    Raises:
        InputError: when no column has the input, or no line can be read.
    """
    columns = columns_of(file, given=input)
    template = template_of(islice(read_log(file, columns), _LOOKED_AT))
    by_rank: dict[int, Distinct] = {}
    problems: list[Problem] = []
    read = unreadable = 0
    for line in read_log(file, columns):
        read += 1
        if isinstance(line, Problem):
            unreadable += 1
            if len(problems) < _KEPT_PROBLEMS:
                problems.append(line)
            continue
        found = distinct_of(line, seed, template)
        before = by_rank.get(found.rank)
        if before is None or _tells_more(found, before):
            by_rank[found.rank] = found
    if not by_rank:
        raise InputError(problems or Problem(str(file), "has no lines", "a log has one request a line"))
    different = without_near_duplicates(_with_ratings(by_rank.values()))
    notes = []
    slices = {line.slice for line in different}
    if len(slices) > wanted:
        notes.append(
            f"{columns.slice!r} has {len(slices):,} different values: too many to be slices, so it is not used"
        )
        slices = set()
    strata = stratify(different, wanted, by_slice=bool(slices))
    chosen = choose(strata, wanted)
    places = {line.number: place for place, line in enumerate(chosen)}
    cases: dict[int, Case] = {}
    for line in read_log(file, columns):
        if isinstance(line, LogLine) and line.number in places:
            place = places[line.number]
            cases[place] = _case(line, file, flagged=chosen[place].flagged, with_slice=bool(slices))
    return Proposal(
        cases=tuple(cases[place] for place in sorted(cases)),
        columns=columns,
        read=read,
        unreadable=unreadable,
        problems=tuple(problems),
        exact=read - unreadable - len(by_rank),
        near=len(by_rank) - len(different),
        strata=len(strata),
        notes=tuple(notes),
    )


def normalised(text: str) -> str:
    """Text as it is compared: without case, punctuation and layout."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _APART.sub(" ", folded).strip() or folded.strip()


def template_of(lines: Iterable[LogLine | Problem]) -> tuple[str, str]:
    """What all lines begin with and end with, normalised, where that is long enough to be a prompt's template."""
    texts = [normalised(line.text) for line in lines if isinstance(line, LogLine)]
    head = _shared(texts)
    tail = _shared([text[len(head) :][::-1] for text in texts])[::-1]
    return head, tail


def _shared(texts: Sequence[str]) -> str:
    """The text that all begin with, if it is more than chance."""
    first, last = min(texts, default=""), max(texts, default="")
    length = next((place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), 0)
    return first[:length] if length >= _TEMPLATE else ""


def distinct_of(line: LogLine, seed: int = 0, template: tuple[str, str] = ("", "")) -> Distinct:
    """What is remembered of a line, without the template. Lines that ask the same word for word have the same rank."""
    text = normalised(line.text).removeprefix(template[0]).removesuffix(template[1])
    rank = blake2b(text.encode(errors="surrogatepass"), digest_size=8, salt=seed.to_bytes(16, "little", signed=True))
    return Distinct(
        rank=int.from_bytes(rank.digest()),
        number=line.number,
        text=text if len(text) <= 2 * _COMPARED else text[:_COMPARED] + text[-_COMPARED:],
        length=len(text),
        slice=line.slice,
        flagged=line.flagged,
        rating=line.rating,
    )


def _tells_more(one: Distinct, other: Distinct) -> bool:
    """Whether a repetition of a line says, where the line did not, that it went wrong."""
    if one.flagged != other.flagged:
        return one.flagged
    return one.rating is not None and (other.rating is None or one.rating < other.rating)


def _with_ratings(lines: Iterable[Distinct]) -> list[Distinct]:
    """The lines, with those flagged that are rated low: in the lower two fifths of the highest rating there is."""
    found = list(lines)
    highest = max((line.rating for line in found if line.rating is not None), default=0.0)
    if highest <= 0:
        return found
    return [
        Distinct(line.rank, line.number, line.text, line.length, line.slice, True)
        if line.rating is not None and line.rating <= _LOW_RATING * highest
        else line
        for line in found
    ]


def without_near_duplicates(lines: Iterable[Distinct]) -> list[Distinct]:
    """The lines without those that ask almost the same as one that is kept.

    Lines are compared only where they share their first words, their last words, or the three words with the smallest
    hashes, and with 16 others in each of these blocks at most: a few that are alike may slip through, and the work
    stays in proportion to the number of lines. Lines that went wrong are kept before others.
    """
    from rapidfuzz import fuzz, process

    blocks: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    kept = []
    for line in sorted(lines, key=lambda line: (not line.flagged, line.rank)):
        words = line.text.split()
        sketch = sorted({crc32(word.encode(errors="surrogatepass")) for word in words})[:3]
        keys = (("first", *words[:3]), ("last", *words[-3:]), ("some", *sketch))
        near = (process.extractOne(line.text, blocks[key], scorer=fuzz.ratio, score_cutoff=NEAR) for key in keys)
        if any(found is not None for found in near):
            continue
        kept.append(line)
        for key in keys:
            if len(blocks[key]) < _MOST_IN_BLOCK:
                blocks[key].append(line.text)
    return kept


def stratify(lines: Iterable[Distinct], wanted: int, *, by_slice: bool = True) -> dict[tuple[str, ...], list[Distinct]]:
    """The lines by slice, third of length, and whether they went wrong; without length if they were too many."""
    found = list(lines)
    lengths = sorted(line.length for line in found)
    cuts = [lengths[len(lengths) * third // 3] for third in (1, 2)] if lengths else []

    def key(line: Distinct, *, with_length: bool) -> tuple[str, ...]:
        length = _LENGTHS[sum(line.length > cut for cut in cuts)] if with_length else ""
        return line.slice if by_slice else "", length, "flagged" if line.flagged else ""

    with_length = len({key(line, with_length=True) for line in found}) <= wanted
    strata: dict[tuple[str, ...], list[Distinct]] = defaultdict(list)
    for line in found:
        strata[key(line, with_length=with_length)].append(line)
    return dict(strata)


def allocate(sizes: Mapping[K, int], wanted: int) -> dict[K, int]:
    """How many to take from each stratum: one from each, the largest first, and of the rest in proportion to size.

    Further ones go by highest averages (Webster's method, also called Sainte-Laguë's): each next one to the stratum
    with the greatest size / (2 taken + 1).
    """
    order = sorted(sizes, key=lambda key: (-sizes[key], str(key)))
    taken = {key: 1 for key in order[:wanted] if sizes[key] > 0}
    queue = [(-sizes[key] / 3, str(key), key) for key in taken if sizes[key] > 1]
    heapq.heapify(queue)
    while queue and sum(taken.values()) < wanted:
        _, name, key = heapq.heappop(queue)
        taken[key] += 1
        if taken[key] < sizes[key]:
            heapq.heappush(queue, (-sizes[key] / (2 * taken[key] + 1), name, key))
    return taken


def choose(strata: Mapping[tuple[str, ...], list[Distinct]], wanted: int) -> list[Distinct]:
    """The lines to propose, stratum by stratum: of each the ones with the lowest ranks."""
    taken = allocate({key: len(lines) for key, lines in strata.items()}, wanted)
    return [
        line for key in sorted(taken) for line in heapq.nsmallest(taken[key], strata[key], key=lambda line: line.rank)
    ]


def _case(line: LogLine, file: Path, *, flagged: bool, with_slice: bool) -> Case:
    seen = {} if line.output in (None, "") else {"seen_output": line.output}
    return Case(
        id=derived_id(line.input),
        input=line.input,
        slice=line.slice if with_slice else "",
        cluster=line.session,
        tags=("flagged",) if flagged else (),
        meta={**seen, **{f"seen_{name}": value for name, value in line.signals.items()}},
        provenance={"from": file.name, "line": line.number},
    )


def personal(cases: Iterable[Case]) -> dict[str, tuple[str, ...]]:
    """The kinds of personal data in what was asked and answered, by the id of the case, where there are any."""
    from gatewatch.core.pii import count

    found: dict[str, tuple[str, ...]] = {}
    for case in cases:
        kinds = count([case.input, case.meta.get("seen_output")])
        if kinds:
            found[case.id] = tuple(sorted(kinds))
    return found
