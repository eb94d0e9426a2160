"""An alias is the same for all who name a request, and tells nothing of the name."""

from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.alias import alias_of


def test_it_stays_what_it_was() -> None:
    """Stored requests are found by it."""
    assert alias_of("ann.smith@example.com") == "h:13b87647af1611a451d1b988"


@given(st.text())
def test_an_alias_is_its_own(name: str) -> None:
    assert alias_of(alias_of(name)) == alias_of(name)
    assert len(alias_of(name)) == 26
