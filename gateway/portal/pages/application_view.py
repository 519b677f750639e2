"""Applications as pages show them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.clients.authority import may_hold_secret
from gateway.clients.catalogue import Catalogue
from gateway.clients.client import Actor, Agreement, Client, ClientState
from gateway.clients.life import State
from gateway.portal.pages import wording
from gateway.portal.pages.agreement_view import AgreementView, agreement_view, person_name
from gateway.portal.pages.plain import safe_link

_SOON = 14 * 86_400.0
"""How long before its end a secret is called one that ends soon, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationView:
    """An application in words, and what can be done to it."""

    id: str
    name: str
    description: str
    url: str
    link: str | None
    """The URL where it may be a link."""
    client_id: str
    provider: str
    badge: wording.Badge
    redirect_uris: tuple[str, ...]
    contacts: tuple[str, ...]
    scopes: tuple[str, ...]
    grants: tuple[wording.Choice, ...]
    authentication: wording.Choice
    owner: str
    created: wording.Moment
    secret_ends: wording.Moment | None
    secret_ends_soon: bool
    agreements: tuple[AgreementView, ...]
    can_reveal: bool
    can_rotate: bool
    can_edit: bool
    can_delete: bool
    next_step: str
    """What to do now, in a sentence; empty where nothing is to be done."""


def application_view(
    client: Client, agreements: Sequence[Agreement], catalogue: Catalogue, now: float, by: Actor
) -> ApplicationView:
    """One application with its contracts, for `by`. `now`: seconds since the epoch."""
    about, alive = client.metadata, client.state is not ClientState.DELETED
    has_secret = client.state is ClientState.REGISTERED and may_hold_secret(client, by)
    ends = client.secret_expires_at
    return ApplicationView(
        id=client.id,
        name=about.client_name,
        description=about.description,
        url=about.client_uri or "",
        link=safe_link(about.client_uri),
        client_id=client.client_id or "",
        provider=client.provider,
        badge=wording.CLIENT_BADGES[client.state],
        redirect_uris=about.redirect_uris,
        contacts=about.contacts,
        scopes=about.scopes,
        grants=wording.grants(about.grant_types),
        authentication=wording.authentications((about.token_endpoint_auth_method,))[0],
        owner=person_name(client.owner),
        created=wording.moment(client.created_at),
        secret_ends=None if ends is None else wording.moment(ends),
        secret_ends_soon=ends is not None and ends - now < _SOON,
        agreements=tuple(agreement_view(agreement, catalogue, client) for agreement in agreements),
        can_reveal=has_secret and not client.revealed,
        can_rotate=has_secret and about.token_endpoint_auth_method != "none",
        can_edit=alive,
        can_delete=alive,
        next_step=next_step(client, agreements) if may_hold_secret(client, by) else "",
    )


def next_step(client: Client, agreements: Sequence[Agreement]) -> str:
    """What the developer should know first."""
    states = {agreement.state for agreement in agreements}
    match client.state:
        case ClientState.DELETED:
            return "This application was deleted. Its tokens are refused."
        case ClientState.REGISTERING:
            return "The identity provider is being asked to register it. Come back in a minute."
        case ClientState.REGISTERED if not client.revealed:
            return "Show the credentials and keep them in a safe place: they are shown once."
        case ClientState.DRAFT if State.REQUESTED in states:
            return "Its owners were told. Credentials are made as soon as the first request is approved."
        case ClientState.DRAFT:
            return "Ask for access to an API: credentials are made with the first approval."
    return ""
