"""How the gateway finds a real provider's endpoints."""

from urllib.parse import urlsplit

import pytest

from tests.idp.capabilities import Can, over
from tests.idp.gateway import ACCEPTED, Protect, Verdict, section
from tests.idp.glewlwyd import Glewlwyd
from tests.idp.provider import IdentityProvider
from tests.idp.wire import ask

WAYS = ["introspect_then_keys", "keys_only"]
NO_METADATA = Verdict(503, "provider_metadata")


@over()
@pytest.mark.parametrize("order", WAYS)
async def test_the_issuer_leads_to_all_endpoints(order: str, provider: IdentityProvider, protect: Protect) -> None:
    guard = await protect(provider, order=order)
    assert await guard.verdict(provider.mint_signed()) == ACCEPTED


async def test_an_issuer_with_a_path_leads_to_openid_metadata_below_it(glewlwyd: Glewlwyd, protect: Protect) -> None:
    assert urlsplit(glewlwyd.issuer).path == "/api/oidc"
    assert ask("GET", f"{glewlwyd.origin}/.well-known/openid-configuration").status != 200
    guard = await protect(glewlwyd)
    assert await guard.verdict(glewlwyd.mint()) == ACCEPTED


@over(Can.PUBLISH_RFC_8414_METADATA)
async def test_the_metadata_of_rfc_8414_leads_there_as_well(provider: IdentityProvider, protect: Protect) -> None:
    metadata = f"{provider.issuer}/.well-known/oauth-authorization-server"
    guard = await protect({"idp": section(provider, metadata=metadata)})
    assert await guard.verdict(provider.mint()) == ACCEPTED


@over()
async def test_metadata_is_not_needed_where_the_endpoints_are_configured(
    provider: IdentityProvider, protect: Protect
) -> None:
    endpoints = {"introspection": provider.introspection_endpoint, "jwks": provider.jwks_uri}
    nowhere = "http://127.0.0.1:9/metadata"
    guard = await protect({"idp": section(provider, metadata=nowhere, endpoints=endpoints)})
    assert await guard.verdict(provider.mint_signed()) == ACCEPTED


@over()
@pytest.mark.parametrize("order", WAYS)
async def test_metadata_of_an_issuer_that_is_spelled_otherwise_is_not_believed(
    order: str, provider: IdentityProvider, protect: Protect
) -> None:
    guard = await protect({"idp": section(provider, issuer=f"{provider.issuer}/")}, order=order)
    assert await guard.verdict(provider.mint_signed()) == NO_METADATA


@over()
async def test_metadata_of_another_provider_is_not_believed(
    provider: IdentityProvider, protect: Protect, request: pytest.FixtureRequest
) -> None:
    other: IdentityProvider = request.getfixturevalue("demo" if provider.name != "demo" else "oidc_provider")
    guard = await protect({"idp": section(provider, metadata=other.metadata_url)})
    assert await guard.verdict(provider.mint()) == NO_METADATA
    assert await guard.introspections() == 1
