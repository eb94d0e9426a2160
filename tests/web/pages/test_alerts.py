"""Alerts: the inbox, one with the chart of its moment, what is done about it, and rules tried before they are saved."""

import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.watch import Alert
from gatewatch.web.pages.alert_rules import check
from gatewatch.web.refusals import Refused
from web.asking import axe
from web.browsing import Pages, browsing, open_server, shot
from web.live_traffic import alive


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return alive(tmp_path_factory.mktemp("live"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A checkout of its own, with the whole project in it."""
    found = Path(shutil.copytree(made, tmp_path / "checkout"))
    subprocess.run(["git", "init", "-q", str(found)], check=True)
    return found


@pytest.fixture
def pages(browser: Browser, folder: Path) -> Iterator[Pages]:
    with open_server(folder) as server, browsing(browser, server.url) as found:
        yield found


def kept(folder: Path, name: str) -> Alert:
    store = store_of(Project.open(folder))
    found = next(each for each in store.alerts(every=True) if each.name == name and each.key in "abc")
    store.close()
    return found


def opened(page: Page, number: int) -> Page:
    page.locator(f"#a-{number} a.open").click()
    page.wait_for_url(f"**/alerts/{number}")
    page.locator(".chart[data-drawn]").wait_for()
    return page


def test_an_alert_is_read_and_resolved_by_mouse(pages: Pages, folder: Path) -> None:
    alert = kept(folder, "helpful")
    page = opened(pages.open("/alerts"), alert.id)
    for text in ("0.860 → 0.720", "−14.0 points", "412 conversations", "prompt=7", "see docs/refunds.md", "refunds"):
        expect(page.locator(".alert")).to_contain_text(text)
    expect(page.locator("#rows [data-row]")).to_have_count(5)
    axe(page)
    shot(page, "alert")
    page.get_by_text("Resolve", exact=True).first.click()
    page.get_by_label("What it was, or what was done").fill("the prompt was <b>mended</b>")
    page.get_by_role("button", name="Resolve", exact=True).click()
    expect(page.locator(".chip").first).to_have_text("resolved")
    expect(page.locator(".alert")).to_contain_text("the prompt was <b>mended</b>")
    now = kept(folder, "helpful")
    assert (now.state, now.reason) == ("resolved", "the prompt was <b>mended</b>")
    page.get_by_role("button", name="Open again").click()
    expect(page.locator(".chip").first).to_have_text("open")


def test_an_alert_is_acknowledged_and_made_a_failure_by_keys(pages: Pages, folder: Path) -> None:
    pages.expect("404")
    number = kept(folder, "helpful").id
    page = pages.open("/alerts")
    page.locator(f"#a-{number}").focus()
    page.keyboard.press("o")
    page.wait_for_url(f"**/alerts/{number}")
    page.locator("html[data-ready]").wait_for(state="attached")
    page.keyboard.press("a")
    expect(page.locator(".chip").first).to_have_text("acknowledged")
    page.keyboard.press("m")
    expect(page.get_by_label("What goes wrong").first).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("refunds are wrong")
    page.keyboard.press("Enter")
    page.wait_for_url("**/failures/F*")
    store = store_of(Project.open(folder))
    (failure,) = [each for each in store.failures() if each.name == "refunds are wrong"]
    audit = [each.action for each in store.audit(0.0, 20)]
    store.close()
    assert failure.sign == "alert:helpful" and failure.n == 5
    assert {"alert acknowledged", "failure made", "read"} <= set(audit)


def test_what_is_over_and_what_waits_is_told_apart(pages: Pages, folder: Path) -> None:
    page = pages.open("/alerts")
    waiting = int(page.locator(".tabs [aria-current] .dim").inner_text())
    assert waiting == page.locator("[data-row]").count() >= 2
    expect(page.locator("#badge-alerts")).to_have_text(str(waiting))
    page.get_by_role("link", name="Resolved").click()
    expect(page.locator("#rows")).to_contain_text("latency is above its limit")
    page.get_by_role("link", name="All").click()
    expect(page.locator("#rows")).to_contain_text("<script>")


def test_a_rule_is_tried_and_written(pages: Pages, folder: Path) -> None:
    file = folder / "gatewatch.toml"
    before = file.read_text()
    page = pages.open("/alerts/rules")
    page.get_by_label("Scorer or signal").select_option("polite")
    page.get_by_label("Smallest fall").fill("9pp")
    page.get_by_label("Severity").select_option("page")
    page.get_by_role("button", name="Try it").click()
    page.locator(".chart[data-drawn]").wait_for()
    expect(page.locator(".verdict")).to_contain_text("a week")
    expect(page.locator(".outcome table").first).to_contain_text("polite fell")
    assert file.read_text() == before
    expect(page.locator(".diff ins").last).to_contain_text('polite = { drop = "9pp", severity = "page" }')
    axe(page)
    shot(page, "alert-rules")
    page.get_by_role("button", name="Write to gatewatch.toml").click()
    expect(page.locator(".note")).to_contain_text("written")
    after = tomllib.loads(file.read_text())
    rule = after["monitors"]["support"]["alert"]["rules"].pop("polite")
    assert rule == {"drop": "9pp", "severity": "page"}
    expected = tomllib.loads(before)
    del expected["monitors"]["support"]["alert"]["rules"]["polite"]
    assert after == expected
    expect(page.get_by_label("Smallest fall")).to_have_value("9pp")


def test_a_rule_that_is_wrong_is_told_of_and_not_written(pages: Pages, folder: Path) -> None:
    page = pages.open("/alerts/rules?monitor=support&name=polite&least=lots&try=yes")
    expect(page.locator(".note")).to_contain_text("lots")
    expect(page.get_by_role("button", name="Write to gatewatch.toml")).to_have_count(0)
    page.goto(pages.url + "/alerts/rules?monitor=support&name=polite&least=5pp&try=yes")
    (folder / "gatewatch.toml").write_text((folder / "gatewatch.toml").read_text() + "\n# somebody else\n")
    pages.expect("409")
    page.get_by_role("button", name="Write to gatewatch.toml").click()
    expect(page.locator("body")).to_contain_text("was changed meanwhile")


def test_a_rule_that_would_stop_the_worker_is_not_written(tmp_path: Path) -> None:
    """As by a form that was open while the scorer was renamed."""
    file = tmp_path / "gatewatch.toml"
    text = """[project]
name = "bot"
[scorers.kind]
use = "regex"
pattern = "x"
[monitors.support]
flow = "support"
scorers = [{ use = "kind" }]
"""
    rule = "[monitors.support.alert.rules]\n"
    file.write_text(text)
    check(file, f"{text}{rule}kind = {{ drop = 0.1 }}\n", "support", "kind")
    for monitor, name in (("support", "gone"), ("gone", "kind")):
        with pytest.raises(Refused) as caught:
            check(file, f"{text}{rule}{name} = {{ drop = 0.1 }}\n", monitor, name)
        assert caught.value.status == 422
    assert list(tmp_path.iterdir()) == [file] and file.read_text() == text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(pages: Pages, theme: str) -> None:
    page = pages.open("/alerts", theme=theme)  # type: ignore[arg-type]
    axe(page)
    shot(page, f"alerts-{theme}")
    page.goto(pages.url + "/alerts/rules")
    axe(page)


def test_it_is_there_without_scripts_and_under_a_prefix(browser: Browser, folder: Path) -> None:
    number = kept(folder, "thumbs_down").id
    with open_server(folder, prefix="/x/y") as server, browsing(browser, server.url, script=False) as pages:
        page = pages.open("/alerts")
        page.locator(f"#a-{number} a.open").click()
        expect(page.locator("svg.plot")).to_be_visible()
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".chip").first).to_have_text("acknowledged")
        assert page.url.endswith(f"/x/y/alerts/{number}")


@pytest.mark.parametrize("size", ["middle", "narrow"])
def test_it_fits(pages: Pages, folder: Path, size: str) -> None:
    page = pages.open("/alerts", size=size)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"{pages.url}/alerts/{kept(folder, 'helpful').id}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shot(page, f"alert-{size}")
