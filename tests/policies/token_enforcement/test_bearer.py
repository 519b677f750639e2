"""The refusals of RFC 6750, section 3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy import Deny
from policies.token_enforcement import bearer


def challenge(deny: Deny) -> str:
    (header,) = deny.headers
    assert header[0] == "WWW-Authenticate"
    return header[1]


@pytest.mark.case("C001", "C027")
def test_a_caller_without_a_credential_is_given_no_error_code() -> None:
    deny = bearer.no_credential("orders")
    assert (deny.status, deny.code, deny.error) == (401, "credential_missing", None)
    assert challenge(deny) == 'Bearer realm="orders"'


@pytest.mark.case("C027")
def test_a_bad_token_is_401_invalid_token() -> None:
    deny = bearer.invalid_token("orders", "token_expired", "The token has expired.")
    assert (deny.status, deny.code, deny.error) == (401, "token_expired", "invalid_token")
    assert challenge(deny) == (
        'Bearer realm="orders", error="invalid_token", error_description="The token has expired."'
    )


def test_a_credential_presented_wrongly_is_400_invalid_request() -> None:
    deny = bearer.invalid_request("orders", "credential_repeated", "One is enough.")
    assert (deny.status, deny.code, deny.error) == (400, "credential_repeated", "invalid_request")
    assert 'error="invalid_request"' in challenge(deny)


def test_a_scope_that_is_missing_is_403_and_the_challenge_names_what_would_do() -> None:
    deny = bearer.insufficient_scope("orders", {"b.write", "a.read"}, "More is needed.")
    assert (deny.status, deny.code, deny.error) == (403, "insufficient_scope", "insufficient_scope")
    assert challenge(deny).endswith(', scope="a.read b.write"')


def test_what_no_scope_would_help_is_403_without_a_challenge() -> None:
    deny = bearer.forbidden("claim_refused", "No.")
    assert (deny.status, deny.headers, deny.error) == (403, (), None)


@pytest.mark.case("C027")
@given(realm=st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_whatever_the_realm_is_the_challenge_is_one_quoted_string(realm: str) -> None:
    said = challenge(bearer.no_credential(realm)).removeprefix('Bearer realm="').removesuffix('"')
    unescaped = said.replace("\\\\", "\0").replace('\\"', '"').replace("\0", "\\")
    assert unescaped == realm
    assert not said.replace("\\\\", "").replace('\\"', "").count('"')
