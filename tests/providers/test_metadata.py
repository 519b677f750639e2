"""Which answers count as a provider's metadata, and what is read in them."""

import json
from dataclasses import replace

import pytest

from gateway.policy import Unavailable
from gateway.ports import Reply
from gateway.providers import ClientAuthentication, ClientCredentials, Dialect, Endpoints, Order, Provider
from gateway.providers.metadata import MEMBERS, Metadata, needs_metadata, read_metadata

ISSUER = "https://idp.example"
WELL_KNOWN = f"{ISSUER}/.well-known/openid-configuration"
DOCUMENT = {
    "issuer": ISSUER,
    "jwks_uri": f"{ISSUER}/jwks",
    "introspection_endpoint": f"{ISSUER}/introspect",
    "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
}
PROVIDER = Provider(name="idp", issuer=ISSUER, discovery=(WELL_KNOWN,))
GATEWAY = ClientCredentials(client_id="gateway")


def read(document: object, provider: Provider = PROVIDER) -> Metadata:
    return read_metadata(Reply(200, {}, json.dumps(document).encode()), provider)


def refusal(reply: Reply, provider: Provider = PROVIDER) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        read_metadata(reply, provider)
    return caught.value


def refused(members: dict[str, object], provider: Provider = PROVIDER) -> Unavailable:
    return refusal(Reply(200, {}, json.dumps({**DOCUMENT, **members}).encode()), provider)


# What counts.


def test_every_endpoint_has_its_name_in_the_metadata() -> None:
    urls = {theirs: f"{ISSUER}/{ours}" for ours, theirs in MEMBERS.items()}
    found = read({"issuer": ISSUER, **urls})
    assert found.endpoints == Endpoints(**{ours: f"{ISSUER}/{ours}" for ours in MEMBERS})
    assert set(MEMBERS) == set(Endpoints.__slots__)


def test_the_document_is_kept_as_it_was_published() -> None:
    assert read(DOCUMENT).document == DOCUMENT


def test_what_is_configured_comes_before_what_is_published() -> None:
    provider = replace(PROVIDER, endpoints=Endpoints(jwks="https://other.example/keys"))
    assert read(DOCUMENT, provider).endpoints == Endpoints(
        jwks="https://other.example/keys", introspection=f"{ISSUER}/introspect"
    )


def test_null_is_as_good_as_absent() -> None:
    assert read({**DOCUMENT, "userinfo_endpoint": None}).endpoints.userinfo is None


def test_http_on_this_machine_counts() -> None:
    assert read({**DOCUMENT, "jwks_uri": "http://127.0.0.1:4001/jwks"}).endpoints.jwks == "http://127.0.0.1:4001/jwks"


# What does not.


@pytest.mark.case("C090")
@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 401, 404, 500, 503])
def test_only_a_200_counts(status: int) -> None:
    assert refusal(Reply(status, {}, json.dumps(DOCUMENT).encode())).code == "metadata_status"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"{}"',
        b"<html>",
        b'{"issuer":',
        b"{} {}",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
    ],
)
def test_only_a_json_object_counts(body: bytes) -> None:
    assert refusal(Reply(200, {}, body)).code == "metadata_malformed"


@pytest.mark.case("C092")
@pytest.mark.parametrize(
    "issuer",
    [
        "https://idp.example/",
        "https://IDP.example",
        "https://idp.example:443",
        "http://idp.example",
        "https://idp.example ",
        "https://other.example",
        "",
        None,
        7,
        [ISSUER],
        {},
    ],
)
def test_only_the_configured_issuer_counts_byte_for_byte(issuer: object) -> None:
    assert refused({"issuer": issuer}).code == "metadata_issuer"


@pytest.mark.case("C092")
@pytest.mark.parametrize("issuer", [None, ""])
def test_an_issuer_that_is_not_configured_is_not_that_of_a_document_without_one(issuer: str | None) -> None:
    provider = replace(PROVIDER, issuer=issuer)
    assert refused({"issuer": issuer}, provider).code == "metadata_issuer"
    assert refused({}, provider).code == "metadata_issuer"


@pytest.mark.case("C092")
def test_metadata_without_keys_does_not_count() -> None:
    assert refused({"jwks_uri": None}).code == "metadata_endpoint"


def test_keys_are_not_missed_where_nothing_is_verified_by_them() -> None:
    provider = replace(PROVIDER, dialect=Dialect(order=Order.INTROSPECT_ONLY))
    assert read({**DOCUMENT, "jwks_uri": None}, provider).endpoints.jwks is None


@pytest.mark.case("C091", "C092")
@pytest.mark.parametrize("member", MEMBERS.values())
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://idp.example/",
        "data:,{}",
        "http://idp.example/",
        "https://u:p@idp.example/",
        "",
        7,
        [],
        {},
        True,
    ],
)
def test_one_endpoint_that_is_wrong_spoils_the_document(member: str, url: object) -> None:
    failure = refused({member: url})
    assert failure.code == "metadata_endpoint"
    assert member in failure.detail


# RFC 8705, 5.


def test_a_client_with_a_certificate_uses_the_aliases() -> None:
    provider = replace(PROVIDER, introspection=replace(GATEWAY, authentication=ClientAuthentication.TLS_CLIENT_AUTH))
    document = {**DOCUMENT, "mtls_endpoint_aliases": {"introspection_endpoint": "https://mtls.idp.example/introspect"}}
    assert read(document, provider).endpoints == Endpoints(
        introspection="https://mtls.idp.example/introspect", jwks=f"{ISSUER}/jwks"
    )
    assert read(document).endpoints.introspection == f"{ISSUER}/introspect"


@pytest.mark.parametrize(
    "aliases", [[], "https://mtls.idp.example", {"introspection_endpoint": "http://mtls.idp.example"}]
)
def test_an_alias_is_held_to_the_same_rules(aliases: object) -> None:
    provider = replace(PROVIDER, introspection=replace(GATEWAY, authentication=ClientAuthentication.TLS_CLIENT_AUTH))
    assert refused({"mtls_endpoint_aliases": aliases}, provider).code == "metadata_endpoint"


# Whether any is needed.


def test_metadata_is_needed_for_what_tokens_are_verified_with() -> None:
    keys, introspection = f"{ISSUER}/jwks", f"{ISSUER}/introspect"
    asking = replace(PROVIDER, introspection=GATEWAY)
    assert needs_metadata(PROVIDER)
    assert not needs_metadata(replace(PROVIDER, endpoints=Endpoints(jwks=keys)))
    assert needs_metadata(replace(asking, endpoints=Endpoints(jwks=keys)))
    assert needs_metadata(replace(asking, endpoints=Endpoints(introspection=introspection)))
    assert not needs_metadata(replace(asking, endpoints=Endpoints(jwks=keys, introspection=introspection)))


def test_without_a_place_to_ask_none_is_needed() -> None:
    assert not needs_metadata(replace(PROVIDER, discovery=()))
