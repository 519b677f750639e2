"""A provider's published keys: JWK Set (RFC 7517) → the keys that may verify a token. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from policies.token_enforcement.jwk import Key, UnusableKey, public_key, secret_key

MAX_BYTES = 262_144
MAX_KEYS = 100
MAX_TRIES = 5
"""How many keys are tried for a token that names none."""

_Index: TypeAlias = Mapping[tuple[str, str | None], tuple[Key, ...]]


class BadKeySet(Exception):
    """A document that is no set of keys, or holds none that can be used. Its text is never input."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys of one provider, found by what a token's header says."""

    keys: tuple[Key, ...]
    kids: frozenset[str] = field(init=False, repr=False, compare=False)
    _found: _Index = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kids", frozenset(key.kid for key in self.keys if key.kid is not None))
        object.__setattr__(self, "_found", _index(self.keys))

    def __len__(self) -> int:
        return len(self.keys)

    def candidates(self, alg: str, kid: str | None) -> tuple[Key, ...]:
        """The keys to try, all of them for `alg`: the one with that id, or up to five for a token that names none."""
        return self._found.get((alg, kid), ())

    def knows(self, kid: str) -> bool:
        """Whether a usable key has that id, whatever it is for."""
        return kid in self.kids


def parse_key_set(document: bytes, *, symmetric: bool = False) -> KeySet:
    """The usable keys of a JWK Set; members that can't be used are passed over (RFC 7517, 5).

    A published set holds public keys only. `symmetric` reads a set that was never published: it may hold secrets
    (`oct`), and then nothing else. Raises `BadKeySet`.
    """
    if len(document) > MAX_BYTES:
        raise BadKeySet(f"The document is larger than {MAX_BYTES} bytes.")
    members = _members(document)
    if len(members) > MAX_KEYS:
        raise BadKeySet(f"The document holds more than {MAX_KEYS} keys.")
    secret = symmetric and _is_secret(members)
    keys = tuple(key for member in members if (key := _key(member, secret=secret)) is not None)
    if not keys:
        raise BadKeySet("The document holds no key that can verify a token.")
    return KeySet(keys)


def _is_secret(members: list[object]) -> bool:
    secrets = {isinstance(member, dict) and member.get("kty") == "oct" for member in members}
    if len(secrets) > 1:
        raise BadKeySet("The document mixes secrets with public keys.")
    return True in secrets


def _members(document: bytes) -> list[object]:
    try:
        value = _DECODER.decode(document.decode())
    except (ValueError, RecursionError):
        raise BadKeySet("The document is not JSON.") from None
    members = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(members, list):
        raise BadKeySet('The document is not a JSON object with a list "keys".')
    return members


def _key(member: object, *, secret: bool) -> Key | None:
    if not isinstance(member, dict):
        return None
    try:
        return secret_key(member) if secret else public_key(member)
    except UnusableKey:
        return None


def _named_once(members: list[tuple[str, object]]) -> dict[str, object] | None:
    # RFC 7517, 4: "The member names within a JWK MUST be unique". A key that breaks it does not take others along.
    value = dict(members)
    return value if len(value) == len(members) else None


def _nothing(_: str) -> None:
    """No member that we read is a number, so none is worth reading."""


_DECODER = json.JSONDecoder(
    object_pairs_hook=_named_once, parse_int=_nothing, parse_float=_nothing, parse_constant=_nothing
)


def _index(keys: tuple[Key, ...]) -> _Index:
    index: dict[tuple[str, str | None], tuple[Key, ...]] = {}
    for key in keys:
        for alg in key.algorithms:
            for kid in {key.kid, None}:
                same = index.get((alg, kid), ())
                if len(same) < MAX_TRIES and all(key.prepared != other.prepared for other in same):
                    index[alg, kid] = (*same, key)
    # Two keys under one id for one algorithm: which of them is meant is nobody's guess (RFC 7517, 4.5).
    return {which: same for which, same in index.items() if which[1] is None or len(same) == 1}
