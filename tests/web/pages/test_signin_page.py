"""Signing in with a browser: by keyboard alone, without scripts, under a prefix; the switch of projects; axe-core."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gatewatch.web.pages import settings
from web.asking import axe
from web.browsing import browsing, shot
from web.pages.shelf import SHELF
from web.serving import Served, served


@pytest.fixture(params=["", "/x/y"])
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    with served(tmp_path, prefix=request.param, screens=[SHELF, settings.SCREEN]) as found:
        yield found


def sign_in(page: Page, token: str, name: str = "Mia Weber") -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_by_keyboard_alone_and_to_where_the_link_led(browser: Browser, server: Served) -> None:
    token = server.token("review")
    with browsing(browser, server.url) as pages:
        pages.expect("401")
        page = pages.open("/shelf?q=thing")
        expect(page.get_by_label("Your name")).to_be_focused()
        page.keyboard.type("Mia Weber")
        page.keyboard.press("Tab")
        page.keyboard.type("gw_v_wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("This token is not taken")
        expect(page.get_by_label("Token")).to_be_focused()
        page.keyboard.type(token)
        page.keyboard.press("Enter")
        expect(page.locator("#t-9")).to_be_visible()
        assert page.url == f"{server.url}/shelf?q=thing"
        expect(page.locator(".whose")).to_contain_text("Mia Weber")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token")).to_be_visible()


def test_without_scripts(browser: Browser, server: Served) -> None:
    with browsing(browser, server.url, script=False) as pages:
        page = pages.open("/shelf")
        sign_in(page, server.token("read"))
        expect(page.locator("#t-9")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token")).to_be_visible()


def test_two_projects_stand_side_by_side(browser: Browser, server: Served) -> None:
    with browsing(browser, server.url) as pages:
        page = pages.open("/shelf")
        sign_in(page, server.token("read"))
        expect(page.locator("#t-9")).to_be_visible()
        pages.open("/signin", page=page)
        expect(page.locator(".signed")).to_contain_text("bot")
        shot(page, "signin-again")
        sign_in(page, server.token("review", "shop"))
        expect(page.locator(".switch summary")).to_contain_text("shop")
        assert page.url == f"{server.url}/in/shop/shelf"
        page.keyboard.press("t")
        theme = page.locator("html").get_attribute("data-theme") or ""
        pages.open("/in/shop/settings/look", page=page)
        page.locator(".switch summary").click()
        shot(page, "signin-switch")
        axe(page)
        page.locator(".switch a").first.click()
        page.wait_for_url(f"{server.url}/in/bot/shelf")
        expect(page.locator("html")).to_have_attribute("data-theme", theme)


def test_it_is_good_to_look_at(browser: Browser, server: Served) -> None:
    with browsing(browser, server.url) as pages:
        pages.expect("401")
        for theme in ("light", "dark"):
            for size in ("wide", "narrow"):
                page = pages.open("/signin", size=size, theme=theme)
                axe(page)
                sign_in(page, "gw_wrong", "mia")
                expect(page.get_by_role("alert")).to_be_visible()
                axe(page)
                shot(page, f"signin-{size}-{theme}")


def test_the_link_of_the_server_leads_in(browser: Browser, server: Served) -> None:
    server.token("read")
    server.host.visitors.account = "ana"
    with browsing(browser, server.url) as pages:
        page = pages.open(f"/enter?key={server.host.visitors.link()}")
        expect(page.locator(".whose")).to_contain_text("ana")
        assert page.url == f"{server.url}/shelf"
