"""What everybody who manages clients works with: the store, the providers, the catalogue, and whom to tell."""

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from gateway.clients import ClientKey
from gateway.clients.authority import named, own_or_decides
from gateway.clients.catalogue import Catalogue
from gateway.clients.client import Actor, Agreement, Client, Registered
from gateway.clients.life import State
from gateway.clients.mistakes import Conflict, NotFound, Refusal
from gateway.clients.notices import Audience, Notice
from gateway.clients.options import RegistryOptions
from gateway.clients.registration.registrar import Registrar
from gateway.clients.store.store import Store
from gateway.clients.store.transaction import Transaction
from gateway.clients.turns import Turns
from gateway.policy import Unavailable
from gateway.ports import Clock
from gateway.tasks import Tasks

T = TypeVar("T")

LEASED_FOR = 120.0
"""Seconds after which a process that works on a client at its provider is taken for dead."""
GRACE = 20.0
"""Seconds that what is under way has when the gateway ends."""


@dataclass(slots=True, kw_only=True)
class Office:
    """Lent to each part of the registry."""

    store: Store
    registrars: Mapping[str, Registrar]
    catalogue: Catalogue
    clock: Clock
    spread: Callable[[ClientKey], Awaitable[bool | None]]
    """Returns once every worker knows what is in force for that client, or with False that not all of them do."""
    notify: Callable[[Notice], None]
    options: RegistryOptions
    unkept: dict[str, Registered] = field(default_factory=dict, repr=False)
    """By our id: what a provider said and the store did not take yet. It is tried again, and counts meanwhile."""
    turns: Turns = field(default_factory=Turns)
    _leases: dict[str, float] = field(default_factory=dict)
    _tasks: Tasks = field(default_factory=Tasks)
    _under_way: set[asyncio.Task[Any]] = field(default_factory=set)

    def registrar(self, provider: str) -> Registrar:
        """Raises `Conflict` where the configuration has no registration for the provider."""
        found = self.registrars.get(provider)
        if found is None:
            raise Conflict("Clients of this provider are not registered from here: do it there.", "not_manageable")
        return found

    async def client(self, id_: str, by: Actor) -> Client:
        """Raises `NotFound`."""
        return own_or_decides(await self.store.client(id_), by)

    async def agreement(self, id_: str, by: Actor) -> tuple[Agreement, Client]:
        """A contract and its application. Raises `NotFound`."""
        found = await self.store.agreement(id_)
        if found is None:
            raise NotFound("contract")
        return found, own_or_decides(await self.store.client(found.client), by, "contract")

    async def registered(self, client: Client) -> Registered:
        """The newest that the provider said of a client. Raises `Conflict` when nothing is known."""
        found = self.unkept.get(client.id) or await self.store.registered(client.id)
        if found is None:
            raise Conflict("This application is not registered at its provider.", "not_registered")
        return found

    async def apis(self, client: Client, *states: State) -> tuple[str, ...]:
        """The APIs that an application has contracts for, in one of these states."""
        found = await self.agreements(client)
        return tuple(sorted({each.api for each in found if each.state in states}))

    async def agreements(self, client: Client) -> list[Agreement]:
        """All of an application."""
        found: list[Agreement] = []
        after = ""
        while True:
            page = await self.store.agreements(client=client.id, after=after, limit=200)
            found.extend(page.items)
            if page.next is None:
                return found
            after = str(page.next)

    @asynccontextmanager
    async def alone_with(self, client: str) -> AsyncIterator[Client]:
        """The client, and nobody else works on it at its provider until the end of the block.

        Two updates at once would each get a registration access token, and we might keep the one that is void. Raises
        `NotFound`, and `Conflict` (code `busy`) when another process is at it.
        """
        async with self.turns.turn(client), self._lease(client):
            found = await self.store.client(client)
            if found is None:
                raise NotFound("application")
            yield found

    @asynccontextmanager
    async def _lease(self, client: str) -> AsyncIterator[None]:
        """Keep other processes away. One that ends without a word keeps its lease until it expires."""
        if client in self._leases:  # the store failed when it was to be given back, or had it granted unheard
            await self._give_back(client)
        # The fraction tells our lease from one that another process got within the same second.
        until = self.clock.time() + LEASED_FOR + secrets.randbelow(1_000_000) / 1_000_000
        self._leases[client] = until
        if not await self.store.used_once("client", client, until):
            del self._leases[client]
            raise Conflict("Somebody else is working on this application: try again in a minute.", "busy")
        try:
            yield
        finally:
            with suppress(Unavailable):
                await self._give_back(client)

    async def _give_back(self, client: str) -> None:
        await self.store.unused("client", client, self._leases[client])
        del self._leases[client]

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Do what must not end half-way, even if whoever asked for it goes away."""
        task = self._tasks.start(_outcome(work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        outcome = await asyncio.shield(task)
        if isinstance(outcome, _Failed):
            raise outcome.error
        return outcome

    async def close(self) -> None:
        """Wait for what is under way at providers, but not for ever."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=GRACE)
        await self._tasks.close()

    async def spread_all(self, *clients: Client) -> bool:
        """Let every worker know of these clients, under all the ids that they had. Whether all of them do."""
        return all([await self.spread(key) is not False for key in keys_of(*clients)])

    async def note(
        self,
        transaction: Transaction,
        by: Actor,
        verb: str,
        client: str,
        agreement: Agreement | None = None,
        detail: str = "",
    ) -> None:
        """A line of the audit log, in the transaction that it tells of."""
        await transaction.note(
            named(by),
            verb,
            client=client,
            agreement=None if agreement is None else agreement.id,
            api=None if agreement is None else agreement.api,
            detail=detail,
        )

    def tell(
        self,
        verb: str,
        client: Client,
        agreement: Agreement | None = None,
        *,
        audience: Audience = "developer",
        reason: str = "",
    ) -> None:
        """Send a notice; never fails, and nobody waits for it."""
        owner = client.owner
        notice = Notice(
            id=new_id(),
            verb=verb,
            at=self.clock.time(),
            provider=client.provider,
            application=client.metadata.client_name,
            client=client.id,
            reason=reason,
            asked_by="" if owner is None else owner.name or owner.subject,
            audience=audience,
            email="" if owner is None else owner.email,
        )
        if agreement is not None:
            tier = agreement.asked_tier if audience == "owners" else agreement.tier
            notice = replace(notice, agreement=agreement.id, api=agreement.api, tier=tier)
        self.notify(notice)


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Refusal | Unavailable


async def _outcome(work: Coroutine[Any, Any, T]) -> T | _Failed:
    """What people are told is no failure of the task: nobody needs it in the log, with all that led to it."""
    try:
        return await work
    except (Refusal, Unavailable) as error:
        return _Failed(error)


def not_everywhere() -> Unavailable:
    """What was ended may still count: nobody is to take it for done."""
    return Unavailable(
        "It is done, and not every process of the gateway knows of it yet: each reads the store again by itself.",
        code="contracts_not_everywhere",
    )


def new_id() -> str:
    """An id of ours. RFC 7591, 2: a `software_id` is, for example, a UUID."""
    return str(uuid.uuid4())


def keys_of(*clients: Client) -> set[ClientKey]:
    """What the gateway knows these by, as far as their providers named them."""
    return {(client.provider, client.client_id) for client in clients if client.client_id is not None}
