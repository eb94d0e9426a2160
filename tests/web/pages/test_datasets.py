"""Datasets: looked through, audited, mended as a diff first, compared by version, held against live traffic."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from gatewatch.checks.runs import journal_of, pushed
from gatewatch.offline.dataset import open_dataset
from web.asking import axe
from web.browsing import Pages, browsing, open_server, ready, shot
from web.filled import filled_copy
from web.serving import served

TOML = """
[project]
name = "bot"
[suites.support]
dataset = "datasets/support.jsonl"
task = "replay:replies.jsonl"
scorers = ["exact"]
"""
HOSTILE = [
    "<script>document.title='taken'</script>",
    '"><svg onload=alert(1)>',
    "\u202egnp.exe\u202c",
    "\x1b[31mred\x1b[0m",
    "![a](http://elsewhere.example/x.png)",
]
SAME: list[dict[str, Any]] = [
    {"id": "a-1", "input": "How long may I return boots?", "expected": "30 days", "slice": "returns"},
    {"id": "a-2", "input": "how long may I return boots", "expected": "30 days", "slice": "returns"},
    {"id": "a-3", "input": "Where is my order 4711?", "expected": "on its way", "slice": "orders", "must_pass": True},
    {
        "id": "a-4",
        "input": {"messages": [{"role": "user", "content": "Is it open?"}]},
        "expected": {"answer": "till 8"},
    },
    {"id": "a-5", "input": "Do you ship to Norway?", "expected": "yes", "retired": "not any more"},
]


def lines_of(cases: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(case) + "\n" for case in cases)


def made(folder: Path, cases: list[dict[str, Any]]) -> Path:
    """A project with one dataset; gives its file."""
    path = folder / "datasets" / "support.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(lines_of(cases))
    (folder / "gatewatch.toml").write_text(TOML)
    return path


def git(folder: Path, *words: str) -> None:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, env=env)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return made(tmp_path, SAME)


@pytest.fixture
def own(browser: Browser, file: Path) -> Iterator[Pages]:
    """The pages over a small project that a test may change."""
    with open_server(file.parent.parent) as server, browsing(browser, server.url) as found:
        yield found


def audited(page: Page) -> None:
    page.get_by_role("button", name="Audit").click()
    expect(page.locator("#rows")).to_be_visible()


def test_a_case_is_found_and_opened_by_mouse(pages: Pages) -> None:
    page = pages.open("/datasets")
    page.locator("[data-row]").filter(has_text="support").click()
    page.wait_for_url("**/datasets/support")
    ready(page)
    expect(page.locator("#count")).to_have_text("60 cases")
    page.locator("[data-search]").fill("gift 11")
    expect(page.locator("#count")).to_have_text("1 of 60 cases")
    page.locator("[data-row]").click()
    expect(page.locator(".opened")).to_contain_text("What is left on my gift card")
    page.get_by_role("link", name="Whole case").click()
    ready(page)
    expect(page.locator("h1")).to_contain_text("/ gift-11")
    expect(page.locator(".chain")).to_contain_text("support-main")


def test_a_case_is_found_and_opened_by_keys_alone(pages: Pages) -> None:
    page = pages.open("/menu")
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/datasets")
    ready(page)
    for key in ("j", "o"):
        page.keyboard.press(key)
    page.wait_for_url("**/datasets/support")
    ready(page)
    page.keyboard.press("/")
    page.keyboard.type("guarantee")
    expect(page.locator("#count")).to_have_text("4 of 60 cases")
    page.keyboard.press("Escape")
    for key in ("j", "j", "o"):
        page.keyboard.press(key)
    expect(page.locator(".opened")).to_contain_text("two years")


def test_filters_choose_and_exports_are_what_is_chosen(own: Pages) -> None:
    page = own.open("/datasets/support?state=must_pass")
    expect(page.locator("#count")).to_have_text("1 of 5 cases")
    with page.expect_download() as got:
        page.get_by_text("Export").click()
        page.get_by_role("link", name="JSONL").click()
    head, *rows = [json.loads(line) for line in Path(got.value.path()).read_text().splitlines()]
    assert head["filter"]["state"] == "must_pass"
    assert [row["id"] for row in rows] == ["a-3"]


def test_the_id_of_a_case_leads_to_it(own: Pages) -> None:
    page = own.open("/datasets?q=a-4")
    expect(page.locator("h1")).to_contain_text("/ a-4")
    expect(page.locator(".turn")).to_contain_text("Is it open?")


def test_cases_are_gone_through_with_the_filter_kept(own: Pages) -> None:
    page = own.open("/datasets/support?slice=returns")
    page.locator("[data-row]").first.click()
    page.get_by_role("link", name="Whole case").click()
    ready(page)
    page.keyboard.press("]")
    page.wait_for_url("**id=a-2**")
    ready(page)
    expect(page.locator("a[rel=next]")).to_have_count(0)
    page.keyboard.press("[")
    page.wait_for_url("**id=a-1**")


def test_a_case_is_edited_as_a_diff_first(own: Pages, file: Path) -> None:
    page = own.open("/datasets/support/case?id=a-1")
    page.keyboard.press("e")
    page.wait_for_url("**edit=1")
    ready(page)
    page.locator("[name=expected]").fill("14 days")
    page.get_by_role("button", name="Show the change").click()
    ready(page)
    expect(page.locator("main ins").first).to_have_text("14")
    assert file.read_text() == lines_of(SAME)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status")).to_contain_text("Saved in datasets/support.jsonl")
    assert file.read_text() == lines_of([{**SAME[0], "expected": "14 days"}, *SAME[1:]])


def test_an_edit_that_cannot_be_is_told_and_kept(own: Pages) -> None:
    own.expect("422")
    page = own.open("/datasets/support/case?id=a-4&edit=1")
    page.locator("[name=expected]").fill("{not JSON")
    page.get_by_role("button", name="Show the change").click()
    ready(page)
    expect(page.get_by_role("alert")).to_contain_text("this is not JSON")
    expect(page.locator("[name=expected]")).to_have_value("{not JSON")


def test_an_edit_of_what_was_changed_meanwhile_is_refused(own: Pages, file: Path) -> None:
    own.expect("409")
    page = own.open("/datasets/support/case?id=a-1&edit=1")
    page.locator("[name=slice]").fill("boots")
    page.get_by_role("button", name="Show the change").click()
    ready(page)
    other = lines_of([{**SAME[0], "expected": "60 days"}, *SAME[1:]])
    file.write_text(other)
    page.get_by_role("button", name="Save in").click()
    expect(page.get_by_role("alert")).to_contain_text("changed by somebody else meanwhile")
    assert file.read_text() == other


def test_where_the_file_cannot_be_written_an_edit_is_a_patch(own: Pages, file: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("gatewatch.config.writable.os.access", lambda *_: False)
    page = own.open("/datasets/support/case?id=a-1&edit=1")
    page.locator("[name=retired]").fill("asked twice")
    page.get_by_role("button", name="Show the change").click()
    ready(page)
    expect(page.get_by_role("button", name="Save in")).to_have_count(0)
    with page.expect_download() as got:
        page.get_by_role("button", name="Download the patch").click()
    folder = file.parent.parent
    (folder / "p.patch").write_bytes(Path(got.value.path()).read_bytes())
    git(folder, "apply", "p.patch")
    assert [case.retired for case in open_dataset(file)][:2] == ["asked twice", ""]


def test_an_audit_is_made_and_what_it_proposes_is_shown_then_written(own: Pages, file: Path) -> None:
    page = own.open("/datasets/support/audit")
    audited(page)
    page.locator("[data-row]").filter(has_text="a-2").click()
    expect(page.locator(".opened")).to_contain_text("asks the same as a-1")
    page.get_by_role("link", name="Show the edit").click()
    ready(page)
    expect(page.locator(".patch ins")).to_contain_text("duplicate of a-1")
    assert file.read_text() == lines_of(SAME)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status")).to_contain_text("1 case edited")
    expect(page.locator(".done")).to_contain_text("done")
    assert [bool(case.retired) for case in open_dataset(file)] == [False, True, False, False, True]
    own.open("/datasets", page=page)
    expect(page.locator("[data-row]")).to_contain_text("changed since")


def test_an_audit_by_keys(own: Pages) -> None:
    page = own.open("/datasets/support/audit")
    page.keyboard.press("r")
    expect(page.locator("[data-row]").first).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.locator(".opened")).to_be_visible()
    page.keyboard.press("a")
    page.wait_for_url("**/audit/edits")


def test_versions_are_what_git_has_with_what_changed(own: Pages, file: Path) -> None:
    folder = file.parent.parent
    git(folder, "init", "-q")
    git(folder, "add", "datasets")
    git(folder, "commit", "-qm", "First cases")
    after = [{**SAME[0], "expected": "14 days"}, *SAME[1:4], {"id": "b-1", "input": "New?", "expected": "yes"}]
    file.write_text(lines_of(after))
    page = own.open("/datasets/support/versions")
    expect(page.locator(".version-list")).to_contain_text("First cases")
    expect(page.locator("#count")).to_have_text("3 cases differ")
    page.get_by_role("link", name="~ edited").click()
    expect(page.locator("#count")).to_have_text("1 case differs")
    page.locator("[data-row]").click()
    expect(page.locator(".opened del")).to_have_text("30")
    expect(page.locator(".opened ins")).to_have_text("14")


def test_versions_are_what_runs_had_too(browser: Browser, filled_project: Path, tmp_path: Path) -> None:
    folder = filled_copy(filled_project, tmp_path / "copy")
    path = folder / "datasets" / "support.jsonl"
    path.write_text(path.read_text().replace("Where is my order #10401?", "Where is my parcel #10401?"))
    with open_server(folder) as server, browsing(browser, server.url) as pages:
        page = pages.open("/datasets/support/versions")
        expect(page.locator(".version-list")).to_contain_text("In a run")
        expect(page.locator("#count")).to_have_text("1 case differs")
        page.locator("[data-row]").click()
        expect(page.locator(".opened ins")).to_have_text("parcel")


def test_coverage_holds_slices_against_live_traffic(pages: Pages) -> None:
    page = pages.open("/datasets/support/coverage")
    row = page.get_by_role("row").filter(has_text="gifts")
    expect(row).to_contain_text("[")
    expect(page.locator(".beside").first).to_be_visible()


def test_what_a_case_says_is_text(browser: Browser, tmp_path: Path) -> None:
    cases = [
        {
            "id": f"h-{n}",
            "input": f"{text} {n}",
            "expected": text,
            "slice": text.replace("\x1b", ""),
            "meta": {"m": text},
        }
        for n, text in enumerate(HOSTILE)
    ]
    cases.append({"id": "big", "input": "long " * 800_000, "expected": "short"})
    made(tmp_path, cases)
    with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
        page = pages.open("/datasets/support")
        expect(page.locator("#case-2")).to_contain_text("⟦U+202E⟧gnp.exe")
        for number in range(len(HOSTILE)):
            page.locator(f"#case-{number}").click()
        expect(page.locator(".opened")).to_have_count(len(HOSTILE))
        pages.open("/datasets/support/case?id=h-3&edit=1", page=page)
        expect(page.locator("main")).to_contain_text("⟦U+001B⟧[31mred")
        for path in ("case?id=h-0", "case?id=h-1", "coverage", "versions"):
            pages.open(f"/datasets/support/{path}", page=page)
            assert "taken" not in page.title()
            assert page.locator("main img, main svg:not(.beside, .outcomes, .icon)").count() == 0
        pages.open("/datasets/support/case?id=big", page=page)
        assert len(page.content()) < 200_000
        page.get_by_role("link", name="show all").click()
        expect(page.locator(".cut")).to_have_count(0, timeout=30_000)


def test_ten_thousand_cases_come_in_windows(browser: Browser, tmp_path: Path) -> None:
    made(tmp_path, [{"id": f"c-{n}", "input": f"question {n}", "expected": f"answer {n}"} for n in range(10_000)])
    with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
        page = pages.open("/datasets/support")
        expect(page.locator("[data-row]")).to_have_count(48)
        expect(page.locator("#count")).to_have_text("10,000 cases")
        assert len(page.content()) < 120_000
        page.locator("[data-search]").fill("question 9999")
        expect(page.locator("#count")).to_have_text("1 of 10,000 cases")


def test_it_works_without_scripts(browser: Browser, file: Path) -> None:
    folder = file.parent.parent
    with open_server(folder, prefix="/x/y") as server, browsing(browser, server.url, script=False) as pages:
        page = pages.open("/datasets/support")
        page.locator("[data-search]").fill("boots")
        page.locator("[data-search]").press("Enter")
        expect(page.locator("[data-row]")).to_have_count(2)
        page.locator("a.open").first.click()
        expect(page.locator("h1")).to_contain_text("a-1")
        page.get_by_role("link", name="Audit").click()
        page.get_by_role("button", name="Audit support").click()
        expect(page.locator("main")).to_contain_text("asks the same as a-1")  # it is loaded again by itself
        page.locator("a.open").first.click()
        page.get_by_role("link", name="Show the edit").click()
        page.get_by_role("button", name="Write into").click()
        expect(page.locator("main")).to_contain_text("1 case edited")
        assert "/x/y/datasets/support/audit" in page.url


def test_who_may_only_read_sees_no_acts_and_is_refused(browser: Browser, file: Path) -> None:
    with served(file.parent.parent, TOML, names=None) as server, server.client(server.token("read")) as client:
        assert client.get("/datasets/support").status_code == 200
        assert "Edit" not in client.get("/datasets/support/case?id=a-1").text
        assert "Audit support</button>" not in client.get("/datasets/support/audit").text
        assert client.post("/datasets/support/audit", data={"csrf": "x"}).status_code == 403


def test_without_datasets_or_a_checkout_it_says_so(browser: Browser, tmp_path: Path) -> None:
    with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
        pages.expect("404")
        page = pages.open("/datasets")
        expect(page.get_by_text("No dataset yet")).to_be_visible()
        shot(page, "datasets-empty")
        axe(page)
        pages.open("/datasets/nothing", page=page)
        expect(page.get_by_role("alert")).to_contain_text("there is no dataset 'nothing'")


def test_a_dataset_that_is_broken_says_where(browser: Browser, tmp_path: Path) -> None:
    made(tmp_path, SAME).write_text('{"id": "a"}\n')
    with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
        pages.expect("422")
        page = pages.open("/datasets")
        expect(page.locator("[data-row]")).to_contain_text("cannot be read")
        pages.open("/datasets/support", page=page)
        expect(page.get_by_role("alert")).to_contain_text("input")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(pages: Pages, own: Pages, theme: Any) -> None:
    for size in ("wide", "middle", "narrow"):
        for name, path in (
            ("datasets", "/datasets"),
            ("dataset-cases", "/datasets/support"),
            ("dataset-case", "/datasets/support/case?id=ord-03"),
            ("dataset-case-edit", "/datasets/support/case?id=ord-03&edit=1"),
            ("dataset-versions", "/datasets/support/versions"),
            ("dataset-coverage", "/datasets/support/coverage"),
        ):
            page = pages.open(path, theme=theme, size=size)
            if name == "dataset-cases":
                page.locator("#case-1").click()
                expect(page.locator(".opened")).to_be_visible()
            assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
            shot(page, f"{name}-{size}-{theme}")
            axe(page)
            page.context.close()
        page = own.open("/datasets/support/audit", theme=theme, size=size)
        audited(page)
        page.locator("[data-row]").first.click()
        expect(page.locator(".opened")).to_be_visible()
        shot(page, f"dataset-audit-{size}-{theme}")
        axe(page)
        own.open("/datasets/support/audit/edits", page=page)
        shot(page, f"dataset-edits-{size}-{theme}")
        axe(page)
        page.context.close()


def test_where_there_is_only_a_store_datasets_are_known_by_runs(tmp_path: Path) -> None:
    run = "main-20261126-101010-abcd"
    with (
        served(made(tmp_path, SAME).parent.parent, TOML, names=None) as server,
        server.client(server.token("read", project="other")) as client,
    ):
        assert "No dataset yet" in client.get("/datasets").text
        assert client.get("/datasets/support").status_code == 404
        assert "did live" in client.get("/scorers").text
        pushed(server.host._open("other").store, run, journal_of(run, 3000))
        listed = client.get("/datasets").text
        assert "in 1 run<" in listed
        assert "Their files are in the checkout" in listed
        assert client.get("/scorers/short").status_code == 404
