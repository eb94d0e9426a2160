"""Compare: from a verdict to the case that fell, by mouse and by keys; what is decided there; what must not be."""

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from gatewatch.offline.accept import FILE
from gatewatch.offline.baseline import make_baseline, write_baseline
from gatewatch.offline.outcomes import read_run
from offline.joining import BEFORE, a_row, a_run, two_runs
from web.asking import axe
from web.browsing import Pages, browsing, open_server, ready, shot
from web.filled import filled_copy
from web.pages.hostile import TEXTS, hostile_runs
from web.serving import served

BROKEN = "/compare?candidate=broken"


@pytest.fixture(scope="module", params=["", "/x/y"], ids=["root", "prefix"])
def plain_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over two small runs in which every kind of row is known."""
    folder = tmp_path_factory.mktemp("plain")
    for number, path in enumerate(two_runs(folder / ".gatewatch" / "runs")):
        os.utime(path, (100 + number, 100 + number))
    alike = {**BEFORE, **{f"c{n:02}": {} for n in range(30)}}
    rows = [a_row("three", case, **about) for case, about in alike.items()]
    os.utime(a_run(folder / ".gatewatch" / "runs", "three", rows), (50, 50))
    with open_server(folder, prefix=request.param) as found:
        yield found.url


@pytest.fixture
def plain(browser: Browser, plain_url: str) -> Iterator[Pages]:
    with browsing(browser, plain_url) as found:
        yield found


def cases(page: Page) -> list[str]:
    return page.locator("[data-row] a.open").all_inner_texts()


class TestByMouse:
    def test_from_the_verdict_to_the_word_that_changed(self, plain: Pages) -> None:
        page = plain.open("/compare")
        expect(page.locator(".verdict")).to_contain_text("Undecided")
        assert cases(page) == ["broke", "fell", "slid"]
        page.locator("[data-row]", has_text="fell").click()
        opened = page.locator(".opened")
        expect(opened.locator("del")).to_have_text("days")
        expect(opened.locator("ins")).to_have_text("weeks")
        expect(opened.locator(".rationales tbody tr")).to_have_count(2)

    def test_a_filter_shows_its_rows_and_is_in_the_address(self, plain: Pages) -> None:
        page = plain.open("/compare")
        page.locator(".chip", has_text="Improved").click()
        expect(page.locator("[data-row]")).to_have_count(1)
        assert cases(page) == ["rose"] and "filter=improved" in page.url
        page.locator("select[name=slice]").select_option("returns")
        expect(page.locator(".chip[aria-current]")).to_have_text("▲ Improved 1")
        page.reload()
        ready(page)
        assert cases(page) == ["rose"]

    def test_the_counts_of_a_scorer_are_filters(self, plain: Pages) -> None:
        page = plain.open("/compare")
        page.locator(".scorers tr", has_text="exact").get_by_text("▼ 2").click()
        expect(page.locator("[data-row]")).to_have_count(2)
        assert "scorer=exact" in page.url

    def test_a_search_narrows_while_it_is_typed(self, plain: Pages) -> None:
        page = plain.open("/compare?filter=all")
        page.locator("[data-search]").press_sequentially("thirty weeks")
        expect(page.locator("[data-row]")).to_have_count(1)
        expect(page.locator("[data-search]")).to_be_focused()

    def test_a_link_to_a_case_leads_back_to_it(self, plain: Pages) -> None:
        page = plain.open("/compare")
        page.locator("[data-row]", has_text="fell").click()
        page.locator(".opened").get_by_text("Page", exact=True).click()
        page.locator("ins").wait_for()
        assert "/compare/case/fell" in page.url and "candidate=two" in page.url
        page.get_by_text("Next", exact=True).click()
        expect(page.locator(".case-head")).to_contain_text("slid")

    def test_the_next_window_comes_at_the_end(self, pages: Pages) -> None:
        page = pages.open(f"{BROKEN}&filter=all")
        expect(page.locator("[data-row]")).to_have_count(48)
        page.locator("a[data-more]").scroll_into_view_if_needed()
        expect(page.locator("#rows > [data-row]")).to_have_count(60)
        assert len(set(cases(page))) == 60 and page.locator("a[data-more]").count() == 0


class TestByKeys:
    def test_the_next_regression_opens_and_its_view_turns(self, plain: Pages) -> None:
        page = plain.open("/compare")
        page.keyboard.press("n")
        expect(page.locator(".opened")).to_contain_text("the app crashed")
        page.keyboard.press("n")
        expect(page.locator(".opened ins")).to_have_text("weeks")
        expect(page.locator(".opened")).to_have_count(1)
        page.keyboard.press("s")
        expect(page.locator(".opened [data-do=s]")).to_have_text("inline")
        page.keyboard.press("w")
        expect(page.locator(".opened [data-do=w]")).to_have_text("by line")
        page.keyboard.press("w")
        expect(page.locator(".opened [data-do=w]")).to_have_text("by char")
        page.keyboard.press("N")
        expect(page.locator(".opened")).to_contain_text("the app crashed")
        page.keyboard.press("Escape")
        expect(page.locator(".opened")).to_have_count(0)

    def test_the_way_of_looking_is_kept(self, plain: Pages) -> None:
        page = plain.open("/compare")
        page.keyboard.press("n")
        page.keyboard.press("n")
        page.locator(".opened ins").wait_for()
        page.keyboard.press("s")
        expect(page.locator(".opened [data-do=s]")).to_have_text("inline")
        page.keyboard.press("n")
        expect(page.locator(".opened")).to_contain_text("slid")
        expect(page.locator(".opened [data-do=s]")).to_have_text("inline")

    def test_the_sheet_names_the_keys(self, plain: Pages) -> None:
        page = plain.open("/compare")
        page.keyboard.press("?")
        expect(page.locator("dialog.sheet")).to_contain_text("Next regression")

    def test_a_command_is_copied(self, plain: Pages) -> None:
        page = plain.open("/compare")
        page.keyboard.press("n")
        expect(page.locator(".opened [data-do=r]")).to_have_attribute(
            "data-copy", "gatewatch run support --case broke --trials 5"
        )
        page.keyboard.press("r")
        expect(page.locator(".toast")).to_have_text("Copied")


class TestDeciding:
    @pytest.fixture
    def own(self, browser: Browser, filled_project: Path, tmp_path: Path) -> Iterator[tuple[Pages, Path]]:
        folder = filled_copy(filled_project, tmp_path / "own")
        with open_server(folder) as server, browsing(browser, server.url) as found:
            yield found, folder

    def test_a_change_is_accepted_by_keys_and_listed(self, own: tuple[Pages, Path]) -> None:
        pages, folder = own
        page = pages.open(BROKEN)
        page.keyboard.press("n")
        page.locator(".opened").wait_for()
        case = cases(page)[0]
        page.keyboard.press("b")
        page.locator(".opened textarea").focus()
        page.keyboard.type("the ledger is gone for good")
        page.locator(".opened input[name=owner]").fill("mia")
        page.keyboard.press("Enter")
        expect(page.locator(".note")).to_contain_text(FILE)
        expect(page.locator(".case-head")).to_contain_text("the ledger is gone for good")
        written = (folder / FILE).read_text()
        assert f'case = "{case}"' in written and 'owner = "mia"' in written

    def test_what_cannot_be_written_waits_in_the_outbox(
        self, own: tuple[Pages, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatewatch.config.deciding.may_write", lambda _: False)
        pages, folder = own
        page = pages.open(BROKEN)
        page.keyboard.press("n")
        page.locator(".opened").wait_for()
        page.keyboard.press("b")
        page.locator(".opened textarea").fill("right now")
        page.locator(".opened input[name=owner]").fill("mia")
        page.locator(".opened").get_by_role("button", name="Accept", exact=True).click()
        expect(page.locator(".note")).to_contain_text("gatewatch pull")
        assert not (folder / FILE).exists()

    def test_a_run_becomes_the_baseline_with_a_reason(self, own: tuple[Pages, Path]) -> None:
        pages, folder = own
        page = pages.open("/compare?candidate=mended")
        page.get_by_text("Accept as baseline").first.click()
        page.locator("form[action$='/compare/baseline'] textarea").fill("it is mended")
        page.locator("form[action$='/compare/baseline'] button").click()
        expect(page.locator(".note")).to_contain_text("Pinned as the baseline")
        header = json.loads((folder / "baselines" / "support.jsonl").read_text().splitlines()[0])
        assert "mended" in header["run"] and header["reason"].startswith("it is mended")

    def test_who_may_only_read_decides_nothing(self, filled_project: Path, tmp_path: Path) -> None:
        folder = filled_copy(filled_project, tmp_path / "read")
        with served(folder, (folder / "gatewatch.toml").read_text()) as server:
            client = server.client(server.token("read", "shop"))
            html = client.get("/compare?candidate=broken", headers={"accept": "text/html"}).text
            said = client.post("/compare/accept", data={"case": "ord-00"})
            client.close()
        assert "Other runs" in html and "Accept as baseline" not in html
        assert said.status_code == 403


class TestStates:
    def test_nothing_moved_says_what_could_have_been_seen(self, browser: Browser, tmp_path: Path) -> None:
        runs = tmp_path / ".gatewatch" / "runs"
        runs.mkdir(parents=True)
        for name, at in (("one", 100), ("two", 200)):
            os.utime(a_run(runs, name, [a_row(name, f"c{n}") for n in range(40)]), (at, at))
        with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
            page = pages.open("/compare")
            expect(page.locator(".empty")).to_contain_text("Nothing moved")
            expect(page.locator(".empty")).to_contain_text("smallest fall that 40 pairs would show")
            axe(page)

    def test_runs_of_other_cases_say_why_they_cannot_be_compared(self, browser: Browser, tmp_path: Path) -> None:
        runs = tmp_path / ".gatewatch" / "runs"
        runs.mkdir(parents=True)
        for name, at in (("one", 0), ("two", 30)):
            os.utime(a_run(runs, name, [a_row(name, f"c{n}") for n in range(at, at + 40)]), (100 + at, 100 + at))
        with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
            page = pages.open("/compare")
            expect(page.locator(".verdict")).to_contain_text("Not comparable the two runs cannot be compared: another")
            page.get_by_text("60 are new, changed or gone").click()
            expect(page.locator("[data-row]")).to_have_count(48)

    def test_rows_are_as_high_as_their_reader_likes(self, pages: Pages) -> None:
        page = pages.open(f"{BROKEN}&filter=all")
        heights = []
        for _ in range(3):
            box = page.locator("[data-row]").first.bounding_box()
            assert box is not None
            heights.append(round(box["height"]))
            page.keyboard.press("d")
            ready(page)
        assert heights[:2] == [32, 64]

    def test_without_runs_it_says_how_to_make_some(self, browser: Browser, tmp_path: Path) -> None:
        with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
            page = pages.open("/compare")
            expect(page.locator(".empty")).to_contain_text("gatewatch run SUITE")
            axe(page)

    def test_more_than_two_runs_are_a_table(self, plain: Pages) -> None:
        page = plain.open("/compare?run=one&run=two&run=three")
        expect(page.locator(".matrix tbody tr")).to_have_count(3)
        expect(page.locator(".matrix")).to_contain_text("▼ 2")
        axe(page)

    def test_a_pinned_baseline_is_chosen_by_itself(self, browser: Browser, tmp_path: Path) -> None:
        one, two = two_runs(tmp_path / ".gatewatch" / "runs")
        os.utime(two, (2**31, 2**31))
        write_baseline(tmp_path / "baselines" / "support.jsonl", *make_baseline(read_run(one)))
        with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
            page = pages.open("/compare")
            expect(page.locator(".vs")).to_contain_text("the pinned baseline")
            page.keyboard.press("n")
            page.keyboard.press("n")
            expect(page.locator(".opened ins")).to_have_text("weeks")

    def test_what_is_not_there_is_said(self, plain: Pages) -> None:
        plain.expect("404")
        page = plain.context().new_page()
        page.goto(f"{plain.url}/compare/case/zzz?baseline=one&candidate=two")
        expect(page.locator("main")).to_contain_text("there is no case")


class TestForEverybody:
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_axe_finds_nothing(self, pages: Pages, theme: str) -> None:
        page = pages.open(BROKEN, theme=theme)  # type: ignore[arg-type]
        page.keyboard.press("n")
        page.locator(".opened").wait_for()
        axe(page)
        shot(page, f"compare-{theme}")

    def test_it_can_be_read_without_scripts(self, browser: Browser, plain_url: str) -> None:
        with browsing(browser, plain_url, script=False) as pages:
            page = pages.open("/compare")
            page.locator(".chip", has_text="Improved").click()
            page.wait_for_url("**filter=improved**")
            assert cases(page) == ["rose"]
            page.locator("select[name=sort]").select_option("cost")
            page.locator("[data-search]").fill("thirty")
            page.keyboard.press("Enter")
            page.wait_for_url("**q=thirty**")
            assert cases(page) == ["rose"]
            page.locator("[data-row] a.open").click()
            expect(page.locator("ins").first).to_be_visible()

    @pytest.mark.parametrize("size", ["middle", "narrow"])
    def test_narrow_windows_do_not_scroll_sideways(self, pages: Pages, size: str) -> None:
        page = pages.open(BROKEN, size=size)
        width = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert width <= 0
        shot(page, f"compare-{size}")

    def test_the_table_begins_high(self, pages: Pages) -> None:
        page = pages.open("/compare?candidate=mended")
        box = page.locator(".columns").bounding_box()
        assert box is not None and box["y"] <= 260  # five scorers, all of them seen

    def test_the_strip_cuts_no_scorer_off(self, pages: Pages) -> None:
        page = pages.open("/compare?candidate=broken")
        strip = page.locator(".scorers")
        assert strip.evaluate("it => it.scrollHeight <= it.clientHeight && it.scrollWidth <= it.clientWidth")
        expect(strip.locator("tr", has_text="helpful")).to_contain_text("p (Holm)")
        expect(strip.locator("tr", has_text="tool_calls")).not_to_contain_text("p (Holm)")  # no case moved
        expect(page.get_by_text("gifts · helpful")).to_be_visible()

    def test_a_column_that_says_nothing_leaves_its_room_to_texts(self, pages: Pages) -> None:
        page = pages.open("/compare?candidate=broken")  # each answer took less than a millisecond
        expect(page.get_by_role("columnheader", name="Latency")).to_have_count(0)
        expect(page.get_by_role("columnheader", name="Slice")).to_be_visible()
        assert page.locator(".is").first.evaluate("it => it.clientWidth") >= 160

    def test_a_narrow_window_shows_both_answers_and_what_moved(self, pages: Pages) -> None:
        page = pages.open("/compare?candidate=broken", size="narrow")
        for each in (".was", ".is", ".marks > :last-child"):
            box = page.locator(f"[data-row] {each}").first.bounding_box()
            assert box is not None and box["width"] > 0 and box["x"] + box["width"] <= 400


@pytest.fixture(scope="module")
def hostile_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("hostile")
    hostile_runs(folder / ".gatewatch" / "runs")
    with open_server(folder) as found:
        yield found.url


class TestHostile:
    def test_every_text_is_text(self, browser: Browser, hostile_url: str) -> None:
        with browsing(browser, hostile_url) as pages:
            page = pages.open("/compare?baseline=calm&candidate=wild&filter=all")
            rows = page.locator("[data-row]")
            for at in range(rows.count()):
                page.keyboard.press("j")
                page.keyboard.press("o")
                rows.nth(at).locator("xpath=following-sibling::*[1]").locator(".case").wait_for()
                page.keyboard.press("o")
            for view in ("inline", "raw"):
                for number, text in enumerate(TEXTS[:6]):
                    case = quote(f"{number} {text}", safe="")
                    pages.open(f"/compare/case/{case}?baseline=calm&candidate=wild&view={view}", page=page)
                    assert page.title() != "taken" and page.locator("svg[onload], main script").count() == 0

    def test_megabytes_are_cut_and_shown_whole_when_asked(self, browser: Browser, hostile_url: str) -> None:
        with browsing(browser, hostile_url) as pages:
            page = pages.open("/compare/case/long?baseline=calm&candidate=wild")
            expect(page.locator("ins").first).to_contain_text("<script>")
            expect(page.locator("main")).to_contain_text("the same on both sides, and left out here")
            page = pages.open("/compare/case/long?baseline=calm&candidate=wild&view=raw")
            assert page.evaluate("() => document.body.innerText.length") < 300_000
            page.get_by_text("show all").first.click()
            page.wait_for_timeout(1000)
            assert page.evaluate("() => document.body.innerText.length") > 3_000_000

    def test_exports_hold_no_formula(self, hostile_url: str) -> None:
        query = "baseline=calm&candidate=wild&filter=all"
        text = httpx.get(f"{hostile_url}/compare.csv?{query}", timeout=60).text
        csv.field_size_limit(10**9)
        rows = list(csv.reader(io.StringIO(text)))
        assert len(rows) == len(TEXTS) + 3
        assert not [cell for row in rows[1:] for cell in row if cell[:1] in ("=", "@", "+", "\t", "\r")]


def test_an_export_is_the_filtered_set(plain_url: str) -> None:
    query = "baseline=one&candidate=two&filter=regressed&scorer=exact"
    lines = httpx.get(f"{plain_url}/compare.jsonl?{query}").text.splitlines()
    head, rows = json.loads(lines[0]), [json.loads(line) for line in lines[1:]]
    assert head["filter"]["filter"] == "regressed" and head["filter"]["scorer"] == "exact"
    assert [row["id"] for row in rows] == ["broke", "fell"] or {row["id"] for row in rows} == {"broke", "fell"}
    fell = next(row for row in rows if row["id"] == "fell")
    assert (fell["candidate.output"], fell["exact.delta"]) == ("within thirty weeks", -1.0)
