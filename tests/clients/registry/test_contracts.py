"""Asking for access, and what is decided about it."""

import asyncio
from dataclasses import replace

import pytest

from gateway.clients.client import OPERATOR, Agreement, Client, ClientState
from gateway.clients.life import State
from gateway.clients.mistakes import Conflict, Invalid, NotAllowed, NotFound, TooMany
from gateway.clients.options import RegistryOptions
from tests.clients.registry.opened import ADA, BOB, OWNER, SHOP, Opened


async def _asked(here: Opened, api: str = "orders", tier: str | None = "gold") -> Agreement:
    return await here.registry.ask(SHOP, api=api, tier=tier, accepted_terms=True, reason="We sell.", by=ADA)


async def _client(here: Opened, agreement: Agreement) -> Client:
    return await here.registry.client(agreement.client, by=OPERATOR)


async def test_a_request_registers_nothing_at_the_provider(here: Opened) -> None:
    asked = await _asked(here)
    assert (asked.state, asked.tier, asked.reason) == (State.REQUESTED, "gold", "We sell.")
    assert (await _client(here, asked)).state is ClientState.DRAFT
    assert here.at_provider() == set()


async def test_an_approval_registers_the_application_and_is_in_force_at_once(here: Opened) -> None:
    asked = await _asked(here)
    active = await here.registry.approve(asked.id, by=OWNER, reason="Fine.")
    client = await _client(here, asked)
    contract = here.contract(client, "orders")
    assert contract is not None
    assert contract.tier == "gold"
    assert here.at_provider() == {client.client_id}
    assert (active.state, active.decided_by, active.decision_reason) == (State.ACTIVE, "idp:olga", "Fine.")


async def test_an_approval_may_give_another_tier(here: Opened) -> None:
    active = await here.registry.approve((await _asked(here)).id, by=OWNER, tier="tin")
    assert (active.tier, active.asked_tier) == ("tin", None)
    assert (await here.registry.agreements(by=OWNER, waiting=True)).items == ()


async def test_a_tier_that_nobody_decides_about_is_granted_in_the_same_breath(here: Opened) -> None:
    active = await _asked(here, tier="tin")
    assert (active.state, active.decided_by) == (State.ACTIVE, "gateway")
    assert here.contract(await _client(here, active), "orders") is not None


async def test_a_revoked_contract_counts_no_more_and_a_restored_one_does_for_the_same_client(here: Opened) -> None:
    active = await _asked(here, tier="tin")
    client = await _client(here, active)
    await here.registry.revoke(active.id, by=OWNER, reason="Too loud.")
    assert here.contract(client, "orders") is None
    await here.registry.restore(active.id, by=OWNER)
    assert here.contract(client, "orders") is not None
    assert here.at_provider() == {client.client_id}


async def test_a_refused_request_may_be_made_again(here: Opened) -> None:
    first = await _asked(here)
    await here.registry.refuse(first.id, by=OWNER, reason="Why?")
    second = await here.registry.ask(first.client, api="orders", tier="gold", accepted_terms=True, by=ADA)
    assert (second.client, second.state) == (first.client, State.REQUESTED)


async def test_a_second_request_for_the_same_api_is_refused(here: Opened) -> None:
    first = await _asked(here)
    with pytest.raises(Conflict, match="before"):
        await here.registry.ask(first.client, api="orders", tier="gold", accepted_terms=True, by=ADA)


@pytest.mark.parametrize("step", ["approve", "restore"])
async def test_what_the_life_of_a_contract_does_not_know_is_not_possible(here: Opened, step: str) -> None:
    active = await _asked(here, tier="tin")
    with pytest.raises(Conflict) as refusal:
        await getattr(here.registry, step)(active.id, by=OWNER)
    assert refusal.value.code == "not_possible"


@pytest.mark.parametrize("step", ["approve", "refuse", "revoke", "restore"])
async def test_only_who_decides_decides(here: Opened, step: str) -> None:
    asked = await _asked(here)
    with pytest.raises(NotAllowed):
        await getattr(here.registry, step)(asked.id, by=ADA, reason="I like it.")


async def test_what_is_somebody_elses_does_not_exist(here: Opened) -> None:
    asked = await _asked(here)
    for reading in (
        here.registry.client(asked.client, by=BOB),
        here.registry.agreement(asked.id, by=BOB),
        here.registry.audit(client=asked.client, by=BOB),
        here.registry.usage(asked.client, by=BOB, since=0),
        here.registry.edit(asked.client, SHOP, by=BOB),
        here.registry.reveal(asked.client, by=BOB),
        here.registry.rotate(asked.client, by=BOB),
        here.registry.delete(asked.client, by=BOB),
        here.registry.change_tier(asked.id, "tin", by=BOB),
        here.registry.ask(asked.client, api="profile", accepted_terms=True, by=BOB),
    ):
        with pytest.raises(NotFound):
            await reading
    assert (await here.registry.clients(by=BOB)).items == ()
    assert (await here.registry.agreements(by=BOB)).items == ()
    assert (await here.registry.audit(by=BOB)).items == ()


async def test_who_decides_sees_everything_and_others_their_own(here: Opened) -> None:
    asked = await _asked(here)
    for by in (ADA, OWNER, OPERATOR):
        assert [each.id for each in (await here.registry.agreements(by=by)).items] == [asked.id]
        assert [each.id for each in (await here.registry.clients(by=by)).items] == [asked.client]
    assert [entry.verb for entry in (await here.registry.audit(by=ADA)).items] == [
        "contract.requested",
        "client.described",
    ]


@pytest.mark.parametrize("tier", [None, "silver", "old"])
async def test_the_tier_is_one_that_the_api_has_and_that_can_still_be_asked_for(here: Opened, tier: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await _asked(here, tier=tier)
    assert refusal.value.code == "invalid_tier"


async def test_terms_have_to_be_accepted_and_are_kept_as_they_read_then(here: Opened) -> None:
    with pytest.raises(Invalid) as refusal:
        await here.registry.ask(SHOP, api="terms", accepted_terms=False, by=ADA)
    assert refusal.value.code == "terms_not_accepted"
    assert (await here.registry.ask(SHOP, api="terms", accepted_terms=True, by=ADA)).terms == "Be kind."


@pytest.mark.parametrize("api", ["hidden", "nothing"])
async def test_an_api_that_is_not_listed_does_not_exist_for_developers(here: Opened, api: str) -> None:
    with pytest.raises(NotFound):
        await here.registry.ask(SHOP, api=api, accepted_terms=True, by=ADA)


async def test_two_applications_of_a_person_have_two_names(here: Opened) -> None:
    await _asked(here)
    with pytest.raises(Conflict) as refusal:
        await here.registry.ask(replace(SHOP, client_name="SHOP"), api="profile", accepted_terms=True, by=ADA)
    assert refusal.value.code == "name_taken"
    await here.registry.ask(SHOP, api="profile", accepted_terms=True, by=BOB)


@pytest.mark.case("C294")
async def test_a_developer_gets_no_scope_that_is_not_the_apis(here: Opened) -> None:
    with pytest.raises(Invalid):
        await here.registry.ask(
            replace(SHOP, scopes=("orders.read", "admin")), api="orders", tier="tin", accepted_terms=True, by=ADA
        )
    assert (await here.store.clients()).items == ()


async def test_the_scopes_of_an_api_come_with_its_contract_and_not_with_the_request(here: Opened) -> None:
    waiting = await _asked(here)
    active = await here.registry.ask(waiting.client, api="profile", accepted_terms=True, by=ADA)
    client = await _client(here, active)
    assert here.idp.clients[str(client.client_id)].metadata.scope == "profile"
    await here.registry.approve(waiting.id, by=OWNER)
    assert set(here.idp.clients[str(client.client_id)].metadata.scope.split()) == {
        "profile",
        "orders.read",
        "orders.write",
    }


@pytest.mark.case("C302")
async def test_ten_thousand_requests_of_a_person_come_to_a_bound(here: Opened) -> None:
    async def ask(number: int) -> bool:
        wish = replace(SHOP, client_name=f"Shop {number}")
        try:
            await here.registry.ask(wish, api="orders", tier="gold", accepted_terms=True, by=ADA)
        except TooMany:
            return False
        return True

    registry = here.registry
    here.registry = here.made(here.store, here.registrars, RegistryOptions(applications_per_person=50))
    outcomes = await asyncio.gather(*(ask(number) for number in range(10_000)))
    assert sum(outcomes) == 30
    assert len((await here.store.clients(limit=1000)).items) == 30
    here.clock.move(3_600)
    assert await ask(10_001)
    await here.registry.close()
    here.registry = registry


@pytest.mark.case("C302")
async def test_a_person_has_so_many_applications_and_deleted_ones_do_not_count(here: Opened) -> None:
    registry = here.made(here.store, here.registrars, RegistryOptions(applications_per_person=1))
    asked = await registry.ask(SHOP, api="orders", tier="gold", accepted_terms=True, by=ADA)
    more = replace(SHOP, client_name="More")
    with pytest.raises(TooMany) as refusal:
        await registry.ask(more, api="orders", tier="gold", accepted_terms=True, by=ADA)
    assert refusal.value.code == "too_many_applications"
    await registry.delete(asked.client, by=ADA)
    await registry.ask(more, api="orders", tier="gold", accepted_terms=True, by=ADA)


async def test_a_developer_gets_an_automatic_tier_at_once_and_asks_for_another_one(here: Opened) -> None:
    active = await here.registry.approve((await _asked(here)).id, by=OWNER)
    assert (await here.registry.change_tier(active.id, "tin", by=ADA)).tier == "tin"
    asked = await here.registry.change_tier(active.id, "gold", by=ADA)
    assert (asked.state, asked.tier, asked.asked_tier) == (State.ACTIVE, "tin", "gold")
    assert [each.id for each in (await here.registry.agreements(by=OWNER, waiting=True)).items] == [active.id]
    client = await _client(here, active)
    contract = here.contract(client, "orders")
    assert contract is not None
    assert contract.tier == "tin"
    given = await here.registry.change_tier(active.id, "gold", by=OWNER)
    assert (given.tier, given.asked_tier) == ("gold", "gold")
    assert (await here.registry.agreements(by=OWNER, waiting=True)).items == ()
    contract = here.contract(client, "orders")
    assert contract is not None
    assert contract.tier == "gold"


async def test_a_request_for_an_automatic_tier_instead_is_granted(here: Opened) -> None:
    changed = await here.registry.change_tier((await _asked(here)).id, "tin", by=ADA)
    assert (changed.state, changed.tier) == (State.ACTIVE, "tin")


async def test_owners_hear_of_requests_and_developers_of_decisions(here: Opened) -> None:
    asked = await _asked(here)
    await here.registry.approve(asked.id, by=OWNER)
    assert [(notice.verb, notice.audience, notice.application) for notice in here.notices] == [
        ("contract.requested", "owners", "Shop"),
        ("contract.approved", "developer", "Shop"),
    ]


async def test_every_step_leaves_its_line_in_the_audit_log(here: Opened) -> None:
    asked = await _asked(here)
    await here.registry.approve(asked.id, by=OWNER)
    await here.registry.revoke(asked.id, by=OWNER, reason="Enough.")
    await here.registry.restore(asked.id, by=OWNER)
    assert await here.verbs() == [
        "client.described",
        "contract.requested",
        "client.registering",
        "client.registered",
        "contract.approved",
        "contract.revoked",
        "contract.restored",
    ]
