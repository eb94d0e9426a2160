"""Promoting at a page: seen as a difference, held against the dataset, written to the file or left for git."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from cli.labelling import asked, reviewed, the_store, waiting
from gatewatch.core.review import Label
from gatewatch.offline.dataset import open_dataset
from web.asking import axe
from web.browsing import Pages, browsing, open_server, ready, shot
from web.pages.test_review import HOSTILE, called

SUITE = '\n[suites.main]\ndataset = "cases.jsonl"\ntask = "app:answer"\nscorers = ["exact"]\n'
CASE = '{"id": "a", "input": "How long may I take to send it back?", "expected": "30 days"}\n'


def a_project(folder: Path) -> Path:
    """A project with a suite of one case."""
    reviewed(folder)
    (folder / "cases.jsonl").write_text(CASE)
    with (folder / "gatewatch.toml").open("a") as file:
        file.write(SUITE)
    return folder


def wrong(folder: Path, number: int, text: str, expected: str | None = "30 days", **fields: Any) -> None:
    """A request that a reviewer found wrong."""
    (item,) = waiting(folder, asked(number, input=text, output="14 days"), **{"slice": "de", **fields})
    with the_store(folder) as store:
        store.label(Label(item=item, by="ana", at=1.0, value=0.0, expected=expected), 1.0)


def case_ids(folder: Path) -> list[str]:
    return [case.input if isinstance(case.input, str) else "" for case in open_dataset(folder / "cases.jsonl")]


@contextmanager
def form(
    browser: Browser, folder: Path, *what: str, prefix: str = "", script: bool = True
) -> Iterator[tuple[Pages, Page]]:
    """The form over some requests."""
    with open_server(folder, prefix=prefix) as server, browsing(browser, server.url, script=script) as pages:
        page = called(pages, "ana").new_page()
        pages.open("/failures/promote?" + "&".join(f"what={name}" for name in what), page=page)
        yield pages, page


def test_several_are_promoted_by_the_mouse(browser: Browser, tmp_path: Path) -> None:
    project = a_project(tmp_path)
    wrong(project, 1, "May I return a gift?")
    wrong(project, 2, "Do you ship to Graz?", expected=None)
    with form(browser, project, "I1", "I2") as (_, page):
        first, second = page.locator(".entry").all()
        expect(first.get_by_label("Expected")).to_have_value("30 days")
        expect(first.locator(".was")).to_contain_text("14 days")
        expect(second.get_by_label("Expected")).to_have_value("")
        expect(second.get_by_role("checkbox", name="I2")).not_to_be_checked()
        first.get_by_label("Slice").fill("returns")
        first.get_by_label("Owner").fill("mia")
        second.get_by_label("Expected").fill("Yes.")
        expect(second.get_by_role("checkbox", name="I2")).to_be_checked()
        second.get_by_label("Must pass from the start").check()
        first.get_by_text("Where it comes from").click()
        expect(first.locator("details[open]")).to_contain_text('"item": "I1"')
        shot(page, "promote")
        page.get_by_role("button", name="Promote").click()
        ready(page)
        expect(page.locator(".done")).to_contain_text("cases.jsonl:2")
        expect(page.locator(".done")).to_contain_text("must pass")
    _, one, two = open_dataset(project / "cases.jsonl")
    assert (one.expected, one.slice, one.must_pass, two.expected, two.must_pass) == (
        "30 days",
        "returns",
        False,
        "Yes.",
        True,
    )
    assert one.open is not None and one.open.owner == "mia" and one.provenance["by"] == "ana"
    with the_store(project) as store:
        assert [(each.state, each.kind) for each in store.changes()] == [("pulled", "case")] * 2


def test_an_answer_that_was_found_wrong_is_not_what_is_expected(browser: Browser, tmp_path: Path) -> None:
    project = a_project(tmp_path)
    wrong(project, 1, "May I return a gift?", expected=None)
    wrong(project, 2, "Do you ship to Graz?", expected=None)
    with form(browser, project, "I1", "I2") as (pages, page):
        pages.expect("422")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("alert")).to_contain_text("None is ticked")
        first = page.locator(".entry").first
        expect(first.locator(".unsaid")).to_contain_text("Nobody has said what is right yet")
        first.get_by_role("button", name="Start from the answer").click()
        expect(first.get_by_label("Expected")).to_have_value("14 days")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("alert")).to_contain_text("None is ticked")
    with form(browser, project, "I1", script=False) as (pages, page):
        pages.expect("422")
        page.get_by_role("button", name="Promote").click()
        expect(page.get_by_role("alert")).to_contain_text("I1 no scorer of suite main could say anything of it")
    with form(browser, project, "I1") as (pages, page):
        pages.expect("422")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("alert")).to_contain_text("I1")
    assert (project / "cases.jsonl").read_text() == CASE


def test_one_is_promoted_by_keys_alone_and_twice_is_once(browser: Browser, tmp_path: Path) -> None:
    project = a_project(tmp_path)
    wrong(project, 1, "May I return a gift?")
    for said in ("is a new case", "was asked already by"):
        with form(browser, project, "I1") as (_, page):
            page.keyboard.press("Control+Enter")
            expect(page.locator(".done")).to_contain_text(said)
    assert case_ids(project) == ["How long may I take to send it back?", "May I return a gift?"]


def test_what_is_nearly_there_is_shown_before_and_has_to_be_decided(browser: Browser, tmp_path: Path) -> None:
    project = a_project(tmp_path)
    wrong(project, 1, "How long may I take to send it back", expected="14 days")
    wrong(project, 2, "How long may I take to send them back?")
    with form(browser, project, "I1", "I2") as (pages, page):
        pages.expect("422")
        same, near = page.locator(".entry").all()
        expect(same.locator(".alike")).to_contain_text("asks this already")
        expect(same.locator(".alike")).to_contain_text("line 1")
        expect(near.locator(".alike")).to_contain_text("asks nearly this")
        near.get_by_label("A case of its own").check()
        expect(near.get_by_role("checkbox", name="I2")).to_be_checked()
        same.get_by_role("checkbox", name="I1").check()
        page.get_by_role("button", name="Promote").click()
        expect(page.locator(".entry")).to_have_count(1)  # the other is done
        expect(page.get_by_role("alert")).to_contain_text("asks the same, and expects '30 days', not '14 days'")
        page.get_by_label("Merge into a:").check()
        page.get_by_role("button", name="Promote").click()
        expect(page.locator(".done")).to_contain_text("is merged into")
    first, second = open_dataset(project / "cases.jsonl")
    assert (first.id, first.expected, second.input) == ("a", "14 days", "How long may I take to send them back?")


def test_where_the_file_may_not_be_written_it_waits_for_git(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatewatch.config import promoting
    from gatewatch.core.errors import Problem
    from gatewatch.offline.dataset_edit import NotWritable

    def refuse(*_: object) -> None:
        raise NotWritable(Problem("cases.jsonl", "may not be written"))

    monkeypatch.setattr(promoting, "apply", refuse)
    monkeypatch.setattr("os.access", lambda *_: False)
    project = a_project(tmp_path)
    wrong(project, 1, "May I return a gift?")
    with form(browser, project, "I1") as (pages, page):
        expect(page.locator(".bar").first).to_contain_text("changes for git")
        page.get_by_role("button", name="Promote").click()
        expect(page.locator(".done")).to_contain_text("it waits for a checkout")
        pages.open("/failures/changes", page=page)
        expect(page.locator("[data-row]")).to_contain_text("waiting")
    assert (project / "cases.jsonl").read_text() == CASE


def test_what_was_not_found_wrong_says_so(browser: Browser, tmp_path: Path) -> None:
    project = a_project(tmp_path)
    waiting(project, asked(1), slice="de")
    with form(browser, project, "F9") as (_, page):
        expect(page.get_by_role("alert")).to_contain_text("there is no such failure")
    with form(browser, project, "I1", script=False, prefix="/x/y") as (pages, page):
        pages.expect("422")
        page.get_by_label("Expected").fill("")
        page.get_by_role("button", name="Promote").click()
        expect(page.get_by_role("alert")).to_contain_text("is not labelled yet")
        page.get_by_label("Expected").fill("{}")
        page.get_by_role("button", name="Promote").click()
        expect(page.get_by_role("alert")).to_contain_text("is an empty object")
        page.get_by_label("Expected").fill("what is right")
        page.get_by_role("button", name="Promote").click()
        expect(page.locator(".done")).to_contain_text("is a new case")


def test_everybody_can_use_it_and_what_is_hostile_is_text(browser: Browser, tmp_path: Path) -> None:
    project = a_project(tmp_path)
    wrong(project, 1, HOSTILE, expected=HOSTILE, slice=HOSTILE)
    wrong(project, 2, "How long may I take to send them back?")
    for theme in ("light", "dark"):
        with open_server(project) as server, browsing(browser, server.url) as pages:
            page = called(pages, "ana", theme=theme).new_page()
            pages.open("/failures/promote?what=I1&what=I2", page=page)
            axe(page)
            assert page.locator("main script, main svg[onload], main img").count() == 0
            expect(page.locator(".was").first).to_contain_text("14 days")
            expect(page.locator(".entry").first).to_contain_text("<script>alert(1)</script>")
            narrow = called(pages, "ana", theme=theme, size="narrow").new_page()
            pages.open("/failures/promote?what=I1&what=I2", page=narrow)
            axe(narrow)
            assert narrow.evaluate("document.documentElement.scrollWidth <= innerWidth")
