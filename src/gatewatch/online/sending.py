"""Sending word of an alert to a channel, once; whoever calls tries again."""

import hmac
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from gatewatch.core import codec
from gatewatch.core.errors import said_by
from gatewatch.core.http import retry_after_of, try_again, url_flaw
from gatewatch.core.threads import DaemonPool
from gatewatch.online.alert_text import facts, headline, payload, plain, sentence
from gatewatch.online.channels import Wires, channel, expanded, public, variables
from gatewatch.store.watching import Notice

if TYPE_CHECKING:
    import httpx

TIME_OUT_S = 10.0
"""How long a channel may take."""
_THREADS = 4
_MOST_SAID = 200
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_NEEDS_APPRISE = 'Apprise is not installed: pip install "gatewatch[alerts]"'


class NotTaken(Exception):  # noqa: N818 - what became of it
    """A channel did not take a notice. `again_s` is when it asks to be tried again, in seconds; `refused` says that it
    does not want this one as it is."""

    def __init__(self, reason: str, *, again_s: float | None = None, refused: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.again_s, self.refused = reason, again_s, refused


class Sender:
    """Sends notices, on one event loop.

    Args:
        wires: what channels need.
        clock: seconds since the epoch.
        environment: where `$NAME` is looked up, when something is sent.
        out: writes a line to standard output.
    """

    def __init__(
        self,
        wires: Wires,
        *,
        clock: Callable[[], float],
        environment: Mapping[str, str] = os.environ,
        out: Callable[[str], object] | None = None,
    ) -> None:
        self._wires, self._clock, self._environment = wires, clock, environment
        self._out = out or _to_standard_output
        self._threads = DaemonPool(_THREADS)
        self._client: httpx.AsyncClient | None = None

    async def send(self, notice: Notice) -> None:
        """Send a notice.

        Raises:
            NotTaken: it did not arrive, as far as is known; the reason names no address.
        """
        import asyncio

        try:
            async with asyncio.timeout(TIME_OUT_S):
                await self._send(notice)
        except NotTaken as error:
            raise NotTaken(self._told(error.reason, notice.to), again_s=error.again_s, refused=error.refused) from None
        except TimeoutError:
            raise NotTaken(f"it did not answer within {TIME_OUT_S:g} s") from None
        except LookupError as error:
            raise NotTaken(str(error.args[0])) from None
        except Exception as error:  # a library that we do not know: whatever it met, the notice is not lost
            raise NotTaken(self._told(said_by(error), notice.to)) from None

    async def beat(self) -> None:
        """Ask for the address of the heartbeat.

        Raises:
            NotTaken: it did not answer well.
        """
        import asyncio

        try:
            async with asyncio.timeout(TIME_OUT_S):
                await self._ask("GET", expanded(self._wires.heartbeat, self._environment), b"", {})
        except TimeoutError:
            raise NotTaken(f"it did not answer within {TIME_OUT_S:g} s") from None
        except LookupError as error:
            raise NotTaken(str(error.args[0])) from None
        except NotTaken as error:
            raise NotTaken(self._told(error.reason, f"heartbeat:{self._wires.heartbeat}")) from None

    async def close(self) -> None:
        """Let go of connections and threads."""
        self._threads.close()
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _send(self, notice: Notice) -> None:
        try:
            found = channel(notice.to)
        except ValueError as error:  # of a project whose settings were other ones, or of another version
            raise NotTaken(str(error), refused=True) from None
        if found.kind == "stdout":
            await self._threads.call(self._out, sentence(notice.alert, notice.event))
            return
        address = expanded(found.address, self._environment)
        if found.kind == "webhook":
            await self._webhook(address, notice)
        elif found.kind == "slack":
            body = codec.encode(slack(notice))
            await self._ask("POST", address, body, {"content-type": "application/json"})
        elif found.kind == "mail":
            await self._threads.call(self._mail, address, notice, timeout=TIME_OUT_S)
        else:
            await self._threads.call(_by_apprise, address, notice, timeout=TIME_OUT_S)

    async def _webhook(self, address: str, notice: Notice) -> None:
        body = codec.encode(payload(notice))
        at = str(int(self._clock()))
        headers = {
            "content-type": "application/json",
            "idempotency-key": notice.key,
            "x-gatewatch-timestamp": at,
        }
        if self._wires.secret_env:
            key = self._environment.get(self._wires.secret_env, "").strip()
            if not key:  # the name is not told: somebody may have written the key there
                raise NotTaken("the environment variable that [alerts] secret_env names is not set")
            headers["x-gatewatch-signature"] = signature(key, at, body)
        await self._ask("POST", address, body, headers)

    async def _ask(self, method: str, address: str, body: bytes, headers: dict[str, str]) -> None:
        import httpx

        if url_flaw(address):
            raise NotTaken("the address is no URL that begins with https:// or http://")
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIME_OUT_S)
        try:
            async with self._client.stream(method, address, content=body or None, headers=headers) as reply:
                if reply.is_success:
                    return
                said = await _beginning(reply)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise NotTaken(said_by(error)) from None
        reason = f"status {reply.status_code}" + (f": {said}" if said else "")
        again = retry_after_of(reply.headers, datetime.fromtimestamp(self._clock(), UTC))
        raise NotTaken(
            reason, again_s=again, refused=400 <= reply.status_code < 500 and not try_again(reply.status_code)
        )

    def _mail(self, address: str, notice: Notice) -> None:
        import smtplib
        import ssl

        if not self._wires.smtp:
            raise NotTaken("[alerts] names no smtp server")
        whole = self._wires.smtp.startswith("$")
        parts = urlsplit(expanded(self._wires.smtp, self._environment) if whole else self._wires.smtp)
        host = expanded(parts.hostname or "localhost", self._environment)
        user, password = (unquote(expanded(each or "", self._environment)) for each in (parts.username, parts.password))
        mail = _letter(notice)
        mail["To"] = address
        mail["From"] = self._wires.mail_from or (user if "@" in user else f"gatewatch@{host}")
        try:
            if parts.scheme == "smtps":
                context = ssl.create_default_context()
                server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIME_OUT_S, context=context)
            else:
                server = smtplib.SMTP(host, parts.port or (587 if user else 25), timeout=TIME_OUT_S)
            try:
                server.ehlo()
                must = bool(user) and host not in _LOOPBACK  # a password goes over no open wire
                if parts.scheme == "smtp" and (must or server.has_extn("starttls")):
                    server.starttls(context=ssl.create_default_context())
                if user:
                    server.login(user, password)
                server.send_message(mail)
            finally:
                server.close()  # whatever it would say to a farewell, it has the mail, or has not
        except smtplib.SMTPResponseException as error:
            said = (
                error.smtp_error if isinstance(error.smtp_error, str) else error.smtp_error.decode("utf-8", "replace")
            )
            raise NotTaken(f"{error.smtp_code} {said}"[:_MOST_SAID], refused=error.smtp_code >= 500) from None
        except smtplib.SMTPRecipientsRefused as error:
            raise NotTaken(f"the server refuses the recipient: {error}"[:_MOST_SAID], refused=True) from None

    def _told(self, reason: str, to: str) -> str:
        """A reason without what is secret in the channel's address."""
        address = to.partition(":")[2]
        for name in [*variables(address), *variables(self._wires.smtp), self._wires.secret_env]:
            if value := self._environment.get(name, "").strip():
                reason = reason.replace(value, f"${name}")
        if address and not to.startswith("mail:"):
            reason = reason.replace(address, public(to))
        return plain(reason)


def signature(key: str, at: str, body: bytes) -> str:
    """What a webhook is signed with: the HMAC by SHA-256 of the timestamp, a dot, and the body."""
    return "sha256=" + hmac.new(key.encode(), at.encode() + b"." + body, sha256).hexdigest()


def slack(notice: Notice) -> dict[str, Any]:
    """A notice as an incoming webhook of Slack takes it: what came with the traffic makes no link and calls nobody."""
    alert = notice.alert
    title = _quoted(headline(alert, notice.event))
    lines = [f"{label}: {_quoted(text)}" for label, text in _facts(notice) if label != "more"]
    blocks = [_section(f"*{title.replace('*', '∗')}*"), _section("\n".join(lines))]
    if alert.link and not url_flaw(alert.link) and not set("<>|") & {*alert.link}:
        blocks.append(_section(f"<{alert.link}|more>"))
    return {"text": title, "blocks": blocks, "unfurl_links": False, "unfurl_media": False, "link_names": False}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:2900], "verbatim": True}}


def _quoted(text: str) -> str:
    """Text that a chat takes as it is: no link, no name that is called."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("@", "@\u200b")


def _letter(notice: Notice) -> Any:
    from email.message import EmailMessage

    mail = EmailMessage()
    mail["Subject"] = headline(notice.alert, notice.event)[:200]
    mail["Message-ID"] = (
        f"<{sha256(notice.key.encode()).hexdigest()[:32]}@gatewatch>"  # known again when it comes twice
    )
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_text(notice))
    return mail


def _text(notice: Notice) -> str:
    return "\n".join([headline(notice.alert, notice.event), ""] + [f"{k}: {v}" for k, v in _facts(notice)])


def _facts(notice: Notice) -> list[tuple[str, str]]:
    """What is known of an alert, and the command that shows it as it is then."""
    number = notice.alert.id
    return facts(notice.alert) + ([("see to it", f"gatewatch alerts show {number}")] if number else [])


def _by_apprise(address: str, notice: Notice) -> None:
    try:
        import apprise
    except ImportError:
        raise NotTaken(_NEEDS_APPRISE) from None
    service = apprise.Apprise()
    if not service.add(address):
        raise NotTaken("Apprise knows no service of such an address", refused=True)
    title = headline(notice.alert, notice.event).replace("@", "@\u200b")
    body = _text(notice).partition("\n\n")[2].replace("@", "@\u200b")
    kind = apprise.NotifyType.SUCCESS if notice.event == "resolved" else apprise.NotifyType.WARNING
    if not service.notify(body=body, title=title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT):
        raise NotTaken("the service did not take it")


async def _beginning(reply: "httpx.Response") -> str:
    """The first words of a reply that refuses."""
    import asyncio

    import httpx

    data = b""
    try:
        async with asyncio.timeout(1.0):
            async for part in reply.aiter_bytes():
                data += part
                if len(data) >= _MOST_SAID:
                    break
    except (httpx.TransportError, httpx.DecodingError, TimeoutError):
        pass  # the status says enough
    return " ".join(data[:_MOST_SAID].decode("utf-8", "replace").split())


def _to_standard_output(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
