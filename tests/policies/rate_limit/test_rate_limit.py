"""The rate limit in memory: whose requests are counted, what is answered, and what callers are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from gateway.clients.catalogue import Limit, Tier
from gateway.policy import Allow, Deny, Principal, Unavailable
from policies.rate_limit import RateLimit
from policies.rate_limit.counters import MemoryCounts, Strategy
from policies.rate_limit.windows import Left, windows_of
from tests.fakes import NOON, FakeClock, FakeSharing, decided
from tests.policies.rate_limit import TIERS, opened, principal, request


async def test_requests_within_the_tier_are_allowed_and_the_next_is_refused(sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(), sharing)
    assert isinstance(await decided(policy, request(principal())), Allow)
    assert isinstance(await decided(policy, request(principal(), at=1)), Allow)
    refused = await decided(policy, request(principal(), at=2))
    assert isinstance(refused, Deny)
    assert (refused.status, refused.code) == (429, "rate_limited")


async def test_a_refusal_says_when_to_come_back(sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(), sharing)
    for at in (0, 1):
        await decided(policy, request(principal(), at=at))
    refused = await decided(policy, request(principal(), at=3.5))
    assert isinstance(refused, Deny)
    # RFC 6585, 4: the answer may include a Retry-After header.
    assert dict(refused.headers)["Retry-After"] == "7"
    assert isinstance(await decided(policy, request(principal(), at=9.9)), Deny)
    assert isinstance(await decided(policy, request(principal(), at=10.5)), Allow)


async def test_a_caller_is_told_what_is_left(sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(), sharing)
    allowed = await decided(policy, request(principal()))
    assert isinstance(allowed, Allow)
    assert dict(allowed.answer_headers) == {
        "RateLimit-Policy": '"bronze-10";q=2;w=10',
        "RateLimit": '"bronze-10";r=1;t=10',
    }


async def test_all_windows_hold_at_once_and_the_tightest_is_told(sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(), sharing)
    who = principal(tier="gold")
    allowed = [await decided(policy, request(who, at=at)) for at in (0, 1, 2)]
    last = allowed[-1]
    assert isinstance(last, Allow)
    assert dict(last.answer_headers)["RateLimit"] == '"gold-10";r=0;t=8'
    assert isinstance(await decided(policy, request(who, at=3)), Deny)
    # The short window is new, and two of the long one's five are left: a refusal has cost nothing.
    assert [type(await decided(policy, request(who, at=at))) for at in (11, 12, 13)] == [Allow, Allow, Deny]


async def test_the_headers_of_the_gateway_before_can_be_had(sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(headers="x-ratelimit"), sharing)
    allowed = await decided(policy, request(principal()))
    assert isinstance(allowed, Allow)
    assert allowed.answer_headers == (
        ("X-RateLimit-Limit", "2"), ("X-RateLimit-Remaining", "1"), ("X-RateLimit-Reset", "10000"),
    )  # fmt: skip


async def test_a_hidden_limit_holds_and_is_not_told(sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(), sharing)
    who = principal(tier="quiet")
    assert await decided(policy, request(who)) == Allow()
    refused = await decided(policy, request(who))
    assert isinstance(refused, Deny)
    assert [name for name, _ in refused.headers] == ["Retry-After"]


@pytest.mark.parametrize(
    "other",
    [principal("desktop"), principal(provider="keycloak"), principal("orders/mobile")],
    ids=["client", "provider", "a client that is called like a part of a key"],
)
async def test_each_client_has_counters_of_its_own(sharing: FakeSharing, other: Principal) -> None:
    policy = await opened(RateLimit(), sharing)
    for _ in range(3):
        await decided(policy, request(principal()))
    assert isinstance(await decided(policy, request(other)), Allow)


async def test_each_api_has_counters_of_its_own_and_its_routes_share_them(sharing: FakeSharing) -> None:
    orders, more_orders = await opened(RateLimit(), sharing), await opened(RateLimit(), sharing)
    invoices = await opened(RateLimit(), sharing, api="invoices")
    await decided(orders, request(principal()))
    await decided(more_orders, request(principal()))
    assert isinstance(await decided(orders, request(principal())), Deny)
    assert isinstance(await decided(invoices, request(principal())), Allow)


async def test_a_change_of_tier_counts_from_the_next_request(sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(), sharing)
    for _ in range(3):
        await decided(policy, request(principal()))
    assert isinstance(await decided(policy, request(principal(tier="gold"))), Allow)


async def test_without_a_tier_there_is_no_limit_unless_the_options_name_one(sharing: FakeSharing) -> None:
    unlimited = await opened(RateLimit(), sharing)
    assert [await decided(unlimited, request(principal(tier=None))) for _ in range(9)] == [Allow()] * 9
    limited = await opened(RateLimit(tier="bronze"), sharing)
    assert [type(await decided(limited, request(principal(tier=None)))) for _ in range(3)] == [Allow, Allow, Deny]


async def test_callers_without_a_token_are_told_apart_by_address(sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(tier="bronze"), sharing)
    for _ in range(3):
        await decided(policy, request(None))
    assert isinstance(await decided(policy, request(None)), Deny)
    assert isinstance(await decided(policy, request(None, address="192.0.2.2")), Allow)


async def test_a_tier_without_limits_is_never_refused(sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(), sharing)
    assert [await decided(policy, request(principal(tier="free"))) for _ in range(9)] == [Allow()] * 9


async def test_a_tier_that_nobody_described_is_our_fault_and_no_way_in(sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(), sharing)
    with pytest.raises(Unavailable) as failure:
        await decided(policy, request(principal(tier="platinum")))
    assert failure.value.code == "tier_unknown"


async def test_options_that_name_no_tier_of_the_configuration_cannot_be_opened(sharing: FakeSharing) -> None:
    with pytest.raises(ValueError, match="no tier is called silver"):
        await opened(RateLimit(tier="silver"), sharing)


def test_an_address_that_is_none_of_redis_is_refused() -> None:
    with pytest.raises(ValueError, match="redis://host:port/0"):
        RateLimit(redis=SecretStr("http://redis.internal"))


async def test_what_is_explained_is_not_counted(sharing: FakeSharing) -> None:
    from policies.rate_limit.limiter import Limiter

    policy = await opened(RateLimit(), sharing)
    assert isinstance(policy, Limiter)
    for _ in range(5):
        (finding,) = await policy.explain(request(principal()), None)
        assert (finding.passed, finding.detail) == (True, "bronze-10: 2 of 2 in 10 s left")
    (finding,) = await policy.explain(request(principal(tier=None)), None)
    assert finding.passed is None


async def test_what_is_left_can_be_asked_for_people_and_costs_nothing(sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(), sharing)
    await decided(policy, request(principal()))
    counts = next(iter(sharing.opened.values()))
    assert isinstance(counts, MemoryCounts)
    for _ in range(3):
        (left,) = await counts.limits_left("okta", "orders", "mobile", TIERS["bronze"])
        assert (left.limit, left.remaining, left.resets_in) == (TIERS["bronze"].limits[0], 1, 10.0)
    (whole,) = await counts.limits_left("okta", "invoices", "mobile", TIERS["bronze"])
    assert whole.remaining == 2


steps = st.lists(st.floats(0.0, 7.0, allow_nan=False), min_size=1, max_size=60)


@given(steps=steps)
def test_no_fixed_window_ever_lets_more_through_than_its_limit(steps: list[float]) -> None:
    counts, now = MemoryCounts("fixed", FakeClock()), NOON
    taken: list[float] = []
    windows = windows_of("gold", TIERS["gold"].limits)
    for step in steps:
        now += step
        if isinstance(counts.take(windows, ("a",), now), list):
            taken.append(now)
    for window in windows:
        # A window begins with the first request after the one before, so two touch at most in any stretch of time.
        for start in taken:
            within = [at for at in taken if start <= at < start + window.seconds]
            assert len(within) <= 2 * window.requests
    for start in _beginnings(taken, 10):
        assert len([at for at in taken if start <= at < start + 10]) <= 3


@given(steps=steps, strategy=st.sampled_from(["fixed", "sliding"]))
def test_whoever_waits_as_told_is_let_through(steps: list[float], strategy: Strategy) -> None:
    counts, now = MemoryCounts(strategy, FakeClock()), NOON
    windows = windows_of("bronze", (Limit(requests=3, seconds=10),))
    for step in steps:
        now += step
        taken = counts.take(windows, ("a",), now)
        if isinstance(taken, Left):
            assert taken.remaining == 0
            now += taken.whole_seconds
            assert isinstance(counts.take(windows, ("a",), now), list)


@given(steps=steps)
def test_a_sliding_window_counts_what_the_one_before_weighs(steps: list[float]) -> None:
    counts, now = MemoryCounts("sliding", FakeClock()), NOON
    taken: list[float] = []
    windows = windows_of("bronze", (Limit(requests=4, seconds=10),))
    for step in steps:
        now += step
        before = [at for at in taken if int(at // 10) == int(now // 10) - 1]
        during = [at for at in taken if int(at // 10) == int(now // 10)]
        weighed = int(len(before) * (10 - now % 10) / 10) + len(during)
        outcome = counts.take(windows, ("a",), now)
        assert isinstance(outcome, list) is (weighed < 4)
        if isinstance(outcome, list):
            taken.append(now)


def _beginnings(taken: list[float], seconds: int) -> list[float]:
    """When each fixed window began."""
    found: list[float] = []
    for at in taken:
        if not found or at >= found[-1] + seconds:
            found.append(at)
    return found


async def test_who_has_many_addresses_of_one_network_does_not_begin_anew_with_each(sharing: FakeSharing) -> None:
    policy = await opened(RateLimit(tier="bronze"), sharing)
    outcomes = [await decided(policy, request(None, address=f"2001:db8::{number:x}")) for number in range(1, 4)]
    assert [type(each) for each in outcomes] == [Allow, Allow, Deny]
    assert isinstance(await decided(policy, request(None, address="2001:db8:0:1::1")), Allow)


@pytest.mark.parametrize("window", ["fixed", "sliding"])
async def test_who_changes_the_tier_to_and_fro_does_not_begin_anew(sharing: FakeSharing, window: Strategy) -> None:
    tiers = {name: Tier(name=name, limits=(Limit(requests=most, seconds=10),)) for name, most in (("a", 3), ("b", 4))}
    policy = await opened(RateLimit(window=window), sharing, tiers=tiers)
    for tier in ("a", "b", "a"):
        assert isinstance(await decided(policy, request(principal(tier=tier))), Allow)
    assert isinstance(await decided(policy, request(principal(tier="a"))), Deny)
    assert isinstance(await decided(policy, request(principal(tier="b"))), Allow)
    assert isinstance(await decided(policy, request(principal(tier="b"))), Deny)


async def test_of_two_limits_of_one_window_the_narrower_holds(sharing: FakeSharing) -> None:
    tier = Tier(name="odd", limits=(Limit(requests=2, seconds=10), Limit(requests=5, seconds=10)))
    policy = await opened(RateLimit(), sharing, tiers={"odd": tier})
    outcomes = [await decided(policy, request(principal(tier="odd"))) for _ in range(3)]
    assert [type(each) for each in outcomes] == [Allow, Allow, Deny]


@pytest.mark.parametrize("window", ["fixed", "sliding"])
async def test_a_clock_that_is_set_back_keeps_nobody_out(sharing: FakeSharing, window: Strategy) -> None:
    policy = await opened(RateLimit(window=window), sharing)
    outcomes = [await decided(policy, request(principal(), at=7200)) for _ in range(3)]
    assert [type(each) for each in outcomes] == [Allow, Allow, Deny]
    outcomes = [await decided(policy, request(principal(), at=0)) for _ in range(3)]
    assert [type(each) for each in outcomes] == [Allow, Allow, Deny]
