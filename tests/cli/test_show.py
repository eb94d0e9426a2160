"""`gatewatch show`: every way to name a run, every face of one, and model output that would be more than text."""

import csv
import io
import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.building import one, suite, write
from gatewatch import Score, Span, Trace, Usage, run, scorer
from gatewatch.cli.main import status
from gatewatch.core.codec import frame
from gatewatch.core.money import Cost
from gatewatch.offline.result import RunResult
from gatewatch.scorers.base import Scorer

CASES = [
    {"id": "good", "input": "q", "expected": "fine", "slice": "easy"},
    {"id": "bad", "input": "q2", "expected": "fine", "slice": "hard"},
    {"id": "broken", "input": "q3", "expected": "fine", "slice": "hard"},
    {"id": "caf\u00e9", "input": "q4", "slice": "easy"},
]
ANSWERS = {"q": "fine", "q2": "poor", "q4": "free"}


def bot(question: str) -> Trace:
    step = Span(name="search", kind="retrieval", output=["a passage"], latency_s=0.5)
    usage = Usage(input_tokens=10, output_tokens=2)
    return Trace(
        output=ANSWERS[question], spans=(step,), usage=usage, cost=Cost(0.01), context="a passage", latency_s=1.5
    )


@scorer
def half(output: str) -> Score:
    return Score(0.5, label="so so", explanation="neither\nhere nor there")


@scorer
def fails(output: str) -> bool:
    raise OverflowError("too much")


class Faces:
    """What `gatewatch show` prints, in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        assert status(["show", *arguments]) == code
        printed = self._capsys.readouterr()
        assert (printed.err if code == 0 else printed.out) == ""
        return printed.out if code == 0 else printed.err


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Faces]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    yield Faces(capsys)


@pytest.fixture
def result(show: Faces) -> RunResult:
    return run(bot, on=CASES, scorers=["exact", half, fails], name="first", concurrency=1)


# Which run


def test_every_way_to_name_a_run(show: Faces, result: RunResult, tmp_path: Path) -> None:
    second = run(bot, on=CASES, scorers=["exact"], name="second")
    for name, path in (("first", result), ("second", second)):
        for reference in (path.id, path.id[:-2], name, str(path.path), os.path.relpath(path.path)):
            assert show(reference).splitlines()[0] == path.id, reference
    assert show().splitlines()[0] == second.id == show("latest").splitlines()[0]
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_bytes(result.path.read_bytes())
    assert show(str(elsewhere)).splitlines()[0] == result.id


def test_from_below_and_with_settings_that_are_wrong(
    show: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, suite())
    made = one(tmp_path)
    (tmp_path / "gatewatch.toml").write_text("[suites.main\n")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    assert show().splitlines()[0] == made.id


def test_what_names_no_run(show: Faces, tmp_path: Path) -> None:
    folder = f"{tmp_path}/.gatewatch/runs"
    hint = "make one with `gatewatch run SUITE`"
    assert show(code=2) == f"error: latest: there are no runs in {folder} ({hint})\n"
    assert show("x", code=2) == f"error: x: there are no runs in {folder} ({hint})\n"
    runs = [run(bot, on=CASES, scorers=["exact"]).id for _ in range(2)]
    newest = ", ".join(reversed(runs))
    assert show("nothing", code=2) == f"error: nothing: no such run in {folder} (the newest: {newest})\n"
    assert show("none.jsonl", code=2) == f"error: none.jsonl: no such run in {folder} (the newest: {newest})\n"
    assert show("run-", code=2) == (f"error: run-: 2 runs start so: {newest} (give the whole id, or a run's name)\n")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"id": "a"}\n',
        b'{"crc":"00000000","head":{}}\n',
        frame("head", b"{}"),
        frame("head", b'{"kind": "gatewatch.run"}'),
        frame("head", b'{"kind": "gatewatch.run", "version": 99}'),
        frame("row", b"{}"),
        b"\xff\xfe\n",
    ],
)
def test_a_file_that_is_no_run(content: bytes, show: Faces, tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").write_bytes(content)
    assert show("cases.jsonl", code=2).startswith("error: cases.jsonl: ")


# The faces


def test_the_summary(show: Faces, result: RunResult) -> None:
    lines = show().splitlines()
    assert lines == str(result).splitlines()
    assert lines[1].endswith(f" · {__name__}:bot")


def test_rows_the_worst_first(show: Faces, result: RunResult) -> None:
    lines = [line.split() for line in show("--rows").splitlines()[2:]]
    assert [line[0] for line in lines] == ["bad", "broken", "caf\u00e9", "good"]
    assert lines[0] == ["bad", "hard", "poor", "0", "0.5", "!"]
    assert lines[1] == ["broken", "hard", "KeyError:", "'q3'", "0", "0", "0"]
    assert lines[2] == ["caf\u00e9", "easy", "free", "—", "0.5", "!"]
    assert show("--rows", "--limit", "1").splitlines()[-1] == "3 more rows: --limit 4"


def test_failed_rows_alone(show: Faces, tmp_path: Path) -> None:
    run(bot, on=CASES, scorers=["exact"])
    assert [line.split()[0] for line in show("--failed").splitlines()[2:]] == ["bad", "broken"]
    assert sorted(row["case"] for row in json.loads(show("--failed", "--json"))["rows"]) == ["bad", "broken"]
    assert {line.split(",")[0] for line in show("--failed", "--csv").splitlines()} == {"case", "bad", "broken"}
    run(bot, on=CASES[:1], scorers=["exact"])
    assert json.loads(show("--failed", "--json"))["rows"] == []  # none is a list, too
    assert show("--failed") == "no row failed\n"


def test_one_case_in_full(show: Faces, result: RunResult) -> None:
    said = "\n".join(line.rstrip() for line in show("--case", "good").splitlines())
    for piece in (
        "good  trial 0  slice easy", "q\n", "expected", "fine", "a passage", "search  500 ms", "so so · neither",
        "here nor there", "scorer_error · OverflowError: too much", "1.5 s, cost $0.0100",
    ):  # fmt: skip
        assert piece in said
    assert "Traceback" in show("--case", "broken")
    assert show("--case", "caf\u00e9") == show("--case", unicodedata.normalize("NFD", "caf\u00e9"))
    found = json.loads(show("--case", "bad", "--json"))
    assert [row["case"] for row in found["rows"]] == ["bad"]
    assert found["row_count"] == 4
    for options in ([], ["--json"], ["--csv"], ["--failed"]):
        assert show("--case", "nothing", *options, code=2) == (
            f"error: nothing: no such case in {result.id} (list them with --rows)\n"
        )


def test_a_case_that_is_nearly_one(show: Faces, result: RunResult) -> None:
    assert show("--case", "goood", code=2) == f"error: goood: no such case in {result.id} (did you mean good?)\n"
    assert "(did you mean broken?)" in show("--case", "rok", code=2)


def test_the_scores_of_a_case_stand_in_the_suites_order(show: Faces) -> None:
    run(bot, on=CASES[:1], scorers=[half, "exact", fails])  # a function of the user's own is ready later than ours
    lines = [line.split()[0] for line in show("--case", "good").splitlines() if line.startswith("  ")]
    assert [name for name in lines if name in ("half", "exact", "fails")] == ["half", "exact", "fails"]


@pytest.mark.parametrize("columns", ["80", "50"])
def test_many_scorers_take_several_tables_each_with_the_case(
    show: Faces, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    long = "a-case-whose-name-takes-more-than-half-of-what-there-is"
    names = ["exact", "contains", "numeric", "similarity", "token_f1", "pii", "secrets", "valid_json", "profanity", "f"]
    scorers: list[Scorer | str] = [*names[:-1], scorer(name="f")(lambda output: True)]
    run(bot, on=[CASES[0], {"id": long, "input": "q", "expected": "fine"}], scorers=scorers)
    said = show("--rows")
    assert all(len(line) <= int(columns) for line in said.splitlines())
    tables = said.split("\n\n")
    assert len(tables) > 2
    assert all("good" in table and "a-case-whose" in table for table in tables)
    assert all(name in said for name in names)
    assert long[:25] in said
    assert long[-5:] in said


def test_every_trial_of_a_case(show: Faces) -> None:
    run(bot, on=CASES, scorers=["exact"], trials=3)
    assert [line.split()[2:4] for line in show("--case", "good").splitlines() if line.startswith("case")] == [
        ["trial", str(n)] for n in range(3)
    ]
    assert len(json.loads(show("--rows", "--json"))["rows"]) == 12


def test_json(show: Faces, result: RunResult) -> None:
    found = json.loads(show("--json"))
    assert (found["kind"], found["version"], found["run"]) == ("gatewatch.summary", 1, result.id)
    assert "rows" not in found
    rows = json.loads(show("--json", "--rows"))["rows"]
    assert {row["case"] for row in rows} == {"good", "bad", "broken", "caf\u00e9"}
    assert rows[0].keys() >= {"case", "slice", "trace", "scores", "output_digest"}
    assert f"trace id  {rows[0]['trace_id']}" in show("--case", rows[0]["case"])
    assert f"digest    {rows[0]['output_digest']}" in show("--case", rows[0]["case"])


def test_csv(show: Faces, result: RunResult) -> None:
    (head, *rows) = csv.reader(io.StringIO(show("--csv")))
    assert head == [
        "case", "trial", "slice", "output", "error", "latency_s", "cost", "input_tokens", "output_tokens",
        "score.exact", "score.half", "score.fails", "states",
    ]  # fmt: skip
    by_case = {row[0]: row for row in rows}
    assert by_case["bad"] == [
        "bad",
        "0",
        "hard",
        "poor",
        "",
        "1.5",
        "0.01",
        "10",
        "2",
        "0.0",
        "0.5",
        "",
        "fails=scorer_error",
    ]
    assert by_case["broken"][3:5] == ["", "KeyError: 'q3'"]
    assert by_case["broken"][6:9] == ["", "", ""]  # unknown is no zero
    assert by_case["caf\u00e9"][9] == ""


def test_an_output_longer_than_anybody_reads(show: Faces) -> None:
    long = "word " * 20_000
    run(lambda _: long, on=CASES[:1], scorers=["exact"])
    assert len(show("--rows")) < 2000
    said = show("--case", "good")
    assert "(100,000 characters)" in said
    assert len(said) < 10_000
    assert json.loads(show("--json", "--rows"))["rows"][0]["trace"]["output"] == long


# Output that would be more than text

HOSTILE = [
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "\x9b31m\x90q\x9c",
    "[bold red]markup[/bold red] [/] [link=http://evil]x[/link]",
    "\u202egnp.exe\u2066 \u200f\u200b\ufeff",
    "back\b\b\bspace\rover\x00nul\x7f\x0b\x0c",
    "half \ud800 of a pair",
]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\x1b=1", "\u202e=1", "=cmd|' /C calc'!A0"]
BIDI = {chr(code) for code in (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def inert(text: str, *, also: str = "\n") -> None:
    for letter in text:
        assert letter in also or (unicodedata.category(letter) not in ("Cc", "Cs") and letter not in BIDI), repr(letter)


@pytest.fixture
def hostile(show: Faces, tmp_path: Path) -> RunResult:
    """A run in which whatever a model, a dataset or an application says is hostile."""

    def answer(question: str) -> Any:
        text = HOSTILE[int(question)]
        if question == "2":
            raise ValueError(f"{text} \x1b[31m \u202e")
        step = Span(name=text, input=text, output={text: [text]}, attributes={text: text})
        return Trace(output=text, context=(text, {text: text}), spans=(step,), versions={"x": text})

    @scorer(name="[/red]\x1b[31m\u202es")
    def said(output: str) -> Score:
        return Score(0.25, label=output, explanation=output * 2)

    cases = [{"id": f"c{n} [/b]", "input": str(n), "expected": text, "slice": text} for n, text in enumerate(HOSTILE)]
    return run(answer, on=cases, scorers=[said, "exact"], name="\x1b[31m", teardown=lambda case: 1 / 0)


def test_nothing_steers_the_terminal(hostile: RunResult, show: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    inert(str(hostile))
    for width in ("40", "80", "200"):
        monkeypatch.setenv("COLUMNS", width)
        for options in ([], ["--rows"], ["--failed"], *(["--case", f"c{n} [/b]"] for n in range(len(HOSTILE)))):
            said = show(*options)
            inert(said)
    assert "[bold red]markup[/bold red]" in show()  # as it was said
    assert "[link=http://evil]x[/link]" in show("--case", "c2 [/b]")


def test_json_is_what_was_said_and_plain_to_see(hostile: RunResult, show: Faces) -> None:
    said = show("--json", "--rows")
    inert(said)
    rows = {row["case"]: row for row in json.loads(said)["rows"]}
    for n, text in enumerate(HOSTILE):
        row = rows[f"c{n} [/b]"]
        assert row["expected"] == text
        if n != 2:
            assert row["trace"]["output"] == text


def test_csv_keeps_its_form(hostile: RunResult, show: Faces) -> None:
    said = show("--csv")
    inert(said, also="\n\t")
    rows = list(csv.reader(io.StringIO(said)))
    assert len(rows) == 1 + len(HOSTILE)
    assert {len(row) for row in rows} == {len(rows[0])}


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_a_formula(formula: str, show: Faces) -> None:
    run(lambda _: formula, on=[{"id": "=id", "input": "x", "slice": formula}], scorers=["pii"])
    (row,) = list(csv.reader(io.StringIO(show("--csv"))))[1:]
    assert row[0] == "'=id"
    for cell in (row[2], row[3]):
        assert cell[0] not in "=+-@\t\r\n"


def test_words_are_no_formulas(show: Faces) -> None:
    text = 'a "quoted, one", =not first\nand a second line'
    run(lambda _: text, on=CASES[:1], scorers=["pii"])
    (row,) = list(csv.reader(io.StringIO(show("--csv"))))[1:]
    assert row[3] == text
