"""Monitor: the band against the baseline, what was changed, and what lies behind a stretch of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from web.asking import axe
from web.browsing import Pages, browsing, open_server, ready, shot
from web.live_traffic import alive


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return alive(tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with open_server(folder) as found:
        yield found.url


@pytest.fixture
def pages(browser: Browser, url: str) -> Iterator[Pages]:
    with browsing(browser, url) as found:
        yield found


def drawn(page: Page) -> Page:
    page.locator(".chart[data-drawn]").wait_for()
    return page


def test_a_stretch_is_chosen_by_dragging_and_its_traces_are_sent_to_review(pages: Pages) -> None:
    page = drawn(pages.open("/monitor?scorer=polite"))
    expect(page.locator("#kpis")).to_contain_text("Against the baseline")
    expect(page.locator("#kpis .delta.worse")).to_contain_text("pp")
    expect(page.locator("#legend")).to_contain_text("baseline support")
    expect(page.locator("#legend")).to_contain_text("live at its slices 0.")  # what the difference is of
    box = page.locator(".chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 110)
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 110)
    page.mouse.up()
    expect(page.locator("#behind")).to_contain_text("the worst first")
    assert "from=" in page.url and "to=" in page.url
    expect(page.locator(".chart .vega")).to_have_count(1)
    values = page.locator("#rows .score").evaluate_all("all => all.map(each => parseFloat(each.textContent))")
    assert values == sorted(values) and values[0] == 0
    page.locator("#rows input[name=trace]").nth(0).check()
    page.locator("#rows input[name=trace]").nth(1).check()
    expect(page.locator("#behind [data-selected]")).to_have_text("2 selected")
    shot(page, "monitor-behind")


def test_all_of_it_is_done_by_keys(pages: Pages) -> None:
    page = drawn(pages.open("/monitor"))
    page.locator(".chart").focus()
    for key in ("ArrowLeft", "ArrowLeft", "Shift+ArrowRight"):
        page.keyboard.press(key)
    said = page.locator(".toast, [role=status]").filter(has_text=" UTC").last.inner_text()
    page.keyboard.press("Enter")
    expect(page.locator("#behind h2")).to_contain_text("Behind")
    ends = page.locator("#behind h2").inner_text().removeprefix("Behind ").removesuffix(" UTC").split(" to ")
    assert f"{ends[0][:16]} to {ends[1][:16]} UTC" in said  # of whole days, as it is asked for
    for key in ("j", "x", "o"):
        page.keyboard.press(key)
    expect(page.locator(".opened .trace")).to_contain_text("payload")
    page.keyboard.press("Escape")
    expect(page.locator(".opened")).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/traces")


def test_filters_are_the_address_and_the_chart_stays_the_same_one(pages: Pages) -> None:
    page = drawn(pages.open("/monitor"))
    page.locator(".chart .vega").evaluate("each => { each.kept = true; }")
    page.get_by_role("link", name="30d").click()
    expect(page.locator(".chips [aria-current]")).to_have_text("30d")
    page.get_by_label("Scorer").select_option("helpful")
    expect(page.locator("#legend")).to_contain_text("helpful-rub3")
    page.get_by_label("Split by").select_option("slice")
    expect(page.locator("#legend .part-1")).to_contain_text("refunds")
    page.get_by_label("period before").check()
    page.wait_for_url("**/monitor?*before=on*")
    assert all(part in page.url for part in ("range=30d", "scorer=helpful", "by=slice"))
    assert page.locator(".chart .vega").evaluate("each => each.kept === true")
    page.reload()
    ready(page)
    expect(page.get_by_label("Split by")).to_have_value("slice")


def test_it_is_refreshed_in_place_but_not_under_a_hand(pages: Pages) -> None:
    page = drawn(pages.open("/monitor"))
    page.locator("#kpis").evaluate("each => { each.old = true; }")
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.headers.get("x-gatewatch-fragment", "")))
    page.evaluate("document.documentElement.toggleAttribute('data-held', true)")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.evaluate("document.documentElement.toggleAttribute('data-held', false)")
    assert asked == [] and page.locator("#kpis").evaluate("each => each.old === true")
    with page.expect_response(lambda each: each.request.headers.get("x-gatewatch-fragment") == "live"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("[data-age]")).to_have_text("live")
    assert page.locator("#kpis").evaluate("each => each.old !== true")
    assert page.locator(".chart[data-drawn] .vega").count() == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(pages: Pages, theme: str) -> None:
    page = drawn(pages.open("/monitor?range=30d&by=slice&before=on", theme=theme))  # type: ignore[arg-type]
    axe(page)
    page.locator(".numbers summary").click()
    page.locator(".of-chart a").first.click()
    expect(page.locator("#behind h2")).to_contain_text("Behind")
    axe(page)
    shot(page, f"monitor-{theme}")


def test_it_is_there_without_scripts(browser: Browser, url: str) -> None:
    with browsing(browser, url, script=False) as pages:
        page = pages.open("/monitor?range=30d")
        expect(page.locator("svg.plot").first).to_be_visible()
        page.locator(".numbers summary").click()
        page.locator(".of-chart a").first.click()
        expect(page.locator("#behind")).to_contain_text("the worst first")
        page.locator("#rows a.open").first.click()
        expect(page.locator(".trace")).to_contain_text("payload")


def test_nothing_that_was_said_is_run(pages: Pages) -> None:
    page = drawn(pages.open("/monitor?range=30d&by=slice"))
    expect(page.locator("#legend")).to_contain_text("<b>other</b>")
    assert page.locator("#legend bdi b").count() == 0


@pytest.mark.parametrize("size", ["middle", "narrow"])
def test_it_fits(pages: Pages, size: str) -> None:
    page = drawn(pages.open("/monitor", size=size))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shot(page, f"monitor-{size}")


def test_it_works_under_a_prefix(browser: Browser, folder: Path) -> None:
    with open_server(folder, prefix="/x/y") as server, browsing(browser, server.url) as pages:
        page = drawn(pages.open("/monitor"))
        page.locator(".chart").focus()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
        page.locator("#rows a.open").first.click()
        expect(page.locator(".opened .trace")).to_contain_text("payload")
        assert "/x/y/monitor?" in page.url
