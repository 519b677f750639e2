"""What fails half-way: nothing is left over at the provider that nobody knows of, and whoever tries again succeeds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from gateway.clients.client import OPERATOR, ClientState
from gateway.clients.drift import Kind
from gateway.clients.life import State
from gateway.clients.mistakes import Conflict, Refusal
from gateway.clients.office import LEASED_FOR
from gateway.clients.registry import Registry
from gateway.clients.store.store import Store
from gateway.demo.identity_provider import DemoProvider
from gateway.policy import Unavailable
from gateway.providers.registration import Registration
from tests.clients.registry.faults import CRASHES, Crash, Faults, FaultyStore, How
from tests.clients.registry.opened import ADA, OWNER, SHOP, Opened, opened
from tests.fakes import FakeClock

MANY = 80
"""More steps than anything takes: a test that reaches it without a fault is done."""
SHOP_WITH_A_PAGE = replace(SHOP, client_uri="https://shop.example.com/")
FAILURES = tuple(how for how in How if how not in CRASHES)


@asynccontextmanager
async def _faulty(
    folder: Path, idp: DemoProvider, clock: FakeClock, registration: Registration | None = None
) -> AsyncIterator[tuple[Opened, Faults]]:
    faults = Faults()
    folder.mkdir()
    async with opened(folder, idp, clock, registration=registration, fetch=faults.open_fetch) as here:
        await here.registry.close()
        here.registry = here.again(cast(Store, FaultyStore(here.store, faults)))
        faults.steps = 0
        yield here, faults


async def _tries(work: object) -> bool:
    """Whether it worked."""
    try:
        await work  # type: ignore[misc]  # a coroutine
    except (Unavailable, Refusal):
        return False
    return True


async def _agree(here: Opened) -> None:
    """The store and the provider know the same clients, except one that the audit log tells of."""
    known = {client.client_id for client in (await here.store.clients(state=ClientState.REGISTERED)).items}
    strangers = here.at_provider() - known
    assert known <= here.at_provider()
    unanswered = (await here.verbs()).count("client.registration_unanswered")
    assert len(strangers) <= unanswered


async def _approves(here: Opened, asked: str) -> None:
    """Whoever tries again succeeds, or is told that it was done."""
    if not await _tries(here.registry.approve(asked, by=OWNER)):
        agreement = await here.store.agreement(asked)
        assert agreement is not None
        assert agreement.state is State.ACTIVE


@pytest.mark.case("C303")
@pytest.mark.parametrize("how", FAILURES)
async def test_an_approval_that_fails_at_any_step_can_be_repeated(
    how: How, tmp_path: Path, idp: DemoProvider, clock: FakeClock
) -> None:
    for at in range(1, MANY):
        async with _faulty(tmp_path / str(at), idp, clock) as (here, faults):
            asked = await here.registry.ask(SHOP, api="orders", tier="gold", accepted_terms=True, by=ADA)
            faults.steps, faults.at, faults.how = 0, at, how
            await _tries(here.registry.approve(asked.id, by=OWNER))
            happened = faults.happened
            faults.heal()
            await _approves(here, asked.id)
            await here.registry.reconcile(by=OPERATOR, repair=True)
            client = await here.store.client(asked.client)
            assert client is not None
            assert client.state is ClientState.REGISTERED
            await _agree(here)
            for left in here.at_provider():
                idp.delete_client(left)
            await here.registry.close()
        if not happened:
            return
    pytest.fail("no end of steps")


@pytest.mark.case("C303")
@pytest.mark.parametrize("how", CRASHES)
async def test_a_process_that_ends_at_any_step_of_an_approval_leaves_what_reconciling_finds(
    how: How, tmp_path: Path, idp: DemoProvider, clock: FakeClock
) -> None:
    for at in range(1, MANY):
        async with _faulty(tmp_path / str(at), idp, clock) as (here, faults):
            asked = await here.registry.ask(SHOP, api="orders", tier="gold", accepted_terms=True, by=ADA)
            faults.steps, faults.at, faults.how = 0, at, how
            with pytest.raises(Crash):
                await _until_the_end(here.registry, asked.id, faults)
            happened = faults.happened
            faults.heal()
            clock.move(LEASED_FOR + 1)
            after = here.again()
            known = {client.client_id for client in (await here.store.clients()).items}
            found = await after.reconcile(by=OPERATOR, repair=True)
            if here.at_provider() - known:
                assert [drift.kind for drift in found] == [Kind.ORPHANED]
            here.registry = after
            await _approves(here, asked.id)
            client = await here.store.client(asked.client)
            assert client is not None
            assert client.state is ClientState.REGISTERED
            assert client.client_id in here.at_provider()
            assert await after.reconcile(by=OPERATOR) == ()
            for left in here.at_provider():
                idp.delete_client(left)
            await after.close()
        if not happened:
            return
    pytest.fail("no end of steps")


async def _until_the_end(registry: Registry, asked: str, faults: Faults) -> None:
    await registry.approve(asked, by=OWNER)
    assert not faults.happened
    raise Crash


@pytest.mark.case("C303")
@pytest.mark.parametrize("how", [How.NOT_DONE, How.STORE_DOWN])
async def test_an_operators_registration_that_fails_at_any_step_goes_on_where_it_failed(
    how: How, tmp_path: Path, idp: DemoProvider, clock: FakeClock
) -> None:
    for at in range(1, MANY):
        async with _faulty(tmp_path / str(at), idp, clock) as (here, faults):
            faults.at, faults.how = at, how
            done = await _tries(here.registry.register(SHOP, "idp", by=OPERATOR, apis=[("orders", "gold")]))
            happened = faults.happened
            faults.heal()
            if not done:
                await _tries(here.registry.register(SHOP, "idp", by=OPERATOR, apis=[("orders", "gold")]))
            clients = (await here.store.clients()).items
            assert [client.state for client in clients] == [ClientState.REGISTERED]
            await _agree(here)
            for left in here.at_provider():
                idp.delete_client(left)
            await here.registry.close()
        if not happened:
            return
    pytest.fail("no end of steps")


@pytest.mark.parametrize("how", [How.NOT_DONE, How.STORE_DOWN])
async def test_a_rotation_that_the_store_fails_to_keep_is_kept_later(
    how: How, tmp_path: Path, idp: DemoProvider, clock: FakeClock
) -> None:
    for at in range(1, MANY):
        async with _faulty(tmp_path / str(at), idp, clock) as (here, faults):
            client, _ = await here.registry.register(SHOP, "idp", by=OPERATOR)
            faults.steps, faults.at, faults.how = 0, at, how
            await _tries(here.registry.edit(client.id, SHOP_WITH_A_PAGE, by=OPERATOR))
            happened = faults.happened
            faults.heal()
            await here.registry.reconcile(by=OPERATOR, repair=True)
            kept = await here.store.registered(client.id)
            there = idp.clients[str(client.client_id)]
            assert kept is not None
            assert kept.reply.get("client_uri") == there.metadata.client_uri
            idp.delete_client(str(client.client_id))
            await here.registry.close()
        if not happened:
            return
    pytest.fail("no end of steps")


@pytest.mark.case("C303")
async def test_what_can_be_neither_kept_nor_deleted_is_used_by_the_next_try(
    tmp_path: Path, idp: DemoProvider, clock: FakeClock
) -> None:
    async with _faulty(tmp_path / "it", idp, clock, Registration(delete=False)) as (here, faults):
        asked = await here.registry.ask(SHOP, api="orders", tier="gold", accepted_terms=True, by=ADA)
        faults.after, faults.how = "POST", How.STORE_DOWN
        assert not await _tries(here.registry.approve(asked.id, by=OWNER))
        (left,) = here.at_provider()
        faults.heal()
        await here.registry.approve(asked.id, by=OWNER)
        client = await here.store.client(asked.client)
        assert client is not None
        assert client.client_id == left
        assert here.at_provider() == {left}


@pytest.mark.case("C303")
async def test_what_cannot_be_kept_is_deleted_at_the_provider(
    tmp_path: Path, idp: DemoProvider, clock: FakeClock
) -> None:
    async with _faulty(tmp_path / "it", idp, clock) as (here, faults):
        asked = await here.registry.ask(SHOP, api="orders", tier="gold", accepted_terms=True, by=ADA)
        faults.after, faults.how = "POST", How.STORE_DOWN
        assert not await _tries(here.registry.approve(asked.id, by=OWNER))
        assert here.at_provider() == set()


@pytest.mark.case("C303")
async def test_two_approvals_at_once_register_once(here: Opened) -> None:
    asked = await here.registry.ask(SHOP, api="orders", tier="gold", accepted_terms=True, by=ADA)
    another = here.again()
    outcomes = await asyncio.gather(
        here.registry.approve(asked.id, by=OWNER),
        here.registry.approve(asked.id, by=OWNER),
        another.approve(asked.id, by=OWNER),
        return_exceptions=True,
    )
    assert len(here.at_provider()) == 1
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    codes = {outcome.code for outcome in outcomes if isinstance(outcome, Conflict)}
    assert codes <= {"not_possible", "busy", "changed_meanwhile"}
    await another.close()


async def test_an_approval_goes_on_when_whoever_asked_for_it_leaves(here: Opened) -> None:
    asked = await here.registry.ask(SHOP, api="orders", tier="gold", accepted_terms=True, by=ADA)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await here.registry.approve(asked.id, by=OWNER)
    approving = asyncio.ensure_future(here.registry.approve(asked.id, by=OWNER))
    await asyncio.sleep(0)
    approving.cancel()
    await here.registry.close()
    found = await here.store.agreement(asked.id)
    assert found is not None
    assert (found.state is State.ACTIVE) == bool(here.at_provider())
