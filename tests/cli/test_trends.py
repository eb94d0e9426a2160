"""`gatewatch trends`: signals of all requests, and what scorers say of all of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli.building import run
from cli.traffic import TOML, answered, project, spooling, traffic
from gatewatch import feedback, record
from gatewatch.core.clock import wall


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")  # durations differ in length, and lines are folded
    return project(tmp_path)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """The only flow of the JSON."""
    code, out, _ = run(capsys, "trends", "--json", *words)
    found = json.loads(out)
    assert (code, found["kind"], found["version"]) == (0, "gatewatch.trends", 1)
    (flow,) = found["flows"]
    assert isinstance(flow, dict)
    return flow


def test_signals_are_of_all_requests_and_scores_are_weighted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here, 400)
    run(capsys, "work", "--once")
    flow = told(capsys)
    signals = flow["signals"]
    assert (flow["flow"], flow["tier"], signals["n"], signals["unknown_cost"]) == ("support", "day", 400, 40)
    assert signals["errors"]["mean"] == pytest.approx(0.1)
    assert signals["cost"] == pytest.approx(360 * 0.002)
    assert (signals["input_tokens"], signals["output_tokens"]) == (360_000, 180_000)
    by_name = {each["scorer"]: each for each in flow["scorers"]}
    assert set(by_name) == {"polite", "pii", "thumbs"}
    estimate = by_name["polite"]["total"]["estimate"]
    assert estimate["n"] < 250
    assert estimate["interval"]["low"] < 0.65 < estimate["interval"]["high"]  # a tenth failed, a quarter was not polite
    assert by_name["pii"]["total"]["estimate"]["mean"] == pytest.approx(0.9)
    assert (by_name["thumbs"]["source"], by_name["thumbs"]["total"]["estimate"]["n"]) == ("feedback", 20)


def test_as_a_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here, 100)
    run(capsys, "work", "--once")
    code, out, _ = run(capsys, "trends", "support")
    assert code == 0
    lines = out.splitlines()
    assert re.fullmatch(r"support  \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d UTC, by day", lines[0])
    assert lines[1] == "100 requests · errors 10.00% [5.52%, 17.44%] · 0 timed out"
    assert re.match(r"latency  p50 .* · p95 .* · p99 ", lines[2])
    assert lines[3] == "cost  $0.180 ($0.00200 a request), unknown of 10 · tokens 90,000 in, 45,000 out"
    assert lines[4] == "marks  thumbs down 5.00% [2.15%, 11.18%]"
    assert lines[6].split() == ["scorer", "of", "all", "95", "%", "interval", "scored", "errors", "waiting", "lost"]
    assert lines[7].split()[:2] == ["pii", "0.900"]
    assert lines[9].startswith("thumbs  0.000 [0.000, 0.434] over 5 requests (5.0%) of which it was said")


def test_by_slice(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here, 100)
    run(capsys, "work", "--once")
    assert told(capsys, "--slice", "odd")["signals"]["n"] == 50
    assert told(capsys, "--slice", "odd")["signals"]["errors"]["mean"] == pytest.approx(0.2)
    assert told(capsys, "--slice", "nowhere")["signals"]["n"] == 0
    _, out, err = run(capsys, "trends", "--slice", "nowhere")
    assert "no request in this time" in out
    assert err == "! support had no slice 'nowhere' in this time (known: even, odd)\n"


def test_shorter_buckets(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here, 20)
    run(capsys, "work", "--once")
    assert told(capsys, "--days", "0.04")["tier"] == "minute"
    assert told(capsys, "--days", "2")["tier"] == "hour"
    hours = told(capsys, "--by", "hour")
    assert hours["tier"] == "hour"
    assert sum(signals["n"] for _, signals in hours["points"]) == 20


def test_two_of_one_name_are_told_apart(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = '[scorers.short]\nuse = "length"\nmost = 5\n' + TOML.replace('"pii"', '"short"')
    for toml in (short, short.replace("most = 5", "most = 500")):
        (here / "gatewatch.toml").write_text(toml)
        traffic(here, 10)
        run(capsys, "work", "--once")
    fingerprints = [each["fingerprint"] for each in told(capsys)["scorers"] if each["scorer"] == "short"]
    assert len(set(fingerprints)) == 2
    out = run(capsys, "trends")[1]
    for fingerprint in fingerprints:
        assert f"short {fingerprint[:6]}" in out
    assert re.search(r"^polite ", out, re.MULTILINE)


def test_days_below_each_other_and_scorers_beside_each_other_as_far_as_they_fit(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    scorers = ", ".join(f'{{ use = "{name}" }}' for name in ("pii", "secrets", "refusal", "profanity"))
    (here / "gatewatch.toml").write_text(f'[monitors.m]\nflow = "support"\nscorers = [{scorers}]\n')
    with spooling(here):
        for day in range(3):
            for _ in range(4):
                record(flow="support", input="q", output="yes", started=wall() - day * 86_400, latency_s=0.5)
    run(capsys, "work", "--once")
    lines = run(capsys, "trends")[1].splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert sum(line.startswith("day ") for line in lines) == 3  # signals, three scorers, one more
    assert sum("1.000 [0.510, 1.000]  1.000 [0.510, 1.000]  1.000 [0.510, 1.000]" in line for line in lines) == 3


def test_one_thumb_is_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    traffic(here, 2)
    run(capsys, "work", "--once")
    assert "thumbs  0.000 over 1 request (50.0%) of which it was said" in run(capsys, "trends")[1]


def test_slices_that_are_live_and_hardly_tested(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = '\n[suites.main]\ndataset = "cases.jsonl"\ntask = "app:answer"\nscorers = ["pii"]\n'
    (here / "gatewatch.toml").write_text(TOML + suite)
    (here / "cases.jsonl").write_text("".join(f'{{"input": "q{2 * n}"}}\n' for n in range(6)) + '{"input": "q1"}\n')
    traffic(here, 10)
    run(capsys, "work", "--once")
    code, out, _ = run(capsys, "trends", "support", "--slices", "--json")
    assert code == 0
    assert json.loads(out) == {
        "kind": "gatewatch.slices",
        "version": 1,
        "flows": {
            "support": [
                {"slice": "even", "requests": 5, "share": 0.5, "cases": {"main": 6}, "gap": False},
                {"slice": "odd", "requests": 5, "share": 0.5, "cases": {"main": 1}, "gap": True},
            ]
        },
    }
    table = run(capsys, "trends", "--slices")[1].splitlines()
    assert table[-1].split() == ["odd", "5", "50.0%", "1", "hardly", "tested"]


def test_where_some_are_never_sampled_there_is_no_estimate(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "gatewatch.toml").write_text(TOML.replace("sample = 0.3", "sample = 0, slices = { odd = 1.0 }"))
    traffic(here, 20)
    run(capsys, "work", "--once")
    lines = run(capsys, "trends")[1].splitlines()
    assert "! polite: incomplete, no estimate: some requests are never sampled (a share of 0)" in lines
    (polite,) = (line.split() for line in lines if line.startswith("polite"))
    assert polite[1] == "incomplete"


def test_a_flow_that_nothing_watches_has_its_signals(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "gatewatch.toml").write_text("")
    with spooling(here):
        answered(1)
    run(capsys, "work", "--once")
    assert "no flow is watched: [monitors] names none" in run(capsys, "trends")[1]
    assert "there are support: name one" in run(capsys, "trends")[1]
    out = run(capsys, "trends", "support")[1]
    assert "1 request · 0 timed out" in out and "no score yet" in out


def test_nothing_is_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no request in this time" in run(capsys, "trends")[1]
    code, _, err = run(capsys, "trends", "suport")
    assert code == 2 and 'there is no such flow (did you mean "support"?)' in err
    assert run(capsys, "trends", "--days", "0")[0] == 2


def versions(here: Path) -> None:
    """Sixty requests of two variants, the second with the newer prompt; each sixth of it was retried."""
    with spooling(here):
        for n in range(60):
            trace = record(
                flow="support",
                input=f"q{n}",
                output="yes please" if n % 2 else "no",
                variant="ab"[n % 2],
                versions={"prompt": f"{n % 2 + 3}"},
            )
            if n % 12 == 1:
                feedback(trace, event="retry")


def test_of_a_variant_or_a_version_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "gatewatch.toml").write_text(TOML.replace("0.3", "1.0"))
    versions(here)
    run(capsys, "work", "--once")
    for words in (("--variant", "b"), ("--version", "prompt=4")):
        flow = told(capsys, *words)
        assert flow["of"] == {"slice": "", "variant": "", "version": "", words[0][2:]: words[1]}
        assert flow["signals"]["n"] == 30
        assert flow["signals"]["marks"]["retried"]["mean"] == pytest.approx(5 / 30)
        (polite,) = (each["total"]["estimate"] for each in flow["scorers"] if each["scorer"] == "polite")
        assert (polite["n"], polite["mean"]) == (30, 1.0)
    out = run(capsys, "trends", "--variant", "b")[1]
    assert out.splitlines()[0].endswith("UTC, by day, variant b")
    assert "marks  retried 16.67% [" in out
    assert told(capsys, "--variant", "b", "--version", "prompt=3")["signals"]["n"] == 0


def test_parts_below_each_other(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "gatewatch.toml").write_text(TOML.replace("0.3", "1.0"))
    versions(here)
    run(capsys, "work", "--once")
    flow = told(capsys, "--by-variant", "--by-version")
    assert [(each["by"], each["name"], each["signals"]["n"]) for each in flow["parts"]] == [
        ("slice", "even", 30),
        ("slice", "odd", 30),
        ("variant", "a", 30),
        ("variant", "b", 30),
        ("version", "prompt=3", 30),
        ("version", "prompt=4", 30),
    ]
    (polite,) = (each["parts"] for each in flow["scorers"] if each["scorer"] == "polite")
    assert [each["total"]["estimate"]["mean"] for each in polite] == [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    lines = [line.split() for line in run(capsys, "trends", "--by-version", "--by-slice")[1].splitlines()]
    assert ["slice", "requests", "errors", "p95"] in lines and ["version", "requests", "errors", "p95"] in lines
    assert ["variant", "requests", "errors", "p95"] not in lines
    (row,) = (line for line in lines if line[:1] == ["prompt=4"] and "n" in line)
    assert row[1:6] == ["1.000", "[0.886,", "1.000]", "n", "30"]


def test_a_part_that_is_called_like_a_row_forges_none(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        record(flow="support", variant="a\nb  9", input="q2", output="x", versions={"prompt": "3\nc  9"})
    run(capsys, "work", "--once")
    _, out, _ = run(capsys, "trends", "--by-variant", "--by-version")
    assert not any(line.startswith(("b  9", "c  9")) for line in out.splitlines())
    assert sum(line.startswith("a b  9 ") for line in out.splitlines()) == 2


def test_the_pinned_baseline_is_beside(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = '\n[suites.main]\ndataset = "cases.jsonl"\ntask = "app:answer"\nscorers = ["polite"]\n'
    (here / "gatewatch.toml").write_text(TOML + suite)
    (here / "app.py").write_text('def answer(question):\n    return "yes please"\n')
    (here / "cases.jsonl").write_text("".join(f'{{"input": "q{2 * n}"}}\n' for n in range(9)) + '{"input": "q1"}\n')
    traffic(here, 200)
    for words in (("work", "--once"), ("run", "main"), ("baseline", "pin", "main")):
        assert run(capsys, *words)[0] == 0, words
    (polite,) = (each for each in told(capsys)["scorers"] if each["scorer"] == "polite")
    found = polite["baseline"]
    assert (found["suite"], found["golden"]["mean"], found["golden"]["n"]) == ("main", 1.0, 9)
    assert found["interval"]["low"] < found["difference"] < found["interval"]["high"] < 0
    assert [(each["slice"], each["cases"]) for each in found["thin"]] == [("odd", 1)]
    lines = run(capsys, "trends")[1].splitlines()
    (line,) = (line for line in lines if line.startswith("polite  baseline main ("))
    assert " at this mix 1.000 [0.701, 1.000] · live is -" in line
    assert "  too thin to compare, 50.0% of traffic: odd (50.0%, 1 case)" in lines
