"""What goes out over HTTP: headers, packing, files, prefixes, exports."""

import csv
import gzip
import json
from collections.abc import Iterator

import httpx
import pytest

from gatewatch.web.pages.static import Static
from web.browsing import open_server
from web.pages.shelf import HOSTILE, SHELF, THINGS

EYES = {"accept": "text/html", "accept-encoding": "gzip"}


@pytest.fixture(scope="module", params=["", "/x/y"], ids=["root", "prefix"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        open_server(tmp_path_factory.mktemp("shelf"), prefix=request.param, screens=[SHELF]) as found,
        httpx.Client(base_url=found.url, headers=EYES) as client,
    ):
        yield client


def test_pages_are_strict_about_what_they_load(client: httpx.Client) -> None:
    for path in ("/shelf", "/shelf/t-1", "/menu", "/nowhere"):
        headers = client.get(path).headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert headers["content-encoding"] == "gzip"
    assert "unsafe" not in headers["content-security-policy"]


def test_no_page_has_a_style_or_a_script_of_its_own(client: httpx.Client) -> None:
    for path in ("/shelf", "/shelf/t-1", "/menu", "/start", "/nowhere"):
        html = client.get(path).text
        assert " style=" not in html and "<style" not in html
        assert html.count("<script") == html.count('<script type="module" src="')


def test_files_are_kept_for_good_under_an_address_that_changes(client: httpx.Client) -> None:
    html = client.get("/shelf").text
    path = html.split('<link rel="stylesheet" href="')[1].split('"')[0]
    url = str(client.base_url).removesuffix(client.base_url.path) + path
    found = httpx.get(url)
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert found.headers["content-type"] == "text/css; charset=utf-8"
    plain = httpx.get(url, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.text == found.text
    old = client.get("/static/000000000000/js/page.js")
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-store")
    assert client.get("/static/000000000000/../templates/base.html").status_code == 404
    assert client.get("/static/000000000000/..%2f..%2fhouse.py").status_code == 404


def test_every_address_is_under_the_prefix(client: httpx.Client) -> None:
    base = client.base_url.path.rstrip("/")
    for path in ("/shelf", "/shelf?kind=cup&offset=48", "/menu?q=t-1", "/nowhere"):
        html = client.get(path).text
        for attribute in ("href", "src", "action"):
            for found in html.split(f' {attribute}="')[1:]:
                assert found.startswith((f"{base}/", "#")), found[:60]
    first = client.get("/")
    assert (first.status_code, first.headers["location"]) == (303, f"{base}/shelf")


def test_a_proxy_may_take_the_prefix_off(client: httpx.Client) -> None:
    base = client.base_url.path.rstrip("/")
    root = str(client.base_url).removesuffix(client.base_url.path)
    found = httpx.get(f"{root}/shelf", headers=EYES)
    assert found.status_code == 200 and f'action="{base}/shelf"' in found.text
    assert httpx.get(f"{root}/healthz").status_code == client.get("/healthz").status_code == 200
    assert client.get("/v1/traces").json()["traces"] == []


def test_errors_are_pages_for_eyes_and_json_for_programs(client: httpx.Client) -> None:
    page = client.get("/nowhere")
    assert page.status_code == 404 and page.headers["content-type"].startswith("text/html")
    assert 'href="' + client.base_url.path.rstrip("/") + '/shelf"' in page.text
    assert client.get("/nowhere", headers={"accept": "*/*"}).json() == {"error": "Not Found"}
    assert client.get("/v1/nowhere").json() == {"error": "Not Found"}
    part = client.get("/shelf/none", headers={"x-gatewatch-fragment": "row"})
    assert part.status_code == 404 and "<html" not in part.text and "there is no thing" in part.text
    fault = client.get("/shelf/fault")
    assert fault.status_code == 503 and "Traceback" not in fault.text


def test_odd_queries_do_no_harm(client: httpx.Client) -> None:
    for query in (
        "offset=-1",
        "offset=x",
        f"offset={'9' * 500}",
        "offset=٣",
        "kind=%3Cscript%3E",
        "q=%00%ff%ed%a0%80",
        "q=" + "x" * 9000,
    ):
        found = client.get(f"/shelf?{query}")
        assert found.status_code == 200 and "<script>" not in found.text


def test_ahead_is_told_what_to_fetch(client: httpx.Client) -> None:
    base = client.base_url.path.rstrip("/")
    assert client.get("/shelf").headers["speculation-rules"] == f'"{base}/spec.json"'
    rules = client.get("/spec.json")
    assert rules.headers["content-type"] == "application/speculationrules+json"
    assert rules.json()["prefetch"][0]["where"] == {"selector_matches": "a[data-ahead]"}


def test_an_export_is_the_whole_filtered_set_with_its_filter(client: httpx.Client) -> None:
    found = client.get("/shelf.jsonl?kind=cup&q=thing")
    head, *rows = [json.loads(line) for line in found.text.splitlines()]
    assert head == {"kind": "gatewatch.things", "version": 1, "filter": {"kind": "cup", "q": "thing"}}
    assert [row["id"] for row in rows] == [
        each["id"] for each in THINGS if each["kind"] == "cup" and "thing" in each["name"]
    ]
    assert json.loads(found.headers["x-gatewatch-filter"])["filter"] == {"kind": "cup", "q": "thing"}
    assert found.headers["content-disposition"] == 'attachment; filename="things.jsonl"'
    assert client.get("/shelf.parquet").status_code == 404
    odd = client.get("/shelf.csv", params={"q": "ä\n\U0001f600"})
    assert json.loads(odd.headers["x-gatewatch-filter"])["filter"] == {"q": "ä\n\U0001f600"}


def test_no_cell_of_a_spreadsheet_is_a_formula(client: httpx.Client) -> None:
    rows = list(csv.reader(client.get("/shelf.csv").text.splitlines()))
    assert rows[0] == ["id", "name", "kind", "drop"] and len(rows) == len(THINGS) + 1
    names = [row[1] for row in rows[1:]]
    assert names[HOSTILE.index("=HYPERLINK(0)")] == "'=HYPERLINK(0)"
    assert not any(name.startswith(("=", "+", "-", "@", "\t", "\r")) for name in names)
    assert rows[5][3] == "-0.01"


def test_the_shell_is_small(client: httpx.Client) -> None:
    static, html = Static(), gzip.compress(client.get("/menu").content, 6)
    first = len(html) + static.size("pages.css")
    scripts = static.size("js/page.js")
    assert first <= 7_000, (
        f"{first:,} bytes for the first paint: {len(html):,} and {static.size('pages.css'):,} of style"
    )
    assert scripts <= 6_000, f"{scripts:,} bytes of scripts"
