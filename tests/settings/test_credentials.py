"""The client that introspects: its proof is complete, long enough, and none that everybody knows."""

import pytest

from tests.settings import lines, provider
from tests.settings.keys import pem


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


def test_a_secret_that_could_not_be_read_is_not_missing_too() -> None:
    assert introspection("client_id: g, client_secret: '${NONE}'") == [
        "introspection.client_secret: the environment variable NONE is not set; set it, or write ${NONE:-default}"
    ]
