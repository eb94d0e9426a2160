"""Traces: looked through, opened beside, sent on; and one, with all that is known of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from gatewatch.checks.traffic import request, take
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from web.asking import axe
from web.browsing import Pages, browsing, open_server, shot
from web.live_traffic import alive

LONG = 4_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return alive(tmp_path_factory.mktemp("live"), long=LONG)


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with open_server(folder) as found:
        yield found.url


@pytest.fixture
def pages(browser: Browser, url: str) -> Iterator[Pages]:
    with browsing(browser, url) as found:
        yield found


def test_the_panel_follows_j_and_k_and_its_address_is_the_trace(pages: Pages) -> None:
    page = pages.open("/traces?range=30d")
    for key in ("j", "j", "j", "o"):
        page.keyboard.press(key)
    panel = page.locator("#panel .trace")
    first = page.locator("[data-row][aria-current] input").get_attribute("value")
    assert first is not None
    expect(panel).to_contain_text(first)
    page.keyboard.press("j")
    expect(panel).not_to_contain_text(first)
    page.keyboard.press("k")
    expect(panel).to_contain_text(first)
    assert f"trace={first}" in page.url
    page.locator("#panel").get_by_role("link", name="Timeline").click()
    expect(page.locator("#panel .waterfall")).to_be_visible()
    shot(page, "traces-panel")
    axe(page)
    page.reload()
    expect(panel).to_contain_text(first)
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_hidden()
    assert "trace=" not in page.url


def test_facets_search_and_scores_narrow_the_whole_set(pages: Pages) -> None:
    page = pages.open("/traces?range=30d")
    expect(page.locator("#count")).to_have_text("48 of about 1,200")
    heads = page.get_by_role("treegrid").get_by_role("columnheader").all_inner_texts()
    assert [each.strip() for each in heads[1:5]] == ["When", "helpful", "polite", "Slice"]
    page.locator(".facets").get_by_role("link", name="thumbs_down").click()
    expect(page.locator(".pill")).to_contain_text("thumbs_down")
    number = int(page.locator(".facets a[aria-current] b").inner_text())
    while page.locator("a[data-more]").count():
        page.locator("a[data-more]").scroll_into_view_if_needed()
        page.wait_for_timeout(100)
    assert page.locator("[data-row]").count() == number
    page.goto(pages.url + "/traces?range=30d&flow=support&scorer=polite&high=0")
    expect(page.locator("#count")).to_contain_text("looked at")
    assert set(page.locator("#rows .score").evaluate_all("all => all.map(each => each.textContent.trim())")) == {"0"}
    page.locator("[data-search]").fill("refund 33")
    expect(page.locator("#rows")).not_to_contain_text("refund 31")


def test_what_is_selected_goes_to_review_and_to_failures(pages: Pages, folder: Path) -> None:
    pages.expect("404")
    page = pages.open("/traces?range=30d&mark=thumbs_down")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.get_by_role("button", name="To review").click()
    page.wait_for_url("**/review*")
    page = pages.open("/traces?range=30d&mark=thumbs_down")
    page.locator("#rows input[name=trace]").nth(3).check()
    page.locator("#rows input[name=trace]").nth(4).check()
    page.locator(".acts summary").click()
    page.locator(".acts input[name=name]").fill("<i>wrong</i> window")
    page.get_by_role("button", name="Make a failure").click()
    page.wait_for_url("**/failures/F*")
    store = store_of(Project.open(folder))
    made = store.failures()[-1]
    items = store.items()
    store.close()
    assert (made.name, made.n) == ("<i>wrong</i> window", 2)
    assert len([each for each in items if each.failure == made.id]) == 2 and len(items) == 3


def test_what_comes_in_is_told_of_and_moves_nothing(pages: Pages, folder: Path) -> None:
    page = pages.open("/traces?range=1h&tail=on")
    first = page.locator("[data-row]").first.get_attribute("id")
    number = page.locator("[data-row]").count()
    store = store_of(Project.open(folder))
    take(store, request("new one", at=wall(), payload=b'{"input": "is it new?", "output": "yes"}'), now=wall())
    store.close()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("[data-new] button")).to_have_text("1 new")
    assert page.locator("[data-row]").first.get_attribute("id") == first
    assert page.locator("[data-row]").count() == number
    page.locator("[data-new] button").click()
    expect(page.locator("[data-row]").first).to_contain_text("is it new?")
    assert page.locator("[data-row]").count() == number + 1


def test_a_text_of_four_megabytes_is_cut_and_shown_whole_when_asked_for(pages: Pages, folder: Path) -> None:
    store = store_of(Project.open(folder))
    name = next(row.id for row in store.latest(most=3) if len(store.payload(row.seq) or b"") > LONG)
    store.close()
    page = pages.open(f"/traces/{name}")
    assert len(page.content()) < 300_000
    expect(page.locator(".cut")).to_contain_text("MB")
    page.get_by_role("link", name="show all").click()
    expect(page.locator(".cut")).to_have_count(0, timeout=60_000)
    assert len(page.locator(".said.output .text").inner_text()) > LONG - 20
    assert page.locator("main script, main svg[onload], main b").count() == page.locator(".judgement b, .bar b").count()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(pages: Pages, theme: str) -> None:
    page = pages.open("/traces?range=30d", theme=theme)  # type: ignore[arg-type]
    axe(page)
    where = page.locator("#rows a.open").nth(4).get_attribute("href")
    for tab in ("conversation", "timeline", "spans", "raw"):
        page.goto(f"{pages.url}{where}?tab={tab}")
        axe(page)
    page.goto(f"{pages.url}{where}?similar=yes")
    axe(page)
    shot(page, f"traces-similar-{theme}")


def test_steps_are_gone_through_by_arrows(pages: Pages) -> None:
    page = pages.open("/traces?range=30d")
    page.goto(f"{pages.url}{page.locator('#rows a.open').nth(4).get_attribute('href')}?tab=spans")
    page.locator("[data-tree] summary").first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator(".span[open]")).to_have_count(1)
    expect(page.locator(".span[open]")).to_contain_text("call the model")


def test_it_is_there_without_scripts_and_under_a_prefix(browser: Browser, folder: Path) -> None:
    with open_server(folder, prefix="/x/y") as server, browsing(browser, server.url, script=False) as pages:
        page = pages.open("/traces?range=30d")
        page.locator(".facets").get_by_role("link", name="delivery").click()
        assert "/x/y/traces?" in page.url
        page.locator("#rows a.open").first.click()
        expect(page.locator(".trace")).to_contain_text("delivery")
        page.get_by_role("link", name="Spans").click()
        expect(page.locator(".span")).to_have_count(4)
    store = store_of(Project.open(folder))
    looked = [each for each in store.audit(0.0, 20) if each.action == "read"]
    store.close()
    assert looked  # each look at what was said is noted


@pytest.mark.parametrize("size", ["middle", "narrow"])
def test_it_fits(pages: Pages, size: str) -> None:
    page = pages.open("/traces?range=30d", size=size)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shot(page, f"traces-{size}")
    page.locator("#rows a.open").first.click()
    expect(page.locator("#panel .trace")).to_be_visible()
    shot(page, f"traces-{size}-panel")
