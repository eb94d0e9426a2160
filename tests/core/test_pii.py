from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from gatewatch.core.pii import count, find, redacted
from shared import known_answers, rows

TYPES = {"EMAIL_ADDRESS": "email", "CREDIT_CARD": "card", "IBAN_CODE": "iban", "US_SSN": "us_ssn", "IP_ADDRESS": "ip"}


def found(text: str) -> list[tuple[str, str]]:
    return [(each.type, text[each.start : each.end]) for each in find(text)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("write to 'jane.doe+x@mail.example.co.uk'.", "email", "jane.doe+x@mail.example.co.uk"),
        ("<mailto:jane@x.com?subject=a>", "email", "jane@x.com"),
        ("m\u00fcller@b\u00fccher.de", "email", "m\u00fcller@b\u00fccher.de"),
        ("jane@xn--bcher-kva.xn--p1ai", "email", "jane@xn--bcher-kva.xn--p1ai"),
        ("card:4111111111111111.", "card", "4111111111111111"),
        ("4111 1111 1111 1111 123", "card", "4111 1111 1111 1111"),
        ("order 12345 4111-1111-1111-1111", "card", "4111-1111-1111-1111"),
        ("3782 822463 10005", "card", "3782 822463 10005"),
        ("5555\u00a05555\u00a05555\u00a04444", "card", "5555\u00a05555\u00a05555\u00a04444"),
        ("2221000000000009", "card", "2221000000000009"),
        ("6304000000000000", "card", "6304000000000000"),
        ("GB82 WEST 1234 5698 7654 32 please", "iban", "GB82 WEST 1234 5698 7654 32"),
        ("to gb82west12345698765432, now", "iban", "gb82west12345698765432"),
        ("NO93 8601 1117 947", "iban", "NO93 8601 1117 947"),
        ("DE89370400440532013000", "iban", "DE89370400440532013000"),
        ("SSN 219-09-9999.", "us_ssn", "219-09-9999"),
        ("from 192.168.0.1:80", "ip", "192.168.0.1"),
        ("1.2.3.4.", "ip", "1.2.3.4"),
        ("[2001:db8:0:0:0:0:0:1]:80", "ip", "2001:db8:0:0:0:0:0:1"),
        ("2001:db8::1: it is", "ip", "2001:db8::1"),
    ],
)
def test_found(text: str, kind: str, value: str) -> None:
    assert found(text) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "jane@localhost",
        "jane at example dot com",
        "a@b.c",
        "@jane",
        "x@y.comm1",
        "4111111111111112",  # the checksum does not hold
        "1111111111111117",  # no network's prefix
        "0.4111111111111111",
        "41111111111111110000",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "GB82WEST12345698765433",  # the checksum does not hold
        "GB82WEST1234569876543",  # too short for its country
        "GB82WEST12345698765432x",
        "ZZ82WEST12345698765432",
        "666-12-1234",
        "900-12-1234",
        "000-12-1234",
        "123-00-1234",
        "123-45-0000",
        "219 09 9999",
        "219-09-99999",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.02.03.04",
        "v1.2.3.4",
        "12:30:45",
        "std::vector",
        "fe80::1",
        "00:1A:2B:3C:4D:5E",
        "12345678-1234-1234-1234-123456789012",
        "2026-11-23T19:24:00.123456Z",
        "",
    ],
)
def test_not_found(text: str) -> None:
    assert found(text) == []


def test_several_are_found_in_order_and_never_overlap() -> None:
    text = "jane@x.com,joe@y.org paid DE89 3704 0044 0532 0130 00 from 10.0.0.1 with 4111111111111111"
    assert [kind for kind, _ in found(text)] == ["email", "email", "iban", "ip", "card"]
    places = [(each.start, each.end) for each in find(text * 3)]
    assert all(end <= start for (_, end), (start, _) in pairwise(places))


def test_count_looks_into_any_value_part_by_part() -> None:
    value = {"jane@x.com": [4111111111111111, True, None, 1.5, {"a": ("note:\n4111111111111111",)}], "b": "10.0.0.1"}
    assert count(value) == Counter(card=2, email=1, ip=1)
    assert count("nothing") == Counter()
    deep: Any = "jane@x.com"
    for _ in range(5000):
        deep = [deep]
    assert count(deep) == Counter(email=1)


@pytest.mark.parametrize("file", ["synth_v2.jsonl.gz", "generated_large.jsonl.gz"])
def test_recorded_texts_with_known_places(file: str) -> None:
    """At least as good as plain patterns where these know the answer, and nothing found where nothing is."""
    known = known_answers("guard_pii")[file]
    hits: Counter[str] = Counter()
    outside: list[str] = []
    flagged = clean = 0
    for row in rows("guard_pii", file):
        got = find(row["text"])
        spans = row["spans"]
        hits.update(
            span["type"]
            for span in spans
            if any(
                (each.type, each.start, each.end) == (TYPES.get(span["type"]), span["start"], span["end"])
                for each in got
            )
        )
        outside += [
            row["text"][each.start : each.end]
            for each in got
            if not any(each.start < span["end"] and span["start"] < each.end for span in spans)
        ]
        clean += not spans
        flagged += bool(got) and not spans
    assert outside == []
    assert clean == known["texts without pii"]
    assert flagged <= 0.02 * clean
    for kind in TYPES:
        check = known["checks"][kind]
        assert hits[kind] >= check["naive regex recall"], kind
        if kind != "CREDIT_CARD":  # made-up numbers with prefixes that no network uses are not cards
            assert hits[kind] == check["gold"], kind


@pytest.mark.parametrize(
    "part",
    ["a", "a@", "a.b@c.", "b.", "4444 ", "666 ", "DE12 ", "1.1.1.", "a:", "::", "123-45-", "-", "1 1 ", "GB82WEST"],
)
def test_adversarial_text_is_read_to_its_end(part: str) -> None:
    for head in ("", "a@", "GB82 "):
        assert find(head + part * (40_000 // len(part)) + " jane@x.com")[-1].type == "email"


# Redaction


@pytest.mark.parametrize("file", ["synth_v2.jsonl.gz", "generated_large.jsonl.gz"])
def test_after_redaction_nothing_that_has_a_form_is_left(file: str) -> None:
    taken = 0
    for row in rows("guard_pii", file):
        text, counts = redacted(row["text"])
        gold = [span["value"] for span in row["spans"] if span["type"] in TYPES]
        assert not [value for value in gold if value in text]
        taken += sum(counts.values())
        if not row["spans"]:
            assert text == row["text"]
    assert taken > 0


def test_redaction_takes_what_only_looks_like_it() -> None:
    wrong = "card 4111111111111112, account GB82WEST12345698765433"
    assert find(wrong) == []
    assert redacted(wrong) == ("card [card], account [iban]", {"card": 1, "iban": 1})


def test_a_value_is_redacted_wherever_it_holds_text() -> None:
    value = {"mia@example.com": [4111111111111111, True, 1.5, None], "joe@example.com": "from 10.1.2.3", "n": 7}
    whole, counts = redacted(value)
    assert whole == {"[email]": ["[card]", True, 1.5, None], "[email] 2": "from [ip]", "n": 7}
    assert counts == {"email": 2, "card": 1, "ip": 1}


def test_telephone_numbers_are_found_where_they_are_asked_for() -> None:
    text = "Call (212) 555-0123 or +49 30 901820."
    assert find(text) == []
    assert [each.type for each in find("call +49 30 901820 now", phone="US")] == ["phone"]
    assert count(["+49 30 901820"], phone="US") == {"phone": 1}
    with pytest.raises(ValueError, match="phone must be a region"):
        find(text, phone="usa")
