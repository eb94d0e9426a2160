"""A tracestate's sampling threshold, read as a share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.w3c import share_of


@pytest.mark.parametrize(
    ("tracestate", "share"),
    [
        ("ot=th:0", 1.0),
        ("ot=th:8", 0.5),
        ("ot=th:c", 0.25),
        ("ot=th:c;rv:d29d6a7215ced0", 0.25),
        ("ot=rv:d29d6a7215ced0;th:e6666666666666", 0.1),
        ("rojo=00f067aa0ba902b7 , ot=th:8\t,congo=t61rcWkgMzE", 0.5),
        ("ot=th:ffffffffffffff", 2.0**-56),
        ("ot=p:0", 1.0),
        ("ot=r:5;p:2", 0.25),
        ("ot=p:62", 2.0**-62),
        ("ot=p:4;th:8", 0.5),
    ],
)
def test_a_threshold_or_a_power_of_two_is_a_share(tracestate: str, share: float) -> None:
    assert share_of(tracestate) == pytest.approx(share, rel=1e-12)


@pytest.mark.parametrize(
    "tracestate",
    [
        "",
        ",,,",
        "ot",
        "ot=",
        "ot=rv:d29d6a7215ced0",
        "other=th:8",
        "ot=th:",
        "ot=th:C",
        "ot=th:-1",
        "ot=th:0x8",
        "ot=th: 8",
        "ot=th:000000000000001",  # 15 digits
        "ot=th:g;p:1",  # a damaged threshold is not made up for
        "ot=th:8;th:c",
        "ot=th:8,ot=th:c",
        "ot=p:63",  # nothing was to be sent
        "ot=p:-1",
        "ot=p:1.5",
        "ot=p:999999999",
        "ot=p:\u0663",
    ],
)
def test_what_is_absent_or_malformed_is_no_share(tracestate: str) -> None:
    assert share_of(tracestate) is None


@given(st.integers(0, 16**14 - 1))
def test_every_threshold_is_read_as_what_it_leaves(threshold: int) -> None:
    found = share_of(f"ot=th:{threshold:014x}")
    assert found is not None and 0.0 < found <= 1.0
    assert found == pytest.approx(1 - threshold / 2**56, abs=1e-15)
    assert share_of(f"ot=th:{threshold:014x}".rstrip("0") if threshold else "ot=th:0") == found


@given(st.text() | st.text(alphabet="ot=th:;,pr0123456789abcdef "))
def test_any_text_gives_a_share_or_nothing(text: str) -> None:
    found = share_of(text)
    assert found is None or 0.0 < found <= 1.0
