"""E-mail: over SMTP with TLS, in threads of ours, so that an answer comes back to its ticket.

Every mail of an escalation to one recipient refers to the first one; its Message-ID names the escalation, and the
subject bears `[TICKET]`. Headers are made by the standard library's policy, which refuses line breaks, from values that
have none.
"""

from __future__ import annotations

import email.policy
import re
import ssl
from collections.abc import Iterable
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal
from urllib.parse import unquote, urlsplit

import aiosmtplib

from service.channels.letter import WITHIN, Address, Channel, Later, Letter, Refused, Together
from service.config import Settings
from service.inbound.threads import Planned, message_id

MOST_RECIPIENTS = 50
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@[^\s@<>\"(),:;\\\[\]]{1,190}")
_POLICY = email.policy.SMTP.clone(max_line_length=200)


def channels(settings: Settings) -> Iterable[Channel]:
    """One, where a server and a sender are set."""
    if settings.smtp_url and settings.mail_from:
        yield EmailChannel(settings.smtp_url, settings.mail_from, settings.public_url)


def mailbox(address: str) -> Mailbox | None:
    """An address as a header takes it; None for what is none (no name, no list, no line break)."""
    text = address.strip()
    user, _, domain = text.rpartition("@")
    if not _ADDRESS.fullmatch(text) or not text.isprintable() or not user.isascii():
        return None
    try:
        return Mailbox(username=user, domain=domain.encode("idna").decode())
    except (UnicodeError, ValueError):
        return None


def message(letter: Letter, sender: Mailbox) -> EmailMessage:
    """The mail. Raises Refused where nobody of those whom it is for has an address."""
    to = [box for text in letter.address.mailboxes[:MOST_RECIPIENTS] if (box := mailbox(text))]
    if not to:
        raise Refused("the recipient has no address that can be written to")
    wording = letter.wording()
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender
    mail["To"] = to
    if letter.audience == "customer" and (copy := _copied(letter)) and copy not in to:
        mail["Cc"] = [copy]
    mail["Subject"] = wording.subject
    mail["Date"] = format_datetime(letter.now)
    first = f"<{letter.escalation_id}.first.{_word(letter.recipient)}@{sender.domain}>"
    mail["Message-ID"] = f"<{message_id(_planned(letter), sender.domain)}>"
    mail["In-Reply-To"] = first
    mail["References"] = first
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    mail["X-Escalation-Id"] = letter.escalation_id
    mail.set_content(wording.text + "\n", charset="utf-8", cte="quoted-printable")
    return mail


def _copied(letter: Letter) -> Mailbox | None:
    """The account manager, in copy of what a customer is told."""
    who = str(letter.payload.get("copy") or "")
    known = letter.people.get(who)
    return mailbox((known and known.email) or who)


def _planned(letter: Letter) -> Planned:
    return Planned(letter.escalation_id, letter.version, letter.ordinal)


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", text)[:60]


class EmailChannel:
    """One server. `smtp_url`: smtp:// (with STARTTLS), smtps:// (TLS from the first byte), or smtp+plain:// (none, for
    a relay on this machine), with user and password where it wants them."""

    kind = "email"
    together: Together = "collected"
    name = "email"
    slots = 4

    def __init__(
        self, smtp_url: str, mail_from: str, public_url: str | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        url = urlsplit(smtp_url)
        self._tls = tls or ssl.create_default_context()
        self._scheme: Literal["smtp", "smtps", "smtp+plain"] = url.scheme  # type: ignore[assignment]  # settings check it
        self._host, self._port = url.hostname or "localhost", url.port or (465 if url.scheme == "smtps" else 587)
        self._user = unquote(url.username) if url.username else None
        self._password = unquote(url.password) if url.password else None
        sender = mailbox(mail_from)
        if sender is None:
            raise ValueError("mail_from is no address")
        self._sender = sender

    def reaches(self, address: Address) -> bool:
        """Whoever has an address."""
        return any(mailbox(text) for text in address.mailboxes[:MOST_RECIPIENTS])

    async def send(self, letter: Letter) -> None:
        """A connection for each mail: servers close idle ones, and a refusal must not cost the next mail its own."""
        mail = message(letter, self._sender)
        client = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            timeout=WITHIN,
            use_tls=self._scheme == "smtps",
            start_tls=self._scheme == "smtp",
            tls_context=self._tls if self._scheme != "smtp+plain" else None,
            local_hostname="localhost",
        )
        try:
            async with client:
                if self._user is not None:
                    await client.login(self._user, self._password or "")
                refused, _ = await client.send_message(mail, sender=self._sender.addr_spec)
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = sorted({each.code for each in error.recipients})
            raise _judged(codes[0], f"refused all recipients with {codes}") from None
        except aiosmtplib.SMTPResponseException as error:
            raise _judged(error.code, f"answered {error.code}") from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            slow = isinstance(error, TimeoutError | aiosmtplib.SMTPTimeoutError)
            raise Later("no answer in time" if slow else type(error).__name__) from None
        if refused:  # the others have it: it must not come to them again
            return

    async def close(self) -> None:
        """Nothing is held."""


def _judged(code: int, why: str) -> Refused | Later:
    """5xx is for good (RFC 5321, 4.2.1), but not what a server says of itself or of who logs in."""
    return Refused(why) if 500 <= code < 600 and code not in (521, 530, 534, 535) else Later(why)
