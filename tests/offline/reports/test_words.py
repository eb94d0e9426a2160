import pytest

from gatewatch.offline.reports.words import direction, headline, interval, plain, pp, probability, ratio, says, signed
from gatewatch.offline.verdict import Figures, Verdict
from offline.reports.making import figures, passed, regressed, undecided


class TestPlain:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("a b", "a b"),
            ("a\tb\r\nc", "a b  c"),
            ("\x1b[31mred\x00\x9b", "\\x1b[31mred\\x00\\x9b"),
            ("a\u202eb\u200b\ufeff", "a\\u202eb\\u200b\\ufeff"),
            ("\ud800", "\\ud800"),
            ("é\U0001f600 漢", "é\U0001f600 漢"),
            ("::error::x", ": :error::x"),
            (":::: ::a b::c", ": : : : : :a b::c"),
            ("##[error] ##vso[x] ## a", "# #[error] # #vso[x] ## a"),
        ],
    )
    def test_what_is_shown(self, text: str, shown: str) -> None:
        assert plain(text) == shown

    def test_cut(self) -> None:
        assert plain("abcdef", 4) == "abc…"
        assert plain("abcd", 4) == "abcd"
        assert len(plain("\x00" * 50, 10)) == 10


class TestFigures:
    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (None, "—"),
            (0.0, "0.0"),
            (-0.0634, "−6.3"),
            (0.004, "+0.4"),
            (0.0004, "+0.04"),
            (-0.00001, "−0.00"),
            (1.0, "+100.0"),
        ],
    )
    def test_points(self, value: float | None, shown: str) -> None:
        assert pp(value) == shown

    def test_others(self) -> None:
        assert signed(-2.4, 0) == "−2"
        assert interval((-0.101, 0.02)) == "[−10.1, +2.0]"
        assert interval(None) == "—"
        assert [probability(p) for p in (None, 0.0002, 0.0123, 0.5, 1.0)] == ["—", "<0.001", "0.012", "0.50", "1.00"]
        assert [ratio(1.0, 1.5), ratio(0.0, 1.0), ratio(None, 1.0), ratio(2.0, 2.0)] == [" (+50 %)", "", "", ""]


class TestScorers:
    @pytest.mark.parametrize(
        ("found", "way", "said"),
        [
            (figures(-0.06, 0.02, verdict="REGRESSED"), "fell", "✕ regressed"),
            (figures(-0.06, 0.02, verdict="REGRESSED", gating=False), "fell", "info: fell"),
            (figures(0.0, 0.01), "noise", "✓ noise"),
            (figures(0.03, 0.01), "rose", "✓ rose"),
            (figures(0.03, 0.01, rose=False), "noise", "✓ noise"),
            (figures(-0.02, 0.01), "slid", "✓ small fall"),
            (figures(-0.4, 0.1, verdict="UNDECIDED", gating=False), "maybe", "info: maybe fell"),
            (figures(-0.4, 0.1, verdict="UNDECIDED"), "maybe", "~ undecided"),
            (figures(-0.02, 0.1, verdict="UNDECIDED"), "noise", "~ undecided"),
            (figures(-0.02, interval=None, gating=False), "noise", "info: noise"),
            (figures(None), "none", "~ undecided"),
            (Figures(verdict="NOT_COMPARABLE"), "none", "≠ not comparable"),
        ],
    )
    def test_what_a_scorer_says(self, found: Figures, way: str, said: str) -> None:
        assert direction(found) == way
        assert says(found) == said


class TestHeadline:
    @pytest.mark.parametrize(
        ("verdict", "said"),
        [
            (passed(scorers={}), "nothing fell"),
            (regressed(rows=(), scorers={}, slices={}, reasons=("cost: too high",)), "cost: too high"),
            (undecided(refused=True, reasons=("exact: 2 of 9 pairs were lost",)), "exact: 2 of 9 pairs were lost"),
            (undecided(scorers={}, reasons=("no scorer gates",)), "no scorer gates"),
            (
                undecided(scorers={name: figures(verdict="UNDECIDED") for name in "abcde"}),
                "too few cases to tell whether a, b, c and 2 more fell by 5 pp or not",
            ),
            (
                regressed(
                    rows=(), slices={}, scorers={name: figures(-0.1, 0.02, verdict="REGRESSED") for name in "abcde"}
                ),
                "a fell by 10.0 pp (95 % interval −12.0 to −8.0); b fell by 10.0 pp (95 % interval −12.0 to −8.0); "
                "c fell by 10.0 pp (95 % interval −12.0 to −8.0); 2 more fell",
            ),
        ],
    )
    def test_other_verdicts(self, verdict: Verdict, said: str) -> None:
        assert headline(verdict) == said
