"""A registry over a real store and a real registration server, and the people around it."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from gateway.clients import ClientKey, Contract, Directory, Register
from gateway.clients.catalogue import Api, Catalogue, Tier
from gateway.clients.client import Actor, Client, Metadata, Person
from gateway.clients.feed import Feed
from gateway.clients.notices import Notice
from gateway.clients.options import Reconciling, RegistryOptions
from gateway.clients.registration.registrar import Registrar, open_registrar
from gateway.clients.registry import Registry
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import new_key
from gateway.clients.store.store import Store
from gateway.demo.identity_provider import DemoProvider
from gateway.fetch import open_fetch
from gateway.providers import Endpoints, Provider
from gateway.providers.registration import Registration
from gateway.services import OpenFetch
from tests.fakes import FakeClock, FakeMetrics

ADA = Actor(person=Person(provider="idp", subject="ada", name="Ada", email="ada@example.com"))
BOB = Actor(person=Person(provider="idp", subject="bob", name="Bob", email="bob@example.com"))
OWNER = Actor(person=Person(provider="idp", subject="olga", name="Olga"), decides=True)

SHOP = Metadata(client_name="Shop")
CATALOGUE = Catalogue(
    apis={
        "orders": Api(
            name="orders", provider="idp", scopes=("orders.read", "orders.write"), tiers=("gold", "tin", "old")
        ),
        "profile": Api(name="profile", provider="idp", scopes=("profile",), approval="automatic"),
        "terms": Api(name="terms", provider="idp", approval="automatic", terms="Be kind."),
        "hidden": Api(name="hidden", provider="idp", listed=False),
        "elsewhere": Api(name="elsewhere", provider="another"),
    },
    tiers={
        "gold": Tier(name="gold"),
        "tin": Tier(name="tin", approval="automatic"),
        "old": Tier(name="old", deprecated=True),
    },
)


@dataclass(slots=True, kw_only=True)
class Opened:
    """A registry, and what is around it."""

    registry: Registry
    store: Store
    registrars: Mapping[str, Registrar]
    idp: DemoProvider
    clock: FakeClock
    register: Register
    feed: Feed
    notices: list[Notice] = field(default_factory=list)
    told: Callable[[], None] = lambda: None
    """Called once every worker knows of a change."""

    async def spread(self, _: ClientKey) -> None:
        """As the gateway does it."""
        await self.feed.refresh()
        self.told()

    def contract(self, client: Client, api: str) -> Contract | None:
        """What the gateway knows, at this moment."""
        return Directory(register=self.register).contract("idp", str(client.client_id), api)

    def at_provider(self) -> set[str]:
        """The clients that registered there."""
        return set(self.idp.clients) - {"gateway"}

    async def verbs(self) -> list[str]:
        """The audit log, oldest first."""
        return [entry.verb for entry in reversed((await self.store.audit()).items)]

    def again(self, store: Store | None = None, registrars: Mapping[str, Registrar] | None = None) -> Registry:
        """Another process's registry over the same store."""
        return self.made(store or self.store, registrars or self.registrars)

    def made(
        self,
        store: Store,
        registrars: Mapping[str, Registrar],
        options: RegistryOptions | None = None,
        reconciling: Reconciling | None = None,
    ) -> Registry:
        return Registry(
            store, registrars, CATALOGUE, self.clock, self.spread, self.notices.append, options, reconciling
        )


def provider_of(idp: DemoProvider) -> Provider:
    """As the configuration would have it."""
    return Provider(
        name="idp",
        issuer=idp.issuer,
        endpoints=Endpoints(registration=f"{idp.issuer}/register", token=f"{idp.issuer}/token"),
    )


@asynccontextmanager
async def opened(
    folder: Path,
    idp: DemoProvider,
    clock: FakeClock,
    *,
    registration: Registration | None = None,
    fetch: OpenFetch = open_fetch,
) -> AsyncIterator[Opened]:
    """Everything, until the end of the block."""
    options = StoreOptions(
        url=SecretStr(f"sqlite:///{folder}/store.db"), encryption_keys=(SecretStr(new_key()),), timeout=2.0
    )
    async with (
        open_store(options, clock) as store,
        open_registrar(provider_of(idp), registration or Registration(), fetch, clock) as registrar,
    ):
        register = Register()
        feed = Feed(store, register, lambda _: 0, clock, options, FakeMetrics())
        await feed.read()
        made = Opened(
            registry=None,  # type: ignore[arg-type]  # in the next line: it needs what the others have
            store=store,
            registrars={"idp": registrar},
            idp=idp,
            clock=clock,
            register=register,
            feed=feed,
        )
        made.registry = made.again()
        yield made
        await made.registry.close()
