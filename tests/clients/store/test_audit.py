import asyncio

import pytest

from gateway.clients.client import Entry
from gateway.clients.store.store import Store
from tests.clients.store.direct import Direct, Refused
from tests.fakes import NOON, FakeClock

FORGED = "INSERT INTO audit SELECT 6, at, actor, verb, client, agreement, api, detail, link FROM audit WHERE number = 5"
ALLOW_SQLITE = ("DROP TRIGGER audit_refuses_update", "DROP TRIGGER audit_refuses_delete")
ALLOW_POSTGRESQL = ("DROP TRIGGER audit_refuses_change ON audit",)


async def write(store: Store, entries: int = 3) -> None:
    """A line of each in its own transaction, but for the first two."""
    async with store.begin() as transaction:
        await transaction.note("main:anna", "client.added", client="c1", detail="Größe")
        await transaction.note("operator", "contract.approved", client="c1", agreement="a1", api="orders")
    for number in range(2, entries):
        async with store.begin() as transaction:
            await transaction.note("gateway", f"verb.{number}", client="c2")


async def allow(direct: Direct, url: str) -> None:
    """What somebody does who wants to change history and may change tables."""
    for statement in ALLOW_SQLITE if url.startswith("sqlite") else ALLOW_POSTGRESQL:
        await direct.run(statement)


async def test_entries_come_newest_first_with_their_time(store: Store, clock: FakeClock) -> None:
    async with store.begin() as transaction:
        written = await transaction.note("main:anna", "client.added", client="c1", api="orders", detail="x")
    clock.move(5)
    await write(store, 2)
    page = await store.audit()
    assert [entry.number for entry in page.items] == [3, 2, 1]
    assert [entry.at for entry in page.items] == [NOON + 5, NOON + 5, NOON]
    assert (
        page.items[2]
        == written
        == Entry(number=1, at=NOON, actor="main:anna", verb="client.added", client="c1", api="orders", detail="x")
    )


async def test_entries_come_page_by_page(store: Store) -> None:
    await write(store, 5)
    first = await store.audit(limit=2)
    assert [entry.number for entry in first.items] == [5, 4]
    assert isinstance(first.next, int)
    second = await store.audit(limit=3, after=first.next)
    assert [entry.number for entry in second.items] == [3, 2, 1]
    assert second.next is None


@pytest.mark.parametrize(
    ("wanted", "found"), [({"client": "c1"}, [2, 1]), ({"agreement": "a1"}, [2]), ({"actor": "gateway"}, [4, 3])]
)
async def test_entries_are_found_by_what_they_are_about(store: Store, wanted: dict[str, str], found: list[int]) -> None:
    await write(store, 4)
    page = await store.audit(**wanted)  # type: ignore[arg-type] # the parameters of the test are its arguments
    assert [entry.number for entry in page.items] == found


async def test_numbers_have_no_gaps_whoever_writes_at_once_and_whatever_fails(store: Store) -> None:
    async def note(number: int) -> None:
        async with store.begin() as transaction:
            await transaction.note("operator", f"verb.{number}")
            if number % 3 == 0:
                raise RuntimeError("this one is undone")

    await asyncio.gather(*(note(number) for number in range(12)), return_exceptions=True)
    assert [entry.number for entry in (await store.audit()).items] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert await store.verify_audit() is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET actor = 'somebody else'",
        "UPDATE audit SET detail = '' WHERE number = 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE number = 3",
    ],
)
async def test_the_database_itself_refuses_to_change_an_entry(store: Store, direct: Direct, statement: str) -> None:
    await write(store)
    before = await store.audit()
    with pytest.raises(Refused, match="never changed"):
        await direct.run(statement)
    assert await store.audit() == before


async def test_the_database_itself_refuses_to_empty_the_log(store: Store, direct: Direct, url: str) -> None:
    await write(store)
    # SQLite knows no TRUNCATE: there, a DELETE without a condition is it.
    statement = "DELETE FROM audit" if url.startswith("sqlite") else "TRUNCATE audit"
    with pytest.raises(Refused, match="never changed"):
        await direct.run(statement)


async def test_a_log_that_nobody_touched_is_whole(store: Store) -> None:
    assert await store.verify_audit() is None
    await write(store, 5)
    assert await store.verify_audit() is None


@pytest.mark.parametrize(
    ("tampering", "first"),
    [
        ("UPDATE audit SET detail = 'another' WHERE number = 2", 2),
        ("UPDATE audit SET actor = 'main:ben' WHERE number = 1", 1),
        ("UPDATE audit SET at = at + 1 WHERE number = 3", 3),
        ("UPDATE audit SET client = NULL WHERE number = 4", 4),
        ("DELETE FROM audit WHERE number = 1", 1),
        ("DELETE FROM audit WHERE number = 3", 3),
        ("DELETE FROM audit WHERE number = 5", 5),
        ("DELETE FROM audit", 1),
        (
            FORGED,
            6,
        ),
        ("UPDATE audit SET number = 9 WHERE number = 5", 5),
        ("UPDATE ledger SET entries = 4", 6),
        ("UPDATE ledger SET entries = 9", 6),
        ("UPDATE ledger SET last = (SELECT link FROM audit WHERE number = 4)", 6),
    ],
)
async def test_whoever_changes_history_behind_the_databases_back_is_found_out(
    store: Store, direct: Direct, url: str, tampering: str, first: int
) -> None:
    await write(store, 5)
    await allow(direct, url)
    await direct.run(tampering)
    assert await store.verify_audit() == first


async def test_the_end_of_the_log_cannot_be_cut_off_even_together_with_its_count(
    store: Store, direct: Direct, url: str
) -> None:
    await write(store, 5)
    await allow(direct, url)
    await direct.run("DELETE FROM audit WHERE number > 3")
    await direct.run("UPDATE ledger SET entries = 3, last = (SELECT link FROM audit WHERE number = 3)")
    assert await store.verify_audit() == 4
    await direct.run("DELETE FROM audit")
    await direct.run("UPDATE ledger SET entries = 0")
    assert await store.verify_audit() == 1


async def test_a_log_that_was_cut_off_stays_broken_when_it_goes_on(store: Store, direct: Direct, url: str) -> None:
    await write(store, 5)
    await allow(direct, url)
    await direct.run("DELETE FROM audit WHERE number = 5")
    async with store.begin() as transaction:
        await transaction.note("operator", "anything")
    assert await store.verify_audit() == 5
