"""RFC 6455, frame by frame, through the gateway and in both directions."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from gateway.caller import Limits
from gateway.router import Route
from tests.servers import Running, gateway, request

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x01\x80\xff\x42"
LIMIT = 100_000
HANDSHAKE = request(
    "GET", "/chat", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)  # fmt: skip
FROM_CALLER = "from the caller"
FROM_UPSTREAM = "from the upstream"

Message: TypeAlias = tuple[int, bytes]


@dataclass(frozen=True)
class Frame:
    """One frame as it is sent."""

    opcode: int
    payload: bytes = b""
    final: bool = True
    reserved: int = 0
    mask: bool | None = None
    """`None`: as its sender must."""

    def octets(self, masked: bool) -> bytes:
        masked = masked if self.mask is None else self.mask
        size = len(self.payload)
        first = bytes([self.final << 7 | self.reserved << 4 | self.opcode])
        bit = masked << 7
        if size < 126:
            head = first + bytes([bit | size])
        elif size < 65536:
            head = first + bytes([bit | 126]) + size.to_bytes(2)
        else:
            head = first + bytes([bit | 127]) + size.to_bytes(8)
        return head + MASK + xor(self.payload) if masked else head + self.payload


def xor(octets: bytes, mask: bytes = MASK) -> bytes:
    """Masked, or not any more."""
    size = len(octets)
    return (int.from_bytes(octets) ^ int.from_bytes((mask * (size // 4 + 1))[:size])).to_bytes(size)


def closing(code: int, reason: bytes = b"") -> Frame:
    return Frame(CLOSE, code.to_bytes(2) + reason)


@dataclass
class End:
    """One end of the two connections. Only whole frames that are final are ever sent to it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    masks: bool

    def send(self, *frames: Frame) -> None:
        self.writer.write(b"".join(frame.octets(self.masks) for frame in frames))

    async def receive(self) -> Message:
        first, second = await self.reader.readexactly(2)
        assert (first & 0xF0, bool(second & 0x80)) == (0x80, not self.masks)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8))
        mask = await self.reader.readexactly(0 if self.masks else 4)
        payload = await self.reader.readexactly(size)
        if mask:
            payload = xor(payload, mask)
        return first & 0x0F, payload

    async def all(self) -> list[Message]:
        """Every message until the close frame, that is answered, and after which nothing comes."""
        found = [await self.receive()]
        while found[-1][0] != CLOSE:
            found.append(await self.receive())
        self.send(Frame(CLOSE, found[-1][1]))
        with suppress(ConnectionResetError):  # who broke the rules is not listened to any more
            assert await self.reader.read() == b""
        return found


@asynccontextmanager
async def ends(*routes: Route[str]) -> AsyncIterator[tuple[End, End, Running]]:
    """A caller and an upstream, on the two sides of a gateway."""
    arrived: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    async def accepts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        (key,) = (line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        upgrade = b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
        writer.write(upgrade + accept + b"\r\n\r\n")
        arrived.set_result(End(reader, writer, masks=False))

    server = await asyncio.start_server(accepts, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with asyncio.timeout(10), gateway(url, *routes, limits=Limits(message=LIMIT)) as running:
        raw = await running.connect()
        raw.send(HANDSHAKE)
        assert (await raw.reply()).status == 101
        upstream = await arrived
        try:
            yield End(raw.reader, raw.writer, masks=True), upstream, running
        finally:
            upstream.writer.transport.abort()
            server.close()


@asynccontextmanager
async def towards(direction: str) -> AsyncIterator[tuple[End, End]]:
    async with ends() as (caller, upstream, _):
        yield (caller, upstream) if direction == FROM_CALLER else (upstream, caller)


BOTH = pytest.mark.parametrize("direction", [FROM_CALLER, FROM_UPSTREAM])
CHECKED = "κόσμε 𝄞".encode()

PASSES: dict[str, tuple[list[Frame], list[Message]]] = {
    "nothing as text": ([Frame(TEXT)], [(TEXT, b"")]),
    "nothing as bytes": ([Frame(BINARY)], [(BINARY, b"")]),
    "every byte": ([Frame(BINARY, bytes(range(256)))], [(BINARY, bytes(range(256)))]),
    "characters of every length": ([Frame(TEXT, CHECKED)], [(TEXT, CHECKED)]),
    "a ping": ([Frame(PING)], [(PING, b"")]),
    "a ping that says something": ([Frame(PING, b"\x00" * 125)], [(PING, b"\x00" * 125)]),
    "a pong that nobody asked for": ([Frame(PONG, b"a")], [(PONG, b"a")]),
    "fragments": (
        [Frame(TEXT, b"a", final=False), Frame(CONTINUATION, b"b", final=False), Frame(CONTINUATION, b"c")],
        [(TEXT, b"abc")],
    ),
    "empty fragments": (
        [Frame(TEXT, final=False), Frame(CONTINUATION, final=False), Frame(CONTINUATION)], [(TEXT, b"")],
    ),
    "a fragment in the middle of a character": (
        [Frame(TEXT, CHECKED[:1], final=False), Frame(CONTINUATION, CHECKED[1:])], [(TEXT, CHECKED)],
    ),
    "a ping between fragments": (
        [Frame(BINARY, b"a", final=False), Frame(PING, b"p"), Frame(CONTINUATION, b"b")],
        [(PING, b"p"), (BINARY, b"ab")],
    ),
    "one message after the other": (
        [
            Frame(TEXT, b"a", final=False), Frame(CONTINUATION, b"b"), Frame(BINARY, b"c"), Frame(PONG),
            Frame(TEXT, b"d"),
        ],
        [(TEXT, b"ab"), (BINARY, b"c"), (PONG, b""), (TEXT, b"d")],
    ),
    "bytes that are no text": ([Frame(BINARY, b"\xff\xfe")], [(BINARY, b"\xff\xfe")]),
    **{
        f"{size} bytes": ([Frame(BINARY, b"a" * size)], [(BINARY, b"a" * size)])
        for size in (125, 126, 127, 128, 65535, 65536, LIMIT)
    },
    "fragments of as much as there may be": (
        [Frame(BINARY, b"a" * (LIMIT - 1), final=False), Frame(CONTINUATION, b"b")],
        [(BINARY, b"a" * (LIMIT - 1) + b"b")],
    ),
}  # fmt: skip


@BOTH
@pytest.mark.parametrize("what", PASSES)
@pytest.mark.case("C212")
async def test_what_may_be_sent_arrives_as_whole_messages_in_order(direction: str, what: str) -> None:
    frames, messages = PASSES[what]
    async with towards(direction) as (source, sink):
        source.send(*frames)
        assert [await sink.receive() for _ in messages] == messages
        source.send(closing(1000))
        assert await sink.all() == [(CLOSE, (1000).to_bytes(2))]


@BOTH
async def test_frames_may_be_split_anywhere(direction: str) -> None:
    frames, messages = PASSES["one message after the other"]
    async with towards(direction) as (source, sink):
        for octet in b"".join(frame.octets(source.masks) for frame in (*frames, Frame(BINARY, b"e" * 126))):
            source.writer.write(bytes([octet]))
            await asyncio.sleep(0)
        expected = [*messages, (BINARY, b"e" * 126)]
        assert [await sink.receive() for _ in expected] == expected


BREAKS: dict[str, tuple[list[Frame], int]] = {
    **{f"reserved bits {bits:03b}": ([Frame(TEXT, b"a", reserved=bits)], 1002) for bits in range(1, 8)},
    **{f"opcode {opcode}": ([Frame(opcode)], 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "a ping in fragments": ([Frame(PING, final=False), Frame(CONTINUATION)], 1002),
    "a close in fragments": ([Frame(CLOSE, final=False), Frame(CONTINUATION)], 1002),
    "a ping that says too much": ([Frame(PING, b"a" * 126)], 1002),
    "a close that says too much": ([closing(1000, b"a" * 124)], 1002),
    "a fragment of nothing": ([Frame(CONTINUATION, b"a")], 1002),
    "a message in a message": ([Frame(TEXT, b"a", final=False), Frame(TEXT, b"b")], 1002),
    "the beginning of another message": ([Frame(TEXT, b"a", final=False), Frame(BINARY, b"b", final=False)], 1002),
    "a message in one that begins with nothing": ([Frame(TEXT, final=False), Frame(TEXT, b"b")], 1002),
    "a close of one byte": ([Frame(CLOSE, b"a")], 1002),
    **{
        f"close code {code}": ([closing(code)], 1002)
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "a reason that is no text": ([closing(1000, b"\xff")], 1007),
    **{
        f"text of {octets.hex()}": ([Frame(TEXT, b"a" + octets)], 1007)
        for octets in (
            b"\xff", b"\xc3", b"\xc3(", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xce\xba\xe1\xbd", b"\x80",
        )
    },
    "text in fragments that is none": ([Frame(TEXT, b"\xc3", final=False), Frame(CONTINUATION, b"(")], 1007),
    "a message that is too large": ([Frame(BINARY, b"a" * (LIMIT + 1))], 1009),
    "fragments that are too large together": (
        [Frame(BINARY, b"a" * LIMIT, final=False), Frame(CONTINUATION, b"b")], 1009,
    ),
}  # fmt: skip


@BOTH
@pytest.mark.parametrize("what", BREAKS)
@pytest.mark.case("C212")
async def test_what_may_not_be_sent_ends_both_connections_with_the_code_for_it(direction: str, what: str) -> None:
    frames, code = BREAKS[what]
    async with towards(direction) as (source, sink):
        source.send(Frame(TEXT, b"good"), *frames, Frame(TEXT, b"after"))
        to_sink, to_source = await asyncio.gather(sink.all(), source.all())
        assert to_sink == [(TEXT, b"good"), (CLOSE, code.to_bytes(2))]
        assert to_source == [(CLOSE, code.to_bytes(2))]


@BOTH
async def test_whoever_masks_as_the_other_should_is_ended(direction: str) -> None:
    async with towards(direction) as (source, sink):
        source.send(Frame(TEXT, b"good"), Frame(TEXT, b"wrong", mask=not source.masks))
        to_sink, to_source = await asyncio.gather(sink.all(), source.all())
        assert to_sink == [(TEXT, b"good"), (CLOSE, (1002).to_bytes(2))]
        assert to_source == [(CLOSE, (1002).to_bytes(2))]


@BOTH
@pytest.mark.parametrize(
    "payload",
    [
        *((code.to_bytes(2) + b"why") for code in (1000, 1001, 1002, 1003, *range(1007, 1015))),
        *(code.to_bytes(2) for code in (3000, 3999, 4000, 4999)),
        (1000).to_bytes(2) + b"a" * 123,
    ],
)  # fmt: skip
async def test_a_close_code_and_its_reason_reach_the_other_end_and_come_back(direction: str, payload: bytes) -> None:
    async with towards(direction) as (source, sink):
        source.send(Frame(CLOSE, payload), Frame(TEXT, b"after"))
        to_sink, to_source = await asyncio.gather(sink.all(), source.all())
        assert to_sink == [(CLOSE, payload)]
        assert to_source == [(CLOSE, payload)]


@BOTH
async def test_a_close_without_a_code_is_passed_on_as_a_normal_one(direction: str) -> None:
    async with towards(direction) as (source, sink):
        source.send(Frame(CLOSE))
        assert await sink.all() == [(CLOSE, (1000).to_bytes(2))]


@BOTH
async def test_a_ping_is_answered_by_the_other_end_and_by_nobody_else(direction: str) -> None:
    async with towards(direction) as (source, sink):
        source.send(Frame(PING, b"1"), Frame(PING, b"2"))
        assert [await sink.receive() for _ in range(2)] == [(PING, b"1"), (PING, b"2")]
        sink.send(Frame(PONG, b"2"), Frame(TEXT, b"here"))
        assert [await source.receive() for _ in range(2)] == [(PONG, b"2"), (TEXT, b"here")]
