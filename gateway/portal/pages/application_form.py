"""The form that describes an application and asks for access: what was typed, and what is wrong with it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from multidict import MultiMapping

from gateway.clients.catalogue import Api, Catalogue
from gateway.clients.client import Actor, Client, Metadata
from gateway.clients.mistakes import Invalid, Refusal
from gateway.portal.pages.api_view import open_tiers
from gateway.portal.pages.plain import safe_link
from gateway.providers.registration import Registration

NEW = "new"
"""In place of an application's id: one that is described in the same form."""
LONGEST: Mapping[str, int] = {"name": 100, "description": 2_000, "client_uri": 500, "reason": 2_000}
"""Of each field, in characters."""
MOST_LINES = 20
"""Redirect URIs or contacts of one application."""

Mistakes = dict[str, str]
"""Fields and what is wrong with each; the empty name is for what concerns no field."""

_FIELD_OF = {
    "name_taken": "name",
    "invalid_tier": "tier",
    "terms_not_accepted": "terms",
    "invalid_text": "reason",
}
"""Codes of refusals that belong to a field."""
_FIELD_OF_MEMBER = {
    "client_name": "name",
    "description": "description",
    "client_uri": "client_uri",
    "redirect_uris": "redirect_uris",
    "contacts": "contacts",
    "grant_types": "grant_types",
    "token_endpoint_auth_method": "authentication",
}
"""Members of the metadata that have a field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The form as it was typed: it is shown again as it was."""

    application: str = NEW
    name: str = ""
    description: str = ""
    client_uri: str = ""
    redirect_uris: str = ""
    contacts: str = ""
    grant_types: tuple[str, ...] = ()
    authentication: str = ""
    tier: str = ""
    accepted: bool = False
    reason: str = ""
    scopes: tuple[str, ...] = ()
    """Not typed: what the application had, or what the API knows."""

    @property
    def is_new(self) -> bool:
        """Whether the application is described in this form."""
        return self.application == NEW

    @property
    def metadata(self) -> Metadata:
        """What the description means."""
        return Metadata(
            client_name=self.name,
            description=self.description,
            client_uri=self.client_uri or None,
            redirect_uris=_lines(self.redirect_uris),
            grant_types=self.grant_types,
            token_endpoint_auth_method=self.authentication,
            scopes=self.scopes,
            contacts=_lines(self.contacts),
        )


def untouched(registration: Registration, api: Api | None, by: Actor) -> Typed:
    """The form before anybody typed: with what most choose."""
    grants, ways = registration.grant_types, registration.authentication
    email = by.person.email if by.person else ""
    return Typed(
        grant_types=("client_credentials",) if "client_credentials" in grants else grants[:1],
        authentication=ways[0] if ways else "",
        contacts=email,
        tier=api.tiers[0] if api and len(api.tiers) == 1 else "",
        scopes=api.scopes if api else (),
    )


def typed(form: MultiMapping[str], scopes: tuple[str, ...] = ()) -> Typed:
    """What was sent. Blanks around single lines go, line breaks become those of Unix."""
    return Typed(
        application=form.get("application", NEW),
        name=_line(form, "name"),
        description=_text(form, "description"),
        client_uri=_line(form, "client_uri"),
        redirect_uris=_text(form, "redirect_uris"),
        contacts=_text(form, "contacts"),
        grant_types=tuple(dict.fromkeys(form.getall("grant_types", []))),
        authentication=form.get("authentication", ""),
        tier=form.get("tier", ""),
        accepted=form.get("terms") == "accepted",
        reason=_text(form, "reason"),
        scopes=scopes,
    )


def typed_of(client: Client) -> Typed:
    """The form that changes an application, as it is now."""
    about = client.metadata
    return Typed(
        application=client.id,
        name=about.client_name,
        description=about.description,
        client_uri=about.client_uri or "",
        redirect_uris="\n".join(about.redirect_uris),
        contacts="\n".join(about.contacts),
        grant_types=about.grant_types,
        authentication=about.token_endpoint_auth_method,
        scopes=about.scopes,
    )


def asking_mistakes(of: Typed, api: Api, catalogue: Catalogue, registration: Registration) -> Mistakes:
    """What is wrong with a request for access, as far as the form alone shows it."""
    found = describing_mistakes(of, registration) if of.is_new else {}
    tiers = {tier.name for tier in open_tiers(api, catalogue)}
    if tiers and of.tier not in tiers:
        found["tier"] = "Choose one of the tiers."
    if api.terms and not of.accepted:
        found["terms"] = "Access needs your acceptance of the terms."
    if len(of.reason) > LONGEST["reason"]:
        found["reason"] = _too_long("reason")
    return found


def describing_mistakes(of: Typed, registration: Registration) -> Mistakes:
    """What is wrong with the description of an application, as far as the form alone shows it."""
    found = {name: _too_long(name) for name in ("name", "description", "client_uri") if _is_long(of, name)}
    if not of.name:
        found["name"] = "Give the application a name."
    if of.client_uri and safe_link(of.client_uri) is None:
        found["client_uri"] = "Write a whole address that begins with https:// or http://."
    if not set(of.grant_types) <= set(registration.grant_types) or not of.grant_types:
        found["grant_types"] = "Choose at least one of these."
    if of.authentication not in registration.authentication:
        found["authentication"] = "Choose one of these."
    return found | _list_mistakes(of)


def _list_mistakes(of: Typed) -> Mistakes:
    found = {}
    redirects, contacts = _lines(of.redirect_uris), _lines(of.contacts)
    if "authorization_code" in of.grant_types and not redirects:
        found["redirect_uris"] = "Users who sign in are sent back to the application: write where to."
    if len(redirects) > MOST_LINES:
        found["redirect_uris"] = f"At most {MOST_LINES} addresses."
    if len(contacts) > MOST_LINES:
        found["contacts"] = f"At most {MOST_LINES} contacts."
    return found


def refused(refusal: Refusal) -> Mistakes:
    """What a refusal says, at its field."""
    member = refusal.member if isinstance(refusal, Invalid) else ""
    return {_FIELD_OF_MEMBER.get(member) or _FIELD_OF.get(refusal.code, ""): refusal.detail}


def _is_long(of: Typed, name: str) -> bool:
    return len(getattr(of, name)) > LONGEST[name]


def _too_long(name: str) -> str:
    return f"At most {LONGEST[name]:,} characters."


def _line(form: MultiMapping[str], name: str) -> str:
    return form.get(name, "").strip()


def _text(form: MultiMapping[str], name: str) -> str:
    return form.get(name, "").replace("\r\n", "\n").strip()


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())
