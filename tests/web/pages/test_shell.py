"""What every page has: the rail, keys, the menu, themes; under a prefix, without scripts, and with hostile texts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from web.browsing import Pages, browsing, open_server, shot
from web.pages.shelf import SHELF


@pytest.fixture(scope="module", params=["", "/x/y"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with open_server(tmp_path_factory.mktemp("shelf"), prefix=request.param, screens=[SHELF]) as found:
        yield found.url


@pytest.fixture
def pages(browser: Browser, url: str) -> Iterator[Pages]:
    with browsing(browser, url) as found:
        yield found


def test_a_list_is_gone_through_by_keys_alone(pages: Pages) -> None:
    page = pages.open("/shelf")
    for key in ("j", "j", "o"):
        page.keyboard.press(key)
    expect(page.locator(".opened")).to_contain_text("fourteen")
    expect(page.locator("#t-1")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(page.locator(".opened")).to_have_count(0)
    page.keyboard.press("k")
    expect(page.locator("#t-0")).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator("#t-0")).to_have_attribute("aria-selected", "true")
    shot(page, "shelf-light")


def test_pictures(pages: Pages) -> None:
    for theme in ("light", "dark"):
        for size in ("wide", "middle", "narrow"):
            page = pages.open("/shelf", size=size, theme=theme)
            page.keyboard.press("j")
            page.keyboard.press("o")
            expect(page.locator(".opened")).to_contain_text("fourteen")
            shot(page, f"shelf-{size}-{theme}")
            if size == "wide":
                page.keyboard.press("?")
                shot(page, f"keys-{theme}")
                page.keyboard.press("Escape")
                page.keyboard.press("Control+k")
                page.locator("dialog input").fill("t-1")
                expect(page.locator("dialog a")).to_have_count(1)
                shot(page, f"menu-{theme}")
