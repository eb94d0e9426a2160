"""Costs: looked at by mouse and by keys, in both themes, without scripts, under a prefix, with nothing to show."""

import csv
import io
import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from gatewatch.checks import traffic
from gatewatch.core.clock import wall
from gatewatch.core.money import Cost
from gatewatch.core.trace import Trace
from gatewatch.store.open import open_store
from gatewatch.store.rows import Arrival, Arrivals, Spent
from web.asking import axe
from web.browsing import Pages, browsing, open_server, shot

HOSTILE = "<script>document.title='taken'</script>\u202egnp\x1b[31m"


def test_what_is_spent_is_told_by_what_it_was_spent_on(pages: Pages) -> None:
    page = pages.open("/costs")
    strip = page.locator(".strip")
    for label in ("In all", "Application", "Judges", "Saved by the reply cache", "A case, offline"):
        expect(strip).to_contain_text(label)
    expect(strip).to_contain_text("calls of unknown price")
    expect(page.get_by_role("img", name="Cost by day, 30 days")).to_be_visible()
    rows = page.locator("#rows [data-row]")
    expect(rows.filter(has_text="helpful")).to_have_count(1)
    page.get_by_role("link", name="Run", exact=True).click()
    expect(page.locator("#by-title")).to_have_text("By run")
    assert "by=run" in page.url
    expect(page.locator("#rows")).to_contain_text("support-main")
    page.get_by_role("link", name="Live", exact=True).click()
    expect(page.locator("#rows")).not_to_contain_text("support-main")
    expect(strip).not_to_contain_text("A case, offline")
    shot(page, "costs")


def test_a_scorer_is_told_beside_what_it_found(pages: Pages) -> None:
    page = pages.open("/costs")
    worth = page.get_by_role("region", name="What scorers found for it")
    row = worth.get_by_role("row").filter(has_text="helpful")
    expect(row).to_contain_text("a finding")
    budget = page.get_by_role("region", name="Judging by monitor, this month")
    expect(budget.get_by_role("row").filter(has_text="support")).to_contain_text("none")


def test_by_keys_alone(pages: Pages) -> None:
    page = pages.open("/costs")
    page.keyboard.press("j")
    expect(page.locator("#by-1")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("#by-2")).to_be_focused()
    page.get_by_role("link", name="Model", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#by-title")).to_have_text("By model")
    expect(page.get_by_role("link", name="Model", exact=True)).to_be_focused()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(pages: Pages, theme: str) -> None:
    page = pages.open("/costs", theme=theme)  # type: ignore[arg-type]
    axe(page)
    shot(page, f"costs-{theme}")


def test_it_fits_where_it_is_narrow(pages: Pages) -> None:
    page = pages.open("/costs", size="narrow")
    assert page.evaluate("() => document.documentElement.scrollWidth") == 400
    shot(page, "costs-narrow")


def test_the_export_is_the_same_set(pages: Pages) -> None:
    page = pages.open("/costs?place=live")
    reply = page.request.get(pages.url + "/costs.csv?place=live&period=30d")
    rows = list(csv.DictReader(io.StringIO(reply.text())))
    assert {row["live"] for row in rows} == {"True"}
    head, *lines = page.request.get(pages.url + "/costs.jsonl?period=30d").text().splitlines()
    assert json.loads(head)["filter"] == {"period": "30d"}
    assert sum(json.loads(line)["cost"] for line in lines) > sum(float(row["cost"]) for row in rows)


def test_it_works_without_scripts_and_under_a_prefix(browser: Browser, filled_project: Path) -> None:
    with open_server(filled_project, prefix="/x/y") as server, browsing(browser, server.url, script=False) as pages:
        page = pages.open("/costs")
        page.get_by_role("link", name="Model", exact=True).click()
        expect(page.locator("#by-title")).to_have_text("By model")
        page.get_by_role("link", name="7 days").click()
        expect(page.get_by_role("img", name="Cost by day, 7 days")).to_be_visible()
        assert "/x/y/costs?" in page.url


def test_nothing_was_spent(browser: Browser, tmp_path: Path) -> None:
    with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
        page = pages.open("/costs")
        expect(page.locator(".empty")).to_contain_text("Nothing was spent in this time")
        axe(page)


def test_only_traffic_with_hostile_names_and_unknown_prices(browser: Browser, tmp_path: Path) -> None:
    toml = f'[project]\nname = "bot"\n[monitors.m]\nflow = {json.dumps(HOSTILE)}\nscorers = []\n'
    with open_server(tmp_path, toml.replace("\x1b", "\\u001b")) as server:
        store = open_store(tmp_path / ".gatewatch" / "gatewatch.db", project="bot")
        at = wall() - 60
        spent = (Spent(HOSTILE, 3, None, 100, 20), Spent("=SUM(A1)", 1, 0.25, 10, 2))
        trace = Trace(id="t1", flow=HOSTILE, cost=Cost(0.25, 3))
        store.take_in(Arrivals((Arrival(trace, traffic.request("t").payload, at, 0.5, spent=spent),)), wall())
        store.close()
        with browsing(browser, server.url) as pages:
            page = pages.open("/costs?by=model")
            expect(page.locator(".strip")).to_contain_text("+ 3 calls of unknown price")
            expect(page.locator("#rows")).to_contain_text(
                "<script>document.title='taken'</script>\u27e6U+202E\u27e7gnp"
            )
            expect(page.locator("#rows [data-row]").filter(has_text="taken")).to_contain_text("unknown")
            pages.open("/costs?by=flow", page=page)
            expect(page.locator("#rows")).to_contain_text("taken")
            assert page.title() == "Costs · bot · Gatewatch"
            assert "'=SUM(A1)" in page.request.get(pages.url + "/costs.csv").text()
            axe(page)
