from dataclasses import replace

import pytest

from gateway.clients.client import Client, ClientState, Metadata, Person
from gateway.clients.mistakes import Conflict, Invalid, NotFound
from gateway.clients.store.store import Store
from tests.clients.store.direct import Direct
from tests.clients.store.records import ACCESS_TOKEN, ANNA, BEN, SECRET, client, keep, registered
from tests.fakes import NOON

EVERYTHING = client(
    "full",
    metadata=Metadata(
        client_name="Größe 👩\u200d🚀",
        description="line\nline",
        client_uri="https://shop.example.com",
        redirect_uris=("https://shop.example.com/back", "http://127.0.0.1/back"),
        grant_types=("authorization_code", "refresh_token"),
        token_endpoint_auth_method="none",
        scopes=("read", "write"),
        contacts=("a@example.com",),
    ),
    manageable=True,
    revealed=True,
    secret_expires_at=NOON + 0.125,
)


@pytest.mark.parametrize("kept", [EVERYTHING, client(owner=None), client(client_id=None, state=ClientState.DRAFT)])
async def test_a_client_comes_back_as_it_was_kept(store: Store, kept: Client) -> None:
    await keep(store, kept)
    assert await store.client(kept.id) == kept


async def test_a_client_is_found_by_what_its_provider_calls_it(store: Store) -> None:
    await keep(store, client(), client("c2", provider="other", client_id="c1-at-provider"))
    assert await store.client_at("main", "c1-at-provider") == client()
    assert await store.client_at("main", "c2-at-provider") is None


async def test_what_nobody_kept_is_not_there(store: Store) -> None:
    assert await store.client("nobody") is None
    assert await store.agreement("nobody") is None
    assert await store.registered("nobody") is None
    assert (await store.clients()).items == ()


@pytest.mark.parametrize(
    "second", [client("c2", client_id="c1-at-provider"), client("c1", "Other name", client_id="another")]
)
async def test_a_client_of_a_provider_is_kept_once(store: Store, second: Client) -> None:
    await keep(store, client())
    with pytest.raises(Conflict) as caught:
        await keep(store, second)
    assert caught.value.code == "exists_already"


async def test_two_providers_may_call_two_clients_alike(store: Store) -> None:
    await keep(store, client(), client("c2", provider="other", client_id="c1-at-provider"))
    assert len((await store.clients()).items) == 2


async def test_a_person_tells_its_applications_apart_by_their_names(store: Store) -> None:
    await keep(store, client("c1", "My Shop"))
    with pytest.raises(Conflict) as caught:
        await keep(store, client("c2", "MY shop "))
    assert caught.value.code == "name_taken"
    await keep(store, client("c3", "My Shop", owner=BEN), client("c4", "My Shop", owner=None))
    await keep(store, client("c5", "My Shop", owner=None))


async def test_the_name_of_a_deleted_application_is_free(store: Store) -> None:
    await keep(store, client("c1", "My Shop", state=ClientState.DELETED))
    await keep(store, client("c2", "My Shop"))
    await keep(store, client("c3", "My Shop", state=ClientState.DELETED))
    assert len((await store.clients(owner=ANNA)).items) == 3


async def test_a_name_cannot_be_changed_to_one_that_is_taken(store: Store) -> None:
    await keep(store, client("c1", "One"), client("c2", "Two"))
    with pytest.raises(Conflict, match="name"):
        async with store.begin() as transaction:
            await transaction.save_client(client("c2", "one"))
    assert await store.client("c2") == client("c2", "Two")


async def test_a_client_is_saved_only_in_the_state_that_is_supposed(store: Store) -> None:
    draft = client(client_id=None, state=ClientState.DRAFT)
    await keep(store, draft)
    registering = replace(draft, state=ClientState.REGISTERING)
    async with store.begin() as transaction:
        await transaction.save_client(registering, before=ClientState.DRAFT)
    with pytest.raises(Conflict) as caught:
        async with store.begin() as transaction:
            await transaction.save_client(registering, before=ClientState.DRAFT)
    assert caught.value.code == "changed_meanwhile"


async def test_a_client_that_is_not_there_is_not_saved(store: Store) -> None:
    with pytest.raises(NotFound):
        async with store.begin() as transaction:
            await transaction.save_client(client())
    with pytest.raises(NotFound):
        async with store.begin() as transaction:
            await transaction.keep_registered("c1", registered())


async def test_what_is_refused_can_be_followed_by_something_else_in_the_same_transaction(store: Store) -> None:
    await keep(store, client())
    async with store.begin() as transaction:
        with pytest.raises(Conflict):
            await transaction.add_client(client("c2", client_id="c1-at-provider"))
        await transaction.add_client(client("c3"))
    assert await store.client("c3") == client("c3")


async def test_nothing_is_kept_of_a_transaction_that_fails(store: Store) -> None:
    async def fail() -> None:
        async with store.begin() as transaction:
            await transaction.add_client(client())
            await transaction.note("operator", "client.registered")
            await transaction.changed(("main", "c1-at-provider"))
            raise RuntimeError("the provider did not answer")

    with pytest.raises(RuntimeError):
        await fail()
    assert await store.client("c1") is None
    assert (await store.audit()).items == ()
    assert await store.changes_after(0) == (set(), 0)


async def test_deleted_clients_do_not_count(store: Store) -> None:
    await keep(store, client("c1"), client("c2"), client("c3", state=ClientState.DELETED), client("c4", owner=BEN))
    renamed = Person(provider="main", subject="anna", name="Anna Other")
    async with store.begin() as transaction:
        assert await transaction.clients_of(renamed) == 2


async def test_a_transaction_sees_what_it_wrote(store: Store) -> None:
    async with store.begin() as transaction:
        await transaction.add_client(client())
        assert await transaction.client("c1") == client()
        assert await transaction.agreement("a1") is None


async def test_the_whole_reply_of_a_provider_comes_back(store: Store) -> None:
    await keep(store, client())
    async with store.begin() as transaction:
        await transaction.keep_registered("c1", registered())
    assert await store.registered("c1") == registered()
    bare = registered(registration_access_token=None, registration_client_uri=None)
    async with store.begin() as transaction:
        await transaction.keep_registered("c1", bare)
    assert await store.registered("c1") == bare


@pytest.mark.case("C296")
async def test_no_secret_shows_where_it_is_not_asked_for(store: Store) -> None:
    await keep(store, client())
    async with store.begin() as transaction:
        await transaction.keep_registered("c1", registered())
    shown = repr([await store.clients(), await store.audit(), await store.registered("c1"), store.options])
    assert SECRET not in shown
    assert ACCESS_TOKEN not in shown


@pytest.mark.parametrize("odd", ["half \ud800", "nul \0", "x" * 513])
async def test_an_id_that_no_database_keeps_is_refused_in_words(store: Store, odd: str) -> None:
    with pytest.raises(Invalid) as caught:
        await keep(store, client(client_id=odd))
    assert caught.value.code == "invalid_text"
    with pytest.raises(Invalid):
        await store.client(odd)


async def test_metadata_may_hold_any_character(store: Store) -> None:
    odd = client(metadata=Metadata(client_name="x" * 5000, description="nul \0, half \ud800"))
    await keep(store, odd)
    assert await store.client("c1") == odd


async def test_metadata_that_a_later_release_wrote_is_read_without_what_is_new(store: Store, direct: Direct) -> None:
    await keep(store, client())
    later = '{"client_name": "Shop c1", "invented": [1], "scopes": ["read"]}'
    await direct.run(f"UPDATE clients SET metadata = '{later}'")
    found = await store.client("c1")
    assert found is not None
    assert found.metadata == Metadata(client_name="Shop c1", scopes=("read",))
