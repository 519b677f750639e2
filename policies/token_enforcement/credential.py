"""Find the credential of a request: in the places the route names, and in one of them only. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias
from urllib.parse import parse_qsl

from gateway.policy import Request
from policies.token_enforcement.options import Sources

PARAMETER = "access_token"
"""RFC 6750, 2.2 and 2.3: the name of the form and query parameter."""

# RFC 6750, 2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=". Salesforce adds "!".
GRAMMAR = re.compile(r"[A-Za-z0-9\-._~+/!]+=*")


class Credential:
    """The secret as found in a request. Its `repr` shows a digest."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    @property
    def octets(self) -> bytes:
        """The octets that the caller sent, whatever they are."""
        return self.value.encode("utf-8", "surrogateescape")

    @property
    def is_well_formed(self) -> bool:
        """Whether it is spelled as a bearer token may be; what is not is never sent to a provider."""
        return GRAMMAR.fullmatch(self.value) is not None

    @property
    def looks_like_jwt(self) -> bool:
        """Whether it has three segments, the first of which begins a JSON object (RFC 7515, 7.1)."""
        # "{" and what may follow it in JSON, in base64url.
        return self.value.startswith(("ey", "ew", "e3")) and self.value.count(".") == 2

    def __repr__(self) -> str:
        return f"Credential(sha256:{sha256(self.octets).hexdigest()[:12]})"


@dataclass(frozen=True, slots=True)
class Unusable:
    """A request that presents its credential in a way nobody may: the caller's mistake (RFC 6750, 3.1)."""

    code: str
    detail: str


REPEATED = Unusable("credential_repeated", "The request carries more than one credential.")
MALFORMED = Unusable("credential_malformed", "The credential is not spelled as a bearer token is.")
MISNAMED = Unusable("credential_misnamed", "The request spells the token's parameter in a way that is not accepted.")

Found: TypeAlias = Credential | Unusable | None


def find_credential(request: Request, sources: Sources) -> Found:
    """The credential; or `None` where there is none; or how it was presented wrongly.

    "Clients MUST NOT use more than one method to transmit the token in each request" (RFC 6750, 2).
    """
    found: str | None = None
    if sources.authorization:
        values = request.headers.getall("Authorization", ())
        if len(values) > 1:
            return REPEATED
        if values:
            found = _bearer(values[0])
            if found == "":
                return MALFORMED
    if not request.query and sources.are_plain:
        return None if found is None else Credential(found)
    return _only([*([] if found is None else [found]), *_elsewhere(request, sources)], request, sources)


def _bearer(value: str) -> str | None:
    """The token of a Bearer header, empty when it has none; `None` for another scheme."""
    if value.startswith("Bearer "):
        return value[7:].strip(" ")
    # RFC 9110, 11.1: the scheme's name is compared without regard to case.
    scheme, _, token = value.partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else None


def _only(values: list[str], request: Request, sources: Sources) -> Found:
    if _is_misnamed(request, sources):
        return MISNAMED
    # Section 2 knows the query parameter whether or not the route reads it: beside another token it is one too many.
    if len(values) > 1 or (values and sources.query != PARAMETER and _parameters(request, PARAMETER)):
        return REPEATED
    if not values:
        return None
    return Credential(values[0]) if values[0] else MALFORMED


def _elsewhere(request: Request, sources: Sources) -> Iterator[str]:
    """The credentials that stand in other places than the Authorization header."""
    if sources.header is not None:
        yield from request.headers.getall(sources.header, ())
    if sources.query is not None:
        yield from _parameters(request, sources.query)
    if sources.form is not None and request.form is not None:
        yield from request.form.getall(sources.form, ())
    if sources.cookie is not None:
        yield from cookies(request).get(sources.cookie, ())


def _parameters(request: Request, name: str) -> list[str]:
    return [value for key, value in parse_qsl(request.query, keep_blank_values=True) if key == name]


def _is_misnamed(request: Request, sources: Sources) -> bool:
    """Whether a query names the parameter in another case or as an array, which some upstreams take for the same."""
    if sources.query is None:
        return False
    names = [key for key, _ in parse_qsl(request.query, keep_blank_values=True)]
    return any(key != sources.query and key.lower().rstrip("[]") == sources.query.lower() for key in names)


def cookies(request: Request) -> dict[str, list[str]]:
    """All values of each cookie; pairs without `=` are passed over (RFC 6265, 5.2 does so for Set-Cookie)."""
    values: dict[str, list[str]] = {}
    for header in request.headers.getall("Cookie", ()):
        for pair in header.split(";"):
            name, equals, value = pair.strip(" \t").partition("=")
            if equals:
                values.setdefault(name, []).append(value.strip('"'))
    return values


def cookies_without(request: Request, name: str) -> str:
    """The Cookie header without that cookie; empty when nothing is left."""
    pairs = [pair.strip(" \t") for header in request.headers.getall("Cookie", ()) for pair in header.split(";")]
    return "; ".join(pair for pair in pairs if pair and pair.partition("=")[0] != name)
