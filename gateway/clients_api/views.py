"""What the API and the commands show: each thing as a JSON document. Secrets stand in `CredentialsView` alone."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway.clients.catalogue import Api, Catalogue, Limit, Tier
from gateway.clients.client import Agreement, Client, ClientState, Credentials, Entry, Metadata, Person
from gateway.clients.drift import Drift, Kind
from gateway.clients.life import State
from gateway.clients.store import Usage
from gateway.logs import timestamp

HOUR = 3600
Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class View(BaseModel):
    """A document that is answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def place(self) -> str:
        """Where it can be read again, below the API; empty where it cannot."""
        return ""


class PersonView(View):
    """Somebody, as a provider signed them in."""

    provider: str
    subject: str
    name: str
    email: str


class MetadataView(View):
    """What was chosen for an application, in the names of RFC 7591, 2."""

    client_name: str
    description: str
    client_uri: str | None
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    token_endpoint_auth_method: str
    scope: str
    contacts: tuple[str, ...]


class ClientView(View):
    """An application."""

    id: str
    provider: str
    client_id: str | None
    state: ClientState
    metadata: MetadataView
    owner: PersonView | None
    manageable: bool
    revealed: bool
    secret_expires_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp

    def place(self) -> str:
        """Where it can be read again."""
        return f"/clients/{self.id}"


class CredentialsView(View):
    """What an application proves itself with. It is answered once."""

    client_id: str
    client_secret: str | None = Field(repr=False)
    expires_at: Timestamp | None


class RegisteredView(View):
    """A new application, and its credentials, which are not shown again."""

    client: ClientView
    credentials: CredentialsView

    def place(self) -> str:
        """Where the application can be read again."""
        return self.client.place()


class ContractView(View):
    """A contract."""

    id: str
    client: str
    api: str
    state: State
    tier: str | None
    asked_tier: str | None
    reason: str
    terms: str
    decision_reason: str
    decided_by: str
    asked_at: Timestamp
    decided_at: Timestamp | None

    def place(self) -> str:
        """Where it can be read again."""
        return f"/contracts/{self.id}"


class EntryView(View):
    """A line of the audit log."""

    number: int
    at: Timestamp
    actor: str
    verb: str
    client: str | None
    contract: str | None
    api: str | None
    detail: str


class UsageView(View):
    """How often an application called an API within an hour, and how that came out."""

    hour: Timestamp
    api: str
    code: str
    calls: int


class DriftView(View):
    """Where our record of an application and its provider's are not the same."""

    client: str
    provider: str
    client_id: str | None
    kind: Kind
    detail: str
    repaired: bool


class LimitView(View):
    """So many requests in so many seconds."""

    requests: int
    seconds: int
    visible: bool


class TierView(View):
    """How much a client may call."""

    name: str
    title: str
    description: str
    limits: tuple[LimitView, ...]
    approval: Literal["automatic", "manual"] | None
    deprecated: bool


class ApiView(View):
    """What may be asked for."""

    name: str
    provider: str
    title: str
    description: str
    version: str
    documentation: str | None
    scopes: tuple[str, ...]
    tiers: tuple[TierView, ...]
    approval: Literal["automatic", "manual"]
    terms: str
    listed: bool
    url: str


class Clients(View):
    """A page of applications."""

    items: tuple[ClientView, ...]
    next: str | None


class Contracts(View):
    """A page of contracts."""

    items: tuple[ContractView, ...]
    next: str | None


class Entries(View):
    """A page of the audit log."""

    items: tuple[EntryView, ...]
    next: int | None


class Calls(View):
    """What an application called."""

    items: tuple[UsageView, ...]


class Drifts(View):
    """What is wrong."""

    items: tuple[DriftView, ...]


class Apis(View):
    """The catalogue."""

    items: tuple[ApiView, ...]


def client_view(client: Client) -> ClientView:
    """An application."""
    return ClientView(
        id=client.id,
        provider=client.provider,
        client_id=client.client_id,
        state=client.state,
        metadata=_metadata(client.metadata),
        owner=None if client.owner is None else _person(client.owner),
        manageable=client.manageable,
        revealed=client.revealed,
        secret_expires_at=_at(client.secret_expires_at),
        created_at=timestamp(client.created_at),
        updated_at=timestamp(client.updated_at),
    )


def credentials_view(credentials: Credentials) -> CredentialsView:
    """What an application proves itself with: for whoever may see it now."""
    secret = credentials.client_secret
    return CredentialsView(
        client_id=credentials.client_id,
        client_secret=None if secret is None else secret.get_secret_value(),
        expires_at=_at(credentials.expires_at),
    )


def contract_view(agreement: Agreement) -> ContractView:
    """A contract."""
    return ContractView(
        id=agreement.id,
        client=agreement.client,
        api=agreement.api,
        state=agreement.state,
        tier=agreement.tier,
        asked_tier=agreement.asked_tier,
        reason=agreement.reason,
        terms=agreement.terms,
        decision_reason=agreement.decision_reason,
        decided_by=agreement.decided_by,
        asked_at=timestamp(agreement.asked_at),
        decided_at=_at(agreement.decided_at),
    )


def entry_view(entry: Entry) -> EntryView:
    """A line of the audit log."""
    return EntryView(
        number=entry.number,
        at=timestamp(entry.at),
        actor=entry.actor,
        verb=entry.verb,
        client=entry.client,
        contract=entry.agreement,
        api=entry.api,
        detail=entry.detail,
    )


def usage_view(usage: Usage) -> UsageView:
    """An hour of calls."""
    return UsageView(hour=timestamp(usage.hour * HOUR), api=usage.api, code=usage.code, calls=usage.calls)


def drift_view(drift: Drift) -> DriftView:
    """Something that is wrong."""
    return DriftView(
        client=drift.client,
        provider=drift.provider,
        client_id=drift.client_id,
        kind=drift.kind,
        detail=drift.detail,
        repaired=drift.repaired,
    )


def apis_view(catalogue: Catalogue) -> Apis:
    """All that may be asked for."""
    return Apis(items=tuple(_api(api, catalogue) for api in catalogue.apis.values()))


def _api(api: Api, catalogue: Catalogue) -> ApiView:
    return ApiView(
        name=api.name,
        provider=api.provider,
        title=api.title,
        description=api.description,
        version=api.version,
        documentation=api.documentation,
        scopes=api.scopes,
        tiers=tuple(_tier(catalogue.tiers[name]) for name in api.tiers if name in catalogue.tiers),
        approval=api.approval,
        terms=api.terms,
        listed=api.listed,
        url=api.url,
    )


def _tier(tier: Tier) -> TierView:
    return TierView(
        name=tier.name,
        title=tier.title,
        description=tier.description,
        limits=tuple(_limit(limit) for limit in tier.limits),
        approval=tier.approval,
        deprecated=tier.deprecated,
    )


def _limit(limit: Limit) -> LimitView:
    return LimitView(requests=limit.requests, seconds=limit.seconds, visible=limit.visible)


def _metadata(metadata: Metadata) -> MetadataView:
    return MetadataView(
        client_name=metadata.client_name,
        description=metadata.description,
        client_uri=metadata.client_uri,
        redirect_uris=metadata.redirect_uris,
        grant_types=metadata.grant_types,
        token_endpoint_auth_method=metadata.token_endpoint_auth_method,
        scope=" ".join(metadata.scopes),
        contacts=metadata.contacts,
    )


def _person(person: Person) -> PersonView:
    return PersonView(provider=person.provider, subject=person.subject, name=person.name, email=person.email)


def _at(seconds: float | None) -> str | None:
    return None if seconds is None else timestamp(seconds)
