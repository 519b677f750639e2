"""What a provider answers about a client, and whether it counts. Tolerant of how providers differ. No I/O in here."""

import json
import re
from collections.abc import Iterable
from typing import NoReturn

from pydantic import SecretStr

from gateway.clients import mistakes
from gateway.clients.client import Credentials, Metadata, Registered
from gateway.clients.registration.documents import SECRET_ID
from gateway.clients.registration.urls import is_management_url
from gateway.policy import Unavailable
from gateway.ports import Reply

LONGEST_ID = 2048
LONGEST_SECRET = 8192
LONGEST_DESCRIPTION = 200
"""Characters of a provider's own words that people are shown."""
LATEST = 253_402_300_799.0
"""The last second of the year 9999: who says a later one (some say 2^63 - 1) means never, and no calendar has it."""
LONGEST_PAUSE = 3600
"""Seconds that we let a provider hold us off at a time."""

WITHOUT_SECRET = frozenset({"none", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"})

SECRET = frozenset({"client_secret", "client_secret_expires_at", SECRET_ID})
KEPT = SECRET | {"client_id_issued_at", "registration_client_uri", "registration_access_token", "software_id"}
"""What a later reply may leave out without taking it back."""

# RFC 6749, A.1 and A.2: client ids and secrets are made of VSCHAR, %x20-7E.
_VISIBLE = re.compile(r"[\x20-\x7e]+")
_TOKEN = re.compile(r"[\x21-\x7e]+")
# Ids of dots alone would be the segments of a path that lead elsewhere.
_CLIENT_ID = re.compile(r"(?!\.{1,2}\Z)[\x20-\x7e]+")
_CODE = re.compile(r"[a-z_]{1,60}")

OUR_FAULT = frozenset(
    {
        "access_denied",
        "insufficient_scope",
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_token",
        "unauthorized_client",
    }
)
"""Error codes that are about who asks and how, whatever the status: RFC 7591, 3.2.2 has others for the metadata."""


def registered_by(reply: Reply, endpoint: str, before: Registered | None = None) -> Registered:
    """The client that a reply describes; `endpoint` is where clients are registered.

    What it leaves out of the secret and the way to manage the client is taken from `before`. Raises `Unavailable`
    (code `registration_failed`) when it describes none, or another one than `before`.
    """
    document = json_object(reply.body)
    if document is None:
        raise _unusable("is no JSON object")
    client_id = document.get("client_id")
    if not is_client_id(client_id):
        raise _unusable("names no client_id")
    if before is not None and client_id != before.credentials.client_id:
        raise _unusable("is about another client")
    present = {name: value for name, value in document.items() if value is not None}
    return known(present if before is None else _completed(present, before), endpoint)


def known(document: dict[str, object], endpoint: str) -> Registered:
    """The client that a document describes, which names a client id. Raises `Unavailable`, as `registered_by` does."""
    secret = document.get("client_secret")
    if secret is not None and not is_secret(secret):
        raise _unusable("has a client_secret that is none")
    uri, token = document.get("registration_client_uri"), document.get("registration_access_token")
    return Registered(
        reply=document,
        credentials=Credentials(
            client_id=str(document["client_id"]),
            client_secret=None if secret is None else SecretStr(str(secret)),
            expires_at=_expiry(document.get("client_secret_expires_at")),
        ),
        registration_client_uri=str(uri) if is_management_url(uri, endpoint) else None,
        # What could not be sent in a header is none.
        registration_access_token=SecretStr(str(token)) if is_token(token) else None,
    )


def is_client_id(value: object) -> bool:
    """Whether it is a client id that we can name in a URL."""
    return _is_text(value, _CLIENT_ID, LONGEST_ID)


def is_secret(value: object) -> bool:
    """Whether it is a client secret (RFC 6749, A.2)."""
    return _is_text(value, _VISIBLE, LONGEST_SECRET)


def is_token(value: object) -> bool:
    """Whether it is a token that can be sent in a header."""
    return _is_text(value, _TOKEN, LONGEST_SECRET)


def _completed(document: dict[str, object], before: Registered) -> dict[str, object]:
    kept = {name: before.reply[name] for name in KEPT if name in before.reply}
    # A secret and its end belong together: a new secret without an end must not get the old one's.
    if "client_secret" in document or authentication_method(document) in WITHOUT_SECRET:
        kept = {name: value for name, value in kept.items() if name not in SECRET}
    return {**kept, **document}


def authentication_method(document: dict[str, object]) -> str | None:
    """`token_endpoint_auth_method`; where a list is given, its first member."""
    method = document.get("token_endpoint_auth_method")
    if isinstance(method, list):
        method = next(iter(method), None)
    return method if isinstance(method, str) else None


def differences(metadata: Metadata, registered: Registered) -> tuple[str, ...]:
    """The members in which a provider's record is another than what was asked for, in alphabetical order.

    RFC 7591, 3.2.1: the server "MAY reject or replace any of the client's requested metadata values"; whoever registers
    has to look. A member that the record does not hold says nothing.
    """
    asked: dict[str, Iterable[str]] = {
        "client_name": (metadata.client_name,),
        "grant_types": metadata.grant_types,
        "redirect_uris": metadata.redirect_uris,
        "token_endpoint_auth_method": (metadata.token_endpoint_auth_method,),
    }
    # RFC 7591, 2: who asks for no scope may be given "a default set of scopes".
    if metadata.scopes:
        asked["scope"] = metadata.scopes
    found = registered.reply
    return tuple(sorted(name for name in asked.keys() & found if set(asked[name]) != _values(name, found[name])))


def _values(name: str, value: object) -> set[str]:
    if isinstance(value, list):
        return {item for item in value if isinstance(item, str)}
    if isinstance(value, str):
        return set(value.split()) if name == "scope" else {value}
    return set()


def _expiry(value: object) -> float | None:
    """RFC 7591, 3.2.1: seconds since the epoch "or 0 if it will not expire". Some providers write it as a string."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if 0 < seconds <= LATEST else None


def refused(reply: Reply, secrets: Iterable[str] = ()) -> NoReturn:
    """Raise what an answer that is no success means.

    `Invalid` when the provider does not take the metadata; otherwise `Unavailable`: `registration_refused` when it does
    not take us, `registration_failed` when it failed. `secrets` are blotted out of what it says.
    """
    document = json_object(reply.body) or {}
    error = document.get("error")
    code = error if isinstance(error, str) and _CODE.fullmatch(error) else ""
    if reply.status in (401, 403) or (400 <= reply.status < 500 and code in OUR_FAULT):
        raise refused_us()
    if reply.status == 429:
        raise Unavailable(
            "The identity provider asks us to wait before it registers more.",
            code="registration_failed",
            retry_after=retry_after(reply),
        )
    if reply.status in (400, 422):
        raise mistakes.Invalid(_told(document, secrets), code or "invalid_client_metadata")
    raise Unavailable(
        f"The identity provider answered registration with status {reply.status}.",
        code="registration_failed",
        retry_after=retry_after(reply),
    )


def refused_us() -> Unavailable:
    """The provider lets somebody register, and not us."""
    return Unavailable(
        "The identity provider does not let this gateway register clients: its authorization for registration is "
        "missing, has expired, is another provider's, or is of a kind that this one does not take.",
        code="registration_refused",
        retry_after=60,
    )


def retry_after(reply: Reply) -> int:
    """Whole seconds of a `Retry-After`, within reason; 1 where there is none, or a date."""
    value = reply.headers.get("Retry-After", "").strip()
    return min(max(int(value), 1), LONGEST_PAUSE) if value.isascii() and value.isdigit() and len(value) < 10 else 1


def _told(document: dict[str, object], secrets: Iterable[str]) -> str:
    """Whatever the provider gave as the reason: RFC 7591 calls it `error_description`, Okta's API `errorSummary`."""
    said = next((document[name] for name in ("error_description", "errorSummary") if name in document), None)
    text = said if isinstance(said, str) else ""
    for secret in secrets:
        text = text.replace(secret, "…")
    printable = " ".join("".join(c if " " <= c <= "~" and c not in "<>" else " " for c in text).split())
    reason = printable[:LONGEST_DESCRIPTION]
    return f"The identity provider does not take it: {reason}" if reason else "The identity provider does not take it."


def json_object(body: bytes) -> dict[str, object] | None:
    """The JSON object in a body, if that is what it is."""
    try:
        document = json.loads(body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _no_constant(name: str) -> NoReturn:
    raise ValueError("NaN and infinities are no JSON")


def _is_text(value: object, form: re.Pattern[str], longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and form.fullmatch(value) is not None


def _unusable(what: str) -> Unavailable:
    return Unavailable(
        f"The identity provider's answer to registration {what}; look there for a client that nobody keeps.",
        code="registration_failed",
    )
