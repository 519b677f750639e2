"""Notices by e-mail."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import aiosmtplib

from gateway.client_tls import client_tls
from gateway.clients.letters import subject, text
from gateway.clients.notices import Notice, Undeliverable
from gateway.clients.options import Mail
from gateway.policy import Unavailable


class MailChannel:
    """Sends each notice in a connection of its own. Its `repr` shows no password."""

    name = "mail"

    def __init__(self, options: Mail, tls: ssl.SSLContext) -> None:
        self._options = options
        self._tls = tls
        self.attempts = options.attempts

    async def send(self, notice: Notice) -> None:
        """To the developer, or to the owners. Raises `Unavailable` and `Undeliverable`."""
        to = self._options.owners if notice.audience == "owners" else tuple(filter(None, (notice.email,)))
        if not to:
            return
        message, recipients = letter(notice, self._options, to)
        with _translated():
            async with self._connection() as server:
                sender = _address(self._options.sender).addr_spec
                await server.send_message(message, sender=sender, recipients=recipients)

    async def greet(self) -> None:
        """Connect as for a notice, and log in where there is a user; nothing is sent. Raises as `send` does."""
        with _translated():
            async with self._connection():
                pass

    def _connection(self) -> aiosmtplib.SMTP:
        options = self._options
        secret = options.password
        return aiosmtplib.SMTP(
            hostname=options.host,
            port=options.port,
            username=options.username,
            password=None if secret is None else secret.get_secret_value(),
            # The machine's own name would be looked up, and is nobody's business.
            local_hostname=_address(options.sender).domain,
            timeout=options.timeout,
            use_tls=options.security == "tls",
            start_tls=options.security == "starttls",
            tls_context=None if options.security == "none" else self._tls,
        )


@contextmanager
def _translated() -> Iterator[None]:
    """Around a conversation with the mail server."""
    try:
        yield
    except aiosmtplib.SMTPResponseException as error:
        # RFC 5321, 4.2.1: 4yz is "Transient Negative Completion reply", 5yz "Permanent". The server's words may
        # repeat what we said: only its number is told.
        refusal = Unavailable if 400 <= error.code < 500 else Undeliverable
        raise refusal(f"the mail server answered {error.code}") from None
    except aiosmtplib.SMTPRecipientsRefused:
        raise Undeliverable("the mail server knows none of the recipients") from None
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        raise Unavailable(f"the mail server cannot be used ({type(error).__name__})") from None


async def open_mail(options: Mail) -> MailChannel:
    """Raises OSError, of which ssl.SSLError is one, when the CA file cannot be read or used."""
    return MailChannel(options, await asyncio.to_thread(client_tls, options.ca_file))


def letter(notice: Notice, options: Mail, to: tuple[str, ...]) -> tuple[EmailMessage, list[str]]:
    """The message and its recipients. Raises `Undeliverable` when an address is none, or is several."""
    addresses = [_address(each) for each in to]
    sender = _address(options.sender)
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = addresses
    message["Subject"] = subject(notice)
    message["Date"] = format_datetime(datetime.fromtimestamp(notice.at, UTC))
    message["Message-ID"] = f"<{notice.id}@{sender.domain}>"
    # RFC 3834, 5: whoever answers mail by a program shall not answer this.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text(notice, options.portal))
    return message, [each.addr_spec for each in addresses]


def _address(written: str) -> Address:
    """A single address: what an identity provider says of its people must not become a list or a header."""
    try:
        address = Address(addr_spec=written)
    except (MessageError, ValueError, IndexError):
        raise Undeliverable("an e-mail address is none") from None
    if not written.isascii() or not address.username or not address.domain:
        raise Undeliverable("an e-mail address is none that we can write to")
    return address
