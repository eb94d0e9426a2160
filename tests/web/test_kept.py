"""What is believed for some seconds is made once, whoever else asks meanwhile."""

from threading import Barrier, Event, Thread

import pytest

from gatewatch.web import kept
from gatewatch.web.kept import Kept


def test_a_value_is_made_once_for_all_who_ask_until_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    now, made = [0.0], []
    monkeypatch.setattr(kept, "monotonic", lambda: now[0])
    held: Kept[int] = Kept(5.0)
    together = Barrier(4)

    def make() -> int:
        made.append(1)
        return len(made)

    def ask() -> None:
        together.wait()
        assert held.of("a", make) == 1

    threads = [Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(made) == 1
    now[0] = 4.9
    assert (held.of("a", make), held.of("b", make)) == (1, 2)
    now[0] = 5.1
    assert held.of("a", make) == 3


def test_what_fails_is_tried_again() -> None:
    held: Kept[int] = Kept(5.0)
    with pytest.raises(ZeroDivisionError):
        held.of("a", lambda: 1 // 0)
    assert held.of("a", lambda: 7) == 7


def test_so_many_are_held_and_those_that_are_made_are_made_once() -> None:
    held: Kept[int] = Kept(1000.0)
    begun, go_on, made = Event(), Event(), []

    def slowly() -> int:
        made.append(1)
        begun.set()
        go_on.wait(20)
        return 7

    threads = [Thread(target=lambda: held.of("slow", slowly)) for _ in range(2)]
    threads[0].start()
    assert begun.wait(20)
    for key in range(kept._MOST + 5):
        held.of(key, lambda: 1)
    threads[1].start()
    go_on.set()
    for each in threads:
        each.join()
    assert len(made) == 1
    for key in range(1000, 1050):
        with pytest.raises(ZeroDivisionError):
            held.of(key, lambda: 1 // 0)
    assert len(held._held) == kept._MOST and not held._making
    assert held.of("slow", lambda: 8) == 7  # what was made last stays
