"""What developers may ask for: APIs and tiers as they may be written, and the line about what may not."""

from pathlib import Path

import pytest

from gateway.settings import load, parse
from gateway.settings.catalogue import catalogue, tiers
from tests.settings import OKTA, ROUTE, lines

REGISTERING = OKTA + "    registration: {}\n"
GOLD = "tiers: {gold: {title: Gold, limits: [{requests: 10, seconds: 60}]}}\n"


def told(text: str, providers: str = REGISTERING) -> list[str]:
    return [each.removeprefix("tokenward.yaml:") for each in lines(f"{text}\n{providers}{ROUTE}")]


def test_an_api_of_a_route_with_tiers_that_exist_is_no_mistake() -> None:
    assert told(f"{GOLD}apis: {{orders: {{tiers: [gold], documentation: https://docs.example.com}}}}") == []


def test_a_provider_whose_registration_is_open_registers_clients() -> None:
    assert told("apis: {orders: {provider: okta}}") == []
    assert told("apis: {orders: {provider: okta}}", OKTA) == [
        "1:17: apis.orders.provider: okta registers no clients; write providers.okta.registration"
    ]


@pytest.mark.parametrize(
    ("api", "expected"),
    [
        ("{provider: okat}", "provider: no provider is called okat; did you mean okta?"),
        ("{tiers: [glod]}", "tiers.0: no tier is called glod; did you mean gold?"),
        ("{documentation: 'javascript:alert(1)'}", "documentation: must be an http or https URL; write https://…"),
        ("{url: ftp://api.example.com}", "url: must be an http or https URL; write https://…"),
        ("{approval: perhaps}", "approval: must be one of automatic, manual"),
        (
            "{openapi_file: nowhere.yaml}",
            "openapi_file: there is no such file; paths start at the folder of the configuration",
        ),
        ("{teirs: [gold]}", "teirs: is not known here; did you mean tiers?"),
    ],
)
def test_the_line_about_an_api(api: str, expected: str) -> None:
    (only,) = told(f"{GOLD}apis: {{orders: {api}}}")
    assert only.partition(": apis.orders.")[2] == expected


def test_an_api_that_no_route_belongs_to_is_told() -> None:
    assert told("apis: {order: {}}") == ["1:8: apis.order: no route belongs to the API order; did you mean orders?"]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ("[{requests: 0, seconds: 60}]", "limits.0.requests: must be at least 1"),
        ("[{requests: 10}]", "limits.0.seconds: is missing; write seconds: 60"),
        ("[{requests: 10, seconds: 0.5}]", "limits.0.seconds: must be a whole number"),
    ],
)
def test_the_line_about_a_limit(limits: str, expected: str) -> None:
    (only,) = told(f"tiers: {{gold: {{limits: {limits}}}}}")
    assert only.partition(": tiers.gold.")[2] == expected


def test_the_tier_of_a_configured_client_exists_where_any_does() -> None:
    client = "clients: [{provider: okta, client_id: a, apis: [orders], tier: glod}]"
    assert told(client) == []
    assert told(f"{GOLD}{client}") == ["2:58: clients.0.tier: no tier is called glod; did you mean gold?"]


def test_the_catalogue_knows_what_routes_ask_for_and_where_they_are() -> None:
    found = parse(
        f"{REGISTERING}{GOLD}"
        "apis: {orders: {tiers: [gold]}}\n"
        "routes:\n"
        "  read: {path: /orders, api: orders, upstream: http://a:1, policies: [&p {token-enforcement: "
        "{provider: okta, scopes: [orders.read], audience: [a]}}]}\n"
        "  public: {path: /public, upstream: http://a:1, policies: []}\n",
        environment={},
    )
    made = catalogue(found.apis, tiers(found.tiers), found.routes, "https://api.example.com")
    assert set(made.apis) == {"orders"}
    orders = made.apis["orders"]
    assert (orders.title, orders.provider, orders.scopes) == ("orders", "okta", ("orders.read",))
    assert orders.url == "https://api.example.com/orders"
    assert made.tiers["gold"].title == "Gold"


def test_the_document_of_an_api_starts_at_the_folder_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text("openapi: 3.1.0")
    file = tmp_path / "tokenward.yaml"
    file.write_text(f"{REGISTERING}apis: {{orders: {{provider: okta, openapi_file: orders.yaml}}}}\n{ROUTE}")
    found = load(file)
    assert catalogue(found.apis, {}, found.routes, "").apis["orders"].openapi == "openapi: 3.1.0"
