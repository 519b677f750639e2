"""Claims as headers for the upstream."""

import json
import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.token_enforcement.claims import Token
from policies.token_enforcement.identity import MAX_BYTES, encode, headers_of

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
TEXT = st.text(alphabet=st.characters(codec=None, min_codepoint=0))
"""Half a surrogate pair too, and every control character."""
FIELD_NAME = re.compile(r"[A-Za-z0-9_-]+")


def token(claims: dict[str, object]) -> Token:
    return Token(
        issuer=None,
        subject=None,
        client_id=None,
        audience=None,
        scopes=frozenset(),
        expires_at=None,
        not_before=None,
        issued_at=None,
        claims=claims,
    )


def is_one_line(value: str) -> bool:
    """RFC 9110, 5.5: visible ASCII and spaces, nothing that any reader takes for the end of a line."""
    return all(" " <= character <= "~" for character in value)


@pytest.mark.case("C058", "C227")
@given(value=JSON | TEXT)
def test_nothing_a_claim_says_can_end_a_header(value: object) -> None:
    assert is_one_line(encode(value))


@pytest.mark.case("C058", "C227")
@given(claims=st.dictionaries(TEXT, JSON | TEXT))
def test_no_claim_by_whatever_name_can_begin_another_header(claims: dict[str, object]) -> None:
    headers = headers_of(token(claims), {"X-Id": "client_id"}, agw=True)
    assert all(is_one_line(value) for _, value in headers)
    assert all(FIELD_NAME.fullmatch(name) for name, _ in headers)
    assert len({name.lower() for name, _ in headers}) == len(headers)


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_an_upstream_can_decode_a_text(text: str) -> None:
    assert unquote(encode(text)) == text


@given(value=JSON.filter(lambda value: value is not None and not isinstance(value, str)))
def test_an_upstream_can_decode_everything_else_as_json(value: object) -> None:
    assert json.loads(encode(value)) == value


@pytest.mark.case("C227")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("alice", "alice"),
        ("Alice Liddell", "Alice Liddell"),
        ("100%", "100%25"),
        ("Zoë", "Zo%C3%AB"),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil: 1"),
        ("a\0b\x7f", "a%00b%7F"),
        ("", ""),
        (True, "true"),
        (7, "7"),
        (1.5, "1.5"),
        (["a", "ë"], '["a","\\u00eb"]'),
        ({"a": [1]}, '{"a":[1]}'),
    ],
)
def test_a_claim_is_encoded_as_documented(value: object, text: str) -> None:
    assert encode(value) == text


@pytest.mark.case("C227")
def test_a_value_that_is_too_long_is_left_out_and_the_others_are_not() -> None:
    names = {"X-Long": "long", "X-Fits": "fits", "X-Grows": "grows"}
    claims = token({"long": "a" * (MAX_BYTES + 1), "fits": "a" * MAX_BYTES, "grows": "ë" * (MAX_BYTES // 6 + 1)})
    assert [name for name, _ in headers_of(claims, names, agw=False)] == ["X-Fits"]


def test_a_claim_that_is_absent_or_null_leaves_its_header_out() -> None:
    assert headers_of(token({"a": None}), {"X-A": "a", "X-B": "b"}, agw=False) == ()


def test_dots_lead_into_objects() -> None:
    assert headers_of(token({"a": {"b": "c"}}), {"X-C": "a.b"}, agw=False) == (("X-C", "c"),)


def test_the_x_agw_preset_shows_plain_claims_by_their_names() -> None:
    claims = {
        "active": True,
        "scope": "a b",
        "exp": 1,
        "client_id": "mobile",
        "given name": "Alice",
        "verified": True,
        "level": 3,
        "roles": ["a"],
        "address": {"city": "x"},
        "nothing": None,
        "https://example.com/x": "y",
        "a\r\nb": "c",
        "": "d",
    }
    assert headers_of(token(claims), {}, agw=True) == (
        ("X-AGW-client_id", "mobile"),
        ("X-AGW-given-name", "Alice"),
        ("X-AGW-verified", "true"),
        ("X-AGW-level", "3"),
    )


def test_of_claims_that_would_share_a_header_the_first_counts_and_the_route_s_own_comes_before() -> None:
    claims = token({"a b": "first", "a-b": "second", "A-B": "third", "client_id": "mobile"})
    assert headers_of(claims, {"x-agw-client_id": "a b"}, agw=True) == (
        ("x-agw-client_id", "first"),
        ("X-AGW-a-b", "first"),
    )


@pytest.mark.case("C073")
def test_no_claims_no_headers() -> None:
    assert headers_of(token({}), {}, agw=True) == ()
