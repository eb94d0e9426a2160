import re
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given, settings

from gatewatch.offline.reports.junit import IN_DETAIL, as_junit
from gatewatch.offline.reports.texts import RowTexts
from gatewatch.offline.verdict import RowDiff, Verdict
from offline.reports.making import (
    HOSTILE,
    TEXT,
    TEXTS,
    WORDS,
    every,
    hostile,
    hostile_texts,
    many_rows,
    not_comparable,
    passed,
    regressed,
    row,
    undecided,
)

ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parsed(verdict: Verdict, texts: dict[str, RowTexts] | None = None) -> Xml.Element:
    """The report as it is read again, with its counts looked at."""
    text = as_junit(verdict, texts)
    assert not ILLEGAL.search(text)
    root = Xml.fromstring(text.encode())
    for element in (root, *root):
        cases = list(element.iter("testcase"))
        assert element.get("tests") == str(len(cases))
        for kind, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert element.get(count) == str(sum(case.find(kind) is not None for case in cases))
        assert all(case.get("name") and case.get("classname") for case in cases)
    return root


def case_of(root: Xml.Element, suite: str, name: str) -> Xml.Element:
    (found,) = root.findall(f"testsuite[@name='{suite}']/testcase[@name='{name}']")
    return found


def outcome(case: Xml.Element) -> str:
    return next((kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None), "passed")


class TestOutcomes:
    def test_a_clean_pass_has_cases_too(self) -> None:
        root = parsed(passed(rows=()))
        assert [suite.get("name") for suite in root] == ["gate", "helpful", "exact"]
        assert [outcome(case) for case in root.iter("testcase")] == ["passed"] * 3

    @pytest.mark.parametrize(
        ("verdict", "gate", "scorer"),
        [
            (passed(), "passed", "passed"),
            (regressed(), "failure", "failure"),
            (undecided(), "skipped", "skipped"),
            (not_comparable(), "skipped", None),
            (not_comparable(broken=True), "error", None),
            (regressed(scorers={}, rows=(), reasons=("cost: over the ceiling",)), "failure", None),
        ],
    )
    def test_of_the_gate_and_of_a_scorer(self, verdict: Verdict, gate: str, scorer: str | None) -> None:
        root = parsed(verdict)
        assert outcome(case_of(root, "gate", "verdict")) == gate
        if scorer is not None:
            assert outcome(case_of(root, "helpful", "helpful as a whole")) == scorer

    def test_a_scorer_that_does_not_gate_passes(self) -> None:
        case = case_of(parsed(regressed()), "concise", "concise as a whole")
        assert outcome(case) == "passed"
        assert case.find("properties/property[@name='gating'][@value='false']") is not None

    def test_only_rows_that_block_fail(self) -> None:
        root = parsed(regressed())
        assert outcome(case_of(root, "exact", "refund-7")) == "failure"
        assert outcome(case_of(root, "helpful", "refund-20")) == "failure"
        assert outcome(case_of(root, "helpful", "gift-3")) == "passed"
        assert outcome(case_of(root, "helpful", "hours-2")) == "passed"

    def test_a_must_pass_case_under_a_scorer_that_is_not_compared(self) -> None:
        new = RowDiff(id="n", scorer="other", effect="new", after=0.0, must_pass=True, why="A")
        failure = case_of(parsed(regressed(rows=(new,))), "other", "n").find("failure")
        assert failure is not None
        assert failure.get("message") == "other: — → 0.000, must-pass, blocks (contract), new case"


class TestWhatIsSaid:
    def test_properties(self) -> None:
        case = case_of(parsed(regressed()), "polite", "order-40")
        found = {each.get("name"): each.get("value") for each in case.iter("property")}
        assert found == {
            "baseline": "0.500",
            "candidate": "0.250",
            "delta": "−25.0",
            "slice": "orders",
            "flaky": "false",
            "accepted": "shorter on purpose (mia)",
        }

    def test_what_differs(self) -> None:
        said = case_of(parsed(regressed(), TEXTS), "exact", "refund-7").findtext("system-out") or ""
        assert said.startswith("input: How long do I have to send boots back?\nexpected: 30 days, unused.\n")
        assert "\n- Refunds take 5 days.\n+ Refunds take five working days." in said
        said = case_of(parsed(regressed(), TEXTS), "helpful", "refund-21").findtext("system-out") or ""
        assert "error: TimeoutError: 30 s\n- You can return" in said

    def test_the_gate_says_why(self) -> None:
        failure = case_of(parsed(regressed()), "gate", "verdict").find("failure")
        assert failure is not None
        assert "must-pass case refund-7 failed three times of three (exact)\n" in (failure.text or "")

    def test_only_the_gravest_cases_have_their_texts(self) -> None:
        texts = {f"case-{n}": RowTexts(before="a", after="b") for n in range(IN_DETAIL + 50)}
        root = parsed(passed(rows=many_rows(IN_DETAIL + 50)), texts)
        assert len(root.findall("testsuite[@name='helpful']/testcase/system-out")) == IN_DETAIL
        assert len(root.findall("testsuite[@name='helpful']/testcase")) == IN_DETAIL + 51


class TestHostileText:
    @pytest.mark.parametrize("verdict", every())
    def test_every_verdict(self, verdict: Verdict) -> None:
        parsed(verdict, TEXTS)

    def test_it_is_inert(self) -> None:
        for word in WORDS:
            root = parsed(hostile(word=word), hostile_texts())
            names = {element.tag for element in root.iter()}
            assert names <= {
                *("testsuites", "testsuite", "testcase", "properties", "property"),
                *("failure", "skipped", "error", "system-out"),
            }
        said = "".join(root.itertext())
        assert "]]> <![CDATA[ &amp;" in said
        assert "\\x00\\x07\\x9b \\ud800" in said

    @given(TEXT)
    @settings(max_examples=80, deadline=None)
    def test_any_text(self, text: str) -> None:
        parsed(hostile(text), hostile_texts(text))
        parsed(passed(rows=(row(text, text),), scorers={}), {text: RowTexts(input=text, before=HOSTILE, after=text)})
