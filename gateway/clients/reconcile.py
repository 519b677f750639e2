"""Our records compared with the providers', and put right where that is asked for."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from gateway.clients.admitting import metadata_of
from gateway.clients.applications import delete_there, end, renew_secret
from gateway.clients.asking import grant_waiting
from gateway.clients.authority import must_decide
from gateway.clients.client import GATEWAY, Actor, Agreement, Client, ClientState, Metadata, Registered
from gateway.clients.drift import Drift, Kind, changes, is_newer
from gateway.clients.life import State
from gateway.clients.mistakes import Refusal
from gateway.clients.offers import may_be_granted, told
from gateway.clients.office import Office
from gateway.clients.options import Reconciling
from gateway.clients.registering import keep, register_anew, settle, unmark, withdraw
from gateway.policy import Unavailable

log = logging.getLogger(__name__)

GIVES_UP_AFTER = 3
"""Clients in a row whose provider does not answer: the others of that provider would only wait as long."""
SEVERAL = 3
"""Clients of one provider that are not all deleted there between two comparisons, as far as we would bet on it."""
YEAR = 366 * 86_400.0


class Comparison:
    """One comparison of everything with everything."""

    def __init__(self, office: Office, options: Reconciling, by: Actor, *, repair: bool) -> None:
        self._office = office
        self._options = options
        self._by = by
        self._repair = repair
        self._silent: dict[str, int] = {}
        self._gone: dict[str, Client] = {}
        """By our id: those that their provider does not know."""
        self._there: set[str] = set()
        """The providers that knew one of theirs."""

    async def run(self, provider: str | None = None) -> tuple[Drift, ...]:
        """What is wrong. Raises `Unavailable` when the store cannot be read."""
        found = []
        async for client in self._clients(provider):
            if self._silent.get(client.provider, 0) < GIVES_UP_AFTER:
                found.extend(await self._compare(client, self._look))
        for client in self._gone.values():
            found.extend(await self._compare(client, self._put_back))
        return tuple(found)

    async def _clients(self, provider: str | None) -> AsyncIterator[Client]:
        for state in (ClientState.REGISTERING, ClientState.REGISTERED, ClientState.DELETED):
            after = ""
            while True:
                page = await self._office.store.clients(provider=provider, state=state, after=after, limit=200)
                for client in page.items:
                    yield client
                if page.next is None:
                    break
                after = str(page.next)

    async def _compare(self, listed: Client, look: Callable[[Client], Awaitable[list[Drift]]]) -> list[Drift]:
        if listed.provider not in self._office.registrars or not _is_of_interest(listed):
            return []
        try:
            async with self._office.alone_with(listed.id) as client:
                found = await look(client)
        except Unavailable as error:
            self._silent[listed.provider] = self._silent.get(listed.provider, 0) + 1
            return [self._drift(listed, Kind.UNREACHABLE, error.code)]
        except Refusal as refusal:
            return [] if refusal.code == "busy" else [self._drift(listed, Kind.UNREACHABLE, refusal.code)]
        self._silent.pop(listed.provider, None)
        return found

    async def _look(self, client: Client) -> list[Drift]:
        if client.id in self._office.unkept:
            return [await self._keep_what_is_left(client)]
        match client.state:
            case ClientState.REGISTERED:
                return await self._look_at_registered(client)
            case ClientState.REGISTERING:
                return [await self._look_at_left_over(client)]
            case ClientState.DELETED if client.manageable:
                return [await self._look_at_deleted(client)]
            case _:
                return []

    async def _keep_what_is_left(self, client: Client) -> Drift:
        """The provider's last word, which is in our memory alone."""
        left = self._office.unkept[client.id]
        if client.state is ClientState.REGISTERED:
            await settle(self._office, client, self._by)
            return self._drift(client, Kind.UNKEPT, "kept now", repaired=True)
        gone = self._repair and await withdraw(self._office, client, left, self._by)
        return self._drift(client, Kind.ORPHANED, f"client_id {left.credentials.client_id}", repaired=gone)

    async def _look_at_left_over(self, client: Client) -> Drift:
        """Nobody is registering it: whoever was, has ended, or got no answer."""
        if self._repair:
            await unmark(self._office, client, self._by, "left over")
        detail = f"its registration was not finished: look there for software_id {client.id}, or for its name"
        return self._drift(client, Kind.ORPHANED, detail, repaired=self._repair)

    async def _look_at_deleted(self, client: Client) -> Drift:
        """That it be deleted there was decided when it was deleted here: nobody is asked about it again."""
        detail = "deleted here, and still at the provider"
        after = await delete_there(self._office, client, self._by)
        return self._drift(client, Kind.ORPHANED, detail, repaired=not after.manageable)

    async def _look_at_registered(self, client: Client) -> list[Drift]:
        kept = await self._office.registered(client)
        registrar = self._office.registrar(client.provider)
        if not registrar.capabilities_of(kept).read:
            return await self._look_at_expiry(client)
        now = await registrar.read(kept)
        if now is None:
            self._gone[client.id] = client
            return []
        self._there.add(client.provider)
        metadata = await self._told(client)
        changed = changes(metadata, kept, now)
        if is_newer(kept, now) or (changed and self._repair):
            client = await keep(self._office, client, now, self._by, "client.updated")
        found = [await self._settle_changes(client, now, metadata, changed)] if changed else []
        return [*found, *await self._look_at_expiry(client)]

    async def _settle_changes(
        self, client: Client, now: Registered, metadata: Metadata, changed: tuple[str, ...]
    ) -> Drift:
        detail = ", ".join(changed)
        if not self._repair:
            return self._drift(client, Kind.CHANGED_THERE, detail)
        office = self._office
        if self._options.changed_there == "theirs":
            theirs = replace(metadata_of(now), description=client.metadata.description)
            await keep(office, client, now, self._by, "client.edited", metadata=theirs)
        elif set(changed) != {"client_secret"}:
            updated = await office.registrar(client.provider).update(now, metadata)
            await keep(office, client, updated, self._by, "client.updated")
        return self._drift(client, Kind.CHANGED_THERE, detail, repaired=True)

    async def _put_back(self, client: Client) -> list[Drift]:
        """Its provider no longer knows it; unless somebody saw to it meanwhile."""
        if client.state is not ClientState.REGISTERED or client.client_id != self._gone[client.id].client_id:
            return []
        if not self._repair:
            return [self._drift(client, Kind.DELETED_THERE)]
        if not self._is_believed(client.provider):
            return [self._drift(client, Kind.DELETED_THERE, "so are all others: is it they, or the provider?")]
        if self._options.deleted_there == "revoke":
            ended = await end(self._office, replace(client, manageable=False), self._by, "deleted at the provider")
            await self._office.spread_all(ended)
        else:
            await register_anew(self._office, client, self._by, await self._told(client))
        return [self._drift(client, Kind.DELETED_THERE, repaired=True)]

    def _is_believed(self, provider: str) -> bool:
        """Whether clients are gone, as far as the gateway may judge by itself.

        A proxy that leads astray, or a database that is not there, knows no client at all: that ends no contracts.
        """
        gone = sum(client.provider == provider for client in self._gone.values())
        return self._by != GATEWAY or provider in self._there or gone < SEVERAL

    async def _look_at_expiry(self, client: Client) -> list[Drift]:
        at, now = client.secret_expires_at, self._office.clock.time()
        if at is None or at - now > self._options.expires_within:
            return []
        day = datetime.fromtimestamp(at, UTC).date().isoformat()
        if now >= at and self._repair and await self._renew(client):
            return [self._drift(client, Kind.SECRET_EXPIRES, day, repaired=True)]
        # Before its end, a new secret would take the old one from an application that works.
        if await self._office.store.used_once("expiry", f"{client.id} {at!r}", max(at, now) + YEAR):
            self._office.tell("client.secret_expires", client, reason=f"on {day}")
        return [self._drift(client, Kind.SECRET_EXPIRES, day)]

    async def _renew(self, client: Client) -> bool:
        try:
            await renew_secret(self._office, client, self._by, shown=False)
        except Refusal:
            return False
        self._office.tell("client.secret_replaced", client)
        return True

    async def _told(self, client: Client) -> Metadata:
        return told(client, await self._office.apis(client, State.ACTIVE), self._office.catalogue)

    def _drift(self, client: Client, kind: Kind, detail: str = "", *, repaired: bool = False) -> Drift:
        return Drift(
            client=client.id,
            provider=client.provider,
            client_id=client.client_id,
            kind=kind,
            detail=detail,
            repaired=repaired,
        )


async def reconcile(
    office: Office, options: Reconciling, by: Actor, *, provider: str | None, repair: bool
) -> tuple[Drift, ...]:
    """What is otherwise at the providers than here, and what was put right."""
    must_decide(by)
    return await Comparison(office, options, by, repair=repair).run(provider)


async def grant_all_waiting(office: Office) -> int:
    """Grant what nobody has to decide and could not be granted when it was asked for. How many."""
    granted, after = 0, ""
    while True:
        page = await office.store.agreements(state=State.REQUESTED, after=after, limit=200)
        for agreement in page.items:
            granted += await _grant_if_automatic(office, agreement)
        if page.next is None:
            return granted
        after = str(page.next)


async def _grant_if_automatic(office: Office, agreement: Agreement) -> bool:
    if not may_be_granted(office.catalogue, agreement):
        return False
    try:
        return (await office.finish(grant_waiting(office, agreement))).state is State.ACTIVE
    except (Unavailable, Refusal) as error:
        log.warning("the request %s still waits for its provider (%s)", agreement.id, error.code)
        return False


async def run_reconcile(office: Office, options: Reconciling) -> None:
    """Compare again and again, for ever; of several nodes, one at a time."""
    while True:
        await asyncio.sleep(options.interval)
        try:
            await reconcile_once(office, options)
        except Exception:
            # A fault of ours with one client must not be the end of all comparisons.
            log.exception("clients could not be compared with their providers")


async def reconcile_once(office: Office, options: Reconciling) -> tuple[Drift, ...]:
    """One comparison in the background, unless another node does it. What it finds or cannot do is logged."""
    try:
        # Every node wakes in the same interval once, and the first that says so has it.
        slot = int(office.clock.time() // options.interval)
        if not await office.store.used_once("reconcile", str(slot), (slot + 2) * options.interval):
            return ()
        await grant_all_waiting(office)
        found = await reconcile(office, options, GATEWAY, provider=None, repair=options.repair)
    except Unavailable as error:
        log.warning("clients could not be compared with their providers: %s", error.detail)
        return ()
    for drift in found:
        outcome = "repaired" if drift.repaired else "not repaired"
        log.warning("provider %s: client %s: %s (%s)", drift.provider, drift.client, drift.kind, outcome)
    return found


def _is_of_interest(client: Client) -> bool:
    return client.state is not ClientState.DELETED or client.manageable
