"""`gatewatch label` in a terminal: a real one, by single keys, blind first."""

import os
import pty
import re
import select
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from struct import pack

import pytest

from cli.labelling import agent, asked, reviewed, the_store, waiting
from gatewatch.core.case import Expected, ToolCall
from gatewatch.core.review import Label

_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PATIENCE_S = 60.0


class Terminal:
    """A process in a terminal of its own: what is typed, and what it shows."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.seen = ""
        self.at = 0

    def waits(self, text: str) -> str:
        """What it showed until, and with, a text, since what was looked at before."""
        end = time.monotonic() + _PATIENCE_S
        while (found := self.seen.find(text, self.at)) < 0:
            left = end - time.monotonic()
            assert left > 0, f"{text!r} was not shown: {self.seen[self.at :]!r}"
            if select.select([self.descriptor], [], [], left)[0]:
                try:
                    data = os.read(self.descriptor, 65536)
                except OSError:
                    data = b""
                assert data, f"it ended before {text!r} was shown: {self.seen[self.at :]!r}"
                self.seen += _STEERING.sub("", data.decode("utf-8", "replace")).replace("\r", "")
        shown, self.at = self.seen[self.at : found + len(text)], found + len(text)
        return shown

    def types(self, text: str) -> None:
        """Type, as into a keyboard."""
        os.write(self.descriptor, text.encode())


@contextmanager
def terminal(folder: Path, *words: str, lines: int = 40, **environment: str) -> Iterator[Terminal]:
    """`gatewatch label` and some words in a terminal, to its end."""
    child, descriptor = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update({"TERM": "xterm", "PYTHONPATH": os.pathsep.join(sys.path), **environment})
        os.environ.pop("COLUMNS", None)
        os.execv(sys.executable, [sys.executable, "-m", "gatewatch", "label", *words])
    ioctl(descriptor, termios.TIOCSWINSZ, pack("HHHH", lines, 100, 0, 0))
    try:
        yield Terminal(descriptor)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
    except BaseException:
        os.kill(child, 9)
        os.waitpid(child, 0)
        raise
    finally:
        os.close(descriptor)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return reviewed(tmp_path)


def labels(folder: Path) -> list[Label]:
    with the_store(folder) as store:
        return store.labels([item.id for item in store.items()])


def test_one_item_after_the_other_blind_first(here: Path) -> None:
    waiting(here, asked(1), asked(2), asked(3))
    with terminal(here, "support", "--by", "ana") as screen:
        before = screen.waits("q quit")
        assert (
            "I1 · support" in before and "question 1" in before and "Is the answer right?  y right  n wrong" in before
        )
        assert "0.9" not in before and "thumbs_down" not in before
        screen.types("y")
        screen.waits("you agreed with the judge: 0.9\nit was mined: thumbs_down\nI1 is settled.")
        screen.types(" ")
        screen.waits("question 2")
        screen.waits("1 done")
        screen.types("c")
        screen.waits("comment")
        screen.types("too long\n")
        screen.waits("comment: too long")
        screen.waits("q quit")
        screen.types("n")
        screen.waits("what would be right")
        screen.types("14 days\n")
        screen.waits("you disagreed with the judge: 0.9")
        screen.types(" ")
        screen.waits("question 3")
        screen.waits("q quit")
        screen.types("s")
        screen.waits("nothing more waits for you here\n3 items done by ana\n")
    first, second, third = labels(here)
    assert (first.value, first.by) == (1.0, "ana") and first.seconds is not None
    assert (second.value, second.expected, second.comment) == (0.0, "14 days", "too long")
    assert (third.skipped, third.value) == (True, None)
    with the_store(here) as store:
        done = [each.action for each in reversed(store.audit(0.0, 100))]
    assert done == ["read", "label", "reveal", "read", "label", "reveal", "read", "skip"]


def test_the_last_is_undone_and_asked_again(here: Path) -> None:
    waiting(here, asked(1), asked(2))
    with terminal(here, "--by", "ana") as screen:
        screen.waits("q quit")
        screen.types("y")
        screen.waits("I1 is settled")
        screen.types("u")  # at once
        screen.waits("question 1")
        screen.waits("0 done")
        screen.types("y")
        screen.waits("I1 is settled")
        screen.types(" ")
        screen.waits("question 2")
        screen.waits("1 done")
        screen.types("u")  # from the next
        screen.waits("question 1")
        screen.waits("0 done")
        screen.types("n")
        screen.waits("what would be right")
        screen.types("\n")
        screen.waits("I1 is settled")
        screen.types("q")
        screen.waits("1 item done by ana")
    (label,) = labels(here)
    assert (label.item, label.value) == (1, 0.0)
    with the_store(here) as store:
        assert store.claim("bo", 0.0, 1.0, item=2) is not None, "what was left is nobody's"


def test_calls_that_were_made_are_corrected_in_the_editor(here: Path) -> None:
    waiting(here, agent(4))
    editor = here / "editor.sh"
    editor.write_text(
        "#!/bin/sh\n"
        f'if [ -e "{here}/once" ]; then sed -i "s/nam\\b/name/; s/4/5/" "$1"\n'
        f'else touch "{here}/once"; sed -i "s/name/nam/" "$1"; fi\nsleep 1.1\ntouch "$1"\n'
    )
    editor.chmod(0o755)
    with terminal(here, "I1", EDITOR=str(editor)) as screen:
        shown = screen.waits("q quit")
        assert 'cancel {"order":4}\n  = done' in shown
        screen.types("e")
        screen.waits("expected.tool_calls[0].nam: unknown field")
        screen.waits("back to the editor")
        screen.types(" ")
        screen.waits('expected: {"tool_calls":[{"name":"cancel","arguments":{"order":5}}]}')
        screen.waits("q quit")
        screen.types("n")
        screen.waits("I1 is settled")
        screen.types(" ")
        screen.waits("1 item done")
    (label,) = labels(here)
    assert label.expected == Expected(tool_calls=(ToolCall("cancel", {"order": 5}),))


def test_what_is_long_is_cut_until_all_of_it_is_asked_for(here: Path) -> None:
    turns = [{"role": "user", "content": f"turn {number}\n" + "words " * 400} for number in range(30)]
    waiting(here, asked(1, input={"messages": turns}, output="\n".join(f"line {number}" for number in range(300))))
    with terminal(here, lines=30) as screen:
        cut = screen.waits("q quit")
        assert len(cut.splitlines()) <= 30
        assert "more parts (o: all of it)" in cut and "more lines (o: all of it)" in cut
        assert "line 299" not in cut
        screen.types("o")
        assert "turn 15" in screen.waits("line 299")
        screen.waits("q quit")
        screen.types("?")
        screen.waits("v takes y (right), n (wrong), or a number in 0..1")
        screen.types(" ")
        screen.waits("q quit")
        screen.types("v")
        screen.waits("value")
        screen.types("2\n")
        screen.waits("'2' is no answer")
        screen.types(" ")
        screen.waits("q quit")
        screen.types("q")
        screen.waits("0 items done")
    assert labels(here) == []


def test_model_output_steers_no_terminal(here: Path) -> None:
    waiting(here, asked(1, output="\x1b[2Jnothing to see\x1b]0;title\x07\r\u202ehidden"))
    with terminal(here) as screen:
        screen.waits("nothing to see")
        rest = screen.waits("q quit")
        assert "\x1b]" not in screen.seen and "\x07" not in screen.seen and "\u202e" not in screen.seen
        assert "hidden" in rest
        screen.types("q")
        screen.waits("0 items done")


def test_a_grade_by_its_key_and_the_second_does_not_see_the_first(here: Path) -> None:
    waiting(here, asked(1), needed=2, scorer="helpful")
    for name, key in (("ana", "5"), ("bo", "2")):
        with terminal(here, "--by", name) as screen:
            before = screen.waits("q quit")
            assert "helpful: 1 to 5?  1 worst  2  3  4  5 best" in before
            assert "ana said" not in before
            screen.types(key)
            if key == "2":
                screen.waits("what would be right")
                screen.types("\n")
                screen.waits("ana said 1\nI1 is disputed")
            screen.waits("q quit")
            screen.types("q")
            screen.waits("1 item done")
    assert [label.value for label in labels(here)] == [1.0, 0.25]
    with terminal(here, "settle", "--by", "cy") as screen:
        before = screen.waits("q quit")
        assert "ana said 1\nbo said 0.25\nthe judge said 0.9\n" in before
        screen.types("4")
        screen.waits("1 item settled by cy")
    assert [(label.by, label.value) for label in labels(here) if label.settles] == [("cy", 0.75)]


def test_ctrl_c_lets_go_of_the_item(here: Path) -> None:
    waiting(here, asked(1))
    with terminal(here, "--by", "ana") as screen:
        screen.waits("q quit")
        screen.types("\x03")
        screen.waits("0 items done by ana")
    with the_store(here) as store:
        assert store.claim("bo", 0.0, 1.0) is not None


def test_what_the_project_asks_for_besides_and_an_item_for_somebody_else_to_settle(here: Path) -> None:
    toml = here / "gatewatch.toml"
    toml.write_text(toml.read_text() + 'kinds = ["wrong policy", "made up"]\ncomment = "wrong"\nseverity = true\n')
    waiting(here, asked(1), asked(2))
    with terminal(here, "support", "--by", "ana") as screen:
        screen.waits("q quit")
        screen.types("n")
        screen.waits("what would be right")
        screen.types("\n")
        screen.waits("1 wrong policy  2 made up")
        screen.waits("which kind of failure")
        screen.types("2\n")
        screen.waits("how grave")
        screen.types("maj\n")
        screen.waits("comment (needed here)")
        screen.types("no such window\n")
        screen.waits("you disagreed with the judge: 0.9")
        screen.types(" ")
        screen.waits("question 2")
        screen.waits("q quit")
        screen.types("l")
        screen.waits("locked: somebody else settles it")
        screen.waits("q quit")
        screen.types("y")
        screen.waits("I2 is disputed.")
        screen.types("q")
        screen.waits("2 items done by ana\n")
    first, second = labels(here)
    assert (first.kinds, first.severity, first.comment) == (("made up",), "major", "no such window")
    assert second.disputes and second.value == 1.0
