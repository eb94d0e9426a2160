"""What is believed for some seconds is made once, whoever else asks meanwhile."""

from threading import Barrier, Thread

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
