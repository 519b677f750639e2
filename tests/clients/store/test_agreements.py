import asyncio
from dataclasses import replace

import pytest

from gateway.clients.client import Agreement
from gateway.clients.life import State
from gateway.clients.mistakes import Conflict, NotFound
from gateway.clients.store.store import Store
from tests.clients.store.records import agreement, client, keep
from tests.fakes import NOON

ASKED = agreement(state=State.REQUESTED)
FULL = agreement(
    tier=None,
    asked_tier="silver",
    reason="because 👩",
    terms="Be nice.\nAlways.",
    decision_reason="fine",
    decided_by="main:olga",
    decided_at=NOON + 0.5,
)


@pytest.mark.parametrize("kept", [ASKED, FULL])
async def test_an_agreement_comes_back_as_it_was_kept(store: Store, kept: Agreement) -> None:
    await keep(store, client(), kept)
    assert await store.agreement("a1") == kept


async def test_an_agreement_changes_from_the_state_that_is_supposed(store: Store) -> None:
    await keep(store, client(), ASKED)
    active = replace(ASKED, state=State.ACTIVE, decided_by="main:olga", decided_at=NOON)
    async with store.begin() as transaction:
        await transaction.save_agreement(active, before=State.REQUESTED)
    assert await store.agreement("a1") == active


async def test_an_agreement_that_somebody_else_changed_stays_as_it_is(store: Store) -> None:
    await keep(store, client(), agreement(state=State.REFUSED))
    with pytest.raises(Conflict) as caught:
        async with store.begin() as transaction:
            await transaction.save_agreement(agreement(), before=State.REQUESTED)
    assert caught.value.code == "changed_meanwhile"
    assert await store.agreement("a1") == agreement(state=State.REFUSED)


async def test_of_two_who_decide_at_once_one_is_late(store: Store) -> None:
    await keep(store, client(), ASKED)

    async def decide(state: State) -> State:
        async with store.begin() as transaction:
            await transaction.save_agreement(replace(ASKED, state=state), before=State.REQUESTED)
        return state

    outcomes = await asyncio.gather(*(decide(state) for state in (State.ACTIVE, State.REFUSED)), return_exceptions=True)
    (won,) = (outcome for outcome in outcomes if isinstance(outcome, State))
    (late,) = (outcome for outcome in outcomes if isinstance(outcome, Conflict))
    assert late.code == "changed_meanwhile"
    assert await store.agreement("a1") == replace(ASKED, state=won)


async def test_an_application_asks_for_an_api_once(store: Store) -> None:
    await keep(store, client(), ASKED)
    for state in (State.REQUESTED, State.ACTIVE, State.REVOKED):
        with pytest.raises(Conflict) as caught:
            await keep(store, agreement("a2", state=state))
        assert caught.value.code == "exists_already"
    await keep(store, agreement("a3", api="payments"), client("c2"), agreement("a4", "c2"))


async def test_of_two_who_ask_at_once_one_has_asked_before(store: Store) -> None:
    await keep(store, client())
    asked = (keep(store, agreement(f"a{number}")) for number in range(4))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [Conflict] * 3
    assert len((await store.agreements()).items) == 1


async def test_after_a_refusal_one_may_ask_again(store: Store) -> None:
    await keep(store, client(), agreement("a1", state=State.REFUSED), agreement("a2", state=State.REFUSED))
    await keep(store, agreement("a3", state=State.REQUESTED))
    with pytest.raises(Conflict):
        async with store.begin() as transaction:
            await transaction.save_agreement(agreement("a1"), before=State.REFUSED)


async def test_an_agreement_has_a_client(store: Store) -> None:
    with pytest.raises(NotFound):
        await keep(store, agreement(client="nobody"))


async def test_an_agreement_that_is_not_there_is_not_saved(store: Store) -> None:
    with pytest.raises(NotFound):
        async with store.begin() as transaction:
            await transaction.save_agreement(agreement(), before=State.REQUESTED)


async def test_an_id_names_one_agreement(store: Store) -> None:
    await keep(store, client(), agreement())
    with pytest.raises(Conflict):
        await keep(store, agreement(api="payments"))
