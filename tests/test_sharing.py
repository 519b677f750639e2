"""What is shared is opened once, kept across reloads, and closed after the last."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.sharing import Lease, Shared


class Thing:
    """Something that knows whether it is open."""

    def __init__(self) -> None:
        self.is_open = True


@asynccontextmanager
async def open_thing() -> AsyncIterator[Thing]:
    thing = Thing()
    try:
        yield thing
    finally:
        thing.is_open = False


async def test_two_who_name_the_same_key_share_one_object() -> None:
    lease = Lease(Shared())
    assert await lease("key", open_thing) is await lease("key", open_thing)


async def test_two_keys_are_two_objects() -> None:
    lease = Lease(Shared())
    assert await lease("key", open_thing) is not await lease("other", open_thing)


async def test_an_object_is_closed_after_the_last_lease_and_not_before() -> None:
    shared = Shared()
    old, new = Lease(shared), Lease(shared)
    thing = await old("key", open_thing)
    assert await new("key", open_thing) is thing
    await old.end()
    assert thing.is_open
    await new.end()
    assert not thing.is_open
    assert list(shared) == []


async def test_an_object_that_cannot_be_opened_leaves_nothing_behind() -> None:
    @asynccontextmanager
    async def fails() -> AsyncIterator[Thing]:
        raise OSError("no such file")
        yield Thing()

    shared = Shared()
    lease = Lease(shared)
    with pytest.raises(OSError, match="no such file"):
        await lease("key", fails)
    await lease.end()
    assert await lease("key", open_thing) in list(shared)
