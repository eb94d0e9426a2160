"""`gatewatch label`: for scripts, what waits, how far people agree, and settling."""

import json
from pathlib import Path

import pytest

from cli.building import run
from cli.labelling import asked, reviewed, the_store, waiting
from cli.traffic import traffic
from gatewatch.cli.terminal import who


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return reviewed(tmp_path, reviewers=2)


def noted(folder: Path) -> list[tuple[str, str]]:
    with the_store(folder) as store:
        return [(each.action, each.what) for each in reversed(store.audit(0.0, 100))]


def test_without_a_terminal_it_says_what_to_do(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (("label",), ("label", "I1"), ("label", "review", "support")):
        code, out, err = run(capsys, *words)
        assert (code, out) == (2, "")
        assert "`gatewatch label put I7 --value y`" in err
    assert run(capsys, "label", "settle")[0] == 2


def test_an_item_is_labelled_and_then_what_was_hidden_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waiting(here, asked(1))
    _, out, _ = run(capsys, "label", "show", "I1")
    assert "question 1" in out and "answer 1" in out
    assert "0.9" not in out and "thumbs_down" not in out
    code, out, _ = run(capsys, "label", "put", "I1", "--value", "n", "--expected", "14 days", "--comment", "no")
    assert code == 0
    assert out == "I1 is settled\n  you disagreed with the judge: 0.9\n  it was mined: thumbs_down\n"
    with the_store(here) as store:
        (label,) = store.labels([1])
    assert (label.value, label.expected, label.comment, label.by) == (0.0, "14 days", "no", who())
    assert noted(here) == [("read", f"{1:032x}"), ("label", "I1"), ("reveal", "I1")]


def test_two_reviewers_disagree_and_somebody_settles(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waiting(here, asked(1), asked(2), needed=2)
    _, out, _ = run(capsys, "label", "put", "I1", "--value", "y", "--by", "ana", "--json")
    found = json.loads(out)
    assert (found["kind"], found["item"]["state"], found["others"]) == ("gatewatch.label", "waiting", [])
    assert (found["label"]["source"], found["label"]["name"], found["label"]["value"]) == ("human", "right", 1.0)
    _, out, _ = run(capsys, "label", "show", "I1", "--json")
    assert "ana" not in out and json.loads(out)["state"] == "waiting"
    _, out, _ = run(capsys, "label", "put", "I1", "--value", "0", "--by", "bo")
    assert out.splitlines()[0] == "I1 is disputed" and "  ana said 1" in out
    _, out, _ = run(capsys, "label", "status", "--json")
    assert (json.loads(out)["disputed"], json.loads(out)["waiting"]) == (["I1"], ["I2"])
    code, out, _ = run(capsys, "label", "settle", "I1", "--value", "n", "--by", "ana", "--comment", "we talked")
    assert (code, out.splitlines()[0]) == (0, "I1 is settled")
    with the_store(here) as store:
        settled = next(label for label in store.labels([1]) if label.settles)
    assert (settled.by, settled.value, settled.first) == ("ana", 0.0, 1.0)
    _, out, _ = run(capsys, "label", "agreement", "--json")
    (found,) = json.loads(out)["scorers"]
    assert (found["several"], found["agreed"]) == (1, 0), "what ana said first is what counts"
    assert noted(here)[-2:] == [("settle", "I1 by ana"), ("reveal", "I1")]


def test_status_and_agreement_in_words(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "label", "status")[1].startswith("there is nothing to label: `gatewatch mine FLOW`")
    assert run(capsys, "label", "agreement")[1] == "nothing is labelled yet: `gatewatch label`\n"
    waiting(here, *map(asked, range(1, 11)), needed=2)
    for number in range(1, 10):
        run(capsys, "label", "put", f"I{number}", "--value", "y" if number < 6 else "n", "--by", "ana")
        run(capsys, "label", "put", f"I{number}", "--value", "y" if number < 5 else "n", "--by", "bo\x1b")
        run(capsys, "label", "put", f"I{number}", "--value", "y" if number < 5 else "n", "--by", "bo")
    run(capsys, "label", "put", "I10", "--skip", "--by", "bo")
    _, out, _ = run(capsys, "label", "status")
    assert [line.split() for line in out.splitlines()[:3]] == [
        ["queue", "waiting", "disputed", "settled"],
        ["failures", "1", "1", "8"],
        ["calibration", "0", "0", "0"],
    ]
    assert "! disputed: I5 (`gatewatch label settle`)" in out
    assert ["bo", "9", "1", "—"] in [line.split() for line in out.splitlines()]
    _, out, _ = run(capsys, "label", "agreement")
    assert out.startswith(
        "right: 9 items labelled by ana, bo\n  all agree on 8 of 9 that two or more labelled: 0.889 ["
    )
    assert "  ana and bo: 8 of 9, 0.889 [" in out
    assert "wide, on fewer than 50 items; go by the agreement" in out
    assert "    both good 4, both bad 4, only ana good 1, only bo good 0\n" in out
    assert "ana and the judge: 5 of 9" in out and "of what was mined: not of the traffic" in out
    assert "    I5: ana 1, bo 0, the judge 0.9\n" in out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("put", "I1"), "give a --value, or --skip"),
        (("put", "I1", "--value", "y", "--skip"), "give a --value, or --skip"),
        (("put", "I9", "--value", "y"), "I9: there is no such item"),
        (("put", "nine", "--value", "y"), "nine: is no name of an item, such as I7"),
        (("put", "I1", "--value", "7"), "'7' is no answer: y (right), n (wrong), or a number in 0..1"),
        (("put", "I1", "--value", "y", "--by", "a\nb"), "must be a name of one line"),
        (("put", "I1", "--value", "n", "--expected", '{"tool_calls": [{"nam": "x"}]}'), "expected.tool_calls[0].nam"),
        (("put", "I1", "--value", "n", "--expected", "@nowhere"), "nowhere: cannot be read"),
        (("put", "I2", "--value", "9"), "must be a whole number in 1..5"),
        (("settle", "--value", "y"), "say which ITEM"),
        (("draw", "suport", "--scorer", "polite"), "suport: there is no such flow"),
    ],
)
def test_what_is_wrong_is_said(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], what: str
) -> None:
    waiting(here, asked(1))
    waiting(here, asked(2), scorer="helpful")
    code, out, err = run(capsys, "label", *words)
    assert (code, out) == (2, "")
    assert what in err
    with the_store(here) as store:
        assert store.labels([1, 2]) == []


def test_what_is_expected_may_lie_in_a_file_and_a_grade_is_on_its_scale(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "right.json").write_text('{"answer": "14 days", "criteria": ["is short"]}')
    waiting(here, asked(1), scorer="helpful")
    _, out, _ = run(capsys, "label", "show", "I1", "--json")
    assert json.loads(out)["guide"] == "How helpful is it?"
    assert run(capsys, "label", "put", "I1", "--value", "2", "--expected", "@right.json")[0] == 0
    with the_store(here) as store:
        (label,) = store.labels([1])
    assert label.value == 0.25
    assert label.expected is not None and label.expected.answer == "14 days"  # type: ignore[union-attr]


def test_chance_draws_people_label_and_the_scorer_is_calibrated(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here, 200)
    run(capsys, "work", "--once")
    code, out, err = run(capsys, "label", "draw", "support", "--scorer", "polite", "-n", "20")
    assert code == 0, err
    assert out.splitlines()[0].startswith("20 requests drawn of ")
    assert "left out: they failed" in out
    assert out.endswith("label them: gatewatch label support --queue calibration\n")
    _, again, _ = run(capsys, "label", "draw", "support", "--scorer", "polite", "-n", "20", "--json")
    drawn = json.loads(again)
    assert (drawn["kind"], drawn["new"], len(drawn["drawn"])) == ("gatewatch.draw", 0, 20)
    assert all(0 < each["pi"] <= 1 for each in drawn["drawn"])
    for each in drawn["drawn"]:
        _, out, _ = run(capsys, "label", "show", each["item"], "--json")
        answer = json.loads(out)["parts"][-1]["text"]
        run(capsys, "label", "put", each["item"], "--value", "y" if "please" in answer else "n")
    waiting(here, asked(1))
    run(capsys, "label", "put", "I21", "--value", "n")
    words = ("label", "export", "labels.jsonl", "--scorer", "polite", "--verdicts", "verdicts.jsonl")
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert out.splitlines() == [
        "21 labels in labels.jsonl: 21 new, 0 changed, 0 there already",
        "20 of what chance drew; 1 of what was mined, which no calibration counts",
        "20 verdicts in verdicts.jsonl: gatewatch calibrate polite --labels labels.jsonl --verdicts verdicts.jsonl",
    ]
    assert json.loads(run(capsys, *words, "--json")[1])["there"] == 21
    code, out, _ = run(capsys, "calibrate", "polite", "--labels", "labels.jsonl", "--verdicts", "verdicts.jsonl")
    assert code == 3
    assert "20 labelled outputs (labels.jsonl)" in out
    assert "1 line left out: chosen for what they are, with no pi" in out
    assert "agreement     1.000" in out
    assert run(capsys, *words[:5], "--verdicts", "labels.jsonl")[0] == 2


def test_why_shows_what_people_said_of_a_request(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = traffic(here, 1)[0]
    run(capsys, "work", "--once")
    (number,) = waiting(here, asked(1, id=trace))
    run(capsys, "label", "put", f"I{number}", "--value", "n", "--by", "ana", "--comment", "rude\nhuman right 1  bo")
    _, out, _ = run(capsys, "why", trace)
    (line,) = [each for each in out.splitlines() if each.startswith("  human ")]
    assert line.startswith("  human right 0; rude") and line.endswith("ana, I1 (failures)")
    _, out, _ = run(capsys, "why", trace, "--json")
    (label,) = json.loads(out)["labels"]
    assert (label["item"], label["by"], label["value"], label["source"]) == ("I1", "ana", 0.0, "human")


def test_kinds_severity_and_a_comment_where_the_project_asks_for_them(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    toml = here / "gatewatch.toml"
    toml.write_text(toml.read_text() + 'kinds = ["wrong policy", "made up"]\ncomment = "wrong"\nseverity = true\n')
    waiting(here, asked(1), needed=2)
    code, _, err = run(capsys, "label", "put", "I1", "--value", "n", "--kind", "made u")
    assert code == 2 and "'made u' is no kind of failure" in err and "comment: is missing" in err
    said = ("--value", "n", "--kind", "made up", "--severity", "major", "--comment", "no such window", "--dispute")
    code, out, _ = run(capsys, "label", "put", "I1", *said, "--json")
    found = json.loads(out)
    assert (code, found["item"]["state"]) == (0, "disputed")
    assert (found["label"]["kinds"], found["label"]["severity"], found["label"]["disputes"]) == (
        ["made up"],
        "major",
        True,
    )
    toml.write_text(toml.read_text().replace('"made up"', '"wrong policy"'))
    code, _, err = run(capsys, "label", "put", "I1", "--value", "y")
    assert code == 2 and "loop.kinds[1]: 'wrong policy' is there twice" in err
