"""Forms of ours: the token in each, where a form was sent from, and its fields. Pure."""

import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TypeAlias
from urllib.parse import parse_qsl

from multidict import CIMultiDict, MultiDict, MultiMapping

Fields: TypeAlias = MultiMapping[str]

TOKEN_BYTES = 32
MOST_FIELDS = 200
MEDIA_TYPE = "application/x-www-form-urlencoded"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{86}", re.ASCII)


class NotAForm(ValueError):
    """A body that no form of ours sends."""


def new_secret() -> bytes:
    """What the tokens of one session's forms are made of."""
    return secrets.token_bytes(TOKEN_BYTES)


def token(secret: bytes) -> str:
    """The token for one page: another one each time, so that compression tells nobody what it is (BREACH)."""
    pad = secrets.token_bytes(TOKEN_BYTES)
    return urlsafe_b64encode(pad + _xor(pad, secret)).decode().rstrip("=")


def is_token(text: str, secret: bytes) -> bool:
    """Whether the text is a token made of that secret."""
    if not _TOKEN.fullmatch(text):
        return False
    octets = urlsafe_b64decode(f"{text}==")
    return hmac.compare_digest(_xor(octets[:TOKEN_BYTES], octets[TOKEN_BYTES:]), secret)


def comes_from(headers: MultiMapping[str], origin: str) -> bool:
    """Whether a browser says that a page of that origin sent the form.

    Every browser says at least one of the two of a form that is posted; one that contradicts counts.
    """
    sites, origins = headers.getall("Sec-Fetch-Site", []), headers.getall("Origin", [])
    return bool(sites or origins) and set(sites) <= {"same-origin"} and set(origins) <= {origin}


def fields(headers: MultiMapping[str], body: bytes) -> Fields:
    """The fields of a form. Raises `NotAForm`."""
    media_type = CIMultiDict(headers).get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != MEDIA_TYPE:
        raise NotAForm("another media type")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise NotAForm("no form in UTF-8") from None
    return MultiDict(pairs)


def _xor(first: bytes, second: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(first, second, strict=True))
