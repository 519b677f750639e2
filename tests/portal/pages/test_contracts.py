"""Owners of APIs decide, and see what was decided."""

import pytest

from gateway.clients.client import Actor, Metadata, Person
from gateway.clients.life import State
from tests.portal.pages.html_rules import faults
from tests.portal.pages.sites import OLGA, Site

ADA = Actor(person=Person(provider="demo", subject="ada"))
SHOP = Metadata(client_name="Shop", description="Sells.")
OWNERS_PAGES = ("/requests", "/contracts", "/audit", "/providers")


@pytest.mark.parametrize("path", OWNERS_PAGES)
async def test_a_developer_has_no_business_on_the_pages_of_owners(site: Site, path: str) -> None:
    ada = await site.signed_in("ada")
    assert (await ada.sees(path)).status == 403
    assert path not in (await ada.sees("/")).text


@pytest.mark.parametrize("verb", ["approve", "refuse", "revoke", "restore", "tier"])
async def test_a_developer_decides_nothing(site: Site, verb: str) -> None:
    agreement = await site.asked(SHOP)
    ada = await site.signed_in("ada")
    answer = await ada.sends("/applications", f"/contracts/{agreement.id}/{verb}", [("reason", "x"), ("tier", "free")])
    assert answer.status == 403
    assert await site.registry.agreement(agreement.id, by=OLGA) == agreement


async def test_a_request_waits_for_its_owner(site: Site) -> None:
    agreement = await site.asked(SHOP)
    olga = await site.signed_in("olga")
    shown = await olga.sees("/requests")
    assert f"/contracts/{agreement.id}" in shown.text
    assert "We sell." in shown.text


async def test_an_owner_without_requests_is_told_so(site: Site) -> None:
    assert "Nothing waits for you" in (await (await site.signed_in("olga")).sees("/requests")).text


async def test_an_owner_approves_with_another_tier_and_a_reason(site: Site) -> None:
    agreement = await site.asked(SHOP)
    olga = await site.signed_in("olga")
    page = f"/contracts/{agreement.id}"
    answer = await olga.sends(page, f"{page}/approve", [("tier", "free"), ("reason", "Start small.")])
    assert answer.path == "/requests"
    approved = await site.registry.agreement(agreement.id, by=OLGA)
    assert (approved.state, approved.tier, approved.decision_reason) == (State.ACTIVE, "free", "Start small.")
    shown = await olga.sees(page)
    assert "demo:olga" in shown.text
    assert "approved the request" in shown.text


async def test_a_request_is_refused_with_a_reason_only(site: Site) -> None:
    agreement = await site.asked(SHOP)
    olga = await site.signed_in("olga")
    page = f"/contracts/{agreement.id}"
    answer = await olga.sends(page, f"{page}/refuse", [("reason", " ")])
    assert answer.status == 400
    assert 'id="refuse-reason-wrong"' in answer.text
    assert faults(answer.text) == []
    await olga.sends(page, f"{page}/refuse", [("reason", "Too vague.")])
    assert (await site.registry.agreement(agreement.id, by=OLGA)).state is State.REFUSED


async def test_a_contract_is_revoked_and_restored(site: Site) -> None:
    _, agreement = await site.approved(SHOP)
    olga = await site.signed_in("olga")
    page = f"/contracts/{agreement.id}"
    assert (await olga.sends(page, f"{page}/revoke", [("reason", "Abuse.")])).path == page
    assert (await site.registry.agreement(agreement.id, by=OLGA)).state is State.REVOKED
    answer = await olga.sends(page, f"{page}/restore", [("reason", "")])
    assert "In force" in answer.text
    assert (await site.registry.agreement(agreement.id, by=OLGA)).state is State.ACTIVE


async def test_the_tier_of_a_contract_is_changed(site: Site) -> None:
    _, agreement = await site.approved(SHOP)
    olga = await site.signed_in("olga")
    page = f"/contracts/{agreement.id}"
    await olga.sends(page, f"{page}/tier", [("tier", "free")])
    assert (await site.registry.agreement(agreement.id, by=OLGA)).tier == "free"
    answer = await olga.sends(page, f"{page}/tier", [("tier", "old")])
    assert answer.status == 400
    assert 'role="alert"' in answer.text


async def test_another_tier_that_is_asked_for_waits_for_its_owner(site: Site) -> None:
    _, agreement = await site.approved(SHOP)
    await site.registry.change_tier(agreement.id, "free", by=ADA)
    await site.registry.change_tier(agreement.id, "gold", by=ADA)
    olga = await site.signed_in("olga")
    shown = await olga.sees("/requests")
    assert f"/contracts/{agreement.id}" in shown.text
    assert faults(shown.text) == []
    page = f"/contracts/{agreement.id}"
    assert '<option value="gold" selected>' in (await olga.sees(page)).text
    await olga.sends(page, f"{page}/tier", [("tier", "free")])
    assert "Nothing waits for you" in (await olga.sees("/requests")).text
    assert (await site.registry.agreement(agreement.id, by=OLGA)).tier == "free"


async def test_an_owner_is_offered_nobody_elses_secret_and_given_none(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    olga = await site.signed_in("olga")
    page = f"/applications/{client.id}"
    shown = await olga.sees(page)
    assert "Show credentials" not in shown.text
    assert "Make a new secret" not in shown.text
    assert (await olga.sees(f"{page}/rotate")).status == 403
    for deed in ("credentials", "rotate"):
        assert (await olga.sends(f"{page}/edit", f"{page}/{deed}")).status == 403
    assert not (await site.registry.client(client.id, by=OLGA)).revealed


async def test_what_somebody_else_decided_meanwhile_is_told(site: Site) -> None:
    agreement = await site.asked(SHOP)
    olga = await site.signed_in("olga")
    await site.registry.refuse(agreement.id, by=OLGA, reason="No.")
    answer = await olga.sends(f"/contracts/{agreement.id}", f"/contracts/{agreement.id}/approve")
    assert answer.status == 400
    assert "Refused" in answer.text
    assert (await site.registry.agreement(agreement.id, by=OLGA)).state is State.REFUSED


@pytest.mark.parametrize("path", ["/contracts/nowhere", "/applications/nowhere", "/asked/nowhere"])
async def test_what_is_not_there_is_not_found(site: Site, path: str) -> None:
    assert (await (await site.signed_in("olga")).sees(path)).status == 404


async def test_contracts_are_filtered(site: Site) -> None:
    await site.approved(SHOP)
    await site.asked(Metadata(client_name="Bakery"))
    olga = await site.signed_in("olga")
    for query, shop, bakery in [
        ("", True, True),
        ("?state=active", True, False),
        ("?state=requested&api=orders", False, True),
        ("?search=bak", False, True),
        ("?api=weather", False, False),
        ("?state=%3Cb%3E", True, True),
    ]:
        shown = await olga.sees(f"/contracts{query}")
        assert shown.status == 200
        assert (">Shop<" in shown.text, ">Bakery<" in shown.text) == (shop, bakery), query
    assert "Nothing matches" in (await olga.sees("/contracts?api=weather")).text


async def test_contracts_come_in_pages_with_the_filters_kept(site: Site) -> None:
    for number in range(51):
        await site.asked(Metadata(client_name=f"Shop {number}"), by=f"ada{number % 3}")
        site.clock.move(1)
    olga = await site.signed_in("olga")
    first = await olga.sees("/contracts?state=requested")
    following = first.text.partition('<a class="button second" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert "state=requested" in following
    second = await olga.sees(following)
    assert first.text.count('data-label="Asked"') == 50
    assert second.text.count('data-label="Asked"') == 1
    assert ">Shop 0<" in second.text
    assert 'rel="next"' not in second.text


@pytest.mark.parametrize(
    "query", ["", "?actor=demo:ada", "?after=x", "?after=99999999999999999999", "?client=%00", "?after=-1"]
)
async def test_the_audit_log_can_be_asked_anything(site: Site, query: str) -> None:
    await site.approved(SHOP)
    shown = await (await site.signed_in("olga")).sees(f"/audit{query}")
    assert shown.status in (200, 400)


async def test_the_audit_log_says_who_did_what(site: Site) -> None:
    await site.approved(SHOP)
    shown = await (await site.signed_in("olga")).sees("/audit?actor=demo:ada")
    assert "asked for access" in shown.text
    assert "approved the request" not in shown.text


async def test_the_providers_are_shown_as_they_are(site: Site) -> None:
    shown = await (await site.signed_in("olga")).sees("/providers")
    assert "Failing" in shown.text
    assert "It did not answer in time." in shown.text


async def test_every_verb_of_the_audit_log_has_words(site: Site) -> None:
    client, agreement = await site.approved(SHOP)
    await site.registry.revoke(agreement.id, by=OLGA, reason="Abuse.")
    await site.registry.restore(agreement.id, by=OLGA)
    await site.registry.change_tier(agreement.id, "free", by=OLGA)
    await site.registry.reveal(client.id, by=ADA)
    await site.registry.edit(client.id, Metadata(client_name="Shop 2"), by=OLGA)
    await site.registry.delete(client.id, by=OLGA)
    shown = await (await site.signed_in("olga")).sees("/audit")
    entries = (await site.registry.audit(by=OLGA)).items
    assert len(entries) >= 8
    for entry in entries:
        assert f'<td role="cell" data-label="What">{entry.verb}<br>' not in shown.text, entry.verb
