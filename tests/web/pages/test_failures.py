"""Failures at a page: found, named, ignored, given to somebody, mined anew; changes for git; hostile texts."""

import csv
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from cli.labelling import asked, reviewed, the_store
from gatewatch.checks.looping import change
from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.core.failure import Failure, failure_name
from gatewatch.core.review import Item, Label
from gatewatch.store import access
from gatewatch.store.looping import Mined
from web.asking import axe
from web.browsing import Pages, browsing, open_server, ready, shot
from web.filled import filled_copy
from web.pages.test_promote_form import a_project
from web.pages.test_review import HOSTILE
from web.serving import served


def mined(folder: Path, *names: str, needed: int = 1, **fields: Any) -> None:
    """Keep failures of these names, as mining does, each with a request."""
    now = wall()
    known: dict[str, Any] = {"flow": "support", "sign": "thumbs_down", "first": now - 90_000, "last": now, "n": 3}
    found = []
    for number, name in enumerate(names, 1):
        trace = asked(number, input=f"{name} asked", output=f"{name} answered")
        item = Item(queue="failures", flow="support", trace=trace.id, signs=("thumbs_down",), added=now, needed=needed)
        failure = Failure(
            name=name, opened=now, updated=now, **{"share": number / 100, "severity": 0.5, **known, **fields}
        )
        found.append(Mined(failure=failure, items=[(item, codec.encode(trace))]))
    with the_store(folder) as store:
        store.keep_mined(found, now, read_at=store.mined_at())


def promoted(project: Path) -> str:
    """The failure of the filled project of which a case was made."""
    with the_store(project) as store:
        return failure_name(store.failures(states=["promoted"])[0].id)


def test_failures_are_found_and_turned_by_the_mouse(browser: Browser, tmp_path: Path) -> None:
    project = reviewed(tmp_path)
    mined(project, "late refunds", "lost parcels")
    with open_server(project) as server, browsing(browser, server.url) as pages:
        page = pages.open("/failures")
        rows = page.locator("[data-row]")
        expect(rows).to_have_count(2)
        expect(rows.first).to_contain_text("lost parcels")  # twice the impact
        shot(page, "failures")
        page.get_by_label("Search failures").fill("refund")
        expect(rows).to_have_count(1)
        expect(page.locator("#count")).to_contain_text("1 failures")
        rows.first.click()
        page.wait_for_url("**/failures/F1*")
        ready(page)
        expect(page.locator(".request")).to_contain_text("late refunds answered")
        page.get_by_label("Name", exact=True).fill("refunds come late")
        page.get_by_role("button", name="Rename").click()
        expect(page.locator("h1")).to_contain_text("refunds come late")
        page.get_by_label("Owner").fill("mia")
        page.get_by_role("button", name="Assign").click()
        page.get_by_label("Reason").fill("the bank's fault")
        page.get_by_role("button", name="Ignore").click()
        expect(page.locator(".turns")).to_contain_text("the bank's fault")
        page.get_by_label("Reason").fill("not the bank's")
        page.get_by_role("button", name="Reopen").click()
        expect(page.locator(".pill .status")).to_contain_text("new")
    with the_store(project) as store:
        found = store.failure(1)
        assert found is not None
        assert (found.name, found.owner, found.state) == ("refunds come late", "mia", "new")
        assert [each.state for each in found.turns] == ["new", "new", "ignored", "new"]
        done = [each.action for each in store.audit(0.0, 20) if each.what == "F1" and each.action != "read"]
        assert done == ["failure new", "failure ignored", "failure new", "failure named"]


def test_they_are_gone_through_by_keys_alone(browser: Browser, tmp_path: Path) -> None:
    project = reviewed(tmp_path)
    mined(project, "late refunds", "lost parcels")
    with open_server(project) as server, browsing(browser, server.url) as pages:
        page = pages.open("/failures")
        keys = page.keyboard
        keys.press("j")
        keys.press("j")
        keys.press("Enter")
        page.wait_for_url("**/failures/F1*")
        ready(page)
        keys.press("i")
        keys.type("no matter")
        keys.press("Enter")
        expect(page.locator(".pill .status")).to_contain_text("ignored")
        ready(page)
        keys.press("g")
        keys.press("f")
        page.wait_for_url("**/failures")
        ready(page)
        expect(page.locator("[data-row]")).to_have_count(1)


def test_mining_is_begun_at_a_page_and_told_of(browser: Browser, filled_project: Path, tmp_path: Path) -> None:
    project = filled_copy(filled_project, tmp_path / "copy")
    with open_server(project) as server, browsing(browser, server.url) as pages:
        page = pages.open("/failures")
        page.get_by_text("Mine now").click()
        page.get_by_role("button", name="Mine", exact=True).click()
        expect(page.locator("#mining")).to_contain_text("failures in", timeout=60_000)
        expect(page.locator("#mining")).to_contain_text("Mined")
        pages.open(f"/failures/{promoted(project)}/chain", page=page)
        expect(page.locator(".chain")).to_contain_text("datasets/support.jsonl")


def test_labels_are_not_seen_by_who_is_to_label(browser: Browser, tmp_path: Path) -> None:
    project = reviewed(tmp_path, 2)
    mined(project, "late refunds", needed=2)
    with the_store(project) as store:
        store.label(Label(item=1, by="ana", at=1.0, value=0.0, comment="a secret"), 1.0)
    with open_server(project) as server, browsing(browser, server.url) as pages:
        for name, seen in (("ben", False), ("ana", True)):
            context = pages.context()
            context.add_cookies([{"name": "gatewatch_reviewer", "value": name, "url": pages.url}])
            page = context.new_page()
            pages.open("/failures/F1", page=page)
            assert ("a secret" in page.inner_text("main")) is seen


def test_changes_for_git_are_listed_given_as_a_patch_and_withdrawn(browser: Browser, tmp_path: Path) -> None:
    project = reviewed(tmp_path)
    (project / "cases.jsonl").write_text('{"id": "a", "input": "one"}\n')
    with (project / "gatewatch.toml").open("a") as file:
        file.write('\n[suites.main]\ndataset = "cases.jsonl"\ntask = "app:answer"\nscorers = ["exact"]\n')
    body = {"case": {"id": "c1", "input": "two", "expected": HOSTILE}, "into": ""}
    with the_store(project) as store:
        store.propose(
            [change("k1", path="cases.jsonl", body=body), change("k2", path="../elsewhere", body=body)], wall()
        )
    with open_server(project) as server, browsing(browser, server.url) as pages:
        page = pages.open("/failures/changes")
        expect(page.locator("[data-row]")).to_have_count(2)
        reply = page.request.get(server.url + "/failures/changes.patch")
        patch = reply.text()
        assert "+++ b/cases.jsonl" in patch and '+{"id": "c1"' in patch and "# left out: C2" in patch
        page.locator("#C1").click()
        expect(page.locator(".opened")).to_contain_text("<script>alert(1)</script>")
        page.locator(".opened").get_by_role("button", name="Withdraw").click()
        page.get_by_role("link", name="Withdrawn").click()
        expect(page.locator("[data-row]")).to_have_count(1)
        shot(page, "changes")
    with the_store(project) as store:
        assert [each.state for each in store.changes()] == ["withdrawn", "pending"]


def test_what_is_exported_is_what_is_shown_and_no_formula(tmp_path: Path) -> None:
    project = reviewed(tmp_path)
    mined(project, "=1+1", "lost parcels")
    with open_server(project) as server, server.client() as client:
        rows = list(csv.DictReader(client.get("/failures.csv?q=1").text.splitlines()))
        assert [row["name"] for row in rows] == ["'=1+1"]
        head, *lines = client.get("/failures.jsonl").text.splitlines()
        assert json.loads(head)["kind"] == "gatewatch.failures" and len(lines) == 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_them(pages: Pages, filled_project: Path, theme: Any) -> None:
    one = f"/failures/{promoted(filled_project)}"
    paths = ("/failures", one, f"{one}/chain", "/failures/changes", "/failures?q=nothing+fits")
    for path in paths:
        axe(pages.open(path, theme=theme))
    for size in ("middle", "narrow"):
        for path in paths[:2]:
            page = pages.open(path, theme=theme, size=size)
            axe(page)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            shot(page, f"failures_{size}_{theme}")


def test_what_is_hostile_is_text_without_scripts_and_under_a_prefix(browser: Browser, tmp_path: Path) -> None:
    project = reviewed(tmp_path)
    mined(
        project,
        HOSTILE,
        sign=f"score:{HOSTILE}",
        owner=HOSTILE,
        nearest=HOSTILE,
        novelty="near",
        slices={HOSTILE: 3},
        versions={HOSTILE: 2},
    )
    with open_server(project, prefix="/x/y") as server:
        with browsing(browser, server.url, script=False) as pages:
            page = pages.open("/failures")
            expect(page.locator("[data-row]")).to_contain_text("<script>alert(1)</script>")
            page.locator("[data-row] a.open").click()
            expect(page.locator("h1")).to_contain_text("U+202E")
            page.get_by_label("Reason").fill(HOSTILE.replace("\x1b", ""))
            page.get_by_role("button", name="Ignore").click()
            expect(page.locator(".turns")).to_contain_text("<svg onload=alert(2)>")
            page.get_by_role("link", name="Chain").click()
            expect(page.locator(".chain")).to_contain_text("<script>alert(1)</script>")
        with browsing(browser, server.url) as pages:
            page = pages.open("/failures/F1")
            assert page.locator("main script, main svg[onload], main img").count() == 0


def test_who_may_only_read_turns_nothing_and_sees_no_button(tmp_path: Path) -> None:
    project = reviewed(tmp_path)
    mined(project, "late refunds")
    toml = (project / "gatewatch.toml").read_text()
    with served(project, toml) as server, server.client(server.token("read")) as client:
        page = client.get("/failures/F1").text
        assert "late refunds" in page and "Rename" not in page and "Promote" not in page
        assert client.post("/failures/F1/turn", data={"act": "ignore", "reason": "x"}).status_code == 403
        assert client.get("/failures/F9").status_code == 404
        assert client.get("/failures/promote", params={"what": "F1"}).status_code == 403


def test_of_another_project_there_is_the_store_and_the_way_on(tmp_path: Path) -> None:
    project = reviewed(tmp_path)
    with served(project, (project / "gatewatch.toml").read_text()) as server:
        access.register(server.host.base(), "other", wall())
        with closing(server.host.serving.part("other")) as store:
            trace = asked(1, output="answer 1")
            item = Item(queue="failures", flow="f", trace=trace.id, scorer="tone", added=wall())
            failure = Failure(flow="f", sign="error", name="rude", first=1.0, last=2.0, opened=1.0, updated=2.0)
            found = [Mined(failure=failure, items=[(item, codec.encode(trace))])]
            store.keep_mined(found, wall(), read_at=store.mined_at())
        with server.client(server.token("review", "other"), cookies={"gatewatch_reviewer": "ana"}) as client:
            for path, text in (
                ("/failures", "rude"),
                ("/failures/F1", "answer 1"),
                ("/failures/F1/chain", "gatewatch show F1"),
                ("/failures/promote?what=I1", "gatewatch promote I1"),
                ("/failures/changes", "gatewatch pull --from"),
                ("/review", "question 1"),
                ("/review/I1", "0.0 to 1.0"),
                ("/review/agreement", "Nothing is labelled yet"),
            ):
                reply = client.get(path)
                assert (reply.status_code, text in reply.text) == (200, True), path
            assert client.get("/failures/changes.patch").status_code == 409
            said = {"number": "0.25", "act": "label", "comment": "meh"}
            assert client.post("/review/I1", data=said).status_code == 303
        with closing(server.host.serving.part("other")) as store:
            assert [(each.by, each.value) for each in store.labels([1])] == [("ana", 0.25)]


def test_what_a_case_like_it_expects_is_told_as_an_answer(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    (project / "cases.jsonl").write_text(
        '{"id": "a", "input": "Where is it?", "expected": {"answer": "in Graz", "tool_calls": []}}\n'
    )
    mined(project, "lost parcels", novelty="near", nearest="a", likeness=0.8)
    with open_server(project) as server, server.client() as client:
        told = client.get("/failures/F1").text
    assert "in Graz" in told and "tool_calls" not in told
