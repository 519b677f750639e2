"""Applications: registered, adopted, edited, shown, rotated, deleted."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.clients import Directory
from gateway.clients.admitting import metadata_of
from gateway.clients.client import OPERATOR, Client, ClientState, Credentials, Metadata, Registered
from gateway.clients.life import State
from gateway.clients.mistakes import Conflict, Invalid, NotAllowed, NotFound, Refusal
from gateway.clients.registration.registrar import open_registrar
from gateway.clients.registry import Registry
from gateway.clients_api.views import client_view
from gateway.fetch import open_fetch
from gateway.providers.registration import Registration
from tests.clients.registry.opened import ADA, OWNER, SHOP, Opened
from tests.clients.registry.strict import Strict, strict_provider
from tests.fakes import FakeClock

WITH_A_PAGE = replace(SHOP, client_uri="https://shop.example.com/")


@pytest.fixture
async def strict(clock: FakeClock, here: Opened) -> AsyncIterator[tuple[Strict, Registry]]:
    async with strict_provider(clock) as (server, registrar):
        registry = here.again(registrars={"idp": registrar})
        yield server, registry
        await registry.close()


async def _mine(registry: Registry, metadata: Metadata = SHOP) -> Client:
    agreement = await registry.ask(metadata, api="profile", accepted_terms=True, by=ADA)
    assert agreement.state is State.ACTIVE
    return await registry.client(agreement.client, by=ADA)


@pytest.mark.case("C296")
async def test_credentials_are_shown_once(here: Opened) -> None:
    client = await _mine(here.registry)
    shown = await here.registry.reveal(client.id, by=ADA)
    assert shown.client_secret is not None
    assert shown.client_secret.get_secret_value() == here.idp.clients[shown.client_id].client_secret
    with pytest.raises(Conflict) as refusal:
        await here.registry.reveal(client.id, by=ADA)
    assert refusal.value.code == "shown_already"


@pytest.mark.case("C296")
async def test_credentials_are_shown_once_however_many_ask_at_once(here: Opened) -> None:
    client = await _mine(here.registry)
    another = here.again()
    asking = [registry.reveal(client.id, by=ADA) for registry in (here.registry, another) for _ in range(3)]
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    await another.close()


async def test_whoever_decides_about_requests_sees_nobody_elses_secret(strict: tuple[Strict, Registry]) -> None:
    server, registry = strict
    client = await _mine(registry)
    secret = server.clients[str(client.client_id)]["client_secret"]
    for attempt in (registry.reveal, registry.rotate):
        with pytest.raises(NotAllowed):
            await attempt(client.id, by=OWNER)
    assert server.clients[str(client.client_id)]["client_secret"] == secret
    assert not (await registry.client(client.id, by=ADA)).revealed


async def test_an_operator_hands_secrets_on(strict: tuple[Strict, Registry]) -> None:
    _, registry = strict
    client = await _mine(registry)
    before = await registry.reveal(client.id, by=OPERATOR)
    assert (await registry.rotate(client.id, by=OPERATOR)).client_secret != before.client_secret


async def test_the_secret_of_nobodys_application_is_for_operators(here: Opened) -> None:
    client, _ = await here.registry.register(SHOP, "idp", by=OPERATOR)
    with pytest.raises(NotAllowed):
        await here.registry.rotate(client.id, by=OWNER)


async def test_a_draft_has_no_credentials(here: Opened) -> None:
    asked = await here.registry.ask(SHOP, api="orders", tier="gold", accepted_terms=True, by=ADA)
    with pytest.raises(Conflict) as refusal:
        await here.registry.reveal(asked.client, by=ADA)
    assert refusal.value.code == "not_registered"


async def test_a_new_secret_is_shown_by_the_rotation_alone(strict: tuple[Strict, Registry]) -> None:
    server, registry = strict
    client = await _mine(registry)
    before = await registry.reveal(client.id, by=ADA)
    after = await registry.rotate(client.id, by=ADA)
    assert after.client_secret is not None
    assert after.client_secret != before.client_secret
    assert after.client_secret.get_secret_value() == server.clients[after.client_id]["client_secret"]
    with pytest.raises(Conflict):
        await registry.reveal(client.id, by=ADA)


async def test_a_provider_that_keeps_the_secret_says_so_and_loses_nothing(
    here: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    client = await _mine(here.registry)
    with pytest.raises(Conflict) as refusal:
        await here.registry.rotate(client.id, by=ADA)
    assert refusal.value.code == "cannot_rotate"
    # An answer that has its sentence for whoever asked is no failure of ours.
    assert [record for record in caplog.records if record.exc_info] == []
    await here.registry.edit(client.id, WITH_A_PAGE, by=ADA)


async def test_an_edit_reaches_the_provider(here: Opened) -> None:
    client = await _mine(here.registry)
    edited = await here.registry.edit(client.id, WITH_A_PAGE, by=ADA)
    assert edited.metadata.client_uri == "https://shop.example.com/"
    assert here.idp.clients[str(client.client_id)].metadata.client_uri == "https://shop.example.com/"


async def test_an_edit_of_what_the_provider_never_sees_does_not_ask_it(strict: tuple[Strict, Registry]) -> None:
    server, registry = strict
    client = await _mine(registry)
    issued = len(server.issued)
    edited = await registry.edit(client.id, replace(client.metadata, description="We sell."), by=ADA)
    assert (edited.metadata.description, len(server.issued)) == ("We sell.", issued)


async def test_an_edit_after_which_there_is_another_secret_has_something_to_show(
    strict: tuple[Strict, Registry],
) -> None:
    server, registry = strict
    client = await _mine(registry)
    await registry.reveal(client.id, by=ADA)
    edited = await registry.edit(client.id, WITH_A_PAGE, by=ADA)
    assert not edited.revealed
    shown = await registry.reveal(client.id, by=ADA)
    assert shown.client_secret is not None
    assert shown.client_secret.get_secret_value() == server.clients[shown.client_id]["client_secret"]


async def test_many_edits_at_once_lose_no_registration_access_token(strict: tuple[Strict, Registry]) -> None:
    server, registry = strict
    client = await _mine(registry)
    pages = [replace(SHOP, client_uri=f"https://shop.example.com/{number}") for number in range(8)]
    await asyncio.gather(*(registry.edit(client.id, page, by=ADA) for page in pages))
    await registry.delete(client.id, by=ADA)
    assert server.clients == {}


async def test_of_two_processes_one_at_a_time_edits_an_application(
    strict: tuple[Strict, Registry], here: Opened, clock: FakeClock
) -> None:
    server, registry = strict
    client = await _mine(registry)
    async with open_registrar(server.provider, Registration(), open_fetch, clock) as registrar:
        another = here.again(registrars={"idp": registrar})
        pages = [replace(SHOP, client_uri=f"https://shop.example.com/{number}") for number in range(8)]
        editing = [each.edit(client.id, page, by=ADA) for page in pages for each in (registry, another)]
        outcomes = await asyncio.gather(*editing, return_exceptions=True)
        await another.close()
    refusals = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {refusal.code for refusal in refusals if isinstance(refusal, Conflict)} <= {"busy"}
    assert all(isinstance(refusal, Conflict) for refusal in refusals)
    await registry.delete(client.id, by=ADA)
    assert server.clients == {}


@pytest.mark.case("C294")
@pytest.mark.parametrize(
    "wish",
    [
        replace(SHOP, scopes=("admin",)),
        replace(SHOP, grant_types=("password",)),
        replace(SHOP, token_endpoint_auth_method="private_key_jwt"),
        replace(SHOP, redirect_uris=("javascript:alert(1)",)),
        replace(SHOP, grant_types=("client_credentials",), token_endpoint_auth_method="none"),
    ],
)
async def test_an_edit_gets_nobody_more_than_a_request(here: Opened, wish: Metadata) -> None:
    client = await _mine(here.registry)
    with pytest.raises(Invalid):
        await here.registry.edit(client.id, wish, by=ADA)
    assert (await here.registry.client(client.id, by=ADA)).metadata == client.metadata


async def test_a_deleted_application_counts_no_more_here_and_is_gone_there(here: Opened) -> None:
    client = await _mine(here.registry)
    deleted = await here.registry.delete(client.id, by=ADA, reason="Closed.")
    assert (deleted.state, deleted.manageable) == (ClientState.DELETED, False)
    assert here.contract(client, "profile") is None
    assert Directory(register=here.register).is_blocked("idp", str(client.client_id))
    assert here.at_provider() == set()
    kept = await here.store.registered(client.id)
    assert kept is not None
    assert (kept.reply, kept.credentials.client_secret) == ({}, None)
    (contract,) = (await here.registry.agreements(client=client.id, by=ADA)).items
    assert contract.state is State.REVOKED


async def test_deleting_what_is_deleted_changes_nothing(here: Opened) -> None:
    client = await _mine(here.registry)
    await here.registry.delete(client.id, by=ADA)
    before = await here.verbs()
    await here.registry.delete(client.id, by=ADA)
    assert await here.verbs() == before


async def test_only_who_decides_registers_and_adopts(here: Opened) -> None:
    with pytest.raises(NotAllowed):
        await here.registry.register(SHOP, "idp", by=ADA)
    with pytest.raises(NotAllowed):
        await here.registry.adopt("idp", "gateway", by=ADA)
    with pytest.raises(NotAllowed):
        await here.registry.reconcile(by=ADA)


async def test_an_operator_registers_at_once_with_contracts(here: Opened) -> None:
    client, shown = await here.registry.register(SHOP, "idp", by=OPERATOR, owner=ADA.person, apis=[("orders", "gold")])
    assert (client.state, client.client_id, client.revealed) == (ClientState.REGISTERED, shown.client_id, True)
    contract = here.contract(client, "orders")
    assert contract is not None
    assert contract.tier == "gold"
    assert (await here.registry.client(client.id, by=ADA)).id == client.id


async def test_an_operator_gives_two_applications_two_names(here: Opened) -> None:
    await here.registry.register(SHOP, "idp", by=OPERATOR)
    with pytest.raises(Conflict) as refusal:
        await here.registry.register(SHOP, "idp", by=OPERATOR)
    assert refusal.value.code == "name_taken"
    assert len(here.at_provider()) == 1


async def test_a_client_that_is_kept_or_was_deleted_here_is_not_adopted(here: Opened) -> None:
    client = await _mine(here.registry)
    for _ in range(2):
        with pytest.raises(Conflict) as refusal:
            await here.registry.adopt("idp", str(client.client_id), by=OPERATOR)
        assert refusal.value.code == "exists_already"
        await here.registry.delete(client.id, by=ADA)


async def test_an_adopted_client_is_managed_as_any_other(here: Opened) -> None:
    (registered,) = [await registrar.register(WITH_A_PAGE, "not-ours") for registrar in here.registrars.values()]
    assert registered.registration_access_token is not None
    adopted = await here.registry.adopt(
        "idp",
        registered.credentials.client_id,
        by=OPERATOR,
        owner=ADA.person,
        registration_client_uri=registered.registration_client_uri,
        registration_access_token=registered.registration_access_token.get_secret_value(),
    )
    assert (adopted.metadata.client_name, adopted.metadata.client_uri) == ("Shop", "https://shop.example.com/")
    assert adopted.manageable
    await here.registry.delete(adopted.id, by=ADA)
    assert here.at_provider() == set()


async def test_a_client_that_only_its_id_is_known_of_gets_contracts_and_no_more(here: Opened) -> None:
    here.idp.add_client("legacy", "legacy-secret")
    adopted = await here.registry.adopt("idp", "legacy", by=OPERATOR, owner=ADA.person)
    assert not adopted.manageable
    await here.registry.ask(adopted.id, api="profile", accepted_terms=True, by=ADA)
    assert here.contract(adopted, "profile") is not None
    with pytest.raises(Conflict) as refusal:
        await here.registry.edit(adopted.id, WITH_A_PAGE, by=OPERATOR)
    assert refusal.value.code == "not_manageable"


async def test_a_client_of_a_provider_that_registers_none_gets_contracts_and_is_blocked_when_it_is_deleted(
    here: Opened,
) -> None:
    adopted = await here.registry.adopt("another", "app-7", by=OPERATOR, owner=ADA.person)
    assert not adopted.manageable
    asked = await here.registry.ask(adopted.id, api="elsewhere", accepted_terms=True, by=ADA)
    await here.registry.approve(asked.id, by=OWNER)
    assert Directory(register=here.register).contract("another", "app-7", "elsewhere") is not None
    with pytest.raises(Conflict) as refusal:
        await here.registry.rotate(adopted.id, by=ADA)
    assert refusal.value.code == "not_manageable"
    assert await here.registry.reconcile(by=OPERATOR, repair=True) == ()
    await here.registry.delete(adopted.id, by=ADA)
    assert Directory(register=here.register).is_blocked("another", "app-7")


async def test_a_client_of_a_provider_that_has_no_api_here_is_not_adopted(here: Opened) -> None:
    with pytest.raises(NotFound):
        await here.registry.adopt("nobody", "app-7", by=OPERATOR)
    with pytest.raises(Invalid):
        await here.registry.adopt(
            "another",
            "app-7",
            by=OPERATOR,
            registration_client_uri="https://idp.example/register/app-7",
            registration_access_token="rat",
        )


@pytest.mark.parametrize("said", [{}, {"grant_types": ["authorization_code"]}], ids=["nothing", "a grant alone"])
async def test_an_adopted_client_without_redirect_uris_gets_a_new_secret(
    strict: tuple[Strict, Registry], said: dict[str, object]
) -> None:
    server, registry = strict
    server.clients["legacy"] = {"client_id": "legacy", "registration_access_token": "rat", **said}
    adopted = await registry.adopt(
        "idp",
        "legacy",
        by=OPERATOR,
        registration_client_uri=f"{server.url}/register/legacy",
        registration_access_token="rat",
    )
    rotated = await registry.rotate(adopted.id, by=OPERATOR)
    assert rotated.client_secret is not None
    assert rotated.client_secret.get_secret_value() == server.clients["legacy"]["client_secret"]


async def test_what_the_provider_does_not_take_leaves_nothing_but_its_trace(
    strict: tuple[Strict, Registry], here: Opened
) -> None:
    server, registry = strict
    server.refuses = "No."
    with pytest.raises(Invalid):
        await registry.ask(SHOP, api="profile", accepted_terms=True, by=ADA)
    server.refuses = ""
    client = await _mine(registry)
    assert set(server.clients) == {client.client_id}
    assert "client.registration_failed" in await here.verbs()


@pytest.mark.case("C296")
async def test_no_secret_is_in_a_log_a_repr_an_exception_the_audit_log_or_a_notice(
    strict: tuple[Strict, Registry], here: Opened, caplog: pytest.LogCaptureFixture, tmp_path: object
) -> None:
    caplog.set_level(logging.DEBUG)
    server, registry = strict
    told: list[object] = []
    client = await _mine(registry)
    told += [await registry.reveal(client.id, by=ADA), await registry.rotate(client.id, by=ADA)]
    told += [await registry.edit(client.id, WITH_A_PAGE, by=ADA), await registry.reconcile(by=OPERATOR, repair=True)]
    server.clients[str(client.client_id)]["registration_access_token"] = "another"
    for failing in (
        registry.rotate(client.id, by=ADA),
        registry.edit(client.id, SHOP, by=ADA),
        registry.reveal("nothing", by=ADA),
    ):
        with pytest.raises(Refusal) as refusal:
            await failing
        told += [refusal.value, refusal.value.__cause__, refusal.value.__context__]
    told += [registry, vars(registry), *(await registry.audit(by=OWNER)).items, *here.notices]
    told += [*(await registry.clients(by=OWNER)).items, *(await registry.agreements(by=OWNER)).items]
    written = caplog.text + "".join(f"{thing!r} {thing}" for thing in told)
    assert len(server.issued) > 4
    assert not [secret for secret in server.issued if secret[:12] in written or secret[-12:] in written]


@pytest.mark.case("C301")
def test_what_a_provider_says_of_an_adopted_client_can_be_shown_and_kept() -> None:
    odd = "Shop\x1b[31m\u202e\ud800\0" + "x" * 5_000
    said: dict[str, object] = {
        "client_name": odd,
        "client_uri": odd,
        "redirect_uris": [odd] * 5_000,
        "scope": odd,
        "contacts": odd,
    }
    credentials = Credentials(client_id="legacy", client_secret=None)
    registered = Registered(
        reply=said, credentials=credentials, registration_client_uri=None, registration_access_token=None
    )
    metadata = metadata_of(registered)
    adopted = Client(
        id="c", provider="idp", client_id="legacy", state=ClientState.REGISTERED, metadata=metadata, owner=None
    )
    assert metadata.client_name.startswith("Shop [31m xxx")
    assert len(client_view(adopted).model_dump_json()) < 300_000
    assert not set("\x1b\u202e\ud800\0") & set("".join((metadata.client_name, *metadata.redirect_uris)))
    nameless = replace(registered, reply={"client_name": "\u202e"})
    assert metadata_of(nameless).client_name == "legacy"
