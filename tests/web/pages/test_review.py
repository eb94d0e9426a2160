"""Review at a page: a queue by mouse, by keys alone, without scripts; two at once; what is hostile is text."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from cli.labelling import asked, reviewed, the_store, waiting
from gatewatch.core.review import Label
from gatewatch.core.trace import Span, Trace
from gatewatch.loop.label import item_name
from web.asking import axe
from web.browsing import Pages, browsing, open_server, ready, shot

HOSTILE = (
    "<script>alert(1)</script><svg onload=alert(2)> \u202egpj.exe \x1b[31mred ![x](http://elsewhere.example/a.png) =1+1"
)
MORE = '\nkinds = ["wrong policy", "made up"]\nseverity = true\ncomment = "wrong"\n'


def agent(number: int) -> Trace:
    """A request of a conversation, with context and a tool."""
    steps = (
        Span(name="model-1", kind="llm", model="model-1"),
        Span(name="cancel", kind="tool", input={"order": number}, output="done"),
    )
    given = {
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": f"Cancel order {number}"}]
    }
    return asked(
        number, input=given, context=["Orders may be cancelled for 30 days."], spans=steps, output="It is cancelled."
    )


@contextmanager
def over(browser: Browser, folder: Path, *, prefix: str = "", script: bool = True) -> Iterator[Pages]:
    with open_server(folder, prefix=prefix) as server, browsing(browser, server.url, script=script) as pages:
        yield pages


def called(pages: Pages, name: str, **options: Any) -> BrowserContext:
    """A browser of a reviewer who said what they are called."""
    found = pages.context(**options)
    found.add_cookies([{"name": "gatewatch_reviewer", "value": name, "url": pages.url}])
    return found


def labels(folder: Path, number: int) -> list[Label]:
    with the_store(folder) as store:
        return store.labels([number])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return reviewed(tmp_path)


def test_a_queue_is_labelled_by_the_mouse(browser: Browser, project: Path) -> None:
    waiting(project, asked(1), agent(2))
    with over(browser, project) as pages:
        page = pages.open("/review")
        page.get_by_label("Your name").fill("ana")
        page.get_by_role("button", name="Go on").click()
        page.locator("a.primary").click()
        ready(page)
        expect(page.locator("#item")).to_have_attribute("data-item", "I1")
        expect(page.locator("#item")).not_to_contain_text("0.9")
        page.get_by_text("wrong", exact=True).click()
        page.get_by_label("Expected").fill("answer one")
        page.get_by_role("button", name="Submit and next").click()
        expect(page.locator("#item")).to_have_attribute("data-item", "I2")
        expect(page.locator("#told")).to_contain_text("You disagreed with the judge")
        expect(page.locator("#told")).to_contain_text("0.9")
        expect(page.locator(".context")).to_contain_text("Orders may be cancelled for 30 days.")
        shot(page, "review")
        page.get_by_text("right", exact=True).click()
        page.get_by_role("button", name="Submit and next").click()
        expect(page.locator("#item")).to_contain_text("Nothing more waits for you")
        expect(page.locator("#told")).to_contain_text("You agreed with the judge")
    (said,) = labels(project, 1)
    assert (said.by, said.value, said.expected, said.saw) == ("ana", 0.0, "answer one", False)
    assert said.seconds is not None and 0 < said.seconds < 60


def test_a_queue_is_labelled_by_keys_alone(browser: Browser, project: Path) -> None:
    toml = project / "gatewatch.toml"
    toml.write_text(toml.read_text() + MORE)
    waiting(project, *(asked(number) for number in range(1, 6)))
    with over(browser, project) as pages:
        pages.expect("422")
        page = called(pages, "ana").new_page()
        pages.open("/review", page=page)
        keys = page.keyboard
        keys.press("r")
        item = page.locator("#item")
        expect(item).to_have_attribute("data-item", "I1")
        ready(page)
        keys.press("y")
        keys.press("Control+Enter")
        expect(item).to_have_attribute("data-item", "I2")
        keys.press("n")
        keys.press("Control+Enter")
        expect(page.get_by_role("alert")).to_contain_text("comment is missing")
        keys.press("c")
        keys.type("it says nothing")
        keys.press("Escape")
        keys.press("e")
        expect(page.get_by_label("Expected")).to_have_value("answer 2")
        keys.press("Control+a")
        keys.type("42")
        keys.press("Escape")
        keys.press("ArrowUp")
        keys.press("ArrowUp")
        keys.press("Space")
        keys.press("ArrowDown")
        keys.press("Space")
        keys.press("ArrowRight")
        keys.press("Control+Enter")
        expect(item).to_have_attribute("data-item", "I3")
    with the_store(project) as store:
        first, second = store.labels([1, 2])
        assert first.value == 1.0 and (second.value, second.expected, second.comment) == (0.0, "42", "it says nothing")
        assert (second.kinds, second.severity) == (("wrong policy",), "major")


def test_each_item_gets_what_was_said_of_it_and_nothing_of_the_one_before(browser: Browser, project: Path) -> None:
    """Where the focus is when the next item takes the place of one must not matter: on a radio, in a text, nowhere."""
    said = "nyynynyyn"
    waiting(project, *(asked(number) for number in range(1, len(said) + 1)))
    with over(browser, project) as pages:
        page = called(pages, "ana").new_page()
        pages.open("/review/next", page=page)
        keys, item = page.keyboard, page.locator("#item")
        for number, key in enumerate(said, 1):
            expect(item).to_have_attribute("data-item", f"I{number}")
            expect(page.locator("textarea[name=expected], textarea[name=comment]")).to_have_text(["", ""])
            for name in ("expected", "comment"):
                expect(page.locator(f"textarea[name={name}]")).to_have_value("")
            expect(page.locator("input[type=radio]:checked")).to_have_count(0)
            if number % 3 == 2:
                page.get_by_role("radio", name="right" if key == "y" else "wrong").check()
            else:
                keys.press(key)
            if key == "n":
                keys.press("e" if number % 2 else "c")
                keys.press("Control+a")
                keys.type(f"words for {number}")
            if number % 4 == 3:
                keys.press("ArrowDown")
            keys.press("Control+Enter")
        expect(item).to_contain_text("Nothing more waits for you")
    with the_store(project) as store:
        for number, key in enumerate(said, 1):
            (label,) = store.labels([number])
            words = f"words for {number}" if key == "n" else ""
            expected, comment = (words, "") if number % 2 else ("", words)
            assert (label.value, label.expected or "", label.comment) == (float(key == "y"), expected, comment), number


def test_what_is_left_is_told_with_each_label(browser: Browser, project: Path) -> None:
    waiting(project, *(asked(number) for number in range(1, 4)))
    with over(browser, project) as pages:
        page = called(pages, "ana").new_page()
        pages.open("/review/next", page=page)
        badge = page.locator("#badge-review")
        expect(badge).to_have_text("3")
        for done, left in ((1, 2), (2, 1), (3, 0)):
            page.keyboard.press("n")
            page.keyboard.press("Control+Enter")
            expect(page.locator("#told")).to_contain_text(f"I{done}")
            expect(page.locator("#told")).to_contain_text("wrong")
            expect(badge).to_have_text(str(left or ""))
            if left:
                expect(page.locator("#progress")).to_contain_text(f"{done} done today · {left} left")
            else:
                expect(page.locator("#item")).to_contain_text("3 done today")
        pages.open("/review/agreement", page=page)
        expect(page.locator("main")).to_contain_text("no item has two labels")


def test_by_keys_one_skips_takes_back_looks_at_the_judge_and_locks(browser: Browser, project: Path) -> None:
    waiting(project, *(asked(number) for number in range(3, 6)))
    with over(browser, project) as pages:
        page = called(pages, "ana").new_page()
        pages.open("/review/next", page=page)
        keys, item = page.keyboard, page.locator("#item")
        keys.press("s")
        expect(item).to_have_attribute("data-item", "I2")
        keys.press("u")
        page.wait_for_url("**/review/I1*")
        ready(page)
        keys.press("h")
        expect(page.locator(".peek")).to_contain_text("The judge said 0.9")
        keys.press("y")
        keys.press("Control+Enter")
        expect(item).to_have_attribute("data-item", "I2")
        keys.press("l")
        expect(item).to_have_attribute("data-item", "I3")
        keys.press("v")
        keys.type("0.25")
        keys.press("Escape")
        keys.press("c")
        keys.type("half of it")
        keys.press("Control+Enter")
        expect(item).to_contain_text("Nothing more waits for you")
    with the_store(project) as store:
        first, second, third = store.labels([1, 2, 3])
        assert (first.value, first.saw, second.value, second.disputes) == (1.0, True, None, True)
        assert (third.value, third.comment, third.saw) == (0.25, "half of it", False)
        assert [item.state for item in store.items()] == ["settled", "disputed", "settled"]


def test_two_reviewers_have_two_items_and_do_not_see_each_other(browser: Browser, tmp_path: Path) -> None:
    project = reviewed(tmp_path, 2)
    waiting(project, asked(1), asked(2), needed=2)
    with over(browser, project) as pages:
        ana, ben = called(pages, "ana").new_page(), called(pages, "ben").new_page()
        pages.open("/review/next", page=ana)
        ana.keyboard.press("n")
        ana.get_by_label("Comment").fill("a secret of ana's")
        ana.keyboard.press("Control+Enter")
        expect(ana.locator("#item")).to_have_attribute("data-item", "I2")
        pages.open("/review/I1", page=ben)
        expect(ben.locator("body")).not_to_contain_text("secret")
        ben.keyboard.press("y")
        ben.keyboard.press("Control+Enter")
        expect(ben.locator("#told")).to_contain_text("ana said 0")
        pages.open("/review/I1/settle", page=ben)
        expect(ben.locator(".sides")).to_contain_text("a secret of ana's")
        shot(ben, "settle")
        ben.keyboard.press("n")
        ben.keyboard.press("Control+Enter")
        ben.wait_for_url("**view=disputed")
        with the_store(project) as store:
            item = store.item(1)
            assert item is not None and item.state == "settled"
        pages.open("/review/agreement", page=ben)
        expect(ben.locator("main")).to_contain_text("Krippendorff")
        expect(ben.locator(".disagreements")).to_contain_text("I1")


def test_an_item_that_another_took_says_so_and_keeps_nothing(browser: Browser, project: Path) -> None:
    waiting(project, asked(1), asked(2))
    with over(browser, project) as pages:
        pages.expect("409")
        page = called(pages, "ana").new_page()
        pages.open("/review/next", page=page)
        with the_store(project) as store:
            store.let_go_of(1, "ana")
            store.label(Label(item=1, by="ben", at=1.0, value=1.0), 1.0)
        page.keyboard.press("n")
        page.keyboard.press("Control+Enter")
        expect(page.get_by_role("alert")).to_contain_text("what you sent was not kept")
        assert [label.by for label in labels(project, 1)] == ["ben"]


def test_what_is_sent_twice_is_one_label(browser: Browser, project: Path) -> None:
    waiting(project, asked(1), asked(2))
    with over(browser, project, script=False) as pages:
        context = called(pages, "ana")
        page = context.new_page()
        pages.open("/review/next", page=page)
        page.get_by_role("radio", name="right").check()
        form = page.locator("form.answers")
        fields: dict[str, str | float | bool] = {"value": "right", "act": "label"}
        for each in form.locator("input[type=hidden]").all():
            fields[each.get_attribute("name") or ""] = each.get_attribute("value") or ""
        url = pages.url + "/review/I1"
        headers = {"origin": pages.url}
        replies = [context.request.post(url, form=fields, headers=headers, max_redirects=0) for _ in range(2)]
        assert [reply.status for reply in replies] == [303, 303]
        without = context.request.post(url, form={**fields, "csrf": ""}, headers=headers, max_redirects=0)
        assert without.status == 403
    assert [(label.by, label.value) for label in labels(project, 1)] == [("ana", 1.0)]


def test_without_scripts_and_under_a_prefix_it_is_a_form(browser: Browser, project: Path) -> None:
    waiting(project, asked(1), asked(2))
    with over(browser, project, prefix="/x/y", script=False) as pages:
        pages.expect("422")
        page = pages.open("/review")
        page.get_by_label("Your name").fill("ana")
        page.get_by_role("button", name="Go on").click()
        page.locator("a.primary").click()
        page.get_by_role("button", name="Submit and next").click()
        expect(page.get_by_role("alert")).to_contain_text("is missing")
        page.get_by_role("radio", name="wrong").check()
        page.get_by_label("Comment").fill("kept")
        page.get_by_role("button", name="Submit and next").click()
        assert page.url.startswith(f"{pages.url}/review/I2")
        expect(page.locator("#told")).to_contain_text("You disagreed with the judge")
        page.get_by_role("button", name="Undo").click()
        assert page.url.startswith(f"{pages.url}/review/I1")
        pages.open("/review?view=mine", page=page)
        page.get_by_role("button", name="Leave it").first.click()
    assert labels(project, 1) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(pages: Pages, filled_project: Path, theme: Any) -> None:
    with the_store(filled_project) as store:
        disputed = item_name(store.items(states=["disputed"])[0].id)
    context = called(pages, "cleo", theme=theme)
    for path in ("/review", "/review?view=disputed", "/review/next", f"/review/{disputed}/settle", "/review/agreement"):
        page = context.new_page()
        pages.open(path, page=page)
        axe(page)
    for size in ("middle", "narrow"):
        page = called(pages, "cleo", theme=theme, size=size).new_page()
        pages.open("/review/next", page=page)
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shot(page, f"review_{size}_{theme}")


def test_what_is_hostile_is_text(browser: Browser, project: Path) -> None:
    long = "x" * 4_000_000
    bad = asked(
        1,
        input={"messages": [{"role": HOSTILE, "content": HOSTILE}]},
        context=[HOSTILE],
        spans=(Span(name=HOSTILE, kind="tool", input={"q": HOSTILE}, output=HOSTILE),),
        output=HOSTILE + long,
    )
    waiting(project, bad, slice=HOSTILE, needed=2)
    with the_store(project) as store:
        store.label(Label(item=1, by="<b>bad</b>", at=1.0, value=0.0, comment=HOSTILE, expected=HOSTILE), 1.0)
    with over(browser, project) as pages:
        page = called(pages, "ana").new_page()
        reply = page.goto(pages.url + "/review/next")
        assert reply is not None and len(reply.body()) < 100_000
        ready(page)
        assert page.locator("main script, main svg[onload], main img").count() == 0
        expect(page.locator(".answer")).to_contain_text("<script>alert(1)</script>")
        expect(page.locator(".answer")).to_contain_text("U+202E")
        page.locator(".answer").get_by_role("link", name="show all").click()
        expect(page.locator(".answer .cut")).to_have_count(0, timeout=20_000)
        page.keyboard.press("y")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#told")).to_contain_text("<b>bad</b>")
        pages.open("/review/I1/settle", page=page)
        expect(page.locator(".sides")).to_contain_text("<svg onload=alert(2)>")
        assert page.locator("main script, main svg[onload], main img, main b:has-text('bad')").count() == 0


def test_who_may_only_read_labels_nothing(browser: Browser, project: Path) -> None:
    waiting(project, asked(1))
    from web.serving import served

    with served(project, (project / "gatewatch.toml").read_text()) as server:
        for path in ("/review/next", "/review/I1"):
            with server.client(server.token("read")) as client:
                assert client.get(path).status_code == 403
