"""Sampling as a pure function: which requests are in a sample, and with what probability they came to be in it.

Each request has one number `u` in [0, 1), the hash of its session's id, or of its own. A rule that matches it wants a
rate; it is kept when `u` is below the largest of them. So a raised rate keeps all that the lower one kept, a session is
in a sample whole or not at all, and every process decides alike without asking another.

The probability of inclusion, which weighs every estimate, follows from what is known of a request *in the end*:
feedback that arrives days later changes it, for all requests alike, whether they were in the sample or not. (Frozen at
the time of sampling, it is biased: those that were given a thumb down are then weighted as if that had been chance.)
"""

from collections.abc import Iterable
from hashlib import blake2b

from msgspec import Struct

_ONE = 1 << 53


def u_of(session: str, trace: str) -> float:
    """The number that decides about a request: uniform over [0, 1), the same for all requests of a session."""
    name = f"s:{session}" if session else f"t:{trace}"
    digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / _ONE


class Facts(Struct, frozen=True):
    """What rules look at. `marks` were set while the payload was there for every request, `late` ones afterwards (bits
    of `core.marks`); `cost` is in US dollars, None where it is unknown."""

    slice: str = ""
    variant: str = ""
    tags: tuple[str, ...] = ()
    marks: int = 0
    late: int = 0
    cost: float | None = None


class Rule(Struct, frozen=True, omit_defaults=True):
    """A rate for the requests that match all that is given: a slice, a variant, a tag, any of some marks, a cost above
    a limit. A rule that gives nothing matches every request.

    One that is of `stored` requests came when their hold was over: it could reach only those whose payload outlived
    that.
    """

    rate: float
    slice: str = ""
    variant: str = ""
    tag: str = ""
    marks: int = 0
    cost_over: float | None = None
    stored: bool = False

    @property
    def of_all(self) -> bool:
        """Whether it matches every request."""
        return not (self.slice or self.variant or self.tag or self.marks) and self.cost_over is None

    def matches(self, facts: Facts, marks: int) -> bool:
        """Whether a request matches, given the marks that count."""
        return (
            (not self.slice or self.slice == facts.slice)
            and (not self.variant or self.variant == facts.variant)
            and (not self.tag or self.tag in facts.tags)
            and (not self.marks or bool(self.marks & marks))
            and (self.cost_over is None or (facts.cost is not None and facts.cost > self.cost_over))
        )


def rate(rules: Iterable[Rule], facts: Facts, marks: int, *, kept: float | None = None) -> float:
    """The largest rate among the rules that match, 0 where none does. One of stored requests counts for no more than
    `kept`, the probability with which the payload outlived its hold (None: it is held)."""
    return max((_reached(rule, kept) for rule in rules if rule.matches(facts, marks)), default=0.0)


def _reached(rule: Rule, kept: float | None) -> float:
    return min(rule.rate, kept) if rule.stored and kept is not None else rule.rate  # u nests: below both


class Epoch(Struct, frozen=True):
    """Rules that were in force for some requests: those numbered `first` to `last`, in the store's order of arrival.

    `multiplier`, in (0, 1], is by how much a budget lowered every rate, decided without looking at any `u`.
    """

    first: int
    last: int
    rules: tuple[Rule, ...]
    multiplier: float = 1.0


def probability(facts: Facts, epochs: Iterable[Epoch], *, kept: float | None = None) -> float:
    """The probability with which a request came to be scored, from what is known of it in the end.

    Args:
        facts: what is known of it.
        epochs: the rules that were ever in force for it while it could be scored.
        kept: the probability with which its payload outlived the hold window; None while all payloads are held. What
            matched only late, or came when the hold was over, could be scored only where the payload was still there.

    Returns:
        A probability, 0..1. The request was to be scored if and only if its `u` is below it.
    """
    most = 0.0
    for epoch in epochs:
        wanted = rate(epoch.rules, facts, facts.marks, kept=kept)
        if facts.late:
            late = rate(epoch.rules, facts, facts.marks | facts.late, kept=kept)
            wanted = max(wanted, min(late, 1.0 if kept is None else kept))
        most = max(most, wanted * epoch.multiplier)
    return most
