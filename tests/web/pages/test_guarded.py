"""Every form of every screen: it bears the mark, what comes from elsewhere is refused, and a reader changes nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Route

from cli.labelling import asked as trace_of
from cli.labelling import reviewed, the_store, waiting
from gatewatch.core.clock import wall
from gatewatch.web.pages.house import House
from gatewatch.web.pages.mount import routes
from gatewatch.web.pages.screens import SCREENS
from gatewatch.web.pages.templating import FOLDER
from web.serving import Served, served
from web.signing import Person

OPEN_TO_READERS = {"/settings/look"}
"""What changes nothing of the project; and signing out."""
FREE = {"/signin"}
"""What is asked before anybody is known."""
FILES = {"/charts/1"}
"""What is the same for everybody."""
_FORM = re.compile(r"""<form\b[^>]*\bmethod=["']?post.*?</form>""", re.DOTALL | re.IGNORECASE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("guarded")) as found:
        yield found


def posted(server: Served) -> list[str]:
    """The paths that change something, with something in the place of each parameter."""
    house = House(server.host, None, SCREENS)
    found = [each for each in routes(house) if isinstance(each, Route) and (each.methods or set()) - {"GET", "HEAD"}]
    house.joins.close()
    return sorted({re.sub(r"\{[^}]+\}", "1", each.path) for each in found})


def test_every_form_that_is_sent_bears_the_mark() -> None:
    bare = [
        f"{path.relative_to(FOLDER)}: {form[:80]}"
        for path in sorted(Path(FOLDER).rglob("*.html"))
        for form in _FORM.findall(path.read_text())
        if "csrf" not in form and 'action="{{ home }}/signin"' not in form
    ]
    assert not bare


def test_nothing_is_done_for_a_page_of_another_site_or_without_the_mark(server: Served) -> None:
    with Person(server) as ana, Person(server, old=True) as old:
        token = server.token("admin")
        for person in (ana, old):
            person.sign_in(token)
        mark = ana.mark()
        taken = []
        for path in posted(server):
            said = [
                ana.send(path, "cross-site" if path in FREE else "same-origin"),
                ana.send(path, "cross-site", "https://evil.example", csrf=mark),
                old.send(path, origin="https://evil.example", csrf=old.mark()),
                ana.http.post(path, data={"csrf": mark}),
            ]
            taken += [(path, each.status_code) for each in said if each.status_code != 403]
        assert len(posted(server)) > 10 and not taken


def test_a_reader_changes_nothing(server: Served) -> None:
    with Person(server) as mia:
        mia.sign_in(server.token("read"))
        mark = mia.mark()
        codes = {
            path: mia.send(path, csrf=mark).status_code for path in posted(server) if path not in FREE | {"/signout"}
        }
    assert {path for path, code in codes.items() if code != 403} == OPEN_TO_READERS, codes


def test_nobody_who_is_not_signed_in_sees_any_page(server: Served) -> None:
    with Person(server) as nobody:
        house = House(server.host, None, [])
        paths = [each.path for screen in SCREENS for each in screen.routes(house) if isinstance(each, Route)]
        house.joins.close()
        seen = []
        for path in {re.sub(r"\{[^}]+\}", "1", each) for each in paths} - FILES:
            said = nobody.go(path)
            if (
                not (said.status_code == 303 and said.headers["location"].startswith("/signin"))
                and said.status_code != 405
            ):
                seen.append((path, said.status_code))
        assert len(paths) > 30 and not seen


def test_a_link_of_another_site_takes_no_item_and_a_pointer_over_a_link_reads_nothing(tmp_path: Path) -> None:
    project = reviewed(tmp_path)
    waiting(project, trace_of(1), trace_of(2))
    toml = (project / "gatewatch.toml").read_text()
    with served(project, toml) as server, Person(server, "ana") as ana, Person(server, "ben", old=True) as ben:
        token = server.token("review", server.host.serving.own)
        for person in (ana, ben):
            person.sign_in(token)

        def taken() -> dict[str, list[int]]:
            with the_store(project) as store:
                return {who: [item.id for item, _ in store.claimed(who, wall())] for who in ("ana", "ben")}

        def noted() -> int:
            with the_store(project) as store:
                return len(store.audited(reads=True))

        before = noted()
        for site in ("cross-site", "same-site"):
            for path in ("/review/next", "/review/I1", "/review/I2?judge=1"):
                assert ana.go(path, site).status_code in (200, 303)
        for path in ("/review/next", "/review/I1", "/traces", "/failures/F1", "/alerts/1", "/runs/a"):
            assert ana.go(path, "same-origin", **{"sec-purpose": "prefetch"}).status_code == 503, path
        assert ben.go("/review/I1", referer="https://evil.example/").status_code == 200
        assert taken() == {"ana": [], "ben": []}
        assert noted() == before
        assert ana.go("/review", "same-origin", **{"sec-purpose": "prefetch"}).status_code == 200

        ana.send("/review/I1/take", csrf=ana.mark())
        assert taken() == {"ana": [1], "ben": []}
        assert 'name="act"' in ana.go("/review/I1", "cross-site").text  # it is hers by now
        ben.go("/review/next", referer=server.url + "/review")
        assert taken() == {"ana": [1], "ben": [2]}


def test_what_waits_is_counted_for_each_person_of_a_token(tmp_path: Path) -> None:
    project = reviewed(tmp_path)
    waiting(project, trace_of(1), trace_of(2))
    with served(project, (project / "gatewatch.toml").read_text()) as server:
        token = server.token("review", server.host.serving.own)
        with Person(server, "ana") as ana, Person(server, "ben") as ben:
            for person in (ana, ben):
                person.sign_in(token)
            assert _waits(ana) == _waits(ben) == 2
            ben.send("/review/I1/take", csrf=ben.mark())
            ben.send("/review/I1", csrf=ben.mark("/review/I1"), value="right", act="label")
            assert _waits(ben) == 1


def _waits(person: Person) -> int:
    found = re.search(
        r"""href="[^"]*/review"[^>]*>.*?<b class="badge"[^>]*>(\d+)<""", person.go("/settings").text, re.DOTALL
    )
    return int(found[1]) if found else 0
