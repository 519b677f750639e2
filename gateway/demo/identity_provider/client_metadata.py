"""What an application says about itself (RFC 7591, 2), checked."""

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

AUTHENTICATION_METHODS = (
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "none",
)
GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials")
SIGNATURES = ("RS256", "ES256")

Signature = Literal["RS256", "ES256"]


def _redirect_uri(uri: str) -> str:
    parts = urlsplit(uri)
    is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
    # RFC 8252, 7.1: a scheme of one's own is a domain name in reverse. That also keeps `javascript:` out.
    if not is_web and "." not in parts.scheme:
        raise ValueError("it names no place to return to")
    # RFC 6749, 3.1.2: "The endpoint URI MUST NOT include a fragment component."
    if "#" in uri:
        raise ValueError("it has a fragment")
    if not is_printable(uri) or " " in uri:
        raise ValueError("it holds characters that no URI has")
    return uri


def is_printable(text: str) -> bool:
    """Whether the text may stand in an error description (RFC 6749, 5.2: %x20-21 / %x23-5B / %x5D-7E)."""
    return text.isascii() and text.isprintable() and not {'"', "\\"} & set(text)


Text = Annotated[str, Field(max_length=1000)]
RedirectUri = Annotated[str, Field(max_length=1000), AfterValidator(_redirect_uri)]


class ClientMetadata(BaseModel):
    """The members that this provider knows; it ignores others, as RFC 7591, 2 asks."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    grant_types: list[Literal["authorization_code", "refresh_token", "client_credentials"]] = ["authorization_code"]
    response_types: list[Literal["code"]] | None = None
    redirect_uris: list[RedirectUri] = Field(default=[], validate_default=True)
    token_endpoint_auth_method: Literal[
        "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"
    ] = "client_secret_basic"
    scope: Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e ]*$", max_length=1000)] = ""
    jwks: dict[str, Any] | None = Field(default=None, repr=False)
    id_token_signed_response_alg: Signature = "RS256"
    access_token_format: Literal["opaque", "jwt"] = "opaque"
    """Ours: no standard lets a client choose."""
    access_token_signed_response_alg: Signature = "RS256"
    client_name: Text | None = None
    client_uri: Text | None = None
    logo_uri: Text | None = None
    tos_uri: Text | None = None
    policy_uri: Text | None = None
    contacts: list[Text] | None = None
    software_id: Text | None = None
    software_version: Text | None = None

    @field_validator("redirect_uris")
    @classmethod
    def _a_login_ends_somewhere(cls, uris: list[str], known: ValidationInfo) -> list[str]:
        if "authorization_code" in known.data.get("grant_types", ()) and not uris:
            raise ValueError("the authorization code grant needs one")
        return uris

    @field_validator("jwks")
    @classmethod
    def _keys_are_public_keys(cls, jwks: dict[str, Any]) -> dict[str, Any]:
        try:
            keys = KeySet.import_key_set(jwks)  # type: ignore[arg-type]  # from the network: importing it is the check
        except (JoseError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError("it is not a key set") from error
        if not keys.keys or any(key.is_private for key in keys.keys):
            raise ValueError("it holds something else than public keys")
        return jwks

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.token_endpoint_auth_method == "private_key_jwt" and self.jwks is None:
            raise ValueError("private_key_jwt needs jwks")
        # RFC 6749, 4.4: "The client credentials grant type MUST only be used by confidential clients."
        if self.token_endpoint_auth_method == "none" and "client_credentials" in self.grant_types:
            raise ValueError("a public client has no credentials")
        # RFC 7591, 2.1: the two "are not completely independent".
        if self.response_types and "authorization_code" not in self.grant_types:
            raise ValueError("response types and grant types disagree")
        return self

    @property
    def accepted_response_types(self) -> list[str]:
        return ["code"] if "authorization_code" in self.grant_types else []

    def answer(self) -> dict[str, Any]:
        """As a registration tells it back: with every default that was applied."""
        return {**self.model_dump(exclude_none=True), "response_types": self.accepted_response_types}
