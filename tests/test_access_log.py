"""The line of an exchange, and how lines get out without holding up requests."""

import asyncio
import json
import math
import os
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway import access_log
from gateway.access_log import BATCH, LONGEST, MOST_WAITING, AccessLog, Lines, fault
from gateway.exchange import Exchange, Flag
from gateway.log_sink import Sink
from tests.fakes import NOON, Series

KEY = b"k" * 32
DEADLINE = 10.0


def an_exchange(**said: object) -> Exchange:
    exchange = Exchange(request_id="r-1", received_at=NOON + 0.25)
    for name, value in said.items():
        setattr(exchange, name, value)
    return exchange


def read(exchange: Exchange, key: bytes = KEY) -> dict[str, object]:
    line = Lines(key).line(exchange)
    assert line.isascii()
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    said = json.loads(line)
    assert isinstance(said, dict)
    return said


def test_a_line_says_everything_about_an_exchange() -> None:
    said = read(
        an_exchange(
            trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
            caller_ip="192.0.2.7",
            method="GET",
            scheme="https",
            host="api.example.com",
            path="/orders/17",
            route="orders",
            api="orders",
            upstream="http://orders.internal:8000",
            status=200,
            upstream_status=200,
            bytes_in=10,
            bytes_out=2000,
            duration=0.0125,
            upstream_seconds=0.01,
            decision_seconds=0.0002,
            result="allow",
            provider="okta",
            client_id="mobile",
            notes=(("cache", "hit"), ("verified_by", "introspection")),
            reported=(("opening-hours", "closed"),),
            retries=1,
            user_agent="curl/8",
        )
    )
    assert said == {
        "ts": "2026-11-23T12:00:00.250Z",
        "level": "info",
        "msg": "access",
        "request_id": "r-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "caller_ip": "192.0.2.7",
        "method": "GET",
        "scheme": "https",
        "host": "api.example.com",
        "path": "/orders/17",
        "route": "orders",
        "api": "orders",
        "upstream": "http://orders.internal:8000",
        "status": 200,
        "upstream_status": 200,
        "bytes_in": 10,
        "bytes_out": 2000,
        "duration_ms": 12.5,
        "upstream_ms": 10.0,
        "decision_ms": 0.2,
        "result": "allow",
        "code": "",
        "flag": "",
        "fault": "",
        "provider": "okta",
        "client_id": "mobile",
        "subject_hash": "",
        "cache": "hit",
        "notes": {"verified_by": "introspection"},
        "would_refuse": ["opening-hours: closed"],
        "retries": 1,
        "user_agent": "curl/8",
    }


def test_what_a_caller_writes_cannot_make_a_line_or_speak_to_a_terminal() -> None:
    odd = 'a"\\\n\r\t\x00\x1b[31m\x7f\x9b\u2028\u202eé'
    said = read(an_exchange(host=odd, path=odd, user_agent=odd, method=odd))
    assert said["user_agent"] == said["path"] == said["host"] == odd


def test_bytes_that_are_no_text_are_replaced() -> None:
    assert read(an_exchange(user_agent="a\udcffb"))["user_agent"] == "a\ufffd\ufffd\ufffdb"


def test_a_value_is_cut_after_512_characters() -> None:
    assert read(an_exchange(path="/" + "a" * (LONGEST - 1)))["path"] == "/" + "a" * (LONGEST - 1)
    assert read(an_exchange(path="/" + "a" * LONGEST))["path"] == "/" + "a" * (LONGEST - 1)


@pytest.mark.parametrize("field", ["path", "user_agent", "host", "method", "client_id"])
def test_a_token_where_none_belongs_is_not_logged(field: str) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
    # At the end of what is kept, where half of it would no longer look like a token.
    said = read(an_exchange(**{field: "a" * (LONGEST - 30) + f" {token}"}))
    assert token[:12] not in str(said[field])


def test_a_subject_is_told_from_another_and_not_named() -> None:
    alice = read(an_exchange(provider="okta", subject="alice"))["subject_hash"]
    assert alice == read(an_exchange(provider="okta", subject="alice"))["subject_hash"]
    assert alice != read(an_exchange(provider="okta", subject="bob"))["subject_hash"]
    assert alice != read(an_exchange(provider="openam", subject="alice"))["subject_hash"]
    assert alice != read(an_exchange(provider="okta", subject="alice"), key=b"x" * 32)["subject_hash"]
    assert "alice" not in Lines(KEY).line(an_exchange(provider="okta", subject="alice"))


@pytest.mark.parametrize(
    ("said", "whose"),
    [
        ({"status": 200, "upstream_status": 200}, ""),
        ({"status": 404, "upstream_status": 404}, ""),
        ({"status": 500, "upstream_status": 500}, "upstream"),
        ({"flag": Flag.DENIED, "provider": "okta"}, "caller"),
        ({"flag": Flag.UNAVAILABLE, "provider": "okta"}, "provider"),
        ({"flag": Flag.UNAVAILABLE, "code": "provider_timeout"}, "provider"),
        ({"flag": Flag.UNAVAILABLE, "code": "quota_unavailable"}, "gateway"),
        ({"flag": Flag.FAILED, "code": "internal_error"}, "gateway"),
        ({"flag": Flag.UPSTREAM_TIMEOUT}, "upstream"),
        ({"flag": Flag.CALLER_LEFT}, "caller"),
    ],
)
def test_a_line_says_whose_fault_it_was(said: dict[str, object], whose: str) -> None:
    assert fault(an_exchange(**said)) == whose


@pytest.mark.parametrize("flag", Flag)
def test_every_flag_is_somebodys_fault(flag: Flag) -> None:
    assert fault(an_exchange(flag=flag)) in {"caller", "gateway", "provider", "upstream"} or flag is Flag.NONE


class Watched(Sink):
    """A sink that tells when so many lines were written."""

    def __init__(self, to: str) -> None:
        super().__init__(to)
        self._written = 0
        self._wrote = asyncio.Condition()

    async def write(self, lines: bytes) -> bool:
        written = await super().write(lines)
        async with self._wrote:
            self._written += lines.count(b"\n")
            self._wrote.notify_all()
        return written

    async def wrote(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE), self._wrote:
            await self._wrote.wait_for(lambda: self._written >= count)


class Drops(Series):
    """A counter that tells when it counted."""

    def __init__(self) -> None:
        super().__init__()
        self._counted = asyncio.Event()

    def inc(self, amount: float = 1, /) -> None:
        super().inc(amount)
        if amount:
            self._counted.set()

    async def counted(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await self._counted.wait()


@dataclass(frozen=True, slots=True)
class Opened:
    """An access log that writes to a file."""

    log: AccessLog
    sink: Watched
    dropped: Drops

    def write(self, *request_ids: str) -> None:
        for request_id in request_ids:
            self.log.write(an_exchange(request_id=request_id))


@asynccontextmanager
async def logging_to(path: Path) -> AsyncIterator[Opened]:
    sink, dropped = Watched(str(path)), Drops()
    log = AccessLog(Lines(KEY), sink, dropped)
    log.start()
    try:
        yield Opened(log, sink, dropped)
    finally:
        await log.close()


def ids(path: Path) -> list[str]:
    return [json.loads(line)["request_id"] for line in path.read_text().splitlines()]


async def test_lines_are_written_soon_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with logging_to(path) as opened:
        opened.write("first", "second")
        await opened.sink.wrote(2)
        assert ids(path) == ["first", "second"]
        opened.write("third")
        await opened.sink.wrote(3)
        assert ids(path) == ["first", "second", "third"]
    assert path.stat().st_mode & 0o007 == 0


async def test_many_lines_do_not_wait_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "EVERY", 3600.0)
    async with logging_to(tmp_path / "access.log") as opened:
        opened.write(*map(str, range(BATCH)))
        await opened.sink.wrote(BATCH)


async def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with logging_to(path) as opened:
        opened.write("last")
    assert ids(path) == ["last"]
    assert opened.dropped.value == 0


async def test_a_file_that_was_moved_away_is_made_anew_when_asked(tmp_path: Path) -> None:
    path, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    async with logging_to(path) as opened:
        opened.write("before")
        await opened.sink.wrote(1)
        path.rename(moved)
        opened.log.reopen()
        opened.write("after")
        await opened.sink.wrote(2)
        assert (ids(moved), ids(path)) == (["before"], ["after"])


async def test_a_file_that_cannot_be_made_anew_is_written_on(tmp_path: Path) -> None:
    folder, moved = tmp_path / "logs", tmp_path / "moved"
    folder.mkdir()
    async with logging_to(folder / "access.log") as opened:
        folder.rename(moved)
        opened.log.reopen()
        opened.write("still")
        await opened.sink.wrote(1)
        assert ids(moved / "access.log") == ["still"]
    assert opened.dropped.value == 0


async def test_a_full_disk_is_counted_and_the_log_goes_on() -> None:
    async with logging_to(Path("/dev/full")) as opened:
        opened.write("lost")
        await opened.dropped.counted()
        opened.write("lost too")
    assert opened.dropped.value == 2


async def test_one_exchange_that_cannot_be_told_does_not_silence_the_next(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    async with logging_to(path) as opened:
        opened.log.write(an_exchange(received_at=math.inf))
        await opened.dropped.counted()
        opened.write("next")
    assert ids(path) == ["next"]


async def test_a_reader_that_sleeps_costs_lines_and_never_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "LAST", 0.1)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        async with asyncio.timeout(DEADLINE), logging_to(pipe) as opened:
            while opened.dropped.value == 0:
                opened.write(*["a" * 400] * BATCH)
                await asyncio.sleep(0)  # let the writing begin
        # Closed although the reader still sleeps; what was waiting then is counted as well.
        assert opened.dropped.value > MOST_WAITING
    finally:
        os.close(reader)


async def test_lines_that_workers_write_to_one_pipe_are_not_torn() -> None:
    readable, writable = os.pipe()
    sinks = [Sink(f"/dev/fd/{writable}") for _ in range(2)]
    received = asyncio.get_running_loop().run_in_executor(None, read_all, readable)
    for sink in sinks:
        sink.start()
    batches = [b"".join(b"%d" % number * 100 + b"\n" for _ in range(2000)) for number in range(2)]
    assert await asyncio.gather(*(sink.write(batch) for sink, batch in zip(sinks, batches, strict=True))) == [True] * 2
    for sink in sinks:
        sink.close()
    os.close(writable)
    lines = (await received).splitlines()
    assert len(lines) == 4000
    assert set(lines) == {b"0" * 100, b"1" * 100}


def read_all(fd: int) -> bytes:
    with os.fdopen(fd, "rb") as file:
        select.select((file,), (), (), DEADLINE)
        return file.read()


def test_a_path_that_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Sink(str(tmp_path / "missing" / "access.log"))
