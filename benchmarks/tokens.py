"""Keys, and tokens that were signed with them: made for one run, and gone with it."""

import base64
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from benchmarks.scenarios import OPAQUE_TOKENS

AUDIENCE = "https://api.example"
CLIENT = "app"
SCOPE = "read"
LIFE = 86_400
BATCH = 500
KEY_IDS = {"RS256": "rs", "ES256": "es"}
UNKNOWN_KEYS = 5_000


def token_file(folder: Path, algorithm: str) -> Path:
    """Where the tokens with that algorithm are, one a line; `opaque` and `unknown` are others."""
    return folder / f"{algorithm.lower()}.txt"


def first_token(folder: Path, algorithm: str) -> str:
    """The token that `Tokens.ONE` means."""
    with token_file(folder, algorithm).open() as file:
        return file.readline().strip()


def read_tokens(folder: Path, algorithm: str) -> list[str]:
    """All of them."""
    return token_file(folder, algorithm).read_text().split()


def write_keys(folder: Path) -> dict[str, bytes]:
    """Make a key for each algorithm; write their JWKS and, for HAProxy, the RSA key. Gives the private ones in PEM."""
    rsa_key, ec_key = rsa.generate_private_key(65_537, 2048), ec.generate_private_key(ec.SECP256R1())
    public = [
        RSAAlgorithm.to_jwk(rsa_key.public_key(), as_dict=True) | {"kid": "rs", "alg": "RS256", "use": "sig"},
        ECAlgorithm.to_jwk(ec_key.public_key(), as_dict=True) | {"kid": "es", "alg": "ES256", "use": "sig"},
    ]
    (folder / "jwks.json").write_text(json.dumps({"keys": public}))
    (folder / "rs256.pem").write_bytes(
        rsa_key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return {"RS256": _pem(rsa_key), "ES256": _pem(ec_key)}


def write_opaque(folder: Path) -> None:
    """Tokens that say nothing. The stub of a provider takes each that begins with `ok`."""
    token_file(folder, "opaque").write_text("".join(f"ok{number:08d}{'k' * 30}\n" for number in range(OPAQUE_TOKENS)))


def write_unknown(folder: Path, issuer: str, now: int) -> None:
    """JWTs of keys that the provider never had, each of another one."""
    stranger = rsa.generate_private_key(65_537, 2048)
    known = jwt.encode(claims(issuer, now, 0), stranger, "RS256", headers={"typ": "at+jwt"}).split(".")
    lines = (f"{_header(f'unknown-{number}')}.{known[1]}.{known[2]}\n" for number in range(UNKNOWN_KEYS))
    token_file(folder, "unknown").write_text("".join(lines))


def sign(key: bytes, algorithm: str, issuer: str, now: int, count: int, processes: int) -> Iterator[list[str]]:
    """So many tokens with different subjects, in batches as they are made."""
    numbers = iter(range(count))
    batches = list(iter(lambda: list(islice(numbers, BATCH)), []))
    with ProcessPoolExecutor(processes, initializer=_heed_no_interrupt) as pool:
        yield from pool.map(_sign, *zip(*((key, algorithm, issuer, now, batch) for batch in batches), strict=True))


def sign_one(key: bytes, algorithm: str, issuer: str, now: int, number: int) -> str:
    """One token, for the subject of that number."""
    (token,) = _sign(key, algorithm, issuer, now, [number])
    return token


def claims(issuer: str, now: int, number: int) -> dict[str, Any]:
    """What a token says."""
    return {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": f"user-{number}",
        "client_id": CLIENT,
        "scope": SCOPE,
        "iat": now - 5,
        "exp": now + LIFE,
        "jti": f"{number:08d}",
    }


def _sign(key: bytes, algorithm: str, issuer: str, now: int, numbers: list[int]) -> list[str]:
    private = serialization.load_pem_private_key(key, None)
    headers = {"typ": "at+jwt", "kid": KEY_IDS[algorithm]}
    return [jwt.encode(claims(issuer, now, each), private, algorithm, headers) for each in numbers]  # type: ignore[arg-type]  # RSA or EC


def _header(key_id: str) -> str:
    plain = json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": key_id}).encode()
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _heed_no_interrupt() -> None:
    # Ctrl-C is for the process that waits for these.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
