"""Drawing requests for calibration: by chance, as many that the judge passed as it failed, each with its probability.

What people say of them tells of all that was scored, since it is known how likely each was to be asked about: it was
sent, sampled, scored, its payload outlived its hold, and it was drawn. All but the last follow from one number `u`, so
that they nest: the least of them is the probability of all (see `core.rates`).
"""

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b

from msgspec import Struct

from gatewatch.core.review import Item, is_right
from gatewatch.store.rows import Row


class Scored(Struct, frozen=True):
    """A request that may be drawn: its score, and the probability with which that came to be (1e-9..1)."""

    row: Row
    value: float
    pi: float


class Drawn(Struct, frozen=True):
    """A request that was drawn, and the probability with which it was, sampling included."""

    scored: Scored
    pi: float


def draw(pool: Sequence[Scored], most: int, *, scorer: str, seed: int = 0, mark: float = 0.5) -> list[Drawn]:
    """Draw at most so many requests, half of them of those that the judge passed, where there are as many.

    Which ones follows from the seed, the scorer and each request's id: a larger draw of the same pool takes all that
    the smaller one took.

    Args:
        pool: all that may be drawn: those whose score and payload are there.
        most: how many to draw.
        scorer: on whose scale they are to be labelled.
        seed: another one draws others.
        mark: from which value on a score passes.

    Source: stratified sampling by the judge's verdict, without replacement (Cochran, 1977, "Sampling techniques",
    chapter 5).
    """
    parts: tuple[list[Scored], list[Scored]] = ([], [])
    for each in pool:
        parts[is_right(each.value, mark)].append(each)
    failed, passed = map(len, parts)
    of_failed = min(failed, max(most // 2, most - passed))
    drawn: list[Drawn] = []
    for part, number in zip(parts, (of_failed, min(passed, most - of_failed)), strict=True):
        part.sort(key=lambda each: _place(seed, scorer, each.row.id))
        drawn += [Drawn(each, reach(each) * number / len(part)) for each in part[:number]]
    # In an order that does not tell what the judge said.
    return sorted(drawn, key=lambda each: _place(seed, scorer, each.scored.row.id))


def reach(scored: Scored) -> float:
    """With which probability a request's score and its payload are both there.

    The score's has the share in it with which the request was sent. A payload that is held is there for sure; one that
    outlived its hold was kept if `u` was below `kept`, and the score made if the same `u` was below its own.
    """
    row = scored.row
    return scored.pi if row.kept is None else min(scored.pi, row.kept * row.share)


def labelled_pi(drawn: Iterable[Item], labelled: Collection[int]) -> dict[int, float]:
    """With which probability each drawn item that is labelled came to be so, by its number.

    Of what a draw took of each verdict, the share that is labelled: a draw that is not done yet has the judge's
    failures in another proportion among what is labelled than among what it drew.

    Source: post-stratification (Cochran, 1977, "Sampling techniques", section 5A.9).
    """
    strata: dict[object, list[Item]] = {}
    for item in drawn:
        side = item.judged is not None and is_right(item.judged, item.mark)
        strata.setdefault((item.signs, item.fingerprint, side), []).append(item)
    found: dict[int, float] = {}
    for items in strata.values():
        mine = [item for item in items if item.id in labelled]
        found |= {item.id: item.pi * len(mine) / len(items) for item in mine if item.pi is not None}
    return found


def _place(seed: int, scorer: str, trace: str) -> bytes:
    return blake2b(f"draw:{seed}:{scorer}:{trace}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
