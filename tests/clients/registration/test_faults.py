"""Registration at a provider that is broken: it is unavailable, by a code, and is asked once."""

import json
from dataclasses import replace

import pytest
from pydantic import SecretStr

from gateway.clients import mistakes
from gateway.clients.registration.registrar import open_registrar
from gateway.fetch import open_fetch
from gateway.policy import Unavailable
from gateway.providers.registration import Registration
from tests.clients.registration.opened import MACHINE, provider_at, registering
from tests.fakes import FakeClock
from tests.faulty_server import (
    MEBIBYTE,
    Verb,
    answer,
    black_hole,
    bomb,
    broken_head,
    document,
    dripping,
    endless_chunks,
    faulty_server,
    hang_up,
    html,
    huge,
    redirect,
    refusing_port,
    silent,
    truncated,
)

WHOLE = json.dumps({"client_id": "shop-7", "client_secret": "s3cret"}).encode()


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        (silent(), "provider_timeout"),
        (dripping(WHOLE, 0.2), "provider_timeout"),
        (hang_up(), "provider_unreachable"),
        (broken_head(), "provider_answer"),
        (truncated(WHOLE), "provider_answer"),
        (huge(8 * MEBIBYTE), "provider_answer"),
        (bomb(64), "provider_answer"),
        (endless_chunks(), "provider_answer"),
        (html(200), "registration_failed"),
        (html(500), "registration_failed"),
        (html(503), "registration_failed"),
        (document({}, status=201), "registration_failed"),
        (document({"client_secret": "s3cret"}, status=201), "registration_failed"),
        (document({"client_id": 7}, status=201), "registration_failed"),
        (document([], status=201), "registration_failed"),
        (document(None, status=201), "registration_failed"),
        (document({"client_id": "shop-7", "client_secret": ["s3cret"]}, status=201), "registration_failed"),
        (document({"client_id": "shop-7"}, status=202), "registration_failed"),
        (redirect("http://169.254.169.254/"), "registration_failed"),
        (document({"error": "invalid_token"}, status=401), "registration_refused"),
        (document({}, status=403), "registration_refused"),
    ],
)
async def test_a_provider_that_fails_is_unavailable_and_asked_once(verb: Verb, code: str) -> None:
    async with (
        faulty_server(verb) as server,
        registering(provider_at(f"{server.url}/register"), Registration(timeout=0.5)) as registrar,
    ):
        with pytest.raises(Unavailable) as failed:
            await registrar.register(MACHINE, "id-7")
        assert failed.value.code == code
        assert "s3cret" not in failed.value.detail
        # A second POST would be a second client.
        assert len(server.received) == 1


async def test_a_provider_that_asks_us_to_wait_says_how_long() -> None:
    slow_down = answer(status=429, headers=("Retry-After: 7",))
    async with (
        faulty_server(slow_down) as server,
        registering(provider_at(f"{server.url}/register")) as registrar,
    ):
        with pytest.raises(Unavailable) as failed:
            await registrar.register(MACHINE, "id-7")
    assert (failed.value.code, failed.value.retry_after) == ("registration_failed", 7)


@pytest.mark.parametrize("where", [refusing_port, black_hole])
async def test_a_provider_that_nobody_reaches_is_unavailable(where: object) -> None:
    with where() as port:  # type: ignore[operator]  # one of the two above
        async with registering(
            provider_at(f"http://127.0.0.1:{port}/register"), Registration(timeout=0.5)
        ) as registrar:
            with pytest.raises(Unavailable):
                await registrar.register(MACHINE, "id-7")


async def test_a_refusal_of_the_metadata_is_not_a_failure() -> None:
    refused = document({"error": "invalid_redirect_uri", "error_description": "Not there."}, status=400)
    async with faulty_server(refused) as server, registering(provider_at(f"{server.url}/register")) as registrar:
        with pytest.raises(mistakes.Invalid) as wrong:
            await registrar.register(MACHINE, "id-7")
    assert (wrong.value.code, wrong.value.detail) == (
        "invalid_redirect_uri",
        "The identity provider does not take it: Not there.",
    )


@pytest.mark.case("C307")
@pytest.mark.parametrize(
    "opening",
    [
        {"authorization": SecretStr("SSWS of-the-gateway")},
        {"initial_access_token": SecretStr("of-the-gateway")},
    ],
    ids=str,
)
async def test_a_refusal_that_repeats_our_credential_is_told_without_it(opening: dict[str, SecretStr]) -> None:
    said = "The token of-the-gateway may not do this."
    refused = document({"error": "invalid_client_metadata", "error_description": said}, status=400)
    async with (
        faulty_server(refused) as server,
        registering(provider_at(f"{server.url}/register"), Registration(**opening)) as registrar,  # type: ignore[arg-type]  # one of its fields
    ):
        with pytest.raises(mistakes.Invalid) as wrong:
            await registrar.register(MACHINE, "id-7")
    assert "of-the-gateway" not in str(wrong.value)
    assert "may not do this" in str(wrong.value)


async def test_a_file_that_is_missing_is_told_when_it_is_opened() -> None:
    provider = provider_at("https://idp.example.com/register")
    broken = replace(provider, transport=replace(provider.transport, ca_file="/nowhere.pem"))
    with pytest.raises(OSError, match="No such file"):
        async with open_registrar(broken, Registration(), open_fetch, FakeClock()):
            pass
