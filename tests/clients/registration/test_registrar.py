"""The life of a client at a provider that keeps to RFC 7591 and RFC 7592, and what happens at one that does not."""

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from gateway.clients import mistakes
from gateway.clients.client import Registered
from gateway.clients.registration import SecretStays
from gateway.clients.registration.registrar import Registrar
from gateway.clients.registration.replies import known
from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from gateway.policy import Unavailable
from gateway.providers.registration import Registration
from gateway.tasks import Tasks
from tests.clients.registration.opened import MACHINE, WEBSITE, provider_at, registering
from tests.fakes import Asked, FakeClock, FakeFetch, json_reply, reply

ENDPOINT = "https://idp.example.com/register"
PLACE = f"{ENDPOINT}/shop-7"
RECORD: dict[str, object] = {
    "client_id": "shop-7",
    "client_secret": "s3cret",
    "registration_access_token": "rat-1",
    "registration_client_uri": PLACE,
}


@pytest.fixture
async def there() -> AsyncIterator[DemoProvider]:
    async with run_identity_provider(initial_access_token="let me in") as provider:
        yield provider


def opened(there: DemoProvider, token: str | None = "let me in") -> Registration:
    return Registration(initial_access_token=None if token is None else SecretStr(token))


@pytest.fixture
async def registrar(there: DemoProvider) -> AsyncIterator[Registrar]:
    """At a provider whose endpoints are known by its metadata alone."""
    async with registering(provider_at(None, issuer=there.issuer), opened(there)) as registrar:
        yield registrar


def answering(fetch: FakeFetch, registration: Registration | None = None) -> Registrar:
    return Registrar(provider_at(ENDPOINT), registration or Registration(), fetch, FakeClock(), Tasks())


def shop(**members: object) -> Registered:
    return known({**RECORD, **members}, ENDPOINT)


async def test_the_life_of_a_client(there: DemoProvider, registrar: Registrar) -> None:
    wish = replace(MACHINE, scopes=("orders.read",))
    registered = await registrar.register(wish, "id-7")
    client_id = registered.credentials.client_id
    assert there.clients[client_id].metadata.scope == "orders.read"
    assert registered.reply["software_id"] == "id-7"
    read = await registrar.read(registered)
    assert read is not None
    assert read.reply == registered.reply
    updated = await registrar.update(registered, replace(wish, client_name="Renamed", scopes=("orders.write",)))
    assert there.clients[client_id].metadata.client_name == "Renamed"
    assert updated.reply["scope"] == "orders.write"
    assert updated.reply["software_id"] == "id-7"
    assert updated.credentials == registered.credentials
    await registrar.delete(updated)
    assert client_id not in there.clients
    assert await registrar.read(updated) is None
    await registrar.delete(updated)
    with pytest.raises(mistakes.Conflict) as refused:
        await registrar.update(updated, wish)
    assert refused.value.code == "unknown_there"


async def test_a_public_client_is_registered_without_a_secret(there: DemoProvider, registrar: Registrar) -> None:
    registered = await registrar.register(replace(WEBSITE, token_endpoint_auth_method="none"), "id-7")
    assert registered.credentials.client_secret is None
    assert there.clients[registered.credentials.client_id].client_secret is None


@pytest.mark.case("C290")
@pytest.mark.parametrize("token", [None, "let me in, please", "another's"])
async def test_a_provider_that_does_not_let_us_in_registers_nothing(there: DemoProvider, token: str | None) -> None:
    before = set(there.clients)
    async with registering(provider_at(None, issuer=there.issuer), opened(there, token)) as registrar:
        with pytest.raises(Unavailable) as failed:
            await registrar.register(MACHINE, "id-7")
    assert failed.value.code == "registration_refused"
    assert token is None or token not in failed.value.detail
    assert set(there.clients) == before


async def test_what_the_provider_does_not_take_is_told(there: DemoProvider, registrar: Registrar) -> None:
    with pytest.raises(mistakes.Invalid) as refused:
        await registrar.register(replace(MACHINE, scopes=("admin",)), "id-7")
    assert refused.value.code == "invalid_client_metadata"
    assert refused.value.detail == "The identity provider does not take it: Not acceptable: scope."


async def test_a_secret_that_stays_is_told_with_what_has_to_be_kept(there: DemoProvider, registrar: Registrar) -> None:
    registered = await registrar.register(MACHINE, "id-7")
    with pytest.raises(SecretStays) as kept:
        await registrar.rotate(registered, MACHINE)
    assert kept.value.code == "cannot_rotate"
    assert "register the application anew" in kept.value.detail
    assert kept.value.registered.credentials == registered.credentials


async def test_a_public_client_has_no_secret_to_change() -> None:
    with pytest.raises(mistakes.Conflict) as refused:
        await answering(FakeFetch()).rotate(shop(), replace(WEBSITE, token_endpoint_auth_method="none"))
    assert refused.value.code == "cannot_rotate"


async def test_a_client_is_adopted_with_its_own_token(there: DemoProvider, registrar: Registrar) -> None:
    registered = await registrar.register(MACHINE, "id-7")
    assert registered.registration_access_token is not None
    adopted = await registrar.adopt(
        registered.credentials.client_id,
        registration_client_uri=registered.registration_client_uri,
        registration_access_token=registered.registration_access_token.get_secret_value(),
    )
    assert adopted.reply == registered.reply
    with pytest.raises(mistakes.NotFound):
        await registrar.adopt(
            registered.credentials.client_id,
            registration_client_uri=registered.registration_client_uri,
            registration_access_token="wrong",
        )


async def test_a_client_that_cannot_be_read_is_adopted_as_it_was_told() -> None:
    fetch = FakeFetch()
    registrar = answering(fetch)
    adopted = await registrar.adopt("gateway-made", client_secret="s3cret")
    assert adopted.reply == {"client_id": "gateway-made", "client_secret": "s3cret"}
    can = registrar.capabilities_of(adopted)
    assert (can.read, can.update, can.delete, can.rotate) == (False, False, False, False)
    assert "registration_client_uri" in can.why
    assert fetch.asked == []


async def test_a_client_of_a_provider_that_registers_none_is_adopted_and_of_the_rest_it_is_said_where_to_do_it() -> (
    None
):
    nowhere = Registrar(provider_at(None), Registration(), FakeFetch(), FakeClock(), Tasks())
    adopted = await nowhere.adopt("app-7")
    assert "there" in nowhere.capabilities_of(adopted).why
    doings = nowhere.read(adopted), nowhere.update(adopted, MACHINE), nowhere.rotate(adopted, MACHINE)
    for doing in (*doings, nowhere.delete(adopted)):
        with pytest.raises(mistakes.Conflict) as refused:
            await doing
        assert refused.value.code == "not_manageable"
    await nowhere.end_overlap(adopted)


@pytest.mark.case("C293")
@pytest.mark.parametrize(
    "uri",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "file:///etc/passwd",
        "https://idp.example.com.evil.example/register/shop-7",
        "https://evil.example/register/shop-7",
    ],
)
async def test_a_place_elsewhere_that_a_person_names_is_refused_unasked(uri: str) -> None:
    fetch = FakeFetch()
    with pytest.raises(mistakes.Invalid):
        await answering(fetch).adopt("shop-7", registration_client_uri=uri, registration_access_token="rat")
    assert fetch.asked == []


@pytest.mark.parametrize(
    "told",
    [
        {"registration_client_uri": PLACE},
        {"registration_access_token": "rat"},
        {"client_secret": "a\nb"},
        {"client_secret": ""},
        {"registration_client_uri": PLACE, "registration_access_token": "a b"},
    ],
    ids=str,
)
async def test_what_is_told_of_a_client_has_to_be_whole(told: dict[str, str]) -> None:
    with pytest.raises(mistakes.Invalid):
        await answering(FakeFetch()).adopt("shop-7", **told)


@pytest.mark.case("C293")
async def test_a_place_elsewhere_that_a_reply_names_is_never_asked() -> None:
    fetch = FakeFetch()
    elsewhere = "http://169.254.169.254/latest/meta-data"
    fetch.answers[ENDPOINT] = json_reply(
        {**RECORD, "registration_client_uri": elsewhere, "jwks_uri": elsewhere, "logo_uri": elsewhere}, 201
    )
    registrar = answering(fetch)
    registered = await registrar.register(MACHINE, "id-7")
    assert not registrar.capabilities_of(registered).read
    for asking in (registrar.read(registered), registrar.delete(registered), registrar.update(registered, MACHINE)):
        with pytest.raises(mistakes.Conflict) as refused:
            await asking
        assert refused.value.code == "not_manageable"
    assert {asked.url for asked in fetch.asked} == {ENDPOINT}


@pytest.mark.case("C293")
async def test_a_place_that_was_kept_is_not_asked_once_registration_is_elsewhere() -> None:
    fetch = FakeFetch()
    registrar = Registrar(provider_at("https://new.example.com/r"), Registration(), fetch, FakeClock(), Tasks())
    with pytest.raises(mistakes.Conflict):
        await registrar.read(shop())
    assert fetch.asked == []


@pytest.mark.parametrize("status", [405, 501, 403])
async def test_a_provider_that_does_not_do_it_is_a_conflict(status: int) -> None:
    fetch = FakeFetch()
    fetch.answers[PLACE] = reply(b"", status)
    registrar = answering(fetch)
    for asking in (registrar.read(shop()), registrar.delete(shop()), registrar.update(shop(), MACHINE)):
        with pytest.raises(mistakes.Conflict) as refused:
            await asking
        assert refused.value.code == "not_manageable"


@pytest.mark.parametrize("status", [401, 404, 410])
async def test_a_client_that_is_gone_reads_as_none_and_counts_as_deleted(status: int) -> None:
    fetch = FakeFetch()
    fetch.answers[PLACE] = reply(b"", status)
    registrar = answering(fetch)
    assert await registrar.read(shop()) is None
    await registrar.delete(shop())


async def test_to_our_own_authorization_401_does_not_mean_that_the_client_is_gone() -> None:
    fetch = FakeFetch()
    fetch.answers[PLACE] = reply(b"", 401)
    registrar = answering(fetch, Registration(client_url="{registration}/{client_id}"))
    unmanaged = known({"client_id": "shop-7"}, ENDPOINT)
    for asking in (registrar.read(unmanaged), registrar.delete(unmanaged), registrar.update(unmanaged, MACHINE)):
        with pytest.raises(Unavailable) as failed:
            await asking
        assert failed.value.code == "registration_refused"


async def test_a_failure_leaves_the_client_where_it_is() -> None:
    fetch = FakeFetch()
    fetch.answers[PLACE] = reply(b"", 503)
    registrar = answering(fetch)
    for asking in (registrar.read(shop()), registrar.delete(shop()), registrar.update(shop(), MACHINE)):
        with pytest.raises(Unavailable):
            await asking


async def test_a_new_secret_comes_with_an_update_that_leaves_the_old_one_out() -> None:
    fetch = FakeFetch()
    documents: list[dict[str, object]] = []

    def answer(asked: Asked) -> object:
        documents.append(json.loads(asked.body))
        return json_reply({**RECORD, "client_secret": "n3w", "registration_access_token": "rat-2"})

    fetch.answers[PLACE] = answer  # type: ignore[assignment]  # it gives a reply
    rotated = await answering(fetch).rotate(shop(), MACHINE)
    assert "client_secret" not in documents[0]
    assert rotated.credentials.client_secret == SecretStr("n3w")
    assert rotated.registration_access_token == SecretStr("rat-2")
    assert [asked.headers["Authorization"] for asked in fetch.asked] == ["Bearer rat-1"]


@pytest.mark.parametrize(
    "members", [{"redirect_uris": ["https://evil.example/callback"]}, {"grant_types": ["password"]}]
)
async def test_what_was_registered_otherwise_is_said(
    caplog: pytest.LogCaptureFixture, members: dict[str, object]
) -> None:
    fetch = FakeFetch()
    fetch.answers[ENDPOINT] = json_reply({**RECORD, **members}, 201)
    with caplog.at_level(logging.WARNING):
        await answering(fetch).register(WEBSITE, "id-7")
    assert caplog.messages == [f"provider idp: registered otherwise than asked for: {next(iter(members))}"]


@pytest.mark.case("C294")
async def test_what_was_not_checked_does_not_reach_the_provider() -> None:
    fetch = FakeFetch()
    registrar = answering(fetch, Registration(authentication=("client_secret_basic",)))
    for wish in (
        replace(WEBSITE, token_endpoint_auth_method="none"),
        replace(WEBSITE, redirect_uris=("javascript:alert(1)",)),
        replace(WEBSITE, client_name="<b>"),
    ):
        with pytest.raises(mistakes.Invalid):
            await registrar.register(wish, "id-7")
        with pytest.raises(mistakes.Invalid):
            await registrar.update(shop(), wish)
    assert fetch.asked == []


async def test_a_provider_without_registration_is_told_apart() -> None:
    registrar = Registrar(provider_at(None), Registration(), FakeFetch(), FakeClock(), Tasks())
    with pytest.raises(Unavailable) as failed:
        await registrar.register(MACHINE, "id-7")
    assert (failed.value.code, failed.value.detail) == (
        "registration_refused",
        "idp names no registration endpoint, and none is configured.",
    )


async def test_a_provider_that_is_away_is_unavailable(there: DemoProvider) -> None:
    async with registering(provider_at(None, issuer="http://127.0.0.1:1")) as registrar:
        with pytest.raises(Unavailable) as failed:
            await registrar.register(MACHINE, "id-7")
    assert failed.value.code == "provider_metadata"
