"""Clients at real identity providers: registered, used, changed, given a new secret, and deleted."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from gateway.clients import mistakes
from gateway.clients.client import Metadata, Registered
from gateway.clients.registration import SecretStays
from gateway.clients.registration.replies import differences
from gateway.policy import Unavailable
from gateway.providers.registration import Registration
from tests.clients.registration.opened import MACHINE, WEBSITE, provider_at, registering
from tests.idp.clients import Client
from tests.idp.fixtures import INITIAL_ACCESS_TOKEN
from tests.idp.glewlwyd import Glewlwyd
from tests.idp.oidc_provider import OidcProvider
from tests.idp.provider import IdentityProvider

READER = replace(MACHINE, scopes=("read",), redirect_uris=("https://shop.example.com/callback",))
BOTH = pytest.mark.parametrize("server", ["oidc_provider", "glewlwyd"])


def gets_a_token(provider: IdentityProvider, registered: Registered) -> bool:
    secret = registered.credentials.client_secret
    assert secret is not None
    client = Client(client_id=registered.credentials.client_id, client_secret=secret.get_secret_value())
    try:
        return bool(provider.mint(client=client))
    except (KeyError, ValueError):
        # An error document, or glewlwyd's empty answer.
        return False


@BOTH
async def test_a_client_lives_its_whole_life(server: str, request: pytest.FixtureRequest) -> None:
    there: IdentityProvider = request.getfixturevalue(server)
    async with registering(provider_at(None, issuer=there.issuer)) as registrar:
        registered = await registrar.register(READER, "id-7")
        assert gets_a_token(there, registered)
        can = registrar.capabilities_of(registered)
        assert (can.read, can.update, can.delete, can.why) == (True, True, True, "")
        read = await registrar.read(registered)
        assert read is not None
        assert read.credentials == registered.credentials
        renamed = replace(READER, client_name="Renamed", client_uri="https://shop.example.com")
        updated = await registrar.update(read, renamed)
        assert updated.reply["client_name"] == "Renamed"
        assert gets_a_token(there, updated)
        again = await registrar.update(updated, READER)
        assert (again.reply["client_name"], again.reply.get("client_uri")) == ("Shop", None)
        assert gets_a_token(there, again)
        await registrar.delete(again)
        assert await registrar.read(again) is None
        await registrar.delete(again)
    assert not gets_a_token(there, again)


@BOTH
@pytest.mark.parametrize("wish", [WEBSITE, replace(WEBSITE, token_endpoint_auth_method="none")])
async def test_an_application_that_people_sign_in_to_is_taken(
    server: str, wish: Metadata, request: pytest.FixtureRequest
) -> None:
    there: IdentityProvider = request.getfixturevalue(server)
    async with registering(provider_at(None, issuer=there.issuer)) as registrar:
        registered = await registrar.register(wish, "id-7")
        assert "redirect_uris" not in differences(wish, registered)
        assert "token_endpoint_auth_method" not in differences(wish, registered)
        await registrar.delete(registered)


async def test_oidc_provider_keeps_the_secret_and_changes_the_token(oidc_provider: OidcProvider) -> None:
    async with registering(provider_at(None, issuer=oidc_provider.issuer)) as registrar:
        registered = await registrar.register(READER, "id-7")
        with pytest.raises(SecretStays) as kept:
            await registrar.rotate(registered, READER)
        after = kept.value.registered
        assert after.registration_access_token != registered.registration_access_token
        # The old token is worth nothing now: who lost the new one lost the client.
        assert await registrar.read(registered) is None
        assert await registrar.read(after) is not None
        await registrar.delete(after)


async def test_glewlwyd_gives_a_new_secret(glewlwyd: Glewlwyd) -> None:
    async with registering(provider_at(None, issuer=glewlwyd.issuer)) as registrar:
        registered = await registrar.register(READER, "id-7")
        rotated = await registrar.rotate(registered, READER)
        assert rotated.credentials.client_secret != registered.credentials.client_secret
        assert gets_a_token(glewlwyd, rotated)
        assert not gets_a_token(glewlwyd, registered)
        await registrar.delete(rotated)


@BOTH
async def test_a_client_is_adopted_with_its_own_token(server: str, request: pytest.FixtureRequest) -> None:
    there: IdentityProvider = request.getfixturevalue(server)
    async with registering(provider_at(None, issuer=there.issuer)) as registrar:
        registered = await registrar.register(READER, "id-7")
        assert registered.registration_access_token is not None
        adopted = await registrar.adopt(
            registered.credentials.client_id,
            registration_client_uri=registered.registration_client_uri,
            registration_access_token=registered.registration_access_token.get_secret_value(),
        )
        assert gets_a_token(there, adopted)
        await registrar.delete(adopted)


async def test_an_initial_access_token_opens_oidc_provider(guarded_oidc_provider: OidcProvider) -> None:
    registration = Registration(initial_access_token=SecretStr(INITIAL_ACCESS_TOKEN))
    async with registering(provider_at(None, issuer=guarded_oidc_provider.issuer), registration) as registrar:
        registered = await registrar.register(READER, "id-7")
        assert gets_a_token(guarded_oidc_provider, registered)
        await registrar.delete(registered)


@pytest.mark.case("C290")
@pytest.mark.parametrize(
    "registration",
    [
        Registration(),
        Registration(initial_access_token=SecretStr("another's")),
        Registration(authorization=SecretStr("SSWS 00QCjAl4MlV-WPXM")),
    ],
    ids=["none", "another's", "another kind"],
)
async def test_without_it_nobody_registers_there(
    guarded_oidc_provider: OidcProvider, registration: Registration
) -> None:
    async with registering(provider_at(None, issuer=guarded_oidc_provider.issuer), registration) as registrar:
        with pytest.raises(Unavailable) as failed:
            await registrar.register(READER, "id-7")
    assert failed.value.code == "registration_refused"


async def test_what_oidc_provider_does_not_take_is_told_in_its_words(oidc_provider: OidcProvider) -> None:
    async with registering(provider_at(None, issuer=oidc_provider.issuer)) as registrar:
        with pytest.raises(mistakes.Invalid) as refused:
            await registrar.register(replace(READER, scopes=("admin",)), "id-7")
    assert refused.value.code == "invalid_client_metadata"
    assert "scope" in refused.value.detail
