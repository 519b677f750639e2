"""What is kept of clients, contracts and their people. Only `opening` and what it imports need SQLAlchemy."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.clients import ClientKey, Contract

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list, and where the next part begins."""

    items: tuple[T, ...]
    next: str | int | None
    """What `after` takes for the next page; `None`: this was the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """Every contract in force, and every client whose tokens count no more."""

    contracts: tuple[Contract, ...]
    blocked: tuple[ClientKey, ...]
    number: int
    """Of the last change that is in it; there may be newer ones in it as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How often a client called an API within an hour, and how it came out."""

    hour: int
    """Whole hours since the epoch."""
    provider: str
    client_id: str
    api: str
    code: str
    """`allowed`, or the code of the refusal."""
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser that signed in. The store seals the contents; the `repr` shows nothing that opens a session."""

    digest: bytes = field(repr=False)
    """Of the cookie's value: who reads the store learns no cookie."""
    contents: bytes = field(repr=False)
    provider: str
    subject: str
    sid: str | None = None
    """The provider's name for its own session (OpenID Connect Back-Channel Logout 1.0, 2.1)."""
    expires_at: float
    """Seconds since the epoch."""


class Unusable(Exception):
    """The store is not usable as it is configured: an operator has to act. `str` says how, and holds no secret."""

    def __init__(self, detail: str, code: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        """`weak_key`, `wrong_key`, `invalid_url`, `not_migrated`, `newer_schema`, `no_driver`."""
