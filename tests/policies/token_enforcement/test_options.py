"""The options of token-enforcement, and what is wrong with some of them."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.providers import Order
from policies.token_enforcement import TokenEnforcement
from policies.token_enforcement.signature import ASYMMETRIC
from tests.policies.token_enforcement.fake_provider import PROVIDER

PROVIDERS = {"idp": PROVIDER}


def mistakes(**options: Any) -> list[str]:
    return [field for field, _ in TokenEnforcement(**options).mistakes(PROVIDERS)]


def test_the_defaults_ask_for_a_provider_and_nothing_else() -> None:
    enforcement = TokenEnforcement(provider="idp")
    assert enforcement.provider_names == ("idp",)
    assert mistakes(provider="idp") == []


def test_several_providers_keep_their_order() -> None:
    assert TokenEnforcement(providers=("b", "a")).provider_names == ("b", "a")


@pytest.mark.parametrize("options", [{}, {"provider": "a", "providers": ("b",)}, {"providers": ()}])
def test_a_provider_is_named_in_one_way(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="provider"):
        TokenEnforcement(**options)


@pytest.mark.case("C050")
@pytest.mark.parametrize("leeway", [-0.001, 60.001, float("nan"), float("inf")])
def test_leeway_is_at_most_a_minute(leeway: float) -> None:
    TokenEnforcement(provider="idp", leeway=0)
    TokenEnforcement(provider="idp", leeway=60)
    with pytest.raises(ValueError, match="leeway"):
        TokenEnforcement(provider="idp", leeway=leeway)


@pytest.mark.case("C028", "C029", "C032")
@pytest.mark.parametrize("algorithms", [(), ("none",), ("HS256",), ("RS256", "HS512"), ("rs256",)])
def test_only_signatures_that_we_could_not_make_ourselves_are_accepted(algorithms: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="algorithms"):
        TokenEnforcement(provider="idp", algorithms=algorithms)


def test_all_asymmetric_algorithms_are_accepted_by_default() -> None:
    assert frozenset(TokenEnforcement(provider="idp").algorithms) == ASYMMETRIC


@pytest.mark.case("C027")
@pytest.mark.parametrize("realm", ["a\r\nX-Evil: 1", "a\n", "Bücher", "\0", "\x7f"])
def test_a_realm_that_no_header_may_hold_is_refused(realm: str) -> None:
    TokenEnforcement(provider="idp", realm='any "visible" ASCII\\')
    with pytest.raises(ValueError, match="realm"):
        TokenEnforcement(provider="idp", realm=realm)


@pytest.mark.case("C027")
@pytest.mark.parametrize("scope", ["a b", "", 'a"b', "a\\b", "ä", "a\n"])
def test_a_scope_that_no_token_can_have_is_refused(scope: str) -> None:
    TokenEnforcement(provider="idp", scopes=("orders:read", "https://api.example.com/orders.read"))
    with pytest.raises(ValueError, match="scope"):
        TokenEnforcement(provider="idp", scopes=("a", scope))


# --- in view of the providers ---


def test_a_provider_that_is_not_configured_is_a_mistake() -> None:
    assert mistakes(provider="okta") == ["provider"]
    assert mistakes(providers=("idp", "okta", "auth0")) == ["providers", "providers"]


@pytest.mark.parametrize("order", list(Order))
def test_introspection_needs_credentials(order: Order) -> None:
    silent = {"idp": replace(PROVIDER, introspection=None)}
    found = [field for field, _ in TokenEnforcement(provider="idp", order=order).mistakes(silent)]
    assert found == (["order"] if order in {Order.INTROSPECT_ONLY, Order.INTROSPECT_THEN_KEYS} else [])


@pytest.mark.case("C071")
@pytest.mark.parametrize("order", list(Order))
def test_keys_need_somebody_to_have_issued_the_token(order: Order) -> None:
    nameless = {"idp": replace(PROVIDER, issuer=None)}
    found = [field for field, _ in TokenEnforcement(provider="idp", order=order).mistakes(nameless)]
    assert found == (["issuer"] if order in {Order.KEYS_FIRST, Order.KEYS_ONLY} else [])
    named = TokenEnforcement(provider="idp", order=order, issuer="https://idp.example.com")
    assert list(named.mistakes(nameless)) == []


def test_freshness_is_not_negative() -> None:
    with pytest.raises(ValueError, match="write 0 s to ask the provider each time"):
        TokenEnforcement(provider="okta", freshness={"DELETE": -1.0})
