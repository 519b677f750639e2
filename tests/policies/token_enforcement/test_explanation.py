"""Why a token is allowed or refused, check by check."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.clients import Contract
from gateway.policy import Finding
from policies.token_enforcement import explanation
from policies.token_enforcement.claims import Token
from policies.token_enforcement.options import ClaimRule
from policies.token_enforcement.rules import CHECKS, Rules, judge
from tests.fakes import NOON

TOKEN = Token(
    issuer="https://idp.example.com",
    subject="alice",
    client_id="mobile",
    audience=("https://api.example.com",),
    scopes=frozenset({"orders.read"}),
    expires_at=NOON + 60,
    not_before=NOON - 60,
    issued_at=None,
    algorithm="RS256",
    type="at+jwt",
    claims={"role": "admin"},
)
RULES = Rules(
    realm="orders",
    provider_issuer="https://idp.example.com",
    audience=frozenset({"https://api.example.com"}),
    scopes=frozenset({"orders.read"}),
    claims=(ClaimRule(claim="role", equals="admin"),),
    leeway=5,
    types=frozenset({"at+jwt"}),
    algorithms=frozenset({"RS256"}),
)


def finding(check: str, token: Token = TOKEN, rules: Rules = RULES, now: float = NOON) -> Finding:
    return next(found for found in explanation.of_rules(token, rules, now) if found.check == check)


def test_every_check_has_its_line_in_the_order_in_which_it_is_asked() -> None:
    assert [found.check for found in explanation.of_rules(TOKEN, RULES, NOON)] == [name for _, name in CHECKS]


def test_of_a_good_token_every_check_passes() -> None:
    assert all(found.passed for found in explanation.of_rules(TOKEN, RULES, NOON))


def test_a_check_that_nothing_asks_for_neither_passes_nor_fails() -> None:
    lenient = replace(RULES, scopes=frozenset(), audience=frozenset(), claims=())
    idle = [found.check for found in explanation.of_rules(TOKEN, lenient, NOON) if found.passed is None]
    assert idle == ["audience", "claims", "scopes"]


@pytest.mark.parametrize(
    ("check", "change", "words"),
    [
        ("type and algorithm", {"type": "jwt"}, "401 token_type_refused: typ 'jwt' of [at+jwt]"),
        (
            "issuer",
            {"issuer": "x"},
            "401 token_issuer_refused: the token names 'x', expected is 'https://idp.example.com'",
        ),
        ("expiry", {"expires_at": NOON - 10}, "401 token_expired: expires 10 s ago, with 5 s of leeway"),
        ("not before", {"issued_at": NOON + 60}, "401 token_not_yet_valid: nbf 60 s ago, iat in 60 s"),
        ("audience", {"audience": None}, "401 token_audience_refused: the token is meant for nobody"),
        ("claims", {"claims": {"role": "guest"}}, "403 claim_refused: role is 'guest'"),
        ("scopes", {"scopes": frozenset()}, "403 insufficient_scope: the token has [], needed is all of [orders.read]"),
    ],
)
def test_a_check_that_fails_says_why(check: str, change: dict[str, Any], words: str) -> None:
    found = finding(check, replace(TOKEN, **change))
    assert found.passed is False
    assert found.detail.startswith(words)


@pytest.mark.parametrize("change", [{"expires_at": None}, {"type": None}, {"not_before": None}])
def test_what_a_token_does_not_say_is_said(change: dict[str, Any]) -> None:
    assert all(found.detail for found in explanation.of_rules(replace(TOKEN, **change), RULES, NOON))


def test_explain_and_judge_agree() -> None:
    for token in (TOKEN, replace(TOKEN, type="x"), replace(TOKEN, scopes=frozenset()), replace(TOKEN, expires_at=0.0)):
        failed = [found for found in explanation.of_rules(token, RULES, NOON) if found.passed is False]
        refusal = judge(token, RULES, NOON)
        assert (refusal is None) == (not failed)
        assert refusal is None or refusal.code in failed[0].detail


def test_a_contract_is_found_or_not_and_matters_or_not() -> None:
    contract = Contract(provider="idp", client_id="mobile", api="orders", tier="gold")
    assert explanation.of_contract(TOKEN, contract, required=True) == Finding(
        "contract", True, "the client mobile has a contract, tier gold"
    )
    assert explanation.of_contract(TOKEN, None, required=True).passed is False
    assert explanation.of_contract(TOKEN, None, required=False).passed is None
    nobody = explanation.of_contract(replace(TOKEN, client_id=None), None, required=True)
    assert nobody.detail == "a token that names no client has no contract for this API"


def test_what_the_upstream_receives_is_said() -> None:
    assert explanation.of_identity((("X-A", "1"), ("X-B", "2"))).detail == "X-A: 1, X-B: 2"
    assert explanation.of_identity(()).detail == "no identity headers"
