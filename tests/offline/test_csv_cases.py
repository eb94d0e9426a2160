from datetime import date
from pathlib import Path

import pytest

from gatewatch.core.case import Expected, Open
from gatewatch.offline.dataset import Dataset, open_dataset
from offline.making import problems


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def opened(text: str | bytes) -> Dataset:
    Path("d.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_dataset("d.csv")


def test_columns_are_the_fields_of_a_dataset_line() -> None:
    (case,) = opened(
        "id,input,expected,context,tags,slice,cluster,must_pass,tier,retired,scorers,meta,provenance\n"
        'a,q,"{""answer"": ""x""}","[""p1"", ""p2""]",one; two ;,s,c,Yes,nightly,old,exact;judge,'
        '"{""k"": [1]}","{""from"": ""log""}"\n'
    )
    assert (case.id, case.input, case.expected) == ("a", "q", Expected(answer="x"))
    assert (case.context, case.tags, case.scorers) == (("p1", "p2"), ("one", "two"), ("exact", "judge"))
    assert (case.slice, case.cluster, case.must_pass, case.tier, case.retired) == ("s", "c", True, "nightly", "old")
    assert (case.meta, case.provenance) == ({"k": [1]}, {"from": "log"})


def test_the_same_cases_as_json_lines_have_the_same_version() -> None:
    Path("d.jsonl").write_text('{"input": {"a": "1", "b": "x y"}, "expected": "z", "meta": {"m": "2"}}\n')
    assert opened("input.a,input.b,expected,meta.m\n1,x y,z,2\n").version == open_dataset("d.jsonl").version


def test_parts_of_input_and_meta_make_objects_and_empty_cells_are_left_out() -> None:
    one, two = opened("input.question,input.lang,meta.who\nwhy?,,me\nhow?,de,\n")
    assert (one.input, one.meta) == ({"question": "why?"}, {"who": "me"})
    assert (two.input, two.meta) == ({"question": "how?", "lang": "de"}, {})


def test_quoted_cells_hold_commas_quotes_and_lines() -> None:
    one, two = opened('input,expected\r\n"a, ""b""\r\nc",d\r\n\r\n"e",f\r\n')
    assert (one.input, one.expected) == ('a, "b"\r\nc', "d")
    assert (two.input, two.expected) == ("e", "f")


def test_a_byte_order_mark_and_spaces_around_names_are_fine() -> None:
    (case,) = opened(b"\xef\xbb\xbf input , expected\nx,y\n")
    assert (case.input, case.expected) == ("x", "y")


def test_text_that_starts_with_a_bracket_is_text_unless_it_is_json() -> None:
    one, two, three = opened('input\n"[see below] why?"\n{curly\n"{""a"": 1}"\n')
    assert (one.input, two.input, three.input) == ("[see below] why?", "{curly", {"a": 1})


def test_an_input_may_be_empty_where_the_line_is_not() -> None:
    (case,) = opened("id,input\na,\n,\n")
    assert (case.id, case.input) == ("a", "")


def test_a_conversation_in_a_cell_is_checked_like_any_other() -> None:
    assert problems(lambda: opened('input\n"{""messages"": [{""role"": ""bot""}]}"\n')) == [
        "d.csv:2: input.messages[0].role: unknown role 'bot' (one of system, developer, user, assistant, tool)"
    ]


AS_UTF8 = "(save the file as UTF-8)"
BAD: dict[str, tuple[str | bytes, list[str]]] = {
    "empty": ("", ["d.csv:1: no column named input (the first line names the columns)"]),
    "a header alone": (
        "input,expected\n",
        ['d.csv: no cases (write one JSON object a line, such as {"input": "...", "expected": "..."})'],
    ),
    "no input": ("id,expected\n1,2\n", ["d.csv:1: no column named input (the first line names the columns)"]),
    "unknown columns": (
        "input,expectd,meta.,Meta.x\nx,y,z,w\n",
        [
            'd.csv:1: expectd: unknown column (did you mean "expected"?)',
            'd.csv:1: meta.: unknown column (did you mean "meta"?)',
            'd.csv:1: Meta.x: unknown column (did you mean "meta"?)',
        ],
    ),
    "columns twice": (
        "input,tags,input,tags\nx,y,z,w\n",
        ["d.csv:1: input: column given twice", "d.csv:1: tags: column given twice"],
    ),
    "whole and in parts": (
        "input,input.a,meta.b,meta\nx,y,z,{}\n",
        [
            "d.csv:1: input: there are columns input.NAME too (give it as one column, or in parts)",
            "d.csv:1: meta: there are columns meta.NAME too (give it as one column, or in parts)",
        ],
    ),
    "too few and too many cells": (
        "input,expected\nx\na,b\nx,y,z\n",
        [
            "d.csv:2: 1 cells, but the header names 2 columns",
            "d.csv:4: 3 cells, but the header names 2 columns",
        ],
    ),
    "a stray quote": ('input\n"a"b\n', ["d.csv:2: not CSV: ',' expected after '\"'"]),
    "a quote that is never closed": ('input\nx\n"a\nb\n', ["d.csv:4: not CSV: unexpected end of data"]),
    "no truth": (
        "input,must_pass\nx,maybe\ny,TRUE\nz,0\n",
        ["d.csv:2: must_pass: expected true or false, got 'maybe'"],
    ),
    "no tier": ("input,tier\nx,daily\n", ["d.csv:2: tier: 'daily' is not known (one of pr, nightly)"]),
    "no JSON in meta": (
        "input,meta\nx,k=v\n",
        ["d.csv:2: meta: not JSON: Expecting value: line 1 column 1 (char 0)"],
    ),
    "NaN in a cell": ('input\n"{""a"": NaN}"\n', ["d.csv:2: input: not JSON: NaN is not JSON"]),
    "out of range in a cell": ('input,meta\nx,"{""a"": 1e999}"\n', ["d.csv:2: meta: not JSON: 1e999 is out of range"]),
    "a field twice in a cell": (
        'input\n"{""a"": 1, ""a"": 2}"\n',
        ["d.csv:2: input: not JSON: the field 'a' is given twice in one object"],
    ),
    "a list for an input": ('input\n"[1, 2]"\n', ["d.csv:2: input: expected text or a table, got a list"]),
    "ids twice": (
        "id,input\na,x\n\na,y\n",
        ["d.csv:4: id 'a' is given in line 2 already (ids must differ)"],
    ),
    "Latin-1": ("input\ncafe\ncafé\n".encode("latin-1"), [f"d.csv:3: not UTF-8 at byte 14 {AS_UTF8}"]),
    "Latin-1 behind a mark": (b"\xef\xbb\xbfinput\ncaf\xe9\n", [f"d.csv:2: not UTF-8 at byte 12 {AS_UTF8}"]),
    "UTF-16": ("input\nx\n".encode("utf-16"), [f"d.csv:1: not UTF-8 at byte 0 {AS_UTF8}"]),
    "several lines, each with what is wrong": (
        "input,must_pass,tier\nx,perhaps,pr\ny,no,weekly\n",
        [
            "d.csv:2: must_pass: expected true or false, got 'perhaps'",
            "d.csv:3: tier: 'weekly' is not known (one of pr, nightly)",
        ],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_told_with_file_line_and_column(name: str) -> None:
    text, said = BAD[name]
    assert problems(lambda: opened(text)) == said


def test_deep_nesting_in_a_cell_is_a_bad_line_and_no_crash() -> None:
    (said,) = problems(lambda: opened("input\n" + "[" * 100_000 + "\n"))
    assert said.startswith("d.csv:2: input: not JSON: maximum recursion depth exceeded")
    (said,) = problems(lambda: opened('input\n"{""a"": ' + "[" * 200 + "]" * 200 + '}"\n'))
    assert said.startswith("d.csv:2: nested more than 100 deep, or a cycle, at $.input.a[0]")


def test_an_open_case() -> None:
    one, other = opened('id,input,open\nx1,q,"{""until"": ""2999-01-01"", ""owner"": ""mia""}"\nc1,r,\n')
    assert (one.open, other.open) == (Open(date(2999, 1, 1), "mia"), None)
    (problem,) = problems(lambda: opened("id,input,open\nx1,q,soon\n"))
    assert problem.startswith("d.csv:2: open: ")
