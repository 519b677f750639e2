"""Credentials are shown once, and nowhere else."""

import asyncio
from dataclasses import replace
from html import unescape
from pathlib import Path

import aiohttp
import pytest

from gateway.clients.client import Client, Metadata
from gateway.demo.identity_provider import GATEWAY
from gateway.portal.visits import Parts
from tests.portal.pages.html_rules import faults, parsed, shown
from tests.portal.pages.sites import Answer, Site, running_site

SHOP = Metadata(client_name="Shop")
PATHS = ("/", "/applications", "/applications/{id}", "/applications/{id}/edit", "/audit", "/contracts")


def _by_id(answer: Answer, name: str) -> str:
    return next(shown(element) for element in parsed(answer.text).iter() if element.get("id") == name)


async def _reveals(site: Site, client: Client) -> Answer:
    page = f"/applications/{client.id}"
    return await (await site.signed_in("ada")).sends(page, f"{page}/credentials")


@pytest.mark.case("C296")
async def test_credentials_are_shown_once_on_a_page_that_nothing_keeps(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    first, second = await _reveals(site, client), await _reveals(site, client)
    assert first.status == 200
    assert "no-store" in first.headers["Cache-Control"]
    assert first.path == f"/applications/{client.id}/credentials"
    assert _by_id(first, "client-id") == client.client_id
    secret = _by_id(first, "client-secret")
    assert len(secret) > 20
    assert second.status == 409
    assert secret not in second.text


@pytest.mark.case("C296")
async def test_no_other_page_shows_the_secret(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    secret = _by_id(await _reveals(site, client), "client-secret")
    for name in ("ada", "olga"):
        somebody = await site.signed_in(name)
        for path in PATHS:
            assert secret not in (await somebody.sees(path.format(id=client.id))).text


async def test_a_get_shows_no_credentials(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    assert (await (await site.signed_in("ada")).sees(f"/applications/{client.id}/credentials")).status == 405


async def test_the_application_of_somebody_else_shows_none(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    eve = await site.signed_in("eve")
    page = f"/applications/{client.id}"
    assert (await eve.sends("/applications", f"{page}/credentials")).status == 404
    assert (await eve.sends("/applications", f"{page}/rotate")).status == 404


@pytest.mark.parametrize("way", ["client_secret_basic", "client_secret_post"])
async def test_the_command_fetches_a_token_from_the_provider(site: Site, way: str) -> None:
    client, _ = await site.approved(Metadata(client_name="Shop", token_endpoint_auth_method=way))
    answer = await _reveals(site, client)
    assert "https://api.example.com/orders" in answer.text
    lines = _raw(answer, "command").partition("\ncurl -i")[0]
    token = await _run(f'{lines}\nprintf %s "$TOKEN"')
    assert await _is_active(site, token)


async def test_who_makes_no_new_secret_says_why_and_keeps_the_old_one(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    shown_before = await _reveals(site, client)
    page = f"/applications/{client.id}/rotate"
    answer = await (await site.signed_in("ada")).sends(page, page)
    assert answer.status == 409
    assert "kept the secret" in answer.text
    assert faults(answer.text) == []
    assert await _grants(site, _by_id(shown_before, "client-id"), _by_id(shown_before, "client-secret"))


async def test_a_page_of_credentials_obeys_the_rules(site: Site) -> None:
    client, _ = await site.approved(SHOP)
    assert faults((await _reveals(site, client)).text) == []


def _raw(answer: Answer, name: str) -> str:
    return unescape(answer.text.partition(f'id="{name}">')[2].partition("</code>")[0])


async def _run(lines: str) -> str:
    shell = await asyncio.create_subprocess_exec("/bin/sh", "-c", lines, stdout=asyncio.subprocess.PIPE)
    out, _ = await shell.communicate()
    assert shell.returncode == 0
    return out.decode()


async def _is_active(site: Site, token: str) -> bool:
    status, answer = await _asks_provider(site, "/introspect", GATEWAY, {"token": token})
    return status == 200 and answer["active"] is True


async def _grants(site: Site, client_id: str, secret: str) -> bool:
    status, _ = await _asks_provider(site, "/token", (client_id, secret), {"grant_type": "client_credentials"})
    return status == 200


async def _asks_provider(
    site: Site, path: str, client: tuple[str, str], form: dict[str, str]
) -> tuple[int, dict[str, object]]:
    headers = {"Authorization": aiohttp.encode_basic_auth(*client)}
    url = f"{site.idp.issuer}{path}"
    async with aiohttp.ClientSession() as session, session.post(url, data=form, headers=headers) as response:
        return response.status, await response.json()


async def test_credentials_that_cannot_be_shown_stay_unseen(tmp_path: Path) -> None:
    silent = asyncio.Event()

    async def hangs(_: str) -> str | None:
        await silent.wait()
        return None

    def impatient(parts: Parts) -> Parts:
        return replace(parts, token_endpoint=hangs, options=parts.options.model_copy(update={"timeout": 0.5}))

    async with running_site(tmp_path, change=impatient) as site:
        client, _ = await site.approved(SHOP)
        assert (await _reveals(site, client)).status == 503
        silent.set()
        assert (await _reveals(site, client)).status == 200
