"""Clients: whose they are, and what they may use."""

import pytest

from tests.settings import OKTA, ROUTE, lines


def told(clients: str, providers: str = OKTA) -> list[str]:
    return [each.removeprefix("tokenward.yaml:") for each in lines(f"clients: [{clients}]\n{providers}{ROUTE}")]


def test_a_client_of_a_provider_and_an_api_that_exist_is_no_mistake() -> None:
    assert told("{provider: okta, client_id: mobile, apis: [orders], tier: gold}") == []


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (
            "{provider: okat, client_id: a, apis: []}",
            "1:12: clients.0.provider: no provider is called okat; did you mean okta?",
        ),
        (
            "{provider: zzz, client_id: a, apis: []}",
            "1:12: clients.0.provider: no provider is called zzz; write one of okta",
        ),
        (
            "{provider: okta, client_id: a, apis: [order]}",
            "1:49: clients.0.apis.0: no route belongs to the API order; did you mean orders?",
        ),
        (
            "{provider: okta, client_id: a, apis: [zzz]}",
            "1:49: clients.0.apis.0: no route belongs to the API zzz; write one of orders",
        ),
        (
            "{provider: okta, client_id: a, apis: [orders, orders]}",
            "1:57: clients.0.apis.1: the client already has a contract for orders; keep one",
        ),
        ("{provider: okta, client_id: '', apis: []}", "1:28: clients.0.client_id: must not be empty"),
        ("{client_id: a, apis: []}", "1:11: clients.0.provider: is missing; write provider: okta"),
        ("{provider: okta, client_id: a}", '1:11: clients.0.apis: is missing; write apis: ["orders"]'),
        (
            "{provider: okta, client_id: a, apis: [], teir: x}",
            "1:52: clients.0.teir: is not known here; did you mean tier?",
        ),
    ],
)
def test_the_line_about_a_client(client: str, expected: str) -> None:
    assert told(client) == [expected]


def test_a_client_is_told_that_there_is_no_provider_at_all() -> None:
    assert told("{provider: okta, client_id: a, apis: [orders]}", "") == [
        "1:12: clients.0.provider: no provider is called okta; there is none"
    ]


def test_clients_of_two_providers_may_have_the_same_id() -> None:
    second = OKTA.removeprefix("providers:\n").replace("okta:\n", "other:\n", 1)
    both = "{provider: okta, client_id: a, apis: [orders]}, {provider: other, client_id: a, apis: [orders]}"
    assert told(both, OKTA + second) == []


def test_a_provider_that_is_faulty_still_has_a_name() -> None:
    (only,) = told("{provider: okta, client_id: a, apis: [orders]}", OKTA.replace("preset: okta", "preset: okat"))
    assert "providers.okta.preset" in only
