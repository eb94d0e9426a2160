"""The public names: sorted, each documented, each from the place it is said to be from."""

import gatewatch


def test_all_is_sorted_and_complete() -> None:
    assert gatewatch.__all__ == sorted(gatewatch.__all__)
    assert set(gatewatch.__all__) == set(gatewatch._HOMES)
    assert set(gatewatch.__all__) <= set(dir(gatewatch))


def test_every_name_is_there_and_documented() -> None:
    for name in gatewatch.__all__:
        found = getattr(gatewatch, name)
        assert found.__doc__, f"{name} has no docstring"
        assert found.__module__ == gatewatch._HOMES[name]
