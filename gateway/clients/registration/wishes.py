"""What people may ask for an application: checked, and brought to one form. No I/O in here."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from gateway.clients import mistakes
from gateway.clients.client import Metadata
from gateway.clients.registration.redirects import redirect_uri_fault
from gateway.providers.registration import Registration
from gateway.providers.urls import url_fault

LONGEST_NAME = 255
LONGEST_DESCRIPTION = 2000
LONGEST_URL = 2000
LONGEST_SCOPE = 200
MOST_REDIRECT_URIS = 20
MOST_SCOPES = 100
MOST_CONTACTS = 10

# RFC 6749, 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ).
_SCOPE = re.compile(rf"[\x21\x23-\x5b\x5d-\x7e]{{1,{LONGEST_SCOPE}}}")
_CONTACT = re.compile(r"(?=.{3,254}\Z)[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*", re.ASCII)

_WITH_REDIRECT = frozenset({"authorization_code", "implicit"})
_WITH_SECRET = frozenset({"client_secret_basic", "client_secret_post", "client_secret_jwt"})

OURS = (
    "client_name",
    "description",
    "client_uri",
    "redirect_uris",
    "grant_types",
    "token_endpoint_auth_method",
    "scope",
    "contacts",
)
"""The members of a document that people may choose."""


def check(metadata: Metadata, registration: Registration, scopes: Collection[str]) -> Metadata:
    """The same wish in one form: names without needless white space, lists without repetitions.

    `scopes` are those that may be asked for. Raises `Invalid` with code `invalid_redirect_uri` or
    `invalid_client_metadata` (RFC 7591, 3.2.2) and a sentence that repeats nothing of the wish.
    """
    checked = replace(
        metadata,
        client_name=_line("client_name", metadata.client_name, LONGEST_NAME),
        description=_text("description", metadata.description, LONGEST_DESCRIPTION),
        client_uri=_client_uri(metadata.client_uri),
        redirect_uris=_redirect_uris(metadata.redirect_uris),
        grant_types=_choice("grant_types", metadata.grant_types, registration.grant_types),
        scopes=_scopes(metadata.scopes, scopes),
        contacts=_contacts(metadata.contacts),
    )
    _choice("token_endpoint_auth_method", (checked.token_endpoint_auth_method,), registration.authentication)
    _agrees_with_itself(checked)
    return checked


def metadata_of(document: Mapping[str, object], registration: Registration) -> Metadata:
    """The wish in a JSON document that somebody sent, in the names of RFC 7591, not yet checked.

    Only what people may choose is taken. Anything else is refused and not ignored: whoever sends `client_id`, `owner`
    or `jwks_uri` would otherwise believe that it counts. Raises `Invalid`.
    """
    foreign = sorted(set(document) - set(OURS))
    if foreign:
        raise _wrong(f"Only {', '.join(OURS)} can be chosen.")
    return Metadata(
        client_name=_string(document, "client_name"),
        description=_string(document, "description"),
        client_uri=_string(document, "client_uri") or None,
        redirect_uris=_strings(document, "redirect_uris"),
        grant_types=_strings(document, "grant_types") or registration.grant_types[:1],
        token_endpoint_auth_method=_string(document, "token_endpoint_auth_method") or registration.authentication[0],
        scopes=tuple(_string(document, "scope").split()),
        contacts=_strings(document, "contacts"),
    )


def _string(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(f"{name} must be a string.", name)
    return value or ""


def _strings(document: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = document.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong(f"{name} must be a list of strings.", name)
    return tuple(value)


def _line(name: str, text: str, longest: int) -> str:
    """One line. Markup is refused, so that nobody who shows the name elsewhere has to know how to escape it."""
    line = " ".join(_visible(name, text, "").split())
    if not 0 < len(line) <= longest:
        raise _wrong(f"{name} must have 1 to {longest} characters.", name)
    if "<" in line or ">" in line:
        raise _wrong(f"{name} must not hold < or >.", name)
    return line


def _text(name: str, text: str, longest: int) -> str:
    lines = _visible(name, text.replace("\r\n", "\n"), "\n").strip()
    if len(lines) > longest:
        raise _wrong(f"{name} must have at most {longest} characters.", name)
    return lines


def _visible(name: str, text: str, besides: str) -> str:
    """Text in one Unicode form, without what would change how it, or what follows it, is shown.

    Categories C: control characters (of which terminals make commands), formats (of which some turn the direction of
    writing), surrogates and what is not assigned. Zl and Zp: line and paragraph separators.
    """
    normal = unicodedata.normalize("NFC", text)
    for character in normal:
        category = unicodedata.category(character)
        if (category[0] == "C" or category in ("Zl", "Zp")) and character not in besides:
            raise _wrong(f"{name} must not hold control or invisible characters.", name)
    return normal


def _client_uri(uri: str | None) -> str | None:
    if not uri:
        return None
    fault = f"must have at most {LONGEST_URL} characters" if len(uri) > LONGEST_URL else url_fault(uri)
    if fault is not None:
        raise _wrong(f"client_uri {fault}.", "client_uri")
    return uri


def _redirect_uris(uris: tuple[str, ...]) -> tuple[str, ...]:
    if len(uris) > MOST_REDIRECT_URIS:
        raise _wrong_uri(f"There may be at most {MOST_REDIRECT_URIS} redirect_uris.")
    for number, uri in enumerate(uris, 1):
        fault = redirect_uri_fault(uri)
        if fault is not None:
            raise _wrong_uri(f"Redirect URI {number} {fault}.")
    return _once(uris)


def _choice(name: str, chosen: tuple[str, ...], offered: Collection[str]) -> tuple[str, ...]:
    if not chosen or not set(chosen) <= set(offered):
        raise _wrong(f"{name} must be chosen from {', '.join(offered)}.", name)
    return _once(chosen)


def _scopes(scopes: tuple[str, ...], allowed: Collection[str]) -> tuple[str, ...]:
    if len(scopes) > MOST_SCOPES or not _all(_SCOPE.fullmatch, scopes):
        raise _wrong(f"scope must be at most {MOST_SCOPES} names of visible ASCII characters.")
    if not set(scopes) <= set(allowed):
        raise _wrong("scope holds a name that may not be asked for.")
    return _once(scopes)


def _contacts(contacts: tuple[str, ...]) -> tuple[str, ...]:
    if len(contacts) > MOST_CONTACTS or not _all(_CONTACT.fullmatch, contacts):
        raise _wrong(f"contacts must be at most {MOST_CONTACTS} e-mail addresses.", "contacts")
    return _once(contacts)


def _agrees_with_itself(metadata: Metadata) -> None:
    grants, method = set(metadata.grant_types), metadata.token_endpoint_auth_method
    if grants & _WITH_REDIRECT and not metadata.redirect_uris:
        raise _wrong_uri("People who sign in are sent back to a redirect URI: name at least one.")
    # RFC 6749, 4.4: "The client credentials grant type MUST only be used by confidential clients."
    if "client_credentials" in grants and method == "none":
        raise _wrong("A public client (none) cannot use client_credentials.", "grant_types")
    if "refresh_token" in grants and not grants - {"refresh_token", "client_credentials"}:
        raise _wrong("refresh_token comes with another grant type, such as authorization_code.", "grant_types")
    if method not in _WITH_SECRET | {"none"}:
        raise _wrong(
            f"{method} needs keys or a certificate, which are not registered here.", "token_endpoint_auth_method"
        )


def _all(matches: Callable[[str], object], texts: Iterable[str]) -> bool:
    return all(matches(text) for text in texts)


def _once(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def _wrong(detail: str, member: str = "") -> mistakes.Invalid:
    return mistakes.Invalid(detail, "invalid_client_metadata", member)


def _wrong_uri(detail: str) -> mistakes.Invalid:
    return mistakes.Invalid(detail, "invalid_redirect_uri", "redirect_uris")
