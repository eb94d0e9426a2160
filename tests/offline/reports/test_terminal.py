import io
import re

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from rich.console import Console

from gatewatch.core.money import Cost
from gatewatch.offline.reports.terminal import as_text, renderables
from gatewatch.offline.reports.texts import RowTexts
from gatewatch.offline.verdict import Figures, RowDiff, Verdict
from offline.reports.making import (
    AFTER,
    BEFORE,
    TEXT,
    TEXTS,
    every,
    figures,
    hostile,
    hostile_texts,
    not_comparable,
    passed,
    regressed,
    row,
    undecided,
)

CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff]")


def coloured(verdict: Verdict, texts: dict[str, RowTexts] | None = None, *, width: int = 120) -> str:
    """The report with its colours as escape sequences."""
    console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system="standard", highlight=False)
    with console.capture() as captured:
        for part in renderables(verdict, texts or {}, width=width):
            console.print(part)
    return captured.get()


def line_of(text: str, word: str) -> str:
    return next(line for line in text.splitlines() if word in line)


class TestVerdictLine:
    @pytest.mark.parametrize(
        ("verdict", "said"),
        [
            (passed(), "✓ PASS  none of 2 scorers fell by 5 pp or more"),
            (undecided(), "~ UNDECIDED  too few cases to tell whether helpful fell by 5 pp or not (−1.2 pp, 95 %"),
            (not_comparable(), "≠ NOT COMPARABLE  the two runs cannot be compared"),
            (
                regressed(),
                "✕ REGRESSED  a must-pass case fails; 7 cases that always passed fail; helpful fell by 6.3 pp",
            ),
            (not_comparable(broken=True), "≠ NOT COMPARABLE  the candidate's run broke"),
            (passed(identical=True), "✓ PASS  what gates did not move"),
            (
                passed(scorers={"exact": figures()}),
                "✓ PASS  exact did not fall by 5 pp or more (+0.4 pp, 95 % interval −1.1 to +1.9)",
            ),
        ],
    )
    def test_in_words_with_the_verdict_first(self, verdict: Verdict, said: str) -> None:
        assert said in as_text(verdict, width=200)

    def test_undecided_is_never_called_a_pass(self) -> None:
        for verdict in (
            undecided(),
            undecided(refused=True),
            undecided(scorers={}),
            undecided(scorers={"a": Figures(verdict="UNDECIDED")}),
        ):
            assert "pass" not in line_of(as_text(verdict, width=200), "UNDECIDED  ").lower()

    @pytest.mark.parametrize(
        ("verdict", "code"), [(passed(), 32), (regressed(), 31), (undecided(), 35), (not_comparable(), 33)]
    )
    def test_each_has_a_colour_of_its_own(self, verdict: Verdict, code: int) -> None:
        assert re.search(rf"\x1b\[1;{code}m. {verdict.verdict.replace('_', ' ')}", coloured(verdict))

    def test_why_and_by_which_rule(self) -> None:
        text = as_text(regressed(), width=200)
        for reason in regressed().reasons:
            assert f"  · {reason}" in text
        assert f"rule      {regressed().rule[:60]}" in text


class TestOrder:
    def test_what_comes_after_what(self) -> None:
        text = as_text(regressed(reach=("more cases",)), TEXTS, width=120)
        words = [
            *("support", "✕ REGRESSED", "  · must-pass", "rule ", "changed ", "scorer ", "note ", "slice ", "layers "),
            *("detects ", "cost ", "latency ", "errors ", "ceilings ", "accepted ", "cases  ", "the worst 5 of 24"),
            *("other rows", "blocking ", "to decide ", "next "),
        ]
        places = [text.index(f"\n{word}" if place else word) for place, word in enumerate(words)]
        assert places == sorted(places)


class TestWidths:
    @pytest.mark.parametrize("width", [80, 100, 120, 160])
    def test_nothing_is_wider(self, width: int) -> None:
        for verdict in (*every(), hostile()):
            for texts in (TEXTS, hostile_texts()):
                assert max(map(len, as_text(verdict, texts, width=width).splitlines())) <= width

    @pytest.mark.parametrize("width", [20, 40])
    def test_narrower_than_anybody_has_it(self, width: int) -> None:
        for verdict in every():
            assert as_text(verdict, TEXTS, width=width)

    @pytest.mark.parametrize("width", [80, 100, 120])
    def test_every_figure_can_be_read(self, width: int) -> None:
        text = as_text(regressed(), width=width)
        for figure in ("0.812", "0.749", "−6.3", "[−10.1, −2.5]", "0.002", "✕ regressed", "✓ noise", "info: rose"):
            assert figure in text, figure

    def test_marks_are_drawn_where_there_is_room(self) -> None:
        assert "●─" not in as_text(regressed(), width=80)
        mark = line_of(as_text(regressed(), width=120), "helpful  ")
        assert re.search(r"─+●─┊─+ +│", mark), mark
        assert re.search(r"┊ +──○┼─", line_of(as_text(regressed(), width=120), "exact  ")), "it may be noise: hollow"

    def test_wide_letters(self) -> None:
        name = "漢字" * 30
        text = as_text(
            passed(scorers={name: figures()}, rows=(row(name, name, slice=name),)), {name: RowTexts(input=name)}
        )
        assert name[:5] in text


class TestColours:
    def test_a_change_that_may_be_noise_has_none(self) -> None:
        text = coloured(regressed())
        assert re.search(r"\x1b\[3[12]m *−6\.3", text), "it fell"
        assert re.search(r"\x1b\[32m *\+2\.1", text), "it rose"
        assert not re.search(r"\x1b\[[0-9;]*3[12]m *−0\.8", text)
        assert not re.search(r"\x1b\[[0-9;]*3[12]m *−3\.9", text)

    def test_flaky_and_accepted_rows_are_neither_red_nor_green(self) -> None:
        line = line_of(coloured(regressed()), "gift-3")
        assert "\x1b[35m" in line
        assert "\x1b[31m" not in line

    def test_differences_are_struck_out_and_underlined(self) -> None:
        text = coloured(regressed(), TEXTS)
        assert "\x1b[9;31m30\x1b[0m" in text
        assert "\x1b[4;32m14\x1b[0m" in text
        assert "[-" not in text

    def test_without_colours_they_stand_in_brackets(self) -> None:
        assert "within [-30-]{+14+} days" in as_text(regressed(), TEXTS)


class TestRows:
    def test_the_worst_in_detail(self) -> None:
        text = as_text(regressed(), TEXTS, width=120)
        assert "✕ refund-7 · must-pass · blocks (contract) · blocks (flips) · slice refunds" in text
        assert "  exact    1.000 → 0.000  −100.0 pp  broke  ✕✕✕ 3 of 3 failed" in text
        assert "  input     │ How long do I have to send boots back?" in text
        assert "  expected  │ 30 days, unused." in text
        assert "  because   │ exact, after: 30 days is missing" in text
        assert "  error     │ TimeoutError: 30 s" in text

    def test_all_that_block_are_listed(self) -> None:
        rows = tuple(row(f"case-{n}", why="B", crossed="broke") for n in range(400))
        listed = as_text(regressed(rows=rows), width=120).partition("\nblocking")[2]
        assert [f"case-{n}" in re.split(r"[,\s]+", listed) for n in range(400)] == [True] * 400

    def test_the_others_a_line_each_and_how_many_are_left_out(self) -> None:
        rows = tuple(row(f"case-{n}") for n in range(100))
        text = as_text(passed(rows=rows), width=120)
        assert "the worst 5 of 100 cases that fell" in text
        assert "... and 75 more" in text
        assert sum(line.startswith("▼ case-") for line in text.splitlines()) == 25

    def test_tries(self) -> None:
        text = as_text(
            passed(
                rows=(
                    row(outcomes=(0.0, 1.0, 0.0), flaky=True),
                    row("b", outcomes=(0.2, 0.3, 0.1), confirmed=True),
                    row("c", outcomes=(0.2, 0.9)),
                )
            )
        )
        assert "✕✓✕ 2 of 3 failed, flaky" in text
        assert "0.20 0.30 0.10 (3 tries, all failed)" in text
        assert "0.20 0.90 (2 tries)" in text

    def test_a_must_pass_case_that_is_new(self) -> None:
        new = RowDiff(id="n", scorer="exact", effect="new", after=0.0, must_pass=True, why="A")
        assert "exact  — → 0.000          —" in as_text(regressed(rows=(new,)))

    def test_one_side_alone(self) -> None:
        text = as_text(passed(rows=(row("a"),)), {"a": RowTexts(after="it")})
        assert "  after     │ it" in text
        text = as_text(passed(rows=(row("a"),)), {"a": RowTexts(before="it", after="it")})
        assert "(the same on both sides)" in text


class TestFacts:
    def test_missing_is_a_dash(self) -> None:
        text = as_text(
            Verdict(verdict="UNDECIDED", reasons=(), rule="", scorers={"exact": Figures(verdict="UNDECIDED")})
        )
        assert re.search(r"exact +— +— +— +—", text)
        assert "0.000" not in text

    def test_costs_that_are_not_known(self) -> None:
        verdict = passed()
        assert verdict.candidate is not None
        unknown = replace(verdict.candidate, cost=Cost(0.2, 3), judge_cost=None, latency_s={})
        text = as_text(passed(candidate=unknown), width=120)
        assert "task $0.00169 → — a row, $2.10 → $0.200 + 3 unknown in all" in text
        assert "judge $0.000395 → — a row, $0.490 → — in all" in text
        assert "p50 812 ms → — ·" in text

    def test_what_could_have_been_seen(self) -> None:
        text = as_text(undecided(), width=200)
        assert "helpful: a fall of 9.8 pp, with 80 % power in 58 pairs; 223 cases would decide (assumes no true" in text

    def test_exceptions_and_cases(self) -> None:
        text = as_text(regressed(), width=120)
        assert (
            "accepted  case order-40 under polite: shorter on purpose (until 2026-12-31, mia; accepted.toml:3)" in text
        )
        assert "2 new: fit-1, fit-2" in text

    def test_slices_the_worst_first_and_how_many_more(self) -> None:
        slices = {f"s{n}": {"helpful": figures(-n / 100, 0.2, verdict="UNDECIDED")} for n in range(20)}
        text = as_text(regressed(slices=slices), width=120)
        assert "... and 12 more that moved" in text
        assert text.index("s19 ") < text.index("s18 ") < text.index("s13 ")


class TestHostileText:
    @pytest.mark.parametrize("width", [80, 120])
    def test_it_is_inert(self, width: int) -> None:
        text = as_text(hostile(), hostile_texts(), width=width)
        assert not CONTROLS.search(text)
        assert "[bold]i[/bold][/x]" in text.replace("\n", "").replace(" ", "")
        assert "\\u202e" in text, "what turns the text is shown instead"
        for line in text.splitlines():
            assert not line.lstrip().startswith("::"), "no command to GitHub's runner"
            assert not re.search(r"##\w*\[", line)

    @given(TEXT)
    @settings(max_examples=40, deadline=None)
    def test_any_text(self, text: str) -> None:
        found = as_text(hostile(text), hostile_texts(text), width=80)
        assert not CONTROLS.search(found)
        assert not re.search(r"^\s*::", found, re.MULTILINE)

    def test_a_long_word_is_not_folded_into_a_command(self) -> None:
        for n in range(60, 90):
            word = "x" * n + "::error::injected"
            found = as_text(passed(reasons=(word,), suite=word, rows=(row(word, word),), next=(word,)), width=80)
            assert not re.search(r"^\s*::", found, re.MULTILINE), n

    def test_texts_of_two_lines_stay_behind_their_bar(self) -> None:
        text = as_text(
            regressed(), {"refund-7": RowTexts(before=f"::error::x\n{BEFORE}", after=f"::error::x\n{AFTER}")}
        )
        assert re.search(r"│ : :error::x\n", text)
