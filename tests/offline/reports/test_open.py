"""What every face of a verdict says of open cases."""

import json
from xml.etree import ElementTree as Xml

import pytest

from gatewatch.core import codec
from gatewatch.offline.reports.annotations import as_annotations
from gatewatch.offline.reports.html import as_html
from gatewatch.offline.reports.junit import as_junit
from gatewatch.offline.reports.markdown import as_markdown
from gatewatch.offline.reports.tables import as_json
from gatewatch.offline.reports.terminal import as_text
from gatewatch.offline.reports.words import opened
from gatewatch.offline.verdict import OpenCase, Verdict, Word

FIXED = OpenCase(id="window", until="2026-12-31", owner="mia", passes=True, tries=3)
FAILS = OpenCase(id="card", until="2026-12-31", owner="jon", passes=False, tries=1)
DARK = OpenCase(id="dark", until="2026-12-31")
LATE = OpenCase(id="late", until="2026-01-01", owner="mia", state="expired", passes=False, tries=1)
LOCKED = OpenCase(id="kept", until="2026-12-31", state="locked", passes=True, tries=1)
SAID = "3 promoted cases that may fail: 1 passes now (locks at the next `gatewatch rebaseline`), 2 fail"


def verdict(*cases: OpenCase, word: Word = "PASS") -> Verdict:
    return Verdict(verdict=word, reasons=("why",), rule="the rule", suite="support", open=cases)


def test_in_words() -> None:
    assert opened(verdict(LATE, FIXED, FAILS, LOCKED)) == [
        SAID,
        "✕ late: fails (was open until 2026-01-01, mia)",
        "window: passes, 3 tries (open until 2026-12-31, mia)",
        "card: fails (open until 2026-12-31, jon)",
        "1 fixed, must pass from now on: kept",
    ]
    assert opened(verdict(DARK))[0] == "1 promoted case that may fail: 1 is not judged"
    assert opened(verdict()) == []
    many = opened(verdict(*(OpenCase(id=f"c{n}", until="2026-12-31", passes=True) for n in range(30))))
    assert many[0].endswith("30 pass now (they lock at the next `gatewatch rebaseline`)")
    assert (len(many), many[-1]) == (22, "... and 10 more")


@pytest.mark.parametrize("face", [as_text, as_markdown, as_html])
def test_every_face_has_it(face: object) -> None:
    text = face(verdict(LATE, FIXED, FAILS))  # type: ignore[operator]
    assert "3 promoted cases that may fail" in text
    assert "jon" in text
    assert "promoted case" not in face(verdict())  # type: ignore[operator]


def test_the_json() -> None:
    found = json.loads(codec.encode(as_json(verdict(FAILS))))
    assert found["open"] == [
        {"id": "card", "until": "2026-12-31", "owner": "jon", "state": "open", "passes": False, "tries": 1}
    ]


def test_junit_fails_for_what_is_late_alone() -> None:
    root = Xml.fromstring(as_junit(verdict(LATE, FIXED, FAILS, LOCKED)).partition("\n")[2])
    suite = next(each for each in root if each.get("name") == "open")
    became = {case.get("name"): [part.tag for part in case if part.tag != "properties"] for case in suite}
    assert became == {"late": ["failure"], "window": [], "card": ["skipped"], "kept": []}
    assert (suite.get("failures"), suite.get("skipped")) == ("1", "1")


def test_annotations() -> None:
    assert as_annotations(verdict(), {}) == []
    assert as_annotations(verdict(LOCKED), {}) == []
    (notice,) = as_annotations(verdict(FAILS), {})
    assert notice.startswith("::notice title=support%3A open cases::1 promoted case that may fail: 1 fails%0Acard: ")
    whole, late, told = as_annotations(verdict(LATE, word="REGRESSED"), {"late": "cases.jsonl:7"})
    assert whole.startswith("::error title=support%3A REGRESSED")
    assert late.startswith("::error file=cases.jsonl,line=7,title=late was open::✕ late: fails")
    assert told.startswith("::notice")


def test_a_hostile_name_steers_nothing() -> None:
    evil = OpenCase(id="\x1b[31m<script>::error::@everyone", until="2026-12-31", owner="\x1b[0m|`<b>", passes=False)
    for face in (as_text, as_markdown, as_html, as_junit):
        text = face(verdict(evil))
        assert "\x1b" not in text
        assert "<script>" not in text or face is as_text
