"""What every page has: the rail, keys, the menu, themes; under a prefix, without scripts, and with hostile texts."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from web.asking import axe
from web.browsing import Pages, browsing, open_server, ready, shot
from web.pages.shelf import SHELF


@pytest.fixture(scope="module", params=["", "/x/y"], ids=["root", "prefix"])
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


def test_a_row_opens_by_a_click_and_closes_by_another(pages: Pages) -> None:
    page = pages.open("/shelf")
    page.locator("#t-9").click()
    expect(page.locator("#t-9 + .opened")).to_contain_text("thing 9")
    page.locator("#t-9 a.open").click()
    expect(page.locator(".opened")).to_have_count(0)
    assert page.url.endswith("/shelf")


def test_the_next_window_comes_at_the_end(pages: Pages) -> None:
    page = pages.open("/shelf")
    expect(page.locator("[data-row]")).to_have_count(48)
    page.locator("a[data-more]").scroll_into_view_if_needed()
    expect(page.locator("#t-60")).to_be_attached()
    assert page.locator("[data-row]").count() == len(
        set(page.locator("[data-row]").evaluate_all("r => r.map(x => x.id)"))
    )


def test_filters_act_on_the_whole_set_and_are_in_the_address(pages: Pages) -> None:
    page = pages.open("/shelf")
    page.keyboard.press("/")
    page.keyboard.type("thing 19")
    expect(page.locator("#count")).to_have_text("11 of 200 things")
    expect(page.locator("[data-search]")).to_be_focused()
    expect(page.locator("[data-search]")).to_have_value("thing 19")
    page.locator("[name=kind]").focus()
    page.select_option("[name=kind]", "plate")
    expect(page.locator("#count")).to_have_text("6 of 200 things")
    expect(page.get_by_role("link", name="Plates")).to_have_attribute("aria-current", "true")
    expect(page.locator("[name=kind]")).to_be_focused()
    assert page.url.endswith("/shelf?q=thing+19&kind=plate")
    page.go_back()
    ready(page)
    expect(page.locator("#count")).to_have_text("11 of 200 things")
    expect(page.locator("[name=kind]")).to_have_value("")


def test_an_answer_that_another_overtook_is_dropped(pages: Pages) -> None:
    page = pages.open("/shelf")
    held: list[object] = []
    page.route("**/shelf?q=a", lambda route: held.append(route))
    page.locator("[data-search]").fill("a")
    expect(page.locator("#rows")).to_have_attribute("aria-busy", "true")
    page.locator("[data-search]").fill("thing 77")
    expect(page.locator("#count")).to_have_text("1 of 200 things")
    for route in held:
        route.continue_()  # type: ignore[attr-defined]
    page.wait_for_load_state("networkidle")
    expect(page.locator("#count")).to_have_text("1 of 200 things")


def test_the_sheet_of_keys_has_what_is_bound_and_what_the_page_has(pages: Pages) -> None:
    page = pages.open("/shelf")
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keys")
    for text in ("These keys", "Density", "Shelf", "Copy the link to it"):
        expect(sheet).to_contain_text(text)
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)


def test_keys_do_nothing_within_a_field(pages: Pages) -> None:
    page = pages.open("/shelf")
    page.locator("[data-search]").click()
    page.keyboard.type("t?gh")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.locator("html").get_attribute("data-theme") is None
    expect(page.locator("[data-search]")).to_have_value("t?gh")


def test_a_chord_goes_to_a_screen(pages: Pages) -> None:
    page = pages.open("/menu")
    page.keyboard.press("g")
    page.keyboard.press("h")
    page.wait_for_url("**/shelf")


def test_the_menu_finds_screens_and_whole_ids(pages: Pages) -> None:
    page = pages.open("/shelf")
    page.keyboard.press("Control+k")
    page.get_by_role("dialog", name="Menu").get_by_role("searchbox").fill("t-77")
    page.keyboard.press("Enter")
    page.wait_for_url("**/shelf/t-77")
    ready(page)
    page.get_by_role("link", name="Menu").click()
    page.get_by_role("dialog").get_by_role("searchbox").fill("nothing at all")
    expect(page.get_by_role("dialog")).to_contain_text("Nothing is called so")


def test_theme_and_density_stay(pages: Pages) -> None:
    page = pages.open("/shelf")
    page.keyboard.press("t")
    page.keyboard.press("d")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("html")).to_have_attribute("data-density", "comfortable")
    pages.open("/shelf/t-1", page=page)
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("html")).to_have_attribute("data-density", "comfortable")


def test_commands_are_copied(pages: Pages) -> None:
    page = pages.open("/shelf")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.locator(".toast")).to_have_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()") == "gatewatch run shelf"


def test_what_a_model_wrote_is_text(pages: Pages) -> None:
    page = pages.open("/shelf")
    expect(page.locator("#t-0")).to_contain_text("<script>document.title='taken'</script>")
    expect(page.locator("#t-3")).to_contain_text("⟦U+202E⟧gnp.exe")
    expect(page.locator("#t-4")).to_contain_text("⟦U+001B⟧[31mred")
    expect(page.locator("#t-6")).to_contain_text("⟦U+D800⟧ alone")
    for number in range(7):
        pages.open(f"/shelf/t-{number}", page=page)
    assert page.title() == "t-6 · bot · Gatewatch"
    assert page.locator("main img, main svg").count() == 0


def test_it_works_without_scripts(browser: Browser, url: str) -> None:
    with browsing(browser, url, script=False) as pages:
        page = pages.open("/")
        assert page.url.endswith("/shelf")
        page.locator("[data-search]").fill("thing 19")
        page.locator("[data-search]").press("Enter")
        expect(page.locator("[data-row]")).to_have_count(11)
        page.locator("a.open").first.click()
        expect(page.locator("main")).to_contain_text("fourteen")
        page.get_by_role("link", name="Shelf").click()
        page.get_by_role("link", name="152 more").click()
        expect(page.locator("[data-row]").first).to_have_id("t-48")
        page.get_by_role("link", name="Menu").click()
        page.get_by_role("searchbox").fill("t-77")
        page.get_by_role("button", name="Find").click()
        expect(page.locator("#found")).to_contain_text("thing 77")


def test_the_screens_are_behind_a_button_where_it_is_narrow(pages: Pages) -> None:
    page = pages.open("/shelf/t-1", size="narrow")
    rail = page.get_by_role("navigation", name="Screens")
    expect(rail).to_be_hidden()
    page.get_by_role("button", name="Screens").click()
    rail.get_by_role("link", name="Shelf").click()
    page.wait_for_url("**/shelf")
    ready(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") == 400


def test_errors_are_pages(pages: Pages) -> None:
    pages.expect("404", "503", "422")
    page = pages.open("/nowhere")
    expect(page.get_by_role("alert")).to_contain_text("The menu finds what there is")
    expect(page.get_by_role("link", name="Shelf")).to_be_visible()
    pages.open("/shelf/fault", page=page)
    expect(page.get_by_role("alert")).to_contain_text("this is a fault of gatewatch: RuntimeError")
    pages.open("/shelf", page=page)
    page.route("**/shelf/t-2", lambda route: route.fulfill(status=404, body="<p>it is gone</p>"))
    page.locator("#t-2").click()
    expect(page.locator(".toast")).to_contain_text("it is gone")
    expect(page.locator("#t-2")).to_have_attribute("aria-expanded", "false")


def test_what_is_live_follows_but_not_under_somebodys_hands(pages: Pages) -> None:
    page = pages.open("/shelf/live")
    looked, first = page.locator("#looked"), page.locator("[data-row]").first.get_attribute("id")
    said = looked.text_content() or ""
    expect(looked).not_to_have_text(said)
    new = page.get_by_role("button", name="new")
    if first != "t-7":  # the server has told of all of them by then
        expect(new).to_be_visible()
        expect(page.locator("[data-row]").first).to_have_id(first or "")
        new.click()
        expect(page.locator("[data-row]").first).not_to_have_id(first or "")
        expect(new).to_have_count(0)
    page.locator("#t-12").click()
    expect(page.locator(".opened")).to_contain_text("thing 12")
    said = looked.text_content() or ""
    page.wait_for_timeout(1500)
    expect(looked).to_have_text(said)
    page.keyboard.press("Escape")
    expect(looked).not_to_have_text(said)


def test_what_is_cut_is_shown_whole_when_asked_for(pages: Pages) -> None:
    page = pages.open("/shelf/long")
    expect(page.locator(".cut")).to_contain_text("500 kB")
    page.get_by_role("link", name="show all").click()
    expect(page.locator("main .text")).to_contain_text("end")
    expect(page.locator(".cut")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(pages: Pages, theme: str) -> None:
    pages.expect("404")
    for size in ("wide", "middle", "narrow"):
        page = pages.open("/shelf", size=size, theme=theme)  # type: ignore[arg-type]
        page.locator("#t-0").click()
        expect(page.locator(".opened")).to_contain_text("fourteen")
        shot(page, f"shelf-{size}-{theme}")
        axe(page)
    for path in ("/start", "/menu", "/nowhere"):
        page = pages.open(path, theme=theme)  # type: ignore[arg-type]
        shot(page, f"{path[1:]}-{theme}")
        axe(page)
    page = pages.open("/shelf", theme=theme)  # type: ignore[arg-type]
    page.keyboard.press("?")
    shot(page, f"keys-{theme}")
    axe(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.locator("dialog input").fill("t-77")
    expect(page.locator("dialog")).to_contain_text("thing 77")
    shot(page, f"menu-{theme}")
    axe(page)


def test_escape_leaves_a_field_and_keeps_what_is_typed(pages: Pages) -> None:
    page = pages.open("/shelf")
    page.locator("#t-3").click()
    expect(page.locator(".opened")).to_be_visible()
    page.locator(".opened").evaluate("part => part.append(document.createElement('textarea'))")
    page.locator(".opened textarea").fill("half a word")
    page.keyboard.press("Escape")
    expect(page.locator(".opened textarea")).to_have_value("half a word")
    expect(page.locator(".opened textarea")).not_to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".opened")).to_have_count(0)
