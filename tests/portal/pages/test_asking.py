"""Developers find an API and ask for access to it."""

from html import escape

import pytest

from gateway.clients.client import ClientState, Metadata
from gateway.clients.life import State
from tests.portal.pages.html_rules import faults
from tests.portal.pages.sites import OLGA, Site

WISH = [
    ("application", "new"),
    ("name", "Shop"),
    ("description", "Sells."),
    ("client_uri", "https://shop.example"),
    ("redirect_uris", ""),
    ("contacts", "ada@shop.example"),
    ("grant_types", "client_credentials"),
    ("authentication", "client_secret_basic"),
    ("tier", "gold"),
    ("terms", "accepted"),
    ("reason", "We sell."),
]
FORM = "/apis/orders/ask"


def _but(**changes: str) -> list[tuple[str, str]]:
    """The wish with other values; an empty one is left out."""
    kept = [(name, value) for name, value in WISH if name not in changes]
    return kept + [(name, value) for name, value in changes.items() if value]


async def test_everybody_sees_the_catalogue_and_its_apis(site: Site) -> None:
    visitor = await site.visitor()
    catalogue, api = await visitor.sees("/"), await visitor.sees("/apis/orders")
    assert "Orders" in catalogue.text
    assert "/apis/hidden" not in catalogue.text
    assert "10 requests per minute, and 1,000 requests per day" in api.text
    assert "List orders" in api.text
    assert (await visitor.sees("/apis/hidden")).status == 404
    assert (await visitor.sees("/apis/nowhere")).status == 404


async def test_an_owner_sees_an_api_that_is_not_listed(site: Site) -> None:
    assert (await (await site.signed_in("olga")).sees("/apis/hidden")).status == 200
    assert (await (await site.signed_in("ada")).sees("/apis/hidden")).status == 404


async def test_the_openapi_document_can_be_kept(site: Site) -> None:
    answer = await (await site.visitor()).sees("/apis/orders/openapi")
    assert answer.text.startswith("openapi: 3.1.0")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="openapi.yaml"'
    assert (await (await site.visitor()).sees("/apis/weather/openapi")).status == 404


async def test_who_asks_has_to_sign_in(site: Site) -> None:
    visitor = await site.visitor()
    assert (await visitor.sees(FORM)).path == "/authorize"
    await visitor.signs_in("ada")
    assert (await visitor.sees(FORM)).status == 200


async def test_a_new_application_asks_and_waits(site: Site) -> None:
    ada = await site.signed_in("ada")
    answer = await ada.sends(FORM, FORM, WISH)
    assert answer.status == 200
    assert "Your request is on its way" in answer.text
    waiting = (await site.registry.agreements(by=OLGA)).items
    assert [(each.state, each.tier, each.reason) for each in waiting] == [(State.REQUESTED, "gold", "We sell.")]
    client = await site.registry.client(waiting[0].client, by=OLGA)
    assert client.state is ClientState.DRAFT
    assert client.metadata.client_uri == "https://shop.example"


async def test_what_needs_no_decision_is_given_at_once(site: Site) -> None:
    ada = await site.signed_in("ada")
    answer = await ada.sends(FORM, FORM, _but(tier="free"))
    assert "Access is given" in answer.text
    assert (await site.registry.agreements(by=OLGA)).items[0].state is State.ACTIVE


async def test_an_application_that_exists_is_chosen(site: Site) -> None:
    ada = await site.signed_in("ada")
    await ada.sends(FORM, FORM, WISH)
    client = (await site.registry.clients(by=OLGA)).items[0]
    shown = await ada.sees("/apis/weather/ask")
    assert f'value="{client.id}"' in shown.text
    await ada.sends("/apis/weather/ask", "/apis/weather/ask", [("application", client.id)])
    assert {each.api for each in (await site.registry.agreements(by=OLGA, client=client.id)).items} == {
        "orders",
        "weather",
    }


async def test_the_application_of_somebody_else_cannot_be_chosen(site: Site) -> None:
    foreign = (await site.asked(Metadata(client_name="Hers"), by="eve")).client
    ada = await site.signed_in("ada")
    answer = await ada.sends(FORM, FORM, [("application", foreign), ("tier", "gold"), ("terms", "accepted")])
    assert answer.status == 400
    assert "Choose one of your applications." in answer.text
    assert "Hers" not in answer.text


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": ""}, "name", "Give the application a name."),
        ({"name": "<b>Shop</b>"}, "name", "must not hold"),
        ({"contacts": "ada"}, "contacts", "e-mail addresses"),
        ({"description": "a\u202eb"}, "description", "invisible"),
        ({"authentication": "none"}, "grant_types", "public client"),
        ({"client_uri": "javascript:alert(1)"}, "client_uri", "begins with https://"),
        ({"grant_types": ""}, "grant_types", "Choose at least one"),
        ({"authentication": ""}, "authentication", "Choose one"),
        ({"grant_types": "authorization_code"}, "redirect_uris", "write where to"),
        ({"tier": ""}, "tier", "Choose one of the tiers"),
        ({"terms": ""}, "terms", "acceptance"),
    ],
)
async def test_a_mistake_is_told_at_its_field(site: Site, changes: dict[str, str], field: str, words: str) -> None:
    ada = await site.signed_in("ada")
    answer = await ada.sends(FORM, FORM, _but(**changes))
    assert answer.status == 400
    assert f'id="{field}-wrong"' in answer.text
    assert words in answer.text
    assert faults(answer.text) == []
    assert (await site.registry.clients(by=OLGA)).items == ()


@pytest.mark.case("C291")
@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://shop.example/",
        "https://shop.example/#f",
        "https://u@shop.example/",
    ],
)
async def test_a_redirect_uri_that_leads_astray_is_told_at_its_field_and_kept(site: Site, uri: str) -> None:
    ada = await site.signed_in("ada")
    answer = await ada.sends(FORM, FORM, _but(grant_types="authorization_code", redirect_uris=uri))
    assert answer.status == 400
    assert 'id="redirect_uris-wrong"' in answer.text
    assert escape(uri) in answer.text
    assert (await site.registry.clients(by=OLGA)).items == ()


async def test_everything_typed_is_kept(site: Site) -> None:
    ada = await site.signed_in("ada")
    answer = await ada.sends(FORM, FORM, _but(terms="", name='Shop & "Sons"', reason="\nA\n\nB"))
    assert 'value="Shop &amp; &#34;Sons&#34;"' in answer.text
    assert ">\nA\n\nB</textarea>" in answer.text
    assert 'value="gold" checked' in answer.text
    assert 'value="https://shop.example"' in answer.text


async def test_asking_again_for_the_same_is_told(site: Site) -> None:
    ada = await site.signed_in("ada")
    await ada.sends(FORM, FORM, WISH)
    client = (await site.registry.clients(by=OLGA)).items[0]
    answer = await ada.sends(FORM, FORM, [("application", client.id), ("tier", "gold"), ("terms", "accepted")])
    assert answer.status == 400
    assert 'role="alert"' in answer.text
