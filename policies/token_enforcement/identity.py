"""Claims as headers for the upstream. Pure; nothing that a claim says can end a header or begin another."""

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from gateway.policy import Headers
from policies.token_enforcement.claims import Claims, Token
from policies.token_enforcement.records import read
from policies.token_enforcement.rules import claim_at

MAX_BYTES = 8192
"""A longer value is left out: it would break the request instead of describing it."""

# What may stand in a header as it is (RFC 9110, 5.5: visible ASCII and space), but for the sign of the encoding.
PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
NAME = re.compile(r"[A-Za-z0-9_-]+")
AGW_PREFIX = "X-AGW-"
AGW_LEFT_OUT = frozenset({"scope", "exp", "active"})


def headers_of(token: Token, names: Mapping[str, str], *, agw: bool) -> Headers:
    """The identity headers: each name with the claim that it shows, and every plain claim where `agw` asks for it.

    An absent claim, `null`, and a value of more than `MAX_BYTES` leave their header out. Of several claims that would
    share a header the first counts: an upstream must never have to choose.
    """
    if not names and not agw:
        return ()
    claims = read(token.claims)
    pairs = [(name, claim_at(claims, claim)) for name, claim in names.items()]
    if agw:
        pairs.extend(_agw(claims))
    encoded = ((name, encode(value)) for name, value in pairs if value is not None)
    headers: dict[str, tuple[str, str]] = {}
    for name, value in encoded:
        if len(value) <= MAX_BYTES:
            headers.setdefault(name.lower(), (name, value))
    return tuple(headers.values())


def encode(value: object) -> str:
    """The text of a claim in a header.

    A string stands as it is; what is not visible ASCII or a space, and `%`, is percent-encoded as UTF-8. Numbers and
    booleans are written as in JSON, lists and objects as compact JSON in ASCII.
    """
    if isinstance(value, str):
        return quote(value, safe=PLAIN, errors="replace")
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def _agw(claims: Claims) -> Iterator[tuple[str, object]]:
    """As the original policy names them: spaces become dashes, objects and lists are left out."""
    for key, value in claims.items():
        name = key.replace(" ", "-")
        if key not in AGW_LEFT_OUT and isinstance(value, str | int | float) and NAME.fullmatch(name):
            yield AGW_PREFIX + name, value
