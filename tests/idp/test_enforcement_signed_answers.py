"""Introspection answers that the provider signs (RFC 9701), and answers that are not what was asked for."""

import pytest

from tests.idp.capabilities import Can, over
from tests.idp.gateway import ACCEPTED, INACTIVE, Protect, Verdict, section
from tests.idp.glewlwyd import Glewlwyd
from tests.idp.oidc_provider import OidcProvider
from tests.idp.provider import IdentityProvider
from tests.idp.relay import relaying
from tests.idp.ways import Way, registered

SIGNED = "application/token-introspection+jwt"
UNUSABLE = Verdict(503, "provider_answer")


def asking_for_signed(provider: IdentityProvider, **changes: object) -> dict[str, object]:
    plain = section(provider, **changes)
    return {**plain, "introspection": {**plain["introspection"], "signed": True}}


@over(Can.ADDRESS_SIGNED_ANSWERS)
async def test_a_signed_answer_is_verified_and_believed(provider: IdentityProvider, protect: Protect) -> None:
    async with relaying(provider.introspection_endpoint) as relay:
        guard = await protect({"idp": asking_for_signed(provider, endpoints={"introspection": relay.url})})
        assert await guard.verdict(provider.mint()) == ACCEPTED
        assert await guard.verdict("nobody-ever-issued-this-token") == INACTIVE
    assert [question.headers["Accept"] for question in relay.questions] == [SIGNED, SIGNED]


@over(Can.ADDRESS_SIGNED_ANSWERS)
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
async def test_a_client_chooses_at_its_registration_how_its_answers_are_signed(
    algorithm: str, provider: IdentityProvider, protect: Protect
) -> None:
    plain = registered(provider, Way("client_secret_basic", {"introspection_signed_response_alg": algorithm}))
    guard = await protect({"idp": {**plain, "introspection": {**plain["introspection"], "signed": True}}})
    assert await guard.verdict(provider.mint()) == ACCEPTED


@over(Can.ADDRESS_SIGNED_ANSWERS, Can.ROTATE_KEYS)
async def test_answers_that_a_new_key_signs_are_believed(provider: OidcProvider, protect: Protect) -> None:
    guard = await protect({"idp": asking_for_signed(provider)})
    assert await guard.verdict(provider.mint()) == ACCEPTED
    provider.rotate_keys(keep_old=False)
    assert await guard.verdict(provider.mint()) == ACCEPTED


@over(Can.ADDRESS_SIGNED_ANSWERS)
async def test_an_answer_that_is_signed_for_another_client_is_not_believed(
    provider: IdentityProvider, protect: Protect
) -> None:
    ours = provider.introspector.headers()["Authorization"]
    mistaken = {
        "authentication": "authorization_header", "authorization": ours, "client_id": "somebody-else", "signed": True
    }  # fmt: skip
    guard = await protect({"idp": section(provider, introspection=mistaken)}, order="introspect_only")
    assert await guard.verdict(provider.mint()) == UNUSABLE


async def test_a_signed_answer_that_is_addressed_to_the_api_and_not_to_us_is_not_believed(
    glewlwyd: Glewlwyd, protect: Protect
) -> None:
    guard = await protect({"idp": asking_for_signed(glewlwyd)}, order="introspect_only")
    assert await guard.verdict(glewlwyd.mint()) == UNUSABLE


@over()
async def test_a_plain_answer_is_not_believed_where_a_signed_one_was_asked_for(
    provider: IdentityProvider, protect: Protect
) -> None:
    async with relaying(provider.introspection_endpoint, accept="application/json") as relay:
        idp = asking_for_signed(provider, endpoints={"introspection": relay.url})
        guard = await protect({"idp": idp}, order="introspect_only")
        assert await guard.verdict(provider.mint()) == UNUSABLE
    assert len(relay.questions) == 1


@over(Can.SIGN_ANSWERS)
@pytest.mark.case("C141")
async def test_a_signed_answer_is_not_believed_where_a_plain_one_was_asked_for(
    provider: IdentityProvider, protect: Protect
) -> None:
    async with relaying(provider.introspection_endpoint, accept=SIGNED) as relay:
        guard = await protect(
            {"idp": section(provider, endpoints={"introspection": relay.url})}, order="introspect_only"
        )
        assert await guard.verdict(provider.mint()) == UNUSABLE
    assert len(relay.questions) == 1
