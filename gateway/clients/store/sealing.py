"""Secrets at rest: encrypted, authenticated, and bound to the row that they belong to (AES-256-GCM).

A sealed value is: a version, the name of its key, a nonce, and the cipher text.
"""

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Iterable
from itertools import pairwise

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from gateway.clients.store import Unusable

KEY_LENGTH = 32
HOW_TO = "Make one with: tokenward store key"
_VERSION = b"\x01"
_NAME_LENGTH = 8
_NONCE_LENGTH = 12
_HEAD_LENGTH = 1 + _NAME_LENGTH + _NONCE_LENGTH
# Of 32 random octets, about 30 differ. Fewer than 20 come once in many thousand million keys.
_DISTINCT = 20
_WORDS = ("changeme", "example", "password", "passphrase", "tokenward", "secret", "default", "12345678", "qwerty")
# SHA-256 of keys that are printed in specifications, so that everybody knows them: the test vector of Fernet, RFC
# 7515 (A.1), RFC 7516 (A.3), RFC 7520 (3.5).
_WELL_KNOWN = frozenset(
    hashlib.sha256(key).digest()
    for key in (
        b"cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4",
        b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        b"GawgguFyGrWKav7AX4VKUg",
        b"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    )
)


class SealBroken(Exception):
    """It was sealed with a key that is not here, or for another row, or was changed."""


def new_key() -> str:
    """A key that nobody can guess, in base64url."""
    while True:
        key = base64.urlsafe_b64encode(secrets.token_bytes(KEY_LENGTH)).decode()
        if _fault(key) is None:
            return key


def check_key(key: str) -> bytes:
    """The octets of a key. Raises `Unusable` for one that somebody could guess."""
    fault = _fault(key)
    if fault is not None:
        raise Unusable(f"An encryption key of the store {fault}. {HOW_TO}", "weak_key")
    return _decoded(key)


class Seal:
    """Seals with the first key, and opens with any."""

    def __init__(self, keys: Iterable[SecretStr]) -> None:
        """Raises `Unusable` where a key is missing or can be guessed."""
        octets = [check_key(key.get_secret_value()) for key in keys]
        if not octets:
            raise Unusable(f"The store needs an encryption key. {HOW_TO}", "weak_key")
        self._keys = {_name(key): AESGCM(_derived(key)) for key in octets}
        self._first = _name(octets[0])

    def close(self, contents: bytes, row: str) -> bytes:
        """Sealed for that row: `table:key`."""
        nonce = os.urandom(_NONCE_LENGTH)
        return _VERSION + self._first + nonce + self._keys[self._first].encrypt(nonce, contents, row.encode())

    def open(self, sealed: bytes, row: str) -> bytes:
        """What was sealed for that row. Raises `SealBroken`."""
        key = self._keys.get(_key_of(sealed))
        if key is None or sealed[:1] != _VERSION:
            raise SealBroken("no key of the configuration opens this")
        nonce = sealed[1 + _NAME_LENGTH : _HEAD_LENGTH]
        try:
            return key.decrypt(nonce, sealed[_HEAD_LENGTH:], row.encode())
        except (InvalidTag, ValueError) as error:
            raise SealBroken("this was changed, or belongs to another row") from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key sealed it."""
        return _key_of(sealed) == self._first


def _key_of(sealed: bytes) -> bytes:
    return sealed[1 : 1 + _NAME_LENGTH]


def _name(key: bytes) -> bytes:
    """Tells keys apart, and says nothing about them: it is derived on a path of its own."""
    return _expanded(key, b"tokenward store: name of the key", _NAME_LENGTH)


def _derived(key: bytes) -> bytes:
    return _expanded(key, b"tokenward store: sealing", KEY_LENGTH)


def _expanded(key: bytes, purpose: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(key)


def _fault(key: str) -> str | None:
    """What is wrong with a key, to follow "An encryption key of the store"."""
    if not key.strip():
        return "is blank"
    if hashlib.sha256(key.strip().rstrip("=").encode()).digest() in _WELL_KNOWN:
        return "is printed in a specification: everybody knows it"
    if any(word in key.lower() for word in _WORDS):
        return "holds a word that keys are guessed by"
    try:
        octets = _decoded(key)
    except ValueError:
        return "is no base64url"
    if len(octets) < KEY_LENGTH:
        return f"has {len(octets)} octets, and {KEY_LENGTH} are needed"
    return "is not random" if _is_guessable(key, octets) else None


def _decoded(key: str) -> bytes:
    """Raises ValueError. Both alphabets of base64 are taken, with padding or without."""
    bare = key.strip().rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("no base64url") from error


def _is_guessable(key: str, octets: bytes) -> bool:
    if len(set(octets)) < _DISTINCT or len(_steps(octets)) < _DISTINCT or len(_steps(key.encode())) < _DISTINCT / 2:
        return True
    # A passphrase: printed as it is, or encoded. Random octets look like neither.
    if all(32 <= octet < 127 for octet in octets):
        return True
    return (key.lower() == key or key.upper() == key) and not _is_hexadecimal(key)


def _steps(octets: bytes) -> set[int]:
    """From each octet to the next: what is counted or spelled goes the same step again and again."""
    return {(after - before) % 256 for before, after in pairwise(octets)}


def _is_hexadecimal(key: str) -> bool:
    """Whether it is hexadecimal and long enough to be 32 random octets in that notation."""
    return len(key.strip()) >= 2 * KEY_LENGTH and all(digit in "0123456789abcdefABCDEF" for digit in key.strip())
