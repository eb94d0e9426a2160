"""Where the cases of a dataset lie among what is asked live: worked out when it is first looked at, once."""

from collections.abc import Sequence
from functools import cached_property

from gatewatch.loop.finding import Looked
from gatewatch.loop.space import Vectors, Words


class Lying:
    """Cases by their words, which are weighed by how rare each is among the cases and in other `texts`: what all cases
    have, and nobody says, ties none to what is asked."""

    def __init__(self, cases: Sequence[Looked], texts: Sequence[str] = ()) -> None:
        self._cases = cases
        self._texts = texts

    @cached_property
    def space(self) -> Words:
        """Where the texts lie."""
        return Words([*self._texts, *(each.query for each in self._cases)])

    @cached_property
    def vectors(self) -> Vectors:
        """A row for each case, in their order."""
        return self.space.vectors([each.query for each in self._cases])
