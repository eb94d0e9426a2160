"""A labelled line of a terminal's report, folded under itself where it is too long for one."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions
    from rich.text import Text

LABEL = 10
"""How many columns a label takes."""


class Fact:
    """A label and a text. With a `bar`, every line of the text stands behind one.

    The bar shows where a text from outside begins and ends, and keeps its lines from being taken for commands by CI
    systems that look for these at the start of a line.
    """

    def __init__(self, label: str, text: "Text", *, indent: int = LABEL, bar: str = "", style: str = "dim") -> None:
        self.label = label
        self.text = text
        self.indent = indent
        self.bar = bar
        self.style = style

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Text]":
        from rich.text import Text

        room = max(1, options.max_width - self.indent - len(self.bar))
        lines = self.text.wrap(console, room, overflow="fold") or [Text("")]
        for place, line in enumerate(lines):
            line.rstrip()
            shown = line
            if line.plain.startswith("::"):  # a long word that was folded just there
                shown = Text("·").append_text(line[1:])
            label = self.label[: self.indent - 1] if not place else ""
            yield Text.assemble((label.ljust(self.indent), self.style), (self.bar, "dim"), shown)
