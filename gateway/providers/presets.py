"""What is known of well-known identity providers, as data: endpoint templates and dialects.

`{issuer}` is the configured issuer without a trailing slash; `{origin}` its scheme and authority. An endpoint that
has no template comes from discovery. Sources: the providers' public documentation.
"""

from dataclasses import dataclass, field

from gateway.providers import Dialect, Endpoints, Order
from gateway.providers.registration import Registration


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A kind of provider."""

    summary: str
    issuer: str
    """What an issuer looks like, for messages and documentation."""
    endpoints: Endpoints = field(default_factory=Endpoints)
    dialect: Dialect = field(default_factory=Dialect)
    discovers: bool = True
    registration: Registration = field(default_factory=Registration)
    """What its registration takes; who may register is left to the configuration."""


PRESETS: dict[str, Preset] = {
    "generic": Preset(
        summary="Any provider that publishes metadata (OpenID Connect Discovery or RFC 8414)",
        issuer="https://idp.example.com",
    ),
    "okta": Preset(
        summary="Okta, with a custom authorization server or the organisation's own",
        issuer="https://example.okta.com/oauth2/default",
        endpoints=Endpoints(registration="{origin}/oauth2/v1/clients"),
        dialect=Dialect(
            client_id=("client_id", "cid"), scope=("scope", "scp"), jwt_types=frozenset({"at+jwt", "jwt", ""})
        ),
        # Its clients are applications of its own API too: that is where groups and second secrets are. Scopes are
        # granted by the access policies of the authorization server.
        registration=Registration(
            client_url="{registration}/{client_id}",
            secrets_url="{origin}/api/v1/apps/{client_id}/credentials/secrets",
            group_url="{origin}/api/v1/apps/{client_id}/groups/{group}",
            service_type="service",
            browser_type="browser",
            service_responses=("token",),
            omits=frozenset({"contacts", "scope", "software_id"}),
        ),
    ),
    "openam": Preset(
        summary="OpenAM 14 and later, ForgeRock AM, PingAM; the realm is part of the issuer",
        issuer="https://am.example.com/openam/oauth2/realms/root/realms/alpha",
        endpoints=Endpoints(
            introspection="{issuer}/introspect",
            jwks="{issuer}/connect/jwk_uri",
            token="{issuer}/access_token",
            authorization="{issuer}/authorize",
            registration="{issuer}/connect/register",
            revocation="{issuer}/token/revoke",
            userinfo="{issuer}/userinfo",
        ),
        # Its JWTs name their kind in `tokenName`; `token_type` reads "Bearer" in a refresh token too.
        dialect=Dialect(
            client_id=("client_id", "aud"),
            token_type=("tokenName", "token_type"),
            access_token_types=frozenset({"bearer", "access_token"}),
            jwt_types=frozenset({"at+jwt", "jwt"}),
        ),
        discovers=False,
    ),
    "keycloak": Preset(
        summary="Keycloak; the realm is part of the issuer",
        issuer="https://sso.example.com/realms/orders",
        endpoints=Endpoints(
            introspection="{issuer}/protocol/openid-connect/token/introspect",
            jwks="{issuer}/protocol/openid-connect/certs",
            token="{issuer}/protocol/openid-connect/token",
            authorization="{issuer}/protocol/openid-connect/auth",
            registration="{issuer}/clients-registrations/openid-connect",
            revocation="{issuer}/protocol/openid-connect/revoke",
            userinfo="{issuer}/protocol/openid-connect/userinfo",
        ),
        dialect=Dialect(
            client_id=("client_id", "azp"), token_type=("token_type", "typ"), jwt_types=frozenset({"at+jwt", "jwt"})
        ),
        discovers=False,
    ),
    "entra": Preset(
        summary="Microsoft Entra ID, v2.0 tokens; there is no introspection",
        issuer="https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/v2.0",
        dialect=Dialect(
            client_id=("azp", "appid"),
            subject=("oid", "sub"),
            scope=("scp", "roles"),
            jwt_types=frozenset({"at+jwt", "jwt"}),
            introspects_jwts=False,
            order=Order.KEYS_ONLY,
        ),
    ),
    "pingfederate": Preset(
        summary="PingFederate 9 and later",
        issuer="https://ping.example.com:9031",
        endpoints=Endpoints(
            introspection="{issuer}/as/introspect.oauth2",
            jwks="{issuer}/pf/JWKS",
            token="{issuer}/as/token.oauth2",
            authorization="{issuer}/as/authorization.oauth2",
            registration="{issuer}/as/clients.oauth2",
            revocation="{issuer}/as/revoke_token.oauth2",
            userinfo="{issuer}/idp/userinfo.openid",
        ),
        dialect=Dialect(jwt_types=frozenset({"at+jwt", "jwt", ""})),
        discovers=False,
    ),
    "salesforce": Preset(
        summary="Salesforce",
        issuer="https://example.my.salesforce.com",
        endpoints=Endpoints(
            introspection="{issuer}/services/oauth2/introspect",
            jwks="{issuer}/id/keys",
            token="{issuer}/services/oauth2/token",
            authorization="{issuer}/services/oauth2/authorize",
            registration="{issuer}/services/oauth2/register",
            revocation="{issuer}/services/oauth2/revoke",
            userinfo="{issuer}/services/oauth2/userinfo",
        ),
        # Introspection says `scope`, its JWTs say `scp`.
        dialect=Dialect(
            scope=("scope", "scp"),
            access_token_types=frozenset({"bearer", "access_token"}),
            jwt_types=frozenset({"at+jwt", "jwt"}),
        ),
        discovers=False,
    ),
    "auth0": Preset(
        summary="Auth0; the issuer ends with a slash, and there is no introspection",
        issuer="https://example.eu.auth0.com/",
        endpoints=Endpoints(registration="{issuer}/oidc/register"),
        dialect=Dialect(
            client_id=("azp", "client_id"),
            jwt_types=frozenset({"at+jwt", "jwt"}),
            introspects_jwts=False,
            order=Order.KEYS_ONLY,
        ),
        # What registers itself there is a third party's, and may act for people only.
        registration=Registration(
            grant_types=("authorization_code", "refresh_token"), authentication=("client_secret_post", "none")
        ),
    ),
}
