"""What operators do by the API, on a gateway that is served, and what callers notice of it at once."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from tests.clients.registry.strict import strict_provider
from tests.fakes import FakeClock
from tests.gateways import Caller, Operator, calling, program, served
from tests.managed import METADATA, Clerk, managed, registering_at
from tests.servers import recording_upstream

NOBODY_THERE = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class World:
    """A gateway, its provider, and those who use both."""

    idp: DemoProvider
    caller: Caller
    operator: Operator
    clerk: Clerk

    async def calls(self, client_id: str) -> int:
        """The status that this client gets for orders."""
        return await self.caller.get("/orders", self.idp.issue(client_id, "orders.read"))


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    async with (
        run_identity_provider() as idp,
        recording_upstream() as upstream,
        served(managed(idp.issuer, upstream.url, folder)) as it,
    ):
        yield World(idp, it.caller, it.operator, Clerk(it.operator))


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as it:
        yield it


async def only_contract(clerk: Clerk) -> Any:
    (contract,) = (await clerk.says("GET", "/contracts"))["items"]
    return contract


# Applications


async def test_an_application_is_registered_with_its_contracts_in_force(it: World) -> None:
    said = await it.clerk.registers(owner={"provider": "idp", "subject": "ada"})
    client = said["client"]
    assert (client["state"], client["owner"]["subject"]) == ("registered", "ada")
    assert said["credentials"]["client_id"] == client["client_id"]
    assert it.idp.clients[client["client_id"]].client_secret == said["credentials"]["client_secret"]
    assert await it.calls(client["client_id"]) == 200
    assert (await only_contract(it.clerk))["tier"] == "gold"


async def test_what_was_made_can_be_read_where_the_answer_says(it: World) -> None:
    answer = await it.clerk("POST", "/clients", {"provider": "idp", "metadata": METADATA})
    assert answer.status == 201
    client = json.loads(answer.text)["client"]
    assert answer.headers["Location"] == f"/api/v1/clients/{client['id']}"
    assert await it.clerk.says("GET", f"/clients/{client['id']}") == client


@pytest.mark.case("C296")
async def test_a_secret_is_in_the_answer_that_makes_it_and_in_no_other(it: World) -> None:
    answer = await it.clerk("POST", "/clients", {"provider": "idp", "metadata": METADATA})
    said = json.loads(answer.text)
    secret, id_ = said["credentials"]["client_secret"], said["client"]["id"]
    assert answer.headers["Cache-Control"] == "no-store"
    for path in ("/clients", f"/clients/{id_}", "/audit", "/contracts"):
        assert secret not in (await it.clerk("GET", path)).text
    assert secret not in await it.operator.page("/metrics")
    again = await it.clerk("POST", f"/clients/{id_}/reveal")
    assert (again.status, again.code) == (409, "shown_already")


@pytest.mark.case("C296")
async def test_a_new_secret_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    async with strict_provider(FakeClock()) as (provider, _):
        config = registering_at(managed(provider.url, "http://127.0.0.1:9", tmp_path), f"{provider.url}/register")
        async with served(config) as it:
            clerk = Clerk(it.operator)
            said = await clerk.registers()
            answer = await clerk("POST", f"/clients/{said['client']['id']}/rotate")
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
            new = json.loads(answer.text)
            assert new["client_secret"] != said["credentials"]["client_secret"]
            assert new["client_secret"] == provider.clients[new["client_id"]]["client_secret"]
            assert (await clerk("POST", f"/clients/{said['client']['id']}/end-overlap")).status == 204


async def test_where_a_provider_makes_no_new_secret_the_answer_says_so(it: World) -> None:
    said = await it.clerk.registers()
    answer = await it.clerk("POST", f"/clients/{said['client']['id']}/rotate")
    assert (answer.status, answer.code) == (409, "cannot_rotate")


async def test_what_a_change_does_not_name_stays_as_it_is(it: World) -> None:
    id_ = (await it.clerk.registers(metadata=METADATA | {"contacts": ["ada@example.com"]}))["client"]["id"]
    changed = await it.clerk.says("PATCH", f"/clients/{id_}", {"client_name": "Market"})
    assert (changed["metadata"]["client_name"], changed["metadata"]["contacts"]) == ("Market", ["ada@example.com"])
    changed = await it.clerk.says("PATCH", f"/clients/{id_}", {"contacts": None})
    assert changed["metadata"]["contacts"] == []
    assert it.idp.clients[changed["client_id"]].metadata.client_name == "Market"


async def test_a_deleted_application_gets_nothing_any_more(it: World) -> None:
    client = (await it.clerk.registers())["client"]
    assert await it.calls(client["client_id"]) == 200
    deleted = await it.clerk.says("DELETE", f"/clients/{client['id']}?reason=gone")
    assert deleted["state"] == "deleted"
    assert client["client_id"] not in it.idp.clients
    assert await it.calls(client["client_id"]) == 401


async def test_a_client_that_is_there_is_adopted_and_may_then_be_asked_access_for(it: World) -> None:
    it.idp.add_client("legacy", "of-the-legacy", scope="orders.read")
    adopted = await it.clerk.says("POST", "/clients/adopt", {"provider": "idp", "client_id": "legacy"}, 201)
    assert await it.calls("legacy") == 403
    asked = {"client": adopted["id"], "api": "orders", "tier": "tin", "accepted_terms": True}
    contract = await it.clerk.says("POST", "/contracts", asked, 201)
    assert contract["state"] == "requested"
    await it.clerk.says("POST", f"/contracts/{contract['id']}/approve")
    assert await it.calls("legacy") == 200


async def test_lists_come_in_pages_that_lead_to_one_another(it: World) -> None:
    for name in ("Anvil", "Barrel", "Crate"):
        await it.clerk.registers(name)
    seen, place = [], ""
    while place is not None:
        page = await it.clerk.says("GET", f"/clients?limit=1&after={place}")
        seen += [client["metadata"]["client_name"] for client in page["items"]]
        place = page["next"]
    assert seen == ["Anvil", "Barrel", "Crate"]
    assert [
        each["metadata"]["client_name"] for each in (await it.clerk.says("GET", "/clients?search=arr"))["items"]
    ] == ["Barrel"]


# Contracts


async def test_a_contract_goes_through_its_life_and_callers_notice_each_step_at_once(it: World) -> None:
    client = (await it.clerk.registers())["client"]["client_id"]
    id_ = (await only_contract(it.clerk))["id"]
    revoked = await it.clerk.says("POST", f"/contracts/{id_}/revoke", {"reason": "Unpaid."})
    assert (revoked["state"], revoked["decision_reason"], revoked["decided_by"]) == ("revoked", "Unpaid.", "operator")
    assert await it.calls(client) == 403
    again = await it.clerk("POST", f"/contracts/{id_}/revoke", {"reason": "Unpaid."})
    assert (again.status, again.code) == (409, "not_possible")
    await it.clerk.says("POST", f"/contracts/{id_}/restore")
    assert await it.calls(client) == 200
    assert (await it.clerk.says("POST", f"/contracts/{id_}/tier", {"tier": "tin"}))["tier"] == "tin"
    verbs = [entry["verb"] for entry in (await it.clerk.says("GET", f"/audit?contract={id_}"))["items"]]
    assert verbs == ["contract.tier_changed", "contract.restored", "contract.revoked", "contract.approved"]


async def test_a_request_is_refused_with_a_reason(it: World) -> None:
    id_ = (await it.clerk.registers(apis=[]))["client"]["id"]
    asked = {"client": id_, "api": "orders", "tier": "tin", "accepted_terms": True, "reason": "We sell."}
    contract = await it.clerk.says("POST", "/contracts", asked, 201)
    without = await it.clerk("POST", f"/contracts/{contract['id']}/refuse", {})
    assert (without.status, without.code) == (400, "body_invalid")
    assert (await it.clerk.says("POST", f"/contracts/{contract['id']}/refuse", {"reason": "No."}))["state"] == "refused"


@pytest.mark.parametrize("workers", [1, 2])
async def test_every_worker_knows_of_a_revocation_before_it_is_answered(workers: int, tmp_path: Path) -> None:
    async with run_identity_provider() as idp, recording_upstream() as upstream:
        config = managed(idp.issuer, upstream.url, tmp_path, workers=workers)
        async with program(config, tmp_path) as it:
            clerk = Clerk(it.operator)
            token = idp.issue((await clerk.registers())["client"]["client_id"], "orders.read")
            assert {await fresh(it.caller.port, token) for _ in range(8)} == {200}
            id_ = (await only_contract(clerk))["id"]
            await clerk.says("POST", f"/contracts/{id_}/revoke", {"reason": "Unpaid."})
            assert {await fresh(it.caller.port, token) for _ in range(8)} == {403}


async def fresh(port: int, token: str) -> int:
    """The answer on a connection of its own, which any worker may take."""
    async with calling(port) as caller:
        return await caller.get("/orders", token)


# All of it


async def test_what_an_application_calls_is_shown_by_the_hour(it: World) -> None:
    client = (await it.clerk.registers())["client"]
    assert (await it.clerk.says("GET", f"/usage?client={client['id']}&hours=1"))["items"] == []
    missing = await it.clerk("GET", f"/usage?client={NOBODY_THERE}")
    assert (missing.status, missing.code) == (404, "not_found")


async def test_the_catalogue_is_what_may_be_asked_for(it: World) -> None:
    (api,) = (await it.clerk.says("GET", "/apis"))["items"]
    assert (api["name"], api["scopes"], api["terms"]) == ("orders", ["orders.read"], "Be kind.")
    assert [tier["name"] for tier in api["tiers"]] == ["gold", "tin"]


async def test_reconciling_finds_what_its_provider_lost_and_repairs_it_where_that_is_asked_for(it: World) -> None:
    client = (await it.clerk.registers())["client"]
    assert (await it.clerk.says("POST", "/reconcile"))["items"] == []
    it.idp.delete_client(client["client_id"])
    (drift,) = (await it.clerk.says("POST", "/reconcile", {"provider": "idp"}))["items"]
    assert (drift["client"], drift["kind"], drift["repaired"]) == (client["id"], "deleted_there", False)
    (drift,) = (await it.clerk.says("POST", "/reconcile", {"repair": True}))["items"]
    assert drift["repaired"] is True


# What is wrong with what was sent


@pytest.mark.case("C294")
@pytest.mark.parametrize("member", ["client_id", "client_secret", "jwks_uri", "software_id", "owner"])
async def test_a_member_that_nobody_may_choose_is_refused_and_named(member: str, it: World) -> None:
    answer = await it.clerk("POST", "/clients", {"provider": "idp", "metadata": METADATA | {member: "mine-alone"}})
    assert (answer.status, answer.code) == (400, "body_invalid")
    assert f"metadata.{member}: is not known here" in answer.text
    assert "mine-alone" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/clients", [1]),
        ("POST", "/clients", {"provider": "idp", "metadata": {"client_name": 7}}),
        ("POST", "/reconcile", {"repair": "yes"}),
        ("GET", "/clients?limit=0", None),
        ("GET", "/clients?limit=1&limit=2", None),
        ("GET", "/clients?colour=red", None),
        ("GET", "/clients?after=!", None),
        ("GET", "/usage", None),
    ],
)
async def test_what_does_not_fit_is_refused(method: str, path: str, body: object, it: World) -> None:
    answer = await it.clerk(method, path, body)
    assert (answer.status, answer.code) == (400, "body_invalid")
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_body_that_is_no_json_is_refused_without_being_repeated(it: World) -> None:
    answer = await it.operator.ask(
        "POST", "/api/v1/clients/adopt", headers={"X-Requested-With": "tokenward"}, data='{"client_secret": "s3cret'
    )
    assert (answer.status, answer.code) == (400, "body_invalid")
    assert "s3cret" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", f"/clients/{NOBODY_THERE}"), ("GET", "/clients/7"), ("GET", f"/contracts/{NOBODY_THERE}"), ("GET", "/x")],
)
async def test_what_is_not_there_is_not_found(method: str, path: str, it: World) -> None:
    answer = await it.clerk(method, path)
    assert (answer.status, answer.code) == (404, "not_found")


async def test_a_provider_that_registers_nobody_is_not_found(it: World) -> None:
    answer = await it.clerk("POST", "/reconcile", {"provider": "ipd"})
    assert (answer.status, answer.code) == (404, "not_found")


async def test_while_its_provider_is_away_an_application_is_registered_later(tmp_path: Path) -> None:
    async with served(managed("http://127.0.0.1:9", "http://127.0.0.1:9", tmp_path)) as it:
        answer = await Clerk(it.operator)("POST", "/clients", {"provider": "idp", "metadata": METADATA})
        assert (answer.status, answer.code) == (503, "provider_metadata")
        assert int(answer.headers["Retry-After"]) > 0
