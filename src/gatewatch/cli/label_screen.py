"""What a reviewer sees in the terminal: an item, as much of it as fits, and the keys."""

import os
import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
KEYS = {
    "e": "what would be right",
    "c": "comment",
    "l": "lock: somebody else settles it",
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
    room = height - _FRAME - len(notes)
    most = len(parts) if full else max(2, room // (_LEAST + 1))
    first = most // 3 if most < len(parts) else len(parts)
    told = [*parts[:first], *parts[first:][first - most :]] if most < len(parts) else list(parts)
    texts = [list(_lines(part.text, out.width - 2)) for part in told]
    rooms = [len(lines) for lines in texts] if full else _rooms([len(lines) for lines in texts], room - len(told))
    for place, (part, lines, fits) in enumerate(zip(told, texts, rooms, strict=True)):
        if place == first and len(told) < len(parts):
            out.print(Text(f"... {len(parts) - len(told)} more parts (o: all of it)", "dim"))
        # The last is the answer, which is what is judged.
        out.print(Text(shown(part.heading), "bold cyan" if place == len(told) - 1 else "cyan"))
        fitting = lines if len(lines) <= fits else lines[: fits - 1]
        for line in fitting:
            out.print(Text(f"  {line}"), no_wrap=True, crop=False)
        if len(fitting) < len(lines):
            out.print(Text(f"  ... {len(lines) - len(fitting)} more lines (o: all of it)", "dim"))
    for note in notes:
        out.print(Text(shown(note), "dim"))


def _rooms(lengths: Sequence[int], room: int) -> list[int]:
    """How many lines each part gets: an equal part of the room, and of what shorter ones leave."""
    rooms = [0] * len(lengths)
    for done, place in enumerate(sorted(range(len(lengths)), key=lambda each: lengths[each])):
        rooms[place] = min(lengths[place], max(_LEAST, room // (len(lengths) - done)))
        room -= rooms[place]
    return rooms


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
    """Draw every key, what may be typed, and by what to judge."""
    from rich.text import Text

    out = console(100)
    for key, word in {**{name: each.word for name, each in asked.keys.items()}, **KEYS}.items():
        out.print(Text(f"  {key}", "bold green").append(f"  {shown(word)}", "default not bold"))
    out.print(Text(shown(f"  v takes {asked.told}"), "dim"))
    if asked.guide:
        out.print(Text(f"\n{shown(asked.guide)}"))


class Keyboard:
    """The keys of the terminal, one by one, for as long as this is entered; none that is typed early is lost."""

    def __enter__(self) -> "Keyboard":
        import termios
        import tty

        self._fd = sys.stdin.fileno()
        self._usual = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd, termios.TCSADRAIN)
        return self

    def __exit__(self, *_: object) -> None:
        import termios

        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._usual)

    def key(self) -> str:
        """The next key: a letter, "" for the end of the input, Escape for one that is no letter."""
        found = os.read(self._fd, 1)
        if found != b"\x1b" and found.isascii():
            return found.decode()
        while select.select([self._fd], [], [], 0.01)[0]:  # the rest of an arrow, or of a letter with an accent
            if not os.read(self._fd, 1):
                break
        return "\x1b"

    def line(self, asked: str) -> str:
        """A line that is typed, "" for none."""
        with self.away():
            text: str = click.prompt(asked, default="", show_default=False)
        return text.strip()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Leave the keyboard to others meanwhile, such as an editor."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()
