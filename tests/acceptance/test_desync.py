"""Block G against what others have collected: requests that two servers may cut in different places."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from gateway.headers import fold
from tests.rfc.vectors import folder
from tests.servers import Recorded, RecordingUpstream, Running, gateway, recording_upstream, request

REFUSED = {400, 405, 414, 431, 501, 505}
FILES = (
    *("acceptable", "ambiguous", "bad-header-characters", "edge-cases", "more-compliant-tests", "rfc-compliant"),
    *("severe", "uri-specific-test-cases"),
)


class AsWritten(yaml.SafeLoader):
    """Keeps every scalar as the text that it is."""


AsWritten.yaml_implicit_resolvers = {}


def cases(tier: str) -> Iterator[dict[str, Any]]:
    for file in FILES:
        text = folder().joinpath(f"http-desync-guardian/{file}.yaml").read_text(encoding="utf-8")
        for case in yaml.load(text, AsWritten):
            if case["expected"]["tier"] == tier:
                yield case


def render(case: dict[str, Any]) -> bytes:
    lines = [f"{header['name']}: {header['value']}" for header in case.get("headers") or ()]
    if not any(line.lower().startswith("host:") for line in lines):
        lines.insert(0, "Host: api.example.com")
    head = [f"{case['method']} {case['uri']} {case['version']}", *lines, "", ""]
    return "\r\n".join(head).encode("latin-1", "replace")


async def outcome(running: Running, raw: bytes) -> tuple[int, bool]:
    """The status, 0 for a request that is waited for, and whether the connection was closed."""
    caller = await running.connect()
    caller.send(raw)
    try:
        reply = await caller.reply(timeout=0.3, method=raw.split(b" ", 1)[0].decode("latin-1"))
    except TimeoutError:
        return 0, False
    except (asyncio.IncompleteReadError, ConnectionError):
        return 400, True
    finally:
        caller.close()
    return reply.status, reply.closes


def is_plain(recorded: Recorded) -> bool:
    """Whether its framing can be read in one way only."""
    names = [name.lower() for name, _ in recorded.headers if fold(name) in {"transfer-encoding", "content-length"}]
    coded = [value for name, value in recorded.headers if fold(name) == "content-encoding"]
    return names in ([], ["transfer-encoding"], ["content-length"]) and not any("chunked" in one for one in coded)


@pytest.mark.case("C209")
async def test_every_severe_case_is_refused_and_closed() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        severe = list(cases("Severe"))
        for case in severe:
            status, closed = await outcome(running, render(case))
            assert (status in REFUSED, closed) == (True, True), case["name"]
        assert len(severe) >= 20
        assert not upstream.requests


@pytest.mark.case("C209")
@pytest.mark.parametrize("tier", ["Ambiguous", "Acceptable", "Compliant"])
async def test_whatever_else_gets_through_is_one_request_that_is_plain(tier: str) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(b"HTTP/1.1 204 No Content\r\n\r\n")
        for case in cases(tier):
            before = len(upstream.requests)
            status, _ = await outcome(running, render(case))
            assert status in {0, 204} | REFUSED, case["name"]
            assert len(upstream.requests) - before <= (status not in REFUSED), case["name"]
            assert all(is_plain(recorded) for recorded in upstream.requests[before:]), case["name"]


def spellings() -> Iterator[bytes]:
    """Ways to write Transfer-Encoding so that one server sees it and another does not."""
    for code in (*range(0x21), *range(0x7F, 0x100)):
        byte = bytes([code])
        yield b"Transfer-Encoding" + byte + b": chunked"
        yield byte + b"Transfer-Encoding: chunked"
        yield b"Transfer-Encoding:" + byte + b"chunked"
        yield b"Transfer-Encoding: " + byte + b"chunked"
        yield b"Transfer-Encoding: chunked" + byte
        yield b"Transfer" + byte + b"Encoding: chunked"
        yield b"X: y" + byte + b"Transfer-Encoding: chunked"
        yield b"X: y\r" + byte + b"Transfer-Encoding: chunked"
        yield b"X:" + byte + b"\nTransfer-Encoding: chunked"
    yield from (b"Transfer_Encoding: chunked", b"Transfer.Encoding: chunked", b"Content-Encoding: chunked")
    for value in (
        b"chunked, x",
        b"x, chunked",
        b"'chunked'",
        b'"chunked"',
        b"chunked;q=1",
        b"CHUNKED ",
        b"chunk",
        b"=chunked",
    ):
        yield b"Transfer-Encoding: " + value


@pytest.mark.case("C193")
@pytest.mark.parametrize("order", ["CL.TE", "TE.CL"])
async def test_no_spelling_of_transfer_encoding_makes_two_requests_of_one(order: str) -> None:
    body = b"0\r\n\r\n"

    async def one(upstream: RecordingUpstream, running: Running, spelling: bytes) -> None:
        lines = [b"Content-Length: 5", spelling] if order == "CL.TE" else [spelling, b"Content-Length: 5"]
        status, closed = await outcome(running, request("POST", "/", *lines, body=body))
        assert status == 200 or (status in REFUSED and closed), spelling

    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        every = sorted(set(spellings()))
        for start in range(0, len(every), 20):
            await asyncio.gather(*(one(upstream, running, spelling) for spelling in every[start : start + 20]))
        statuses = [exchange.status for exchange in running.exchanges]
        assert len(statuses) == len(every) > 1400
        assert len(upstream.requests) == statuses.count(200)
        for recorded in upstream.requests:
            assert (recorded.line, recorded.body) == ("POST / HTTP/1.1", body)
            assert recorded.header("content-length") == ["5"]
            assert is_plain(recorded)
