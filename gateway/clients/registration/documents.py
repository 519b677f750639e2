"""What a provider is sent to register or to change a client: JSON documents of RFC 7591, 2. No I/O in here."""

from collections.abc import Mapping
from typing import TypeAlias

from gateway.clients.client import Metadata, Registered
from gateway.clients.registration.redirects import is_private_use
from gateway.providers.registration import Registration

Document: TypeAlias = dict[str, object]

SECRET_ID = "client_secret_id"
"""Ours, beside the members of a kept reply: which secret it is, where a client may have two."""
SAID_BY_THE_PROVIDER = frozenset(
    {
        "client_id_issued_at",
        "client_secret_expires_at",
        "registration_access_token",
        "registration_client_uri",
        "client_secret",
        SECRET_ID,
    }
)
"""RFC 7592, 2.2: the first four an update "MUST NOT include"; a secret is added where it is to stay."""
CHOSEN_BY_US = frozenset(
    {
        "application_type",
        "client_name",
        "client_uri",
        "contacts",
        "grant_types",
        "redirect_uris",
        "response_types",
        "scope",
        "software_id",
        "token_endpoint_auth_method",
    }
)


def registration_document(metadata: Metadata, registration: Registration, software_id: str) -> Document:
    """What registers a client. `metadata` has been checked; `software_id` is how we recognise it as ours."""
    document = {**_chosen(metadata, registration), "software_id": software_id}
    return {name: value for name, value in document.items() if name not in registration.omits}


def update_document(
    metadata: Metadata, registration: Registration, registered: Registered, *, keep_secret: bool
) -> Document:
    """What changes a client: everything that the provider said of it, and in it what people choose now.

    RFC 7592, 2.2: the request "MUST include all client metadata fields as returned to the client from a previous
    registration, read, or update operation". What it does not hold is deleted.
    """
    returned = {name: value for name, value in registered.reply.items() if _may_return(name, value)}
    chosen = registration_document(metadata, registration, str(registered.reply.get("software_id") or ""))
    document = {**returned, **chosen, "client_id": registered.credentials.client_id}
    if not document.get("software_id"):
        document.pop("software_id", None)
    secret = registered.credentials.client_secret
    # RFC 7592, 2.2: if the client sends its secret, "the value […] MUST match the currently issued client secret". Some
    # providers insist on it, and some make a new one where it is left out.
    if keep_secret and secret is not None and metadata.token_endpoint_auth_method != "none":
        document["client_secret"] = secret.get_secret_value()
    return document


def _may_return(name: str, value: object) -> bool:
    # Members that begin with an underscore are links of the API, and no metadata.
    return name not in SAID_BY_THE_PROVIDER | CHOSEN_BY_US and value is not None and not name.startswith("_")


def _chosen(metadata: Metadata, registration: Registration) -> Document:
    document: Document = {
        "application_type": _application_type(metadata, registration),
        "client_name": metadata.client_name,
        "grant_types": list(metadata.grant_types),
        "redirect_uris": list(metadata.redirect_uris),
        "response_types": _response_types(metadata, registration),
        "token_endpoint_auth_method": metadata.token_endpoint_auth_method,
    }
    optional: Mapping[str, object] = {
        "client_uri": metadata.client_uri,
        "contacts": list(metadata.contacts),
        "scope": " ".join(metadata.scopes),
    }
    return document | {name: value for name, value in optional.items() if value}


def _application_type(metadata: Metadata, registration: Registration) -> str:
    """OpenID Connect Registration, 2: `native` or `web`; some providers know more."""
    if any(is_private_use(uri) for uri in metadata.redirect_uris):
        return "native"
    if not _signs_in(metadata):
        return registration.service_type
    return registration.browser_type if metadata.token_endpoint_auth_method == "none" else "web"


def _response_types(metadata: Metadata, registration: Registration) -> list[str]:
    """RFC 7591, 2.1: the response types that go with the grant types."""
    if not _signs_in(metadata):
        return list(registration.service_responses)
    code = ["code"] if "authorization_code" in metadata.grant_types else []
    return code + (["id_token", "token"] if "implicit" in metadata.grant_types else [])


def _signs_in(metadata: Metadata) -> bool:
    return bool({"authorization_code", "implicit"} & set(metadata.grant_types))
