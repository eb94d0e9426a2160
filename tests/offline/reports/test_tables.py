import csv
import io
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from gatewatch.cli import show
from gatewatch.core import codec
from gatewatch.core.money import Cost
from gatewatch.offline.reports.tables import COLUMNS, FIGURES, as_csv, as_json, inert
from gatewatch.offline.verdict import Figures, RowDiff, Side, Verdict
from offline.reports.making import (
    HOSTILE,
    TEXT,
    TEXTS,
    every,
    hostile,
    hostile_texts,
    many_rows,
    passed,
    regressed,
    side,
    undecided,
)

KEYS = (
    *("kind", "version", "verdict", "reasons", "rule", "suite", "baseline", "candidate", "changed", "attribution"),
    *("remarks", "layers", "mde", "scorers", "slices", "explore", "cost", "latency_s", "ceilings", "accepted"),
    *(
        "open",
        "rows",
        "new",
        "removed",
        "altered",
        "paired",
        "identical",
        "reruns",
        "seed",
        "stopped",
        "reach",
        "next",
        "exit_code",
    ),
)


def plain(verdict: Verdict) -> dict[str, Any]:
    """The JSON as a program reads it."""
    found: dict[str, Any] = json.loads(codec.encode(as_json(verdict)))
    return found


def lines_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


class TestJson:
    @pytest.mark.parametrize("verdict", [*every(), hostile()])
    def test_every_key_is_always_there(self, verdict: Verdict) -> None:
        found = plain(verdict)
        assert tuple(found) == KEYS
        assert (found["kind"], found["version"]) == ("gatewatch.verdict", 1)
        cells = [*found["scorers"].values(), *(each for part in found["slices"].values() for each in part.values())]
        assert all(tuple(each) == FIGURES for each in cells)
        assert set(found["cost"]) == {"task", "judge", "baseline", "reruns"}
        assert set(found["latency_s"]) == {"baseline", "candidate"}

    def test_no_field_of_the_figures_or_rows_is_left_out(self) -> None:
        assert set(FIGURES) == set(Figures.__struct_fields__)
        (first, *_) = plain(regressed())["rows"]
        assert tuple(first) == RowDiff.__struct_fields__
        assert first == {
            "id": "refund-7",
            "scorer": "exact",
            "effect": "loss",
            "before": 1.0,
            "after": 0.0,
            "slice": "refunds",
            "crossed": "broke",
            "must_pass": True,
            "confirmed": True,
            "flaky": False,
            "outcomes": [0.0, 0.0, 0.0],
            "accepted": "",
            "why": "A",
        }

    def test_a_scorer(self) -> None:
        found = plain(regressed())["scorers"]["helpful"]
        assert (found["verdict"], found["delta"], found["p_adjusted"]) == ("REGRESSED", -0.0634, 0.0018)
        assert found["flips"] == {"eligible": 180, "flipped": 9, "confirmed": 7, "p": 0.0004, "fewest": 4}
        assert plain(regressed())["slices"]["orders"]["polite"]["gating"] is False
        assert plain(regressed())["explore"] == [{"scorer": "concise", "slice": "orders", "q": 0.031}]

    def test_unknown_is_null(self) -> None:
        candidate = side(cost=Cost(0.2, 1), judge_cost=None)
        found = plain(passed(candidate=candidate))["cost"]
        assert found == {"task": None, "judge": None, "baseline": {"task": 2.101, "judge": 0.49}, "reruns": 0.0}
        nothing = plain(Verdict(verdict="UNDECIDED", reasons=(), rule=""))
        assert nothing["baseline"] is None
        assert nothing["cost"]["baseline"] == {"task": None, "judge": None}
        assert nothing["latency_s"] == {"baseline": {}, "candidate": {}}
        assert nothing["mde"] is None

    def test_sides_say_which_run_they_are(self) -> None:
        found = plain(passed())["baseline"]
        assert set(found) == set(Side.__struct_fields__) - {"cost", "judge_cost", "latency_s"}
        assert found["pinned"] == "2026-03-01T09:12:00Z"

    def test_exit_codes(self) -> None:
        assert [plain(each)["exit_code"] for each in (passed(), regressed(), undecided(undecided="fail"))] == [0, 1, 3]

    def test_all_rows(self) -> None:
        assert len(plain(passed(rows=many_rows(5000)))["rows"]) == 5000

    @given(TEXT)
    @settings(max_examples=50, deadline=None)
    def test_any_text_comes_back(self, text: str) -> None:
        found = plain(hostile(text))
        assert found["reasons"][0] == found["rows"][0]["id"] == text
        msgspec.to_builtins(as_json(hostile(text)))


class TestCsv:
    def test_a_line_for_each_row(self) -> None:
        found = lines_of(as_csv(regressed(), TEXTS))
        assert len(found) == len(regressed().rows)
        assert tuple(found[0]) == COLUMNS
        first = found[0]
        assert (first["id"], first["scorer"], first["delta"], first["must_pass"]) == (
            "refund-7",
            "exact",
            "-1.0",
            "true",
        )
        assert first["input"] == "How long do I have to send boots back?"
        assert first["output_after"].startswith("You can return boots within 14 days")
        assert (found[-1]["effect"], found[-1]["confirmed"], found[-1]["output_after"]) == ("win", "", "")

    def test_without_texts(self) -> None:
        assert {line["input"] for line in lines_of(as_csv(regressed()))} == {""}
        assert as_csv(passed(rows=())) == ",".join(COLUMNS) + "\n"

    def test_cells_are_inert(self) -> None:
        for start in ("=cmd()", "+1", "-1", "@x", "\tx", "\rx", "\nx"):
            line = lines_of(as_csv(hostile(start), hostile_texts(start)))[0]
            for name in ("id", "scorer", "slice", "accepted", "input", "expected", "output_before", "output_after"):
                assert line[name].startswith("'"), (name, line[name])
        text = as_csv(hostile(), hostile_texts())
        assert not {*map(chr, range(32)), "\x9b", "\u202e", "\u2066", "\ud800"} - {"\n", "\t"} & {*text}
        assert lines_of(text)[0]["delta"] == "-1.0", "a number is no formula"

    @given(TEXT)
    @settings(max_examples=100, deadline=None)
    def test_any_text(self, text: str) -> None:
        found = as_csv(hostile(text), hostile_texts(text))
        found.encode()
        rows = list(csv.reader(io.StringIO(found)))
        assert [len(each) for each in rows] == [len(COLUMNS)] * 4
        words = [cell for each in rows[1:] for place, cell in enumerate(each) if place not in (4, 5, 6)]
        assert not [cell for cell in words if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]

    def test_as_show_does_it(self) -> None:
        other = getattr(show, "_inert", inert)
        assert inert(HOSTILE) == other(HOSTILE)
