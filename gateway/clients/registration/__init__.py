"""Clients at their identity provider: registered (RFC 7591), read, changed and deleted there (RFC 7592)."""

from dataclasses import dataclass

from gateway.clients.client import Registered
from gateway.clients.mistakes import Conflict


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What can be done to a client at its provider."""

    read: bool = False
    update: bool = False
    delete: bool = False
    rotate: bool = False
    """Whether a new secret can be asked for. Not every provider that takes an update gives one."""
    why: str = ""
    """A sentence on what cannot be done, and what to do instead; empty where all of it can."""


class SecretStays(Conflict):
    """A new secret was asked for, and the provider kept the old one.

    `registered` is what it answered: it has to be kept, because the registration access token may be a new one.
    """

    def __init__(self, registered: Registered) -> None:
        super().__init__(
            "The provider took the update and kept the secret: register the application anew, or change the secret at "
            "the provider and adopt the client.",
            "cannot_rotate",
        )
        self.registered = registered
