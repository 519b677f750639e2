"""Clients at Okta: managed with our API token, with two secrets for a while, and of no use without a group."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from gateway.clients import mistakes
from gateway.clients.client import Registered
from gateway.clients.registration.registrar import Registrar
from gateway.policy import Unavailable
from tests.clients.okta import API_TOKEN, Okta, okta
from tests.clients.registration.opened import MACHINE, WEBSITE, like, provider_at, registering

AUTHORIZATION = SecretStr(f"SSWS {API_TOKEN}")


@pytest.fixture
async def there() -> AsyncIterator[Okta]:
    async with okta() as organisation:
        yield organisation


@pytest.fixture
async def registrar(there: Okta) -> AsyncIterator[Registrar]:
    async with registering(provider_at(there.registration), like("okta", authorization=AUTHORIZATION)) as registrar:
        yield registrar


def works(there: Okta, registered: Registered) -> bool:
    secret = registered.credentials.client_secret
    return secret is not None and there.works(registered.credentials.client_id, secret.get_secret_value())


async def test_a_client_is_registered_read_changed_and_deleted(there: Okta, registrar: Registrar) -> None:
    registered = await registrar.register(MACHINE, "id-7")
    assert works(there, registered)
    assert registrar.capabilities_of(registered).why == ""
    read = await registrar.read(registered)
    assert read is not None
    assert read.credentials == registered.credentials
    renamed = replace(MACHINE, client_name="Renamed")
    updated = await registrar.update(read, renamed)
    assert updated.reply["client_name"] == "Renamed"
    assert works(there, updated)
    await registrar.delete(updated)
    assert there.applications == {}
    assert await registrar.read(updated) is None
    await registrar.delete(updated)


@pytest.mark.parametrize(
    "wish", [WEBSITE, replace(WEBSITE, token_endpoint_auth_method="none"), replace(MACHINE, scopes=("read",))]
)
async def test_every_kind_of_application_is_taken(there: Okta, registrar: Registrar, wish: object) -> None:
    await registrar.register(wish, "id-7")  # type: ignore[arg-type]  # metadata
    assert len(there.applications) == 1


async def test_an_update_of_a_client_that_is_gone_is_a_conflict(there: Okta, registrar: Registrar) -> None:
    registered = await registrar.register(MACHINE, "id-7")
    there.applications.clear()
    with pytest.raises(mistakes.Conflict) as refused:
        await registrar.update(registered, MACHINE)
    assert refused.value.code == "unknown_there"


async def test_a_new_secret_stands_beside_the_old_one_until_the_overlap_ends(there: Okta, registrar: Registrar) -> None:
    registered = await registrar.register(MACHINE, "id-7")
    rotated = await registrar.rotate(registered, MACHINE)
    assert rotated.credentials.client_secret != registered.credentials.client_secret
    assert works(there, registered)
    assert works(there, rotated)
    await registrar.end_overlap(rotated)
    assert not works(there, registered)
    assert works(there, rotated)


@pytest.mark.parametrize("hidden", [False, True])
async def test_a_third_secret_takes_the_place_of_the_oldest(there: Okta, registrar: Registrar, hidden: bool) -> None:
    there.hidden_secrets = hidden
    first = await registrar.register(MACHINE, "id-7")
    second = await registrar.rotate(first, MACHINE)
    third = await registrar.rotate(second, MACHINE)
    assert [works(there, each) for each in (first, second, third)] == [False, True, True]
    await registrar.end_overlap(third)
    assert [works(there, each) for each in (first, second, third)] == [False, False, True]


async def test_secrets_of_which_nobody_knows_which_is_in_force_are_left_alone(
    there: Okta, registrar: Registrar
) -> None:
    registered = await registrar.register(MACHINE, "id-7")
    there.hidden_secrets = True
    application = there.applications[registered.credentials.client_id]
    there.add_secret(application)
    await registrar.end_overlap(registered)
    assert len(application.secrets) == 2


async def test_a_rotation_survives_a_later_reading(there: Okta, registrar: Registrar) -> None:
    rotated = await registrar.rotate(await registrar.register(MACHINE, "id-7"), MACHINE)
    read = await registrar.read(rotated)
    assert read is not None
    assert works(there, read)
    await registrar.end_overlap(read)
    assert works(there, read)


async def test_an_update_does_not_send_our_note_of_the_secret(there: Okta, registrar: Registrar) -> None:
    rotated = await registrar.rotate(await registrar.register(MACHINE, "id-7"), MACHINE)
    assert works(there, await registrar.update(rotated, MACHINE))


async def test_a_new_client_is_assigned_to_the_groups(there: Okta) -> None:
    registration = like("okta", authorization=AUTHORIZATION, groups=("00gEveryone", "00gPartners"))
    async with registering(provider_at(there.registration), registration) as registrar:
        registered = await registrar.register(MACHINE, "id-7")
    assert there.applications[registered.credentials.client_id].groups == {"00gEveryone", "00gPartners"}


async def test_a_client_that_cannot_be_assigned_does_not_stay(there: Okta) -> None:
    registration = like("okta", authorization=AUTHORIZATION, groups=("00gEveryone", "00gNobody"))
    async with registering(provider_at(there.registration), registration) as registrar:
        with pytest.raises(Unavailable) as failed:
            await registrar.register(MACHINE, "id-7")
    assert failed.value.code == "registration_refused"
    assert "group" in failed.value.detail
    assert there.applications == {}


@pytest.mark.case("C290")
@pytest.mark.parametrize("authorization", [None, SecretStr("SSWS expired"), SecretStr(f"Bearer {API_TOKEN}")])
async def test_without_our_api_token_nothing_is_registered(there: Okta, authorization: SecretStr | None) -> None:
    async with registering(provider_at(there.registration), like("okta", authorization=authorization)) as registrar:
        with pytest.raises(Unavailable) as failed:
            await registrar.register(MACHINE, "id-7")
        assert failed.value.code == "registration_refused"
        with pytest.raises(Unavailable) as failed:
            await registrar.adopt("0oa1")
        assert failed.value.code == "registration_refused"
    assert there.applications == {}


async def test_what_okta_does_not_take_is_told_in_its_words(there: Okta, registrar: Registrar) -> None:
    with pytest.raises(mistakes.Invalid) as refused:
        await registrar.register(replace(WEBSITE, redirect_uris=("https://refused.example.com/cb",)), "id-7")
    assert refused.value.code == "invalid_redirect_uri"
    assert "allowed by the organisation" in refused.value.detail


async def test_a_client_that_exists_is_adopted_by_its_id(there: Okta, registrar: Registrar) -> None:
    registered = await registrar.register(MACHINE, "id-7")
    adopted = await registrar.adopt(registered.credentials.client_id)
    assert adopted.reply["client_name"] == "Shop"
    assert adopted.credentials.client_secret is None
    with pytest.raises(mistakes.NotFound):
        await registrar.adopt("0oaNobody")


@pytest.mark.case("C293")
async def test_an_id_that_is_told_never_leads_out_of_the_clients(there: Okta, registrar: Registrar) -> None:
    for client_id in ("../../../api/v1/users", "a/../../b", "x?y", "x#y", "%2e%2e", "a b"):
        with pytest.raises(mistakes.NotFound):
            await registrar.adopt(client_id)
    for client_id in ("..", ".", "", "é", "a\r\nb"):
        with pytest.raises(mistakes.Invalid):
            await registrar.adopt(client_id)
    assert all(line.startswith("GET /oauth2/v1/clients/") for line in there.asked)


async def test_what_the_configuration_switches_off_is_not_done(there: Okta) -> None:
    registration = like("okta", authorization=AUTHORIZATION, update=False, delete=False)
    async with registering(provider_at(there.registration), registration) as registrar:
        registered = await registrar.register(MACHINE, "id-7")
        can = registrar.capabilities_of(registered)
        assert (can.read, can.update, can.delete, can.rotate) == (True, False, False, False)
        assert can.why == "The configuration of registration says update: false and delete: false."
        for change in (
            registrar.update(registered, MACHINE),
            registrar.rotate(registered, MACHINE),
            registrar.delete(registered),
        ):
            with pytest.raises(mistakes.Conflict) as refused:
                await change
            assert refused.value.code == "not_manageable"
    assert len(there.applications) == 1
