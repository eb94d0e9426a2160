"""A rubric: the text and the scale that a judge follows."""

import re

from msgspec import Struct

from gatewatch.scorers.scale import Scale

PLACEHOLDERS = ("input", "output", "context", "expected", "steps", "session")
"""What a judge may be shown. What is not input or output is shown only when the rubric's text mentions it."""

PLACEHOLDER = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")


class Shot(Struct, frozen=True):
    """An output that was judged well, shown to the judge before it judges another (a few-shot example)."""

    output: str
    verdict: str | int
    explanation: str
    input: str = ""


class Clause(Struct, frozen=True):
    """One rule of a policy, which an output keeps or breaks."""

    id: str
    text: str


class Rubric(Struct, frozen=True, kw_only=True):
    """The text and scale that a judge follows; `model` and `version` are empty when the file states none.

    `template` is the user's message of a published prompt, with places for what is judged; `text` is then its system
    message.
    """

    name: str
    text: str
    scale: Scale = Scale()
    model: str = ""
    version: str = ""
    examples: tuple[Shot, ...] = ()
    clauses: tuple[Clause, ...] = ()
    template: str = ""
    path: str = ""

    @property
    def mentions(self) -> frozenset[str]:
        """Which of the things that a judge may be shown the text mentions in braces."""
        if self.template:
            return frozenset()
        return frozenset(PLACEHOLDER.findall(self.text)).intersection(PLACEHOLDERS)

    @property
    def places(self) -> frozenset[str]:
        """The places that a published prompt has for what is judged."""
        return frozenset(PLACEHOLDER.findall(self.template))

    def text_with(self, names: dict[str, str]) -> str:
        """The text with other words in the place of what it mentions in braces."""
        return PLACEHOLDER.sub(lambda found: names.get(found[1], found[0]), self.text)
