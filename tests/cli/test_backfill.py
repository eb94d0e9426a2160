"""`gatewatch backfill`: a forecast, a question, and what became of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.building import run
from cli.traffic import EVALS, TOML, project, traffic
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from gatewatch.store.base import Store

JUDGED = """
[models.judge]
model = "judge-1"
base_url = "http://127.0.0.1:9/v1"
key_env = ""
{prices}

[scorers.helpful]
rubric = "helpful.md"
"""
PRICES = """
[prices.judge-1]
input = 1.0
output = 1.0
"""
RUBRIC = '---\nscale = "binary"\nmodel = "judge"\n---\nIs the answer helpful?\n'
MORE = """
@scorer
def short(output: str) -> bool:
    return len(output) < 5

@scorer
def right(output: str, expected: str) -> bool:
    return output == expected

@scorer
def whole(session) -> bool:
    return len(session) > 1
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A project with a hundred requests that a worker took in, and scorers that no monitor names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    folder = project(tmp_path, evals=EVALS + MORE)
    traffic(folder)
    run(capsys, "work", "--once")
    return folder


@pytest.fixture
def store(here: Path) -> Iterator[Store]:
    found = store_of(Project.open(here))
    yield found
    found.close()


def test_a_forecast_a_start_and_a_worker_that_does_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "backfill", "support", "short", "--sample", "0.5", "--yes")
    assert (code, err) == (0, "")
    first, matching, scored, cost, running = out.splitlines()
    assert first.startswith("short (") and first.endswith(") over support: 0.5 of them")
    assert matching == "  100 requests of that time match; 100 have a payload still"
    number = int(scored.split("; ")[1].split()[0])
    assert scored == f"  0 have this score already, or are about to; {number} will be scored" and 30 < number < 70
    assert cost == "  cost: nothing (it asks no model)"
    assert running == "back-fill 1 is running: workers do it; `gatewatch backfill list` shows how far"
    _, out, _ = run(capsys, "backfill", "list")
    assert "running" in out and "no worker is at work" in out
    run(capsys, "work", "--once")
    _, out, _ = run(capsys, "backfill", "list", "--json")
    (told,) = json.loads(out)["backfills"]
    assert (told["state"], told["scored"], told["waiting"], told["lost"]) == ("done", number, 0, 0)
    assert (told["decided"], told["spent"], told["budget"], told["note"]) == (1.0, 0.0, None, "")
    assert told["rule"] == {"sample": 0.5}
    code, out, err = run(capsys, "backfill", "support", "short", "--sample", "0.5", "--yes")
    assert (code, err) == (0, "nothing is to be scored: not started\n")
    assert f"{number} have this score already" in out


def test_without_a_terminal_or_a_yes_it_is_not_started(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "backfill", "start", "support", "short", "--slice", "odd")
    assert (code, err) == (2, "not started: say --yes, since nobody can be asked here\n")
    assert "0.5" not in out and "1 of them, slice odd" in out and "50 requests of that time match" in out
    code, out, _ = run(capsys, "backfill", "support", "short", "--mark", "thumbs_down", "--json")
    found = json.loads(out)
    assert (code, found["started"], found["matching"], found["to_score"]) == (2, None, 5, 5)
    assert found["cost"] == {"mean": 0.0, "low": 0.0, "high": 0.0} or found["cost"]["mean"] == 0.0
    assert run(capsys, "backfill", "list")[1].startswith("no back-fill was started yet")


def test_what_somebody_answers_counts(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for answer, states in (("n\n", []), ("y\n", ["running"])):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        code, _, _ = run(capsys, "backfill", "support", "short")
        assert code == 0
        _, out, _ = run(capsys, "backfill", "list", "--json")
        assert [each["state"] for each in json.loads(out)["backfills"]] == states


def test_a_judges_cost_is_foreseen_with_an_interval_or_unknown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "helpful.md").write_text(RUBRIC)
    (here / "gatewatch.toml").write_text(TOML + JUDGED.format(prices=PRICES))
    _, out, _ = run(capsys, "backfill", "support", "helpful", "--json", "--budget", "0.01 USD")
    found = json.loads(out)
    assert 0 < found["cost"]["low"] < found["cost"]["mean"] < found["cost"]["high"] < 1
    assert found["cost_source"] == "a guess from the lengths of 100 of them, with an answer of 300 tokens"
    _, out, _ = run(capsys, "backfill", "support", "helpful", "--budget", "0.01 USD")
    assert "cost: about $0.0" in out and "budget: $0.0100: it will stop at about " in out
    (here / "gatewatch.toml").write_text(TOML + JUDGED.format(prices=""))
    code, out, _ = run(capsys, "backfill", "support", "helpful", "--yes")
    assert code == 0
    assert '  cost: unknown price: add [prices."judge-1"] with input and output' in out
    code, _, err = run(capsys, "backfill", "support", "helpful", "--yes", "--budget", "1 USD")
    assert code == 2
    assert "cannot be kept to the budget: the price of 'judge-1'" in err


def test_what_scores_cost_of_late_is_what_is_foreseen(
    here: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    from gatewatch.core.money import Cost
    from gatewatch.core.score import Score
    from gatewatch.store.rows import Plan, Settled

    (here / "helpful.md").write_text(RUBRIC)
    (here / "gatewatch.toml").write_text(TOML + JUDGED.format(prices=PRICES))
    work, now = store.work("support", "helpful", "an older one", "judge"), wall()
    store.plan(work.id, Plan(tuple((seq, now, 1.0) for seq in range(1, 21))))
    for day, cost in ((0, 0.25), (3, 0.75)):
        leased = store.lease([work.id], "w", 10, now + 1, now + 60)
        judged = Score(1.0, name="helpful", source="judge", fingerprint="an older one", cost=Cost(cost), model="m")
        store.settle([Settled(each.task, each.attempt, judged) for each in leased], now - day * 86_400)
    _, out, _ = run(capsys, "backfill", "support", "helpful")
    assert "cost: about $50.00 [$25.00, $75.00] (as the last 20 scores cost; the range is that of 2 days' means)" in out


def test_it_is_stopped_and_resumed(here: Path, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "backfill", "support", "short", "--yes")
    assert run(capsys, "backfill", "stop", "1") == (0, "back-fill 1 is stopped\n", "")
    assert run(capsys, "backfill", "stop", "1") == (0, "back-fill 1 is stopped already\n", "")
    run(capsys, "work", "--once")
    _, out, _ = run(capsys, "backfill", "list", "--json")
    (told,) = json.loads(out)["backfills"]
    assert (told["state"], told["note"], told["scored"]) == ("stopped", "stopped by hand", 0)
    assert run(capsys, "backfill", "resume", "1", "--budget", "3 USD") == (0, "back-fill 1 is running\n", "")
    run(capsys, "work", "--once")
    (done,) = store.backfills()
    assert (done.state, done.done, done.most) == ("done", 100, 3.0)
    code, _, err = run(capsys, "backfill", "resume", "1")
    assert (code, err) == (2, "error: 1: this back-fill is done (start another one)\n")


def test_one_that_runs_gets_another_budget_and_is_not_started_twice(
    here: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "backfill", "support", "short", "--sample", "50%", "--budget", "1 USD", "--yes")
    told = "back-fill 1 is running already; from now on it may cost $4.00 in all\n"
    assert run(capsys, "backfill", "resume", "1", "--budget", "4 USD") == (0, told, "")
    assert store.backfills()[0].most == 4.0
    for again in ((), ("--since", "1d"), ("--yes",)):
        code, out, err = run(capsys, "backfill", "support", "short", "--sample", "0.5", *again)
        assert (code, out) == (2, "") and "back-fill 1: is doing this already" in err
    code, out, err = run(capsys, "backfill", "support", "short", "--slice", "odd", "--yes")
    assert code == 0 and "! back-fill 1 is under way over some of these" in err
    assert len(store.backfills()) == 2
    run(capsys, "backfill", "stop", "1")
    code, out, err = run(capsys, "backfill", "support", "short", "--sample", "0.5", "--yes")
    assert code == 0 and len(store.backfills()) == 3


def test_a_version_that_no_worker_has_is_told(here: Path, store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "backfill", "support", "short", "--yes")
    fingerprint = store.backfills()[0].fingerprint
    store.heartbeat("w", wall(), "0 at work", {"short": "another", "polite": "x"})
    _, out, _ = run(capsys, "backfill", "list", "--json")
    assert json.loads(out)["backfills"][0]["note"] == f"no worker has this version ({fingerprint})"
    store.heartbeat("v", wall(), "0 at work", {"short": fingerprint})
    _, out, _ = run(capsys, "backfill", "list", "--json")
    assert json.loads(out)["backfills"][0]["note"] == ""


BAD: tuple[tuple[tuple[str, ...], str], ...] = (
    (("suport", "short"), "there is no request of such a flow"),
    (("support", "shrt"), "there is no scorer 'shrt'"),
    (("support", "right"), "needs what was expected, which live traffic does not have"),
    (("support", "whole"), "looks at whole sessions, which cannot be back-filled"),
    (
        ("support", "short", "--mark", "thumbs_dwn"),
        "'thumbs_dwn' is no mark of a request (did you mean \"thumbs_down\"?)",
    ),
    (("support", "short", "--since", "soon"), "expected how long ago"),
    (("support", "short", "--until", "2026-13-01"), "expected how long ago"),
    (("support", "short", "--since", "1d", "--until", "2d"), "is not after --since"),
    (("support", "short", "--sample", "0"), "--sample"),
    (("support", "short", "--sample", "1.5"), "--sample"),
    (("support", "short", "--budget", "much"), "expected an amount"),
    (("support",), "Missing argument 'SCORER'"),
    (("stop", "x"), "is not a valid integer"),
    (("stop", "7"), "there is no such back-fill (none was started yet)"),
    (("resume", "7"), "there is no such back-fill"),
)


@pytest.mark.parametrize(("words", "message"), BAD, ids=lambda each: " ".join(each) if isinstance(each, tuple) else "")
def test_bad_input_is_told(here: Path, capsys: pytest.CaptureFixture[str], words: Any, message: str) -> None:
    code, out, err = run(capsys, "backfill", *words)
    assert (code, out) == (2, "")
    assert message in err and "Traceback" not in err


def test_all_that_is_wrong_is_told_at_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "backfill", "suport", "shrt", "--mark", "x")
    assert err.count("\n") >= 3 and "suport" in err and "shrt" in err and "--mark" in err


def test_work_check_tells_a_worker_of_another_version(
    here: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.heartbeat("w", wall(), "0 at work", {"short": "0" * 12, "unknown here": "x"})
    code, out, err = run(capsys, "work", "--check")
    assert code == 0
    assert "  ! short: the worker has 000000000000, this project " in out and "unknown here" not in out
    assert "scores of two versions are not compared" in err
    _, out, _ = run(capsys, "work", "--check", "--json")
    assert json.loads(out)["workers"]["w"]["other_versions"] == ["short"]
