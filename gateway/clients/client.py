"""An application and the people around it, as the store keeps them. Names are those of RFC 7591 where it has one."""

from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import SecretStr

from gateway.clients.life import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whom a provider signed in. Known by provider and subject: names and addresses change."""

    provider: str
    subject: str
    name: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something."""

    person: Person | None = None
    """`None`: an operator, by command or by the admin API, or the gateway itself."""
    called: str = "operator"
    """How the audit log names one who is no person: `operator`, `gateway`."""
    decides: bool = False
    """Whether it may approve, refuse, revoke and restore, and see what is not its own."""


OPERATOR = Actor(decides=True)
GATEWAY = Actor(called="gateway", decides=True)


class ClientState(StrEnum):
    """Where a client stands."""

    DRAFT = "draft"
    """Described, and unknown to its provider: no contract of it has been approved."""
    REGISTERING = "registering"
    """We asked the provider, and have not kept its answer yet."""
    REGISTERED = "registered"
    DELETED = "deleted"
    """Kept for the audit log; its tokens count no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What people chose for an application (RFC 7591, 2)."""

    client_name: str
    description: str = ""
    """For people here; the provider never sees it."""
    client_uri: str | None = None
    redirect_uris: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = ("client_credentials",)
    token_endpoint_auth_method: str = "client_secret_basic"
    scopes: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An application. Holds no secret."""

    id: str
    """Ours: it exists before the provider gave one."""
    provider: str
    client_id: str | None
    """The provider's."""
    state: ClientState
    metadata: Metadata
    owner: Person | None
    """`None`: registered or adopted by an operator."""
    manageable: bool = False
    """Whether the provider lets us read, update and delete it (RFC 7592)."""
    revealed: bool = False
    """Whether its secret was shown: it is shown once."""
    secret_expires_at: float | None = None
    """Seconds since the epoch; `None` is never."""
    created_at: float = 0.0
    updated_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What an application proves itself with. The `repr` shows no secret."""

    client_id: str
    client_secret: SecretStr | None
    """`None`: a public client."""
    expires_at: float | None = None
    """Seconds since the epoch; `None` is never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What a provider said of a client, whole, and what of it we need. The `repr` shows no secret."""

    reply: dict[str, object] = field(repr=False)
    """The whole document (RFC 7591, 3.2.1): a later update sends it back."""
    credentials: Credentials
    registration_client_uri: str | None
    registration_access_token: SecretStr | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A client's contract for an API as the store keeps it, in whatever state. (In force, it makes a `Contract`.)"""

    id: str
    client: str
    """`Client.id`."""
    api: str
    state: State
    tier: str | None
    """The tier in force, or asked for."""
    asked_tier: str | None = None
    reason: str = ""
    """Why access is asked for, in the words of who asks."""
    terms: str = ""
    """The terms that were accepted, as they read then."""
    decision_reason: str = ""
    """Why it was decided so, in the words of who decided."""
    decided_by: str = ""
    asked_at: float = 0.0
    decided_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the audit log. It holds no secret."""

    number: int
    at: float
    """Seconds since the epoch."""
    actor: str
    """`provider:subject` of a person, or `operator`, or `gateway`."""
    verb: str
    """`client.registered`, `contract.approved`, …"""
    client: str | None = None
    agreement: str | None = None
    api: str | None = None
    detail: str = ""
