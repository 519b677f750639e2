"""Base64url and JSON read in one way only: what a lenient reader would take for the same is refused. Pure."""

import base64
import json
import math
import re
from typing import NoReturn

_DEPTH = 32
_HALF_A_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


def base64url(text: bytes) -> bytes:
    """The octets that `text` spells (RFC 7515, 2: no padding, line breaks or other characters).

    Raises `ValueError` when it is not the one spelling of those octets.
    """
    octets = base64.urlsafe_b64decode(text + b"==")
    # The decoder passes over what it does not know, and over the bits that do not fill an octet; the encoder doesn't.
    if base64.urlsafe_b64encode(octets).rstrip(b"=") != text:
        raise ValueError("not base64url")
    return octets


def json_object(document: bytes) -> dict[str, object]:
    """The members of a JSON object in UTF-8.

    Raises `ValueError` when it is not one, a name comes twice, a number is not finite, a character is half of a
    surrogate pair (RFC 7493, 2.1), or objects and lists lie more than 32 deep.
    """
    text = document.decode()
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  # one exception for all that is wrong with a document
    if text.count("{") + text.count("[") > _DEPTH:
        _refuse_depth(value)
    if "\\u" in text and _HALF_A_CHARACTER.search(text) is not None:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def _named_once(members: list[tuple[str, object]]) -> dict[str, object]:
    # RFC 7519, 4: "The Claim Names within a JWT Claims Set MUST be unique". RFC 7515, 4, says it of headers.
    value = dict(members)
    if len(value) != len(members):
        raise ValueError("a name comes twice")
    return value


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError("not a finite number")
    return value


def _not_json(constant: str) -> NoReturn:
    raise ValueError("not a finite number")


def _refuse_depth(value: object) -> None:
    level = [value]
    for _ in range(_DEPTH):
        level = [child for node in level for child in _children(node)]
    if level:
        raise ValueError("too deep")


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


_DECODER = json.JSONDecoder(object_pairs_hook=_named_once, parse_float=_finite, parse_constant=_not_json)
