"""The rate limit with counters in a real Redis, and while it is away."""

import asyncio
import logging

import pytest
from pydantic import SecretStr

from gateway.policy import Allow, Deny
from policies.rate_limit import RateLimit
from policies.rate_limit.counters import Strategy
from tests.fakes import FakeClock, FakeSharing, decided
from tests.idp.processes import free_port
from tests.policies.rate_limit import opened, principal, request
from tests.policies.rate_limit.conftest import Redis

PATIENCE = 5.0
"""Seconds: what is tested is not how busy this machine is."""


@pytest.mark.parametrize("window", ["fixed", "sliding"])
async def test_two_gateways_count_together(redis: Redis, window: Strategy) -> None:
    options = RateLimit(redis_timeout=PATIENCE, redis=SecretStr(redis.url), window=window)
    one, other = FakeSharing(), FakeSharing()
    try:
        first, second = await opened(options, one), await opened(options, other)
        outcomes = [type(await decided(policy, request(principal()))) for policy in (first, second, first)]
        assert outcomes == [Allow, Allow, Deny]
    finally:
        await one.close()
        await other.close()


async def test_what_is_left_comes_from_redis(redis: Redis, sharing: FakeSharing) -> None:
    from gateway.clock import SystemClock

    clock = SystemClock()
    policy = await opened(
        RateLimit(redis_timeout=PATIENCE, redis=SecretStr(redis.url)), sharing, clock=FakeClock(clock.time())
    )
    await decided(policy, request(principal()))
    allowed = await decided(policy, request(principal()))
    assert isinstance(allowed, Allow)
    told = dict(allowed.answer_headers)["RateLimit"]
    assert told.startswith('"bronze-10";r=0;t=')
    assert 8 <= int(told.rpartition("=")[2]) <= 11


async def test_many_requests_at_once_take_no_more_than_there_is(redis: Redis, sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(redis_timeout=PATIENCE, redis=SecretStr(redis.url)), sharing)
    outcomes = await asyncio.gather(*(decided(policy, request(principal())) for _ in range(20)))
    assert sum(isinstance(outcome, Allow) for outcome in outcomes) == 2


@pytest.mark.case("C280")
async def test_while_redis_is_away_each_gateway_holds_the_limit_by_itself(
    redis: Redis, sharing: FakeSharing, caplog: pytest.LogCaptureFixture
) -> None:
    policy = await opened(RateLimit(redis_timeout=PATIENCE, redis=SecretStr(redis.url)), sharing)
    assert isinstance(await decided(policy, request(principal())), Allow)
    redis.running.kill()
    with caplog.at_level(logging.WARNING):
        outcomes = [type(await decided(policy, request(principal()))) for _ in range(5)]
    assert outcomes == [Allow, Allow, Deny, Deny, Deny]
    # After a few failures it is not asked any more: the requests that follow do not wait for it.
    assert len([each for each in caplog.records if "does not count" in each.message]) == 3


@pytest.mark.case("C280")
async def test_a_redis_that_hangs_costs_a_request_no_more_than_its_patience(redis: Redis, sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(redis=SecretStr(redis.url)), sharing)
    with redis.running.frozen():
        # Nobody answers within this block, so what ends it is our own patience.
        async with asyncio.timeout(5):
            outcomes = [type(await decided(policy, request(principal()))) for _ in range(3)]
    assert outcomes == [Allow, Allow, Deny]


@pytest.mark.case("C280")
async def test_a_redis_that_refuses_to_write_is_as_one_that_is_away(redis: Redis, sharing: FakeSharing) -> None:
    from redis.asyncio import Redis as Client

    async with Client.from_url(redis.url) as client:
        await client.config_set("maxmemory", "1")
    policy = await opened(RateLimit(redis_timeout=PATIENCE, redis=SecretStr(redis.url)), sharing)
    assert [type(await decided(policy, request(principal()))) for _ in range(3)] == [Allow, Allow, Deny]


@pytest.mark.case("C280")
async def test_redis_is_asked_again_after_a_while(redis: Redis, sharing: FakeSharing) -> None:
    clock = FakeClock()
    away = RateLimit(redis_timeout=PATIENCE, redis=SecretStr(f"redis://127.0.0.1:{free_port()}/0"))
    policy = await opened(away, sharing, clock=clock)
    for _ in range(3):
        await decided(policy, request(principal("other")))
    counts = next(iter(sharing.opened.values()))
    assert counts._breaker.refuses  # type: ignore[attr-defined]
    clock.move(2.0)
    assert not counts._breaker.refuses  # type: ignore[attr-defined]
