"""What a reviewer sees in the terminal: an item, as much of it as fits, and the keys."""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import console, shown

if TYPE_CHECKING:
    from gatewatch.core.review import Item
    from gatewatch.loop.answers import Answers
    from gatewatch.loop.label import Part

_FRAME = 9  # lines that are not the item's: its name, the question, the keys
_LEAST = 3
_MOST_PARTS = 12
KEYS = {
    "e": "what would be right",
    "c": "comment",
    "s": "skip",
    "u": "undo the last",
    "o": "all of it",
    "v": "type a value",
    "?": "keys",
    "q": "quit",
}
"""The keys that are the same whatever is asked."""


def draw_item(item: "Item", parts: "Sequence[Part]", height: int, *, full: bool, notes: Sequence[str] = ()) -> None:
    """Draw an item: of each part as many lines as fit on the screen, or all of it."""
    from rich.rule import Rule
    from rich.text import Text

    from gatewatch.loop.label import item_name

    out = console(100)
    facts = " · ".join(filter(None, (item_name(item.id), item.flow, item.slice)))
    out.print(Rule(Text(shown(facts), "bold"), align="left", style="dim"))
    told = list(parts) if full else [*parts[: _MOST_PARTS // 3], *parts[_MOST_PARTS // 3 :][-_MOST_PARTS * 2 // 3 :]]
    room = max(_LEAST, (height - _FRAME - len(notes)) // max(1, len(told)) - 1)
    left_out = len(parts) - len(told)
    for place, part in enumerate(told):
        if left_out and place == _MOST_PARTS // 3:
            out.print(Text(f"... {left_out} more parts (o: all of it)", "dim"))
        # The last is the answer, which is what is judged.
        out.print(Text(shown(part.heading), "bold cyan" if place == len(told) - 1 else "cyan"))
        lines = list(_lines(part.text, out.width - 2))
        fitting = lines if full or len(lines) <= room else lines[: room - 1]
        for line in fitting:
            out.print(Text(f"  {line}"), no_wrap=True, crop=False)
        if len(fitting) < len(lines):
            out.print(Text(f"  ... {len(lines) - len(fitting)} more lines (o: all of it)", "dim"))
    for note in notes:
        out.print(Text(shown(note), "dim"))


def _lines(text: str, width: int) -> Iterator[str]:
    for line in shown(text).split("\n"):
        yield from wrap(line, max(20, width), replace_whitespace=False, drop_whitespace=False) or [""]


def draw_question(asked: "Answers", progress: str) -> None:
    """Draw what is asked, and the keys that answer it."""
    from rich.text import Text

    out = console(100)
    out.print()
    line = Text(shown(asked.question), "bold")
    for choice in asked.keys.values():
        line.append(f"  {choice.key}", "bold green")
        if choice.word != choice.key:
            line.append(f" {shown(choice.word)}", "default not bold")
    out.print(line)
    out.print(Text(shown(f"e expected  c comment  s skip  u undo  o all  ? keys  q quit    {progress}"), "dim"))


def draw_keys(asked: "Answers") -> None:
    """Draw every key, and what may be typed."""
    from rich.text import Text

    out = console(100)
    for key, word in {**{name: each.word for name, each in asked.keys.items()}, **KEYS}.items():
        out.print(Text(f"  {key}", "bold green").append(f"  {shown(word)}", "default not bold"))
    out.print(Text(shown(f"  v takes {asked.told}"), "dim"))


def key() -> str:
    """The next key, as a word: one letter, or "" for the end of the input."""
    try:
        return click.getchar()
    except EOFError:
        return ""
