"""Facts as octets, and back."""

import gc
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.token_enforcement.claims import Claims, Token
from policies.token_enforcement.facts import Active, NotIntrospectable
from policies.token_enforcement.records import KeptClaims, Records, mark_of, read
from tests.fakes import NOON

WORDS = st.none() | st.text(st.characters(exclude_categories=["Cs"]))
DATES = st.none() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=8,
)
CLAIMS = st.dictionaries(st.text(max_size=5), VALUES, max_size=5)
TOKENS = st.builds(
    Token,
    issuer=WORDS,
    subject=WORDS,
    client_id=WORDS,
    audience=st.none() | st.lists(st.text(), max_size=3).map(tuple),
    scopes=st.frozensets(st.text(), max_size=3),
    expires_at=DATES,
    not_before=DATES,
    issued_at=DATES,
    algorithm=WORDS,
    type=WORDS,
    claims=CLAIMS,
)
FACTS = st.builds(Active, TOKENS, st.floats(allow_nan=False)) | st.builds(NotIntrospectable, st.floats(allow_nan=False))


@given(fact=FACTS)
def test_what_is_read_is_what_was_written(fact: Active | NotIntrospectable) -> None:
    records = Records()
    record = records.write(fact)
    again = records.read(record)
    assert again == fact
    assert records.write(again) == record


@given(claims=CLAIMS)
def test_kept_claims_are_what_the_provider_said_in_every_respect(claims: dict[str, object]) -> None:
    kept = kept_claims(claims)
    assert kept == claims
    assert claims == kept
    assert (list(kept), len(kept), list(kept.items())) == (list(claims), len(claims), list(claims.items()))
    assert json.dumps(dict(kept)) == json.dumps(claims) == json.dumps(read(kept))
    assert all(name in kept and kept.get(name) == value for name, value in claims.items())
    assert "no such claim" not in kept
    assert kept.get("no such claim") is None


def test_a_boolean_stays_a_boolean_and_a_float_a_float() -> None:
    kept = kept_claims({"a": True, "b": 1, "c": 1.0, "d": -0.0})
    assert repr(list(kept.values())) == "[True, 1, 1.0, -0.0]"


def test_claims_that_nobody_looks_at_are_not_read() -> None:
    fact = Records().read(Records().write(Active(token(), NOON)))
    assert isinstance(fact, Active)
    assert isinstance(fact.token.claims, KeptClaims)
    assert read(fact.token.claims) is not read(fact.token.claims)
    assert fact.token.claims._claims is None
    assert fact.token.claims.get("sub") == "alice"
    assert fact.token.claims._claims is not None


def test_what_tokens_have_in_common_is_one_object() -> None:
    records = Records()
    one, other = (records.read(records.write(Active(token(scopes=frozenset({"a", "b"})), NOON))) for _ in range(2))
    assert isinstance(one, Active)
    assert isinstance(other, Active)
    assert one.token.scopes is other.token.scopes


def test_a_record_is_nothing_to_the_garbage_collector() -> None:
    assert not gc.is_tracked(Records().write(Active(token(), NOON)))


@pytest.mark.parametrize("client_id", ["mobile", "", "ä", None])
def test_a_record_begins_with_the_mark_of_its_client(client_id: str | None) -> None:
    assert Records().write(Active(token(client_id=client_id), NOON)).startswith(mark_of(client_id))
    assert mark_of(client_id) != mark_of("another")


def test_neither_kept_claims_nor_their_token_show_what_they_hold() -> None:
    fact = Records().read(Records().write(Active(token(), NOON)))
    assert isinstance(fact, Active)
    assert "alice@example.com" not in f"{fact!r} {fact.token.claims!r}"


def kept_claims(claims: Claims) -> KeptClaims:
    fact = Records().read(Records().write(Active(token(claims=claims), NOON)))
    assert isinstance(fact, Active)
    assert isinstance(fact.token.claims, KeptClaims)
    return fact.token.claims


def token(
    client_id: str | None = "mobile", scopes: frozenset[str] = frozenset(), claims: Claims | None = None
) -> Token:
    return Token(
        issuer=None,
        subject="alice",
        client_id=client_id,
        audience=None,
        scopes=scopes,
        expires_at=NOON + 3600,
        not_before=None,
        issued_at=None,
        claims={"sub": "alice", "email": "alice@example.com"} if claims is None else claims,
    )
