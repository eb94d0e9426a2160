"""What each channel is sent: signed, escaped, without a word of what was said, or another channel's address."""

import asyncio
import hmac
import socketserver
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes, policy
from hashlib import sha256
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.online.alert_text import facts, headline, payload, sentence
from gatewatch.online.channels import Wires
from gatewatch.online.sending import NotTaken, Sender, signature, slack
from online.receiving import Answer, Receiver, a_notice, said

AT = 1_795_000_000.9


def send(to: str, *, wires: Wires | None = None, environment: Mapping[str, str] | None = None, **more: str) -> str:
    """Send a notice, and give why it was not taken."""

    async def work() -> str:
        sender = Sender(wires or Wires(), clock=lambda: AT, environment=environment or {})
        try:
            await sender.send(a_notice(7, to, **more))
        except NotTaken as error:
            return error.reason
        finally:
            await sender.close()
        return ""

    return asyncio.run(work())


def test_a_webhook_is_signed_over_its_time_and_body() -> None:
    with Receiver() as receiver:
        wires = Wires(secret_env="HOOK_KEY")
        assert not send("webhook:$HOOK", wires=wires, environment={"HOOK": receiver.url, "HOOK_KEY": "k1"})
    (got,) = receiver.received
    assert (got.method, got.key, got.headers["x-gatewatch-timestamp"]) == ("POST", "notice-7", "1795000000")
    expected = hmac.new(b"k1", b"1795000000." + got.body, sha256).hexdigest()
    assert got.headers["x-gatewatch-signature"] == f"sha256={expected}"
    assert got.headers["content-type"] == "application/json"


def test_without_its_key_nothing_is_sent_unsigned() -> None:
    with Receiver() as receiver:
        wires = Wires(secret_env="HOOK_KEY")
        reason = send(f"webhook:{receiver.url}", wires=wires)
    assert reason == "the environment variable that [alerts] secret_env names is not set"
    assert not receiver.received


def test_a_signature_is_that_of_a_known_example() -> None:
    # echo -n '1795000000.{"a":1}' | openssl dgst -sha256 -hmac secret
    made = signature("secret", "1795000000", b'{"a":1}')
    assert made == "sha256=" + hmac.new(b"secret", b'1795000000.{"a":1}', "sha256").hexdigest()


def test_a_webhook_says_all_that_is_known_but_where_else_it_goes() -> None:
    with Receiver() as receiver:
        assert not send(f"webhook:{receiver.url}")
    told: Any = said(receiver.received[0])
    assert (told["kind"], told["version"], told["event"]) == ("gatewatch.alert", 1, "opened")
    alert = told["alert"]
    assert (alert["flow"], alert["name"], alert["severity"], alert["state"]) == (
        "support",
        "helpful",
        "ticket",
        "open",
    )
    assert alert["evidence"]["effect"] == -0.041
    assert alert["evidence"]["traces"] == ["4f" * 16, "5e" * 16]
    assert "to" not in alert
    assert b"SECRET" not in receiver.received[0].body


@pytest.mark.parametrize(
    ("to", "environment", "says"),
    [
        ("webhook:$HOOK", {}, "the environment variable HOOK is not set"),
        (
            "webhook:$HOOK",
            {"HOOK": "hooks.example/SECRET"},
            "the address is no URL that begins with https:// or http://",
        ),
        ("webhook:http://127.0.0.1:1/SECRET", {}, "ConnectError"),
        ("slack:$HOOK", {"HOOK": "http://127.0.0.1:1/SECRET"}, "ConnectError"),
        ("mail:team@example.com", {}, "[alerts] names no smtp server"),
        ("pager:SECRET", {}, "'pager' is no kind of channel"),
    ],
)
def test_why_something_was_not_taken_names_no_address(to: str, environment: dict[str, str], says: str) -> None:
    reason = send(to, environment=environment)
    assert reason.startswith(says)
    assert "SECRET" not in reason


def test_what_a_server_says_of_its_refusal_is_told_without_the_secret_that_it_repeats() -> None:
    with Receiver(lambda got: Answer(404, text=f"no hook\x1b[31m at\n{got.path} ({got.headers['host']})")) as receiver:
        reason = send("webhook:$HOOK", environment={"HOOK": f"{receiver.url}/S3CRET"})
        assert reason.startswith("status 404: no hook[31m at /")
        other = send("webhook:$BASE/$PART", environment={"BASE": receiver.url, "PART": "S3CRET"})
    assert "S3CRET" not in other


def test_a_redirect_is_followed_nowhere() -> None:
    with Receiver() as other, Receiver(lambda _: Answer(307, (("location", other.url),))) as receiver:
        assert send(f"webhook:{receiver.url}") == "status 307"
        assert not other.received


def test_slack_is_sent_what_calls_nobody_and_links_nowhere() -> None:
    hostile = "<!channel> <https://evil.example|click> @here & *x*"
    with Receiver() as receiver:
        assert not send(f"slack:{receiver.url}", title=hostile, part=hostile, link="https://board.example")
    told: Any = said(receiver.received[0])
    assert (told["unfurl_links"], told["unfurl_media"]) == (False, False)
    text = codec.encode(told).decode()
    assert "<!channel>" not in text
    assert "<https://evil" not in text
    assert "@here" not in text
    assert all(each["text"]["verbatim"] for each in told["blocks"])
    assert told["blocks"][-1]["text"]["text"] == "<https://board.example|more>"
    assert "see to it: gatewatch alerts show 7" in told["blocks"][1]["text"]["text"]


@given(st.text(), st.text())
def test_whatever_the_traffic_is_called_slack_is_sent_no_markup_of_its_own(title: str, part: str) -> None:
    told = slack(a_notice(1, "slack:$URL", title=title, part=part))
    for text in (told["text"], *(each["text"]["text"] for each in told["blocks"])):
        assert "<" not in text
        assert ">" not in text
        assert "@" not in text.replace("@\u200b", "")
        assert len(text) <= 3000


@given(st.text(), st.text())
def test_an_alert_in_words_is_one_line_a_fact_and_steers_no_terminal(title: str, part: str) -> None:
    notice = a_notice(1, "stdout", title=title, part=part)
    lines = [headline(notice.alert), sentence(notice.alert), *(text for _, text in facts(notice.alert))]
    assert all(each.isprintable() for each in lines)


def test_one_that_is_over_says_so_and_why() -> None:
    alert = replace(a_notice(7, "stdout").alert, state="resolved", who="ana", reason="prompt put back")
    said = "✓ resolved: support: helpful fell by 4.1 points · prompt put back by ana · support team"
    assert sentence(alert, "resolved") == said


def test_a_limit_is_no_value_that_something_had_and_a_rate_is_a_percentage() -> None:
    alert = a_notice(7, "stdout").alert
    evidence = replace(alert.evidence, before=0.1, after=0.433, effect=0.333, low=0.3, high=0.366)
    told = dict(facts(replace(alert, kind="ceiling", name="error", evidence=evidence)))
    assert told["change"] == "43.3%, the limit is 10.0%, +33.3 points [+30.0, +36.6], 412 conversations"


def test_an_alert_in_words_says_what_where_since_when_and_what_to_do() -> None:
    told = facts(a_notice(7, "stdout").alert)
    assert told == [
        ("state", "open, opened 2026-11-18 11:06 UTC, found 3 times, last 2026-11-18 11:36 UTC"),
        ("change", "0.871 → 0.830, −4.1 points [−6.0, −2.2], 412 conversations"),
        ("began", "about 2026-11-18 10:06 UTC"),
        ("where", "slice refunds: −9.2 points [−15.0, −3.0], 80 conversations, 12% of traffic"),
        ("changed", "2026-11-18 10:00 UTC  model=gpt-5-mini, prompt=4 by ci"),
        ("owner", "support team"),
        ("what to do", "https://wiki.example/helpful"),
        ("request", "4f" * 16),
        ("request", "5e" * 16),
    ]
    assert payload(a_notice(7, "stdout"))["alert"]["id"] == 7


class _Post(socketserver.StreamRequestHandler):
    """As much of SMTP as a mail takes."""

    server: "_PostOffice"

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper()
            self.server.heard.append(line.strip())
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while (part := self.rfile.readline()) != b".\r\n":
                    self.server.mail += part
            if word == b"RCPT" and self.server.refuses:
                self.wfile.write(b"550 nobody of that name\r\n")
                continue
            replies = {b"AUTH": b"235 known\r\n", b"EHLO": b"250-here\r\n250 AUTH PLAIN\r\n"}
            self.wfile.write(replies.get(word, b"250 ok\r\n"))
            if word == b"QUIT":
                return


class _PostOffice(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.heard: list[bytes] = []
        self.mail = b""
        self.refuses = False


@contextmanager
def post_office() -> Iterator[_PostOffice]:
    with _PostOffice() as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def test_mail_is_known_again_when_it_comes_twice_and_its_subject_is_one_line() -> None:
    with post_office() as office:
        wires = Wires(smtp=f"smtp://bot%40example.com:$SMTP_PASSWORD@127.0.0.1:{office.server_address[1]}")
        for _ in range(2):
            reason = send(
                "mail:team@example.com",
                wires=wires,
                environment={"SMTP_PASSWORD": "p@ss"},
                title="fell\r\nBcc: x@evil.example",
            )
            assert not reason
    first, second = office.mail.split(b"Subject:")[1:]
    mail = message_from_bytes(b"Subject:" + first, policy=policy.default)
    assert mail["Subject"] == "! ticket support: fell  Bcc: x@evil.example"
    assert (mail["To"], mail["From"], mail["Bcc"]) == ("team@example.com", "bot@example.com", None)
    assert mail["Message-ID"] == message_from_bytes(b"Subject:" + second, policy=policy.default)["Message-ID"]
    assert "−4.1 points [−6.0, −2.2]" in mail.get_content()
    assert any(each.startswith(b"AUTH PLAIN") for each in office.heard)


def test_mail_that_a_server_refuses_is_not_taken() -> None:
    with post_office() as office:
        office.refuses = True
        wires = Wires(smtp=f"smtp://127.0.0.1:{office.server_address[1]}", mail_from="bot@example.com")
        reason = send("mail:team@example.com", wires=wires)
    assert reason.startswith("the server refuses the recipient")


def test_a_password_goes_over_no_open_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    with post_office() as office:
        monkeypatch.setattr("gatewatch.online.sending._LOOPBACK", ())
        wires = Wires(smtp=f"smtp://bot:secret@127.0.0.1:{office.server_address[1]}")
        reason = send("mail:team@example.com", wires=wires)
    assert "STARTTLS" in reason
    assert not any(each.startswith(b"AUTH") for each in office.heard)


def test_without_apprise_the_pip_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    reason = send("apprise:json://127.0.0.1:1/")
    assert reason == 'Apprise is not installed: pip install "gatewatch[alerts]"'


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its own imports
def test_apprise_sends_to_the_services_that_it_knows() -> None:
    with Receiver() as receiver:
        where = receiver.url.removeprefix("http://")
        assert not send("apprise:json://$HOST/", environment={"HOST": where}, title="fell @everyone")
    told: Any = said(receiver.received[0])
    assert told["title"] == "! ticket support: fell @\u200beveryone"
    assert "change: 0.871" in told["message"]
    assert send("apprise:nonsense://$HOST/", environment={"HOST": where}).startswith("Apprise knows no service")
    assert send("apprise:json://127.0.0.1:1/") == "the service did not take it"
