"""Reviewing in a terminal: one item a screen, by single keys, blind first."""

import shutil
from typing import TYPE_CHECKING, Literal

import click
from msgspec import Struct

from gatewatch.cli.label_screen import Keyboard, draw_item, draw_keys, draw_question
from gatewatch.cli.terminal import counted, shown, who

if TYPE_CHECKING:
    from gatewatch.config.project import Project
    from gatewatch.core.case import Expected
    from gatewatch.core.review import Item, ItemState, Label, Queue, Severity
    from gatewatch.loop.answers import Answers
    from gatewatch.loop.label import Part
    from gatewatch.loop.review import Rules
    from gatewatch.store.base import Store
    from gatewatch.store.looping import Claim

_QUIT = ("q", "", "\x04")


class Wanted(Struct, frozen=True):
    """What is to be reviewed: all that waits, of a queue, a flow, a failure, or one item."""

    queue: "Queue | None" = None
    flow: str = ""
    failure: int = 0
    item: int = 0

    @classmethod
    def of(cls, what: str, queue: "str | None") -> "Wanted":
        """What a word stands for: F3 for a failure, I7 for an item, else a flow."""
        from gatewatch.core.failure import number_in

        failure, item = number_in(what, "F") or 0, number_in(what, "I") or 0
        return cls(queue, "" if failure or item else what, failure, item)  # type: ignore[arg-type]


class _Draft:
    """What a reviewer said of an item so far."""

    def __init__(self) -> None:
        self.expected: str | Expected | None = None
        self.comment = ""
        self.kinds: tuple[str, ...] = ()
        self.severity: Severity | None = None
        self.disputes = False

    def notes(self) -> list[str]:
        """What is said so far, in words."""
        from gatewatch.loop.label import expected_text

        said = {"expected": expected_text(self.expected), "comment": self.comment}
        said["locked"] = "somebody else settles it" if self.disputes else ""
        return [f"{name}: {text}" for name, text in said.items() if text]


class _Screen:
    """An item in a terminal, and what is typed of it."""

    def __init__(self, project: "Project", keys: Keyboard, item: "Item", trace: bytes) -> None:
        from gatewatch.config.labelling import answers_for
        from gatewatch.core import codec
        from gatewatch.core.trace import Trace
        from gatewatch.loop.label import parts_of

        self.keys, self.item = keys, item
        self.trace = codec.decode(trace, Trace)
        self.parts: list[Part] = parts_of(self.trace)
        self.asked: Answers = answers_for(project, item.scorer)
        self.draft = _Draft()

    def draw(self, progress: str, *, full: bool = False, above: "list[str] | None" = None) -> None:
        """Draw it from the top of the screen."""
        click.clear()
        notes = [*(above or []), *self.draft.notes()]
        draw_item(self.item, self.parts, shutil.get_terminal_size().lines, full=full, notes=notes)
        draw_question(self.asked, progress)

    def edit(self, pressed: str) -> bool:
        """Do what a key asks for that changes the draft or the view, and say whether there is such a key."""
        if pressed == "e":
            self.draft.expected = self._expected()
        elif pressed == "c":
            self.draft.comment = self.keys.line("comment")
        elif pressed == "l":
            self.draft.disputes = not self.draft.disputes
        elif pressed == "?":
            draw_keys(self.asked)
            self.keys.key()
        return pressed in ("e", "c", "l", "?")

    def value(self, pressed: str) -> "tuple[bool, float | None]":
        """Whether a key is an answer, and which; one that cannot be judged has none."""
        if pressed in self.asked.keys:
            return True, self.asked.keys[pressed].value
        if pressed != "v":
            return False, None
        typed = self.keys.line("value")
        try:
            return bool(typed), self.asked.value(typed) if typed else None
        except ValueError as error:
            self._complain(f"{error}\nany key goes on")
            return False, None

    def ask_expected(self) -> None:
        """Ask what would be right, once it was said that this is not; nothing may be an answer."""
        from gatewatch.core.errors import InputError
        from gatewatch.loop.label import expected_of

        while self.draft.expected is None:
            typed = self.keys.line("what would be right (Enter: nothing, e: in the editor)")
            if not typed:
                return
            try:
                self.draft.expected = self._expected() if typed == "e" else expected_of(typed)
            except InputError as error:
                click.echo(shown(error))

    def ask_more(self, rules: "Rules", *, right: bool) -> None:
        """Ask what the project wants to know besides: in which ways it failed, how grave that is, a comment."""
        from typing import get_args

        from gatewatch.core.review import Severity

        if not right and rules.kinds:
            numbered = "  ".join(f"{place} {kind}" for place, kind in enumerate(rules.kinds, 1))
            click.echo(shown(numbered))
            typed = self.keys.line("which kind of failure, such as 1, or 1 3 (Enter: none)").replace(",", " ").split()
            places = [int(each) for each in typed if each.isascii() and each.isdecimal() and len(each) < 4]
            self.draft.kinds = tuple(kind for place, kind in enumerate(rules.kinds, 1) if place in places)
        if not right and rules.severity:
            words = get_args(Severity)
            typed = [self.keys.line("how grave: minor, major or critical (Enter: leave it open)").lower()]
            self.draft.severity = next((word for word in words if typed[0] and word.startswith(typed[0])), None)
        needed = rules.comment == "always" or (rules.comment == "wrong" and not right)
        while needed and not self.draft.comment:
            self.draft.comment = self.keys.line("comment (needed here)")

    def _expected(self) -> "str | Expected | None":
        """What is expected, from the editor: it begins with what was answered, or the calls that were made."""
        from gatewatch.core.errors import InputError
        from gatewatch.loop.label import expected_of, expected_text, suggested

        text = expected_text(self.draft.expected) or suggested(self.trace)
        while True:
            try:
                with self.keys.away():
                    written = click.edit(text, extension=".json" if text.startswith("{") else ".txt")
            except click.ClickException as error:
                self._complain(f"{error.message}\nany key goes on")
                return self.draft.expected
            if written is None:
                return self.draft.expected
            try:
                return expected_of(written)
            except InputError as error:
                text = written
                if self._complain(f"{error}\nany key: back to the editor, q: leave it") in _QUIT:
                    return self.draft.expected

    def _complain(self, text: str) -> str:
        """Say what is wrong, and give the key that was pressed then."""
        click.echo(shown(text))
        return self.keys.key()


class Reviewing:
    """Going through the items that wait, one by one.

    Args:
        project: whose scorers say on which scale.
        store: where the items are.
        by: who reviews.
        wanted: what is to be reviewed.
    """

    def __init__(self, project: "Project", store: "Store", by: str, wanted: Wanted) -> None:
        from gatewatch.config.labelling import claim_s, rules_of

        self.rules = rules_of(project)
        self.project, self.store, self.by, self.wanted = project, store, by, wanted
        self.claim_s = claim_s(project)
        self.done: list[int] = []  # as they were labelled, the last of which can be undone
        self.back = 0

    def run(self) -> None:
        """Go on until there is nothing left, or the reviewer leaves."""
        try:
            with Keyboard() as keys:
                while claim := self._next():
                    if not self._review(claim, keys):
                        break
                else:
                    click.clear()
                    click.echo("nothing waits for you here" if not self.done else "nothing more waits for you here")
        except (KeyboardInterrupt, EOFError, click.Abort):
            click.echo()
        click.echo(f"{counted(len(self.done), 'item')} done by {shown(self.by)}")

    def _next(self) -> "Claim | None":
        from gatewatch.core.clock import wall

        now, wanted = wall(), self.wanted
        until = now + self.claim_s
        if self.back:
            number, self.back = self.back, 0
            return self.store.claim(self.by, now, until, item=number)
        if wanted.item:
            return None if wanted.item in self.done else self.store.claim(self.by, now, until, item=wanted.item)
        return self.store.claim(self.by, now, until, queue=wanted.queue, flow=wanted.flow, failure=wanted.failure)

    def _review(self, claim: "Claim", keys: Keyboard) -> bool:
        """Show an item until something is said of it, and say whether to go on."""
        from gatewatch.core.clock import wall

        began, full = wall(), False
        screen = _Screen(self.project, keys, claim.item, claim.trace)
        self.store.note(began, who(), "read", claim.item.trace)
        try:
            while True:
                screen.draw(f"{len(self.done)} done", full=full)
                pressed = keys.key()
                full = pressed == "o"
                if pressed in _QUIT:
                    return False
                if pressed == "u" and self.done:
                    self._undo()
                    return True
                if screen.edit(pressed):
                    continue
                known, value = (True, None) if pressed == "s" else screen.value(pressed)
                if known:
                    return self._keep(screen, value, wall() - began)
        finally:
            if claim.item.id not in self.done:
                self.store.let_go_of(claim.item.id, self.by)

    def _keep(self, screen: _Screen, value: float | None, seconds: float) -> bool:
        from gatewatch.core.clock import wall
        from gatewatch.core.review import Label, is_right
        from gatewatch.loop.review import keep

        if value is not None:
            right = is_right(value, screen.item.mark)
            if not right:
                screen.ask_expected()
            screen.ask_more(self.rules, right=right)
        now, draft = wall(), screen.draft
        label = Label(
            item=screen.item.id,
            by=self.by,
            at=now,
            value=value,
            expected=draft.expected,
            comment=draft.comment,
            kinds=draft.kinds,
            severity=draft.severity,
            disputes=draft.disputes,
            skipped=value is None,
            seconds=seconds,
        )
        kept = keep(self.store, label, now, account=who())
        self.done.append(kept.id)
        if label.skipped:
            return True
        pressed = self._reveal(kept, label, screen.keys)
        if pressed == "u":
            self._undo()
        return pressed not in _QUIT

    def _reveal(self, item: "Item", label: "Label", keys: Keyboard) -> str:
        """Show what was hidden, and give the key that was pressed then."""
        from gatewatch.core.clock import wall
        from gatewatch.loop.label import item_name, revealed
        from gatewatch.loop.review import hidden

        others, why = hidden(self.store, item, self.by, wall(), account=who())
        click.echo()
        for line in revealed(item, label, others, why):
            click.echo(shown(line))
        click.echo(f"{item_name(item.id)} is {item.state}.  any key next  u undo  q quit")
        return keys.key()

    def _undo(self) -> None:
        """Take the last label back, and show its item again."""
        from gatewatch.core.clock import wall
        from gatewatch.loop.label import item_name

        self.back = self.done.pop()
        self.store.withdraw_label(self.back, self.by)
        self.store.note(wall(), who(), "label withdrawn", item_name(self.back))


class Settling:
    """Going through what reviewers disagree on, with all that was said of it in sight."""

    def __init__(self, project: "Project", store: "Store", by: str) -> None:
        self.project, self.store, self.by = project, store, by

    def run(self, number: int = 0) -> None:
        """Settle one item, or all that are disputed, one after the other."""
        disputed: tuple[ItemState, ...] = ("disputed",)
        items = [self.store.item(number)] if number else self.store.items(states=disputed)
        settled = 0
        try:
            with Keyboard() as keys:
                for item in items:
                    outcome = "quit" if item is None else self._settle(item, keys)
                    settled += outcome == "settled"
                    if outcome == "quit":
                        break
        except (KeyboardInterrupt, EOFError, click.Abort):
            click.echo()
        click.echo(f"{counted(settled, 'item')} settled by {shown(self.by)}" if items else "nothing is disputed")

    def _settle(self, item: "Item", keys: Keyboard) -> Literal["settled", "skipped", "quit"]:
        from gatewatch.core.clock import wall
        from gatewatch.core.review import is_right
        from gatewatch.loop.label import said_by
        from gatewatch.loop.review import hidden, keep, settling

        screen = _Screen(self.project, keys, item, self.store.item_trace(item.id) or b"{}")
        labels, why = hidden(self.store, item, "", wall(), account=who())
        sides = [f"{label.by} said {said_by(label)}" for label in labels]
        if item.judged is not None:
            sides.append(f"the judge said {item.judged:.3g} {why}".rstrip())
        full = False
        while True:
            screen.draw("what you say settles it", full=full, above=sides)
            pressed = keys.key()
            full = pressed == "o"
            if pressed in _QUIT:
                return "quit"
            if pressed == "s":
                return "skipped"
            if screen.edit(pressed):
                continue
            known, value = screen.value(pressed)
            if known and value is not None:
                if not is_right(value, item.mark):
                    screen.ask_expected()
                said = {"expected": screen.draft.expected, "comment": screen.draft.comment}
                label = settling(self.store, item, self.by, value, wall(), **said)  # type: ignore[arg-type]
                keep(self.store, label, label.at, account=who())
                return "settled"
