from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch import capture
from gatewatch.core import codec
from gatewatch.core.alias import alias_of
from gatewatch.core.money import Cost
from gatewatch.core.trace import Fault, Redaction, Span, Trace, Usage
from gatewatch.online.framing import Framing
from gatewatch.online.redact import Rules, redact, redacted_name, redacted_text
from gatewatch.online.settings import Settings
from online.capturing import capturing
from shared import rows

PII = Rules(pii=True)
MAIL, CARD, KEY = "jane@example.com", "4111 1111 1111 1111", "ghp_" + "a1B2" * 9


def test_personal_data_and_secrets_go_from_everything_that_is_said() -> None:
    trace = Trace(
        id="t",
        input={"question": f"I am {MAIL}", MAIL: 1},
        output=[f"{CARD}", 4111111111111111, {"key": KEY}],
        context=(f"by {MAIL}", {"a": MAIL}),
        spans=(
            Span(
                name=f"mail {MAIL}",
                input=MAIL,
                output=MAIL,
                error=Fault(MAIL, detail=MAIL),
                attributes={"to": MAIL},
            ),
        ),
        error=Fault(f"no {MAIL}", "timeout", f"in {MAIL}"),
        tags=(MAIL, "vip"),
        external_id=MAIL,
        versions={"prompt": MAIL},
        session="s1",
        flaws=(f"NaN at $.input.{MAIL}",),
    )
    made = redact(trace, PII)
    data = codec.encode(made)
    assert not any(secret.encode() in data for secret in (MAIL, CARD, "4111111111111111", KEY))
    assert made.input == {"question": "I am [email]", "[email]": 1}
    assert made.output == ["[card]", "[card]", {"key": "[github_token]"}]
    assert made.context == ("by [email]", {"a": "[email]"})
    assert made.error == Fault("no [email]", "timeout", "in [email]") and made.tags == ("[email]", "vip")
    told = {(each.type, each.field): each.count for each in made.redacted}
    assert told["email", "input"] == 2 and told["card", "output"] == 2 and told["github_token", "output"] == 1
    assert told["email", "spans.attributes"] == 1 and told["email", "error"] == 2 and told["email", "flaws"] == 1
    assert made.session == "s1"
    assert made.external_id == redacted_name(MAIL) == alias_of(MAIL)


def test_ids_that_may_not_be_kept_are_told_apart_and_others_stay() -> None:
    others = [f"{n}@example.com" for n in range(2000)]
    made = [redacted_name(each) for each in others]
    assert len(set(made)) == len(others) and not any("@" in each for each in made)
    assert redacted_name("ticket 12") == "ticket 12" and redacted_name("") == ""
    for each in made:  # some look like a card's number, or a phone's
        trace = Trace(id="t", external_id=each)
        assert redacted_name(each) == each and redact(trace, PII) == trace


def test_a_trace_with_nothing_to_take_is_the_same() -> None:
    trace = Trace(id="t", input="a", output={"b": 1}, spans=(Span(name="s"),))
    assert redact(trace, PII) == trace and redact(trace, Rules()) is trace


def test_done_twice_it_is_told_once() -> None:
    once = redact(Trace(id="t", input=MAIL), PII)
    assert redact(once, PII) == once
    more = redact(codec.decode(codec.encode(once), Trace), Rules(pii=True, drop_fields=("input",)))
    assert set(more.redacted) == {Redaction("email", "input"), Redaction("dropped", "input")}


def test_fields_are_dropped_by_their_path() -> None:
    trace = Trace(
        id="t",
        input={"password": "p", "user": {"password": "kept"}},
        output=[{"a": 1}, {"a": 2, "b": 3}],
        context=("c",),
        spans=(Span(name="s", attributes={"auth": "x", "n": 1}), Span(name="t")),
        versions={"prompt": "v"},
    )
    rules = Rules(drop_fields=("input.password", "output.*.a", "spans.*.attributes.auth", "context", "output.7.a"))
    made = redact(trace, rules)
    assert made.input == {"password": "[dropped]", "user": {"password": "kept"}}
    assert made.output == [{"a": "[dropped]"}, {"a": "[dropped]", "b": 3}]
    assert made.spans[0].attributes == {"auth": "[dropped]", "n": 1} and made.context == "[dropped]"
    assert made.redacted[0] == Redaction("dropped", "input.password")
    assert Redaction("dropped", "output.*.a", 2) in made.redacted and len(made.redacted) == 4


PATHS = """
    input output context spans error tags versions external_id
    spans.* spans.*.attributes spans.*.input spans.0.name error.message error.detail tags.0 *
"""


@pytest.mark.parametrize("path", PATHS.split())
def test_what_is_dropped_is_gone_whatever_it_was(path: str) -> None:
    trace = Trace(
        id="t",
        input={"x": "secret"},
        output={"x": "secret"},
        context=("secret",),
        spans=(Span(name="secret", input="secret", output="secret", attributes={"x": "secret"}),),
        error=Fault("secret", detail="secret"),
        tags=("secret",),
        versions={"secret": "secret"},
        external_id="secret",
    )
    before = codec.encode(trace).count(b"secret")
    made = redact(trace, Rules(drop_fields=(path,)))
    assert made.id == ("t" if path != "*" else made.id)
    assert codec.encode(made).count(b"secret") < before


def test_the_users_hook_is_last_and_sees_no_personal_data() -> None:
    seen: list[Any] = []

    def hook(trace: Trace) -> Trace:
        seen.append(trace.input)
        return Trace(id=trace.id, input="changed")

    assert redact(Trace(id="t", input=MAIL), Rules(pii=True, hook=hook)).input == "changed"
    assert seen == ["[email]"]


@pytest.mark.parametrize(
    "hook", [lambda trace: 1 / 0, lambda trace: None, lambda trace: Trace(id="t", output=object())]
)
def test_when_it_fails_nothing_that_was_said_is_kept(hook: Any) -> None:
    trace = Trace(
        id="t",
        input="secret",
        output="secret",
        context="secret",
        spans=(Span(name="secret"),),
        error=Fault("secret", "timeout", "secret"),
        tags=("secret",),
        external_id="secret",
        usage=Usage(1, 2),
        cost=Cost(0.5),
        session="s",
        flow="f",
        marks=("guardrail",),
        latency_s=0.5,
        flaws=("secret",),
    )
    made = redact(trace, Rules(hook=hook))
    assert b"secret" not in codec.encode(made)
    assert (made.id, made.usage, made.cost, made.session, made.flow) == ("t", Usage(1, 2), Cost(0.5), "s", "f")
    assert made.error == Fault("[dropped]", "timeout") and made.marks == ("guardrail",) and made.latency_s == 0.5
    assert made.flaws[0].startswith("all that was said was dropped, since redaction failed")


def test_what_is_nested_too_deep_to_be_looked_through_is_not_kept() -> None:
    deep: Any = MAIL
    for _ in range(5000):
        deep = [deep]
    made = redact(Trace(id="t", output=deep), PII)
    assert made.output is None and made.flaws


@given(st.recursive(st.text() | st.just(MAIL), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_an_address_is_gone_wherever_it_stands_alone(value: Any) -> None:
    made = redact(Trace(id="t", output=value), PII)
    assert MAIL.encode() not in codec.encode(made) or MAIL in str(value).replace(f"'{MAIL}'", "")


def test_what_is_nothing_but_personal_data_is_taken_however_short() -> None:
    for text in ("123-45-6789", "1.2.3.4", "a@b.co"):
        assert redacted_text(text) != text, text


def test_a_private_key_goes_with_its_body() -> None:
    body = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"] * 20)
    whole = f"key: -----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY----- end"
    assert redacted_text(whole) == "key: [private_key] end"
    assert redacted_text(whole[:600]) == "key: [private_key]"
    assert redacted_text("a -----BEGIN RSA PRIVATE KEY----- in words, which goes on") == (
        "a [private_key] in words, which goes on"
    )


class TestBeforeItIsWritten:
    def test_a_record_that_is_no_trace_keeps_its_signals_only(self) -> None:
        framing = Framing(Settings(redact="pii", user_key="k"), None)
        framing.expect_users()
        said = codec.decode(framing.payload("trace", b'{"id":"t","input":["jane@example.com"],"flow":"f"}', "u"), Trace)
        assert (said.id, said.flow, said.input) == ("t", "f", "") and said.flaws

    def test_one_of_which_nothing_can_be_read_is_not_written(self) -> None:
        framing = Framing(Settings(redact="pii"), None)
        with pytest.raises((ValueError, KeyError)):
            framing.payload("trace", b'{"input":["jane@example.com"]}')

    def test_without_rules_a_record_is_written_as_it_is(self) -> None:
        assert Framing(Settings(), None).payload("trace", b"whatever") == b"whatever"


def test_of_real_traffic_no_personal_data_reaches_the_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kinds = {"EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "IP_ADDRESS"}
    gold: set[bytes] = set()
    leaks = 0
    with capturing(tmp_path / "spool", redact="pii", queue_records=100_000) as kept:
        for row in rows("guard_pii", "synth_v2.jsonl.gz"):
            found = [span["value"] for span in row["spans"] if span["type"] in kinds]
            gold |= {value.encode() for value in found}
            leaks += bool(found)
            with capture(flow="x", input={"question": row["text"]}, user=found[0] if found else "") as request:
                request.output = row["text"]
        traces = kept.traces()
        held = b"".join(path.read_bytes() for path in (tmp_path / "spool").iterdir())
    assert gold and not [value for value in gold if value in held or value.decode() in caplog.text]
    assert sum(bool(trace.redacted) for trace in traces) >= leaks > 0
