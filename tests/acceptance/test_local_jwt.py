"""Block B: JWTs checked by keys. Cold and warm on a route of keys alone, and as the way round in an outage."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeAlias

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from tests.acceptance.conftest import OpenSite
from tests.acceptance.outcomes import D503, I401, PASSES, R400, S403, Outcome
from tests.acceptance.site import SIGNER, Site, State, enforced
from tests.fakes import NOON
from tests.policies.token_enforcement.signing import (
    Signer,
    document,
    ec_signer,
    ed448_signer,
    ed25519_signer,
    encoded,
    rsa_signer,
)

AUDIENCE = "https://api.example.com/orders"
EC, EC384, ED, PS = ec_signer(), ec_signer("ES384", "ec-384"), ed25519_signer(), rsa_signer("PS256", "ps-1")
STRANGER = rsa_signer(kid="stranger")
OPTIONS: dict[str, Any] = {
    "audience": [AUDIENCE],
    "scopes": ["orders.read"],
    "identity_headers": {"X-User": "sub", "X-Name": "name"},
    "leeway": 5,
}


@dataclass(frozen=True)
class Forge:
    """Makes tokens, good and bad, for one site."""

    site: Site

    @property
    def claims(self) -> dict[str, object]:
        """The claims of a good token."""
        return {"iss": self.site.idp.issuer, "sub": "alice", "aud": AUDIENCE, "scope": "orders.read", "exp": NOON + 600}

    def said(self, **claims: object) -> str:
        """A token with these claims, correctly signed; `...` leaves one out."""
        return self.signed(claims)

    def signed(self, claims: Mapping[str, object], signer: Signer = SIGNER, **header: object) -> str:
        said = {name: value for name, value in {**self.claims, **claims}.items() if value is not ...}
        return self.raw(json.dumps(signer.header(**header)).encode(), json.dumps(said).encode(), signer)

    def header(self, signer: Signer = SIGNER, **header: object) -> str:
        """A good token with more in its header."""
        return self.signed({}, signer, **header)

    def payload(self, payload: bytes) -> str:
        """A token of this very payload, correctly signed."""
        return self.raw(json.dumps(SIGNER.header()).encode(), payload, SIGNER)

    def raw(self, header: bytes, payload: bytes, signer: Signer) -> str:
        return self.site.secret(signer.sign(header, payload))

    def text(self, **claims: object) -> bytes:
        """The payload of a good token, without its closing brace."""
        return json.dumps({**self.claims, **claims}).encode()[:-1]

    @property
    def parts(self) -> list[str]:
        return self.header().split(".")

    def with_signature(self, signer: Signer, change: Callable[[bytes], bytes]) -> str:
        """A good token whose signature was changed."""
        head, _, signature = self.header(signer).rpartition(".")
        octets = base64.urlsafe_b64decode(signature + "==")
        return self.site.secret(f"{head}.{encoded(change(octets))}")


Make: TypeAlias = Callable[[Forge], str]


def case(number: str, name: str, make: Make, expected: Outcome = I401, in_outage: Outcome | None = None) -> Any:
    """A line of a table. `in_outage` is what it comes to while the provider is away, where that is something else."""
    return pytest.param(make, expected, in_outage or expected, marks=pytest.mark.case(number), id=f"{number} {name}")


def header(signer: Signer = SIGNER, **members: object) -> Make:
    """A good token of that signer with more in its header."""
    return lambda forge: forge.header(signer, **members)


def said(**claims: object) -> Make:
    """A token with these claims."""
    return lambda forge: forge.said(**claims)


def of_payload(payload: bytes) -> Make:
    """A token of that payload."""
    return lambda forge: forge.payload(payload)


def in_coding(coding: str) -> Make:
    """A token whose claims are good, but for the coding of their text."""
    return lambda forge: forge.payload(json.dumps(forge.claims).encode(coding))


def of_parts(join: Callable[[list[str]], str]) -> Make:
    """A good token taken apart, and put together in another way."""
    return lambda forge: forge.site.secret(join(forge.parts))


def spelled(name: str, *values: str) -> Make:
    """A token whose payload holds the claim in this spelling of JSON, or in several."""

    def make(forge: Forge) -> str:
        others = json.dumps({key: value for key, value in forge.claims.items() if key != name})
        said = "".join(f', "{name}": {value}' for value in values)
        return forge.payload(f"{others[:-1]}{said}}}".encode())

    return make


def unsigned(alg: object, signature: str) -> Make:
    """A token whose header names that algorithm, `...` for none."""

    def make(forge: Forge) -> str:
        header = {"typ": "at+jwt", "kid": "rsa-1"} | ({} if alg is ... else {"alg": alg})
        body = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(forge.claims).encode())}"
        return f"{body}.{signature}"

    return make


# RFC 7518, 3.6, and the spellings with which lists of refused names were got round.
NONE = ["none", "None", "nOnE", "NONE", ..., None, ["RS256"], {"RS256": 1}, 1, "", "RS256 ", "rs256"]

ALGORITHMS = [
    *(
        case("C028", f"{'missing' if alg is ... else alg!r} {signature or 'unsigned'}", unsigned(alg, signature))
        for alg in NONE
        for signature in ("", "c2lnbmF0dXJl")
    ),
    case("C031", "PS256 by a key for RS256", header(replace(SIGNER, alg="PS256"))),
    case("C031", "RS512 by a key for RS256", header(replace(SIGNER, alg="RS512"))),
    case("C031", "RS256 by a key for PS256", header(replace(PS, alg="RS256"))),
    case("C031", "ES256 by a key on P-384", header(replace(EC384, alg="ES256"))),
    case("C031", "ES256 with the id of an RSA key", header(replace(EC, kid="rsa-1"))),
    case("C031", "RS256 with the id of an EC key", header(replace(SIGNER, kid="ec-1"))),
    case("C033", "an embedded key", header(STRANGER, kid="rsa-1", jwk=STRANGER.jwk)),
    case("C033", "an embedded key and its id", header(STRANGER, jwk=STRANGER.jwk)),
    case("C034", "jku", lambda f: f.header(STRANGER, jku=f"{f.site.collector.url}/keys")),
    case("C034", "x5u", lambda f: f.header(STRANGER, x5u=f"{f.site.collector.url}/cert")),
    case("C034", "jku with a known id", lambda f: f.header(STRANGER, kid="rsa-1", jku=f"{f.site.collector.url}/keys")),
]

HEADERS = [
    *(
        case("C036", f"kid {kid[:12]!r}", header(STRANGER, kid=kid))
        for kid in ["../../dev/null", "' or 1=1--", "http://127.0.0.1/c", "a\r\nX-Evil: 1", "k" * 4000, "%s%n", ""]
    ),
    *(
        case("C038", f"crit {crit!r}", header(crit=crit))
        for crit in [["exp"], ["x"], [], "b64", None, ["alg"], ["b64", "b64"], [1]]
    ),
    case("C038", "crit that names what is there", header(crit=["x"], x=1)),
    case("C039", "b64 false", header(b64=False)),
    case("C039", "b64 false and critical", header(b64=False, crit=["b64"])),
    case("C040", "zip", header(zip="DEF")),
    *(
        case("C041", f"typ {typ!r}", header(typ=typ))
        for typ in ["JWT", "dpop+jwt", "logout+jwt", "secevent+jwt", "oauth-authz-req+jwt", "", None, ["at+jwt"]]
    ),
    case("C041", "typ AT+JWT", header(typ="AT+JWT"), PASSES),
    case("C041", "typ application/at+jwt", header(typ="application/at+jwt"), PASSES),
]

NUMBERS = ["NaN", "Infinity", "-Infinity", "1e400", "1e300", "1" + "0" * 400, "1" * 5000]
DATES = [
    case("C043", "exp missing", said(exp=...)),
    case("C043", "exp null", said(exp=None)),
    *(
        case("C044", f"exp {value!r}", said(exp=value))
        for value in [str(NOON + 600), "", True, False, [NOON + 600], {"exp": NOON + 600}]
    ),
    case("C045", "exp with a fraction ahead", said(exp=NOON - 4.5), PASSES),
    case("C045", "exp with a fraction behind", said(exp=NOON - 5.5)),
    *(
        case("C046" if len(number) < 20 else "C047", f"{name} {number[:9]}", spelled(name, number))
        for name in ("exp", "nbf", "iat")
        for number in NUMBERS
    ),
    *(case("C049", f"exp {value}", said(exp=value)) for value in [0, -1, -(10**18)]),
    case("C050", "exp just ahead of the leeway", said(exp=NOON - 4.999), PASSES),
    case("C050", "exp at the leeway", said(exp=NOON - 5)),
    case("C051", "nbf at the leeway", said(nbf=NOON + 5), PASSES),
    case("C051", "nbf beyond the leeway", said(nbf=NOON + 5.001)),
    case("C051", "nbf no number", said(nbf="0")),
    case("C052", "iat at the leeway", said(iat=NOON + 5), PASSES),
    case("C052", "iat beyond the leeway", said(iat=NOON + 5.001)),
    case("C052", "iat no number", said(iat="0")),
]


def twice(name: str, good: object, bad: object) -> list[Any]:
    """The claim twice, in both orders."""
    first, second = json.dumps(good), json.dumps(bad)
    return [
        case("C053", f"{name} good first", spelled(name, first, second)),
        case("C053", f"{name} bad first", spelled(name, second, first)),
    ]


PAYLOADS = [
    *twice("exp", NOON + 600, 1),
    *twice("aud", AUDIENCE, "other"),
    *twice("iss", "x", "y"),
    *twice("scope", "orders.read", "other"),
    *twice("sub", "alice", "bob"),
    *(
        case("C055", f"{payload!r}", of_payload(payload))
        for payload in [b"[]", b'["exp"]', b'"exp"', b"1", b"null", b"true", b"", b" ", b"{", b"{}x"]
    ),
    *(case("C056", coding, in_coding(coding)) for coding in ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"]),
    case("C056", "invalid UTF-8", lambda f: f.payload(f.text() + b',"name":"\xff"}')),
    case("C056", "half a surrogate pair", lambda f: f.payload(f.text() + b',"name":"\\ud800"}')),
    case("C059", "deep payload", lambda f: f.payload(f.text() + b',"a":' + b"[" * 2000 + b"]" * 2000 + b"}")),
    case("C059", "deep header", lambda f: f.raw(b'{"alg":"RS256","a":' + b"[" * 2500, b"{}", SIGNER)),
]

CLAIMS = [
    case("C070", "aud missing", said(aud=...)),
    *(
        case("C070", f"aud {aud!r}", said(aud=aud))
        for aud in [
            "other",
            AUDIENCE + "/",
            AUDIENCE[:-1],
            AUDIENCE.upper(),
            [AUDIENCE, 1],
            {AUDIENCE: 1},
            [],
            "",
            None,
        ]
    ),
    case("C070", "aud in a list", said(aud=["other", AUDIENCE]), PASSES),
    case("C071", "iss missing", said(iss=...)),
    case("C071", "iss with a slash", lambda f: f.said(iss=f"{f.site.idp.issuer}/")),
    case("C071", "iss in capitals", lambda f: f.said(iss=f.site.idp.issuer.upper())),
    case("C071", "iss cut off", lambda f: f.said(iss=f.site.idp.issuer[:-1])),
    case("C071", "iss longer", lambda f: f.said(iss=f"{f.site.idp.issuer}0")),
    case("C071", "iss in a list", lambda f: f.said(iss=[f.site.idp.issuer])),
    case("C071", "iss empty", said(iss="")),
    case("C071", "iss that looks alike", lambda f: f.said(iss=f.site.idp.issuer.replace("h", "\u04bb"))),
    *(case("C073", f"sub {sub!r}", said(sub=sub)) for sub in [1, ["alice"], "", {"a": 1}, True]),
    *(
        case("C074", f"scope {scope!r}", said(scope=scope), PASSES)
        for scope in ["orders.read", "a orders.read b", "  a   orders.read ", ["orders.read"], ["a", "orders.read"]]
    ),
    *(
        case("C074", f"scope {scope!r}", said(scope=scope), S403)
        for scope in [
            "",
            "orders",
            "orders.reads",
            "orders.read:all",
            "Orders.read",
            ["a orders.read"],
            [],
            None,
            "a,orders.read",
        ]
    ),
]

FORMS = [
    # What has not three segments is opaque: with the provider away, nobody can say.
    case("C061", "two segments", of_parts(lambda p: f"{p[0]}.{p[1]}"), I401, D503),
    case("C061", "four segments", of_parts(lambda p: ".".join([*p, p[2]])), I401, D503),
    case("C061", "five segments", of_parts(lambda p: ".".join([*p, p[2], p[2]])), I401, D503),
    case("C061", "six segments", of_parts(lambda p: ".".join([*p, p[2], p[2], p[2]])), I401, D503),
    case("C061", "a leading dot", of_parts(lambda p: "." + ".".join(p)), I401, D503),
    case("C061", "a trailing dot", of_parts(lambda p: ".".join(p) + "."), I401, D503),
    case("C061", "an empty header", of_parts(lambda p: f".{p[1]}.{p[2]}"), I401, D503),
    case("C061", "an empty payload", lambda f: f"{f.parts[0]}..{f.parts[2]}"),
    case("C061", "no signature", lambda f: f"{f.parts[0]}.{f.parts[1]}."),
    case("C063", "a padded signature", of_parts(lambda p: ".".join(p) + "=")),
    case("C063", "twice padded", of_parts(lambda p: ".".join(p) + "==")),
    case("C063", "junk after the signature", of_parts(lambda p: ".".join(p) + "~")),
    case("C063", "the standard alphabet", of_parts(lambda p: f"{p[0]}.{p[1]}.{p[2].replace('-', '+')}+/")),
    case("C063", "spare bits", of_parts(lambda p: f"{p[0]}.{p[1]}.{_next_letter(p[2])}")),
    case("C066", "DER", lambda f: f.with_signature(EC, _as_der)),
    case("C066", "63 octets", lambda f: f.with_signature(EC, lambda s: s[:-1])),
    case("C066", "65 octets", lambda f: f.with_signature(EC, lambda s: s + b"\0")),
    case("C066", "all zero", lambda f: f.with_signature(EC, lambda s: bytes(64))),
    case("C066", "r is zero", lambda f: f.with_signature(EC, lambda s: bytes(32) + s[32:])),
    case("C066", "s is zero", lambda f: f.with_signature(EC, lambda s: s[:32] + bytes(32))),
    case("C066", "r is n", lambda f: f.with_signature(EC, lambda s: P256_ORDER.to_bytes(32) + s[32:])),
    case("C066", "as it should be", header(EC), PASSES),
    case("C068", "shorter", lambda f: f.with_signature(SIGNER, lambda s: s[:-1])),
    case("C068", "longer", lambda f: f.with_signature(SIGNER, lambda s: s + b"\0")),
    case("C068", "longer in front", lambda f: f.with_signature(SIGNER, lambda s: b"\0" + s)),
    case("C068", "all zero", lambda f: f.with_signature(SIGNER, lambda s: bytes(len(s)))),
    case("C068", "one", lambda f: f.with_signature(SIGNER, lambda s: bytes(len(s) - 1) + b"\1")),
    case("C069", "S is not reduced", lambda f: f.with_signature(ED, _add_order)),
    case("C069", "Ed448 with the id of an Ed25519 key", header(replace(ed448_signer(), kid="ed-1"))),
    case("C069", "as it should be", header(ED), PASSES),
]

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def _next_letter(signature: str) -> str:
    """Another spelling of the same octets: the last letter has bits to spare."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return signature[:-1] + alphabet[alphabet.index(signature[-1]) + 1]


def _as_der(signature: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))


def _add_order(signature: bytes) -> bytes:
    s = int.from_bytes(signature[32:], "little") + ED25519_ORDER
    return signature[:32] + s.to_bytes(32, "little")


ROUTES = {
    "keys": enforced(**OPTIONS, order="keys_only") | {"path": "/keys"},
    "orders": enforced(**OPTIONS, order="introspect_then_keys"),
}


def target(state: State) -> str:
    """By keys alone, or by keys because the provider does not answer."""
    return "/orders" if state is State.OUTAGE else "/keys"


@pytest.mark.parametrize(("make", "expected", "in_outage"), [*ALGORITHMS, *HEADERS, *DATES, *PAYLOADS, *CLAIMS, *FORMS])
async def test_a_signed_token_is_what_it_should_be_or_refused(
    site_with: OpenSite, state: State, make: Make, expected: Outcome, in_outage: Outcome
) -> None:
    site = await site_with(ROUTES)
    token = make(Forge(site))
    outcome = in_outage if state is State.OUTAGE else expected
    outcome.assert_is(await site.in_state(state, f"Authorization: Bearer {token}", target=target(state)))
    assert site.key_fetches <= 2


@pytest.mark.case("C096", "C133")
async def test_a_good_token_passes_in_every_state(site_with: OpenSite, state: State) -> None:
    site = await site_with(ROUTES)
    for signer in (SIGNER, EC, EC384, ED, PS):
        token = Forge(site).header(signer)
        PASSES.assert_is(await site.in_state(state, f"Authorization: Bearer {token}", target=target(state)))
        assert site.upstream.last.header("x-user") == ["alice"]


# --- a public key is no secret ---


def _forms(signer: Signer) -> dict[str, bytes]:
    """The spellings of a public key that somebody may take for the secret of an HMAC."""
    public = signer.private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    jwk = json.dumps(signer.jwk).encode()
    forms = {
        "pem": pem,
        "pem without newline": pem.rstrip(),
        "der": der,
        "jwk": jwk,
        "jwks": document(signer.jwk),
        "base64": base64.b64encode(der),
        "bom": b"\xef\xbb\xbf" + pem,
        "ssh": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "certificate": _certificate(signer).public_bytes(Encoding.DER),
        "certificate pem": _certificate(signer).public_bytes(Encoding.PEM),
        "empty": b"",
    }
    if signer.alg.startswith("RS"):
        forms["pkcs1"] = public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    return forms


@cache
def _certificate(signer: Signer) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
    begins = datetime.fromtimestamp(NOON, UTC)
    return x509.CertificateBuilder(name, name, signer.private.public_key(), 1, begins, begins + timedelta(days=1)).sign(
        signer.private, hashes.SHA256()
    )


@pytest.mark.case("C029")
@pytest.mark.parametrize("form", _forms(SIGNER))
async def test_no_spelling_of_a_public_key_is_the_secret_of_an_hmac(
    site_with: OpenSite, state: State, form: str
) -> None:
    site = await site_with(ROUTES)
    for signer in (SIGNER, EC):
        secret = _forms(signer).get(form)
        for alg, digest in {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}.items():
            if secret is not None:
                header = {"alg": alg, "kid": signer.kid, "typ": "at+jwt"}
                claims = Forge(site).claims
                body = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
                token = f"{body}.{encoded(hmac.digest(secret, body.encode(), digest))}"
                I401.assert_is(await site.in_state(state, f"Authorization: Bearer {token}", target=target(state)))


# --- a route's own list ---


@pytest.mark.case("C032")
async def test_an_algorithm_that_the_route_does_not_accept_is_refused_though_the_key_would_verify(
    site_with: OpenSite, state: State
) -> None:
    only = {**OPTIONS, "algorithms": ["ES256"]}
    site = await site_with(
        {"keys": enforced(**only, order="keys_only") | {"path": "/keys"}, "orders": enforced(**only)}
    )
    for signer, expected in ((SIGNER, I401), (EC, PASSES), (ED, I401)):
        token = Forge(site).header(signer)
        expected.assert_is(await site.in_state(state, f"Authorization: Bearer {token}", target=target(state)))


# --- claims as headers ---


@pytest.mark.case("C058", "C227")
@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("Alice Liddell", ["Alice Liddell"]),
        ("a\r\nX-Admin: 1", ["a%0D%0AX-Admin: 1"]),
        ("a\nX-Admin: 1", ["a%0AX-Admin: 1"]),
        ("a\0b\x7f", ["a%00b%7F"]),
        ("Zoë ✓", ["Zo%C3%AB %E2%9C%93"]),
        (["a", "b"], ['["a","b"]']),
        ({"a": 1}, ['{"a":1}']),
        (True, ["true"]),
        (None, []),
    ],
)
async def test_a_claim_in_a_header_is_one_header(
    site_with: OpenSite, state: State, name: object, sent: list[str]
) -> None:
    site = await site_with(ROUTES)
    token = Forge(site).said(name=name)
    PASSES.assert_is(await site.in_state(state, f"Authorization: Bearer {token}", target=target(state)))
    assert site.upstream.last.header("x-name") == sent
    assert site.upstream.last.header("x-admin") == []


# --- tokens that are no compact JWS: nobody's, in every state ---


@pytest.mark.case("C065")
async def test_another_serialisation_is_no_credential(site_with: OpenSite, state: State) -> None:
    site = await site_with(ROUTES)
    header, payload, signature = Forge(site).parts
    flat = {"protected": header, "payload": payload, "signature": signature}
    for value in (flat, {"payload": payload, "signatures": [flat]}, {"payload": payload, "signatures": []}):
        reply = await site.in_state(state, f"Authorization: Bearer {json.dumps(value)}", target=target(state))
        R400.assert_is(reply)
