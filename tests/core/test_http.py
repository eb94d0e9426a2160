from datetime import UTC, datetime

import pytest

from gatewatch.core.http import header_flaw, retry_after_of, try_again, url_flaw


@pytest.mark.parametrize(
    "url",
    ["http://a", "https://a.example:8443/v1?x=1", "http://[::1]:80/v1", "http://b\u00fccher.example/", "http://a:/"],
)
def test_addresses(url: str) -> None:
    assert url_flaw(url) == ""


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://[::1:80/v1", "is no URL: Invalid IPv6 URL"),
        ("http://a:70000", "is no URL: Port out of range 0-65535"),
        ("http://a:b", "is no URL: Port could not be cast to integer value as 'b'"),
        ("ftp://a", "must begin with http:// or https:// and name a host, got 'ftp://a'"),
        ("http://", "must begin with http:// or https:// and name a host, got 'http://'"),
        ("http://a b", "holds a character that no URL has, got 'http://a b'"),
        ("http://a/\r\nx: y", "holds a character that no URL has, got 'http://a/\\r\\nx: y'"),
        ("http://a\x00", "holds a character that no URL has, got 'http://a\\x00'"),
    ],
)
def test_no_addresses(url: str, said: str) -> None:
    assert url_flaw(url) == said


@pytest.mark.parametrize("value", ["", "a b", "Bearer x.y=", '{"a": 1}'])
def test_headers(value: str) -> None:
    assert header_flaw("x-title", value) == ""


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "\u00e9"])
def test_no_names_of_headers(name: str) -> None:
    assert header_flaw(name, "x") == f"{name!r} is no name that a header can have"


@pytest.mark.parametrize(
    "value", ["s3cret\r\nx: y", "s3cret\n", " s3cret", "s3cr\u00e9t", "s3cret\u65e5", "s3cret\x00"]
)
def test_no_values_of_headers(value: str) -> None:
    assert header_flaw("x", value) == "the value of 'x' holds characters that cannot be sent in a header"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "Thu, 01 Jan 2026 00:00:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 31 Dec 2025 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
    ],
)
def test_how_long_a_service_asks_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_of(headers, datetime(2026, 1, 1, tzinfo=UTC)) == seconds


def test_which_answers_may_be_others_another_time() -> None:
    assert [each for each in range(200, 600) if try_again(each)] == [408, 425, 429, *range(500, 600)]
