"""Developers look after their applications."""

import pytest

from gateway.clients.client import ClientState, Metadata
from gateway.clients.life import State
from gateway.clients.store import Usage
from tests.fakes import NOON
from tests.portal.pages.html_rules import faults
from tests.portal.pages.sites import OLGA, Site

SHOP = Metadata(client_name="Shop", description="Sells.")
HOUR = int(NOON // 3_600)


async def test_a_developer_sees_its_own_applications_only(site: Site) -> None:
    await site.asked(SHOP)
    hers = await site.asked(Metadata(client_name="Hers"), by="eve")
    ada = await site.signed_in("ada")
    shown = await ada.sees("/applications")
    assert "Shop" in shown.text
    assert "Hers" not in shown.text
    for path in ("", "/edit", "/delete", "/rotate"):
        assert (await ada.sees(f"/applications/{hers.client}{path}")).status == 404


async def test_who_has_none_is_told_what_to_do(site: Site) -> None:
    shown = await (await site.signed_in("ada")).sees("/applications")
    assert "You have no application yet" in shown.text
    assert "Choose an API" in shown.text


async def test_an_application_that_waits_says_so(site: Site) -> None:
    agreement = await site.asked(SHOP)
    shown = await (await site.signed_in("ada")).sees(f"/applications/{agreement.client}")
    assert "Waiting for a decision" in shown.text
    assert "Show credentials" not in shown.text


async def test_a_description_is_changed_here_and_at_the_provider(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    ada = await site.signed_in("ada")
    page = f"/applications/{client.id}/edit"
    fields = [("name", "Shop 2"), ("grant_types", "client_credentials"), ("authentication", "client_secret_basic")]
    answer = await ada.sends(page, page, fields)
    assert answer.path == f"/applications/{client.id}"
    assert "Shop 2" in answer.text
    assert client.client_id is not None
    assert site.idp.clients[client.client_id].metadata.client_name == "Shop 2"


async def test_a_wrong_change_is_told_at_its_field_and_changes_nothing(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    ada = await site.signed_in("ada")
    page = f"/applications/{client.id}/edit"
    answer = await ada.sends(page, page, [("name", ""), ("description", "Kept words"), ("grant_types", "password")])
    assert answer.status == 400
    assert faults(answer.text) == []
    assert "Kept words" in answer.text
    assert (await site.registry.client(client.id, by=OLGA)).metadata == client.metadata


async def test_an_application_is_deleted_by_typing_its_name(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    ada = await site.signed_in("ada")
    page = f"/applications/{client.id}/delete"
    answer = await ada.sends(page, page, [("name", "shop")])
    assert answer.status == 400
    assert "This is not its name." in answer.text
    assert (await site.registry.client(client.id, by=OLGA)).state is ClientState.REGISTERED
    assert (await ada.sends(page, page, [("name", " Shop ")])).path == "/applications"
    assert (await site.registry.client(client.id, by=OLGA)).state is ClientState.DELETED
    assert client.client_id not in site.idp.clients
    assert "Shop" not in (await ada.sees("/applications")).text


async def test_another_tier_is_asked_for(site: Site) -> None:
    client, agreement = await site.approved(SHOP)
    ada = await site.signed_in("ada")
    page = f"/applications/{client.id}"
    await ada.sends(page, f"{page}/tier", [("contract", agreement.id), ("tier", "free")])
    assert (await site.registry.agreement(agreement.id, by=OLGA)).tier == "free"
    await ada.sends(page, f"{page}/tier", [("contract", agreement.id), ("tier", "gold")])
    asked = await site.registry.agreement(agreement.id, by=OLGA)
    assert (asked.tier, asked.asked_tier) == ("free", "gold")
    assert "asked for: <bdi>Gold</bdi>" in (await ada.sees(page)).text


async def test_a_contract_of_another_application_takes_no_tier_from_this_page(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    other = await site.asked(Metadata(client_name="Other"))
    ada = await site.signed_in("ada")
    page = f"/applications/{client.id}"
    assert (await ada.sends(page, f"{page}/tier", [("contract", other.id), ("tier", "free")])).status == 404


async def test_usage_is_drawn_and_told_in_a_table(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    assert client.client_id is not None
    rows = [("allowed", 1_234), ("rate_limited", 5)]
    await site.store.add_usage(
        Usage(hour=HOUR, provider="demo", client_id=client.client_id, api="orders", code=code, calls=calls)
        for code, calls in rows
    )
    shown = await (await site.signed_in("ada")).sees(f"/applications/{client.id}?span=week")
    assert "<svg viewBox" in shown.text
    assert "23 November: 1,234 allowed, 5 refused" in shown.text
    assert "A limit of the tier was used up" in shown.text
    assert "About 0 requests left: 9 of 9 used." in shown.text
    assert faults(shown.text) == []


async def test_an_application_without_calls_is_told_what_will_be_here(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    shown = await (await site.signed_in("ada")).sees(f"/applications/{client.id}?span=month")
    assert "No calls in the last 30 days" in shown.text


@pytest.mark.parametrize("span", ["", "day", "week", "month", "%3Cb%3E", "../"])
async def test_any_span_shows_a_page(site: Site, span: str) -> None:
    client, _ = await site.approved(SHOP)
    assert (await (await site.signed_in("ada")).sees(f"/applications/{client.id}?span={span}")).status == 200


async def test_a_refused_request_says_why_and_may_be_made_again(site: Site) -> None:
    agreement = await site.asked(SHOP)
    await site.registry.refuse(agreement.id, by=OLGA, reason="Too vague.")
    ada = await site.signed_in("ada")
    shown = await ada.sees(f"/applications/{agreement.client}")
    assert "Too vague." in shown.text
    assert "Ask again" in shown.text
    await ada.sends(
        "/apis/orders/ask",
        "/apis/orders/ask",
        [("application", agreement.client), ("tier", "gold"), ("terms", "accepted")],
    )
    states = {each.state for each in (await site.registry.agreements(by=OLGA, client=agreement.client)).items}
    assert states == {State.REFUSED, State.REQUESTED}
