"""What the API takes: bodies and queries. What is not named here is refused and not ignored."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gateway.clients.client import ClientState, Person
from gateway.clients.life import State

LARGEST = 2**63 - 1
Text = Annotated[str, Field(max_length=2_000)]
Id = Annotated[str, Field(min_length=1, max_length=255)]
Reason = Annotated[str, Field(max_length=10_000)]
Owner = Annotated[str, Field(pattern=r"^[^:]+:.+$", max_length=510)]
"""A person as `provider:subject`."""
Words = Annotated[str, Field(max_length=255)]
Place = Annotated[str, Field(max_length=5_000, pattern="^[A-Za-z0-9_-]*$")]
"""Where a page ended."""


class Asked(BaseModel):
    """What somebody sent."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Nothing(Asked):
    """There is nothing to say."""


class MetadataBody(Asked):
    """What is chosen for an application, in the names of RFC 7591, 2. Left out: as the provider has it first."""

    client_name: Text
    description: Text = ""
    client_uri: Text | None = None
    redirect_uris: tuple[Text, ...] = ()
    grant_types: tuple[Id, ...] | None = None
    token_endpoint_auth_method: Id | None = None
    scope: Annotated[str, Field(max_length=20_000)] = ""
    contacts: tuple[Text, ...] = ()


class MetadataChange(Asked):
    """What is chosen otherwise from now on (RFC 7396): what is left out stays as it is; null is nothing at all."""

    client_name: Text | None = None
    description: Text | None = None
    client_uri: Text | None = None
    redirect_uris: tuple[Text, ...] | None = None
    grant_types: tuple[Id, ...] | None = None
    token_endpoint_auth_method: Id | None = None
    scope: Annotated[str, Field(max_length=20_000)] | None = None
    contacts: tuple[Text, ...] | None = None


class PersonBody(Asked):
    """Somebody who signs in at a provider."""

    provider: Id
    subject: Id
    name: Text = ""
    email: Text = ""

    def person(self) -> Person:
        """As the registry knows them."""
        return Person(provider=self.provider, subject=self.subject, name=self.name, email=self.email)


class AccessBody(Asked):
    """A contract to begin with."""

    api: Id
    tier: Id | None = None


class RegisterBody(Asked):
    """An application to register at once, with contracts in force."""

    provider: Id
    metadata: MetadataBody
    owner: PersonBody | None = None
    apis: tuple[AccessBody, ...] = ()


class AdoptBody(Asked):
    """A client that exists at its provider. The last two make it manageable (RFC 7592), and go together."""

    provider: Id
    client_id: Id
    owner: PersonBody | None = None
    client_secret: SecretStr | None = None
    registration_client_uri: Text | None = None
    registration_access_token: SecretStr | None = None


class AskBody(Asked):
    """A request for access, for an application that there is."""

    client: Id
    api: Id
    tier: Id | None = None
    accepted_terms: bool = False
    reason: Reason = ""


class ApproveBody(Asked):
    """A yes; with another tier than was asked for, if one is named."""

    tier: Id | None = None
    reason: Reason = ""


class RestoreBody(Asked):
    """A yes to what was revoked."""

    reason: Reason = ""


class NoBody(Asked):
    """A no, and why: the developer reads it."""

    reason: Annotated[Reason, Field(min_length=1)]


class TierBody(Asked):
    """Another tier; null for an API without tiers."""

    tier: Id | None


class ReconcileBody(Asked):
    """Which providers' records are compared with ours, and whether what is found is repaired."""

    provider: Id | None = None
    repair: bool = False


class DeleteQuery(Asked):
    """Why an application is deleted."""

    reason: Text = ""


class ClientsQuery(Asked):
    """Which applications."""

    owner: Owner | None = None
    provider: Id | None = None
    state: ClientState | None = None
    search: Words = ""
    after: Place = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class ContractsQuery(Asked):
    """Which contracts. `search` is about their applications."""

    client: Id | None = None
    owner: Owner | None = None
    api: Id | None = None
    state: State | None = None
    search: Words = ""
    after: Place = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class AuditQuery(Asked):
    """Which lines of the audit log. `after` is a number: those that were written before it."""

    client: Id | None = None
    contract: Id | None = None
    actor: Words | None = None
    after: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    limit: Annotated[int, Field(ge=1, le=200)] = 100


class UsageQuery(Asked):
    """Whose calls, and of how many hours back."""

    client: Id
    api: Id | None = None
    hours: Annotated[int, Field(ge=1, le=8_784)] = 24
