"""Signing in and out: with a token, by the server's own link; what is refused, and that nothing tells why."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gatewatch.core.clock import wall
from gatewatch.store import access
from gatewatch.store.access import Role
from gatewatch.web import visitors
from gatewatch.web.pages import signin
from live.serving import process, token
from web.pages.shelf import SHELF
from web.serving import Served, a_trace, frames, served, stretch
from web.signing import Person


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(visitors, "KNOWN_S", 0.0)
    with served(tmp_path, screens=[SHELF]) as found:
        yield found


def noted(server: Served, project: str = "bot") -> list[tuple[str, str]]:
    store = next(each for each in server.host.open_now() if each.name == project).store
    return [(line.who, line.action) for line in store.audited() if line.action.startswith("sign")]


def test_with_a_token_and_a_name_somebody_is_let_in(server: Served) -> None:
    token = server.token("review")
    with Person(server) as mia:
        assert mia.look("/v1/traces").status_code == 401
        page = mia.go("/signin?next=/runs")
        assert page.status_code == 200 and 'value="/runs"' in page.text
        said = mia.sign_in(token, "/runs?x=1")
        assert (said.status_code, said.headers["location"]) == (303, "/runs?x=1")
        assert mia.look("/v1/traces").status_code == 200
    id_ = token.split("_")[2]
    assert noted(server) == [(f"mia (token {id_})", "sign-in")]


def test_the_cookie_is_kept_from_scripts_other_sites_and_other_paths(server: Served) -> None:
    token = server.token("read")
    with Person(server) as mia:
        kept = mia.sign_in(token).headers["set-cookie"]
        assert re.match(rf"gatewatch-{server.port}=[\w-]{{43}};", kept)
        for part in ("HttpOnly", "Path=/", "SameSite=lax", "Max-Age=604800"):
            assert part in kept
        assert "Secure" not in kept and token not in kept


def test_over_tls_no_other_host_can_have_set_it(tmp_path: Path) -> None:
    with served(tmp_path, names=("gatewatch.example",), proxies=("127.0.0.1",)) as server, Person(server) as mia:
        proxied = {"host": "gatewatch.example", "x-forwarded-proto": "https", "sec-fetch-site": "same-origin"}
        fields = {"token": server.token("read"), "name": "mia"}
        kept = mia.http.post("/signin", data=fields, headers=proxied).headers["set-cookie"]
        assert kept.startswith("__Host-gatewatch=") and "; Secure" in kept and "Path=/" in kept
        assert "domain" not in kept.lower()


@pytest.mark.parametrize(
    "wrong", ["", "x", "gw_r_0123456789_" + "0" * 64, "gw_r_\u00e9", "'; --", "ingest", "revoked", "expired"]
)
def test_a_wrong_token_is_not_told_what_is_wrong_with_it(server: Served, wrong: str) -> None:
    token = wrong
    if wrong == "revoked":
        token = server.token("read")
        access.revoke(server.host.base(), token, wall())
    if wrong == "expired":
        base = server.host.base()
        token = access.create(base, project="bot", role="read", now=wall(), expires=wall() - 1)[1]
    with Person(server) as mia:
        said, other = mia.sign_in(token), mia.sign_in("nothing of the kind")
        assert said.status_code == 401 and said.text == other.text
        assert (token not in said.text or len(token) < 9) and not mia.secret
    assert noted(server) == [("", "sign-in refused")] * 2


@pytest.mark.parametrize("role", ["ingest", "feedback"])
def test_a_token_for_sending_opens_no_page(server: Served, role: Role) -> None:
    with Person(server) as mia:
        said = mia.sign_in(server.token(role))
        assert said.status_code == 403 and f"role {role}" in said.text and not mia.secret


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101, "mia\u202e"])
def test_whoever_signs_in_says_who_they_are(server: Served, name: str) -> None:
    with Person(server, name) as somebody:
        said = somebody.sign_in(server.token("read"))
        assert said.status_code == 422 and "Say who you are" in said.text and not somebody.secret


def test_guessing_is_slowed_down(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    token = server.token("read")
    with Person(server) as mia:
        codes = [mia.sign_in("wrong").status_code for _ in range(signin.A_MINUTE)]
        assert set(codes) == {401}
        said = mia.sign_in(token)
        assert said.status_code == 429 and int(said.headers["retry-after"]) > 0 and not mia.secret
    assert len(noted(server)) == signin.A_MINUTE


OUTSIDE = (
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "javascript:alert(1)",
    "/a//b",
    "/../x",
    "/%2e%2E/x",
    "/x\r\nset-cookie: a=b",
    "/\t/evil.example",
    "evil.example",
    "/x" * 2001,
)


@pytest.mark.parametrize("next_", OUTSIDE)
def test_it_leads_nowhere_else(server: Served, next_: str) -> None:
    with Person(server) as mia:
        page = mia.http.get("/signin", params={"next": next_})
        assert 'name="next" value="/"' in page.text
        assert mia.sign_in(server.token("read"), next_).headers["location"] == "/"


def test_a_secret_that_somebody_else_knows_lets_nobody_in(server: Served) -> None:
    with Person(server) as mia, Person(server, "mallory") as mallory:
        mallory.sign_in(server.token("read", "shop"))
        planted = mallory.secret
        mia.http.cookies.set(f"gatewatch-{server.port}", planted, domain="127.0.0.1", path="/")
        mia.sign_in(server.token("read"))
        assert planted not in [each.value for each in mia.http.cookies.jar if each.domain == "127.0.0.1"]
        assert mallory.look("/v1/traces").status_code == 401, "the visit that was known has ended"
        assert mia.look("/v1/traces").status_code == 200 and mia.look("/in/shop/v1/traces").status_code == 404


def test_signing_out_ends_the_visit_everywhere(server: Served) -> None:
    with Person(server) as mia, Person(server) as copy:
        mia.sign_in(server.token("read"))
        copy.http.cookies = mia.http.cookies.__class__(mia.http.cookies)
        assert copy.look("/v1/traces").status_code == 200
        assert mia.send("/signout").status_code == 403
        said = mia.send("/signout", csrf=mia.mark())
        assert (said.status_code, said.headers["location"]) == (303, "/signin") and not mia.secret
        assert copy.look("/v1/traces").status_code == 401
    assert [action for _, action in noted(server)] == ["sign-out", "sign-in"]


def test_whoever_goes_to_a_page_is_led_to_the_sign_in_and_back(server: Served) -> None:
    token = server.token("read")
    with Person(server) as mia, Person(server, old=True) as old:
        for person in (mia, old):
            assert person.go("/").headers["location"] == "/signin"
            said = person.go("/menu?q=caf\u00e9&x=1")
            assert (said.status_code, said.headers["location"]) == (
                303,
                "/signin?next=/menu%3Fq%3Dcaf%25C3%25A9%26x%3D1",
            )
            assert 'value="/menu?q=caf%C3%A9&amp;x=1"' in person.go(said.headers["location"]).text
        part = {"x-gatewatch-fragment": "rows"}
        assert mia.look("/menu", accept="text/html", **part).status_code == 401, "a part of a page is no page"
        assert old.look("/menu", accept="text/html", **part).status_code == 401
        assert mia.http.get("/menu").headers["content-type"] == "application/json", "nor has a program eyes"
        sent = mia.send("/signout", csrf="x")
        assert sent.headers["location"] == "/signin"
        headers = {"referer": f"{server.url}/menu?q=1", "sec-fetch-site": "same-origin", "accept": "text/html"}
        assert mia.http.post("/signout", headers=headers).headers["location"] == "/signin?next=/menu"
        mia.sign_in(token)
        assert mia.go("/menu", "cross-site").status_code == 200, "a link in a mail leads to the page"


def test_under_a_prefix_it_leads_nowhere_beside_it(tmp_path: Path) -> None:
    with served(tmp_path, prefix="/x/y", screens=[SHELF]) as server, Person(server, root=True) as mia:
        assert mia.go("/x/y/menu").headers["location"] == "/x/y/signin?next=/x/y/menu"
        said = mia.send("/x/y/signin", token=server.token("read"), name="mia", next="/x/z")
        assert said.headers["location"] == "/x/y/" and "Path=/x/y;" in said.headers["set-cookie"]
        assert mia.go("/x/y/menu").status_code == mia.go("/x/y/in/bot/menu").status_code == 200
        mia.send("/x/y/signin", token=server.token("review", "shop"), name="mia")
        assert mia.go("/x/y/menu?q=1").headers["location"] == "/x/y/in/bot/menu?q=1"
        page = mia.go("/x/y/in/shop/menu").text
        assert 'href="/x/y/in/bot/"' in page and 'action="/x/y/in/shop/menu"' in page


# The link of the server


def test_the_link_lets_in_once(server: Served) -> None:
    server.token("read")
    server.host.visitors.account = "ana"
    key = server.host.visitors.link()
    with Person(server) as ana, Person(server) as other:
        assert ana.http.head(f"/enter?key={key}").status_code == 405
        said = ana.go(f"/enter?key={key}")
        assert (said.status_code, said.headers["location"]) == (303, "/")
        assert said.headers["referrer-policy"] == "no-referrer" and said.headers["cache-control"] == "no-store"
        assert key not in str(said.headers) + said.text
        assert ana.look("/v1/traces").status_code == 200
        assert ana.go(f"/enter?key={key}").headers["location"] == "/", "the page was loaded again"
        again = other.go(f"/enter?key={key}")
        assert again.status_code == 401 and "This link was used" in again.text and key not in again.text
        assert not other.secret
    assert noted(server) == [("ana", "sign-in")]


def test_the_link_is_good_for_a_quarter_of_an_hour(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    server.token("read")
    key = server.host.visitors.link()
    monkeypatch.setattr(server.host.visitors, "_clock", lambda: wall() + visitors.LINK_S)
    with Person(server) as ana:
        assert ana.go(f"/enter?key={key}").status_code == 401
        assert ana.go("/enter").status_code == ana.go("/enter?key=x").status_code == 401


def test_where_nobody_has_to_sign_in_the_page_that_was_meant_comes_at_once(tmp_path: Path) -> None:
    with served(tmp_path, open_="untokened") as server, Person(server) as ana:
        assert ana.go("/signin?next=/runs").headers["location"] == "/runs"
        assert ana.go("/enter?key=x").headers["location"] == "/"


def test_a_server_tells_its_link_at_the_start_and_never_again(tmp_path: Path) -> None:
    with process(tmp_path) as server:
        assert server.child is not None and server.child.stderr is not None
        told = re.fullmatch(r"pages   (http://\S+/enter\?key=([\w-]{43}))  \(.+\)\n", server.child.stderr.readline())
        assert told is not None
        token(tmp_path)
        with httpx.Client() as client:
            assert client.get(told[1], headers={"accept": "text/html"}).status_code == 303
            assert client.get(f"{server.url}/v1/traces").status_code == 200
            client.cookies.clear()
            assert client.get(f"{server.url}/v1/traces").status_code == 401
        server.child.terminate()
        assert told[2] not in server.child.communicate()[1]


# Two teams


def test_two_teams_on_one_server_see_their_own(server: Served) -> None:
    for project in ("bot", "shop"):
        with server.client(server.token("ingest", project)) as client:
            stretch(client, frames(a_trace(f"of-{project}")))
    with Person(server) as mia, Person(server, "ana") as ana:
        mia.sign_in(server.token("review"))
        ana.sign_in(server.token("review", "shop"))
        for person, own, other in ((mia, "bot", "shop"), (ana, "shop", "bot")):
            for path in ("/v1/traces", f"/in/{own}/v1/traces"):
                assert [row["id"] for row in person.look(path).json()["traces"]] == [f"of-{own}"]
            assert person.look(f"/in/{other}/v1/traces").status_code == 404
            assert person.look(f"/v1/traces/of-{other}").status_code == 404


def test_who_has_tokens_of_two_projects_sees_both_each_at_its_address(server: Served) -> None:
    with server.client(server.token("ingest", "shop")) as client:
        stretch(client, frames(a_trace("of-shop")))
    with Person(server) as mia:
        mia.sign_in(server.token("read"))
        said = mia.sign_in(server.token("review", "shop"))
        assert said.headers["location"] == "/in/shop/"
        assert mia.go("/menu?q=1").headers["location"] == "/in/bot/menu?q=1"
        assert 'href="/in/bot/"' in mia.go("/in/shop/menu").text
        assert mia.send("/in/shop/signout", csrf=mia.mark()).status_code == 403, "the mark is of another project"
        assert mia.look("/in/bot/v1/traces").json()["traces"] == []
        assert [row["id"] for row in mia.look("/in/shop/v1/traces").json()["traces"]] == ["of-shop"]
        access.revoke(server.host.base(), access.tokens(server.host.base())[-1].id, wall())
        assert mia.look("/in/shop/v1/traces").status_code == 404
        assert mia.look("/in/bot/v1/traces").status_code == 200


def test_a_program_may_name_its_project_too(server: Served) -> None:
    with server.client(server.token("read", "shop")) as client:
        assert client.get("/in/shop/v1/traces").status_code == 200
        assert client.get("/in/bot/v1/traces").status_code == 404
        assert client.get("/in/SHOP/v1/traces").status_code == 404
