"""Notices by e-mail, as a mail server receives them."""

import asyncio
import email
import email.policy
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr

from gateway.clients.mail import open_mail
from gateway.clients.notices import Notice, Undeliverable
from gateway.clients.options import Mail
from gateway.policy import Unavailable
from tests.certificates import self_signed
from tests.fakes import NOON

PASSWORD = "a-mail-password"
NOTICE = Notice(
    id="n-1", verb="contract.requested", at=NOON, application="Shop", api="orders", tier="gold", asked_by="Ada"
)


class Inbox:
    """What a mail server was given; what it says to it."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.answer = "250 Taken"
        self.port = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's word
        if self.answer.startswith("250"):
            self.envelopes.append(envelope)
        return self.answer

    def message(self) -> EmailMessage:
        (envelope,) = self.envelopes
        return email.message_from_bytes(cast(bytes, envelope.content), policy=email.policy.default)


def _admits(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    login = cast(LoginPassword, data)
    return AuthResult(success=(login.login, login.password) == (b"us", PASSWORD.encode()), handled=False)


@asynccontextmanager
async def _serving(inbox: Inbox, tls: ssl.SSLContext | None = None, *, starttls: bool = False) -> AsyncIterator[Inbox]:
    settings: dict[str, Any] = {"hostname": "mail", "enable_SMTPUTF8": True}
    if starttls:
        settings |= {"tls_context": tls, "require_starttls": True, "auth_required": True, "authenticator": _admits}
    listener = await asyncio.get_running_loop().create_server(
        lambda: SMTP(inbox, **settings), "127.0.0.1", 0, ssl=None if starttls else tls
    )
    inbox.port = listener.sockets[0].getsockname()[1]
    async with listener:
        yield inbox


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    async with _serving(Inbox()) as inbox:
        yield inbox


def _options(inbox: Inbox, **others: Any) -> Mail:
    options = Mail(host="127.0.0.1", port=inbox.port, security="none", sender="gateway@example.com")
    return replace(options, owners=("owner@example.com",), timeout=5.0, **others)


async def test_owners_are_told_of_a_request(inbox: Inbox) -> None:
    await (await open_mail(_options(inbox, portal="https://portal.example.com/"))).send(NOTICE)
    assert inbox.envelopes[0].rcpt_tos == ["owner@example.com"]
    message = inbox.message()
    assert message["Subject"] == "Access to orders is asked for by Shop"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<n-1@example.com>"
    text = message.get_content()
    assert "Tier: gold" in text
    assert "https://portal.example.com/" in text


async def test_the_developer_alone_is_told_of_a_decision(inbox: Inbox) -> None:
    decided = replace(NOTICE, verb="contract.approved", audience="developer", email="ada@example.com")
    await (await open_mail(_options(inbox))).send(decided)
    assert inbox.envelopes[0].rcpt_tos == ["ada@example.com"]


async def test_nobody_is_told_where_there_is_no_address(inbox: Inbox) -> None:
    await (await open_mail(_options(inbox))).send(replace(NOTICE, audience="developer"))
    assert inbox.envelopes == []


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com, victim@example.com",
        "ada@example.com\r\nBcc: victim@example.com",
        "ada@example.com>\r\nRCPT TO:<victim@example.com",
        "Ada <ada@example.com>",
        "ada",
        "@example.com",
        "ada@",
        "ädä@example.com",
    ],
)
async def test_what_is_not_one_address_receives_nothing(inbox: Inbox, address: str) -> None:
    with pytest.raises(Undeliverable):
        await (await open_mail(_options(inbox))).send(replace(NOTICE, audience="developer", email=address))
    assert inbox.envelopes == []


@pytest.mark.case("C301")
async def test_what_people_write_becomes_no_header_and_turns_no_direction(inbox: Inbox) -> None:
    evil = "Shop\r\nBcc: victim@example.com\r\n\r\n<b>\x1b[31m\u202egnp.exe"
    await (await open_mail(_options(inbox))).send(replace(NOTICE, application=evil, reason=evil, asked_by=evil))
    message = inbox.message()
    assert message["Bcc"] is None
    assert message["Subject"].strip() == "Access to orders is asked for by Shop Bcc: victim@example.com <b> [31mgnp.exe"
    assert not set("\x1b\u202e") & set(message.get_content())
    assert message.get_content_type() == "text/plain"


@pytest.mark.parametrize(("answer", "error"), [("451 Later", Unavailable), ("550 Never", Undeliverable)])
async def test_a_refusal_for_now_may_be_tried_again_and_one_for_good_not(
    inbox: Inbox, answer: str, error: type[Exception]
) -> None:
    inbox.answer = answer
    with pytest.raises(error):
        await (await open_mail(_options(inbox))).send(NOTICE)


async def test_a_server_that_is_not_there_may_come_back(inbox: Inbox) -> None:
    options = replace(_options(inbox), port=1)
    with pytest.raises(Unavailable):
        await (await open_mail(options)).send(NOTICE)


def _secured(inbox: Inbox, security: str, certificate: Path, password: str = PASSWORD) -> Mail:
    options = _options(inbox, username="us", password=SecretStr(password), ca_file=str(certificate))
    return replace(options, security=security)  # type: ignore[arg-type]  # one of three words


async def test_a_login_goes_over_starttls(tmp_path: Path) -> None:
    pair = self_signed(tmp_path)
    async with _serving(Inbox(), pair.serve(), starttls=True) as inbox:
        await (await open_mail(_secured(inbox, "starttls", pair.certificate))).send(NOTICE)
        assert len(inbox.envelopes) == 1


@pytest.mark.case("C296")
async def test_a_login_that_is_refused_is_refused_for_good_and_says_no_password(tmp_path: Path) -> None:
    pair = self_signed(tmp_path)
    async with _serving(Inbox(), pair.serve(), starttls=True) as inbox:
        channel = await open_mail(_secured(inbox, "starttls", pair.certificate, "wrong-password"))
        with pytest.raises(Undeliverable) as refusal:
            await channel.send(NOTICE)
        assert "wrong-password" not in f"{refusal.value!r}{refusal.value.__cause__!r}{channel!r}{vars(channel)!r}"


async def test_mail_goes_over_tls_from_the_first_byte(tmp_path: Path) -> None:
    pair = self_signed(tmp_path)
    async with _serving(Inbox(), pair.serve()) as inbox:
        options = replace(_options(inbox, ca_file=str(pair.certificate)), security="tls")
        await (await open_mail(options)).send(NOTICE)
        assert len(inbox.envelopes) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_that_cannot_prove_itself_gets_neither_login_nor_mail(tmp_path: Path, security: str) -> None:
    pair = self_signed(tmp_path)
    starttls = security == "starttls"
    async with _serving(Inbox(), pair.serve(), starttls=starttls) as inbox:
        options = replace(_options(inbox), security=security)  # type: ignore[arg-type]  # one of three words
        with pytest.raises(Unavailable):
            await (await open_mail(options)).send(NOTICE)
        assert inbox.envelopes == []


async def test_a_server_without_encryption_gets_nothing_where_it_is_insisted_on(inbox: Inbox) -> None:
    options = replace(_options(inbox), security="starttls")
    with pytest.raises(Unavailable):
        await (await open_mail(options)).send(NOTICE)
    assert inbox.envelopes == []


def test_a_password_needs_encryption_or_this_very_machine() -> None:
    with pytest.raises(ValueError, match="encrypted"):
        Mail(host="mail.example.com", security="none", password=SecretStr(PASSWORD))
    Mail(host="127.0.0.1", security="none", password=SecretStr(PASSWORD))
    assert PASSWORD not in repr(Mail(host="mail.example.com", password=SecretStr(PASSWORD)))
