"""Which URLs of a client are asked."""

import pytest

from gateway.clients.registration.urls import fill, is_management_url, origin
from gateway.providers.presets import PRESETS
from gateway.providers.urls import url_fault

OKTA = "https://example.okta.com/oauth2/v1/clients"


def test_okta_s_urls_of_a_client() -> None:
    okta = PRESETS["okta"].registration
    assert okta.client_url is not None
    assert okta.secrets_url is not None
    assert okta.group_url is not None
    assert fill(okta.client_url, OKTA, "0oa1") == "https://example.okta.com/oauth2/v1/clients/0oa1"
    assert fill(okta.secrets_url, OKTA, "0oa1") == "https://example.okta.com/api/v1/apps/0oa1/credentials/secrets"
    assert fill(okta.group_url, OKTA, "0oa1", "00g1") == "https://example.okta.com/api/v1/apps/0oa1/groups/00g1"


@pytest.mark.parametrize("name", PRESETS)
def test_the_urls_of_a_preset_stay_at_its_origin(name: str) -> None:
    registration = PRESETS[name].registration
    for template in (registration.client_url, registration.secrets_url, registration.group_url):
        if template is not None:
            url = fill(template, OKTA, "../../evil", "?x#y@z")
            assert url_fault(url) is None
            assert origin(url) == origin(OKTA)
            assert ".." not in url.split("/")


@pytest.mark.case("C293")
@pytest.mark.parametrize(
    ("uri", "right"),
    [
        ("https://example.okta.com/anything", True),
        ("https://example.okta.com:443/anything", True),
        ("https://EXAMPLE.okta.com/anything", True),
        ("https://example.okta.com:8443/anything", False),
        ("https://example.okta.com.evil.example/", False),
        ("https://evil.example/?https://example.okta.com/", False),
        ("http://example.okta.com/anything", False),
        (None, False),
    ],
)
def test_a_client_is_managed_where_clients_are_registered(uri: object, right: bool) -> None:
    assert is_management_url(uri, OKTA) is right


def test_on_this_machine_the_port_tells_two_providers_apart() -> None:
    assert is_management_url("http://127.0.0.1:8081/register/x", "http://127.0.0.1:8081/register")
    assert not is_management_url("http://127.0.0.1:8082/register/x", "http://127.0.0.1:8081/register")
