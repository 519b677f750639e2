"""What the provider says about itself (OpenID Connect Discovery, 3; RFC 8414, 2)."""

from gateway.demo.identity_provider.client_metadata import AUTHENTICATION_METHODS, GRANT_TYPES, SIGNATURES

AUTHORIZATION = "/authorize"
TOKEN = "/token"
INTROSPECTION = "/introspect"
REVOCATION = "/revoke"
REGISTRATION = "/register"
USERINFO = "/userinfo"
KEYS = "/jwks"
SECRETIVE = [method for method in AUTHENTICATION_METHODS if method != "none"]
ASSERTION_SIGNATURES = ["HS256", *SIGNATURES]


def describe(issuer: str, scopes: tuple[str, ...]) -> dict[str, object]:
    """The metadata document; the same for both well-known places."""
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZATION,
        "token_endpoint": issuer + TOKEN,
        "introspection_endpoint": issuer + INTROSPECTION,
        "revocation_endpoint": issuer + REVOCATION,
        "registration_endpoint": issuer + REGISTRATION,
        "userinfo_endpoint": issuer + USERINFO,
        "jwks_uri": issuer + KEYS,
        "scopes_supported": list(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "subject_types_supported": ["public"],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "name"],
        "id_token_signing_alg_values_supported": list(SIGNATURES),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": list(AUTHENTICATION_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": ASSERTION_SIGNATURES,
        "introspection_endpoint_auth_methods_supported": SECRETIVE,
        "introspection_endpoint_auth_signing_alg_values_supported": ASSERTION_SIGNATURES,
        "revocation_endpoint_auth_methods_supported": list(AUTHENTICATION_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": ASSERTION_SIGNATURES,
        "authorization_response_iss_parameter_supported": True,
    }
