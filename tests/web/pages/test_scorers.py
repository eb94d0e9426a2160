"""Scorers: who uses each, whether people's labels bear it out, its rubric by version, and trying it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from gatewatch.checks.provider import FakeProvider, Reply
from web.asking import axe
from web.browsing import Pages, browsing, open_server, ready, shot
from web.pages.test_datasets import HOSTILE, git
from web.serving import served

TOML = """
[project]
name = "bot"
[models.judge]
model = "judge-1"
base_url = "{url}"
key_env = ""
retries = 0
{prices}
[scorers.kind]
rubric = "rubrics/kind.md"
model = "judge"
[scorers.short]
use = "regex"
pattern = "(?s).{{1,20}}"
full = true
"""
PRICES = '[prices."judge-1"]\ninput = 2.0\noutput = 8.0\n'
RUBRIC = '---\nscale = "binary"\n---\nPass: it is kind. ' + " ".join(HOSTILE) + "\nFail: it is not.\n"


def made(folder: Path, url: str, prices: str = PRICES) -> Path:
    (folder / "rubrics").mkdir(parents=True)
    (folder / "rubrics" / "kind.md").write_text(RUBRIC)
    (folder / "gatewatch.toml").write_text(TOML.format(url=url, prices=prices))
    return folder


def judgement(_: dict[str, Any]) -> Reply:
    return Reply(text=json.dumps({"explanation": " ".join(HOSTILE), "verdict": "pass"}))


@pytest.fixture
def judge() -> Iterator[FakeProvider]:
    with FakeProvider(judgement) as found:
        yield found


@pytest.fixture
def own(browser: Browser, judge: FakeProvider, tmp_path: Path) -> Iterator[Pages]:
    with open_server(made(tmp_path, judge.base_url)) as server, browsing(browser, server.url) as found:
        yield found


def test_the_list_says_who_uses_each_and_whether_it_may_be_trusted(pages: Pages) -> None:
    page = pages.open("/scorers")
    row = page.locator("[data-row]").filter(has_text="helpful")
    expect(row).to_contain_text("judge")
    expect(row).to_contain_text("support")
    expect(row).to_contain_text(re.compile(r"\d\d\.\d% \[\d\d\.\d%, \d\d\.\d%\]"))
    page.get_by_role("link", name="All there are").click()
    expect(page.locator("[data-row]").filter(has_text="injection").first).to_be_visible()
    page.get_by_role("link", name="Judges").click()
    expect(page.locator("[data-row]").filter(has_text="regex")).to_have_count(0)


def test_a_scorer_is_looked_at_and_tried_by_keys_alone(pages: Pages) -> None:
    page = pages.open("/datasets")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/scorers")
    ready(page)
    page.keyboard.press("/")
    page.keyboard.type("short")
    expect(page.locator("[data-row]")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/scorers/short")
    ready(page)
    page.keyboard.press("r")
    page.wait_for_url("**/short/try")
    ready(page)
    page.keyboard.press("s")
    expect(page.locator(".trials [data-row]")).to_have_count(10)
    page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.locator(".opened")).to_contain_text("Stored")


def test_a_rule_is_tried_on_stored_requests_beside_their_stored_scores(pages: Pages) -> None:
    page = pages.open("/scorers/short/try")
    expect(page.locator(".go")).to_contain_text("free")
    page.get_by_role("button", name="Score them").click()
    ready(page)
    rows = page.locator(".trials [data-row]")
    expect(rows).to_have_count(10)
    first = rows.first.locator("[role=gridcell]")
    assert first.nth(0).inner_text().split()[0] == first.nth(1).inner_text().split()[0]


def test_a_calibration_is_shown_with_its_intervals(pages: Pages) -> None:
    page = pages.open("/scorers/helpful/calibration")
    expect(page.locator(".word")).to_contain_text("TOO FEW LABELS")
    expect(page.get_by_role("row").filter(has_text="Cohen's kappa")).to_contain_text("[")
    expect(page.locator(".confusion")).to_contain_text("people: good")


def test_a_judge_is_tried_by_hand_with_the_cost_said_first(own: Pages, judge: FakeProvider) -> None:
    page = own.open("/scorers/kind/try")
    expect(page.locator(".by-hand")).to_contain_text("about $")
    page.locator("[name=input]").fill("Hello?")
    page.locator("[name=output]").fill("Good day!\x1b[31m <img src=x onerror=alert(1)>")
    page.keyboard.press("Control+Enter")
    row = page.locator(".trials [data-row]")
    expect(row).to_contain_text("pass")
    expect(row).to_contain_text("$0.")
    row.click()
    expect(page.locator(".opened")).to_contain_text("<script>document.title='taken'</script>")
    assert page.locator("main img, .opened svg").count() == 0
    assert judge.calls == 1


def test_a_cap_is_kept(own: Pages, judge: FakeProvider) -> None:
    page = own.open("/scorers/kind/try")
    page.locator("[name=output]").fill("Good day!")
    page.locator(".by-hand [name=cap]").fill("0")
    page.get_by_role("button", name="Score it").click()
    expect(page.locator(".trials [data-row]")).to_contain_text("not asked")
    expect(page.locator("#tried")).to_contain_text("1 not asked: the cap")
    assert judge.calls == 0


def test_where_the_price_is_unknown_that_has_to_be_accepted(
    browser: Browser, judge: FakeProvider, tmp_path: Path
) -> None:
    with (
        open_server(made(tmp_path, judge.base_url, "")) as server,
        browsing(browser, server.url, script=False) as pages,
    ):
        page = pages.open("/scorers/kind/try")
        page.locator("[name=output]").fill("Good day!")
        page.get_by_role("button", name="Score it").click()
        assert judge.calls == 0  # the browser asks for the box
        page.locator("[name=unknown]").check()
        page.get_by_role("button", name="Score it").click()
        expect(page.locator(".trials [data-row]")).to_contain_text("pass", timeout=20_000)


def test_a_rubric_is_text_with_what_changed_by_version(own: Pages, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "rubrics")
    git(tmp_path, "commit", "-qm", "First rubric <b>")
    (tmp_path / "rubrics" / "kind.md").write_text(RUBRIC.replace("it is not", "it is rude"))
    page = own.open("/scorers/kind")
    expect(page.locator("main")).to_contain_text("<script>document.title='taken'</script>")
    expect(page.locator(".version").first).to_contain_text("not committed")
    expect(page.locator(".version ins")).to_contain_text("rude")
    expect(page.locator(".version").nth(1)).to_contain_text("First rubric <b>")
    assert page.locator("main img").count() == 0


def test_it_works_without_scripts_under_a_prefix(browser: Browser, judge: FakeProvider, tmp_path: Path) -> None:
    folder = made(tmp_path, judge.base_url)
    with open_server(folder, prefix="/x/y") as server, browsing(browser, server.url, script=False) as pages:
        page = pages.open("/scorers")
        page.get_by_role("link", name="short").first.click()
        page.get_by_role("link", name="Try it").click()
        page.locator("[name=output]").fill("longer than twenty letters")
        page.get_by_role("button", name="Score it").click()
        expect(page.locator(".trials [data-row]")).to_contain_text("0")
        page.locator(".trials a.open").click()
        expect(page.locator(".trial")).to_contain_text("longer than twenty letters")
        assert "/x/y/scorers/short/try/0" in page.url


def test_who_may_only_read_may_not_try(tmp_path: Path) -> None:
    made(tmp_path, "http://127.0.0.1:9/v1")
    with served(tmp_path, (tmp_path / "gatewatch.toml").read_text(), names=None) as server:
        with server.client(server.token("read")) as reader:
            assert "Score it" not in reader.get("/scorers/short/try").text
            assert reader.post("/scorers/short/try", data={"how": "hand", "output": "x"}).status_code == 403
        with server.client(server.token("review")) as reviewer:
            wrong = reviewer.post("/scorers/kind/try", data={"how": "hand", "output": "x", "cap": "nan"})
            assert wrong.status_code == 422


def test_without_a_project_it_says_so(browser: Browser, tmp_path: Path) -> None:
    with open_server(tmp_path) as server, browsing(browser, server.url) as pages:
        pages.expect("404")
        page = pages.open("/scorers")
        expect(page.locator("main")).to_contain_text("This project has no scorer yet")
        pages.open("/scorers/nothing", page=page)
        expect(page.get_by_role("alert")).to_contain_text("there is no scorer 'nothing'")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(pages: Pages, theme: Any) -> None:
    for size in ("wide", "middle", "narrow"):
        for name, path in (
            ("scorers", "/scorers?which=all"),
            ("scorer", "/scorers/helpful"),
            ("scorer-calibration", "/scorers/helpful/calibration"),
            ("scorer-try", "/scorers/short/try"),
        ):
            page = pages.open(path, theme=theme, size=size)
            if name == "scorer-try":
                page.get_by_role("button", name="Score them").click()
                ready(page)
                page.locator(".trials [data-row]").nth(2).click()
                expect(page.locator(".opened")).to_be_visible()
            assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
            shot(page, f"{name}-{size}-{theme}")
            axe(page)
            page.context.close()
