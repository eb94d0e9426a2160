"""What was sent by chance (upstream sampling), as the commands that look at live traffic tell it."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.building import run
from cli.traffic import TOML, project
from gatewatch.core.clock import wall
from gatewatch.core.money import Cost
from gatewatch.core.rates import u_of
from gatewatch.core.trace import Fault, Trace
from gatewatch.store.open import open_store
from gatewatch.store.rows import Arrival, Arrivals, Spent


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return project(tmp_path)


def sent(folder: Path, share: float, number: int = 100) -> None:
    """Requests are taken in, of which the tenth that failed were all sent, and the others with a share."""
    store, now = open_store(folder / ".gatewatch" / "gatewatch.db"), wall()
    arrivals = []
    for n in range(number):
        failed = n % 10 == 9
        trace = Trace(
            id=f"{n:032x}",
            flow="support",
            input=f"q{n}",
            output=None if failed else "yes please",
            error=Fault("no") if failed else None,
            slice="odd" if n % 2 else "even",
            latency_s=1.0,
            cost=None if failed else Cost(0.002),
        )
        spent = () if failed else (Spent("app-1", 1, 0.002),)
        arrivals.append(Arrival(trace, b"", now, u_of("", trace.id), 0, spent, 1.0 if failed else share))
    store.take_in(Arrivals(tuple(arrivals)), now)
    store.close()


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code, out, _ = run(capsys, *words, "--json")
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


def test_counts_are_estimates_and_say_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent(here, 0.25)
    lines = run(capsys, "trends", "support")[1].splitlines()
    assert lines[1].startswith("about 370 requests [311, 440] (100 sent, 27%) · errors 2.70% [1.28%, 5.64%] · 0 timed")
    assert lines[3] == "cost  $0.720 ($0.00200 a request), unknown of 10 · tokens 0 in, 0 out"
    signals = told(capsys, "trends", "support")["flows"][0]["signals"]
    assert (signals["n"], signals["requests"]["value"], signals["unknown_cost"]) == (100, 370, 10)
    assert signals["errors"]["mean"] == pytest.approx(10 / 370)


def test_where_all_was_sent_nothing_is_said_of_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent(here, 1.0)
    flow = told(capsys, "trends", "support")["flows"][0]
    assert "requests" not in flow["signals"] and "requests" not in flow["points"][0][1]
    assert run(capsys, "trends", "support")[1].splitlines()[1].startswith("100 requests · errors 10.00%")
    assert "sampled" not in told(capsys, "costs")
    assert all("sent" not in each for each in told(capsys, "trends", "support", "--slices")["flows"]["support"])
    out = run(capsys, "why", f"{1:032x}")[1]
    assert "sent" not in out and "below pi\n" in out
    assert all("sent" not in each for each in told(capsys, "why", f"{1:032x}")["entries"])


def test_slices_are_of_all_traffic(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent(here, 0.25)
    even, odd = told(capsys, "trends", "support", "--slices")["flows"]["support"]
    assert (even["slice"], even["requests"], even["sent"]) == ("even", 200, 50)
    assert (odd["slice"], odd["requests"], odd["sent"]) == ("odd", 170, 50)
    assert even["share"] == pytest.approx(200 / 370)
    assert "~200" in run(capsys, "trends", "support", "--slices")[1]


def test_costs_are_what_was_sent_and_about_what_all_of_it_cost(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent(here, 0.25)
    lines = run(capsys, "costs")[1].splitlines()
    assert lines[-2:] == [
        "in all $0.180",
        "support: 100 of about 370 requests were sent (upstream sampling); all of them cost about $0.720, "
        "unknown of about 10",
    ]
    found = told(capsys, "costs")
    assert found["sampled"] == [{"flow": "support", "sent": 100, "requests": 370, "cost": 0.72, "unknown": 10}]


def test_why_tells_both_factors(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "gatewatch.toml").write_text(TOML)
    sent(here, 0.25)
    run(capsys, "work", "--once")
    sampled_out = next(n for n in range(100) if u_of("", f"{n:032x}") >= 0.3 and n % 10 != 9)
    out = run(capsys, "why", f"{sampled_out:032x}")[1]
    assert "  sent        with probability 0.25, by upstream sampling: it stands for 4\n" in out
    assert ": it is scored where this is below pi over that of being sent\n" in out
    assert "  polite  sampled out  pi 0.075 = 0.3 x 0.25 sent  (share 0.3)\n" in out
    entries = {each["scorer"]: each for each in told(capsys, "why", f"{sampled_out:032x}")["entries"]}
    assert (entries["polite"]["pi"], entries["polite"]["sent"]) == (pytest.approx(0.075), 0.25)


def test_the_smallest_share_there_is_breaks_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent(here, 2.0**-62)
    assert told(capsys, "trends", "support")["flows"][0]["signals"]["requests"]["value"] > 1e20
    for words in (("trends", "support"), ("trends", "--slices"), ("costs",), ("why", f"{1:032x}")):
        assert run(capsys, *words)[0] == 0
        if words != ("trends", "support"):
            told(capsys, *words)
