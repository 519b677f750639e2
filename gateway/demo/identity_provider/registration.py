"""Applications register themselves (RFC 7591) and keep their own record (RFC 7592)."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from authlib.oauth2.rfc7591 import ClientRegistrationEndpoint, InvalidClientMetadataError, InvalidRedirectURIError
from authlib.oauth2.rfc7592 import ClientConfigurationEndpoint
from pydantic import ValidationError

from gateway.demo.identity_provider.client_metadata import ClientMetadata
from gateway.demo.identity_provider.endpoints import bearer
from gateway.demo.identity_provider.metadata import REGISTRATION
from gateway.demo.identity_provider.models import Client
from gateway.demo.identity_provider.refusals import BearerRefused
from gateway.demo.identity_provider.requests import JsonObjectRequest

WITHOUT_SECRET = frozenset({"none", "private_key_jwt"})


class Registration(ClientRegistrationEndpoint):
    """Open to everybody, unless an initial access token is set."""

    def authenticate_token(self, request: JsonObjectRequest) -> str:
        expected: str | None = self.server.initial_access_token
        if expected is None:
            return "nobody in particular"
        if not hmac.compare_digest(bearer(request.headers).encode(), expected.encode()):
            raise BearerRefused
        return expected

    def extract_client_metadata(self, request: JsonObjectRequest) -> dict[str, Any]:
        return _checked(request, self.server.scopes).answer()

    def generate_client_info(self, request: JsonObjectRequest) -> dict[str, Any]:
        named: dict[str, Any] = {
            # As the argument of a command, where one that begins with a dash would be an option.
            "client_id": secrets.token_hex(16),
            "client_id_issued_at": int(self.server.clock.time()),
        }
        if request.payload.data.get("token_endpoint_auth_method") in WITHOUT_SECRET:
            return named
        return {**named, "client_secret": secrets.token_urlsafe(32), "client_secret_expires_at": 0}

    def save_client(
        self, client_info: Mapping[str, Any], client_metadata: Mapping[str, Any], request: object
    ) -> Client:
        client = Client(
            client_id=client_info["client_id"],
            client_secret=client_info.get("client_secret"),
            metadata=ClientMetadata.model_validate(client_metadata),
            issued_at=client_info["client_id_issued_at"],
            registration_access_token=secrets.token_urlsafe(32),
        )
        self.server.memory.clients[client.client_id] = client
        return client

    def generate_client_registration_info(self, client: Client, request: object) -> dict[str, Any]:
        return _management(client, self.server.issuer)


@dataclass(frozen=True, slots=True)
class RegistrationToken:
    """Whose record a registration access token opens."""

    client_id: str

    def check_client(self, client: Client) -> bool:
        return client.client_id == self.client_id


class Configuration(ClientConfigurationEndpoint):
    """Read, update and delete, with the registration access token of that very client."""

    def authenticate_token(self, request: JsonObjectRequest) -> RegistrationToken:
        client = self.authenticate_client(request)
        presented = bearer(request.headers)
        # One answer for a wrong token, another client's token and a client that is gone: nobody learns which it is.
        if client is None or not _opens(client, presented):
            raise BearerRefused
        return RegistrationToken(client.client_id)

    def authenticate_client(self, request: JsonObjectRequest) -> Client | None:
        client_id = unquote(urlsplit(request.uri).path.removeprefix(f"{REGISTRATION}/"))
        clients: dict[str, Client] = self.server.memory.clients
        return clients.get(client_id)

    def check_permission(self, client: Client, request: JsonObjectRequest) -> bool:
        return True

    def extract_client_metadata(self, request: JsonObjectRequest) -> dict[str, Any]:
        return _checked(request, self.server.scopes).answer()

    def update_client(self, client: Client, client_metadata: Mapping[str, Any], request: object) -> Client:
        # RFC 7592, 2.2: the values "MUST replace, not augment, the values previously associated with this client".
        updated = replace(client, metadata=ClientMetadata.model_validate(client_metadata))
        if updated.metadata.token_endpoint_auth_method in WITHOUT_SECRET:
            updated = replace(updated, client_secret=None)
        elif updated.client_secret is None:
            updated = replace(updated, client_secret=secrets.token_urlsafe(32))
        self.server.memory.clients[client.client_id] = updated
        return updated

    def delete_client(self, client: Client, request: object) -> None:
        self.server.memory.delete_client(client.client_id)

    def introspect_client(self, client: Client) -> dict[str, Any]:
        secret = {"client_secret": client.client_secret, "client_secret_expires_at": 0}
        return {
            "client_id": client.client_id,
            "client_id_issued_at": client.issued_at,
            **(secret if client.client_secret else {}),
            **client.metadata.answer(),
        }

    def generate_client_registration_info(self, client: Client, request: object) -> dict[str, Any]:
        return _management(client, self.server.issuer)


def _checked(request: JsonObjectRequest, scopes: tuple[str, ...]) -> ClientMetadata:
    try:
        metadata = ClientMetadata.model_validate(request.payload.data)
    except ValidationError as error:
        wrong = sorted({str(found["loc"][0]) if found["loc"] else found["msg"] for found in error.errors()})
        refusal = InvalidRedirectURIError if wrong == ["redirect_uris"] else InvalidClientMetadataError
        raise refusal(f"Not acceptable: {', '.join(wrong)}.") from error
    if not set(metadata.scope.split()) <= set(scopes):
        raise InvalidClientMetadataError("Not acceptable: scope.")
    # RFC 7591, 2: "If omitted, an authorization server MAY register a client with a default set of scopes."
    return metadata if metadata.scope else metadata.model_copy(update={"scope": " ".join(scopes)})


def _management(client: Client, issuer: str) -> dict[str, Any]:
    return {
        "registration_client_uri": f"{issuer}{REGISTRATION}/{quote(client.client_id, safe='')}",
        "registration_access_token": client.registration_access_token,
    }


def _opens(client: Client, presented: str) -> bool:
    expected = client.registration_access_token
    return expected is not None and hmac.compare_digest(expected.encode(), presented.encode())
