"""The doctor at real identity providers: healthy where all is right, and the right words where it is not."""

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.demo.identity_provider import GATEWAY, run_identity_provider
from gateway.doctor import Report
from tests.doctor.examining import all_of, described, examined, found, settings
from tests.idp.clients import Client
from tests.idp.glewlwyd import Glewlwyd
from tests.idp.oidc_provider import OidcProvider


def of(client: Client, **more: Any) -> dict[str, Any]:
    """Our options for that client."""
    own = {"client_id": client.client_id, "client_secret": client.client_secret}
    return {"introspection": {**own, "authentication": client.authentication, **more}}


async def report_on(
    issuer: str, options: Mapping[str, Any], route: Mapping[str, Any] | None = None, *, upstream: str = ""
) -> Report:
    origin = "/".join(issuer.split("/")[:3])
    return await examined(settings(described(issuer, **options), route, upstream=upstream or origin))


def not_well(report: Report) -> list[tuple[str, str]]:
    return [(finding.check, finding.result.value) for finding in report.findings if finding.result != "ok"]


# oidc-provider


@pytest.mark.parametrize("way", ["client_secret_basic", "client_secret_basic, odd secret", "client_secret_post"])
async def test_oidc_provider_is_well(oidc_provider: OidcProvider, way: str) -> None:
    client = oidc_provider.introspecting[way]
    report = await report_on(oidc_provider.issuer, of(client), {"scopes": ["read"]})
    assert not_well(report) == []
    assert found(report, "scope")[1] == "scope holds words: read."
    assert found(report, "clock")[1] == "It agrees with ours."


async def test_oidc_provider_is_well_with_assertions(oidc_provider: OidcProvider) -> None:
    client = oidc_provider.introspecting["client_secret_jwt"]
    report = await report_on(oidc_provider.issuer, of(client, algorithm="HS256"))
    assert not_well(report) == []


async def test_oidc_provider_is_well_with_a_client_certificate(oidc_provider: OidcProvider) -> None:
    client, origin = oidc_provider.introspecting["tls_client_auth"], oidc_provider.tls_origin
    assert client.certificate is not None
    options = {
        "introspection": {"client_id": client.client_id, "authentication": "tls_client_auth"},
        "endpoints": {name: f"{origin}{path}" for name, path in PATHS.items()},
        "transport": {
            "ca_file": str(oidc_provider.certificates.authority),
            "certificate_file": str(client.certificate.certificate),
            "key_file": str(client.certificate.key),
        },
    }
    report = await report_on(oidc_provider.issuer, options)
    # The certificates of these tests are good for a day, and this client's tokens are bound to its own.
    assert not_well(report) == [("certificate", "warning"), ("cnf", "warning")]


PATHS = {"introspection": "/token/introspection", "jwks": "/jwks", "token": "/token"}


async def test_oidc_provider_is_well_with_signed_answers(oidc_provider: OidcProvider) -> None:
    report = await report_on(oidc_provider.issuer, of(oidc_provider.introspector, signed=True))
    assert not_well(report) == []


async def test_oidc_provider_with_a_wrong_secret(oidc_provider: OidcProvider) -> None:
    stranger = Client(client_id="gateway", client_secret="not-the-secret")
    report = await report_on(oidc_provider.issuer, of(stranger))
    result, seen, advice = found(report, "credentials")
    assert result == "failure"
    assert "answered 401 invalid_client to our client. We sent client_secret_basic; it accepts client_" in seen
    assert advice == (
        "Correct introspection.client_id (gateway) or introspection.client_secret; or, if the client is registered for "
        "another way, write introspection.authentication: client_secret_post"
    )


async def test_oidc_provider_with_a_client_that_may_not_introspect(oidc_provider: OidcProvider) -> None:
    report = await report_on(oidc_provider.issuer, of(oidc_provider.client))
    assert found(report, "credentials")[0] == "ok"
    assert found(report, "permission")[:2] == (
        "failure",
        "A token minted for orders-app a moment ago introspects as inactive; every caller would get 401.",
    )


async def test_oidc_provider_with_a_client_that_gets_no_tokens(oidc_provider: OidcProvider) -> None:
    report = await report_on(oidc_provider.issuer, of(oidc_provider.web))
    assert found(report, "permission")[0] == "warning"
    assert report.healthy


# Glewlwyd


async def test_glewlwyd_is_well_without_a_dialect_of_its_own(glewlwyd: Glewlwyd) -> None:
    report = await report_on(glewlwyd.issuer, of(glewlwyd.introspector), {"scopes": ["introspect"]})
    assert not_well(report) == []
    assert found(report, "token_type")[1] == "token_type is bearer."
    assert found(report, "aud")[1] == "It is introspect; no route asks for one."
    assert found(report, "JWT by keys")[0] == "ok"


async def test_glewlwyd_gives_no_token_without_a_scope_that_the_client_has(glewlwyd: Glewlwyd) -> None:
    report = await report_on(glewlwyd.issuer, of(glewlwyd.introspector), {"scopes": ["read"]})
    assert found(report, "permission")[0] == "warning"
    assert "with a scope of read, to the client gateway" in found(report, "permission")[2]
    assert report.healthy


async def test_glewlwyd_with_a_wrong_secret(glewlwyd: Glewlwyd) -> None:
    report = await report_on(glewlwyd.issuer, of(Client(client_id="gateway", client_secret="not-the-secret")))
    result, seen, advice = found(report, "credentials")
    assert result == "failure"
    assert seen.endswith(
        "answered 401 to our client. We sent client_secret_basic; it accepts client_secret_basic, bearer."
    )
    assert advice == "Correct introspection.client_id (gateway) or introspection.client_secret."


async def test_glewlwyd_takes_no_secret_in_the_form(glewlwyd: Glewlwyd) -> None:
    report = await report_on(glewlwyd.issuer, of(glewlwyd.introspector, authentication="client_secret_post"))
    assert found(report, "credentials")[2] == "Write introspection.authentication: client_secret_basic"


async def test_glewlwyd_cannot_sign_an_answer_about_what_it_does_not_know(glewlwyd: Glewlwyd) -> None:
    report = await report_on(glewlwyd.issuer, of(glewlwyd.introspector, signed=True))
    assert found(report, "signed answers")[0] == "failure"
    assert found(report, "signed answers")[2].startswith("Write introspection.signed: false")


# The demo's provider


async def test_the_demo_provider_is_well() -> None:
    async with run_identity_provider() as provider:
        provider.add_client("doctor", "a-secret-of-its-own", scope="orders.read")
        client = Client(client_id="doctor", client_secret="a-secret-of-its-own")
        report = await report_on(provider.issuer, of(client), {"scopes": ["orders.read"]})
    assert not_well(report) == []


async def test_the_demo_provider_with_its_own_client_and_with_a_wrong_secret() -> None:
    async with run_identity_provider() as provider:
        name, secret = GATEWAY
        own = await report_on(provider.issuer, of(Client(client_id=name, client_secret=secret)))
        wrong = await report_on(provider.issuer, of(Client(client_id=name, client_secret="not-the-secret")))
    assert not_well(own) == [("permission", "warning")]
    assert not_well(wrong) == [("credentials", "failure"), ("permission", "skipped")]
    assert all_of(wrong, "provider idp", "answer time") == []
