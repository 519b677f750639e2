"""What client management may cost, what it compares, and whom it tells: options. Secrets do not show in the `repr`."""

import base64
import binascii
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
WEBHOOK_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """What people may have, and how long their words may be."""

    applications_per_person: int = 20
    """Deleted ones do not count."""
    requests_per_hour: int = 30
    """Of one person, refused ones included."""
    longest_reason: int = 2_000
    """Characters of a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciling:
    """How our records are compared with those of the providers."""

    interval: float = 3_600.0
    """Seconds between two comparisons; one node does each."""
    repair: bool = False
    """Whether the comparison in the background repairs what it finds. Either way it logs it, and finishes deletions."""
    deleted_there: Literal["revoke", "register"] = "revoke"
    """The repair of a client that its provider no longer knows: end its contracts, or register it anew."""
    changed_there: Literal["ours", "theirs"] = "ours"
    """The repair of a client that was changed at its provider: whose words count."""
    expires_within: float = 14 * 86_400.0
    """Seconds before a secret expires, from which on its owner is told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Notices by e-mail. Raises ValueError where a password would travel unencrypted."""

    host: str
    """The SMTP server."""
    port: int = 587
    """Its port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` insists on encryption; `none` takes no password, unless the server is on this machine."""
    username: str | None = None
    """Where the server wants to know who sends."""
    password: SecretStr | None = None
    """Of that user."""
    sender: str = "tokenward@localhost"
    """The address that notices come from."""
    owners: tuple[str, ...] = ()
    """The addresses that are told of requests."""
    ca_file: str | None = None
    """A bundle in PEM that replaces the system's authorities."""
    timeout: float = 10.0
    """Seconds for one try."""
    attempts: int = 4
    """Tries in all, further and further apart."""
    portal: str = ""
    """A link to the portal, for the end of each notice."""

    def __post_init__(self) -> None:
        if self.password is not None and self.security == "none" and self.host not in LOOPBACK:
            raise ValueError("a password is sent over an encrypted connection only: starttls or tls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Notices by POST, signed as Standard Webhooks has it. Raises ValueError where the secret is none."""

    url: str
    """Where notices are sent."""
    secret: SecretStr
    """`whsec_` and 24 to 64 random bytes in base64."""
    timeout: float = 10.0
    """Seconds for one try."""
    attempts: int = 4
    """Tries in all, further and further apart."""
    ca_file: str | None = None
    """A bundle in PEM that replaces the system's authorities."""

    def __post_init__(self) -> None:
        if self.url.partition("://")[0] not in {"http", "https"}:
            raise ValueError("a webhook has a URL of http or https")
        self.key()

    def key(self) -> bytes:
        """The secret's bytes."""
        try:
            found = base64.b64decode(self.secret.get_secret_value().removeprefix(WEBHOOK_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            found = b""
        # Standard Webhooks, Symmetric: between 24 bytes (192 bits) and 64 bytes (512 bits).
        if not 24 <= len(found) <= 64:
            raise ValueError("a webhook's secret is 24 to 64 random bytes in base64")
        return found
