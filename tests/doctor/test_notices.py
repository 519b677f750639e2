"""Where notices go: a mail server and a webhook, tried without a notice."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from gateway.doctor import Report, as_text
from tests.certificates import self_signed
from tests.doctor.examining import examined, found, settings
from tests.doctor.registering import not_well
from tests.faulty_server import document, faulty_server, refusing_port

PASSWORD = "a-mail-password-of-ours"
MAIL, WEBHOOK = "notices by mail", "notices by webhook"


class Inbox:
    """Counts what it is given."""

    letters = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's word
        self.letters += 1
        return "250 Taken"


def _admits(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    login = cast(LoginPassword, data)
    return AuthResult(success=(login.login, login.password) == (b"us", PASSWORD.encode()), handled=False)


@asynccontextmanager
async def mail_server(inbox: Inbox, folder: Path | None = None) -> AsyncIterator[dict[str, Any]]:
    """The options for it; with a folder, it insists on STARTTLS and a login."""
    how: dict[str, Any] = {"hostname": "mail"}
    written: dict[str, Any] = {"host": "127.0.0.1", "security": "none", "sender": "gateway@example.com"}
    if folder is not None:
        pair = self_signed(folder)
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(pair.certificate, pair.key)
        how |= {"tls_context": tls, "require_starttls": True, "auth_required": True, "authenticator": _admits}
        written |= {"security": "starttls", "ca_file": str(pair.certificate), "username": "us", "password": PASSWORD}
    listener = await asyncio.get_running_loop().create_server(lambda: SMTP(inbox, **how), "127.0.0.1", 0)
    async with listener:
        yield {**written, "port": listener.sockets[0].getsockname()[1]}


async def report_on(folder: Path, **notices: Any) -> Report:
    store = {"url": f"sqlite:///{folder}/store.db", "encryption_keys": ["q8Zf3kq1n0cJm2v7x9LpT4sWbRyEuHdAiGoKjMlNzXc"]}
    return await examined(settings(None, store=store, management={"notices": notices}))


async def test_a_mail_server_that_takes_us_is_sent_nothing(tmp_path: Path) -> None:
    inbox = Inbox()
    async with mail_server(inbox) as mail:
        report = await report_on(tmp_path, mail=mail)
    assert (not_well(report, MAIL), inbox.letters) == ([], 0)
    assert found(report, "log in", MAIL)[1] == (
        "The server talks to us, without encryption; no user is configured to log in."
    )


async def test_a_mail_server_that_takes_our_user_by_starttls(tmp_path: Path) -> None:
    inbox = Inbox()
    async with mail_server(inbox, tmp_path) as mail:
        report = await report_on(tmp_path, mail=mail)
    assert found(report, "log in", MAIL)[1] == "The server takes our user, by STARTTLS. Nothing was sent."
    assert inbox.letters == 0


async def test_a_mail_server_that_does_not_take_our_password(tmp_path: Path) -> None:
    async with mail_server(Inbox(), tmp_path) as mail:
        report = await report_on(tmp_path, mail={**mail, "password": "another-password"})
    result, seen, advice = found(report, "log in", MAIL)
    assert (result, seen) == ("failure", "Connected to 127.0.0.1, the mail server answered 535.")
    assert advice.startswith("Correct management.notices.mail.username and password")
    assert "another-password" not in as_text(report)


@pytest.mark.parametrize(
    ("security", "advice"), [("starttls", "If it has no STARTTLS, write"), ("none", None), ("tls", "speak TLS")]
)
async def test_a_mail_server_without_encryption(tmp_path: Path, security: str, advice: str | None) -> None:
    async with mail_server(Inbox()) as mail:
        report = await report_on(tmp_path, mail={**mail, "security": security})
    text = " ".join(as_text(report).split())
    assert (not_well(report, MAIL) == []) is (advice is None)
    assert advice is None or advice in text


async def test_a_mail_server_that_is_out_of_reach(tmp_path: Path) -> None:
    with refusing_port() as port:
        report = await report_on(tmp_path, mail={"host": "127.0.0.1", "port": port})
    assert not_well(report, MAIL) == [("reachable", "failure")]


async def test_a_webhook_is_reached_and_sent_nothing(tmp_path: Path) -> None:
    async with faulty_server(document({})) as server:
        report = await report_on(tmp_path, webhook={"url": f"{server.url}/hook", "secret": SECRET})
        assert server.received == []
    assert not_well(report, WEBHOOK) == []


async def test_a_webhook_that_is_out_of_reach(tmp_path: Path) -> None:
    with refusing_port() as port:
        report = await report_on(tmp_path, webhook={"url": f"http://127.0.0.1:{port}/hook", "secret": SECRET})
    assert found(report, "reachable", WEBHOOK)[1] == f"127.0.0.1:{port} refuses connections (no notice arrives)."


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
