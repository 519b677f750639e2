"""Everything that people may do about applications and contracts, whichever way they come: pages, API, commands."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from gateway.clients import ClientKey, admitting, applications, asking, deciding, reading
from gateway.clients import reconcile as reconciling
from gateway.clients.catalogue import Catalogue
from gateway.clients.client import Actor, Agreement, Client, ClientState, Credentials, Entry, Metadata, Person
from gateway.clients.drift import Drift
from gateway.clients.life import State
from gateway.clients.notices import Notice
from gateway.clients.office import Office
from gateway.clients.options import Reconciling, RegistryOptions
from gateway.clients.registration.registrar import Registrar
from gateway.clients.store import Page, Usage
from gateway.clients.store.store import Store
from gateway.ports import Clock


class Registry:
    """Says who may, keeps what was done with its line in the audit log, and tells every worker before it returns.

    Every method raises `Unavailable` when the store or the provider cannot do its part, and a `Refusal`: `NotFound` for
    what is not there or not this actor's, `NotAllowed`, `Invalid`, `Conflict` and `TooMany`. After an `Unavailable` one
    may try again: nothing is done twice.
    """

    def __init__(
        self,
        store: Store,
        registrars: Mapping[str, Registrar],
        catalogue: Catalogue,
        clock: Clock,
        spread: Callable[[ClientKey], Awaitable[bool | None]],
        notify: Callable[[Notice], None],
        options: RegistryOptions | None = None,
        reconciling: Reconciling | None = None,
    ) -> None:
        self._office = Office(
            store=store,
            registrars=registrars,
            catalogue=catalogue,
            clock=clock,
            spread=spread,
            notify=notify,
            options=options or RegistryOptions(),
        )
        self._reconciling = reconciling or Reconciling()

    async def close(self) -> None:
        """Wait for what is under way at providers, but not for ever."""
        await self._office.close()

    @property
    def catalogue(self) -> Catalogue:
        """What may be asked for now."""
        return self._office.catalogue

    @property
    def registrars(self) -> Mapping[str, Registrar]:
        """The providers that register clients now."""
        return self._office.registrars

    def offer(self, catalogue: Catalogue, registrars: Mapping[str, Registrar]) -> None:
        """From now on, this is what may be asked for: the configuration was read again."""
        self._office.catalogue = catalogue
        self._office.registrars = registrars

    async def ask(
        self,
        application: Metadata | str,
        *,
        api: str,
        tier: str | None = None,
        accepted_terms: bool,
        reason: str = "",
        by: Actor,
    ) -> Agreement:
        """Ask for access to an API: for a new application, or for one's own with that id of ours.

        Where nobody has to decide, the contract is in force when this returns; unless the provider cannot be asked just
        then: it stays `requested`, and is granted in the background.
        """
        return await asking.ask(
            self._office, application, api=api, tier=tier, accepted_terms=accepted_terms, reason=reason, by=by
        )

    async def approve(self, id_: str, *, by: Actor, tier: str | None = None, reason: str = "") -> Agreement:
        """Put a request in force, with another tier if one is given. The application is registered if need be."""
        return await deciding.approve(self._office, id_, by, tier, reason)

    async def refuse(self, id_: str, *, by: Actor, reason: str) -> Agreement:
        """Say no to a request; it may be made again."""
        return await deciding.refuse(self._office, id_, by, reason)

    async def revoke(self, id_: str, *, by: Actor, reason: str) -> Agreement:
        """End a contract: every worker refuses its tokens when this returns.

        Where not every worker knows of it, it is done all the same, and `Unavailable` says so.
        """
        return await deciding.revoke(self._office, id_, by, reason)

    async def restore(self, id_: str, *, by: Actor, reason: str = "") -> Agreement:
        """Put a revoked contract back in force, for the same client."""
        return await deciding.restore(self._office, id_, by, reason)

    async def change_tier(self, id_: str, tier: str | None, *, by: Actor) -> Agreement:
        """Another tier: at once by those who decide and where nobody has to; else it is asked for (`asked_tier`)."""
        return await asking.change_tier(self._office, id_, tier, by)

    async def register(
        self,
        metadata: Metadata,
        provider: str,
        *,
        by: Actor,
        owner: Person | None = None,
        apis: Sequence[tuple[str, str | None]] = (),
    ) -> tuple[Client, Credentials]:
        """Register an application at once, with contracts in force for these APIs and tiers. Shows its credentials."""
        return await admitting.register(self._office, metadata, provider, by, owner, apis)

    async def adopt(
        self,
        provider: str,
        client_id: str,
        *,
        by: Actor,
        owner: Person | None = None,
        client_secret: str | None = None,
        registration_client_uri: str | None = None,
        registration_access_token: str | None = None,
    ) -> Client:
        """Take over a client that exists at the provider; what is told of it makes it manageable where it can."""
        return await admitting.adopt(
            self._office,
            provider,
            client_id,
            by,
            owner,
            client_secret,
            registration_client_uri,
            registration_access_token,
        )

    async def edit(self, id_: str, metadata: Metadata, *, by: Actor) -> Client:
        """Change an application here and at its provider. Where it made a new secret, that can be revealed."""
        return await applications.edit(self._office, id_, metadata, by)

    async def reveal(self, id_: str, *, by: Actor) -> Credentials:
        """The credentials, once, to whoever the application belongs to, or to an operator.

        Raises `Conflict` (`shown_already`, `not_registered`).
        """
        return await applications.reveal(self._office, id_, by)

    async def rotate(self, id_: str, *, by: Actor) -> Credentials:
        """New credentials, shown by this to whom `reveal` shows them.

        Raises `Conflict` (`cannot_rotate`, `not_manageable`).
        """
        return await applications.rotate(self._office, id_, by)

    async def end_overlap(self, id_: str, *, by: Actor) -> None:
        """Let the secret before the last rotation be good no more, where the provider knows two."""
        await applications.end_overlap(self._office, id_, by)

    async def delete(self, id_: str, *, by: Actor, reason: str = "") -> Client:
        """Delete an application here at once, and at its provider as soon as that can be asked.

        Where not every worker knows of it, it is done all the same, and `Unavailable` says so.
        """
        return await applications.delete(self._office, id_, by, reason)

    async def reconcile(self, *, by: Actor, provider: str | None = None, repair: bool = False) -> tuple[Drift, ...]:
        """Where the providers' records are other than ours; repaired, if wished, as the options say."""
        return await reconciling.reconcile(self._office, self._reconciling, by, provider=provider, repair=repair)

    async def reconcile_once(self) -> tuple[Drift, ...]:
        """What `run_reconcile` does once: nothing where another node does it in this interval."""
        return await reconciling.reconcile_once(self._office, self._reconciling)

    async def run_reconcile(self) -> None:
        """Compare in the background, for ever."""
        await reconciling.run_reconcile(self._office, self._reconciling)

    async def client(self, id_: str, *, by: Actor) -> Client:
        """An application."""
        return await self._office.client(id_, by)

    async def clients(
        self,
        *,
        by: Actor,
        owner: Person | None = None,
        provider: str | None = None,
        state: ClientState | None = None,
        search: str = "",
        after: str = "",
        limit: int = 50,
    ) -> Page[Client]:
        """Applications by name: everybody's for those who decide, else one's own."""
        return await reading.clients(
            self._office,
            by,
            owner=owner,
            provider=provider,
            state=state,
            search=search,
            after=after,
            limit=limit,
        )

    async def agreement(self, id_: str, *, by: Actor) -> Agreement:
        """A contract."""
        return (await self._office.agreement(id_, by))[0]

    async def agreements(
        self,
        *,
        by: Actor,
        client: str | None = None,
        owner: Person | None = None,
        api: str | None = None,
        state: State | None = None,
        waiting: bool = False,
        search: str = "",
        after: str = "",
        limit: int = 50,
    ) -> Page[Agreement]:
        """Contracts, newest first: everybody's for those who decide, else one's own.

        `waiting`: only those that somebody has to decide about, be it the request or another tier.
        """
        return await reading.agreements(
            self._office,
            by,
            client=client,
            owner=owner,
            api=api,
            state=state,
            waiting=waiting,
            search=search,
            after=after,
            limit=limit,
        )

    async def audit(
        self,
        *,
        by: Actor,
        client: str | None = None,
        agreement: str | None = None,
        actor: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Page[Entry]:
        """The audit log, newest first: all of it for those who decide, else of what is one's own."""
        return await reading.audit(
            self._office, by, client=client, agreement=agreement, actor=actor, after=after, limit=limit
        )

    async def usage(self, id_: str, *, by: Actor, since: float, api: str | None = None) -> tuple[Usage, ...]:
        """What an application called, by the hour, from the hour on that holds `since` (seconds since the epoch)."""
        return await reading.usage(self._office, id_, by, since, api)
