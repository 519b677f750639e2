"""Which client is calling: the five ways to prove it (RFC 6749, 2.3; OpenID Connect Core, 9)."""

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from gateway.demo.identity_provider.memory import Memory
from gateway.demo.identity_provider.models import Client
from gateway.demo.identity_provider.refusals import ClientNotAuthenticated
from gateway.demo.identity_provider.requests import FormRequest
from gateway.ports import Clock

LEEWAY = 30
"""Seconds that the clock of a client may be off."""


class Authentication:
    """Finds the client of a request. Raises ClientNotAuthenticated, and InvalidRequestError for two proofs at once."""

    def __init__(self, memory: Memory, audiences: tuple[str, ...], clock: Clock) -> None:
        self._memory = memory
        self._assertions = Assertions(memory, audiences, clock)

    def client(self, request: FormRequest) -> Client:
        """The client, by the one method it was registered for."""
        match _proofs(request):
            case []:
                return self._known(request.form.get("client_id"), "none")
            case ["basic"]:
                client_id, secret = _basic(request.headers["Authorization"])
                return self._with_secret(client_id, secret, "client_secret_basic")
            case ["post"]:
                return self._with_secret(
                    request.form.get("client_id"), request.form["client_secret"], "client_secret_post"
                )
            case ["assertion"]:
                return self._assertions.client(request)
        # RFC 6749, 2.3: "The client MUST NOT use more than one authentication method in each request."
        raise InvalidRequestError("The client authenticates in more than one way.")

    def _known(self, client_id: str | None, method: str) -> Client:
        client = self._memory.clients.get(client_id or "")
        if client is None or client.metadata.token_endpoint_auth_method != method:
            raise ClientNotAuthenticated
        return client

    def _with_secret(self, client_id: str | None, secret: str, method: str) -> Client:
        client = self._known(client_id, method)
        if not client.check_client_secret(secret):
            raise ClientNotAuthenticated
        return client


class Assertions(JWTBearerClientAssertion):
    """client_secret_jwt and private_key_jwt (RFC 7523), by our clock and with our statuses."""

    def __init__(self, memory: Memory, audiences: tuple[str, ...], clock: Clock) -> None:
        super().__init__(leeway=LEEWAY)
        self._memory = memory
        self._audiences = audiences
        self._clock = clock

    def client(self, request: FormRequest) -> Client:
        """The client that signed the assertion of this request."""
        if request.form.get("client_assertion_type") != self.CLIENT_ASSERTION_TYPE:
            raise ClientNotAuthenticated
        try:
            return self._signer(request)
        except InvalidClientError as error:
            raise ClientNotAuthenticated from error

    def _signer(self, request: FormRequest) -> Client:
        _, claims = self.extract_assertion(request.form["client_assertion"])
        client = self._memory.clients.get(_text(claims, "sub"))
        # RFC 7521, 4.2: a client_id that is sent besides "MUST identify the same client".
        if client is None or request.form.get("client_id", client.client_id) != client.client_id:
            raise ClientNotAuthenticated
        self.process_assertion_claims(request.form["client_assertion"], self.resolve_client_public_key(client))
        return client

    def resolve_client_public_key(self, client: Client) -> KeySet | OctKey:
        match client.metadata.token_endpoint_auth_method:
            case "client_secret_jwt" if client.client_secret:
                return OctKey.import_key(client.client_secret)
            case "private_key_jwt" if client.metadata.jwks:
                return KeySet.import_key_set(client.metadata.jwks)  # type: ignore[arg-type]  # checked when it came
        raise ClientNotAuthenticated

    def verify_claims(self, claims: Mapping[str, object]) -> None:
        client_id = _text(claims, "sub")
        expected = jwt.JWTClaimsRegistry(
            now=int(self._clock.time()),
            leeway=LEEWAY,
            iss={"essential": True, "value": client_id},
            sub={"essential": True},
            aud={"essential": True, "values": list(self._audiences)},
            exp={"essential": True},
            jti={"essential": True},
        )
        try:
            expected.validate(dict(claims))
        except JoseError as error:
            raise ClientNotAuthenticated from error
        # OpenID Connect Core, 9: the jti is there "to prevent reuse of the token".
        if not self._memory.is_new_assertion(client_id, _text(claims, "jti"), _seconds(claims, "exp") + LEEWAY):
            raise ClientNotAuthenticated


def _proofs(request: FormRequest) -> list[str]:
    sent = {
        "basic": "Authorization" in request.headers,
        "post": "client_secret" in request.form,
        "assertion": "client_assertion" in request.form,
    }
    return [name for name, present in sent.items() if present]


def _basic(header: str) -> tuple[str, str]:
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        raise ClientNotAuthenticated
    try:
        name, _, secret = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ClientNotAuthenticated from error
    # RFC 6749, 2.3.1: both are "encoded using the application/x-www-form-urlencoded encoding algorithm" first.
    return unquote_plus(name), unquote_plus(secret)


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise ClientNotAuthenticated
    return value


def _seconds(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float):
        raise ClientNotAuthenticated
    return value
