"""Contracts as pages show them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.clients.catalogue import Catalogue
from gateway.clients.client import Agreement, Client, Entry, Person
from gateway.clients.life import State, verbs_of
from gateway.portal.pages import wording
from gateway.portal.pages.api_view import open_tiers, tier_title, tier_view, title_of

DEEDS = {
    "client.described": "described the application",
    "client.registering": "asked the identity provider to register it",
    "client.registered": "registered it at the identity provider",
    "client.registration_failed": "could not register it at the identity provider",
    "client.adopted": "took it over from the identity provider",
    "client.edited": "changed the application",
    "client.updated": "told the identity provider what changed",
    "client.revealed": "saw the credentials",
    "client.rotated": "made a new secret",
    "client.overlap_ended": "ended the secret before the last one",
    "client.deleted": "deleted the application",
    "client.deleted_there": "deleted it at the identity provider",
    "client.left_over": "found it left over at the identity provider",
    "client.registration_unanswered": "got no answer when it was to be registered",
    "client.changed": "found it changed at the identity provider",
    "client.secret_replaced": "found another secret at the identity provider",
    "contract.requested": "asked for access",
    "contract.approved": "approved the request",
    "contract.refused": "refused the request",
    "contract.revoked": "revoked the contract",
    "contract.restored": "restored the contract",
    "contract.tier_asked": "asked for another tier",
    "contract.tier_changed": "changed the tier",
}
"""What the audit log's verbs mean; an unknown one is shown as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementView:
    """A request or contract in words."""

    id: str
    api: str
    api_title: str
    tier: str
    asked_tier: str
    """What was asked for, where something else was granted; else empty."""
    badge: wording.Badge
    reason: str
    decision_reason: str
    decided_by: str
    asked: wording.Moment
    decided: wording.Moment | None
    terms: str
    client: str
    client_name: str
    owner: str
    verbs: tuple[str, ...]
    other_tiers: tuple[wording.Choice, ...]
    """What its developer may ask for instead, with the limits that developers are told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """A line of the audit log in words."""

    at: wording.Moment
    actor: str
    deed: str
    verb: str
    detail: str
    client: str | None
    agreement: str | None
    api: str


def agreement_view(agreement: Agreement, catalogue: Catalogue, client: Client | None = None) -> AgreementView:
    """One contract; with its client, if who looks may see that."""
    asked = agreement.asked_tier
    return AgreementView(
        id=agreement.id,
        api=agreement.api,
        api_title=title_of(agreement.api, catalogue),
        tier=tier_title(agreement.tier, catalogue),
        asked_tier=tier_title(asked, catalogue) if asked != agreement.tier else "",
        badge=wording.AGREEMENT_BADGES[agreement.state],
        reason=agreement.reason,
        decision_reason=agreement.decision_reason,
        decided_by=agreement.decided_by,
        asked=wording.moment(agreement.asked_at),
        decided=None if agreement.decided_at is None else wording.moment(agreement.decided_at),
        terms=agreement.terms,
        client=agreement.client,
        client_name=client.metadata.client_name if client else agreement.client,
        owner=person_name(client.owner) if client else "",
        verbs=verbs_of(agreement.state),
        other_tiers=other_tiers(agreement, catalogue),
    )


def person_name(person: Person | None) -> str:
    """How a person is called; who has no name is known by provider and subject."""
    if person is None:
        return "Operator"
    return person.name or person.email or f"{person.provider}:{person.subject}"


def tier_choices(agreement: Agreement, catalogue: Catalogue) -> tuple[wording.Choice, ...]:
    """The tiers that an owner may grant; the one that was asked for comes first."""
    api = catalogue.apis.get(agreement.api)
    if api is None:
        return ()
    tiers = sorted(open_tiers(api, catalogue), key=lambda tier: tier.name != agreement.tier)
    return tuple(
        wording.Choice(tier.name, tier.title or tier.name, ", ".join(wording.limit(limit) for limit in tier.limits))
        for tier in tiers
    )


def other_tiers(agreement: Agreement, catalogue: Catalogue) -> tuple[wording.Choice, ...]:
    """The tiers that can be asked for in place of the one that a contract has."""
    api = catalogue.apis.get(agreement.api)
    if api is None or agreement.state not in (State.REQUESTED, State.ACTIVE):
        return ()
    views = (tier_view(tier, api, catalogue) for tier in open_tiers(api, catalogue) if tier.name != agreement.tier)
    return tuple(wording.Choice(view.name, view.title, ", ".join(view.limits)) for view in views)


def state_choices() -> tuple[wording.Choice, ...]:
    """The states to filter by."""
    return tuple(wording.Choice(state.value, badge.words) for state, badge in wording.AGREEMENT_BADGES.items())


def api_choices(catalogue: Catalogue) -> tuple[wording.Choice, ...]:
    """The APIs to filter by."""
    return tuple(wording.Choice(name, api.title or name) for name, api in catalogue.apis.items())


def entry_views(entries: Iterable[Entry], catalogue: Catalogue) -> tuple[EntryView, ...]:
    """Lines of the audit log."""
    return tuple(
        EntryView(
            at=wording.moment(entry.at),
            actor=entry.actor,
            deed=DEEDS.get(entry.verb, entry.verb),
            verb=entry.verb,
            detail=entry.detail,
            client=entry.client,
            agreement=entry.agreement,
            api=title_of(entry.api, catalogue) if entry.api else "",
        )
        for entry in entries
    )
