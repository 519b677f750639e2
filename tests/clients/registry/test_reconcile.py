"""Our records and the providers': what is found, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.clients import Directory
from gateway.clients.client import OPERATOR, Client, ClientState
from gateway.clients.drift import Kind
from gateway.clients.life import State
from gateway.clients.options import Reconciling
from gateway.clients.registry import Registry
from gateway.demo.identity_provider import DemoProvider
from gateway.tasks import Tasks
from tests.clients.registry.faults import Faults, How
from tests.clients.registry.opened import ADA, SHOP, Opened, opened
from tests.clients.registry.strict import Strict, strict_provider
from tests.fakes import FakeClock

DAY = 86_400.0


@pytest.fixture
async def strict(clock: FakeClock, here: Opened) -> AsyncIterator[tuple[Strict, Registry]]:
    async with strict_provider(clock) as (server, registrar):
        registry = here.again(registrars={"idp": registrar})
        yield server, registry
        await registry.close()


@pytest.fixture
async def failing(tmp_path: Path, idp: DemoProvider, clock: FakeClock) -> AsyncIterator[tuple[Opened, Faults]]:
    faults = Faults()
    async with opened(tmp_path, idp, clock, fetch=faults.open_fetch) as here:
        yield here, faults


async def _mine(registry: Registry, name: str = "Shop") -> Client:
    agreement = await registry.ask(replace(SHOP, client_name=name), api="profile", accepted_terms=True, by=ADA)
    return await registry.client(agreement.client, by=ADA)


async def test_where_nothing_changed_nothing_is_found(here: Opened) -> None:
    await _mine(here.registry)
    assert await here.registry.reconcile(by=OPERATOR) == ()


async def test_a_client_that_is_gone_there_is_reported_and_with_repair_ended_here(here: Opened) -> None:
    client = await _mine(here.registry)
    here.idp.delete_client(str(client.client_id))
    (found,) = await here.registry.reconcile(by=OPERATOR)
    assert (found.kind, found.client, found.repaired) == (Kind.DELETED_THERE, client.id, False)
    assert here.contract(client, "profile") is not None
    (found,) = await here.registry.reconcile(by=OPERATOR, repair=True)
    assert found.repaired
    assert here.contract(client, "profile") is None
    assert (await here.registry.client(client.id, by=ADA)).state is ClientState.DELETED
    assert await here.registry.reconcile(by=OPERATOR) == ()


async def test_a_provider_that_knows_nobody_any_more_ends_nothing_by_itself(here: Opened) -> None:
    registry = here.made(here.store, here.registrars, None, Reconciling(repair=True))
    mine = [await _mine(registry, f"Shop {number}") for number in range(3)]
    kept = dict(here.idp.clients)
    for client in mine:
        here.idp.delete_client(str(client.client_id))
    found = await registry.reconcile_once()
    assert {(drift.kind, drift.repaired) for drift in found} == {(Kind.DELETED_THERE, False)}
    assert all(here.contract(client, "profile") is not None for client in mine)
    # One of them is there: then the others are gone indeed.
    here.idp.clients[str(mine[0].client_id)] = kept[str(mine[0].client_id)]
    here.clock.move(Reconciling().interval)
    found = await registry.reconcile_once()
    assert [(drift.client, drift.repaired) for drift in found] == [(client.id, True) for client in mine[1:]]
    await registry.close()


async def test_an_operator_says_that_all_are_gone(here: Opened) -> None:
    mine = [await _mine(here.registry, f"Shop {number}") for number in range(3)]
    for client in mine:
        here.idp.delete_client(str(client.client_id))
    found = await here.registry.reconcile(by=OPERATOR, repair=True)
    assert [drift.repaired for drift in found] == [True, True, True]


async def test_a_client_that_is_gone_there_is_registered_anew_where_that_is_wished(here: Opened) -> None:
    client = await _mine(here.registry)
    await here.registry.reveal(client.id, by=ADA)
    here.idp.delete_client(str(client.client_id))
    registry = here.made(here.store, here.registrars, None, Reconciling(deleted_there="register"))
    (found,) = await registry.reconcile(by=OPERATOR, repair=True)
    assert found.repaired
    again = await registry.client(client.id, by=ADA)
    assert again.client_id != client.client_id
    assert here.contract(client, "profile") is None
    assert here.contract(again, "profile") is not None
    assert (await registry.reveal(client.id, by=ADA)).client_id == again.client_id
    await registry.close()


@pytest.mark.parametrize(("whose", "name"), [("ours", "Shop"), ("theirs", "Mall")])
async def test_a_client_that_was_changed_there_is_put_right_as_wished(here: Opened, whose: str, name: str) -> None:
    client = await _mine(here.registry)
    there = here.idp.clients[str(client.client_id)]
    changed = there.metadata.model_copy(update={"client_name": "Mall"})
    here.idp.clients[there.client_id] = replace(there, metadata=changed)
    (found,) = await here.registry.reconcile(by=OPERATOR)
    assert (found.kind, found.detail) == (Kind.CHANGED_THERE, "client_name")
    registry = here.made(here.store, here.registrars, None, Reconciling(changed_there=whose))  # type: ignore[arg-type]  # one of the two
    (found,) = await registry.reconcile(by=OPERATOR, repair=True)
    assert found.repaired
    assert here.idp.clients[there.client_id].metadata.client_name == name
    assert (await registry.client(client.id, by=ADA)).metadata.client_name == name
    assert await registry.reconcile(by=OPERATOR) == ()
    await registry.close()


async def test_a_token_that_changes_with_every_reading_is_kept(strict: tuple[Strict, Registry]) -> None:
    server, registry = strict
    client = await _mine(registry)
    for _ in range(3):
        assert await registry.reconcile(by=OPERATOR) == ()
    await registry.delete(client.id, by=ADA)
    assert server.clients == {}


async def test_a_secret_that_was_changed_there_is_taken_over(strict: tuple[Strict, Registry]) -> None:
    server, registry = strict
    client = await _mine(registry)
    server.clients[str(client.client_id)]["client_secret"] = "changed-by-hand"
    (found,) = await registry.reconcile(by=OPERATOR, repair=True)
    assert (found.kind, found.detail, found.repaired) == (Kind.CHANGED_THERE, "client_secret", True)
    shown = await registry.reveal(client.id, by=ADA)
    assert shown.client_secret is not None
    assert shown.client_secret.get_secret_value() == "changed-by-hand"


async def test_the_owner_of_a_secret_that_expires_is_told_once_and_it_stays(
    strict: tuple[Strict, Registry], here: Opened, clock: FakeClock
) -> None:
    server, registry = strict
    server.expires_at = int(clock.time() + 15 * DAY)
    client = await _mine(registry)
    assert await registry.reconcile(by=OPERATOR, repair=True) == ()
    clock.move(1 * DAY)
    secret = server.clients[str(client.client_id)]["client_secret"]
    here.notices.clear()
    for _ in range(2):
        (found,) = await registry.reconcile(by=OPERATOR, repair=True)
        assert (found.kind, found.repaired) == (Kind.SECRET_EXPIRES, False)
    assert [notice.verb for notice in here.notices] == ["client.secret_expires"]
    assert server.clients[str(client.client_id)]["client_secret"] == secret


async def test_a_secret_that_has_expired_is_replaced_and_can_be_seen(
    strict: tuple[Strict, Registry], here: Opened, clock: FakeClock
) -> None:
    server, registry = strict
    server.expires_at = int(clock.time() + DAY)
    client = await _mine(registry)
    await registry.reveal(client.id, by=ADA)
    clock.move(DAY)
    server.expires_at = 0
    (found,) = await registry.reconcile(by=OPERATOR, repair=True)
    assert (found.kind, found.repaired) == (Kind.SECRET_EXPIRES, True)
    assert here.notices[-1].verb == "client.secret_replaced"
    shown = await registry.reveal(client.id, by=ADA)
    assert shown.client_secret is not None
    assert shown.client_secret.get_secret_value() == server.clients[shown.client_id]["client_secret"]
    assert await registry.reconcile(by=OPERATOR) == ()


async def test_what_was_deleted_here_is_deleted_there_as_soon_as_that_can_be(
    failing: tuple[Opened, Faults],
) -> None:
    here, faults = failing
    client = await _mine(here.registry)
    faults.at, faults.how = 1, How.PROVIDER_DOWN
    assert (await here.registry.delete(client.id, by=ADA)).manageable
    assert Directory(register=here.register).is_blocked("idp", str(client.client_id))
    (found,) = await here.registry.reconcile(by=OPERATOR)
    assert (found.kind, found.repaired) == (Kind.ORPHANED, False)
    faults.heal()
    (found,) = await here.registry.reconcile(by=OPERATOR, repair=False)
    assert (found.kind, found.repaired) == (Kind.ORPHANED, True)
    assert here.at_provider() == set()
    assert await here.registry.reconcile(by=OPERATOR) == ()


async def test_a_provider_that_is_silent_is_not_asked_about_every_client(failing: tuple[Opened, Faults]) -> None:
    here, faults = failing
    for number in range(6):
        await here.registry.register(replace(SHOP, client_name=f"Shop {number}"), "idp", by=OPERATOR)
    faults.at, faults.how = 1, How.PROVIDER_DOWN
    found = await here.registry.reconcile(by=OPERATOR, repair=True)
    assert [drift.kind for drift in found] == [Kind.UNREACHABLE] * 3
    faults.heal()
    assert await here.registry.reconcile(by=OPERATOR) == ()


async def test_of_several_nodes_one_compares_in_each_interval(here: Opened) -> None:
    client = await _mine(here.registry)
    here.idp.delete_client(str(client.client_id))
    another = here.again()
    found = await asyncio.gather(here.registry.reconcile_once(), another.reconcile_once())
    assert sorted(len(each) for each in found) == [0, 1]
    here.clock.move(Reconciling().interval)
    assert len(await another.reconcile_once()) == 1
    await another.close()


async def test_a_request_that_waited_for_its_provider_is_granted_in_the_background(
    failing: tuple[Opened, Faults],
) -> None:
    here, faults = failing
    faults.at, faults.how = 1, How.PROVIDER_DOWN
    waiting = await here.registry.ask(SHOP, api="profile", accepted_terms=True, by=ADA)
    assert waiting.state is State.REQUESTED
    faults.heal()
    await here.registry.reconcile_once()
    assert (await here.registry.agreement(waiting.id, by=ADA)).state is State.ACTIVE
    assert len(here.at_provider()) == 1


async def test_the_comparison_in_the_background_repairs_where_that_is_wished(here: Opened) -> None:
    client = await _mine(here.registry)
    here.idp.delete_client(str(client.client_id))
    ended = asyncio.Event()
    options = Reconciling(interval=0.01, repair=True)
    registry = here.made(here.store, here.registrars, None, options)
    here.told = ended.set
    tasks = Tasks()
    tasks.start(registry.run_reconcile())
    async with asyncio.timeout(5):
        await ended.wait()
    await tasks.close()
    await registry.close()
    assert here.contract(client, "profile") is None
