"""Which tokens are well formed: segments, base64url, header, payload and the octets of a signature."""

import base64
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from policies.token_enforcement.jwks import parse_key_set
from policies.token_enforcement.signature import ASYMMETRIC, Invalid, Unverified, Verified, peek, verify
from tests.policies.token_enforcement.signing import (
    CLAIMS,
    EC,
    ED25519,
    KEYS,
    RSA,
    Signer,
    code,
    document,
    ed448_signer,
    encoded,
    joined,
    key_set,
    rsa_signer,
)


def header(text: str) -> str:
    """A token with these very characters as its header, correctly signed."""
    return RSA.sign(text.encode(), json.dumps(CLAIMS).encode())


def payload(octets: bytes) -> str:
    """A token with these very octets as its payload, correctly signed."""
    return RSA.sign(json.dumps(RSA.header()).encode(), octets)


# --- the header ---


@pytest.mark.case("C038")
@pytest.mark.parametrize("crit", [["unknown"], [], "exp", None, ["alg"], ["b64"], ["exp"], {}, True, [1]], ids=repr)
def test_a_header_with_critical_extensions_is_refused(crit: object) -> None:
    assert code(RSA.token(crit=crit)) == "token_malformed"
    assert code(RSA.token(crit=crit, exp=1)) == "token_malformed"


@pytest.mark.case("C039")
@pytest.mark.parametrize("more", [{}, {"crit": ["b64"]}])
@pytest.mark.parametrize("b64", [False, True, None])
def test_a_header_with_b64_is_refused(b64: object, more: dict[str, object]) -> None:
    assert code(RSA.token(b64=b64, **more)) == "token_malformed"


@pytest.mark.case("C040")
@pytest.mark.parametrize("compression", ["DEF", "", None])
def test_a_header_with_zip_is_refused(compression: object) -> None:
    assert code(RSA.token(zip=compression)) == "token_malformed"


@pytest.mark.parametrize("name", ["kid", "typ"])
@pytest.mark.parametrize("value", [None, 1, True, [], ["rsa-1"], {}])
def test_a_key_id_or_type_that_is_no_string_is_refused(name: str, value: object) -> None:
    assert code(RSA.token(**{name: value})) == "token_malformed"


GOOD_HEADER = '{"alg":"RS256","kid":"rsa-1"}'


@pytest.mark.case("C056", "C059")
@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"null",
        b"[]",
        b'"RS256"',
        b"{",
        GOOD_HEADER.encode() + b"x",
        b"\xef\xbb\xbf" + GOOD_HEADER.encode(),
        GOOD_HEADER.encode("utf-16"),
        GOOD_HEADER.encode("utf-16-le"),
        GOOD_HEADER.encode("utf-32"),
        b'{"alg":"RS256","kid":"rsa-1","x":"\xff"}',
        b'{"alg":"none","kid":"rsa-1","alg":"RS256"}',
        b'{"alg":"RS256","kid":"x","kid":"rsa-1"}',
        b'{"alg":"RS256","kid":"rsa-1","x":NaN}',
        b'{"alg":"RS256","kid":"rsa-1","x":1e400}',
        b'{"alg":"RS256","kid":"\\ud800"}',
        b'{"alg":"RS256","kid":"rsa-1","x":' + b"[" * 1_500 + b"]" * 1_500 + b"}",
        b'{"x":' * 1_000,
    ],
    ids=lambda octets: repr(octets[:30]),
)
def test_a_header_that_is_not_one_plain_json_object_is_refused(octets: bytes) -> None:
    assert code(RSA.sign(octets, json.dumps(CLAIMS).encode())) == "token_malformed"


# --- the payload ---


@pytest.mark.case("C053")
@pytest.mark.parametrize("name", ["exp", "aud", "iss", "scope", "sub"])
@pytest.mark.parametrize(("first", "second"), [("1", "2"), ("2", "1"), ("1", "1")])
def test_a_claim_that_comes_twice_is_refused(name: str, first: str, second: str) -> None:
    assert code(payload(f'{{"{name}":{first},"{name}":{second}}}'.encode())) == "token_malformed"
    assert code(payload(f'{{"act":{{"{name}":{first},"{name}":{second}}}}}'.encode())) == "token_malformed"


@pytest.mark.case("C055")
@pytest.mark.parametrize(
    "claims", [b"[]", b'[{"sub":"alice"}]', b'"alice"', b"1", b"null", b"true", b"", b" ", b"alice"]
)
def test_a_payload_that_is_no_object_is_refused(claims: bytes) -> None:
    assert code(payload(claims)) == "token_malformed"


@pytest.mark.case("C056")
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_a_payload_in_another_encoding_than_plain_utf8_is_refused(encoding: str) -> None:
    assert code(payload('{"sub":"alice"}'.encode(encoding))) == "token_malformed"


@pytest.mark.case("C056")
@pytest.mark.parametrize(
    "octets", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\0", b"\n"]
)
def test_a_payload_that_is_not_utf8_or_holds_raw_controls_is_refused(octets: bytes) -> None:
    assert code(payload(b'{"sub":"' + octets + b'"}')) == "token_malformed"


def test_half_of_a_surrogate_pair_is_no_character_and_both_halves_are() -> None:
    assert code(payload(rb'{"sub":"\ud83d"}')) == "token_malformed"
    assert code(payload(rb'{"\uDE00":1}')) == "token_malformed"
    assert code(payload(rb'{"sub":"\ude00\ud83d"}')) == "token_malformed"
    assert code(payload(rb'{"sub":"\ud83d\ude00 \\ud83d"}')) == "believed"


@pytest.mark.case("C046", "C047")
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 5_000])
def test_a_number_that_is_not_finite_or_has_thousands_of_digits_is_refused(number: str) -> None:
    assert code(payload(f'{{"exp":{number}}}'.encode())) == "token_malformed"


@pytest.mark.case("C059")
@pytest.mark.parametrize(("depth", "expected"), [(31, "believed"), (32, "token_malformed"), (2_000, "token_malformed")])
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"":', "}")])
def test_claims_lie_32_deep_at_most(depth: int, expected: str, opens: str, closes: str) -> None:
    middle = "1" if opens != "[" else ""
    deep = opens * min(depth, 900) + middle + closes * min(depth, 900) if depth < 900 else opens * depth
    assert code(payload(f'{{"deep":{deep}}}'.encode())) == expected


@pytest.mark.case("C059")
def test_many_shallow_claims_are_believed() -> None:
    roles = {f"client-{number}": {"roles": ["[[[{{{"]} for number in range(100)}
    assert code(RSA.token({"resource_access": roles})) == "believed"


@pytest.mark.case("C059")
def test_a_header_or_payload_of_a_hundred_thousand_brackets_is_refused_for_its_length() -> None:
    brackets = encoded(b"[" * 100_000)
    head, body, signature = RSA.token().split(".")
    for token in (f"{brackets}.{body}.{signature}", f"{head}.{brackets}.{signature}"):
        assert code(token) == "token_malformed"
        # Nor does it harm a gateway that takes tokens of any length.
        unverified = peek(token, max_length=1_000_000)
        assert isinstance(unverified, Invalid) or isinstance(verify(unverified, KEYS, ASYMMETRIC), Invalid)


# --- the length and the form ---


@pytest.mark.case("C060")
def test_a_megabyte_is_refused_though_correctly_signed() -> None:
    token = RSA.token(CLAIMS | {"filler": "x" * 1_000_000})
    assert peek(token) == Invalid("token_malformed", "The token is longer than this API accepts.")
    assert code(token) == "token_malformed"


@pytest.mark.case("C060")
def test_a_token_may_have_the_greatest_length_and_not_one_character_more() -> None:
    token = RSA.token()
    assert isinstance(peek(token, max_length=len(token)), Unverified)
    assert isinstance(peek(token, max_length=len(token) - 1), Invalid)
    long = RSA.token(CLAIMS | {"filler": "x" * 7_000})
    assert len(long) > 8192
    assert isinstance(peek(long), Invalid)
    longer = peek(long, max_length=20_000)
    assert isinstance(longer, Unverified)
    assert isinstance(verify(longer, KEYS, ASYMMETRIC), Verified)


def segments(change: Callable[[str, str, str], str]) -> str:
    return change(*RSA.token().split("."))


@pytest.mark.case("C061")
@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "." * 8_000,
        segments(lambda head, body, signature: head),
        segments(lambda head, body, signature: f"{head}.{body}"),
        segments(lambda head, body, signature: f"{head}.{body}."),
        segments(lambda head, body, signature: f"{head}.{signature}"),
        segments(lambda head, body, signature: f".{body}.{signature}"),
        segments(lambda head, body, signature: f".{head}.{body}.{signature}"),
        segments(lambda head, body, signature: f"{head}.{body}.{signature}."),
        segments(lambda head, body, signature: f"{head}.{body}.{signature}.{signature}"),
        segments(lambda head, body, signature: f"{head}..{body}.{signature}"),
        segments(lambda head, body, signature: f"{head}.{head}.{body}.{body}.{signature}"),
        segments(lambda head, body, signature: f"{head}.{head}.{head}.{body}.{body}.{signature}"),
    ],
    ids=lambda token: f"{token.count('.')} dots, {len(token)} characters",
)
def test_a_token_has_three_segments(token: str) -> None:
    assert isinstance(peek(token), Invalid)
    assert code(token) == "token_malformed"


@pytest.mark.case("C063")
@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize(
    "inserted", ["=", "==", "%3D", " ", "\n", "\r\n", "\t", "\0", "?", "+", "/", "é", "\udcff", "٣"], ids=ascii
)
@pytest.mark.parametrize("place", ["start", "middle", "end"])
def test_base64url_is_taken_in_its_one_form(segment: int, inserted: str, place: str) -> None:
    parts = RSA.token().split(".")
    at = {"start": 0, "middle": 10, "end": len(parts[segment])}[place]
    parts[segment] = parts[segment][:at] + inserted + parts[segment][at:]
    assert code(".".join(parts)) == "token_malformed"


@pytest.mark.case("C063")
def test_bits_that_fill_no_octet_are_zero() -> None:
    signed, _, signature = RSA.token().rpartition(".")
    # 256 octets leave four bits of the last character without meaning.
    assert signature[-1] in "AQgw"
    for last in "BCDEF":
        assert code(f"{signed}.{signature[:-1]}{last}") == "token_malformed"


@pytest.mark.case("C063")
def test_the_standard_alphabet_is_refused() -> None:
    head, body, signature = RSA.token(CLAIMS | {"sub": "???>>>~~~"}).split(".")
    standard = signature.replace("-", "+").replace("_", "/")
    assert standard != signature or "_" in body
    assert code(f"{head}.{body.replace('_', '/').replace('-', '+')}+.{standard}") == "token_malformed"


@pytest.mark.case("C065")
def test_the_json_serialisations_are_refused() -> None:
    protected, body, signature = RSA.token().split(".")
    flattened = {"payload": body, "protected": protected, "signature": signature}
    general = {"payload": body, "signatures": [{"protected": protected, "signature": signature}]}
    for form in (flattened, general, {"payload": body, "signatures": []}):
        assert code(json.dumps(form)) == "token_malformed"
        assert code(encoded(json.dumps(form).encode())) == "token_malformed"


@pytest.mark.case("C038", "C065")
def test_an_unprotected_header_is_refused() -> None:
    protected, body, signature = RSA.token().split(".")
    form = {"payload": body, "protected": protected, "header": {"crit": ["x"], "x": 1}, "signature": signature}
    assert code(json.dumps(form)) == "token_malformed"


# --- the signature ---

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def with_signature(signer: Signer, change: Callable[[bytes], bytes]) -> str:
    signed, _, signature = signer.token().rpartition(".")
    octets = base64.urlsafe_b64decode(signature + "==")
    return f"{signed}.{encoded(change(octets))}"


def scalars(r: int, s: int) -> bytes:
    return r.to_bytes(32) + s.to_bytes(32)


@pytest.mark.case("C066")
@pytest.mark.parametrize(
    "change",
    [
        lambda octets: encode_dss_signature(int.from_bytes(octets[:32]), int.from_bytes(octets[32:])),
        lambda octets: octets[:-1],
        lambda octets: octets + b"\0",
        lambda octets: b"\0" + octets,
        lambda octets: octets[:32],
        lambda octets: octets * 2,
        lambda octets: bytes(64),
        lambda octets: bytes(32) + octets[32:],
        lambda octets: octets[:32] + bytes(32),
        lambda octets: scalars(P256_ORDER, int.from_bytes(octets[32:])),
        lambda octets: scalars(int.from_bytes(octets[:32]), P256_ORDER),
        lambda octets: scalars(P256_ORDER, P256_ORDER),
        lambda octets: scalars(1, 1),
        lambda octets: b"\xff" * 64,
        lambda octets: octets[32:] + octets[:32],
    ],
)
def test_an_ecdsa_signature_of_another_shape_is_refused(change: Callable[[bytes], bytes]) -> None:
    assert code(with_signature(EC, change)) == "token_signature_invalid"


@pytest.mark.case("C068")
@pytest.mark.parametrize("signer", [RSA, rsa_signer("PS256", "rsa-ps")], ids=lambda signer: signer.alg)
@pytest.mark.parametrize(
    "change",
    [
        lambda octets: octets[:-1],
        lambda octets: octets[1:],
        lambda octets: octets + b"\0",
        lambda octets: b"\0" + octets,
        lambda octets: octets * 2,
        lambda octets: bytes(256),
        lambda octets: bytes(255) + b"\x01",
        lambda octets: b"\xff" * 256,
        lambda octets: octets[::-1],
    ],
)
def test_an_rsa_signature_of_another_shape_is_refused(signer: Signer, change: Callable[[bytes], bytes]) -> None:
    assert code(with_signature(signer, change), key_set(signer)) == "token_signature_invalid"


@pytest.mark.case("C068")
def test_an_rsa_signature_plus_the_modulus_is_refused() -> None:
    modulus = RSA.private.public_key().public_numbers().n
    token = with_signature(RSA, lambda octets: (int.from_bytes(octets) + modulus).to_bytes(257))
    assert code(token) == "token_signature_invalid"


ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.case("C069")
def test_an_ed25519_scalar_beyond_the_order_is_refused() -> None:
    def beyond(octets: bytes) -> bytes:
        return octets[:32] + (int.from_bytes(octets[32:], "little") + ED25519_ORDER).to_bytes(32, "little")

    assert code(with_signature(ED25519, lambda octets: octets)) == "believed"
    assert code(with_signature(ED25519, beyond)) == "token_signature_invalid"


@pytest.mark.case("C069")
def test_a_signature_that_fits_a_key_of_small_order_opens_nothing() -> None:
    # With the neutral point as the key, R = neutral and S = 0 fit any message, also for OpenSSL.
    neutral = b"\x01" + bytes(31)
    weak = ED25519.jwk | {"kid": "weak", "x": encoded(neutral)}
    keys = parse_key_set(document(weak, ED25519.jwk))
    signed = joined(b'{"alg":"EdDSA","kid":"weak"}', b"{}")
    assert code(f"{signed}.{encoded(neutral + bytes(32))}", keys) == "token_key_unknown"


@pytest.mark.case("C069")
def test_a_token_of_an_ed448_key_is_refused_by_an_ed25519_key() -> None:
    token = ed448_signer("EdDSA", "ed-1").token()
    assert code(token) == "token_signature_invalid"
    assert code(Signer(alg="EdDSA", kid=None, private=ed448_signer().private).token()) == "token_key_unknown"
