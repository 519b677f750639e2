"""The interface between policies and the machine: facts go in, a decision comes out. Imports nothing of ours."""

import math
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Protocol, TypeAlias, runtime_checkable

from multidict import MultiMapping

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values in order; a name may come more than once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who a request acts for, once a policy established it."""

    provider: str
    client_id: str | None
    subject: str | None
    scopes: frozenset[str]
    claims: Mapping[str, object] = field(repr=False)
    tier: str | None = None


def place_of(address: str) -> str:
    """What counts as one address: of IPv6 a /64, which is what one customer of a provider has (RFC 6177)."""
    if ":" not in address:
        return address
    six = IPv6Address(address.partition("%")[0])
    return str(six.ipv4_mapped) if six.ipv4_mapped else str(IPv6Address(int(six) >> 64 << 64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The facts of one request, as its caller sent it. Never the body.

    What may hold a credential is left out of the `repr`.
    """

    method: str
    host: str
    path: str
    """Normalised; exactly what the upstream's path is made of."""
    query: str = field(repr=False)
    """Without the question mark, as it was sent."""
    headers: MultiMapping[str] = field(repr=False)
    """The object the parser made: names compare without regard to case."""
    caller_ip: str
    received_at: float
    """Seconds since the epoch. The time is a fact: no policy reads a clock."""
    api: str
    principal: Principal | None = None
    form: MultiMapping[str] | None = field(default=None, repr=False)
    """The fields of a form body, only where a policy of the route has `reads_form`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """The request may go on, with these changes to what the upstream and the caller receive."""

    principal: Principal | None = None
    set_headers: Headers = ()
    """For the upstream; each replaces what the caller sent under that name."""
    drop_headers: frozenset[str] = frozenset()
    """Names, in lower case, that the upstream does not receive."""
    drop_parameters: frozenset[str] = frozenset()
    """Names of query and form parameters that the upstream does not receive."""
    answer_headers: Headers = ()
    """For the caller."""
    valid_until: float = math.inf
    """Seconds since the epoch; a stream that is still open then is closed."""
    notes: Headers = ()
    """For the access log: names and values of closed sets, never input."""
    reported: Headers = ()
    """Set by the chain: what report-only policies would have answered, their names and codes."""


@dataclass(frozen=True, slots=True)
class Deny:
    """The request ends here, and this is the answer."""

    status: int
    code: str
    """Stable: metrics, logs, explain and clients rely on it."""
    detail: str
    """One sentence; a constant or configuration, never input."""
    headers: Headers = ()
    notes: Headers = ()
    error: str | None = None
    """The OAuth 2.0 error code, where the caller presented a credential (RFC 6750, 3.1)."""
    reported: Headers = ()
    principal: Principal | None = None
    """Whose request it was, once that was known: for the record, and never a permission."""
    body: bytes | None = None
    """In place of the problem document, for a policy that speaks another protocol; its type is in `headers`."""


Decision: TypeAlias = Allow | Deny


class Policy(Protocol):
    """Decides, and does not forward. One that knows answers at once; one that must ask returns an awaitable.

    Raises `Unavailable` when it cannot say. A policy may also carry `identity_headers`, the names of the headers it
    sets for the upstream (a trailing `*` names a prefix): the gateway removes them from every request on every
    route. One that has a true `reads_form` is given `request.form`.
    """

    def decide(self, request: Request, /) -> Decision | Awaitable[Decision]: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of a policy and how it came out: a line of `tokenward explain`."""

    check: str
    passed: bool | None
    """`None`: there was nothing to check."""
    detail: str


@runtime_checkable
class Explains(Protocol):
    """A policy that can say how each of its checks comes out."""

    async def explain(self, request: Request, claims: Mapping[str, object] | None, /) -> Sequence[Finding]:
        """The checks in order. With `claims`, as if the provider had said them about the request's token."""


class Unavailable(Exception):
    """We could not do our part, so there is neither a yes nor a no: 503, never a refusal and never a way in."""

    def __init__(self, detail: str, *, code: str = "unavailable", retry_after: int = 1) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.retry_after = retry_after
        """Whole seconds after which it makes sense to come back."""
