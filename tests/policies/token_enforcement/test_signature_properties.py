"""What holds of every token, whatever it is made of."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.token_enforcement.signature import ASYMMETRIC, Invalid, Unverified, Verified, peek, verify
from tests.policies.token_enforcement.signing import ec_signer, ed25519_signer, encoded, key_set, rsa_signer

SIGNERS = (rsa_signer(), rsa_signer("PS256", "ps-1"), ec_signer(), ed25519_signer())
KEYS = key_set(*SIGNERS)
TOKENS = tuple(signer.token() for signer in SIGNERS)

CODES = {"token_malformed", "token_algorithm_refused", "token_key_unknown", "token_signature_invalid"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "alg": st.sampled_from([*sorted(ASYMMETRIC), "HS256", "none"]) | json_values,
        "kid": st.sampled_from([signer.kid for signer in SIGNERS]) | json_values,
        "typ": json_values,
        "crit": json_values,
        "x": json_values,
    },
)
segments = st.one_of(
    st.text(),
    st.binary(max_size=300).map(encoded),
    headers.map(lambda header: encoded(json.dumps(header).encode())),
    headers.map(lambda header: encoded(json.dumps(header, ensure_ascii=False).encode("utf-8", "surrogatepass"))),
)


def never_raises(token: str) -> None:
    unverified = peek(token)
    assert isinstance(unverified, Unverified | Invalid)
    if isinstance(unverified, Unverified):
        assert unverified.issuer is None or isinstance(unverified.issuer, str)
    refusal = verify(token, KEYS, ASYMMETRIC)
    assert isinstance(refusal, Invalid)
    assert refusal.code in CODES


@given(st.text() | st.lists(segments, min_size=1, max_size=6).map(".".join))
@settings(max_examples=500, deadline=None)
def test_no_string_makes_the_verification_raise_or_is_believed(token: str) -> None:
    never_raises(token)


@given(headers, st.binary(max_size=80), st.sampled_from(SIGNERS))
@settings(max_examples=300, deadline=None)
def test_no_header_makes_the_verification_of_a_signed_token_raise(
    header: dict[str, object], payload: bytes, signer: object
) -> None:
    assert signer in SIGNERS
    never_raises(SIGNERS[SIGNERS.index(signer)].sign(json.dumps(header).encode(), payload))


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: str(len(token)))
def test_a_token_with_any_one_character_replaced_is_refused(token: str) -> None:
    assert isinstance(verify(token, KEYS, ASYMMETRIC), Verified)
    for place, character in enumerate(token):
        for bit in (1, 2, 4, 8, 16, 32, 64, 128):
            other = chr(ord(character) ^ bit)
            assert isinstance(verify(token[:place] + other + token[place + 1 :], KEYS, ASYMMETRIC), Invalid), place


@given(st.data(), st.sampled_from(TOKENS))
@settings(max_examples=300, deadline=None)
def test_a_token_with_characters_cut_out_put_in_or_swapped_is_refused(data: st.DataObject, token: str) -> None:
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, min(len(token), start + 8)))
    changed = token[:start] + data.draw(st.text(max_size=8)) + token[end:]
    assert changed == token or isinstance(verify(changed, KEYS, ASYMMETRIC), Invalid)
