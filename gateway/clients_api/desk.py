"""What operators do about applications and contracts, in documents: by HTTP and by command alike."""

from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from gateway.clients.client import OPERATOR, Client, Metadata, Person
from gateway.clients.mistakes import NotFound
from gateway.clients.registration.registrar import Registrar
from gateway.clients.registration.wishes import metadata_of
from gateway.clients.registry import Registry
from gateway.clients_api import bodies, views
from gateway.clients_api.views import ClientView, ContractView, CredentialsView
from gateway.ports import Clock

HOUR = 3600.0
NOTHING = Metadata(client_name="", grant_types=(), token_endpoint_auth_method="")
"""What null makes of a member."""


class Desk:
    """Does all of it as the operator, who may do everything. Raises what `Registry` raises."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock

    # Applications

    async def clients(self, asked: bodies.ClientsQuery) -> views.Clients:
        """Applications by name."""
        page = await self._registry.clients(
            by=OPERATOR,
            owner=_named(asked.owner),
            provider=asked.provider,
            state=asked.state,
            search=asked.search,
            after=asked.after,
            limit=asked.limit,
        )
        return views.Clients(items=tuple(map(views.client_view, page.items)), next=_text(page.next))

    async def client(self, id_: str) -> ClientView:
        """One of them."""
        return views.client_view(await self._client(id_))

    async def register(self, body: bodies.RegisterBody) -> views.RegisteredView:
        """A new one, registered at once."""
        registration = self._registrar(body.provider).registration
        client, credentials = await self._registry.register(
            metadata_of(body.metadata.model_dump(mode="json"), registration),
            body.provider,
            by=OPERATOR,
            owner=None if body.owner is None else body.owner.person(),
            apis=[(access.api, access.tier) for access in body.apis],
        )
        return views.RegisteredView(client=views.client_view(client), credentials=views.credentials_view(credentials))

    async def adopt(self, body: bodies.AdoptBody) -> ClientView:
        """One that exists at its provider."""
        client = await self._registry.adopt(
            body.provider,
            body.client_id,
            by=OPERATOR,
            owner=None if body.owner is None else body.owner.person(),
            client_secret=_opened(body.client_secret),
            registration_client_uri=body.registration_client_uri,
            registration_access_token=_opened(body.registration_access_token),
        )
        return views.client_view(client)

    async def edit(self, id_: str, body: bodies.MetadataChange) -> ClientView:
        """Another name, other redirect URIs, …"""
        before = await self._client(id_)
        return views.client_view(await self._registry.edit(id_, changed(before.metadata, body), by=OPERATOR))

    async def delete(self, id_: str, asked: bodies.DeleteQuery) -> ClientView:
        """For ever."""
        return views.client_view(await self._registry.delete(id_, by=OPERATOR, reason=asked.reason))

    async def reveal(self, id_: str) -> CredentialsView:
        """The credentials, once."""
        return views.credentials_view(await self._registry.reveal(id_, by=OPERATOR))

    async def rotate(self, id_: str) -> CredentialsView:
        """New credentials."""
        return views.credentials_view(await self._registry.rotate(id_, by=OPERATOR))

    async def end_overlap(self, id_: str) -> None:
        """The secret before the last rotation is good no more."""
        await self._registry.end_overlap(id_, by=OPERATOR)

    # Contracts

    async def contracts(self, asked: bodies.ContractsQuery) -> views.Contracts:
        """Contracts, newest first."""
        page = await self._registry.agreements(
            by=OPERATOR,
            client=asked.client,
            owner=_named(asked.owner),
            api=asked.api,
            state=asked.state,
            search=asked.search,
            after=asked.after,
            limit=asked.limit,
        )
        return views.Contracts(items=tuple(map(views.contract_view, page.items)), next=_text(page.next))

    async def contract(self, id_: str) -> ContractView:
        """One of them."""
        return views.contract_view(await self._registry.agreement(id_, by=OPERATOR))

    async def ask(self, body: bodies.AskBody) -> ContractView:
        """A request, for an application that there is."""
        agreement = await self._registry.ask(
            body.client,
            api=body.api,
            tier=body.tier,
            accepted_terms=body.accepted_terms,
            reason=body.reason,
            by=OPERATOR,
        )
        return views.contract_view(agreement)

    async def approve(self, id_: str, body: bodies.ApproveBody) -> ContractView:
        """Yes."""
        agreement = await self._registry.approve(id_, by=OPERATOR, tier=body.tier, reason=body.reason)
        return views.contract_view(agreement)

    async def refuse(self, id_: str, body: bodies.NoBody) -> ContractView:
        """No."""
        return views.contract_view(await self._registry.refuse(id_, by=OPERATOR, reason=body.reason))

    async def revoke(self, id_: str, body: bodies.NoBody) -> ContractView:
        """No more."""
        return views.contract_view(await self._registry.revoke(id_, by=OPERATOR, reason=body.reason))

    async def restore(self, id_: str, body: bodies.RestoreBody) -> ContractView:
        """Once more."""
        return views.contract_view(await self._registry.restore(id_, by=OPERATOR, reason=body.reason))

    async def change_tier(self, id_: str, body: bodies.TierBody) -> ContractView:
        """More, or less."""
        return views.contract_view(await self._registry.change_tier(id_, body.tier, by=OPERATOR))

    # All of it

    async def audit(self, asked: bodies.AuditQuery) -> views.Entries:
        """Who did what, newest first."""
        page = await self._registry.audit(
            by=OPERATOR,
            client=asked.client,
            agreement=asked.contract,
            actor=asked.actor,
            after=asked.after,
            limit=asked.limit,
        )
        following = None if page.next is None else int(page.next)
        return views.Entries(items=tuple(map(views.entry_view, page.items)), next=following)

    async def usage(self, asked: bodies.UsageQuery) -> views.Calls:
        """What an application called."""
        since = self._clock.time() - asked.hours * HOUR
        found = await self._registry.usage(asked.client, by=OPERATOR, since=since, api=asked.api)
        return views.Calls(items=tuple(map(views.usage_view, found)))

    async def reconcile(self, body: bodies.ReconcileBody) -> views.Drifts:
        """Where providers' records are other than ours."""
        if body.provider is not None:
            self._registrar(body.provider)
        found = await self._registry.reconcile(by=OPERATOR, provider=body.provider, repair=body.repair)
        return views.Drifts(items=tuple(map(views.drift_view, found)))

    async def apis(self) -> views.Apis:
        """What may be asked for."""
        return views.apis_view(self._registry.catalogue)

    async def _client(self, id_: str) -> Client:
        return await self._registry.client(id_, by=OPERATOR)

    def _registrar(self, provider: str) -> Registrar:
        found = self._registry.registrars.get(provider)
        if found is None:
            raise NotFound("provider that registers clients")
        return found


def changed(metadata: Metadata, change: bodies.MetadataChange) -> Metadata:
    """The metadata with what the change names."""
    told: dict[str, Any] = change.model_dump(include=change.model_fields_set)
    if "scope" in told:
        told["scopes"] = tuple((told.pop("scope") or "").split())
    return replace(
        metadata, **{name: getattr(NOTHING, name) if value is None else value for name, value in told.items()}
    )


def _named(owner: str | None) -> Person | None:
    """The person that `provider:subject` names."""
    if owner is None:
        return None
    provider, _, subject = owner.partition(":")
    return Person(provider=provider, subject=subject)


def _opened(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _text(cursor: str | int | None) -> str | None:
    return None if cursor is None else str(cursor)
