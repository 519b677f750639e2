"""Identity providers: what is wrong with one, and what the machine receives of it."""

from dataclasses import fields

import pytest

from gateway.providers import (
    ClientAuthentication,
    ClientCredentials,
    Dialect,
    Endpoints,
    KeyTimes,
    Limits,
    Order,
    Provider,
    Transport,
)  # fmt: skip
from gateway.providers.presets import PRESETS
from gateway.settings import parse
from gateway.settings.providers import DialectSettings
from tests.settings import ROUTE, SECRET, line, lines, provider
from tests.settings.keys import pem

CREDENTIALS = "introspection: {client_id: gateway, client_secret: n0body-knows-this}"
HTTPS = "; write https://host/path, with http:// on loopback only"


def resolved(options: str, name: str = "idp") -> Provider:
    return parse(provider(options, name), environment={}).provider(name)


def test_a_provider_has_the_endpoints_of_its_preset() -> None:
    found = resolved(f"{{preset: keycloak, issuer: https://sso.example.com/realms/a, {CREDENTIALS}}}")
    assert found.endpoints.introspection == "https://sso.example.com/realms/a/protocol/openid-connect/token/introspect"
    assert found.endpoints.jwks == "https://sso.example.com/realms/a/protocol/openid-connect/certs"
    assert found.discovery == ()
    assert found.dialect == PRESETS["keycloak"].dialect


def test_a_configured_endpoint_counts_before_that_of_the_preset() -> None:
    options = (
        f"{{preset: keycloak, issuer: https://sso.example.com/realms/a, {CREDENTIALS}, endpoints: {{jwks: https://k}}}}"
    )
    assert resolved(options).endpoints.jwks == "https://k"


def test_an_endpoint_without_template_is_left_to_discovery() -> None:
    found = resolved(f"{{preset: okta, issuer: https://example.okta.com/oauth2/default, {CREDENTIALS}}}")
    assert found.endpoints == Endpoints(registration="https://example.okta.com/oauth2/v1/clients")


@pytest.mark.parametrize(
    ("issuer", "urls"),
    [
        (
            "https://a",
            ("https://a/.well-known/openid-configuration", "https://a/.well-known/oauth-authorization-server"),
        ),
        (
            "https://a/",
            ("https://a/.well-known/openid-configuration", "https://a/.well-known/oauth-authorization-server"),
        ),
        (
            "https://a:8443/b/c",
            (
                "https://a:8443/b/c/.well-known/openid-configuration",
                "https://a:8443/.well-known/oauth-authorization-server/b/c",
            ),
        ),
    ],
)
def test_metadata_is_looked_for_at_both_well_known_places(issuer: str, urls: tuple[str, ...]) -> None:
    assert resolved(f"{{issuer: '{issuer}', {CREDENTIALS}}}").discovery == urls


@pytest.mark.parametrize("preset", ["generic", "openam"])
def test_metadata_that_is_named_is_looked_for_there_alone(preset: str) -> None:
    options = f"{{preset: {preset}, issuer: https://a, metadata: https://b/m, {CREDENTIALS}}}"
    assert resolved(options).discovery == ("https://b/m",)


@pytest.mark.parametrize(
    "issuer", ["https://example.eu.auth0.com/", "https://example.com", "https://Example.com:443/a/"]
)
def test_an_issuer_is_kept_byte_for_byte(issuer: str) -> None:
    assert resolved(f"{{issuer: '{issuer}', {CREDENTIALS}}}").issuer == issuer


def test_the_issuer_s_slash_does_not_double_in_endpoints() -> None:
    found = resolved("{preset: auth0, issuer: https://example.eu.auth0.com/}")
    assert found.endpoints.registration == "https://example.eu.auth0.com/oidc/register"


def test_a_dialect_is_the_preset_s_where_nothing_else_is_written() -> None:
    found = resolved(f"{{preset: okta, issuer: https://a, {CREDENTIALS}, dialect: {{scope: [perm], jwt_types: [x]}}}}")
    assert found.dialect.scope == ("perm",)
    assert found.dialect.jwt_types == {"x"}
    assert found.dialect.client_id == PRESETS["okta"].dialect.client_id


def test_every_word_of_a_dialect_can_be_written() -> None:
    assert set(DialectSettings.model_fields) == {each.name for each in fields(Dialect)}


def test_all_that_is_written_reaches_the_machine() -> None:
    found = resolved(
        "{issuer: https://a, introspection: {authentication: client_secret_post, client_id: g, client_secret: abcdef, "
        "signed: true}, transport: {timeout: 2}, limits: {concurrency: 3}, keys: {max_age: 9}, dialect: "
        "{order: keys_first}}"
    )
    assert found.introspection is not None
    assert type(found.introspection) is ClientCredentials
    assert found.introspection.authentication is ClientAuthentication.CLIENT_SECRET_POST
    assert found.introspection.client_secret is not None
    assert found.introspection.client_secret.get_secret_value() == "abcdef"
    assert found.signed_introspection
    assert (found.transport, found.limits, found.keys) == (
        Transport(timeout=2),
        Limits(concurrency=3),
        KeyTimes(max_age=9),
    )
    assert found.dialect.order is Order.KEYS_FIRST


def test_a_provider_that_does_not_exist_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        parse(ROUTE, environment={}).provider("idp")


def test_secrets_are_in_no_repr() -> None:
    settings = parse(provider(f"{{issuer: https://a, {CREDENTIALS}}}"), environment={})
    assert SECRET not in repr(settings) + str(settings) + repr(settings.provider("idp"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("preset: okat, issuer: https://a", "preset: no preset has this name; did you mean okta?"),
        (
            "preset: zzz, issuer: https://a",
            "preset: no preset has this name; write one of generic, okta, openam, keycloak, entra, "
            "pingfederate, salesforce, auth0",
        ),
        (
            "preset: okta, CRED",
            "issuer: is missing; the preset okta needs it, such as https://example.okta.com/oauth2/default",
        ),
        ("CRED", "issuer: is missing; write it, or endpoints.introspection and endpoints.jwks"),
        ("CRED, endpoints: {jwks: https://a}", "issuer: is missing; write it, or endpoints.introspection"),
        (
            "CRED, metadata: https://a",
            "issuer: is missing; metadata is believed only where it names the issuer that is written here",
        ),
        (
            "issuer: https://a",
            "introspection: is missing; the order introspect_then_keys needs client_id and client_secret, "
            "otherwise write dialect.order: keys_only",
        ),
        (
            "issuer: https://a, dialect: {order: introspect_only}",
            "introspection: is missing; the order introspect_only needs client_id and client_secret, "
            "otherwise write dialect.order: keys_only",
        ),
        (
            "issuer: http://a.example, CRED",
            f"issuer: is plain http to another machine; it must begin with https://{HTTPS}",
        ),
        ("issuer: 'a.example', CRED", f"issuer: must begin with https://{HTTPS}"),
        ("issuer: '', CRED", f"issuer: must begin with https://{HTTPS}"),
        (
            "issuer: 'https://a?b', CRED",
            "issuer: has a query; an issuer has none, write it as the provider's metadata does",
        ),
        (
            "issuer: https://a, metadata: http://b, CRED",
            f"metadata: is plain http to another machine; it must begin with https://{HTTPS}",
        ),
        (
            "issuer: https://a, endpoints: {jwks: http://b}, CRED",
            f"endpoints.jwks: is plain http to another machine; it must begin with https://{HTTPS}",
        ),
        ("issuer: https://a, endpoints: {jwks: 'file:///k'}, CRED", f"endpoints.jwks: must begin with https://{HTTPS}"),
        ("issuer: https://a, endpoints: {jwks: 'data:k'}, CRED", f"endpoints.jwks: must begin with https://{HTTPS}"),
        (
            "issuer: https://a, endpoints: {introspection: 'https://u:p@b'}, CRED",
            f"endpoints.introspection: is not a URL of plain ASCII with a host and without userinfo and "
            f"fragment{HTTPS}",
        ),
        (
            "issuer: https://a, endpoints: {token: 'https://b#c'}, CRED",
            f"endpoints.token: is not a URL of plain ASCII with a host and without userinfo and fragment{HTTPS}",
        ),
        (
            "issuer: https://a, endpoints: {token: 'https://b:0'}, CRED",
            f"endpoints.token: names a port that does not exist{HTTPS}",
        ),
        (
            "issuer: https://a, endpoints: {tokens: https://b}, CRED",
            "endpoints.tokens: is not known here; did you mean token?",
        ),
        (
            "issuer: https://a, transport: {proxy: 'http://u:p@b'}, CRED",
            "transport.proxy: holds a user name; credentials do not belong into a URL, leave them out",
        ),
        ("issuer: https://a, transport: {timeout: -1}, CRED", "transport.timeout: must be greater than 0"),
        ("issuer: https://a, transport: {timeout: 0}, CRED", "transport.timeout: must be greater than 0"),
        (
            "issuer: https://a, transport: {ca_file: none.pem}, CRED",
            "transport.ca_file: there is no such file; paths start at the folder of the configuration",
        ),
        (
            f"issuer: https://a, transport: {{key_file: '{__file__}'}}, CRED",
            "transport.certificate_file: is missing; key_file is the key of a certificate, write its path",
        ),
        ("issuer: https://a, limits: {cool_down: -1}, CRED", "limits.cool_down: must be at least 0"),
        ("issuer: https://a, limits: {concurrency: 0}, CRED", "limits.concurrency: must be greater than 0"),
        ("issuer: https://a, limits: {concurrency: 1.5}, CRED", "limits.concurrency: must be a whole number"),
        ("issuer: https://a, keys: {max_age: -1}, CRED", "keys.max_age: must be greater than 0"),
        (
            "issuer: https://a, dialect: {order: keys}, CRED",
            "dialect.order: must be one of introspect_then_keys, keys_first, introspect_only, keys_only; "
            "did you mean keys_only?",
        ),
        ("issuer: https://a, dialect: {scope: scp}, CRED", "dialect.scope: must be a list; write it between [ and ]"),
        (
            "isuer: https://a, endpoints: {introspection: https://a, jwks: https://a}, CRED",
            "isuer: is not known here; did you mean issuer?",
        ),
        ("issuer: 5, CRED", "issuer: must be text; put it between quotes"),
    ],
)
@pytest.mark.case("C091")
def test_the_line_about_a_provider(options: str, expected: str) -> None:
    assert line(provider(f"{{{options.replace('CRED', CREDENTIALS)}}}")).partition("providers.idp.")[2] == expected


@pytest.mark.parametrize(
    "options",
    [
        "issuer: http://127.0.0.1:9000, CRED", "issuer: 'http://[::1]:9000', CRED", "issuer: http://localhost, CRED",
        "issuer: https://a, dialect: {order: keys_only}", "issuer: https://a, dialect: {order: keys_first}",
        "preset: entra, issuer: https://login.microsoftonline.com/t/v2.0", "preset: auth0, issuer: https://a/",
        "endpoints: {introspection: https://a, jwks: https://b}, CRED",
        "endpoints: {introspection: https://a}, dialect: {order: introspect_only}, CRED",
        "endpoints: {jwks: https://a}, dialect: {order: keys_only}",
        "issuer: https://a, transport: {proxy: 'http://proxy.internal:3128'}, CRED",
        "issuer: https://a, limits: {cool_down: 0, verified_tokens: 0, rejected_tokens: 0}, CRED",
    ],
)  # fmt: skip
def test_a_provider_that_can_be_asked_is_no_mistake(options: str) -> None:
    assert lines(provider(f"{{{options.replace('CRED', CREDENTIALS)}}}")) == []


@pytest.mark.parametrize("name", ["Okta", "a_b", "a.b"])
def test_a_name_of_a_provider_is_of_lower_case_letters_digits_and_dashes(name: str) -> None:
    told = line(provider(f"{{issuer: https://a, {CREDENTIALS}}}", name))
    assert told.startswith("2:3: providers.")
    assert told.endswith(": is no name; write lower-case letters, digits and dashes")


def introspection(options: str, issuer: str = "https://a", **environment: str) -> list[str]:
    written = provider(f"{{issuer: '{issuer}', introspection: {{{options}}}}}")
    return [each.partition("providers.idp.")[2] for each in lines(written, **environment)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("client_id: g", ["introspection.client_secret: is missing; client_secret_basic needs it"]),
        ("client_secret: abc", ["introspection.client_id: is missing; client_secret_basic needs it"]),
        ("client_id: '', client_secret: abc", ["introspection.client_id: is missing; client_secret_basic needs it"]),
        (
            "authentication: client_secret_post, client_id: g",
            ["introspection.client_secret: is missing; client_secret_post needs it"],
        ),
        (
            "authentication: private_key_jwt, client_id: g",
            ["introspection.private_key: is missing; private_key_jwt needs it"],
        ),
        (
            "authentication: tls_client_auth, client_id: g",
            ["transport.certificate_file: is missing; tls_client_auth shows our certificate, write its path"],
        ),
        (
            "authentication: authorization_header",
            ["introspection.authorization: is missing; authorization_header needs it"],
        ),
        (
            'authentication: authorization_header, authorization: "SSWS a\\nb"',
            [
                "introspection.authorization: cannot be sent as a header; write visible ASCII characters, "
                "without a space or newline at its ends"
            ],
        ),
        (
            "authentication: authorization_header, authorization: 'SSWS a '",
            [
                "introspection.authorization: cannot be sent as a header; write visible ASCII characters, "
                "without a space or newline at its ends"
            ],
        ),
        (
            "authentication: client_secret_basik, client_id: g, client_secret: abc",
            [
                "introspection.authentication: must be one of client_secret_basic, client_secret_post, "
                "client_secret_jwt, private_key_jwt, tls_client_auth, authorization_header; did you mean "
                "client_secret_basic?"
            ],
        ),
        ("client_id: g, client_secret: 12345", ["introspection.client_secret: must be text; put it between quotes"]),
        (
            "client_id: g, client_secret: abc, client_secrets: abc",
            ["introspection.client_secrets: is not known here; did you mean client_secret?"],
        ),
    ],
)
def test_credentials_that_are_not_complete_are_told(options: str, expected: list[str]) -> None:
    assert introspection(options) == expected


BLANK = "introspection.client_secret: is blank; write the secret, best as ${NAME} or ${file:path}"
KNOWN = "introspection.client_secret: is a placeholder that everybody knows; write a secret of your own"


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("'  '", BLANK),
        ("changeme", KNOWN),
        ("Change-Me!", KNOWN),
        ("secret", KNOWN),
        ("PASSWORD", KNOWN),
        ("CHANGE_ME", KNOWN),
    ],
)
@pytest.mark.case("C298")
def test_a_secret_that_is_none_is_told_unless_the_provider_is_on_this_machine(secret: str, expected: str) -> None:
    options = f"client_id: g, client_secret: {secret}"
    assert introspection(options) == [expected]
    assert introspection(options, "http://localhost:9000") == []


@pytest.mark.case("C298")
def test_a_blank_header_is_told() -> None:
    assert introspection("authentication: authorization_header, authorization: ' '") == [
        "introspection.authorization: is blank; write the secret, best as ${NAME} or ${file:path}"
    ]


@pytest.mark.parametrize(("algorithm", "shortest"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
@pytest.mark.case("C298")
def test_a_secret_that_signs_is_as_long_as_its_hash(algorithm: str, shortest: int) -> None:
    options = f"authentication: client_secret_jwt, client_id: g, algorithm: {algorithm}, client_secret: "
    assert introspection(options + "k" * shortest) == []
    assert introspection(options + "k" * (shortest - 1)) == [
        f"introspection.client_secret: is too short for {algorithm}; write a secret of at least {shortest} bytes"
    ]


def test_a_secret_signs_with_a_symmetric_algorithm_only() -> None:
    assert introspection(f"authentication: client_secret_jwt, client_id: g, client_secret: {'k' * 64}") == [
        "introspection.algorithm: must be HS256, HS384 or HS512 for client_secret_jwt"
    ]


@pytest.mark.parametrize(
    ("kind", "algorithm", "expected"),
    [
        ("rsa", "RS256", []),
        ("rsa", "PS512", []),
        ("p-256", "ES256", []),
        ("p-521", "ES512", []),
        ("ed25519", "EdDSA", []),
        (
            "rsa",
            "ES256",
            ["introspection.algorithm: does not suit the private key; write RS256, or another of its kind"],
        ),
        (
            "rsa",
            "HS256",
            ["introspection.algorithm: does not suit the private key; write RS256, or another of its kind"],
        ),
        ("p-256", "ES512", ["introspection.algorithm: does not suit the private key; write ES256"]),
        ("ed25519", "RS256", ["introspection.algorithm: does not suit the private key; write EdDSA"]),
        ("short-rsa", "RS256", ["introspection.private_key: is too short; write an RSA key of 2048 bits or more"]),
        ("k-256", "ES256", ["introspection.private_key: is no key that signs; write an RSA, EC or Ed25519 key"]),
        ("dsa", "RS256", ["introspection.private_key: is no key that signs; write an RSA, EC or Ed25519 key"]),
    ],
)
def test_a_private_key_suits_its_algorithm(kind: str, algorithm: str, expected: list[str]) -> None:
    options = f"authentication: private_key_jwt, client_id: g, algorithm: {algorithm}, private_key: '${{KEY}}'"
    assert introspection(options, KEY=pem(kind)) == expected


@pytest.mark.parametrize("content", ["no pem", "", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_private_key_that_cannot_be_read_is_told(content: str) -> None:
    told = introspection("authentication: private_key_jwt, client_id: g, private_key: '${KEY}'", KEY=content)
    assert told == ["introspection.private_key: cannot be read; write a private key in PEM without a password"]


def test_a_private_key_behind_a_password_is_told() -> None:
    told = introspection(
        "authentication: private_key_jwt, client_id: g, private_key: '${KEY}'", KEY=pem("p-256", b"password")
    )
    assert told == ["introspection.private_key: cannot be read; write a private key in PEM without a password"]


def test_a_faulty_preset_is_not_followed_by_its_consequences() -> None:
    assert len(lines(provider("{preset: entr, issuer: https://a}"))) == 1


def test_a_secret_that_could_not_be_read_is_not_missing_too() -> None:
    assert introspection("client_id: g, client_secret: '${NONE}'") == [
        "introspection.client_secret: the environment variable NONE is not set; set it, or write ${NONE:-default}"
    ]
