"""Names are cut where a store could not look them up by."""

from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.lengths import LONGEST_NAME, cut
from gatewatch.store.database import escaped

names = st.text(st.sampled_from("ab\0\x10\ud800é日😀"), min_size=100, max_size=500)


@given(names)
def test_a_name_fits_as_it_is_stored_and_is_cut_no_sooner(name: str) -> None:
    short = cut(name)
    assert name.startswith(short)
    assert cut(short) == short
    assert len(short) <= LONGEST_NAME
    assert len(escaped(short).encode()) <= 600
    if len(short) < min(len(name), LONGEST_NAME):
        assert len(escaped(name[: len(short) + 1]).encode()) > 600


def test_a_name_that_is_meant_stays() -> None:
    for name in ("", "support", "a" * 400, "日" * 200):
        assert cut(name) is name
