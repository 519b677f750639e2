"""Who signed in, in our words: made of what the provider said. Pure."""

import unicodedata
from collections.abc import Mapping

from gateway.clients.client import Person
from gateway.settings.portal import Owners

LONGEST_NAME = 200
LONGEST_EMAIL = 254
NAMES = ("name", "preferred_username", "nickname")


def person(provider: str, subject: str, claims: Mapping[str, object]) -> Person:
    """The person. An address that the provider says it has not verified is none."""
    name = next((text for claim in NAMES if (text := _clean(claims.get(claim), LONGEST_NAME))), "")
    email = "" if _is_unverified("email", claims) else _clean(claims.get("email"), LONGEST_EMAIL)
    return Person(provider=provider, subject=subject, name=name, email=email if _is_address(email) else "")


def decides(owners: Owners, claims: Mapping[str, object], scopes: frozenset[str]) -> bool:
    """Whether that makes an owner of APIs. An address that somebody only says is theirs does not."""
    if owners.scopes and scopes.issuperset(owners.scopes):
        return True
    if owners.claim is None or _is_unverified(owners.claim, claims):
        return False
    return not _values(claims.get(owners.claim)).isdisjoint(owners.any_of)


def _is_unverified(claim: str, claims: Mapping[str, object]) -> bool:
    """OpenID Connect Core, 5.1: `email_verified` and `phone_number_verified`. Some providers write them as texts."""
    return claims.get(f"{claim}_verified") in (False, "false")


def _values(claim: object) -> frozenset[str]:
    """The values of a claim: of a string one, of a list its strings. Anything else has none."""
    if isinstance(claim, str):
        return frozenset({claim})
    return frozenset(value for value in claim if isinstance(value, str)) if isinstance(claim, list) else frozenset()


def _clean(value: object, longest: int) -> str:
    """Text on one line, without what is not seen or turns the direction of writing."""
    if not isinstance(value, str):
        return ""
    seen = "".join(character for character in value if unicodedata.category(character)[0] != "C")
    return " ".join(seen.split())[:longest]


def _is_address(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(local and at and domain) and not any(character in text for character in ' ,;<>"\\')
