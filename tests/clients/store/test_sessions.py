import asyncio

import pytest
from pydantic import SecretStr

from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import new_key
from gateway.clients.store.store import Store
from gateway.policy import Unavailable
from tests.clients.store.direct import Direct
from tests.clients.store.records import session
from tests.fakes import NOON, FakeClock

ONE, TWO, THREE, FOUR = (bytes([number]) * 32 for number in range(1, 5))


async def living(store: Store) -> list[bytes]:
    return [digest for digest in (ONE, TWO, THREE, FOUR) if await store.session(digest) is not None]


async def test_a_session_comes_back_as_it_was_kept(store: Store) -> None:
    await store.keep_session(session(sid="s1"))
    assert await store.session(b"d" * 32) == session(sid="s1")
    assert await store.session(b"e" * 32) is None


async def test_a_session_is_replaced_under_its_digest(store: Store) -> None:
    await store.keep_session(session())
    later = session(contents=b"something else", expires_at=NOON + 7200)
    await store.keep_session(later)
    assert await store.session(later.digest) == later


async def test_a_session_ends_at_the_very_second_it_names(store: Store, clock: FakeClock) -> None:
    await store.keep_session(session(expires_at=NOON + 60))
    clock.move(59.9)
    assert await store.session(b"d" * 32) is not None
    clock.move(0.1)
    assert await store.session(b"d" * 32) is None


async def test_a_session_that_was_ended_is_gone(store: Store) -> None:
    await store.keep_session(session())
    await store.end_session(b"d" * 32)
    await store.end_session(b"d" * 32)
    assert await store.session(b"d" * 32) is None


@pytest.mark.parametrize(
    ("whose", "left"),
    [
        ({"subject": "anna"}, [THREE, FOUR]),
        ({"sid": "s1"}, [TWO, FOUR]),
        ({"subject": "anna", "sid": "s1"}, [TWO, THREE, FOUR]),
        ({"subject": "nobody"}, [ONE, TWO, THREE, FOUR]),
    ],
)
async def test_a_provider_ends_the_sessions_that_it_names(
    store: Store, whose: dict[str, str], left: list[bytes]
) -> None:
    await store.keep_session(session(ONE, sid="s1"))
    await store.keep_session(session(TWO, sid="s2"))
    await store.keep_session(session(THREE, subject="ben", sid="s1"))
    await store.keep_session(session(FOUR, provider="other", sid="s1"))
    assert await store.end_sessions("main", **whose) == 4 - len(left)
    assert await living(store) == left


async def test_a_session_that_the_provider_did_not_name_ends_with_any_of_its_person(store: Store) -> None:
    await store.keep_session(session(ONE, sid=None))
    await store.keep_session(session(TWO, subject="ben", sid=None))
    assert await store.end_sessions("main", sid="s1") == 0
    assert await store.end_sessions("main", subject="anna", sid="s1") == 1
    assert await living(store) == [TWO]


async def test_a_notice_ends_sessions_once(store: Store) -> None:
    await store.keep_session(session(ONE))
    assert await store.end_sessions_once("jti", NOON + 60, "main", subject="anna") == 1
    await store.keep_session(session(TWO))
    assert await store.end_sessions_once("jti", NOON + 60, "main", subject="anna") is None
    assert await living(store) == [TWO]
    with pytest.raises(ValueError, match="whose"):
        await store.end_sessions_once("another", NOON + 60, "main")


async def test_a_notice_that_ended_nothing_because_the_store_failed_may_come_again(
    store: Store, direct: Direct
) -> None:
    await store.keep_session(session(ONE))
    await direct.run("ALTER TABLE sessions RENAME TO away")
    with pytest.raises(Unavailable):
        await store.end_sessions_once("jti", NOON + 60, "main", subject="anna")
    await direct.run("ALTER TABLE away RENAME TO sessions")
    assert await store.end_sessions_once("jti", NOON + 60, "main", subject="anna") == 1


async def test_not_everybodys_sessions_are_ended_by_naming_nobody(store: Store) -> None:
    with pytest.raises(ValueError, match="whose"):
        await store.end_sessions("main")


async def test_the_contents_are_sealed_and_bound_to_the_cookie(store: Store, direct: Direct) -> None:
    await store.keep_session(session(ONE, contents=b"anna may do much"))
    await store.keep_session(session(TWO, contents=b"ben may do little", subject="ben"))
    assert b"may do" not in b"".join(sealed for (sealed,) in await direct.run("SELECT sealed FROM sessions"))
    await direct.run(
        "UPDATE sessions SET sealed = (SELECT sealed FROM sessions WHERE subject = 'anna') WHERE subject = 'ben'"
    )
    assert await living(store) == [ONE]


async def test_a_session_whose_key_is_gone_is_no_session(options: StoreOptions, clock: FakeClock) -> None:
    new = SecretStr(new_key())
    async with open_store(options, clock) as store:
        await store.keep_session(session(ONE))
    both = StoreOptions(url=options.url, encryption_keys=(new, *options.encryption_keys))
    async with open_store(both, clock) as store:
        assert await living(store) == [ONE]
        await store.reseal()
    async with open_store(StoreOptions(url=options.url, encryption_keys=(new,)), clock) as store:
        assert await living(store) == []


async def test_a_value_is_used_once(store: Store) -> None:
    assert await store.used_once("jti", "x", NOON + 60)
    assert not await store.used_once("jti", "x", NOON + 60)
    assert await store.used_once("jti", "y", NOON + 60)
    assert await store.used_once("state", "x", NOON + 60)
    assert await store.used_once("jti", "half \ud800, nul \0" * 10_000, NOON + 60)


async def test_of_many_who_use_a_value_at_once_one_is_the_first(store: Store) -> None:
    firsts = await asyncio.gather(*(store.used_once("jti", "x", NOON + 60) for _ in range(8)))
    assert sum(firsts) == 1


async def test_a_value_may_be_used_again_once_it_has_expired(store: Store, clock: FakeClock) -> None:
    await store.used_once("jti", "x", NOON + 60)
    clock.move(59)
    assert not await store.used_once("jti", "x", NOON + 120)
    clock.move(1)
    assert await store.used_once("jti", "x", NOON + 120)
    assert not await store.used_once("jti", "x", NOON + 120)


async def test_what_has_expired_is_swept_away_and_nothing_else(store: Store, direct: Direct) -> None:
    await store.keep_session(session(ONE, expires_at=NOON + 60))
    await store.keep_session(session(TWO, expires_at=NOON + 60.5))
    await store.used_once("jti", "x", NOON + 60)
    await store.used_once("jti", "y", NOON + 60.5)
    await store.sweep(NOON + 60)
    assert await direct.run("SELECT count(*) FROM sessions") == [(1,)]
    assert await direct.run("SELECT count(*) FROM used") == [(1,)]
