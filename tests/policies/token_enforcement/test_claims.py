"""What a provider said, in our words and types, or a reason why it can't be an access token."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers import Dialect
from gateway.providers.presets import PRESETS
from policies.token_enforcement.claims import (
    BOUND,
    LATEST,
    MALFORMED,
    NO_EXPIRY,
    NOT_ACCESS_TOKEN,
    Token,
    from_introspection,
    from_keys,
)
from policies.token_enforcement.signature import Invalid, Verified

GENERIC = Dialect()
LENIENT = Dialect(requires_token_type=False)


def introspected(
    claims: Mapping[str, object] | None = None, dialect: Dialect = GENERIC, **more: object
) -> Token | Invalid:
    return from_introspection({"token_type": "Bearer", **(claims or {}), **more}, dialect)


def token(claims: Mapping[str, object] | None = None, dialect: Dialect = GENERIC, **more: object) -> Token:
    """The token that the claims describe; it must be one."""
    outcome = introspected(claims, dialect, **more)
    assert isinstance(outcome, Token), outcome
    return outcome


def verified(claims: Mapping[str, object], typ: str | None = "at+jwt") -> Verified:
    return Verified(alg="RS256", kid="k", typ=typ, claims={"exp": 2_000_000_000, **claims})


# --- is it an access token? ---


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_the_type_of_an_introspected_token_is_compared_without_regard_to_case(kind: str) -> None:
    assert isinstance(introspected(token_type=kind), Token)


@pytest.mark.parametrize("kind", ["refresh_token", "id_token", "N_A", "mac", ""])
def test_another_type_of_token_opens_no_api(kind: str) -> None:
    assert introspected(token_type=kind) is NOT_ACCESS_TOKEN


def test_an_introspected_token_without_a_type_is_refused_where_the_dialect_asks_for_one() -> None:
    assert from_introspection({"sub": "alice"}, GENERIC) is NOT_ACCESS_TOKEN
    assert from_introspection({"sub": "alice", "token_type": None}, GENERIC) is NOT_ACCESS_TOKEN
    assert isinstance(from_introspection({"sub": "alice"}, LENIENT), Token)


def test_a_refresh_token_is_refused_even_where_no_type_is_asked_for() -> None:
    assert introspected(dialect=LENIENT, token_type="refresh_token") is NOT_ACCESS_TOKEN


@pytest.mark.case("C023")
@pytest.mark.parametrize("claims", [{"token_type": "DPoP"}, {"cnf": {"jkt": "x"}}, {"cnf": {}}, {"cnf": "x"}])
def test_a_token_that_is_bound_to_its_sender_is_no_bearer_token(claims: dict[str, object]) -> None:
    assert introspected(claims) is BOUND


@pytest.mark.case("C023")
def test_a_signed_token_that_is_bound_to_its_sender_is_no_bearer_token() -> None:
    assert from_keys(verified({"cnf": {"jkt": "x"}}), GENERIC) is BOUND


@pytest.mark.case("C043")
def test_a_signed_token_must_say_when_it_expires_and_an_introspected_one_need_not() -> None:
    assert from_keys(Verified(alg="RS256", kid=None, typ="at+jwt", claims={}), GENERIC) is NO_EXPIRY
    assert from_keys(verified({"exp": None}), GENERIC) is NO_EXPIRY
    assert token().expires_at is None


def test_a_signed_token_keeps_what_its_header_said() -> None:
    signed = from_keys(verified({"client_id": "app"}, typ=None), GENERIC)
    assert isinstance(signed, Token)
    assert (signed.algorithm, signed.type) == ("RS256", "")
    assert (token().algorithm, token().type) == (None, None)


# --- the words of a dialect ---


def test_the_first_claim_that_is_present_counts() -> None:
    assert token(client_id="a", azp="b").client_id == "a"
    assert token(client_id=None, azp="b").client_id == "b"
    assert token().client_id is None


DIALECTS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "generic": ({"client_id": "c", "sub": "s", "scope": "a b"}, {"client_id": "c", "subject": "s"}),
    "okta": ({"cid": "c", "sub": "s", "scp": ["a", "b"]}, {"client_id": "c", "subject": "s"}),
    "openam": ({"aud": "c", "sub": "s", "scope": ["a", "b"]}, {"client_id": "c", "subject": "s"}),
    "keycloak": ({"azp": "c", "sub": "s", "scope": "a b", "typ": "Bearer"}, {"client_id": "c", "subject": "s"}),
    "entra": ({"appid": "c", "oid": "s", "sub": "pairwise", "scp": "a b"}, {"client_id": "c", "subject": "s"}),
    "auth0": ({"azp": "c", "sub": "s", "scope": "a b"}, {"client_id": "c", "subject": "s"}),
}


@pytest.mark.parametrize("preset", DIALECTS)
def test_each_dialect_is_understood(preset: str) -> None:
    claims, expected = DIALECTS[preset]
    understood = from_keys(verified(claims), PRESETS[preset].dialect)
    assert isinstance(understood, Token)
    assert {name: getattr(understood, name) for name in expected} == expected
    assert understood.scopes == {"a", "b"}


# --- types ---


@pytest.mark.case("C074")
@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("a", {"a"}),
        ("a b", {"a", "b"}),
        ("  a   b ", {"a", "b"}),
        ("a,b", {"a,b"}),
        ("a\tb", {"a\tb"}),
        ("", set()),
        (None, set()),
        ([], set()),
    ],
)
def test_scopes_are_words_between_spaces(scope: object, scopes: set[str]) -> None:
    assert token(scope=scope).scopes == scopes
    signed = from_keys(verified({"scope": scope}), GENERIC)
    assert isinstance(signed, Token)
    assert signed.scopes == scopes


@pytest.mark.case("C074")
def test_a_signed_list_of_scopes_is_taken_element_by_element() -> None:
    signed = from_keys(verified({"scope": ["a", "b c"]}), GENERIC)
    assert isinstance(signed, Token)
    assert signed.scopes == {"a", "b c"}


@pytest.mark.case("C116")
@pytest.mark.parametrize("scope", [["a", "b"], ["a b"], [1], None])
def test_a_list_of_scopes_grants_nothing_in_an_introspection_answer(scope: object) -> None:
    assert token(scope=scope).scopes == frozenset()


@pytest.mark.case("C070")
@pytest.mark.parametrize(
    ("aud", "audience"), [("a", ("a",)), (["a", "b"], ("a", "b")), ([], ()), (None, None), ("a b", ("a b",))]
)
def test_an_audience_is_one_string_or_a_list_of_them(aud: object, audience: tuple[str, ...] | None) -> None:
    assert token(aud=aud).audience == audience


@pytest.mark.case("C070", "C073", "C074", "C044", "C051", "C052", "C071")
@pytest.mark.parametrize(
    ("claim", "value"),
    [
        *(("scope", value) for value in [1, True, {}, {"a": 1}]),
        *(("aud", value) for value in [1, True, {}, ["a", 1], [None], {"a": 1}]),
        *(("sub", value) for value in [1, True, [], ["alice"], {}, ""]),
        *(("iss", value) for value in [1, True, ["https://idp.example.com"], {}, ""]),
        *(("client_id", value) for value in [1, True, ["mobile"], {}, ""]),
        *((date, value) for date in ["exp", "nbf", "iat"] for value in ["1", "", True, False, [], [1], {}]),
    ],
)
def test_a_claim_of_the_wrong_type_makes_the_token_malformed(claim: str, value: object) -> None:
    assert introspected({claim: value}) is MALFORMED


@pytest.mark.parametrize("kind", [1, True, [], ["Bearer"], {}])
def test_a_token_type_of_the_wrong_type_makes_the_token_malformed(kind: object) -> None:
    assert introspected(token_type=kind) is MALFORMED


@pytest.mark.case("C045", "C049")
@pytest.mark.parametrize("date", [0, -1, 1.5, 1_800_000_000, 1_800_000_000.25, -LATEST, LATEST])
def test_a_date_is_any_number_that_a_clock_could_show_and_keeps_its_fraction(date: float) -> None:
    assert token(exp=date).expires_at == date


@pytest.mark.case("C046", "C047", "C049", "C112")
@pytest.mark.parametrize(
    "date",
    [LATEST + 2, -LATEST - 2, 10**400, -(10**400), 1e300, -1e18, float("inf"), float("-inf"), float("nan")],
    ids=str,
)
@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
def test_a_number_that_no_clock_could_show_is_no_date(claim: str, date: float) -> None:
    assert introspected({claim: date}) is MALFORMED


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["iss", "sub", "aud", "exp", "nbf", "iat", "scope", "scp", "client_id", "azp", "cnf", "token_type"]
)


@pytest.mark.case("C044", "C046", "C112")
@given(claims=st.dictionaries(NAMES, JSON))
def test_whatever_the_claims_are_there_is_a_token_with_checked_types_or_a_reason(claims: dict[str, object]) -> None:
    for outcome in (from_introspection(claims, GENERIC), from_keys(verified(claims), GENERIC)):
        if isinstance(outcome, Invalid):
            continue
        texts: list[Any] = [outcome.issuer, outcome.subject, outcome.client_id]
        assert all(text is None or (isinstance(text, str) and text) for text in texts)
        dates: list[Any] = [outcome.expires_at, outcome.not_before, outcome.issued_at]
        assert all(date is None or (isinstance(date, float) and abs(date) <= LATEST) for date in dates)
        words: list[Any] = [*outcome.scopes, *(outcome.audience or ())]
        assert all(isinstance(word, str) for word in words)


@pytest.mark.case("C307")
def test_the_repr_of_a_token_does_not_show_its_claims() -> None:
    assert "alice@example.com" not in repr(token(email="alice@example.com"))


def test_claims_are_kept_as_the_provider_said_them() -> None:
    said = json.loads('{"token_type": "Bearer", "roles": ["a", {"b": null}], "n": 1.0}')
    assert token(said).claims == said


# --- a JWT that the same keys signed, and that is no access token ---


@pytest.mark.parametrize("claim", ["at_hash", "c_hash"])
def test_an_id_token_is_told_by_the_hashes_that_only_it_carries(claim: str) -> None:
    assert from_keys(verified({claim: "x"}, typ="jwt"), GENERIC) is NOT_ACCESS_TOKEN


@pytest.mark.parametrize("typ", [None, "jwt"])
def test_what_names_neither_a_client_nor_a_scope_is_taken_for_an_id_token_unless_its_type_says_otherwise(
    typ: str | None,
) -> None:
    about_a_user: dict[str, object] = {"sub": "alice", "aud": "app"}
    assert from_keys(verified(about_a_user, typ), GENERIC) is NOT_ACCESS_TOKEN
    assert isinstance(from_keys(verified(about_a_user, "at+jwt"), GENERIC), Token)
    for claim in ("client_id", "azp", "scope"):
        assert isinstance(from_keys(verified({**about_a_user, claim: "x"}, typ), GENERIC), Token)


@pytest.mark.parametrize(
    ("preset", "claims"),
    [("keycloak", {"typ": "ID"}), ("keycloak", {"typ": "Refresh"}), ("openam", {"tokenName": "refresh_token"})],
)
def test_a_signed_token_that_says_it_is_of_another_kind_opens_no_api(preset: str, claims: dict[str, str]) -> None:
    assert from_keys(verified(claims, typ="jwt"), PRESETS[preset].dialect) is NOT_ACCESS_TOKEN


def test_a_signed_token_need_not_name_its_kind() -> None:
    assert isinstance(from_keys(verified({}), GENERIC), Token)


def test_a_list_of_scopes_grants_what_it_names_where_the_dialect_expects_one() -> None:
    assert token({"scope": ["read", "write"]}, Dialect(scope_lists=True)).scopes == {"read", "write"}
