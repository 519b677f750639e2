"""The rules a token must satisfy, each with its boundary on both sides."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import Deny
from policies.token_enforcement.claims import Token
from policies.token_enforcement.options import ClaimRule
from policies.token_enforcement.rules import Rules, claim_at, judge, satisfies
from tests.fakes import NOON

ISSUER = "https://idp.example.com"
INTROSPECTED = Token(
    issuer=ISSUER,
    subject="alice",
    client_id="mobile",
    audience=("https://api.example.com", "other"),
    scopes=frozenset({"orders.read", "orders.write"}),
    expires_at=NOON + 60,
    not_before=None,
    issued_at=None,
    claims={"roles": ["admin"], "realm_access": {"roles": ["a", "b"]}},
)
SIGNED = replace(INTROSPECTED, algorithm="RS256", type="at+jwt")
RULES = Rules(realm="orders", provider_issuer=ISSUER, types=frozenset({"at+jwt"}), algorithms=frozenset({"RS256"}))


def but(token: Token, **changes: Any) -> Token:
    """The token with some claims changed."""
    return replace(token, **changes)


def code(token: Token, now: float = NOON, rules: Rules = RULES, **changes: Any) -> str | None:
    """The code of the refusal; `None` for a token that satisfies the rules."""
    refusal = judge(token, replace(rules, **changes), now)
    return None if refusal is None else refusal.code


# --- times ---


@pytest.mark.case("C045", "C050")
def test_a_token_expires_at_the_very_second_it_names() -> None:
    assert code(SIGNED, NOON + 59.999) is None
    assert code(SIGNED, NOON + 60) == "token_expired"


@pytest.mark.case("C050", "C150")
def test_the_leeway_is_applied_once() -> None:
    assert code(SIGNED, NOON + 64.999, leeway=5) is None
    assert code(SIGNED, NOON + 65, leeway=5) == "token_expired"


@pytest.mark.case("C045")
def test_a_fraction_of_a_second_counts() -> None:
    half = but(SIGNED, expires_at=NOON + 0.5)
    assert code(half, NOON + 0.499) is None
    assert code(half, NOON + 0.5) == "token_expired"


@pytest.mark.case("C049", "C110")
@pytest.mark.parametrize("expires_at", [0.0, -1.0, NOON - 1])
def test_a_token_that_expired_is_refused_however_it_was_verified(expires_at: float) -> None:
    assert code(but(SIGNED, expires_at=expires_at)) == "token_expired"
    assert code(but(INTROSPECTED, expires_at=expires_at)) == "token_expired"


def test_a_token_without_an_expiry_does_not_expire() -> None:
    assert code(but(INTROSPECTED, expires_at=None), NOON + 1e9) is None


@pytest.mark.case("C051", "C052")
@pytest.mark.parametrize("name", ["not_before", "issued_at"])
def test_a_token_of_the_future_is_refused_beyond_the_leeway(name: str) -> None:
    assert code(but(SIGNED, **{name: NOON + 5}), leeway=5) is None
    assert code(but(SIGNED, **{name: NOON + 5.001}), leeway=5) == "token_not_yet_valid"


@pytest.mark.case("C279")
@given(now=st.floats(min_value=10_000, max_value=2**40), step=st.floats(min_value=-7200, max_value=7200))
def test_whenever_a_token_is_judged_it_is_good_between_its_times_and_at_no_other(now: float, step: float) -> None:
    token = but(SIGNED, not_before=now - 60, expires_at=now + 60)
    assert (code(token, now + step) is None) == (now - 60 <= now + step < now + 60)


# --- who issued it, and for whom ---


@pytest.mark.case("C071")
@pytest.mark.parametrize(
    "issuer",
    [
        None,
        f"{ISSUER}/",
        "https://IDP.example.com",
        ISSUER[:-1],
        f"{ISSUER}.evil.com",
        "https://idp.ex\u0430mple.com",
        ISSUER.upper(),
    ],
)
def test_a_signed_token_must_name_the_issuer_of_its_provider_to_the_letter(issuer: str | None) -> None:
    assert code(SIGNED, provider_issuer=ISSUER) is None
    assert code(but(SIGNED, issuer=issuer), provider_issuer=ISSUER) == "token_issuer_refused"


@pytest.mark.case("C114")
def test_an_introspected_token_need_not_name_its_issuer_but_must_not_name_another() -> None:
    assert code(but(INTROSPECTED, issuer=None), provider_issuer=ISSUER) is None
    assert code(but(INTROSPECTED, issuer="https://other"), provider_issuer=ISSUER) == "token_issuer_refused"


@pytest.mark.case("C114")
def test_an_introspected_token_must_name_the_issuer_that_the_route_asks_for() -> None:
    assert code(but(INTROSPECTED, issuer=None), issuer=ISSUER) == "token_issuer_refused"
    assert code(INTROSPECTED, issuer=ISSUER, provider_issuer="https://provider") is None


@pytest.mark.case("C071")
def test_a_signed_token_is_refused_where_nobody_said_who_may_issue_it() -> None:
    assert code(SIGNED, provider_issuer=None) == "token_issuer_refused"
    assert code(INTROSPECTED, provider_issuer=None) is None


@pytest.mark.case("C070", "C114")
@pytest.mark.parametrize(
    "audience",
    [None, (), ("other",), ("https://api.example.com/",), ("https://api.example.co",), ("https://api.example.com x",)],
)
def test_a_token_that_is_not_meant_for_this_api_is_refused(audience: tuple[str, ...] | None) -> None:
    ours = frozenset({"https://api.example.com"})
    assert code(SIGNED, audience=ours) is None
    assert code(but(SIGNED, audience=audience), audience=ours) == "token_audience_refused"


def test_one_of_several_names_of_the_api_is_enough() -> None:
    assert code(SIGNED, audience=frozenset({"https://new-name", "other"})) is None


# --- the header ---


@pytest.mark.case("C041")
@pytest.mark.parametrize(
    "type_", ["", "jwt", "dpop+jwt", "logout+jwt", "secevent+jwt", "oauth-authz-req+jwt", "at+jwtx"]
)
def test_a_signed_token_of_another_type_is_refused(type_: str) -> None:
    assert code(but(SIGNED, type=type_)) == "token_type_refused"


@pytest.mark.case("C032")
def test_a_signed_token_of_an_algorithm_that_the_route_does_not_accept_is_refused() -> None:
    assert code(SIGNED, algorithms=frozenset({"ES256"})) == "token_algorithm_refused"


def test_an_introspected_token_has_no_header_to_judge() -> None:
    assert code(INTROSPECTED, algorithms=frozenset(), types=frozenset()) is None


# --- scopes ---


@pytest.mark.case("C074", "C116")
@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ({"orders.read"}, True),
        ({"orders.read", "orders.write"}, True),
        ({"orders.read", "orders.delete"}, False),
        ({"orders"}, False),
        ({"orders.reads"}, False),
        ({"Orders.read"}, False),
        ({"orders.read:all"}, False),
    ],
)
def test_all_scopes_must_be_there_as_whole_words(scopes: set[str], allowed: bool) -> None:
    assert code(SIGNED, scopes=frozenset(scopes)) == (None if allowed else "insufficient_scope")


def test_any_scope_is_enough_where_the_route_says_so() -> None:
    assert code(SIGNED, scopes=frozenset({"orders.delete", "orders.read"}), any_scope=True) is None
    assert code(SIGNED, scopes=frozenset({"orders.delete"}), any_scope=True) == "insufficient_scope"


@pytest.mark.case("C116")
@pytest.mark.parametrize("any_scope", [False, True])
def test_a_token_without_scopes_does_not_reach_a_route_that_asks_for_one(any_scope: bool) -> None:
    refusal = judge(
        but(SIGNED, scopes=frozenset()),
        replace(RULES, scopes=frozenset({"orders.read"}), any_scope=any_scope),
        NOON,
    )
    assert isinstance(refusal, Deny)
    assert (refusal.status, refusal.error) == (403, "insufficient_scope")


# --- further claims ---


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (ClaimRule(claim="c", equals="x"), ["x"], ["X", "xx", ["x"], None, {"x": 1}]),
        (ClaimRule(claim="c", equals=1), [1, 1.0], [True, "1", 2]),
        (ClaimRule(claim="c", equals=True), [True], [1, "true", False]),
        (ClaimRule(claim="c", equals=False), [False], [0, None, "", "false"]),
        (ClaimRule(claim="c", one_of=("x", 2)), ["x", 2], ["y", "2", True, None, ["x"]]),
        (ClaimRule(claim="c", contains="x"), [["x"], ["y", "x"], "x", "y x"], ["xy", ["xy"], [], None, {"x": 1}]),
        (ClaimRule(claim="c", contains=1), [[1], [2, 1]], ["1", [True], 1, ["1"]]),
    ],
)
def test_a_claim_must_say_what_the_rule_asks_in_value_and_type(
    rule: ClaimRule, good: list[Any], bad: list[Any]
) -> None:
    assert all(satisfies(value, rule) for value in good)
    assert not any(satisfies(value, rule) for value in bad)


def test_a_claim_that_is_missing_satisfies_no_rule() -> None:
    for rule in (
        ClaimRule(claim="x", equals="a"),
        ClaimRule(claim="x", one_of=("a",)),
        ClaimRule(claim="x", contains="a"),
    ):
        assert code(SIGNED, claims=(rule,)) == "claim_refused"


def test_every_claim_rule_must_be_satisfied() -> None:
    admin, b = ClaimRule(claim="roles", contains="admin"), ClaimRule(claim="realm_access.roles", contains="b")
    assert code(SIGNED, claims=(admin, b)) is None
    assert code(SIGNED, claims=(admin, replace(b, contains="c"))) == "claim_refused"


@pytest.mark.parametrize(
    "asks", [{}, {"equals": "a", "contains": "a"}, {"equals": "a", "one_of": ("a",)}, {"one_of": ()}, {"equals": None}]
)
def test_a_claim_rule_asks_for_exactly_one_thing(asks: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        ClaimRule(claim="c", **asks)


def test_dots_lead_into_objects_unless_a_claim_has_that_very_name() -> None:
    claims = {"a": {"b": {"c": 1}}, "a.b": 2, "https://example.com/roles": ["x"]}
    assert claim_at(claims, "a.b") == 2
    assert claim_at(claims, "a.b.c") == 1
    assert claim_at(claims, "https://example.com/roles") == ["x"]
    assert claim_at(claims, "a.x") is None
    assert claim_at(claims, "a.b.c.d") is None


# --- all together ---


def test_whether_the_token_is_good_at_all_is_asked_before_what_it_allows() -> None:
    expired_and_without_scope = but(SIGNED, expires_at=0.0, scopes=frozenset())
    assert code(expired_and_without_scope, scopes=frozenset({"orders.read"})) == "token_expired"


@pytest.mark.case("C027", "C312")
@pytest.mark.parametrize(
    "asks",
    [
        {"provider_issuer": ISSUER},
        {"types": frozenset({"at+jwt"})},
        {"algorithms": frozenset({"RS256"})},
        {"audience": frozenset({"a"})},
        {"scopes": frozenset({"a"})},
        {"claims": (ClaimRule(claim="c", equals="a"),)},
    ],
)
def test_no_refusal_shows_what_the_token_says(asks: dict[str, Any]) -> None:
    said = "alice-was-here"
    same = frozenset({said})
    token = but(
        SIGNED, issuer=said, audience=(said,), scopes=same, subject=said, type=said, algorithm=said, claims={"c": said}
    )
    lenient: dict[str, Any] = {"provider_issuer": said, "types": same, "algorithms": same}
    refusal = judge(token, replace(RULES, **{**lenient, **asks}), NOON)
    assert refusal is not None
    assert said not in repr(refusal)
