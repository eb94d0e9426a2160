"""Runs and one run: the list beside the baseline, two that are chosen and compared, tabs, progress."""

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from gatewatch.checks.runs import pushed
from gatewatch.core import codec
from gatewatch.offline.journal import Journal
from offline.joining import a_row, a_run, two_runs
from web.asking import axe
from web.browsing import Pages, browsing, open_server, ready, shot
from web.pages.hostile import TEXTS, hostile_runs

TABS = ("slices", "scorers", "errors", "config", "log")


@pytest.fixture(scope="module", params=["", "/x/y"], ids=["root", "prefix"])
def plain_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("plain")
    for number, path in enumerate(two_runs(folder / ".gatewatch" / "runs")):
        os.utime(path, (100 + number, 100 + number))
    with open_server(folder, prefix=request.param) as found:
        yield found.url


@pytest.fixture
def plain(browser: Browser, plain_url: str) -> Iterator[Pages]:
    with browsing(browser, plain_url) as found:
        yield found


@pytest.fixture(scope="module")
def hostile_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hostile")
    hostile_runs(folder / ".gatewatch" / "runs")
    with open_server(folder) as found:
        yield found.url


def names(page: Page) -> list[str]:
    return page.locator("[data-row] a.open").all_inner_texts()


class TestHead:
    def test_a_run_that_regressed_has_no_tick(self, pages: Pages) -> None:
        page = pages.open("/runs")
        page.get_by_role("link", name="rewrite").click()
        page.wait_for_url("**/runs/support-rewrite*")
        expect(page.locator(".state b.fail")).to_have_text("✕ the gate said REGRESSED")
        expect(page.locator(".state .pass")).to_have_count(0)
        strip = page.locator(".run-strip .scorers")
        assert strip.evaluate("it => it.scrollHeight <= it.clientHeight && it.scrollWidth <= it.clientWidth")


class TestList:
    def test_each_run_stands_beside_the_baseline(self, pages: Pages) -> None:
        page = pages.open("/runs")
        assert set(names(page)) == {"broken", "rewrite", "mended", "main"}
        main = page.locator("[data-row]", has_text="main")
        expect(main.get_by_text("pinned")).to_be_in_viewport()
        broken = page.locator("[data-row]", has_text="broken")
        expect(broken.locator(".delta.worse").first).to_contain_text("−20.0")
        risen = page.locator("[data-row]", has_text="mended").locator(".delta", has_text="+10.0").first
        expect(risen).to_have_class("delta unsure")  # of five scorers, and too few cases for that

    def test_two_are_selected_by_keys_and_compared(self, plain: Pages) -> None:
        page = plain.open("/runs")
        for key in ("j", "x", "j", "x", "c"):
            page.keyboard.press(key)
        page.wait_for_url("**/compare?**")
        expect(page.locator(".vs")).to_have_text("one → two")

    def test_without_a_selection_c_compares_with_what_was_before(self, plain: Pages) -> None:
        page = plain.open("/runs")
        page.keyboard.press("j")
        page.keyboard.press("c")
        page.wait_for_url("**/compare?candidate=two**")
        expect(page.locator(".vs")).to_have_text("one → two")

    def test_a_filter_narrows_and_an_export_is_what_is_shown(self, pages: Pages) -> None:
        page = pages.open("/runs")
        page.locator("[data-search]").fill("mend")
        expect(page.locator("[data-row]")).to_have_count(1)
        lines = httpx.get(f"{pages.url}/runs.csv?q=mend", timeout=60).text
        rows = list(csv.DictReader(io.StringIO(lines)))
        assert [row["name"] for row in rows] == ["mended"] and float(rows[0]["helpful.mean"]) > 0.9

    def test_a_row_opens_its_page(self, plain: Pages) -> None:
        page = plain.open("/runs")
        page.locator("[data-row]", has_text="two").click()
        page.wait_for_url("**/runs/two")

    def test_without_runs_it_says_how_to_make_some(self, browser: Browser, tmp_path: Path) -> None:
        with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
            page = pages.open("/runs")
            expect(page.locator(".empty")).to_contain_text("gatewatch run SUITE")
            axe(page)

    def test_runs_that_were_pushed_are_there_without_a_checkout(self, browser: Browser, tmp_path: Path) -> None:
        with open_server(tmp_path / "bot") as server:
            store = server.host._open("bot").store
            for path in two_runs(tmp_path / "elsewhere"):
                pushed(store, path.stem, path.read_bytes())
            with browsing(browser, server.url) as pages:
                page = pages.open("/runs")
                assert set(names(page)) == {"one", "two"}
                page = pages.open("/runs/two", page=page)
                expect(page.locator("[data-row]")).to_have_count(39)
                page = pages.open("/compare?baseline=one&candidate=two", page=page)
                expect(page.locator("[data-row]")).to_have_count(3)


class TestRun:
    def test_rows_open_with_what_scorers_said(self, plain: Pages) -> None:
        page = plain.open("/runs/two")
        assert names(page)[:2] == ["broke", "fell"]
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("o")
        expect(page.locator(".opened")).to_contain_text("within thirty weeks")
        page.locator(".chip", has_text="Errors").click()
        expect(page.locator("[data-row]")).to_have_count(2)

    @pytest.mark.parametrize(
        ("tab", "said"),
        [
            ("slices", "returns"),
            ("scorers", "passes at 0.750"),
            ("errors", "the app crashed"),
            ("config", "What differs from one"),
            ("log", "gatewatch show two"),
        ],
    )
    def test_tabs_are_addresses(self, plain: Pages, tab: str, said: str) -> None:
        page = plain.open("/runs/two")
        page.locator(".tabs").get_by_text(tab.title()).click()
        page.wait_for_url(f"**/runs/two/{tab}")
        expect(page.locator("main")).to_contain_text(said, ignore_case=True)

    def test_a_slice_leads_to_its_rows(self, plain: Pages) -> None:
        page = plain.open("/runs/two/slices")
        page.locator(".slices").get_by_role("link", name="returns", exact=True).click()
        page.wait_for_url("**slice=returns")
        assert set(names(page)) == {"slid", "rose"}

    def test_one_that_goes_on_shows_its_progress(self, browser: Browser, tmp_path: Path) -> None:
        runs = tmp_path / ".gatewatch" / "runs"
        runs.mkdir(parents=True)
        path = a_run(runs, "now", [a_row("now", f"c{n}") for n in range(3)], ended=False, dataset_cases=10)
        journal = Journal.resume(path)
        try:
            with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
                page = pages.open("/runs/now")
                expect(page.locator(".state")).to_contain_text("3 of 10 rows")
                with path.open("ab") as file:
                    file.write(codec.frame("row", codec.encode(a_row("now", "c3"))))
                expect(page.locator(".state")).to_contain_text("4 of 10 rows", timeout=15_000)
                listed = pages.open("/runs", page=page)
                expect(listed.locator("[data-row]")).to_contain_text("4")
        finally:
            journal.close()

    def test_an_export_has_every_trial(self, plain_url: str) -> None:
        lines = httpx.get(f"{plain_url}/runs/two/rows.jsonl?filter=failed").text.splitlines()
        rows = [json.loads(line) for line in lines[1:]]
        assert {row["id"] for row in rows} == {"broke", "fell"}
        assert next(row for row in rows if row["id"] == "broke")["error"] == "the app crashed"

    def test_what_is_not_there_is_said(self, plain: Pages) -> None:
        plain.expect("404")
        page = plain.context().new_page()
        for path in ("/runs/none", "/runs/two/none", "/runs/two/case/zzz"):
            page.goto(plain.url + path)
            expect(page.locator("main")).to_contain_text(
                ("there is no run", "a run has no", "there is no case")[
                    ("/runs/none", "/runs/two/none", "/runs/two/case/zzz").index(path)
                ]
            )


class TestForEverybody:
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_axe_finds_nothing(self, pages: Pages, theme: str) -> None:
        page = pages.open("/runs", theme=theme)  # type: ignore[arg-type]
        page.locator("details.over summary").click()
        axe(page)
        shot(page, f"runs-{theme}")
        page.locator("[data-row]", has_text="broken").click()
        page.wait_for_url("**/runs/support-broken**")
        ready(page)
        page.keyboard.press("j")
        page.keyboard.press("o")
        page.locator(".opened").wait_for()
        axe(page)
        shot(page, f"run-{theme}")
        root = page.url
        for tab in TABS if theme == "light" else ("slices",):
            page.goto(f"{root}/{tab}")
            ready(page)
            axe(page)
            shot(page, f"run-{tab}-{theme}")

    def test_it_can_be_read_without_scripts(self, browser: Browser, plain_url: str) -> None:
        with browsing(browser, plain_url, script=False) as pages:
            page = pages.open("/runs")
            for box in page.locator("[data-row] input").all():
                box.check()
            page.get_by_role("button", name="Compare").click()
            page.wait_for_url("**/compare?**")
            expect(page.locator(".vs")).to_have_text("one → two")

    @pytest.mark.parametrize("size", ["middle", "narrow"])
    def test_narrow_windows_do_not_scroll_sideways(self, pages: Pages, size: str) -> None:
        for path in ("/runs", "/runs/latest", "/runs/latest/slices", "/runs/latest/config"):
            page = pages.open(path, size=size)
            assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0, path
            shot(page, f"{path[1:].replace('/', '-')}-{size}")

    def test_every_text_is_text(self, browser: Browser, hostile_url: str) -> None:
        with browsing(browser, hostile_url) as pages:
            page = pages.open("/runs")
            assert page.locator("main script, main style, svg[onload]").count() == 0
            for tab in ("", *(f"/{each}" for each in TABS)):
                pages.open(f"/runs/wild{tab}", page=page)
                assert page.title() != "taken" and page.locator("main script, main style, svg[onload]").count() == 0
            pages.open("/runs/wild?sort=run", page=page)
            for _ in TEXTS:
                page.keyboard.press("j")
                page.keyboard.press("o")
            expect(page.locator(".opened .case")).to_have_count(len(TEXTS))
