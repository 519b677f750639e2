"""Block C: how the keys of a provider are had, kept and changed."""

import asyncio
import json
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from gateway.settings import SettingsError, parse
from tests.acceptance.conftest import OpenSite
from tests.acceptance.identity_provider import KEYS, METADATA, IdentityProvider
from tests.acceptance.outcomes import D503, I401, PASSES
from tests.acceptance.site import SECRET, SIGNER, SIGNERS, Site, enforced
from tests.certificates import Authority, Pair, self_signed
from tests.fakes import NOON
from tests.faulty_server import (
    Verb,
    answer,
    bad_checksum,
    bomb,
    broken_chunk,
    document,
    endless_chunks,
    faulty_server,
    half_a_head,
    hang_up,
    html,
    huge,
    redirect,
    refusing_port,
    reset,
    silent,
    truncated,
)
from tests.policies.token_enforcement.signing import Signer, ec_signer, encoded, rsa_signer
from tests.policies.token_enforcement.signing import document as key_document

NEW = rsa_signer(kid="rsa-2")
KEYS_ONLY = {"orders": enforced(order="keys_only")}
BOTH = {
    "orders": enforced(order="keys_only"),
    "introspected": enforced(order="introspect_only") | {"path": "/introspected"},
}
TIMES = {"cool_down": 10, "max_age": 3600, "refresh_after": 300}
IN_SHORT = {"timeout": 0.3, "connect_timeout": 0.3}


async def keys_are_there(site: Site) -> None:
    """Wait until the gateway has fetched the keys for the first time."""
    await site.idp.server.until_received(1)
    PASSES.assert_is(await site.bearer(site.jwt(jti="first")))


# --- rotation ---


@pytest.mark.case("C082")
async def test_a_key_that_signs_at_once_is_found_by_the_first_token_and_no_token_is_refused(
    site_with: OpenSite,
) -> None:
    site = await site_with(KEYS_ONLY, {"keys": TIMES})
    await keys_are_there(site)
    for rotation in range(20):
        signer = replace(SIGNER, kid=f"rotated-{rotation}")
        site.idp.shows(SIGNER, signer)
        before = site.key_fetches
        replies = await asyncio.gather(*(site.bearer(site.jwt(signer, jti=str(index))) for index in range(10)))
        assert {reply.status for reply in replies} == {200}
        assert site.key_fetches == before + 1
        site.clock.move(10)


@pytest.mark.case("C083")
async def test_a_key_that_was_taken_away_is_good_no_longer_than_the_keys_are_trusted(site_with: OpenSite) -> None:
    site = await site_with(KEYS_ONLY, {"keys": TIMES})
    await keys_are_there(site)
    token = site.jwt(exp=int(NOON) + 10_000)
    PASSES.assert_is(await site.bearer(token))
    site.idp.shows(NEW)
    site.clock.move(3600)
    I401.assert_is(await site.bearer(token))


@pytest.mark.case("C036", "C084")
async def test_a_flood_of_unknown_key_ids_is_one_fetch_for_each_cool_down_and_good_tokens_pass(
    site_with: OpenSite,
) -> None:
    site = await site_with(KEYS_ONLY, {"keys": TIMES})
    await keys_are_there(site)
    for _ in range(2):
        before = site.key_fetches
        invented = [site.jwt(NEW, header={"kid": f"invented-{index}"}) for index in range(100)]
        good = [site.jwt(jti=str(index)) for index in range(20)]
        replies = await asyncio.gather(*(site.bearer(token) for token in [*invented, *good]))
        assert [reply.status for reply in replies] == [401] * 100 + [200] * 20
        assert site.key_fetches == before + 1
        site.clock.move(10)


# --- a provider whose keys cannot be had ---

DOCUMENT = key_document(NEW.jwk)
BROKEN: dict[str, Verb] = {
    "C086 500": document({"keys": [NEW.jwk]}, status=500),
    "C086 503": html(503),
    "C086 hang-up": hang_up(),
    "C086 reset": reset(),
    "C086 silent": silent(),
    "C088 html": html(),
    "C088 null": answer(b"null"),
    "C088 array": answer(b"[]"),
    "C088 object": answer(b"{}"),
    "C088 no keys": answer(b'{"keys":[]}'),
    "C088 keys null": answer(b'{"keys":null}'),
    "C088 empty": answer(b""),
    "C089 cut off": truncated(DOCUMENT),
    "C089 half a head": half_a_head(),
    "C089 broken chunk": broken_chunk(DOCUMENT),
    "C089 checksum": bad_checksum(DOCUMENT),
    "C089 half the document": answer(DOCUMENT[:-10]),
    "C093 too big": huge(4_000_000),
    "C093 endless": endless_chunks(),
    "C093 too many": answer(json.dumps({"keys": [ec_signer().jwk | {"kid": str(n)} for n in range(101)]}).encode()),
    "C102 gzip bomb": bomb(20),
    "C102 deflate bomb": bomb(20, "deflate"),
}
ALL_BROKEN = [pytest.param(verb, marks=pytest.mark.case(name[:4]), id=name) for name, verb in BROKEN.items()]


@pytest.mark.parametrize("verb", ALL_BROKEN)
async def test_the_last_good_keys_serve_on_whatever_the_provider_shows_now(site_with: OpenSite, verb: Verb) -> None:
    site = await site_with(KEYS_ONLY, {"keys": TIMES, "transport": IN_SHORT})
    await keys_are_there(site)
    site.idp.fails(KEYS, verb)
    D503.assert_is(await site.bearer(site.jwt(NEW)))
    PASSES.assert_is(await site.bearer(site.jwt(jti="during")))
    assert await site.metric("jwks_fetches_total", provider="idp", result="failure") >= 1
    site.idp.recovers()
    site.idp.shows(*SIGNERS, NEW)
    site.clock.move(10)
    PASSES.assert_is(await site.bearer(site.jwt(NEW, jti="after")))


@pytest.mark.parametrize("verb", ALL_BROKEN)
async def test_without_any_keys_nothing_is_decided_by_them(site_with: OpenSite, verb: Verb) -> None:
    site = await site_with(BOTH, {"transport": IN_SHORT}, broken={KEYS: verb})
    D503.assert_is(await site.bearer(site.jwt()))
    PASSES.assert_is(await site.bearer(site.opaque(), target="/introspected"))
    site.idp.recovers()
    PASSES.assert_is(await site.bearer(site.jwt(jti="after")))


@pytest.mark.case("C086")
async def test_keys_that_nobody_could_refresh_are_trusted_up_to_their_maximum_age(site_with: OpenSite) -> None:
    site = await site_with(KEYS_ONLY, {"keys": TIMES})
    await keys_are_there(site)
    site.idp.fails(KEYS)
    site.clock.move(3599)
    PASSES.assert_is(await site.bearer(site.jwt(jti="young")))
    site.clock.move(1)
    D503.assert_is(await site.bearer(site.jwt(jti="old")))


@pytest.mark.case("C086")
async def test_the_age_of_the_keys_can_be_told_from_the_metrics(site_with: OpenSite) -> None:
    site = await site_with(KEYS_ONLY)
    await keys_are_there(site)
    assert await site.metric("jwks_last_success_timestamp_seconds", provider="idp") == site.clock.time()


@pytest.mark.case("C087")
async def test_a_gateway_starts_without_the_provider_and_says_which_one_is_away(site_with: OpenSite) -> None:
    with refusing_port() as port:
        unreachable = f"http://127.0.0.1:{port}"
        site = await site_with(
            KEYS_ONLY, {"endpoints": {"jwks": f"{unreachable}/keys", "introspection": f"{unreachable}/introspect"}}
        )
        D503.assert_is(await site.bearer(site.jwt()))
        statuses = {status.name: status.state.value for status in await site.serving.providers()}
        assert statuses["idp"] == "failing"
        assert statuses["keeper"] != "failing"


@pytest.mark.case("C105")
async def test_many_first_requests_make_one_fetch(site_with: OpenSite) -> None:
    site = await site_with(KEYS_ONLY)
    replies = await asyncio.gather(*(site.bearer(site.jwt(jti=str(index))) for index in range(200)))
    assert {reply.status for reply in replies} == {200}
    assert site.key_fetches == 1


@pytest.mark.case("C105", "C106")
async def test_many_first_requests_hear_of_one_failure_at_once(site_with: OpenSite) -> None:
    site = await site_with(KEYS_ONLY, broken={KEYS: html(500)})
    replies = await asyncio.gather(*(site.bearer(site.jwt(jti=str(index))) for index in range(200)))
    assert {reply.status for reply in replies} == {503}
    site.idp.recovers()
    PASSES.assert_is(await site.bearer(site.jwt()))


# --- nobody is followed anywhere ---


@pytest.mark.case("C090")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(site_with: OpenSite, status: int) -> None:
    site = await site_with(KEYS_ONLY)
    await keys_are_there(site)
    site.idp.fails(KEYS, redirect(f"{site.collector.url}/keys", status))
    D503.assert_is(await site.bearer(site.jwt(NEW)))
    PASSES.assert_is(await site.bearer(site.jwt(jti="during")))
    assert await site.metric("jwks_fetches_total", provider="idp", result="failure") == 1


@pytest.mark.case("C091")
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/keys",
        "data:application/json,{}",
        "http://idp.example.com/keys",
        "http://127.0.0.1.example.com/keys",
        "http://localhost.example.com/keys",
        "https://user:secret@idp.example.com/keys",
        "//idp.example.com/keys",
        "",
    ],
)
def test_a_url_that_keys_must_not_come_from_is_refused_in_the_settings(url: str) -> None:
    provider = {"issuer": "https://idp.example.com", "endpoints": {"jwks": url}}
    written = {
        "providers": {"idp": provider},
        "routes": {"orders": {**enforced(order="keys_only"), "upstream": "http://127.0.0.1:1"}},
    }
    with pytest.raises(SettingsError) as caught:
        parse(json.dumps(written))
    assert any("jwks" in mistake.path for mistake in caught.value.mistakes)


# --- metadata ---

Change: TypeAlias = Callable[[IdentityProvider], dict[str, Any]]
DISCOVERED: dict[str, Any] = {"endpoints": {}}
LIES: dict[str, Change] = {
    "C092 another issuer": lambda idp: {"issuer": "https://other.example.com"},
    "C092 issuer with a slash": lambda idp: {"issuer": f"{idp.issuer}/"},
    "C092 no issuer": lambda idp: {"issuer": None},
    "C092 jwks_uri null": lambda idp: {"jwks_uri": None},
    "C092 jwks_uri a number": lambda idp: {"jwks_uri": 1},
    "C092 jwks_uri a list": lambda idp: {"jwks_uri": [idp.url(KEYS)]},
    "C092 jwks_uri empty": lambda idp: {"jwks_uri": ""},
    "C091 jwks_uri a file": lambda idp: {"jwks_uri": "file:///etc/passwd"},
    "C091 jwks_uri in the clear": lambda idp: {"jwks_uri": "http://idp.example.com/keys"},
    "C091 jwks_uri ftp": lambda idp: {"jwks_uri": "ftp://127.0.0.1/keys"},
    "C091 jwks_uri data": lambda idp: {"jwks_uri": "data:,{}"},
}


@pytest.mark.parametrize(
    "lie", [pytest.param(lie, marks=pytest.mark.case(name[:4]), id=name) for name, lie in LIES.items()]
)
async def test_metadata_that_lies_is_not_believed_and_the_provider_is_found_once_it_does_not(
    site_with: OpenSite, lie: Change
) -> None:
    def broken(idp: IdentityProvider) -> dict[str, Verb]:
        return {METADATA: document({**idp.metadata, **lie(idp)})}

    site = await site_with(KEYS_ONLY, DISCOVERED, broken=broken)
    D503.assert_is(await site.bearer(site.jwt()))
    assert site.key_fetches == 0
    site.idp.recovers()
    site.clock.move(5)
    PASSES.assert_is(await site.bearer(site.jwt(jti="after")))


@pytest.mark.case("C090", "C092")
@pytest.mark.parametrize("status", [301, 302, 307])
async def test_metadata_is_not_looked_for_where_a_redirect_points(site_with: OpenSite, status: int) -> None:
    async with faulty_server(hang_up()) as elsewhere:
        site = await site_with(KEYS_ONLY, DISCOVERED, broken={METADATA: redirect(elsewhere.url, status)})
        D503.assert_is(await site.bearer(site.jwt()))
        assert elsewhere.connections == 0


@pytest.mark.case("C102")
@pytest.mark.parametrize("verb", [bomb(20), huge(4_000_000), endless_chunks()], ids=["bomb", "huge", "endless"])
async def test_metadata_that_is_too_much_is_cut_off(site_with: OpenSite, verb: Verb) -> None:
    site = await site_with(KEYS_ONLY, {**DISCOVERED, "transport": IN_SHORT}, broken={METADATA: verb})
    D503.assert_is(await site.bearer(site.jwt()))


# --- which key is used ---


async def shown(site_with: OpenSite, *members: object) -> Site:
    """A site whose provider shows this document from the first moment on."""
    return await site_with(KEYS_ONLY, broken={KEYS: answer(key_document(*members))})


@pytest.mark.case("C096")
async def test_a_token_without_a_key_id_is_tried_with_the_one_key(site_with: OpenSite) -> None:
    site = await shown(site_with, SIGNER.jwk)
    PASSES.assert_is(await site.bearer(site.jwt(replace(SIGNER, kid=None))))


@pytest.mark.case("C096")
async def test_a_token_without_a_key_id_is_tried_with_at_most_five_keys_that_could_have_signed_it(
    site_with: OpenSite,
) -> None:
    others = [rsa_signer(kid=f"other-{index}") for index in range(5)]
    fifth = await shown(site_with, ec_signer().jwk, *(other.jwk for other in others[:4]), SIGNER.jwk)
    PASSES.assert_is(await fifth.bearer(fifth.jwt(replace(SIGNER, kid=None))))
    fifth.idp.fails(KEYS, answer(key_document(*(other.jwk for other in others), SIGNER.jwk)))
    fifth.clock.move(86_400)
    fresh = fifth.jwt(replace(SIGNER, kid=None), exp=int(fifth.clock.time()) + 60)
    I401.assert_is(await fifth.bearer(fresh))


@pytest.mark.case("C094")
@pytest.mark.parametrize("rsa_first", [True, False])
async def test_of_two_keys_with_one_id_the_one_of_the_token_s_family_is_used(
    site_with: OpenSite, rsa_first: bool
) -> None:
    both = [SIGNER.jwk, ec_signer().jwk | {"kid": "rsa-1"}]
    site = await shown(site_with, *(both if rsa_first else reversed(both)))
    PASSES.assert_is(await site.bearer(site.jwt()))
    PASSES.assert_is(await site.bearer(site.jwt(replace(ec_signer(), kid="rsa-1"))))


GOOD = SIGNER.jwk
BAD_MEMBERS: dict[str, object] = {
    "unknown kty": {"kty": "XYZ", "kid": "x"},
    "unknown crv": {**ec_signer().jwk, "crv": "sect571r1", "kid": "x"},
    "n a number": {**GOOD, "n": 1, "kid": "x"},
    "off the curve": {**ec_signer().jwk, "y": encoded(bytes(32)), "kid": "x"},
    "a string": "key",
    "null": None,
    "a list": [],
    "no kty": {"kid": "x"},
    "kid a number": {**GOOD, "kid": 1},
    "a secret": {"kty": "oct", "k": encoded(b"k" * 32), "kid": "x"},
}


@pytest.mark.case("C097")
@pytest.mark.parametrize("member", BAD_MEMBERS.values(), ids=BAD_MEMBERS)
async def test_a_bad_key_among_good_ones_does_them_no_harm(site_with: OpenSite, member: object) -> None:
    site = await shown(site_with, member, GOOD)
    PASSES.assert_is(await site.bearer(site.jwt()))


UNUSED: dict[str, tuple[Signer, dict[str, Any]]] = {
    "C099 use enc": (SIGNER, {"use": "enc"}),
    "C099 key_ops sign": (SIGNER, {"key_ops": ["sign"]}),
    "C099 key_ops empty": (SIGNER, {"key_ops": []}),
    "C099 private": (SIGNER, {"d": "AQAB"}),
    "C100 1024 bits": (rsa_signer(kid="weak", bits=1024), {}),
    "C100 e is one": (SIGNER, {"e": "AQ"}),
}


@pytest.mark.parametrize(
    ("signer", "change"),
    [pytest.param(*values, marks=pytest.mark.case(name[:4]), id=name) for name, values in UNUSED.items()],
)
async def test_a_key_that_must_not_verify_is_not_used(
    site_with: OpenSite, signer: Signer, change: dict[str, Any]
) -> None:
    site = await shown(site_with, signer.jwk | change, ec_signer().jwk)
    I401.assert_is(await site.bearer(site.jwt(signer)))
    PASSES.assert_is(await site.bearer(site.jwt(ec_signer())))


# --- TLS ---


def expired(authority: Authority, folder: Path) -> Pair:
    return authority.issue_expired()


def wrong_host(authority: Authority, folder: Path) -> Pair:
    return authority.issue("idp.example.com")


def signed_by_itself(authority: Authority, folder: Path) -> Pair:
    return self_signed(folder)


def of_another_authority(authority: Authority, folder: Path) -> Pair:
    return Authority(folder).issue()


def good_certificate(authority: Authority, folder: Path) -> Pair:
    return authority.issue()


@pytest.mark.case("C103")
@pytest.mark.parametrize(
    ("issue", "trusted"),
    [
        (good_certificate, True),
        (expired, False),
        (wrong_host, False),
        (signed_by_itself, False),
        (of_another_authority, False),
    ],
    ids=["good", "expired", "wrong host", "self-signed", "another authority"],
)
async def test_a_provider_is_asked_only_behind_a_certificate_that_is_right(
    site_with: OpenSite, tmp_path: Path, issue: Callable[[Authority, Path], Pair], trusted: bool
) -> None:
    authority = Authority(tmp_path)
    tls: ssl.SSLContext = issue(authority, tmp_path).serve()
    async with faulty_server(document({"active": True, "token_type": "Bearer"}), tls=tls) as server:
        site = await site_with(
            {"orders": enforced(order="introspect_only"), "keys": enforced(order="keys_only") | {"path": "/keys"}},
            {
                "endpoints": {"introspection": f"{server.url}/introspect", "jwks": f"{server.url}/keys"},
                "transport": {"ca_file": str(authority.file)},
            },
        )
        (PASSES if trusted else D503).assert_is(await site.bearer("abc-token"))
        if not trusted:
            D503.assert_is(await site.bearer(site.jwt(), target="/keys"))
            assert server.received == []


def test_no_option_turns_the_verification_off() -> None:
    provider = {"issuer": "https://idp.example.com", "introspection": {"client_id": "g", "client_secret": SECRET}}
    for option in ("verify", "ssl_verify", "insecure", "verify_tls", "tls_verify"):
        written = {"providers": {"idp": {**provider, "transport": {option: False}}}, "routes": {}}
        with pytest.raises(SettingsError):
            parse(json.dumps(written))
