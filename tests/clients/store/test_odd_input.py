"""What people may send where lists are read: refused or not found, and never taken for a database that is away."""

import base64
import json

import pytest

from gateway.clients.mistakes import Invalid
from gateway.clients.store import Page
from gateway.clients.store.store import Store
from tests.clients.store.records import agreement, client, keep

NO_TEXT = ["\0", "a\0b", "\ud800"]


def place(*parts: object) -> str:
    """A place in a list that nobody handed out."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize("odd", NO_TEXT)
async def test_a_place_that_is_no_text_is_refused(store: Store, odd: str) -> None:
    for after in (place(odd, "c1"), place("shop", odd)):
        with pytest.raises(Invalid):
            await store.clients(after=after)
    with pytest.raises(Invalid):
        await store.agreements(after=place(1.5, odd))


@pytest.mark.parametrize("odd", NO_TEXT)
async def test_what_is_looked_for_and_is_no_text_is_refused(store: Store, odd: str) -> None:
    for asking in (store.clients(search=odd), store.agreements(search=odd), store.client(odd), store.agreement(odd)):
        with pytest.raises(Invalid):
            await asking


@pytest.mark.parametrize("after", [2**31 - 1, 2**31, 2**63 - 1])
async def test_lines_before_a_number_that_no_line_has_are_all_of_them(store: Store, after: int) -> None:
    async with store.begin() as transaction:
        await transaction.note("operator", "client.described")
    assert len((await store.audit(after=after)).items) == 1


@pytest.mark.parametrize("since", [-1e12, 0.0, 1e12])
async def test_usage_since_any_time_can_be_asked_for(store: Store, since: float) -> None:
    assert await store.usage_of("main", "c1", since=since) == ()


async def test_a_time_that_is_none_ends_a_list(store: Store) -> None:
    await keep(store, client(), agreement())
    for time in (float("nan"), float("inf"), float("-inf")):
        page: Page[object] = await store.agreements(after=place(time, "a1"))  # type: ignore[assignment]  # of any kind
        assert page.next is None
