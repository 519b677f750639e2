"""The soak: a short one is passed, and what it is there to find would be found."""

import asyncio
import sys
from collections.abc import Sequence

import pytest

from benchmarks.soak.health import SWING, Health, complaints
from benchmarks.soak.load import Load
from benchmarks.soak.oracle import BELIEVED, TOLERANCE, Oracle, Token
from benchmarks.soak.provider import Provider
from gateway.tasks import Tasks
from tests.gateways import configuration, enforcement, served
from tests.servers import play, recording_upstream

HOUR = 3600.0
NOBODY = "http://127.0.0.1:9"


@pytest.mark.case("C263")
async def test_a_soak_finds_no_wrong_verdict_and_nothing_that_grows() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.soak", "--minutes", "0.4"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(120):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    assert process.returncode == 0, said.decode()
    assert b"verdicts were right, and nothing grows" in said


def hours(count: int, *, rss: float = 0.0, descriptors: float = 0.0, tasks: float = 0.0) -> Sequence[Health]:
    """Samples of every minute, of a process that grows by so much an hour."""
    return [
        Health(hour * HOUR, 80 + rss * hour, int(60 + descriptors * hour), int(20 + tasks * hour))
        for hour in (minute / 60 for minute in range(count * 60))
    ]


def test_a_process_that_stays_as_it_is_is_well() -> None:
    assert complaints(hours(3)) == []


def test_two_megabytes_an_hour_are_too_many_and_half_a_megabyte_is_not() -> None:
    (complaint,) = complaints(hours(12, rss=2.0))
    assert complaint.startswith("memory grew by")
    assert complaints(hours(12, rss=0.5)) == []


def test_what_is_taken_in_the_warm_up_is_not_growth() -> None:
    samples = hours(3)
    filled = [Health(each.at, 50.0 if each.at < 0.9 * HOUR else 80.0, 60, 20) for each in samples]
    assert complaints(filled) == []


@pytest.mark.parametrize("name", SWING)
def test_descriptors_and_tasks_that_are_never_given_back_are_found(name: str) -> None:
    (complaint,) = complaints(hours(3, **{name: 100.0}))
    assert complaint.startswith(f"{name} grew from")
    assert complaints(hours(3, **{name: 1.0})) == []


async def wrong_verdicts(answer: bytes, *, enforced: bool) -> Load:
    """What a load says of a gateway whose upstream gives that answer, and which may not look at tokens at all."""
    provider = Provider(9)
    async with recording_upstream() as upstream:
        upstream.plays(play(answer))
        config = configuration(NOBODY, upstream.url)
        config["routes"]["orders"]["path"] = "/"
        if enforced:
            enforcement(config)["order"] = "keys_only"
        else:
            config["routes"]["orders"]["policies"] = []
        async with served(config) as it:
            load = Load(Oracle(provider, seed=1), it.port, rate=1000)
            tasks = Tasks()
            running = tasks.start(load.run(4))
            while load.answered < 200:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
            load.ends = True
            await running
            return load


async def test_a_gateway_that_lets_everybody_through_is_found_out() -> None:
    load = await wrong_verdicts(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", enforced=False)
    assert any(wrong.startswith("unknown: 200 for [401]") for wrong in load.wrong)


async def test_a_gateway_that_refuses_everybody_is_found_out() -> None:
    load = await wrong_verdicts(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", enforced=True)
    assert any(wrong.startswith("issued: 503 for [200]") for wrong in load.wrong)


def test_a_revoked_token_may_be_believed_for_its_time_where_the_provider_is_asked_and_until_it_expires_by_keys() -> (
    None
):
    late = 100 + BELIEVED + 2 * TOLERANCE
    told = Token("t", "/orders", expires=1000, revoked=100)
    assert told.expected(97, 98) == {200}
    assert told.expected(100, 101) == {200, 401}
    assert told.expected(late, late) == {401}
    signed = Token("t", "/signed", expires=1000, revoked=100)
    assert signed.expected(late, late) == {200}
    assert signed.expected(1000 + 2 * TOLERANCE, 1003) == {401}
