"""Random sequences of operations: the store against a model in memory."""

import asyncio
import shutil
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from gateway.clients import ClientKey, Contract
from gateway.clients.client import Agreement, Client, ClientState, Metadata, Person
from gateway.clients.life import State
from gateway.clients.mistakes import Conflict, NotFound
from gateway.clients.store.opening import open_store, upgrade
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.store import Store
from gateway.clients.store.transaction import Transaction
from tests.clients.postgresql import PostgreSQL
from tests.clients.store.records import ANNA, BEN, KEY
from tests.fakes import NOON, FakeClock

# Few of each, so that they meet.
IDS = st.sampled_from(["c1", "c2", "c3"])
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
CLIENTS = st.builds(
    Client,
    id=IDS,
    provider=st.sampled_from(["main", "other"]),
    client_id=st.sampled_from([None, "x", "y"]),
    state=st.sampled_from([*ClientState, ClientState.REGISTERED]),
    metadata=st.builds(Metadata, client_name=st.sampled_from(["Shop", "SHOP", "Ⅳ", "iv"]), description=TEXTS),
    owner=st.sampled_from([None, ANNA, ANNA, BEN]),
    manageable=st.booleans(),
    secret_expires_at=st.none() | TIMES,
)
AGREEMENTS = st.builds(
    Agreement,
    id=st.sampled_from(["a1", "a2", "a3"]),
    client=IDS,
    api=st.sampled_from(["orders", "payments"]),
    state=st.sampled_from([*State, State.ACTIVE]),
    tier=st.sampled_from([None, "gold"]),
    asked_at=st.sampled_from([NOON, NOON + 1]),
)


class Undone(Exception):
    """Ends a transaction."""


@dataclass
class Model:
    """What the store should be like."""

    clients: dict[str, Client] = field(default_factory=dict)
    agreements: dict[str, Agreement] = field(default_factory=dict)
    changes: dict[ClientKey, int] = field(default_factory=dict)
    verbs: list[str] = field(default_factory=list)
    number: int = 0

    def copy(self) -> "Model":
        """Its own from now on."""
        return Model(dict(self.clients), dict(self.agreements), dict(self.changes), list(self.verbs), self.number)

    def check_client(self, client: Client) -> None:
        """Raises what the store raises."""
        for other in self.clients.values():
            if other.id == client.id:
                continue
            if client.client_id is not None and key(other) == key(client):
                raise Conflict("key", "exists_already")
        for other in self.clients.values():
            alive = ClientState.DELETED not in (other.state, client.state)
            if other.id != client.id and alive and client.owner is not None and named(other) == named(client):
                raise Conflict("name", "name_taken")

    def check_agreement(self, agreement: Agreement) -> None:
        """Raises what the store raises."""
        for other in self.agreements.values():
            same = (other.client, other.api) == (agreement.client, agreement.api) and other.id != agreement.id
            if same and State.REFUSED not in (other.state, agreement.state):
                raise Conflict("twice", "exists_already")

    @property
    def in_force(self) -> set[Contract]:
        """The contracts in force."""
        pairs = ((each, self.clients[each.client]) for each in self.agreements.values())
        return {
            Contract(provider=client.provider, client_id=client.client_id, api=each.api, tier=each.tier)
            for each, client in pairs
            if each.state is State.ACTIVE and client.state is ClientState.REGISTERED and client.client_id is not None
        }

    @property
    def blocked(self) -> set[ClientKey]:
        """The clients that were deleted."""
        found = (client for client in self.clients.values() if client.state is ClientState.DELETED)
        return {(client.provider, client.client_id) for client in found if client.client_id is not None}


def key(client: Client) -> tuple[str, str | None]:
    return client.provider, client.client_id


def named(client: Client) -> tuple[Person | None, str]:
    return client.owner, searched(client)


def searched(client: Client) -> str:
    return unicodedata.normalize("NFKC", client.metadata.client_name).casefold().strip()


@dataclass(frozen=True)
class AddClient:
    client: Client

    async def do(self, transaction: Transaction) -> None:
        await transaction.add_client(self.client)

    def suppose(self, model: Model) -> None:
        if self.client.id in model.clients:
            raise Conflict("id", "exists_already")
        model.check_client(self.client)
        model.clients[self.client.id] = self.client


@dataclass(frozen=True)
class SaveClient:
    client: Client
    before: ClientState | None

    async def do(self, transaction: Transaction) -> None:
        await transaction.save_client(self.client, self.before)

    def suppose(self, model: Model) -> None:
        model.check_client(self.client)
        found = model.clients.get(self.client.id)
        if found is None:
            raise NotFound("application")
        if self.before is not None and found.state is not self.before:
            raise Conflict("state", "changed_meanwhile")
        model.clients[self.client.id] = self.client


@dataclass(frozen=True)
class AddAgreement:
    agreement: Agreement

    async def do(self, transaction: Transaction) -> None:
        await transaction.add_agreement(self.agreement)

    def suppose(self, model: Model) -> None:
        if self.agreement.client not in model.clients:
            raise NotFound("application")
        if self.agreement.id in model.agreements:
            raise Conflict("id", "exists_already")
        model.check_agreement(self.agreement)
        model.agreements[self.agreement.id] = self.agreement


@dataclass(frozen=True)
class SaveAgreement:
    agreement: Agreement
    before: State

    async def do(self, transaction: Transaction) -> None:
        found = await transaction.agreement(self.agreement.id)
        await transaction.save_agreement(self.kept(found), self.before)

    def suppose(self, model: Model) -> None:
        found = model.agreements.get(self.agreement.id)
        model.check_agreement(self.kept(found))
        if found is None:
            raise NotFound("contract")
        if found.state is not self.before:
            raise Conflict("state", "changed_meanwhile")
        model.agreements[self.agreement.id] = self.kept(found)

    def kept(self, found: Agreement | None) -> Agreement:
        """An agreement never gets another client or API."""
        return self.agreement if found is None else replace(self.agreement, client=found.client, api=found.api)


@dataclass(frozen=True)
class Change:
    client: ClientKey

    async def do(self, transaction: Transaction) -> None:
        await transaction.changed(self.client)

    def suppose(self, model: Model) -> None:
        model.number += 1
        model.changes[self.client] = model.number


@dataclass(frozen=True)
class Note:
    verb: str

    async def do(self, transaction: Transaction) -> None:
        await transaction.note("operator", self.verb)

    def suppose(self, model: Model) -> None:
        model.verbs.append(self.verb)


@dataclass(frozen=True)
class Undo:
    async def do(self, transaction: Transaction) -> None:
        raise Undone

    def suppose(self, model: Model) -> None:
        raise Undone


Step: TypeAlias = AddClient | SaveClient | AddAgreement | SaveAgreement | Change | Note | Undo
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.builds(AddClient, CLIENTS),
    st.builds(SaveClient, CLIENTS, st.none() | st.sampled_from(ClientState)),
    st.builds(AddAgreement, AGREEMENTS),
    st.builds(SaveAgreement, AGREEMENTS, st.sampled_from(State)),
    st.builds(Change, st.tuples(st.sampled_from(["main", "other"]), st.sampled_from(["x", "y"]))),
    st.builds(Note, TEXTS),
    st.just(Undo()),
)
TRANSACTIONS = st.lists(st.lists(STEPS, min_size=1, max_size=2), min_size=10, max_size=30)


def supposed(model: Model, steps: list[Step]) -> tuple[Model, str]:
    """The model after a transaction, and how that ends."""
    after = model.copy()
    try:
        for step in steps:
            step.suppose(after)
    except (Conflict, NotFound, Undone) as error:
        return model, outcome(error)
    return after, "done"


async def done(store: Store, steps: list[Step]) -> str:
    """How a transaction of the store ends."""
    try:
        async with store.begin() as transaction:
            for step in steps:
                await step.do(transaction)
    except (Conflict, NotFound, Undone) as error:
        return outcome(error)
    return "done"


def outcome(error: Exception) -> str:
    return error.code if isinstance(error, Conflict | NotFound) else "undone"


async def compare(store: Store, model: Model) -> None:
    """The store and the model tell the same, whatever they are asked."""
    for id_ in ("c1", "c2", "c3"):
        assert await store.client(id_) == model.clients.get(id_)
    by_name = sorted(model.clients.values(), key=lambda client: (searched(client).encode(), client.id))
    assert [client.id for client in await all_clients(store)] == [client.id for client in by_name]
    newest = sorted(model.agreements.values(), key=lambda each: (each.asked_at, each.id), reverse=True)
    assert list((await store.agreements()).items) == newest
    for owner in (ANNA, BEN):
        assert {client.id for client in (await store.clients(owner=owner)).items} == {
            client.id for client in model.clients.values() if client.owner == owner
        }
    found = await store.in_force()
    assert (set(found.contracts), set(found.blocked)) == (model.in_force, model.blocked)
    assert len(found.contracts) == len(model.in_force)
    for number in range(model.number + 1):
        later = {client for client, last in model.changes.items() if last > number}
        assert await store.changes_after(number) == (later, model.number)
    assert [entry.verb for entry in (await store.audit()).items][::-1] == model.verbs[-100:]
    assert await store.verify_audit() is None


async def all_clients(store: Store) -> list[Client]:
    """Page by page."""
    found: list[Client] = []
    after: str | int | None = ""
    while after is not None:
        page = await store.clients(after=str(after), limit=1)
        found += page.items
        after = page.next
    return found


async def follow(options: StoreOptions, transactions: list[list[Step]]) -> None:
    """Do all of it with the store and with the model."""
    model = Model()
    async with open_store(options, FakeClock()) as store:
        for steps in transactions:
            model, ends = supposed(model, steps)
            assert await done(store, steps) == ends
        await compare(store, model)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    file = tmp_path_factory.mktemp("model") / "empty.db"
    asyncio.run(upgrade(StoreOptions(url=SecretStr(f"sqlite:///{file}"), encryption_keys=(KEY,))))
    return file


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TRANSACTIONS)
def test_the_store_does_as_a_model_in_sqlite(empty: Path, transactions: list[list[Step]]) -> None:
    file = empty.with_name("store.db")
    for companion in empty.parent.glob("store.db*"):
        companion.unlink()
    shutil.copy(empty, file)
    asyncio.run(follow(StoreOptions(url=SecretStr(f"sqlite:///{file}"), encryption_keys=(KEY,)), transactions))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(TRANSACTIONS)
def test_the_store_does_as_a_model_in_postgresql(postgresql: PostgreSQL, transactions: list[list[Step]]) -> None:
    async def run() -> None:
        url = SecretStr(await postgresql.database())
        await follow(StoreOptions(url=url, encryption_keys=(KEY,)), transactions)

    asyncio.run(run())
