"""Notices by POST, as a receiver gets them."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from pydantic import SecretStr

from gateway.clients.notices import Notice, Undeliverable
from gateway.clients.options import Webhook
from gateway.clients.webhook import open_webhook, signed
from gateway.fetch import open_fetch
from gateway.policy import Unavailable
from tests.fakes import NOON, FakeClock
from tests.faulty_server import FaultyServer, answer, document, faulty_server, hang_up, redirect

KEY = b"twenty-four bytes or more of key"
SECRET = SecretStr(f"whsec_{base64.b64encode(KEY).decode()}")
NOTICE = Notice(
    id="n-1",
    verb="contract.approved",
    at=NOON,
    application="Shop",
    api="orders",
    audience="developer",
    email="a@b.example",
)


async def _send(server: FaultyServer, clock: FakeClock | None = None) -> None:
    options = Webhook(url=f"{server.url}/hook", secret=SECRET, timeout=2.0)
    async with open_webhook(options, open_fetch, clock or FakeClock()) as channel:
        await channel.send(NOTICE)


def test_the_signature_is_that_of_the_standards_example() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signed(b'{"test": 2432232314}', "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, key)
    assert dict(headers)["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_receiver_can_tell_who_sent_it_and_when() -> None:
    async with faulty_server(answer(status=204)) as server:
        await _send(server)
        (received,) = server.received
    timestamp = str(int(NOON))
    expected = hmac.new(KEY, f"n-1.{timestamp}.".encode() + received.body, hashlib.sha256).digest()
    assert received.method == "POST"
    assert received.header("webhook-id") == "n-1"
    assert received.header("webhook-timestamp") == timestamp
    assert received.header("webhook-signature") == f"v1,{base64.b64encode(expected).decode()}"
    assert received.header("content-type") == "application/json"


async def test_the_body_says_what_happened_and_nobodys_address() -> None:
    async with faulty_server(document({})) as server:
        await _send(server)
        told = json.loads(server.received[0].body)
    assert (told["type"], told["timestamp"]) == ("contract.approved", "2026-11-23T12:00:00Z")
    assert (told["data"]["application"], told["data"]["api"]) == ("Shop", "orders")
    assert b"a@b.example" not in server.received[0].body


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_receiver_that_fails_may_be_told_again(status: int) -> None:
    async with faulty_server(answer(status=status)) as server:
        with pytest.raises(Unavailable):
            await _send(server)


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_a_receiver_that_refuses_is_not_told_again(status: int) -> None:
    async with faulty_server(answer(status=status)) as server:
        with pytest.raises(Undeliverable):
            await _send(server)


async def test_no_redirect_is_followed() -> None:
    async with faulty_server(redirect("/elsewhere")) as server:
        with pytest.raises(Undeliverable):
            await _send(server)
        assert len(server.received) == 1


async def test_a_receiver_that_hangs_up_may_be_told_again() -> None:
    async with faulty_server(hang_up()) as server:
        with pytest.raises(Unavailable):
            await _send(server)


@pytest.mark.case("C298")
@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", f"whsec_{'A' * 200}"])
def test_a_secret_is_random_bytes_and_enough_of_them(secret: str) -> None:
    with pytest.raises(ValueError, match="24 to 64"):
        Webhook(url="https://example.com/hook", secret=SecretStr(secret))


def test_a_secret_does_not_show() -> None:
    options = Webhook(url="https://example.com/hook", secret=SECRET)
    assert SECRET.get_secret_value()[6:] not in repr(replace(options, timeout=1.0))


def test_a_webhook_goes_to_a_web_server() -> None:
    with pytest.raises(ValueError, match="http"):
        Webhook(url="file:///etc/passwd", secret=SECRET)
