"""Where our record of a client and its provider's are not the same. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.clients.client import Metadata, Registered
from gateway.clients.registration.replies import differences


class Kind(StrEnum):
    """What is wrong."""

    DELETED_THERE = "deleted_there"
    """Its provider no longer knows it."""
    CHANGED_THERE = "changed_there"
    """Somebody changed it at its provider."""
    SECRET_EXPIRES = "secret_expires"
    """Its secret has expired, or will within days."""
    ORPHANED = "orphaned"
    """It may be at the provider, although nobody here uses it."""
    UNKEPT = "unkept"
    """The provider said something new of it, which the store did not take."""
    UNREACHABLE = "unreachable"
    """Its provider could not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A client, and what is wrong with it. It holds no secret."""

    client: str
    """Our id."""
    provider: str
    client_id: str | None
    kind: Kind
    detail: str = ""
    repaired: bool = False


def changes(told: Metadata, kept: Registered, now: Registered) -> tuple[str, ...]:
    """The members that were changed at the provider.

    What it said otherwise from the beginning is its way of saying it: some add a grant type, or write a method as a
    list.
    """
    found = set(differences(told, now)) - set(differences(told, kept))
    if kept.credentials.client_secret != now.credentials.client_secret:
        found.add("client_secret")
    return tuple(sorted(found))


def is_newer(kept: Registered, now: Registered) -> bool:
    """Whether we would lose the client without what the provider just said (RFC 7592, 3)."""
    return (kept.registration_access_token, kept.registration_client_uri) != (
        now.registration_access_token,
        now.registration_client_uri,
    )
