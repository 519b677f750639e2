"""What holds for every page: it is HTML, it can be used by everybody, and what people wrote is only text in it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clients.catalogue import Catalogue
from gateway.clients.client import Metadata
from gateway.portal.pages.site import PAGES
from tests.portal.pages.catalogues import CATALOGUE, ORDERS
from tests.portal.pages.html_rules import faults, parsed
from tests.portal.pages.sites import OLGA, OWNER, Answer, Site, running_site

MARKUP = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
HOSTILE = f"{MARKUP}'{{{{7*7}}}}\u202egnp.exe\x1b[31mred\x1b]0;owned\x07 &amp;"
"""Markup, a template, the right-to-left override, and commands to a terminal."""
NICE = Metadata(client_name="Shop", description="Sells.", client_uri="https://shop.example")
NASTY = Metadata(
    client_name=HOSTILE,
    description=HOSTILE,
    client_uri="javascript:alert(1)",
    redirect_uris=(HOSTILE,),
    scopes=(HOSTILE,),
    contacts=(HOSTILE,),
)
"""No form lets this pass; an adopted client, or the records of an older version, may have it."""


async def _pages(site: Site, metadata: Metadata = NICE) -> dict[str, Answer]:
    """Every page that is reached by GET, as an owner sees it, with something on each."""
    client, agreement = await site.approved(NICE, by=OWNER)
    waiting = await site.asked(replace(NICE, client_name="Waits"), by=OWNER)
    await _store(site, client.id, metadata)
    await _store(site, waiting.client, replace(metadata, client_name=f"{metadata.client_name} waits"))
    ids = {"/asked/{id}": waiting.id, "/contracts/{id}": waiting.id}
    olga = await site.signed_in(OWNER)
    paths = [page.path for page in PAGES if page.method == "GET" and page.path != "/apis/{api}/openapi"]
    shown = {path: await olga.sees(path.format(id=ids.get(path, client.id), api="orders")) for path in paths}
    shown["a contract in force"] = await olga.sees(f"/contracts/{agreement.id}")
    shown["a page that is not there"] = await olga.sees("/nowhere")
    return shown


async def _store(site: Site, client: str, metadata: Metadata) -> None:
    """Whatever the metadata is."""
    found = await site.store.client(client)
    assert found is not None
    async with site.store.begin() as transaction:
        await transaction.save_client(replace(found, metadata=metadata))


@pytest.fixture
async def hostile(tmp_path: Path) -> AsyncIterator[Site]:
    """A site whose owner, too, wrote what is not nice."""
    api = replace(ORDERS, title=HOSTILE, description=HOSTILE, terms=HOSTILE, documentation="javascript:alert(1)")
    tiers = {name: replace(tier, title=HOSTILE, description=HOSTILE) for name, tier in CATALOGUE.tiers.items()}
    catalogue = Catalogue(apis={"orders": api}, tiers=tiers)
    async with running_site(tmp_path, catalogue) as site:
        yield site


async def test_every_page_obeys_the_rules(site: Site) -> None:
    for path, answer in (await _pages(site)).items():
        assert answer.status == (404 if path == "a page that is not there" else 200), path
        assert faults(answer.text) == [], path


@pytest.mark.case("C301")
async def test_hostile_names_are_only_text_on_every_page(hostile: Site) -> None:
    for path, answer in (await _pages(hostile, NASTY)).items():
        assert faults(answer.text) == [], path
        assert "<script" not in answer.text, path
        assert "<img" not in answer.text, path
        assert not {"\x1b", "\x07", "\u202e"} & set(answer.text), path
        assert ("alert(1)" in answer.text) == (path not in ("/providers", "a page that is not there")), path


@pytest.mark.case("C301")
async def test_hostile_words_typed_into_a_form_come_back_as_text(site: Site) -> None:
    olga = await site.signed_in(OWNER)
    names = ("name", "description", "client_uri", "redirect_uris", "contacts", "reason", "tier", "grant_types")
    fields = [(name, HOSTILE) for name in names]
    answer = await olga.sends("/apis/orders/ask", "/apis/orders/ask", fields)
    assert answer.status == 400
    assert faults(answer.text) == []
    assert "&lt;script&gt;" in answer.text
    assert not {"\x1b", "\x07", "\u202e"} & set(answer.text)


@pytest.mark.case("C301")
async def test_hostile_reasons_are_only_text(site: Site) -> None:
    agreement = await site.asked(NICE)
    olga = await site.signed_in(OWNER)
    page = f"/contracts/{agreement.id}"
    await olga.sends(page, f"{page}/refuse", [("reason", HOSTILE)])
    for path in (page, f"/applications/{agreement.client}", "/audit", f"/contracts?search={MARKUP}"):
        shown = await olga.sees(path)
        assert shown.status == 200, path
        assert faults(shown.text) == [], path
        assert not {"\x1b", "\x07", "\u202e"} & set(shown.text), path


@pytest.mark.case("C301")
async def test_what_people_wrote_is_set_apart_from_the_direction_of_the_page(site: Site) -> None:
    agreement = await site.asked(replace(NICE, client_name="שלום"))
    olga = await site.signed_in(OWNER)
    for path in (
        "/applications",
        f"/applications/{agreement.client}",
        "/requests",
        "/contracts",
        f"/contracts/{agreement.id}",
    ):
        page = parsed((await olga.sees(path)).text)
        holders = {element.tag for element in page.iter() if element.text == "שלום"}
        assert holders == {"bdi"}, path


@pytest.mark.case("C299")
async def test_every_change_needs_a_token_of_ours(site: Site) -> None:
    client, agreement = await site.approved(NICE, by=OWNER)
    olga = await site.signed_in(OWNER)
    before = await site.registry.client(client.id, by=OLGA), await site.registry.agreement(agreement.id, by=OLGA)
    for page in PAGES:
        if page.method == "POST":
            path = page.path.replace("{verb:approve|refuse|revoke|restore}", "revoke")
            path = path.format(id=agreement.id if "contracts" in path else client.id, api="orders")
            assert (await olga.posts(path, [("reason", "x"), ("name", "Shop")])).status == 400, path
    assert before == (
        await site.registry.client(client.id, by=OLGA),
        await site.registry.agreement(agreement.id, by=OLGA),
    )


async def test_a_signed_in_person_is_named_on_every_page(site: Site) -> None:
    for path, answer in (await _pages(site)).items():
        if path != "a page that is not there":
            assert f"<bdi>{OWNER}</bdi>" in answer.text, path


async def test_no_page_sets_a_script_free(site: Site) -> None:
    for path, answer in (await _pages(site)).items():
        assert "script-src 'none'" in answer.headers["Content-Security-Policy"], path
