"""Options that the portal is not opened with."""

from typing import Any

import pytest
from pydantic import SecretStr

from gateway.clients.store.store import Store
from gateway.portal.faults import Unsafe, refuse
from gateway.providers import ClientAuthentication, ClientCredentials, Provider
from gateway.settings.portal import Owners, PortalSettings, SignIn
from gateway.settings.portal_checks import check_portal
from tests.fakes import FakeClock
from tests.portal.portals import provider_at, running

SECRET = "kq3V0w9xLr7TzB2nYc5M"
FAR = Provider(name="idp", issuer="https://idp.example.com")
NEAR = Provider(name="idp", issuer="http://127.0.0.1:4000")


def signing_in(secret: str = SECRET, **options: Any) -> SignIn:
    credentials = ClientCredentials(client_id="portal", client_secret=SecretStr(secret))
    return SignIn(**{"provider": "idp", "credentials": credentials, **options})


GOOD = PortalSettings(url="https://portal.example", sign_in=signing_in())


def paths(options: PortalSettings, provider: Provider = FAR) -> set[str]:
    return {".".join(map(str, path)) for path, _ in check_portal(options, {provider.name}, {provider.name: provider})}


def test_options_without_a_fault_have_none() -> None:
    refuse(GOOD, FAR)
    assert paths(GOOD) == set()


@pytest.mark.case("C298")
@pytest.mark.parametrize(
    "secret",
    ["", " ", "changeme", "Change-Me!", "secret", "password", "short", "tooshort1234567", "a" * 40, "abab" * 8],
)
def test_a_blank_short_or_well_known_secret_keeps_the_portal_shut(secret: str) -> None:
    with pytest.raises(Unsafe) as refused:
        refuse(GOOD.model_copy(update={"sign_in": signing_in(secret)}), FAR)
    assert "portal.sign_in.credentials" in str(refused.value)
    # Some of these are words of the sentence itself.
    assert len(secret) < 9 or secret not in str(refused.value)


@pytest.mark.case("C298")
async def test_it_does_not_begin_to_listen_then(store: Store, clock: FakeClock) -> None:
    weak = ClientCredentials(client_id="portal", client_secret=SecretStr("changeme"))
    with pytest.raises(Unsafe, match="placeholder"):
        async with running(provider_at("https://idp.example.com"), store, clock, credentials=weak):
            pytest.fail("it listens")


def test_for_trying_things_out_on_one_machine_a_simple_secret_will_do() -> None:
    assert paths(GOOD.model_copy(update={"sign_in": signing_in("demo")}), NEAR) == set()
    assert paths(GOOD.model_copy(update={"sign_in": signing_in("")}), NEAR) == {"sign_in.credentials.client_secret"}


@pytest.mark.case("C298")
def test_a_fixed_authorization_header_is_a_secret_too() -> None:
    credentials = ClientCredentials(
        authentication=ClientAuthentication.AUTHORIZATION_HEADER, client_id="portal", authorization=SecretStr("secret")
    )
    assert paths(GOOD.model_copy(update={"sign_in": signing_in(credentials=credentials)})) == {
        "sign_in.credentials.authorization"
    }


@pytest.mark.parametrize(
    "url",
    [
        "http://portal.example",
        "https://portal.example/portal",
        "https://portal.example/?a=b",
        "https://Portal.example",
        "https://user@portal.example",
        "portal.example",
        "",
    ],
)
def test_the_url_is_https_and_a_host(url: str) -> None:
    assert paths(GOOD.model_copy(update={"url": url})) == {"url"}


@pytest.mark.parametrize("url", ["https://portal.example/", "https://portal.example:8443", "http://127.0.0.1:8080"])
def test_a_port_and_plain_http_on_this_machine_are_fine(url: str) -> None:
    assert paths(GOOD.model_copy(update={"url": url})) == set()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"title": " "}, "title"),
        ({"owners": Owners(claim="groups")}, "owners"),
        ({"owners": Owners(any_of=("admins",))}, "owners"),
        ({"owners": Owners(claim="groups", any_of=("",))}, "owners"),
        ({"owners": Owners(scopes=("",))}, "owners"),
        ({"sign_in": signing_in(scopes=("profile",))}, "sign_in.scopes"),
        ({"sign_in": signing_in(algorithms=("HS256",))}, "sign_in.algorithms"),
        ({"sign_in": signing_in(algorithms=())}, "sign_in.algorithms"),
        ({"sign_in": signing_in(end_session="javascript:x")}, "sign_in.end_session"),
        (
            {"sign_in": signing_in(credentials=ClientCredentials(client_secret=SecretStr(SECRET)))},
            "sign_in.credentials.client_id",
        ),
    ],
)
def test_each_fault_is_found_where_it_is(change: dict[str, Any], path: str) -> None:
    assert paths(GOOD.model_copy(update=change)) == {path}


def test_people_sign_in_at_a_provider_that_has_an_issuer() -> None:
    assert "sign_in.provider" in paths(GOOD, Provider(name="idp"))
