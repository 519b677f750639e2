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


def test_a_faulty_preset_is_not_followed_by_its_consequences() -> None:
    assert len(lines(provider("{preset: entr, issuer: https://a}"))) == 1
