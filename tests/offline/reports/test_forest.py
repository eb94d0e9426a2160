import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.offline.reports.forest import LEAST, Scale, scale_of
from gatewatch.offline.verdict import Figures
from offline.reports.making import figures

CHANGE = st.floats(-1, 1)


class TestScale:
    def test_round_ends_with_room_for_all(self) -> None:
        scale = scale_of([figures(-0.0634, 0.038), figures(0.021, 0.0142)], 0.05)
        assert (round(scale.low, 9), round(scale.high, 9)) == (-0.12, 0.04)
        assert scale.ends == ("−12", "+4")

    def test_not_wider_than_half(self) -> None:
        scale = scale_of([figures(0.0, 0.9)], 0.05)
        assert (scale.low, scale.high) == (-0.5, 0.5)

    @given(st.lists(st.tuples(CHANGE, st.floats(0, 1)), max_size=5), st.floats(0, 1))
    @settings(max_examples=200, deadline=None)
    def test_any_changes(self, changes: list[tuple[float, float]], max_drop: float) -> None:
        cells = [figures(delta, half) for delta, half in changes]
        scale = scale_of(cells, max_drop)
        assert -1.5 <= scale.low < 0 < scale.high <= 1.5
        for each in (*cells, figures(None), figures(0.1, interval=None)):
            for width in (LEAST, 15, 25):
                strip = scale.strip(each, width)
                assert len(strip) == width
                assert ("●" in strip) + ("○" in strip) == (each.delta is not None)


class TestStrip:
    @pytest.mark.parametrize(
        ("found", "strip"),
        [
            (figures(-0.05, 0.02, verdict="REGRESSED"), " ─●┊─│  "),
            (figures(0.0, 0.02), "   ┊─○─ "),
            (figures(0.04, 0.02), "   ┊ │─●"),
            (figures(None), "   ┊ │  "),
            (figures(0.0, 0.3, verdict="UNDECIDED"), "‹──┊─○─›"),
            (figures(-0.2, 0.3), "○──┊─┼─›"),
            (figures(-0.01, interval=None), "   ┊○│  "),
        ],
    )
    def test_marks(self, found: Figures, strip: str) -> None:
        scale = Scale(-0.1, 0.04, 0.04)
        assert scale.strip(found, 8) == strip

    def test_without_an_allowed_fall_there_is_no_sign_of_it(self) -> None:
        assert "┊" not in Scale(-0.1, 0.1, 0.0).strip(figures(), 21)
