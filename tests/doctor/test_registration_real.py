"""The doctor registers at real identity providers, and at servers shaped like Okta's and OpenAM's."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.clock import SystemClock
from gateway.demo.identity_provider import GATEWAY, run_identity_provider
from gateway.doctor import Report
from tests.clients.okta import API_TOKEN, Okta, okta
from tests.clients.openam import SCOPE, OpenAM, openam
from tests.doctor.examining import ACTIVE, CLIENT, MINTED, SECRET, described, examined, provider, settings
from tests.doctor.registering import not_well, told
from tests.faulty_server import Conversation, document
from tests.idp.fixtures import INITIAL_ACCESS_TOKEN
from tests.idp.glewlwyd import Glewlwyd
from tests.idp.oidc_provider import OidcProvider
from tests.idp.provider import IdentityProvider

WELL = {"registration", "management", "its token", "delete", "afterwards"}


async def report_on(there: IdentityProvider, registration: Mapping[str, Any], scope: str = "read") -> Report:
    client = {"client_id": there.introspector.client_id, "client_secret": there.introspector.client_secret}
    options = {"issuer": there.issuer, "introspection": client, "registration": registration}
    upstream = "/".join(there.issuer.split("/")[:3])
    return await examined(settings(options, {"scopes": [scope]}, upstream=upstream))


async def test_oidc_provider_is_well_and_does_not_end_tokens(oidc_provider: OidcProvider) -> None:
    report = await report_on(oidc_provider, {})
    assert (not_well(report), set(told(report))) == ([], WELL)
    assert told(report)["management"].seen == "It can be read and changed there."
    assert told(report)["delete"].seen == "It was deleted again."
    assert "Tokenward blocks the clients that it deletes" in told(report)["afterwards"].seen


async def test_oidc_provider_opens_with_an_initial_access_token(guarded_oidc_provider: OidcProvider) -> None:
    report = await report_on(guarded_oidc_provider, {"initial_access_token": INITIAL_ACCESS_TOKEN})
    assert (not_well(report), set(told(report))) == ([], WELL)


@pytest.mark.parametrize(
    ("registration", "advice"),
    [
        ({}, "Write registration.initial_access_token, if it gave you a token"),
        ({"initial_access_token": "another-one-than-theirs"}, "It may have expired, or be used up: get a new one."),
        ({"authorization": "SSWS 00QCjAl4MlV-WPXM"}, "Write registration.initial_access_token, if it gave you a token"),
    ],
    ids=["nothing", "another token", "another kind"],
)
async def test_oidc_provider_that_is_not_open_to_us(
    guarded_oidc_provider: OidcProvider, registration: dict[str, Any], advice: str
) -> None:
    report = await report_on(guarded_oidc_provider, registration)
    assert not_well(report) == [("registration", "failure")]
    assert advice in told(report)["registration"].advice


async def test_oidc_provider_without_the_scopes_of_the_routes(oidc_provider: OidcProvider) -> None:
    report = await report_on(oidc_provider, {}, "admin")
    assert not_well(report) == [("scopes", "failure")]


async def test_glewlwyd_wants_redirect_uris_and_makes_new_secrets(glewlwyd: Glewlwyd) -> None:
    report = await report_on(glewlwyd, {})
    assert not_well(report) == [("redirect URI", "warning")]
    assert told(report)["management"].seen == "It can be read and changed (with a new secret each time) there."
    assert told(report)["delete"].result == "ok"


async def test_the_demo_provider_is_well_and_left_as_it_was() -> None:
    async with run_identity_provider() as there:
        before = set(there.clients)
        client = {"client_id": GATEWAY[0], "client_secret": GATEWAY[1]}
        options = {"issuer": there.issuer, "introspection": client, "registration": {}}
        report = await examined(settings(options, {"scopes": ["orders.read"]}, upstream=there.issuer))
        assert set(there.clients) == before
    assert (not_well(report), set(told(report))) == ([], WELL)
    assert told(report)["afterwards"].seen == "With the client, the provider ended its token."


# Okta


async def okta_report(organisation: Okta, **registration: Any) -> Report:
    async def introspects(conversation: Conversation) -> None:
        named = next(iter(organisation.applications), None)
        said = {"active": False} if named is None else {**ACTIVE, "client_id": named}
        await document(said)(conversation)

    async def gives(conversation: Conversation) -> None:
        encoded = (conversation.received.header("authorization") or "").partition(" ")[2]
        client_id, _, secret = b64decode(encoded).decode().partition(":")
        taken = (client_id, secret) == (CLIENT, SECRET) or organisation.works(client_id, secret)
        said = {"access_token": MINTED} if taken else {"error": "invalid_client"}
        await document(said, status=200 if taken else 401)(conversation)

    async with provider(about_minted=introspects, token=gives) as server:
        options = {
            "preset": "okta",
            "endpoints": {"registration": organisation.registration},
            "registration": {"authorization": f"SSWS {API_TOKEN}", **registration},
        }
        return await examined(settings(described(server.url, **options), upstream=server.url))


async def test_okta_is_well_with_groups() -> None:
    async with okta() as organisation:
        report = await okta_report(organisation, groups=["00gEveryone"])
        assert (not_well(report), organisation.applications) == ([], {})
        assert "PUT" in {asked.partition(" ")[0] for asked in organisation.asked}


async def test_okta_without_groups_lets_nobody_sign_in_to_a_new_client() -> None:
    async with okta() as organisation:
        report = await okta_report(organisation)
        assert organisation.applications == {}
    assert not_well(report) == [("groups", "warning")]
    assert told(report)["groups"].advice == (
        "Write registration.groups: the ids of the groups whose people may, or assign each client there."
    )


async def test_okta_with_a_group_that_is_not_there_is_left_without_the_client() -> None:
    async with okta() as organisation:
        report = await okta_report(organisation, groups=["00gNobody"])
        assert organisation.applications == {}
    assert not_well(report) == [("registration", "failure")]
    assert told(report)["registration"].advice.startswith("Correct registration.groups")


async def test_okta_says_which_header_it_wants() -> None:
    async with okta() as organisation:
        report = await okta_report(organisation, authorization="Bearer some-other-token")
    assert told(report)["registration"].seen.endswith("answered 401 to the header of registration.authorization.")
    assert 'Okta takes an API token: write registration.authorization: "SSWS ${OKTA_API_TOKEN}"' in (
        told(report)["registration"].advice
    )


# OpenAM


async def openam_report(realm: OpenAM, **client: Any) -> Report:
    options = {
        "preset": "openam",
        "issuer": f"{realm.origin}/openam/oauth2",
        "introspection": {"client_id": CLIENT, "client_secret": SECRET},
        "registration": {"client": {"client_id": "gateway", **client}, "scopes": [SCOPE]},
    }
    return await examined(settings(options, upstream=realm.origin))


async def test_openam_gives_our_client_a_token_that_registers() -> None:
    async with openam(SystemClock()) as realm:
        report = await openam_report(realm, client_secret=realm.secrets["gateway"])
        assert realm.clients == {}
    assert told(report)["authorization"].seen.endswith("with scopes: dynamic_client_registration.")
    # Its token endpoint knows our own client only.
    assert not_well(report) == [("its token", "failure")]
    assert told(report)["delete"].seen == "It was deleted again."


async def test_openam_knows_our_client_by_its_key() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    async with openam(SystemClock()) as realm:
        realm.keys["gateway"] = key.public_key()
        report = await openam_report(realm, authentication="private_key_jwt", private_key=pem, algorithm="RS256")
    assert told(report)["authorization"].result == "ok"
    assert told(report)["registration"].result == "ok"


async def test_openam_with_a_wrong_secret() -> None:
    async with openam(SystemClock()) as realm:
        report = await openam_report(realm, client_secret="not-the-secret-at-all")
        assert realm.registered == 0
    assert not_well(report) == [("authorization", "failure")]
    assert "registration.client.client_secret" in told(report)["authorization"].advice
