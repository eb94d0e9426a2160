"""How much one request may tell. It is counted before it is made, since a few bytes say millions of empty things."""

from gatewatch.core.errors import TooMuch

MOST_SPANS = 100_000
"""Spans, or log records, of one request, with what groups them."""
MOST_VALUES = 1_000_000
"""Attributes, events and values in lists, of all of them."""
MOST_EACH = 100_000
"""The same, of one span."""
MOST_BRACKETS = 600_000
"""Objects and lists of a request in JSON, where an attribute has two."""
LONGEST_SCOPE = 400
"""Characters of the name of what made spans, which is kept with each of them."""


class Room:
    """What is left of it, for one request."""

    def __init__(self) -> None:
        self._spans, self._values, self._each = MOST_SPANS, MOST_VALUES, MOST_EACH

    def span(self) -> None:
        """Take one span, or a group of them: what follows is of this one.

        Raises:
            TooMuch: there are no more.
        """
        self._spans -= 1
        self._each = MOST_EACH
        if self._spans < 0:
            raise TooMuch(f"it has more than {MOST_SPANS:,} spans or log records")

    def value(self) -> None:
        """Take one (see `values`)."""
        self.values(1)

    def values(self, number: int) -> None:
        """Take some values of the span that is read.

        Raises:
            TooMuch: there are no more, for this span or for the request.
        """
        self._values -= number
        self._each -= number
        if self._each < 0:
            raise TooMuch(f"one span or log record has more than {MOST_EACH:,} values")
        if self._values < 0:
            raise TooMuch(f"it has more than {MOST_VALUES:,} values")
