"""What pages of other sites cannot do in somebody's name: on a server with tokens, and on one that asks for none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewatch.checks.watching import alert, step
from gatewatch.web import cookies
from web.serving import Served, a_trace, frames, served, stretch
from web.signing import Person

EVIL = "https://evil.example"
TURN = {"state": "acknowledged"}


def with_alert(server: Served, token: str) -> None:
    with server.client(token) as client:
        stretch(client, frames(a_trace("a")))
    (opened,) = server.host.open_now()
    step(opened.store, alerts=[alert("fell")])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as found:
        with_alert(found, found.token())
        yield found


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, open_="always") as found:
        with_alert(found, "")
        yield found


@pytest.fixture
def mia(server: Served) -> Iterator[Person]:
    with Person(server) as found:
        assert found.sign_in(server.token("review")).status_code == 303
        yield found


def test_our_own_page_may_act_with_its_mark(server: Served, mia: Person) -> None:
    assert mia.say("/v1/alerts/1", TURN, mia.mark()).status_code == 200
    store = server.host.open_now()[0].store
    assert store.audited()[0].who.startswith("mia (token ") and store.audited()[0].action == "alert acknowledged"


@pytest.mark.parametrize("mark", ["", "x", "A" * 86, "=" * 4, "another visit's", "another project's"])
def test_without_the_mark_it_may_not(server: Served, mia: Person, mark: str) -> None:
    if mark == "another visit's":
        with Person(server) as other:
            other.sign_in(server.token("review"))
            mark = other.mark()
    if mark == "another project's":
        mark = cookies.mark(cookies.key_of(mia.secret), "shop")
    said = mia.say("/v1/alerts/1", TURN, mark)
    assert said.status_code == 403 and "older than your signing in" in said.json()["error"]


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "odd"])
def test_no_other_site_may_act_though_it_had_the_mark(mia: Person, site: str) -> None:
    for origin in (EVIL, mia.base):
        headers = {"sec-fetch-site": site, "origin": origin}
        assert mia.say("/v1/alerts/1", TURN, mia.mark(), **headers).status_code == 403
        assert mia.send("/signout", site, origin, csrf=mia.mark()).status_code == 403
        assert mia.send("/signin", site, origin, token="x", name="mallory").status_code == 403


@pytest.mark.parametrize("origin", [EVIL, "null", "http://127.0.0.1", "http://127.0.0.1:1", "ftp://127.0.0.1"])
def test_an_old_browser_tells_by_its_origin(server: Served, origin: str) -> None:
    with Person(server, old=True) as mia:
        assert mia.send("/signin", origin=origin, token="x", name="x").status_code == 403
        assert mia.sign_in(server.token("review")).status_code == 303
        mark = mia.mark()
        assert mia.send("/signout", origin=origin, csrf=mark).status_code == 403
        headers = {"x-gatewatch-csrf": mark}
        assert mia.http.post("/v1/alerts/1", json=TURN, headers=headers).status_code == 403, "it tells nothing at all"
        assert mia.http.post("/v1/alerts/1", json=TURN, headers=headers | {"origin": mia.base}).status_code == 200


def test_what_is_to_be_looked_at_is_given_to_our_pages_alone(mia: Person) -> None:
    assert mia.look("/v1/traces").status_code == mia.go("/v1/traces").status_code == 200
    for site in ("cross-site", "same-site"):
        assert mia.look("/v1/traces", site).status_code == mia.go("/v1/traces", site).status_code == 403
    assert mia.go("/signin", "cross-site").status_code == 200, "a link in a mail leads to a page"


def test_a_cookie_sends_neither_spans_nor_feedback(server: Served) -> None:
    with Person(server) as ana:
        ana.sign_in(server.token("admin"))
        mark = {"x-gatewatch-csrf": ana.mark()}
        assert stretch(ana.http, frames(a_trace("b")), more=mark).status_code == 401
        said = ana.http.post("/v1/feedback", json={"trace": "a", "thumbs": "up"}, headers=mark)
        assert said.status_code == 401


def test_a_program_with_a_token_needs_no_mark(server: Served) -> None:
    with server.client(server.token("review")) as client:
        assert client.post("/v1/alerts/1", json=TURN).status_code == 200


def test_what_a_proxy_demands_is_no_token_of_ours(mia: Person) -> None:
    assert mia.look("/v1/traces", authorization="Basic bWlhOnNlY3JldA==").status_code == 200
    wrong = "Bearer gw_r_0123456789_" + "0" * 64
    assert mia.look("/v1/traces", authorization=wrong).status_code == 401


def test_roles_are_those_of_the_token(server: Served) -> None:
    with Person(server) as reader:
        reader.sign_in(server.token("read"))
        said = reader.say("/v1/alerts/1", TURN, reader.mark())
        assert said.status_code == 403 and "of role read may not do this" in said.json()["error"]


# Where nobody has to sign in


def test_on_an_open_server_programs_are_as_they_were(opened: Served) -> None:
    with opened.client() as client:
        assert client.post("/v1/alerts/1", json=TURN).status_code == 200
        assert stretch(client, frames(a_trace("b"))).status_code == 200
        headers = {"origin": "https://app.example", "sec-fetch-site": "cross-site"}
        told = {"trace": "a", "thumbs": "up"}
        assert client.post("/v1/feedback", json=told, headers=headers).status_code == 201
        assert client.post("/v1/feedback", json=told, headers=headers | {"origin": EVIL}).status_code == 403


def test_no_page_of_another_site_acts_on_an_open_server(opened: Served) -> None:
    with Person(opened) as mia, Person(opened, old=True) as old:
        for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": EVIL}):
            assert mia.say("/v1/alerts/1", TURN, **headers).status_code == 403
        assert old.http.post("/v1/alerts/1", json=TURN, headers={"origin": EVIL}).status_code == 403
        assert mia.say("/v1/alerts/1", TURN).status_code == 403, "our own page without its mark"
        assert mia.look("/v1/traces", "cross-site").status_code == 403
        assert mia.send("/signout").status_code == 403
        key = opened.host.visitors._key
        assert mia.say("/v1/alerts/1", TURN, cookies.mark(key, "bot")).status_code == 200


def test_a_name_that_was_made_to_mean_this_machine_is_no_way_in(opened: Served) -> None:
    with Person(opened) as mia:
        mark = cookies.mark(opened.host.visitors._key, "bot")
        said = mia.say("/v1/alerts/1", TURN, mark, host="evil.example", origin="http://evil.example")
        assert said.status_code == 421


# Marks


def test_a_mark_is_another_each_time() -> None:
    key = cookies.key_of("x" * 43)
    marks = {cookies.mark(key, "bot") for _ in range(50)}
    assert len(marks) == 50 and all(cookies.is_mark(each, key, "bot") for each in marks)
    assert not any(cookies.is_mark(each, key, "shop") for each in marks)
    assert not any(each[:20] == other[:20] for each in marks for other in marks - {each})


def test_forms_that_are_too_long_or_none_are_refused(mia: Person) -> None:
    own = {"sec-fetch-site": "same-origin"}
    form = own | {"content-type": "application/x-www-form-urlencoded"}
    assert mia.http.post("/signout", content=b"csrf=" + b"x" * 1_000_001, headers=form).status_code == 413
    assert mia.http.post("/signout", content=iter([b"csrf=x"]), headers=form).status_code == 411
    assert mia.http.post("/signout", content=b"&".join([b"a=1"] * 1001), headers=form).status_code == 400
    assert mia.http.post("/signout", content=b"csrf=%ff", headers=form).status_code == 400
    assert mia.http.post("/signout", files={"csrf": b"x"}, headers=own).status_code == 403
    assert mia.http.post("/signin", json={"token": "x"}, headers=own).status_code == 415
