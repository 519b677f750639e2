"""The API behind the gateway."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.demo.listening import address, bind, bind_anyhow
from gateway.demo.upstream import run_upstream
from tests.demo.asking import Ask


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def upstream(session: aiohttp.ClientSession) -> AsyncIterator[Ask]:
    async with run_upstream() as url:
        yield Ask(session, url)


async def test_orders_are_listed_shown_stored_and_deleted(upstream: Ask) -> None:
    assert [order["id"] for order in (await upstream("GET", "/orders")).body["orders"]] == ["1", "2"]
    assert (await upstream("POST", "/orders/7", json={"item": "spoon"})).status == 201
    assert (await upstream("POST", "/orders/7", json={"item": "spoons", "id": "1"})).status == 200
    assert (await upstream("GET", "/orders/7")).body == {"item": "spoons", "id": "7"}
    assert (await upstream("DELETE", "/orders/7")).status == 204
    assert (await upstream("GET", "/orders/7")).status == 404
    assert (await upstream("DELETE", "/orders/7")).status == 404


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b"7", b"[" * 100_000])
async def test_an_order_is_a_json_object(upstream: Ask, body: bytes) -> None:
    assert (await upstream("POST", "/orders/7", data=body)).status == 400


async def test_the_list_says_who_the_gateway_says_is_asking(upstream: Ask) -> None:
    answer = await upstream("GET", "/orders", headers={"X-Token-Client": "shop", "X-Other": "x"})
    assert answer.body["asked_by"] == {"X-Token-Client": "shop"}


async def test_echo_shows_method_path_and_sorted_headers(upstream: Ask) -> None:
    answer = await upstream("PATCH", "/echo/a%2Fb?c=d", headers={"X-B": "2", "x-a": "1"})
    assert (answer.body["method"], answer.body["path"]) == ("PATCH", "/echo/a%2Fb?c=d")
    names = list(answer.body["headers"])
    assert names == sorted(names, key=str.lower)
    assert (answer.body["headers"]["x-a"], answer.body["headers"]["X-B"]) == ("1", "2")


@pytest.mark.parametrize("path", ["/echo", "/orders", "/orders/1", "/public"])
async def test_no_answer_holds_a_credential(upstream: Ask, path: str) -> None:
    answer = await upstream("GET", path, headers={"AUTHORIZATION": "Bearer s3cret"})
    assert answer.status == 200
    assert "s3cret" not in str(answer)


async def test_events_begin_with_what_there_is_and_go_on_with_what_happens(
    upstream: Ask, session: aiohttp.ClientSession
) -> None:
    async with asyncio.timeout(5), session.get(upstream.issuer + "/orders/events") as stream:
        assert stream.content_type == "text/event-stream"
        assert [await _event(stream) for _ in range(2)] == [("stored", "1"), ("stored", "2")]
        await upstream("POST", "/orders/3", json={})
        assert await _event(stream) == ("stored", "3")
        await upstream("DELETE", "/orders/3")
        assert await _event(stream) == ("deleted", "3")


async def test_the_socket_says_what_it_is_told(upstream: Ask, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect(upstream.issuer + "/orders/socket") as conversation:
        await conversation.send_str("hello")
        assert await conversation.receive_str(timeout=5) == "hello"
        await conversation.send_bytes(b"\x00")
        assert await conversation.receive_bytes(timeout=5) == b"\x00"


async def test_streams_and_sockets_do_not_hold_up_the_end(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(5):
        async with run_upstream() as url:
            stream = await session.get(f"{url}/orders/events")
            conversation = await session.ws_connect(f"{url}/orders/socket")
        assert await stream.content.read() != b""
        assert (await conversation.receive()).type is aiohttp.WSMsgType.CLOSE


def test_a_port_that_is_taken_is_replaced_by_a_free_one() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with bind_anyhow("127.0.0.1", port) as other:
            assert other.getsockname()[1] not in (0, port)
    with bind_anyhow("127.0.0.1", port) as free:
        assert free.getsockname()[1] == port


def test_an_ipv6_address_stands_in_brackets() -> None:
    with bind("::1", 0) as listener:
        assert address(listener) == f"[::1]:{listener.getsockname()[1]}"


async def _event(stream: aiohttp.ClientResponse) -> tuple[str, str]:
    """The name of the next event, and the order's id."""
    name = (await stream.content.readline()).decode().removeprefix("event: ").strip()
    told = (await stream.content.readline()).decode().removeprefix("data: ")
    assert await stream.content.readline() == b"\n"
    return name, json.loads(told)["id"]
