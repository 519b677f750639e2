"""Two people do something to one contract or application at the same time: nobody gets what nobody granted."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast

import pytest

from gateway.clients import ClientKey
from gateway.clients.client import OPERATOR, Agreement, ClientState
from gateway.clients.life import State
from gateway.clients.mistakes import Conflict
from gateway.clients.registry import Registry
from gateway.clients.store.store import Store
from gateway.policy import Unavailable
from tests.clients.registry.between import Between
from tests.clients.registry.opened import ADA, CATALOGUE, OWNER, SHOP, Opened


def _interrupted(here: Opened, step: str, meanwhile: Callable[[], Awaitable[object]]) -> Registry:
    """The registry of a process, while another process does something before that step of the store."""
    return here.again(cast(Store, Between(here.store, step, meanwhile)))


async def _asked(here: Opened) -> Agreement:
    return await here.registry.ask(SHOP, api="orders", tier="gold", accepted_terms=True, by=ADA)


async def _now(here: Opened, agreement: Agreement) -> Agreement:
    return await here.registry.agreement(agreement.id, by=OPERATOR)


async def test_a_request_that_asks_for_more_while_it_is_granted_by_itself_waits_for_a_decision(here: Opened) -> None:
    async def more() -> None:
        (asked,) = (await here.store.agreements()).items
        await here.registry.change_tier(asked.id, "gold", by=ADA)

    # The lease comes after the request is kept, and before it is granted.
    registry = _interrupted(here, "used_once", more)
    asked = await registry.ask(SHOP, api="orders", tier="tin", accepted_terms=True, by=ADA)
    assert (asked.state, asked.tier) == (State.REQUESTED, "gold")
    assert here.at_provider() == set()


async def test_a_tier_that_an_owner_took_away_does_not_come_back_by_a_wish_at_the_same_time(here: Opened) -> None:
    active = await here.registry.approve((await _asked(here)).id, by=OWNER)
    registry = _interrupted(here, "begin", lambda: here.registry.change_tier(active.id, "tin", by=OWNER))
    changed = await registry.change_tier(active.id, "gold", by=ADA)
    assert (changed.tier, changed.asked_tier) == ("tin", "gold")
    assert await _now(here, active) == changed


async def test_a_contract_that_is_revoked_while_its_tier_changes_is_restored_with_the_newer_tier(here: Opened) -> None:
    active = await here.registry.approve((await _asked(here)).id, by=OWNER)
    registry = _interrupted(here, "begin", lambda: here.registry.change_tier(active.id, "tin", by=OWNER))
    revoked = await registry.revoke(active.id, by=OWNER, reason="Too loud.")
    assert (revoked.state, revoked.tier) == (State.REVOKED, "tin")
    assert (await here.registry.restore(active.id, by=OWNER)).tier == "tin"


async def test_a_request_that_was_decided_meanwhile_is_not_decided_again(here: Opened) -> None:
    asked = await _asked(here)
    registry = _interrupted(here, "begin", lambda: here.registry.approve(asked.id, by=OWNER))
    with pytest.raises(Conflict) as refusal:
        await registry.refuse(asked.id, by=OWNER, reason="No.")
    assert refusal.value.code == "changed_meanwhile"
    assert (await _now(here, asked)).state is State.ACTIVE


@pytest.mark.parametrize("step", ["revoke", "delete"])
async def test_what_ends_is_not_called_done_before_every_worker_knows(here: Opened, step: str) -> None:
    knows = False

    async def spread(_: ClientKey) -> bool:
        return knows

    active = await here.registry.approve((await _asked(here)).id, by=OWNER)
    registry = Registry(here.store, here.registrars, CATALOGUE, here.clock, spread, here.notices.append)
    named = active.id if step == "revoke" else active.client
    for _ in range(2):
        with pytest.raises(Unavailable) as failure:
            await getattr(registry, step)(named, by=OWNER, reason="Too loud.")
        assert failure.value.code == "contracts_not_everywhere"
    assert (await _now(here, active)).state is State.REVOKED
    knows = True
    if step == "delete":
        assert (await registry.delete(active.client, by=OWNER)).state is ClientState.DELETED
        assert here.at_provider() == set()
    else:
        with pytest.raises(Conflict):
            await registry.revoke(active.id, by=OWNER, reason="Too loud.")
    await registry.close()


async def test_a_name_that_is_taken_is_told_before_the_provider_hears_of_it(here: Opened) -> None:
    active = await here.registry.ask(SHOP, api="profile", accepted_terms=True, by=ADA)
    mall = replace(SHOP, client_name="Mall")
    await here.registry.ask(mall, api="profile", accepted_terms=True, by=ADA)
    client = await here.registry.client(active.client, by=ADA)
    with pytest.raises(Conflict) as refusal:
        await here.registry.edit(client.id, replace(mall, scopes=client.metadata.scopes), by=ADA)
    assert refusal.value.code == "name_taken"
    assert here.idp.clients[str(client.client_id)].metadata.client_name == "Shop"
    assert await here.registry.reconcile(by=OPERATOR) == ()
