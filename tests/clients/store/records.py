"""Clients, agreements and people for tests of the store."""

from typing import Any

from pydantic import SecretStr

from gateway.clients.client import Agreement, Client, ClientState, Credentials, Metadata, Person, Registered
from gateway.clients.life import State
from gateway.clients.store import Session
from gateway.clients.store.sealing import new_key
from gateway.clients.store.store import Store
from tests.fakes import NOON

KEY = SecretStr(new_key())
ANNA = Person(provider="main", subject="anna", name="Anna", email="anna@example.com")
BEN = Person(provider="main", subject="ben")
SECRET = "the-secret-of-the-client"
ACCESS_TOKEN = "the-registration-access-token"


def client(id_: str = "c1", name: str | None = None, **facts: Any) -> Client:
    """A registered client of Anna's."""
    usual = {
        "provider": "main",
        "client_id": f"{id_}-at-provider",
        "state": ClientState.REGISTERED,
        "metadata": Metadata(client_name=name or f"Shop {id_}"),
        "owner": ANNA,
        "created_at": NOON,
        "updated_at": NOON,
    }
    return Client(id=id_, **{**usual, **facts})


def agreement(id_: str = "a1", client: str = "c1", **facts: Any) -> Agreement:
    """A contract in force for the orders."""
    usual = {"api": "orders", "state": State.ACTIVE, "tier": "gold", "asked_at": NOON}
    return Agreement(id=id_, client=client, **{**usual, **facts})


def registered(client_id: str = "c1-at-provider", **facts: Any) -> Registered:
    """What a provider said."""
    usual = {
        "reply": {"client_id": client_id, "client_secret": SECRET, "x_vendor": {"kept": [1, 2.5, None]}},
        "credentials": Credentials(client_id=client_id, client_secret=SecretStr(SECRET), expires_at=NOON + 60),
        "registration_client_uri": f"https://id.example.com/register/{client_id}",
        "registration_access_token": SecretStr(ACCESS_TOKEN),
    }
    return Registered(**{**usual, **facts})


def session(digest: bytes = b"d" * 32, **facts: Any) -> Session:
    """Anna's browser."""
    usual = {"contents": b"what a session holds", "provider": "main", "subject": "anna", "expires_at": NOON + 3600}
    return Session(digest=digest, **{**usual, **facts})


async def keep(store: Store, *things: Client | Agreement) -> None:
    """Write these in one transaction."""
    async with store.begin() as transaction:
        for thing in things:
            if isinstance(thing, Client):
                await transaction.add_client(thing)
            else:
                await transaction.add_agreement(thing)
