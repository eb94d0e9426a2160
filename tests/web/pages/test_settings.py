"""The settings' pages: what they tell, what only an admin may do, and nothing that is secret in any of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from gatewatch.checks.provider import FakeProvider
from gatewatch.core.clock import wall
from gatewatch.store import access, visits
from gatewatch.store.visits import Place
from web.asking import axe
from web.browsing import Pages, browsing, open_server, shot
from web.filled import filled_copy
from web.pages.test_signin_page import sign_in
from web.serving import Served, served
from web.signing import Person

TABS = ("", "/config", "/channels", "/access", "/audit", "/look")
TOML = """
[project]
name = "bot"
store = "sqlite:///.gatewatch/gatewatch.db"

[models.judge]
model = "gpt-5-mini"
key_env = "NOBODYS_KEY"
headers = { "x-org" = "hush-header" }

[scorers.helpful]
rubric = "helpful.md"
model = "judge"

[tasks.bot]
command = "true"
environment = { TOKEN = "hush-environment" }

[online]
keep = "30d"
drop_fields = ["input.password"]

[alerts]
to = ["webhook:https://hooks.example/hush-path", "stdout"]
heartbeat = "https://beat.example/hush-heartbeat"
smtp = "smtps://bot:hush-password@mail.example:465"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, TOML) as found:
        yield found


@pytest.fixture
def ana(server: Served) -> Iterator[Person]:
    with Person(server, "ana") as found:
        found.sign_in(server.token("admin"))
        yield found


def test_nothing_that_is_secret_is_told(ana: Person) -> None:
    for tab in TABS:
        said = ana.go(f"/settings{tab}?all=1")
        assert said.status_code == 200 and "hush" not in said.text, tab
    text = ana.go("/settings/config").text
    for part in ("hooks.example/...", "NOBODYS_KEY is not set", "smtps://bot:•••@mail.example:465", "input.password"):
        assert part in text, part


def test_what_nobody_set_is_shown_when_it_is_asked_for(ana: Person) -> None:
    text, every = ana.go("/settings/config").text, ana.go("/settings/config?all=1").text
    assert "[ingest]" not in text and "[ingest]" in every and "feedback_rate" in every
    found = ana.go("/settings/config?all=1&q=late+feedback").text
    assert 'class="mono">hold</th>' in found and "feedback_rate" not in found


def test_a_file_that_was_changed_since_is_followed_and_one_that_is_wrong_told(ana: Person, tmp_path: Path) -> None:
    assert "cannot be used" not in ana.go("/settings/config").text
    (tmp_path / "gatewatch.toml").write_text(TOML.replace("30d", "60d"))
    text = ana.go("/settings/config").text
    assert "cannot be used" not in text and "60d" in text
    (tmp_path / "gatewatch.toml").write_text("odd")
    text = ana.go("/settings/config").text
    assert "cannot be used" in text and "60d" in text


@pytest.mark.parametrize("role", ["read", "review"])
def test_only_an_admin_sees_who_did_what_and_may_change_anything(server: Served, role: access.Role) -> None:
    with Person(server) as mia:
        mia.sign_in(server.token(role))
        page = mia.go("/settings")
        assert page.status_code == 200 and "/settings/audit" not in page.text and "/settings/access" not in page.text
        for path in ("access", "audit", "audit.csv"):
            assert mia.go(f"/settings/{path}").status_code == 403
        mark = mia.mark("/settings/look")
        assert "Send a test" not in mia.go("/settings/channels").text
        for path in ("access/revoke", "access/end", "channels"):
            assert mia.send(f"/settings/{path}", csrf=mark, channel="0").status_code == 403, path


def test_an_admin_revokes_a_token_of_their_project_alone(server: Served, ana: Person) -> None:
    base = server.host.base()
    ours, theirs = access.create(base, project="bot", role="read", now=wall(), note="old <b>laptop</b>")[0], ""
    theirs = server.token("read", "shop").split("_")[2]
    text = ana.go("/settings/access").text
    assert ours.id in text and theirs not in text and "old &lt;b&gt;laptop&lt;/b&gt;" in text
    mark = ana.mark("/settings/access")
    assert ana.send("/settings/access/revoke", csrf=mark, token=theirs).status_code == 404
    assert ana.send("/settings/access/revoke", token=ours.id).status_code == 403
    assert ana.send("/settings/access/revoke", csrf=mark, token=ours.id).status_code == 303
    assert {each.id for each in access.tokens(base) if each.revoked} == {ours.id}
    assert "was revoked" in ana.go("/settings/access").text
    line = server.host.open_now()[0].store.audited()[0]
    assert (line.action, line.what) == ("token revoked", ours.id) and line.who.startswith("ana (token ")


def test_an_admin_ends_all_visits_to_their_project_alone(server: Served, ana: Person) -> None:
    other = visits.begin(server.host.base(), Place("shop", "read", ""), "mia", wall())
    assert ana.send("/settings/access/end", csrf=ana.mark("/settings/access")).status_code == 303
    assert ana.go("/settings").headers["location"] == "/signin?next=/settings"
    assert visits.find(server.host.base(), other, wall()) is not None


def test_a_channel_is_tried_and_what_came_of_it_is_told(tmp_path: Path) -> None:
    with FakeProvider() as taker:
        toml = TOML.replace("https://hooks.example/hush-path", taker.url)
        with served(tmp_path, toml) as server, Person(server, "ana") as ana:
            ana.sign_in(server.token("admin"))
            mark = ana.mark("/settings/channels")
            said = ana.send("/settings/channels", csrf=mark, channel="0")
            assert said.status_code == 200 and ("took the test" in said.text or "did not take it" in said.text)
            assert taker.requests
            for wrong in ("9", "-1", "", "x", "https://evil.example", "\u00b2"):
                assert ana.send("/settings/channels", csrf=mark, channel=wrong).status_code in (422, 429)
            assert ana.send("/settings/channels", csrf=mark, channel="0").status_code == 429
            assert server.host.open_now()[0].store.audited()[0].action == "channel test"


def test_the_audit_is_read_by_pages_and_taken_along_whole(server: Served, ana: Person) -> None:
    store = server.host.open_now()[0].store
    for n in range(120):
        store.note(wall(), "=mia", "label" if n % 3 else "read", f"I{n}")
    page = ana.go("/settings/audit").text
    assert page.count('<tr id="a-') == 48 and ">I119<" in page and ">I117<" not in page
    older = page.split('rel="next"')[0].rpartition('href="')[2].split('"')[0].replace("&amp;", "&")
    assert ana.go(older).text.count('<tr id="a-') == 33
    assert ">I117<" in ana.go("/settings/audit?reads=1").text
    lines = ana.go("/settings/audit.csv?reads=1").text.splitlines()
    assert len(lines) == 1 + 120 + 2 and any(",'=mia," in line for line in lines)


def test_a_project_without_its_checkout_says_where_the_rest_is(server: Served) -> None:
    with Person(server) as mia:
        mia.sign_in(server.token("admin", "shop"))
        for tab in TABS:
            assert mia.go(f"/settings{tab}").status_code == 200, tab
        assert "are in its own checkout" in mia.go("/settings/config").text
        assert mia.send("/settings/channels", csrf=mia.mark("/settings/look"), channel="0").status_code == 404


def test_theme_and_density_are_chosen_without_scripts(browser: Browser, tmp_path: Path) -> None:
    with open_server(tmp_path, prefix="/x/y") as server, browsing(browser, server.url, script=False) as pages:
        page = pages.open("/settings/look")
        page.get_by_role("button", name="Dark").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.get_by_role("button", name="Comfortable").click()
        expect(page.locator("html")).to_have_attribute("data-density", "comfortable")
        page.get_by_role("button", name="As the system").click()
        expect(page.locator("html")).not_to_have_attribute("data-theme", "dark")


# With a browser


def test_settings_are_searched_by_keys_alone(pages: Pages) -> None:
    page = pages.open("/settings")
    page.keyboard.press("g")
    page.keyboard.press(",")
    page.get_by_role("link", name="Configuration").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/settings/config")
    page.keyboard.press("/")
    page.keyboard.type("reviewers")
    expect(page.locator("#config h2")).to_have_text(["[loop]"])
    page.get_by_role("link", name="All, defaults too").click()
    expect(page.locator("#which [aria-current]")).to_have_text("All, defaults too")


def test_everybody_can_use_them(browser: Browser, filled_project: Path, tmp_path: Path) -> None:
    folder = filled_copy(filled_project, tmp_path / "filled")
    toml = (
        folder / "gatewatch.toml"
    ).read_text() + '\n[alerts]\nto = ["slack:$SLACK_URL", "webhook:https://hooks.shop.example/x"]\n'
    with served(folder, toml) as server:
        own = server.host.serving.own
        for role in ("read", "ingest"):
            server.token(role, own)
        with browsing(browser, server.url) as pages:
            for theme in ("light", "dark"):
                for size in ("wide", "middle", "narrow"):
                    page = pages.open("/settings", theme=theme, size=size)
                    sign_in(page, server.token("admin", own), "Ana Weber")
                    expect(page.locator("#health")).to_be_visible()
                    for tab in TABS:
                        pages.open(f"/settings{tab}", page=page)
                        axe(page)
                        wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
                        assert wide <= 0, (tab, size, wide)
                        if tab == "/access":
                            page.locator("summary", has_text="Revoke").first.click()
                        shot(page, f"settings{tab.replace('/', '-')}-{size}-{theme}")
