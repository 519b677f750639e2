"""What the gateway really sends to a provider's introspection endpoint, and how it proves itself there."""

import base64
from collections.abc import Awaitable, Callable
from urllib.parse import quote_plus

import pytest

from tests.idp import glewlwyd as glewlwyd_server
from tests.idp.capabilities import Can, over
from tests.idp.clients import ODD_SECRET, Client
from tests.idp.demo_provider import Demo
from tests.idp.gateway import ACCEPTED, INACTIVE, Protect, Section, Verdict, section, verdict_of
from tests.idp.glewlwyd import Glewlwyd
from tests.idp.oidc_provider import OidcProvider
from tests.idp.provider import IdentityProvider
from tests.idp.relay import relaying
from tests.idp.ways import Way, by_curve, by_edwards_curve, by_rsa, over_tls, registered


@over()
@pytest.mark.case("C107")
async def test_the_question_is_a_form_with_our_own_credentials_and_nothing_of_the_caller_but_the_token(
    provider: IdentityProvider, protect: Protect
) -> None:
    async with relaying(provider.introspection_endpoint) as relay:
        guard = await protect({"idp": through(relay.url, provider)})
        token = provider.mint()
        theirs = ("Cookie: session=of-the-caller", "X-Forwarded-For: 192.0.2.1", "Accept: text/html")
        assert verdict_of(await guard.ask(token, "/orders", *theirs)) == ACCEPTED
    (question,) = relay.questions
    assert (question.method, question.headers["Content-Type"]) == ("POST", "application/x-www-form-urlencoded")
    assert question.form == [("token", token), ("token_type_hint", "access_token")]
    assert question.headers.getall("Authorization") == [provider.introspector.headers()["Authorization"]]
    assert question.headers.getall("Accept") == ["application/json"]
    assert not question.headers.keys() & {"Cookie", "X-Forwarded-For"}


@over()
@pytest.mark.case("C143")
async def test_a_token_arrives_at_the_provider_letter_by_letter_or_not_at_all(
    provider: IdentityProvider, protect: Protect
) -> None:
    async with relaying(provider.introspection_endpoint) as relay:
        guard = await protect({"idp": through(relay.url, provider)})
        assert await guard.verdict("a+b/c~d._-!==") == INACTIVE
        for odd in ("a&token=b", "a;b", "a%26b", "a=b=c"):
            assert await guard.verdict(odd) == Verdict(400, "credential_malformed")
    (question,) = relay.questions
    assert question.form == [("token", "a+b/c~d._-!=="), ("token_type_hint", "access_token")]


@over()
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_client_that_registered_itself_introspects_with_its_secret(
    method: str, provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect({"idp": registered(provider, Way(method))})
    await both_answers(provider, guard.verdict)


@over(Can.TAKE_CLIENT_ASSERTIONS)
async def test_a_client_that_registered_itself_introspects_with_what_its_secret_signs(
    provider: IdentityProvider, protect: Protect
) -> None:
    way = Way("client_secret_jwt", {"token_endpoint_auth_signing_alg": "HS256"}, {"algorithm": "HS256"})
    guard = await protect({"idp": registered(provider, way)})
    await both_answers(provider, guard.verdict)


@over(Can.TAKE_CLIENT_ASSERTIONS)
@pytest.mark.parametrize("make", [by_rsa, by_curve])
async def test_a_client_that_registered_its_key_introspects_with_what_the_key_signs(
    make: Callable[[], Way], provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect({"idp": registered(provider, make())})
    await both_answers(provider, guard.verdict)


@over(Can.TAKE_EDDSA_ASSERTIONS)
async def test_a_client_that_registered_an_ed25519_key_introspects_with_what_it_signs(
    provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect({"idp": registered(provider, by_edwards_curve())})
    await both_answers(provider, guard.verdict)


@over(Can.TAKE_CLIENT_ASSERTIONS)
async def test_an_assertion_by_another_key_is_refused_and_that_is_our_fault(
    provider: IdentityProvider, protect: Protect
) -> None:
    theirs = registered(provider, by_curve())
    ours = {**theirs["introspection"], "private_key": by_curve().configured["private_key"]}
    guard = await protect({"idp": {**theirs, "introspection": ours}})
    assert await guard.verdict(provider.mint()) == Verdict(503, "provider_refuses_us")


@over(Can.TAKE_ODD_SECRETS)
async def test_a_secret_full_of_odd_characters_arrives_as_it_is(
    provider: OidcProvider | Demo, protect: Protect
) -> None:
    odd = odd_client(provider)
    ours = {"client_id": odd.client_id, "client_secret": odd.client_secret}
    guard = await protect({"idp": section(provider, introspection=ours)})
    await both_answers(provider, guard.verdict)


async def test_a_provider_that_takes_an_odd_secret_unencoded_only_is_served_by_a_fixed_header(
    glewlwyd: Glewlwyd, protect: Protect
) -> None:
    odd = Client(client_id="gateway-odd", client_secret=ODD_SECRET)
    glewlwyd_server.add_client(glewlwyd, odd, ["introspect"])
    encoded = {"client_id": odd.client_id, "client_secret": odd.client_secret}
    plain = base64.b64encode(f"{odd.client_id}:{odd.client_secret}".encode()).decode()
    fixed = {"authentication": "authorization_header", "authorization": f"Basic {plain}"}
    assert quote_plus(ODD_SECRET) != ODD_SECRET
    refused = await protect({"idp": section(glewlwyd, introspection=encoded)})
    assert await refused.verdict(glewlwyd.mint()) == Verdict(503, "provider_refuses_us")
    guard = await protect({"idp": section(glewlwyd, introspection=fixed)})
    await both_answers(glewlwyd, guard.verdict)


async def test_a_fixed_bearer_token_stands_for_our_client(glewlwyd: Glewlwyd, protect: Protect) -> None:
    ours = {"authentication": "authorization_header", "authorization": glewlwyd.introspection_authorization()}
    guard = await protect({"idp": section(glewlwyd, introspection=ours)})
    await both_answers(glewlwyd, guard.verdict)


@pytest.mark.parametrize("way", ["tls_client_auth", "self_signed_tls_client_auth"])
async def test_a_certificate_stands_for_our_client(way: str, oidc_provider: OidcProvider, protect: Protect) -> None:
    guard = await protect({"idp": over_tls(oidc_provider, oidc_provider.introspecting[way])})
    await both_answers(oidc_provider, guard.verdict)


async def test_the_certificate_of_another_is_refused_and_that_is_our_fault(
    oidc_provider: OidcProvider, protect: Protect
) -> None:
    ours, other = (oidc_provider.introspecting[way] for way in ("tls_client_auth", "self_signed_tls_client_auth"))
    theirs = Client(client_id=ours.client_id, certificate=other.certificate)
    guard = await protect({"idp": over_tls(oidc_provider, theirs)})
    assert await guard.verdict(oidc_provider.mint()) == Verdict(503, "provider_refuses_us")


async def test_a_provider_whose_authority_nobody_named_is_not_asked(
    oidc_provider: OidcProvider, protect: Protect
) -> None:
    trusted = over_tls(oidc_provider, oidc_provider.introspecting["tls_client_auth"])
    transport = {name: path for name, path in trusted["transport"].items() if name != "ca_file"}
    guard = await protect({"idp": {**trusted, "transport": transport}})
    assert await guard.verdict(oidc_provider.mint()) == Verdict(503, "provider_metadata")


def through(url: str, provider: IdentityProvider) -> Section:
    """The provider, asked about tokens at another URL."""
    return section(provider, endpoints={"introspection": url})


def odd_client(provider: OidcProvider | Demo) -> Client:
    """A client of the provider whose secret is odd."""
    if isinstance(provider, OidcProvider):
        return provider.introspecting["client_secret_basic, odd secret"]
    odd = Client(client_id="gateway:odd %&", client_secret=ODD_SECRET)
    provider.add_client(odd, grant_types=[])
    return odd


async def both_answers(provider: IdentityProvider, verdict: Callable[[str], Awaitable[Verdict]]) -> None:
    """Who is authenticated learns of tokens in force and of others; who is not learns nothing at all."""
    assert await verdict(provider.mint()) == ACCEPTED
    assert await verdict("nobody-ever-issued-this-token") == INACTIVE
