from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier, Event

import pytest

from gatewatch.config.once import Once


def test_what_is_there_is_not_made_again_and_the_oldest_goes() -> None:
    made: list[str] = []
    held: Once[str] = Once(2)

    def make(key: str) -> str:
        made.append(key)
        return key

    for key in ("a", "b", "a", "c", "a", "b"):
        assert held.get(key, partial(make, key)) == key
    assert made == ["a", "b", "c", "b"]


def test_what_is_too_heavy_goes_but_for_the_last() -> None:
    held: Once[int] = Once(9, weigh=lambda value: value, heaviest=10)
    made: list[int] = []

    def make(value: int) -> int:
        made.append(value)
        return value

    for value in (6, 5, 20, 6):
        held.get(value, partial(make, value))
    assert made == [6, 5, 20, 6]


def test_two_who_ask_at_once_wait_for_one_another_and_nobody_else_does() -> None:
    held: Once[int] = Once(9)
    began, go, both = Event(), Event(), Barrier(2)
    made: list[int] = []

    def slow() -> int:
        began.set()
        assert go.wait(30)
        made.append(1)
        return 1

    def asks() -> int:
        both.wait(30)
        return held.get("slow", slow)

    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(asks) for _ in range(2)]
        assert began.wait(30)
        assert held.get("other", lambda: 2) == 2
        go.set()
        assert [each.result(30) for each in asked] == [1, 1] and made == [1]


def test_a_failure_is_not_held() -> None:
    held: Once[int] = Once(9)
    with pytest.raises(ZeroDivisionError):
        held.get("a", lambda: 1 // 0)
    assert held.get("a", lambda: 3) == 3
