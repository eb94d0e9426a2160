"""`gatewatch ab`: which variant is better, in words, as JSON, and as a table for other tools."""

import csv
import json
from pathlib import Path

import pytest

from cli.building import run
from cli.traffic import project, spooling
from gatewatch import feedback, record
from gatewatch.cli.ab import in_words
from gatewatch.online.ab import Effect
from gatewatch.online.outcomes import Outcome
from gatewatch.stats.intervals import Interval

TOML = '[project]\nscorers = "evals.py"\n\n[monitors.m]\nflow = "support"\nscorers = [{ use = "polite" }]\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    return project(tmp_path, TOML)


def variants(
    here: Path, capsys: pytest.CaptureFixture[str], number: int = 300, names: tuple[str, str] = ("a", "b")
) -> None:
    """Requests of two variants: every third answer of the first is impolite, and every tenth of the other."""
    with spooling(here):
        for n in range(number):
            rude = n // 2 % (10 if n % 2 else 3) == 0
            record(
                flow="support",
                variant=names[n % 2],
                input=f"q{n}",
                output="no" if rude else "yes please",
                latency_s=1.0 + n % 5,
            )
    run(capsys, "work", "--once")


def test_which_is_better_in_words(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    variants(here, capsys)
    code, out, err = run(capsys, "ab", "support", "--control", "a", "--split", "a=50, b=50")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[1] == "conversations  a 150 · b 150"
    assert lines[2] == "split as declared (a 50.0% · b 50.0%): nothing speaks against it (p = 1)"
    assert lines[4].split() == ["outcome", "variant", "n", "mean", "beside", "a"]
    assert lines[5].split() == ["polite", "a", "150", "0.667"]
    assert lines[6].split()[:6] == ["b", "150", "0.900", "better", "by", "23.3"]
    assert sum("no difference can be told yet [-" in line for line in lines) == 1  # of latencies
    assert all(len(line) <= 110 for line in lines)


def test_a_variant_that_is_called_like_a_row_forges_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    variants(here, capsys, 60, ("[/]", "b\npolite  1.000"))
    code, out, _ = run(capsys, "ab", "support", "--control", "[/]")
    assert code == 0
    lines = out.splitlines()
    assert lines[1] == "conversations  [/] 30 \u00b7 b polite  1.000 30"
    assert "beside [/]" in lines[3]
    assert not any(line.startswith("polite  1.000") for line in lines)


def test_who_is_no_experiment_is_said_and_a_wrong_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        for n in range(120):
            record(flow="support", versions={"p": str(n % 2)}, input="q", output="no", user=f"u{n % 30}")
    run(capsys, "work", "--once")
    _, out, _ = run(capsys, "ab", "support", "--by", "version", "--scorer", "polite")
    lines = out.splitlines()
    assert lines[2] == "n counts users once: 30 users had several conversations, all of one version"
    assert lines[3].startswith("! who gets which version is not left to chance")
    code, _, err = run(capsys, "ab", "support", "--by", "version", "--scorer", "polit")
    assert (code, 'did you mean "polite"?' in err) == (2, True)


def test_as_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    variants(here, capsys)
    code, out, _ = run(capsys, "ab", "support", "--scorer", "polite", "--control", "b", "--json")
    found = json.loads(out)
    assert (code, found["kind"], found["version"]) == (0, "gatewatch.ab", 1)
    told = found["experiment"]
    assert (told["units"], told["control"], told["split_p"]) == ({"a": 150, "b": 150}, "b", None)
    (result,) = told["results"]
    (effect,) = result["effects"]
    assert result["outcome"]["name"] == "polite"
    assert (effect["arm"], effect["n"]) == ("a", 150)
    assert effect["interval"]["low"] < effect["difference"] < effect["interval"]["high"] < 0


def test_a_split_that_is_not_as_declared_is_a_warning(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    variants(here, capsys)
    out = run(capsys, "ab", "support", "--split", "a=80,b=20")[1]
    assert "! they are not split as declared (a 80.0% · b 20.0%)" in out
    assert "find out why before you trust any of this" in out


@pytest.mark.parametrize("name", ["units.csv", "units.jsonl"])
def test_every_conversation_goes_into_a_table_for_other_tools(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    variants(here, capsys, 40, ("a", "=1+2"))
    assert run(capsys, "ab", "support", "--export", name)[0] == 0
    text = (here / name).read_text()
    rows = list(csv.DictReader(text.splitlines())) if name.endswith("csv") else list(map(json.loads, text.splitlines()))
    polite = [row for row in rows if row["outcome"] == "polite"]
    assert len(polite) == 40 and len({row["unit"] for row in polite}) == 40
    assert {row["arm"] for row in polite} == {"a", "'=1+2" if name.endswith("csv") else "=1+2"}
    assert {float(row["weight"]) for row in rows} == {1.0}
    assert {row["outcome"] for row in rows} >= {"polite", "latency_s", "error"}
    assert sorted(each.name for each in here.glob("*units*")) == [name]


def test_what_users_told_is_an_outcome(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        for n in range(8):
            feedback(record(flow="support", variant="ab"[n % 2], input="q", output="yes"), rating=5 - n % 2)
    run(capsys, "work", "--once")
    lines = run(capsys, "ab", "support", "--scorer", "rating", "--control", "a")[1].splitlines()
    assert lines[-2].split() == ["rating", "a", "4", "5"]
    assert "cannot be told: needs the equivalent of 50 units in each, has 4" in lines[-1]


def test_wrong_words_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    variants(here, capsys, 4)
    for words, said in (
        (["suport"], 'there is no such flow (did you mean "support"?)'),
        (["support", "--control", "c"], "no conversation is of 'c'"),
        (["support", "--split", "a=1,c=2"], "the split does not name 'b'"),
        (["support", "--split", "a"], 'expected shares above 0 such as "a=50,b=50"'),
        (["support", "--split", "a=-1,b=2"], 'expected shares above 0 such as "a=50,b=50"'),
        (["support", "--split", "a=1"], "a split has two arms or more"),
        (["support", "--since", "soon"], "expected how long ago"),
        (["support", "--export", "x.txt"], "expected a .csv or .jsonl file"),
        (["support", "--export", "none/x.csv"], "cannot be written: No such file or directory"),
    ):
        code, _, err = run(capsys, "ab", *words)
        assert code == 2 and said in err, (words, err)


def test_what_nothing_is_known_of_is_said_to_be_that(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(here, TOML.replace('"polite" }', '"polite", sample = 0.0 }'))
    variants(here, capsys, 4)
    assert "nothing is known of it" in run(capsys, "ab", "support", "--scorer", "polite")[1]


def test_where_there_is_nothing_to_compare(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        record(flow="support", input="q", output="yes")
    run(capsys, "work", "--once")
    out = run(capsys, "ab", "support")[1]
    assert "no conversation of this time has a variant (left out: 1 conversation without a variant)" in out
    variants(here, capsys, 4, ("a", "a"))
    assert "only one variant: there is nothing to compare" in run(capsys, "ab", "support")[1]


@pytest.mark.parametrize(
    ("outcome", "ends", "said"),
    [
        (Outcome("polite", "score"), (0.01, 0.05), "better by 3.0 pp [1.0, 5.0] pp"),
        (Outcome("polite", "score"), (-0.05, -0.01), "worse by 3.0 pp [1.0, 5.0] pp"),
        (Outcome("thumbs_down", "rate"), (0.01, 0.05), "worse by 3.0 pp [1.0, 5.0] pp"),
        (Outcome("cost", "amount"), (-0.05, -0.01), "better by $0.0300 [$0.0100, $0.0500]"),
        (
            Outcome("latency_s", "amount"),
            (-0.5, 1.5),
            "no difference can be told yet [-500 ms, +1.5 s]: needs an n of about 1,200 in all",
        ),
        (Outcome("output_tokens", "amount"), (10.0, 20.0), "more by 15 [10, 20]"),
        (Outcome("copied value", "told"), (-20.0, -10.0), "less by 15 [10, 20]"),
        (Outcome("rating", "told"), (0.1, 0.3), "better by 0.2 [0.1, 0.3]"),
    ],
)
def test_differences_are_told_on_their_own_scale(outcome: Outcome, ends: tuple[float, float], said: str) -> None:
    middle = sum(ends) / 2
    needs = 1234 if ends[0] <= 0 <= ends[1] else None
    effect = Effect("b", 100, 100, 1.0 + middle, 1.0, middle, Interval(*ends, "always valid"), needs)
    assert in_words(outcome, effect) == said
