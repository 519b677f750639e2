"""Where callers come in: how many are let in, from where, and what becomes of the others."""

import asyncio
import json
import os
import resource
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.descriptors import RESERVE, room_for_connections
from gateway.policy import place_of
from gateway.serve import serve
from gateway.settings import parse
from tests.certificates import Authority
from tests.gateways import Config, Served, configuration, served, until
from tests.servers import RawCaller, request

GET = request("GET", "/nowhere")
NOBODY = "http://127.0.0.1:9"
both_lanes = pytest.mark.parametrize("express", [False, True], ids=["ordinary", "express"])


def limited(express: bool = False, **limits: int) -> Config:
    return configuration(NOBODY, NOBODY, limits=limits, express=express)


async def come(it: Served, address: str = "127.0.0.1") -> RawCaller:
    """A connection from that address."""
    return RawCaller(*await asyncio.open_connection("127.0.0.1", it.port, local_addr=(address, 0)))


async def is_served(caller: RawCaller, timeout: float = 2.0) -> bool:
    caller.send(GET)
    try:
        return (await caller.reply(timeout=timeout)).status == 404
    except (asyncio.IncompleteReadError, ConnectionError):
        return False


async def waits(caller: RawCaller) -> bool:
    """Whether a request gets no answer, and the connection stays."""
    try:
        await is_served(caller, timeout=0.2)
    except TimeoutError:
        return True
    return False


@both_lanes
async def test_who_comes_when_there_is_no_room_waits_and_is_served_when_one_leaves(express: bool) -> None:
    async with served(limited(express, connections=2)) as it:
        first, second = [await come(it) for _ in range(2)]
        assert await is_served(first)
        assert await is_served(second)
        third = await come(it)
        assert await waits(third)
        assert await it.operator.metric("tokenward_connections") == 2
        assert await it.operator.metric("tokenward_accept_pauses_total") >= 1
        first.close()
        assert (await third.reply()).status == 404
        assert await is_served(second)


async def test_a_socket_that_was_handed_over_and_waits_keeps_nobody_waiting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert listener.getblocking()
        settings = parse(json.dumps(configuration(NOBODY, NOBODY)), environment={})
        async with serve(settings, sockets=[listener], admin_sockets=()) as serving:
            assert not listener.getblocking()
            caller = RawCaller(*await asyncio.open_connection(*serving.addresses[0]))
            assert await is_served(caller)
            caller.close()


@both_lanes
async def test_an_address_that_has_its_share_gets_no_more_and_others_do(express: bool) -> None:
    async with served(limited(express, connections_per_address=2)) as it:
        first, second = [await come(it) for _ in range(2)]
        assert await is_served(first)
        assert await is_served(second)
        third = await come(it)
        assert not await is_served(third)
        elsewhere = await come(it, "127.0.0.2")
        assert await is_served(elsewhere)
        assert await it.operator.metric("tokenward_connections_refused_total") == 1
        assert await it.operator.metric("tokenward_connections") == 3
        first.close()

        async def is_counted() -> bool:
            return await it.operator.metric("tokenward_connections") == 2

        await until(is_counted)
        fourth = await come(it)
        assert await is_served(fourth)
        for caller in (second, elsewhere, fourth):
            caller.close()


async def test_a_trusted_proxy_speaks_for_many_and_has_no_cap() -> None:
    config = limited(connections_per_address=1)
    config["trusted_proxies"] = ["127.0.0.2/32"]
    async with served(config) as it:
        callers = [await come(it, "127.0.0.2") for _ in range(5)]
        assert [await is_served(caller) for caller in callers] == [True] * 5


async def test_a_reload_changes_how_many_are_let_in() -> None:
    config = limited(connections=1)
    async with served(config) as it:
        first, second = await come(it), await come(it)
        assert await is_served(first)
        assert await waits(second)
        config["limits"] = {"connections": 2}
        assert (await it.operator.reload()).status == 200
        assert (await second.reply()).status == 404
        assert await is_served(first)


async def test_a_handshake_that_does_not_end_holds_nobody_up_and_is_ended(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue()
    config = limited()
    config |= {
        "tls": {"certificate_file": str(pair.certificate), "key_file": str(pair.key)},
        "timeouts": {"head": 0.3},
    }
    async with served(config) as it:
        silent = await come(it)
        trusting = ssl.create_default_context(cafile=authority.file)
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port, ssl=trusting)
        assert await is_served(RawCaller(reader, writer))
        assert await silent.ended() == b""
        writer.close()

        async def all_left() -> bool:
            return await it.operator.metric("tokenward_connections") == 0

        await until(all_left)


async def test_what_was_accepted_when_the_door_closes_is_served(tmp_path: Path) -> None:
    async with served(limited()) as it:
        caller = await come(it)
        draining = asyncio.ensure_future(it.serving.drain())
        served_last = await is_served(caller)
        await draining
        assert served_last or caller.reader.at_eof()


@contextmanager
def descriptors(most: int) -> Iterator[None]:
    """This process may have so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def lowest_that_is_free() -> int:
    """The next descriptor that this process would get."""
    number = os.dup(0)
    os.close(number)
    return number


@pytest.mark.parametrize(("limit", "room"), [(256, (256 - RESERVE) // 2), (RESERVE + 8, 4), (RESERVE, 1)])
def test_half_of_the_descriptors_that_are_left_is_for_callers(limit: int, room: int) -> None:
    with descriptors(limit):
        assert room_for_connections() == room


async def test_when_the_system_has_none_left_it_is_asked_again_in_a_while() -> None:
    async with served(limited()) as it:
        assert await it.caller.get("/nowhere") == 404
        with socket.socket() as caller:
            caller.setblocking(False)
            with descriptors(lowest_that_is_free()):
                await asyncio.get_running_loop().sock_connect(caller, ("127.0.0.1", it.port))
                for _ in range(5):
                    await asyncio.sleep(0)
            await asyncio.get_running_loop().sock_sendall(caller, GET)
            async with asyncio.timeout(3):
                answer: Any = await asyncio.get_running_loop().sock_recv(caller, 4096)
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert await it.operator.metric("tokenward_accept_pauses_total") >= 1


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
    ],
)
def test_of_ipv6_a_network_counts_as_one_address(address: str, place: str) -> None:
    assert place_of(address) == place
