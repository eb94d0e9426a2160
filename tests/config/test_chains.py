"""The chain of what was promoted, as far as store, files and runs have it."""

import json
from pathlib import Path

import pytest

from config.building import opened, problems, suite, write
from config.test_rebaselining import BUG, CASES, FIX, failing, gated, made, version
from config.test_rebaselining import project as promoted
from gatewatch.config.chains import Chain, Kind, chain_of, kind_of
from gatewatch.config.monitors import store_of
from gatewatch.core.change import Change
from gatewatch.core.review import Item, Label

STEPS = ["failure", "item", "label", "change", "case", "run", "baseline", "verdict", "audit"]
PROVENANCE = {
    "trace": "t1",
    "flow": "support",
    "failure": "F1",
    "failure_name": "shouts",
    "sign": "thumbs_down",
    "item": "I1",
    "scores": {"polite": 0.25},
    "labels": [{"by": "mia", "at": "2026-06-01T00:00:00Z", "value": 0.0}],
    "by": "jon",
    "at": "2026-06-02T00:00:00Z",
}


def project(folder: Path) -> Path:
    """A project whose open case was promoted from the failure F1, labelled, and is fixed by now."""
    promoted(folder)
    line = {"id": "x1", "input": "low please", "expected": "low please", "provenance": PROVENANCE}
    (folder / "cases.jsonl").write_text(CASES + json.dumps(line | {"open": {"until": "2999-01-01", "owner": "mia"}}))
    return folder


def kept(folder: Path) -> None:
    """What the store has of it."""
    failing(folder, brings=())
    store = store_of(opened(folder))
    item = Item(queue="failures", flow="support", trace="t1", failure=1, signs=("thumbs_down",), added=5.0)
    store.add_items([(item, b"{}")], 5.0)
    store.label(Label(item=1, by="mia", at=6.0, value=0.0), 6.0)
    body = {"case": {"id": "x1", "input": "low please"}, "into": ""}
    change = Change(key="k", kind="case", path="cases.jsonl", body=body, failure=1, trace="t1", by="jon", at=7.0)
    store.propose([change], 7.0)
    store.turn_change(1, "pulled", 8.0, where="laptop")
    store.note(7.0, "jon", "promote", "t1 C1 case x1 of cases.jsonl")
    store.note(7.5, "jon", "read", "t1")
    store.close()


def steps(found: Chain) -> list[str]:
    return list(dict.fromkeys(link.step for link in found.links))


def said(found: Chain, step: str) -> list[str]:
    return [" ".join(filter(None, (link.name, link.by, link.said))) for link in found.links if link.step == step]


@pytest.mark.parametrize(("name", "kind"), [("x1", "case"), ("F1", "failure"), ("I1", "item"), ("C1", "change")])
def test_the_whole_chain_from_either_end(tmp_path: Path, name: str, kind: Kind) -> None:
    folder = project(tmp_path)
    kept(folder)
    gated(version(folder, FIX))
    run = made(folder).run
    gated(version(folder, BUG))
    assert kind_of(opened(folder), name) == kind
    found = chain_of(opened(folder), name, kind)
    assert [step for step in steps(found) if step in STEPS] == STEPS
    assert said(found, "failure") == ["F1 mia shouts · thumbs_down · fixed, fixed (run " + run + ")"]
    assert said(found, "change") == [
        "C1 jon case for cases.jsonl: pulled since 1970-01-01T00:00:08Z by laptop",
    ]
    (case,) = said(found, "case")
    assert case.startswith("x1 jon ")
    assert "cases.jsonl:21: must pass, fixed 20" in case
    assert case.endswith(f"({run})")
    assert said(found, "verdict")[0].endswith("REGRESSED, blocked by it")
    assert f"{run} exact 1 1 1 1, must pass" in said(found, "baseline")
    assert [each for each in said(found, "audit") if each.startswith("read")] == []
    assert [each.split()[0] for each in said(found, "audit")] == ["promote", "fixed"]
    assert "request t1 is not in the store any more" in found.missing


def test_a_case_alone_tells_what_it_was_made_of(tmp_path: Path) -> None:
    found = chain_of(opened(project(tmp_path)), "x1", "case")
    assert [(link.step, link.name, link.at, link.by, link.said) for link in found.links][:4] == [
        ("trace", "t1", "", "", "support"),
        ("score", "polite", "", "", "0.25"),
        ("failure", "F1", "", "", "shouts · thumbs_down"),
        ("label", "I1", "2026-06-01T00:00:00Z", "mia", "0"),
    ]
    (case,) = said(found, "case")
    assert case.endswith("cases.jsonl:21: open until 2999-01-01, mia sees to it")
    assert found.missing == (
        "requests, failures, labels and changes, but for what cases say: there is no store here",
        "no run of main that had it is kept here",
        "the baseline of main does not have it yet",
    )
    assert not (tmp_path / ".gatewatch" / "gatewatch.db").exists()


def test_a_case_that_nobody_promoted(tmp_path: Path) -> None:
    found = chain_of(opened(project(tmp_path)), "c1", "case")
    assert steps(found) == ["case", "run", "baseline"]


def test_the_newest_ten_runs(tmp_path: Path) -> None:
    folder = project(tmp_path)
    for _ in range(11):
        gated(folder)
    found = chain_of(opened(folder), "x1", "case")
    assert (len(said(found, "run")), len(said(found, "verdict"))) == (10, 10)


def test_what_is_not_there(tmp_path: Path) -> None:
    folder = project(tmp_path)
    assert "there is no store here" in problems(lambda: chain_of(opened(folder), "F1", "failure"))[0]
    failing(folder)
    for name, kind in (("F9", "failure"), ("I9", "item"), ("C9", "change")):
        assert f"{name}: there is no such {kind}" in problems(lambda: chain_of(opened(folder), name, kind))[0]  # type: ignore[arg-type] # noqa: B023
    said = problems(lambda: chain_of(opened(folder), "x2", "case"))[0]
    assert "x2: is no case of a suite's dataset" in said
    assert kind_of(opened(folder), "x2") is None


def test_a_dataset_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    write(tmp_path, suite(head='[suites.other]\ndataset = "no.jsonl"\ntask = "app:answer"\nscorers = ["exact"]'))
    assert kind_of(opened(tmp_path), "a") == "case"
