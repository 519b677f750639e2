"""What is written at once, or not at all."""

from dataclasses import replace
from typing import Any

from sqlalchemy import CursorResult, Executable, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clients import ClientKey
from gateway.clients.client import Agreement, Client, ClientState, Entry, Person, Registered
from gateway.clients.life import State
from gateway.clients.mistakes import Conflict, NotFound
from gateway.clients.store import agreements, audit, chain, clients, ledger, registrations
from gateway.clients.store.dialects import inserting
from gateway.clients.store.faults import translated
from gateway.clients.store.ledger import Ledger
from gateway.clients.store.sealing import Seal
from gateway.clients.store.tables import changes
from gateway.ports import Clock

CHANNEL = "tokenward_changes"
"""On which PostgreSQL tells the other processes."""


class Transaction:
    """Nobody else writes while it is open: what it reads is so until it ends. So nobody must wait for a network in it.

    Every method raises `Unavailable` where the database fails.
    """

    def __init__(self, connection: AsyncConnection, seal: Seal, key: bytes, clock: Clock, before: Ledger) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name
        self._seal = seal
        self._key = key
        self._clock = clock
        self._before = before
        self._ledger = before

    async def client(self, id_: str) -> Client | None:
        """The client with that id of ours."""
        row = await self._first(clients.by_id(id_))
        return None if row is None else clients.from_row(row)

    async def agreement(self, id_: str) -> Agreement | None:
        """The agreement with that id."""
        row = await self._first(agreements.by_id(id_))
        return None if row is None else agreements.from_row(row)

    async def clients_of(self, owner: Person) -> int:
        """How many clients that person has; those that were deleted do not count."""
        return int((await self._execute(clients.living_of(owner))).scalar_one())

    async def add_client(self, client: Client) -> None:
        """Keep a new client.

        Raises `Conflict`: `exists_already` (its id, or its client id at the provider), `name_taken` (by another client
        of its owner).
        """
        if await self._first(clients.by_id(client.id)) is not None:
            raise Conflict("There is an application with this id.", "exists_already")
        await self.check_client(client)
        await self._execute(clients.add(client))

    async def check_client(self, client: Client) -> None:
        """Raises `Conflict` where it could not be kept so: `exists_already`, `name_taken`."""
        # Nobody else writes now, hence what is looked up here stays so.
        if client.client_id is not None and await self._first(clients.same_key(client)) is not None:
            raise Conflict("There is an application with this client id.", "exists_already")
        if client.owner is None or client.state is ClientState.DELETED:
            return
        if await self._first(clients.namesakes(client)) is not None:
            raise Conflict("You have an application of this name.", "name_taken")

    async def save_client(self, client: Client, before: ClientState | None = None) -> None:
        """Keep what the client is now; only if it still is in the state `before`, where that is given.

        Raises `NotFound`, and `Conflict`: `changed_meanwhile`, `exists_already`, `name_taken`.
        """
        await self.check_client(client)
        if (await self._execute(clients.save(client, before))).rowcount == 0:
            raise await self._not_saved(await self.client(client.id), "application")

    async def keep_registered(self, client: str, registered: Registered) -> None:
        """Keep what the provider said of a client, sealed, in place of what it said before. Raises `NotFound`."""
        if await self._first(clients.by_id(client)) is None:
            raise NotFound("application")
        sealed = self._seal.close(registrations.write(registered), registrations.row_name(client))
        await self._execute(registrations.keep(client, sealed, self._dialect))

    async def add_agreement(self, agreement: Agreement) -> None:
        """Keep a new agreement.

        Raises `NotFound` for a client that is not here, and `Conflict` (`exists_already`) where the client has one for
        that API that was not refused.
        """
        if await self._first(clients.by_id(agreement.client)) is None:
            raise NotFound("application")
        if await self._first(agreements.by_id(agreement.id)) is not None:
            raise Conflict("There is a contract with this id.", "exists_already")
        await self._check_agreement(agreement)
        await self._execute(agreements.add(agreement))

    async def save_agreement(self, agreement: Agreement, before: State) -> None:
        """Keep what the agreement is now, if it still is in the state `before`.

        Raises `NotFound`, and `Conflict`: `changed_meanwhile`, `exists_already`.
        """
        await self._check_agreement(agreement)
        if (await self._execute(agreements.save(agreement, before))).rowcount == 0:
            raise await self._not_saved(await self.agreement(agreement.id), "contract")

    async def note(
        self,
        actor: str,
        verb: str,
        *,
        client: str | None = None,
        agreement: str | None = None,
        api: str | None = None,
        detail: str = "",
    ) -> Entry:
        """Write a line of the audit log. Nobody takes it out again. No argument may hold a secret."""
        entry = Entry(
            number=self._ledger.entries + 1,
            at=float(self._clock.time()),
            actor=actor,
            verb=verb,
            client=client,
            agreement=agreement,
            api=api,
            detail=detail,
        )
        link = chain.link(self._key, entry, self._ledger.last)
        await self._execute(audit.add(entry, link))
        self._ledger = replace(
            self._ledger, entries=entry.number, last=link, proof=chain.proof(self._key, entry.number, link)
        )
        return entry

    async def changed(self, client: ClientKey) -> None:
        """Say that the contracts in force of that client changed, or that it was deleted: every process reads them."""
        number = self._ledger.changes + 1
        statement = inserting(changes, self._dialect).values(provider=client[0], client_id=client[1], number=number)
        await self._execute(
            statement.on_conflict_do_update(index_elements=["provider", "client_id"], set_={"number": number})
        )
        self._ledger = replace(self._ledger, changes=number)

    async def finish(self) -> None:
        """What comes last before the commit."""
        if self._ledger == self._before:
            return
        await self._execute(ledger.save(self._ledger))
        if self._dialect == "postgresql" and self._ledger.changes != self._before.changes:
            # Delivered when this is committed, and never before.
            await self._execute(select(func.pg_notify(CHANNEL, "")))

    async def _check_agreement(self, agreement: Agreement) -> None:
        if agreement.state is not State.REFUSED and await self._first(agreements.rivals(agreement)) is not None:
            raise Conflict("This application has asked for this API before.", "exists_already")

    async def _not_saved(self, found: object, what: str) -> Conflict | NotFound:
        if found is None:
            return NotFound(what)
        return Conflict(f"Somebody else changed this {what} meanwhile.", "changed_meanwhile")

    async def _first(self, statement: Executable) -> Any:
        return (await self._execute(statement)).mappings().first()

    async def _execute(self, statement: Executable) -> CursorResult[Any]:
        with translated():
            return await self._connection.execute(statement)
