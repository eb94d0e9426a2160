"""Overview: how the loop stands, by mouse and by keys, in both themes, without scripts, with little to tell."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from gatewatch.core.clock import wall
from gatewatch.core.failure import Failure
from gatewatch.core.trace import Trace
from gatewatch.core.watch import Alert
from gatewatch.store.base import Store
from gatewatch.store.looping import Mined
from gatewatch.store.open import open_store
from gatewatch.store.rows import Arrival, Arrivals
from gatewatch.store.watching import WatchStep
from offline.joining import a_row, a_run
from web.asking import axe
from web.browsing import Pages, browsing, open_server, ready, shot

HOSTILE = "<script>document.title='taken'</script>\u202egnp\x1b[31m ![a](http://elsewhere.example/x.png)"
SHOWN = "<script>document.title='taken'</script>\u27e6U+202E\u27e7gnp"


@contextmanager
def a_store(folder: Path) -> Iterator[Store]:
    store = open_store(folder / ".gatewatch" / "gatewatch.db", project="bot")
    try:
        yield store
    finally:
        store.close()


def ask(store: Store, *flows: str) -> None:
    """A request of each of some flows, a minute ago."""
    at = wall() - 60
    made = (Arrival(Trace(id=f"t{n}", flow=flow), b'{"input":"?"}', at, 0.5) for n, flow in enumerate(flows))
    store.take_in(Arrivals(tuple(made)), wall())


def alarm(store: Store, flow: str, title: str, number: int = 0) -> None:
    now = wall()
    found = Alert(key=f"k{number}", flow=flow, kind="quality", name="x", title=title, opened=now, updated=now)
    assert store.keep(WatchStep(read_at=store.unheard({}, 1).read_at, alerts=[found]), now)


def test_each_stage_is_a_number_with_its_interval_and_what_to_do(pages: Pages) -> None:
    page = pages.open("/")
    stages = page.locator(".stage")
    expect(stages).to_have_count(5)
    for place, (title, text) in enumerate(
        (
            ("Gate", "candidates blocked"),
            ("Monitor", "alerts"),
            ("Failures", "new this week"),
            ("Review", "agree"),
            ("Dataset", "promoted"),
        )
    ):
        expect(stages.nth(place).get_by_role("heading")).to_have_text(title)
        expect(stages.nth(place)).to_contain_text(text)
        expect(stages.nth(place).locator(".act")).to_have_count(1)
    for place in range(4):
        expect(stages.nth(place).locator(".ci").first).to_contain_text("[")
    expect(page.locator("#back")).to_contain_text("Back to the gate: baseline pinned")
    expect(page.get_by_role("img", name="helpful: ").first).to_be_visible()
    expect(page.locator(".plot.full .sign.promoted")).to_have_count(1)
    shot(page, "overview")


def test_what_needs_somebody_leads_where_it_is_done(pages: Pages) -> None:
    page = pages.open("/")
    rows = page.locator("#rows [data-row]")
    assert 3 <= rows.count() <= 7
    expect(rows.first).to_contain_text("support:")
    rows.filter(has_text="helpful fell").locator("a.open").click()
    page.wait_for_url("**/alerts/*", wait_until="commit")
    ready(page)
    expect(page.locator("main")).to_contain_text("helpful fell")
    page.go_back()
    ready(page)
    page.locator(".stage").nth(1).get_by_role("link", name="Watch").click()
    page.wait_for_url("**/monitor?*")


def test_by_keys_alone(pages: Pages) -> None:
    page = pages.open("/costs")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url(lambda url: url.rstrip("/") == pages.url)
    ready(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator("#rows [data-row]").nth(1)
    expect(second).to_be_focused()
    page.keyboard.press("o")
    page.wait_for_url("**/alerts/*", wait_until="commit")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(pages: Pages, theme: str) -> None:
    page = pages.open("/", theme=theme)  # type: ignore[arg-type]
    axe(page)
    shot(page, f"overview-{theme}")


@pytest.mark.parametrize("size", ["narrow", "middle"])
def test_it_fits(pages: Pages, size: str) -> None:
    page = pages.open("/", size=size)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator(".plot.slim" if size == "narrow" else ".plot.full")).to_be_visible()
    expect(page.locator(".plot.full" if size == "narrow" else ".plot.slim")).to_be_hidden()
    shot(page, f"overview-{size}")


def test_it_works_without_scripts_and_under_a_prefix(browser: Browser, filled_project: Path) -> None:
    with open_server(filled_project, prefix="/x/y") as server, browsing(browser, server.url, script=False) as pages:
        page = pages.open("/")
        expect(page.locator(".stage")).to_have_count(5)
        assert "/x/y/" in page.url
        page.locator("#rows a.open").first.click()
        assert "/x/y/alerts/" in page.url


def test_nothing_is_there_yet(browser: Browser, tmp_path: Path) -> None:
    with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
        page = pages.open("/")
        expect(page.locator(".steps li")).to_have_count(3)
        expect(page.locator(".steps")).to_contain_text("gatewatch demo --serve")
        page.get_by_role("button", name="Copy").last.click()
        expect(page.locator(".toast")).to_have_text("Copied")
        axe(page)
        shot(page, "overview-empty")


def test_only_runs(browser: Browser, tmp_path: Path) -> None:
    runs = tmp_path / ".gatewatch" / "runs"
    runs.mkdir(parents=True)
    a_run(runs, "r-1", [a_row("r-1", f"c{n}", exact=n % 2) for n in range(20)], suite=HOSTILE)
    a_run(runs, "r-2", [a_row("r-2", f"c{n}") for n in range(20)], suite="other")
    with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
        page = pages.open("/")
        stages = page.locator(".stage")
        expect(stages.nth(0)).to_contain_text("no baseline is pinned")
        expect(stages.nth(1)).to_contain_text("No live request yet")
        expect(stages.nth(4)).to_contain_text("cases in the last run")
        expect(page.locator("#back")).to_contain_text("No baseline is pinned")
        expect(page.get_by_role("region", name="Suites")).to_contain_text(SHOWN)
        expect(page.locator(".needs-you")).to_contain_text("Nothing needs you")
        assert page.title() == "Overview · bot · Gatewatch"
        axe(page)


def test_only_traffic_of_several_flows_with_hostile_names(browser: Browser, tmp_path: Path) -> None:
    with open_server(tmp_path) as server:
        with a_store(tmp_path) as store:
            ask(store, HOSTILE, "search", "refund")
            alarm(store, HOSTILE, HOSTILE)
            now = wall()
            failure = Failure(
                flow=HOSTILE, sign="error", name=HOSTILE, n=2, share=0.1, low=0.05, high=0.2, severity=0.9,
                first=now, last=now, opened=now, updated=now,
            )  # fmt: skip
            assert store.keep_mined([Mined(failure=failure)], now, read_at=store.mined_at())
        with browsing(browser, server.url) as pages:
            page = pages.open("/")
            stages = page.locator(".stage")
            expect(stages.nth(0)).to_contain_text("No suite yet")
            expect(stages.nth(1)).to_contain_text(SHOWN[:20])  # the gravest flow is the one with an alert
            expect(stages.nth(1)).to_contain_text("no scorer said anything in 7 days")
            expect(stages.nth(2)).to_contain_text("1 new this week")
            flows = page.get_by_role("region", name="Flows")
            expect(flows.get_by_role("row")).to_have_count(4)
            expect(flows).to_contain_text(SHOWN)
            expect(page.locator("#rows")).to_contain_text(SHOWN)
            expect(page.locator(".quality")).to_contain_text("no scorer said anything of these requests")
            page.locator(".quality").get_by_role("link", name="search").click()
            page.wait_for_url("**/?flow=search")
            assert page.title() == "Overview · bot · Gatewatch"
            assert page.locator("main img, main script").count() == 0
            axe(page)


def test_at_most_seven_are_told_and_new_ones_wait_to_be_asked_for(browser: Browser, tmp_path: Path) -> None:
    with open_server(tmp_path) as server, a_store(tmp_path) as store:
        ask(store, "support")
        for number in range(9):
            alarm(store, "support", f"alert {number}", number)
        with browsing(browser, server.url) as pages:
            page = pages.open("/")
            expect(page.locator("#rows [data-row]")).to_have_count(7)
            expect(page.locator("#count")).to_have_text("7 gravest of 9")
            part = page.request.get(server.url + "/", headers={"x-gatewatch-fragment": "live", "accept": "text/html"})
            assert all(f'id="{each}"' in part.text() for each in ("stages", "count", "rows", "no-needs", "all"))
            assert "<html" not in part.text()


def test_a_project_that_cannot_be_read_says_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    toml = '[project]\nname = "bot"\n[suites.s]\ndataset = "none.jsonl"\ntask = "app:answer"\nscorers = ["exact"]\n'
    with open_server(tmp_path, toml) as server:
        with a_store(tmp_path) as store:
            ask(store, json.dumps("one"))
        with browsing(browser, server.url) as pages:
            page = pages.open("/")
            expect(page.locator(".stage").nth(0)).to_contain_text("was never run")
            expect(page.locator(".stage").nth(4)).to_contain_text("cannot be read")
            expect(page.locator("#rows")).to_contain_text("no such file")


def test_what_the_last_audit_found_stands_beside_the_dataset(browser: Browser, tmp_path: Path) -> None:
    toml = '[project]\nname = "bot"\n[suites.s]\ndataset = "s.jsonl"\ntask = "app:answer"\nscorers = ["exact"]\n'
    (tmp_path / "s.jsonl").write_text('{"id": "a", "input": "one", "expected": "ONE"}\n')
    with open_server(tmp_path, toml) as server:
        with a_store(tmp_path) as store:
            ask(store, "support")
        with browsing(browser, server.url) as pages:
            page = pages.open("/")
            dataset = page.locator(".stage").nth(4)
            expect(dataset.get_by_title("not audited since the server started")).to_have_text("\u2014 stale")
            pages.open("/datasets/s/audit", page=page)
            page.keyboard.press("r")
            expect(page.locator("main")).to_contain_text("Audit again")
            pages.open("/in/bot/", page=page)
            expect(dataset.get_by_title("not audited since the server started")).to_have_count(0)
            expect(dataset.get_by_text("stale")).to_be_visible()
