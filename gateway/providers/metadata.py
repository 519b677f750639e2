"""What a provider publishes about itself, and whether it counts. No I/O and no clock in here."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from gateway.policy import Unavailable
from gateway.ports import Reply
from gateway.providers import ClientAuthentication, Endpoints, Order, Provider
from gateway.providers.urls import url_fault

Document: TypeAlias = Mapping[str, object]

# Our names, and those of RFC 8414, 2 and OpenID Connect Discovery, 3.
MEMBERS = {
    "introspection": "introspection_endpoint",
    "jwks": "jwks_uri",
    "token": "token_endpoint",
    "authorization": "authorization_endpoint",
    "registration": "registration_endpoint",
    "revocation": "revocation_endpoint",
    "userinfo": "userinfo_endpoint",
}


@dataclass(frozen=True, slots=True)
class Metadata:
    """A provider's endpoints, those that are configured before those that are published, and all that it published."""

    endpoints: Endpoints
    document: Document = field(default_factory=lambda: MappingProxyType({}), repr=False)


def needs_metadata(provider: Provider) -> bool:
    """Whether an endpoint that tokens are verified with is left to the metadata."""
    asks = provider.introspection is not None
    complete = provider.endpoints.jwks is not None and (provider.endpoints.introspection is not None or not asks)
    return bool(provider.discovery) and not complete


def read_metadata(reply: Reply, provider: Provider) -> Metadata:
    """The metadata in an answer.

    Raises `Unavailable` when it does not count as a whole: code `metadata_status`, `metadata_malformed`,
    `metadata_issuer` or `metadata_endpoint`.
    """
    # RFC 8414, 3.2: "A successful response MUST use the 200 OK HTTP status code". A redirect is none.
    if reply.status != 200:
        raise Unavailable("the answer's status is not 200.", code="metadata_status")
    document = _json_object(reply.body)
    # RFC 8414, 3.3: the issuer "MUST be identical to" ours. "If these values are not identical, the data contained
    # in the response MUST NOT be used".
    if not provider.issuer or document.get("issuer") != provider.issuer:
        raise Unavailable("its issuer is not the configured one.", code="metadata_issuer")
    endpoints = _complete(provider.endpoints, {**_urls(document), **_aliases(document, provider)})
    if endpoints.jwks is None and provider.dialect.order is not Order.INTROSPECT_ONLY:
        raise Unavailable("its jwks_uri is missing.", code="metadata_endpoint")
    return Metadata(endpoints, MappingProxyType(document))


def _json_object(body: bytes) -> dict[str, object]:
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise Unavailable("it is not a JSON object.", code="metadata_malformed")
    return document


def _urls(document: Document) -> dict[str, str]:
    """The endpoints that are named. One that is wrong makes the others doubtful: the document does not count."""
    named = {ours: document[theirs] for ours, theirs in MEMBERS.items() if document.get(theirs) is not None}
    urls = {}
    for ours, url in named.items():
        fault = url_fault(url)
        if fault is not None:
            raise Unavailable(f"its {MEMBERS[ours]} {fault}.", code="metadata_endpoint")
        urls[ours] = str(url)
    return urls


def _aliases(document: Document, provider: Provider) -> dict[str, str]:
    """RFC 8705, 5: a client that does mutual TLS "MUST use the alias URL of the endpoint", where there is one."""
    aliases = document.get("mtls_endpoint_aliases")
    credentials = provider.introspection
    if aliases is None or credentials is None or credentials.authentication is not ClientAuthentication.TLS_CLIENT_AUTH:
        return {}
    if not isinstance(aliases, dict):
        raise Unavailable("its mtls_endpoint_aliases is not a JSON object.", code="metadata_endpoint")
    return _urls(aliases)


def _complete(configured: Endpoints, published: dict[str, str]) -> Endpoints:
    named = {name: url for name, url in asdict(configured).items() if url is not None}
    return Endpoints(**{**published, **named})
