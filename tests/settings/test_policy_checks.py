"""What is warned of: routes that ask for no contract, and rate limits that hold nobody."""

import pytest

from gateway.clients.store.sealing import new_key
from gateway.settings import Settings, parse
from tests.settings import OKTA, policies

STORE = f"store: {{encryption_keys: [{new_key()}]}}\n"
REGISTERING = OKTA + "    registration: {}\n"
OTHER = (
    "  other: {issuer: https://other.example, introspection: {client_id: gateway, client_secret: n0body-knows-this}}\n"
)
ENFORCING = "token-enforcement: {provider: okta}"
REQUIRED = "token-enforcement: {provider: okta, contract: required}"
READING = "{token-enforcement: {provider: okta, contract: required}, when: {methods: [GET]}}"
WRITING = "{token-enforcement: {provider: okta, contract: required}, when: {methods: [POST]}}"
FRONT = "rate-limit: {tier: gold}"
GOLD = "tiers: {gold: {limits: [{requests: 10, seconds: 60}]}}\n"


def settings(*entries: str, before: str = STORE + REGISTERING) -> Settings:
    return parse(before + policies(*entries), environment={})


def test_a_route_where_revoking_a_contract_stops_nobody_is_warned_of() -> None:
    (warning,) = settings(ENFORCING).warnings
    assert str(warning) == (
        "tokenward.yaml:14:9: routes.orders.policies.0.token-enforcement: asks for no contract: revoking one for "
        "orders stops nobody here; write contract: required, or apis.orders.listed: false where nobody needs a contract"
    )


def test_each_enforcement_that_asks_for_no_contract_is_named() -> None:
    writing = "{token-enforcement: {provider: okta}, when: {methods: [POST]}}"
    found = settings(READING, writing, "{token-enforcement: {provider: okta}}").warnings
    assert [each.path for each in found] == [
        "routes.orders.policies.1.token-enforcement",
        "routes.orders.policies.2.token-enforcement",
    ]


@pytest.mark.parametrize("entries", [[REQUIRED], [READING, WRITING], [ENFORCING, REQUIRED], []])
def test_a_route_whose_every_request_needs_a_contract_and_a_public_one_are_not_warned_of(entries: list[str]) -> None:
    assert settings(*entries or ["opening-hours: {}"]).warnings == ()


def test_an_enforcement_that_only_reports_asks_for_no_contract() -> None:
    reporting = "{token-enforcement: {provider: okta, contract: required}, report_only: true}"
    assert len(settings(ENFORCING, reporting).warnings) == 1


@pytest.mark.parametrize(
    "before",
    [REGISTERING, STORE + OKTA, STORE + REGISTERING + "apis: {orders: {listed: false}}\n"],
    ids=["no store", "nobody registers clients", "not listed"],
)
def test_where_nobody_gets_a_contract_none_is_missed(before: str) -> None:
    assert settings(ENFORCING, before=before).warnings == ()


def test_tokens_of_another_provider_than_the_one_that_registers_the_clients_need_no_contract() -> None:
    before = STORE + REGISTERING + OTHER + "apis: {orders: {provider: okta}}\n"
    assert settings("token-enforcement: {provider: other}", before=before).warnings == ()
    assert len(settings("token-enforcement: {providers: [other, okta]}", before=before).warnings) == 1


def test_a_rate_limit_in_front_of_the_enforcement_is_warned_of() -> None:
    (warning,) = settings("rate-limit: {}", REQUIRED).warnings
    assert str(warning) == (
        "tokenward.yaml:14:9: routes.orders.policies.0.rate-limit: stands before token-enforcement, where no client is "
        "known yet: no contract's tier holds; put it behind"
    )


def test_a_limit_of_addresses_is_meant_in_front_of_one_of_clients() -> None:
    before = STORE + REGISTERING + GOLD
    assert settings(FRONT, REQUIRED, "rate-limit: {}", before=before).warnings == ()
    assert len(settings(FRONT, REQUIRED, before=before).warnings) == 1
    assert len(settings("rate-limit: {}", REQUIRED, "rate-limit: {}", before=before).warnings) == 1


def test_a_rate_limit_of_a_route_without_tokens_is_not_warned_of() -> None:
    assert settings(FRONT, before=GOLD).warnings == ()


def test_workers_that_count_by_themselves_are_warned_of() -> None:
    (warning,) = settings(REQUIRED, "rate-limit: {}", before="workers: 4\n" + REGISTERING).warnings
    assert warning.path == "routes.orders.policies.1.rate-limit"
    assert warning.text == (
        "each worker counts by itself: a client may get its limit 4 times; write redis, or workers: 1"
    )
    shared = "rate-limit: {redis: 'redis://redis.internal:6379/0'}"
    assert settings(REQUIRED, shared, before="workers: 4\n" + REGISTERING).warnings == ()
    assert settings(REQUIRED, "rate-limit: {}", before=REGISTERING).warnings == ()
