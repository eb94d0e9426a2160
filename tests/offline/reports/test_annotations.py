import re

import pytest
from hypothesis import given, settings

from gatewatch.offline.reports.annotations import as_annotations
from gatewatch.offline.verdict import Verdict
from offline.reports.making import (
    TEXT,
    WORDS,
    every,
    hostile,
    many_rows,
    not_comparable,
    passed,
    regressed,
    row,
    undecided,
)

COMMAND = re.compile(r"::(error|notice) ([^:]*?)::(.*)")


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A command as the runner reads it."""
    found = COMMAND.fullmatch(line)
    assert found, line
    properties = dict(each.split("=", 1) for each in found[2].split(","))
    assert set(properties) <= {"file", "line", "title"}
    return found[1], {name: unescaped(value) for name, value in properties.items()}, unescaped(found[3])


def unescaped(text: str) -> str:
    for code, letter in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, letter)
    return text


class TestWhatIsSaid:
    def test_a_pass_says_nothing(self) -> None:
        assert as_annotations(passed(), {}) == []

    def test_what_blocks_stands_beside_its_line(self) -> None:
        found = as_annotations(regressed(), {"refund-7": "datasets/support.jsonl:12"})
        kind, properties, text = read(found[0])
        assert (kind, properties) == ("error", {"title": "support: REGRESSED"})
        assert text.startswith("A must-pass case fails; 7 cases")
        assert "\nhelpful: the mean fell by 6.3 pp" in text
        kind, properties, text = read(found[1])
        assert properties == {"file": "datasets/support.jsonl", "line": "12", "title": "refund-7 REGRESSED"}
        assert text == (
            "1.000 → 0.000 exact, must-pass, blocks (contract), broke\n1.000 → 0.000 helpful, blocks (flips), broke"
        )

    def test_places_of_other_kinds(self) -> None:
        found = [
            read(as_annotations(regressed(), {"refund-7": place})[1])[1]
            for place in ("a.jsonl", "C:\\d\\a.jsonl:7", "a,b:c.jsonl:3", "a.jsonl:x", ":5", "")
        ]
        assert [(each.get("file"), each.get("line")) for each in found] == [
            ("a.jsonl", None),
            ("C:\\d\\a.jsonl", "7"),
            ("a,b:c.jsonl", "3"),
            ("a.jsonl:x", None),
            (":5", None),
            (None, None),
        ]

    def test_undecided_is_a_notice(self) -> None:
        (line,) = as_annotations(undecided(), {})
        kind, properties, text = read(line)
        assert (kind, properties["title"]) == ("notice", "support: UNDECIDED")
        assert text.endswith("gatewatch gate support --undecided spend")

    @pytest.mark.parametrize("verdict", [not_comparable(), undecided(broken=True)])
    def test_no_verdict_is_an_error(self, verdict: Verdict) -> None:
        assert read(as_annotations(verdict, {})[0])[0] == "error"


class TestHowMany:
    @pytest.mark.parametrize("most", [1, 2, 3, 10, 50])
    def test_no_more_than_are_shown(self, most: int) -> None:
        found = as_annotations(regressed(rows=many_rows(100, why="B")), {}, most=most)
        assert len(found) == most
        if most > 1:
            assert f"{100 - (most - 2)} more cases block" in found[-1]

    def test_as_many_as_fit(self) -> None:
        assert len(as_annotations(regressed(rows=many_rows(9, why="B")), {})) == 10
        assert "more" not in "".join(as_annotations(regressed(rows=many_rows(9, why="B")), {})[1:])

    def test_none(self) -> None:
        assert as_annotations(regressed(), {}, most=0) == []


class TestHostileText:
    @pytest.mark.parametrize("verdict", [*every(), *(hostile(word=word) for word in WORDS)])
    def test_each_is_one_command(self, verdict: Verdict) -> None:
        for line in as_annotations(verdict, {}):
            read(line)

    @given(TEXT)
    @settings(max_examples=100, deadline=None)
    def test_any_text(self, text: str) -> None:
        for line in as_annotations(hostile(text), {text: text, f"c{text}": f"{text}:3"}):
            assert line.isprintable()
            kind, properties, _ = read(line)
            assert kind == "error"
            assert properties["title"]
        for line in as_annotations(undecided(rows=(row(text, why=text),), reasons=(text,)), {text: text}):
            read(line)
