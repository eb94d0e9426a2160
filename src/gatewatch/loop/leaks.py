"""Cases that leaked: their texts stand in a prompt, a rubric or the code of what they are to test."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from msgspec import Struct

from gatewatch.core.case import Case
from gatewatch.loop.finding import Figure, Finding, Looked, answer_of
from gatewatch.loop.likeness import asked

RUN = 8
"""Words in a row that make a passage: fewer may be anybody's."""

_WHOLE = 5
_LONGEST = 2000
_COMMON = 3
_MOST_PLACES = 8
_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(r"([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])")


class Source(Struct, frozen=True):
    """A text that the application or a judge is given, and where it stands."""

    name: str
    text: str


class _Place(Struct, frozen=True, gc=False):
    source: int
    word: int


def leaked(cases: Sequence[Looked], sources: Sequence[Source]) -> Iterator[Finding]:
    """Cases of which a passage of eight words, or all of a query of five and more, stands in a source.

    What more than three cases have in common is how they are written, and no leak. Nor is a short answer, which may be
    what the application says to many.
    """
    book = _Book(sources)
    if not book.places:
        return
    found = [(each, what, book.runs(words)) for each in cases for what, words in _texts(each.case)]
    common = Counter(start for _, _, runs in found for start in {words for words, _ in runs})
    for each, what, runs in found:
        own = [place for words, place in runs if common[words] <= _COMMON]
        if own:
            yield _finding(each, what, own, book)


def _texts(case: Case) -> Iterator[tuple[str, tuple[str, ...]]]:
    for what, text, least in (("its input", asked(case.input), _WHOLE), ("what it expects", answer_of(case), RUN)):
        words = words_of(text)[:_LONGEST]
        if len(words) >= least:
            yield what, words


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, case folded; of scripts without spaces each letter."""
    folded = text.casefold()
    return tuple(_WORD.findall(folded if folded.isascii() else _UNSPACED.sub(r" \1 ", folded)))


class _Book:
    """Sources by their runs of words."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources
        self.words = [words_of(each.text) for each in sources]
        self.places: defaultdict[tuple[str, ...], list[_Place]] = defaultdict(list)
        for size in range(_WHOLE, RUN + 1):
            for number, words in enumerate(self.words):
                for word in range(len(words) - size + 1):
                    there = self.places[words[word : word + size]]
                    if len(there) < _MOST_PLACES:
                        there.append(_Place(number, word))

    def runs(self, words: tuple[str, ...]) -> list[tuple[tuple[str, ...], tuple[int, int, int]]]:
        """Passages of a text that stand in a source: the words, and in which source, from which word, how many."""
        found = []
        least = min(RUN, len(words))
        start = 0
        while start + least <= len(words):
            there = self.places.get(words[start : start + least])
            if not there:
                start += 1
                continue
            length, source, word = max(self._run(words, start, place, least) for place in there)
            found.append((words[start : start + least], (source, word, length)))
            start += length
        return found

    def _run(self, words: tuple[str, ...], start: int, place: _Place, length: int) -> tuple[int, int, int]:
        """For how long a text goes on as a source does, which have so many words in common already."""
        other = self.words[place.source]
        while (
            start + length < len(words)
            and place.word + length < len(other)
            and words[start + length] == other[place.word + length]
        ):
            length += 1
        return length, place.source, place.word

    def line(self, source: int, word: int) -> int:
        """The line of a source that a word stands in."""
        seen = 0
        for number, line in enumerate(self.sources[source].text.splitlines(), 1):
            seen += len(words_of(line))
            if word < seen:
                return number
        return 1


def _finding(each: Looked, what: str, runs: Sequence[tuple[int, int, int]], book: _Book) -> Finding:
    source, word, _ = max(runs, key=lambda run: run[2])
    total = len(dict(_texts(each.case))[what])
    number = min(total, sum(length for _, _, length in runs))
    where = f"{book.sources[source].name}:{book.line(source, word)}"
    return Finding(
        check="leaked",
        cases=(each.id,),
        where=(each.where,),
        why=f"{number} of {total} words of {what} stand in {where}",
        figures=(Figure("words", number, n=total),),
        do=f"take it out of {book.sources[source].name}, or retire {each.id}: it is no test any more",
        weight=number / total,
    )
