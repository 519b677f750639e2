"""Where a provider answers, found out from a provider that is there, wrong, slow, or away."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.fetch import open_fetch
from gateway.policy import Unavailable
from gateway.ports import Fetch
from gateway.providers import ClientCredentials, Endpoints, Provider, Transport
from gateway.providers.discovery import Condition, Discovery, State
from gateway.tasks import Tasks
from tests.certificates import self_signed
from tests.fakes import NOON, FakeClock
from tests.faulty_server import (
    FaultyServer,
    Verb,
    after,
    answer,
    bad_checksum,
    bomb,
    broken_chunk,
    by_path,
    document,
    endless_chunks,
    faulty_server,
    hang_up,
    html,
    redirect,
    refusing_port,
    silent,
    truncated,
)

ISSUER = "https://idp.example/oauth2/default"
PUBLISHED = {
    "issuer": ISSUER,
    "jwks_uri": "https://idp.example/keys",
    "introspection_endpoint": "https://idp.example/ask",
}
FOUND = Endpoints(jwks="https://idp.example/keys", introspection="https://idp.example/ask")
GOOD = document(PUBLISHED)
HASTY = Transport(connect_timeout=0.1, timeout=0.2)


def provider_at(*urls: str, transport: Transport = HASTY) -> Provider:
    return Provider(name="okta", issuer=ISSUER, discovery=urls, transport=transport)


@asynccontextmanager
async def discovering(
    provider: Provider, clock: FakeClock, *, pauses: tuple[float, ...] = (60.0,)
) -> AsyncIterator[Discovery]:
    tasks = Tasks()
    async with open_fetch(provider.transport) as fetch:
        try:
            yield Discovery(provider, fetch, clock, tasks, pauses=pauses)
        finally:
            await tasks.close()


@asynccontextmanager
async def published(*script: Verb, clock: FakeClock | None = None) -> AsyncIterator[tuple[FaultyServer, Discovery]]:
    async with (
        faulty_server(*script) as server,
        discovering(provider_at(f"{server.url}/metadata"), clock or FakeClock()) as discovery,
    ):
        yield server, discovery


async def refusal(discovery: Discovery) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        await discovery.endpoints()
    assert caught.value.code == "provider_metadata"
    return caught.value


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.002)


# What is found.


async def test_the_endpoints_are_those_of_the_metadata() -> None:
    async with published(GOOD) as (server, discovery):
        assert await discovery.endpoints() == FOUND
        assert discovery.metadata == PUBLISHED
        assert discovery.known
    [received] = server.received
    assert (received.method, received.target) == ("GET", "/metadata")
    assert received.header("Accept") == "application/json"
    assert received.header("Authorization") is None


async def test_what_is_known_is_not_asked_for_again() -> None:
    async with published(GOOD) as (server, discovery):
        for _ in range(10):
            await discovery.endpoints()
    assert len(server.received) == 1


async def nobody_may_ask(method: str, url: str, **_: object) -> None:
    raise AssertionError(f"{method} {url}")


@pytest.mark.parametrize(
    "provider",
    [
        Provider(name="okta", issuer=ISSUER, endpoints=FOUND),
        replace(provider_at("https://idp.example/metadata"), endpoints=FOUND, introspection=ClientCredentials()),
        replace(provider_at("https://idp.example/metadata"), endpoints=replace(FOUND, introspection=None)),
    ],
    ids=["nowhere to ask", "all configured", "keys are all that is needed"],
)
async def test_where_everything_is_configured_nothing_is_ever_asked(provider: Provider) -> None:
    fetch: Fetch = nobody_may_ask  # type: ignore[assignment] # it never replies
    clock, tasks = FakeClock(), Tasks()
    discovery = Discovery(provider, fetch, clock, tasks)
    for _ in range(2):
        assert await discovery.endpoints() == provider.endpoints
        clock.move(100_000)
    await tasks.close()
    assert discovery.known
    assert discovery.metadata == {}
    assert discovery.state == State(Condition.GOOD, NOON)


async def test_the_urls_are_tried_in_order() -> None:
    places = {"/first": answer(status=404), "/second": GOOD, "/third": GOOD}
    async with (
        faulty_server(by_path(places, answer(status=404))) as server,
        discovering(provider_at(*(server.url + place for place in places)), FakeClock()) as discovery,
    ):
        assert await discovery.endpoints() == FOUND
    assert [received.target for received in server.received] == ["/first", "/second"]


async def test_a_host_that_is_silent_is_not_asked_at_its_next_url() -> None:
    async with faulty_server(hang_up()) as sick, faulty_server(GOOD) as well:
        urls = (f"{sick.url}/a", f"{sick.url}/b", f"{well.url}/c")
        async with discovering(provider_at(*urls), FakeClock()) as discovery:
            assert await discovery.endpoints() == FOUND
    assert [received.target for received in sick.received] == ["/a"]


async def test_the_reason_is_the_answer_that_says_most() -> None:
    other = document({**PUBLISHED, "issuer": "https://other.example"})
    async with (
        faulty_server(by_path({"/oidc": other}, answer(status=404))) as server,
        discovering(provider_at(f"{server.url}/oidc", f"{server.url}/oauth"), FakeClock()) as discovery,
    ):
        failure = await refusal(discovery)
    assert failure.detail == "The metadata of okta cannot be had: its issuer is not the configured one."
    assert discovery.state.code == "metadata_issuer"


# What is not taken.


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        pytest.param(html(), "metadata_malformed", id="a page"),
        pytest.param(html(500), "metadata_status", id="500"),
        pytest.param(answer(b"[]"), "metadata_malformed", id="a list"),
        pytest.param(document({**PUBLISHED, "issuer": ISSUER + "/"}), "metadata_issuer", id="another issuer"),
        pytest.param(document({"issuer": ISSUER}), "metadata_endpoint", id="no keys"),
        pytest.param(document({**PUBLISHED, "jwks_uri": "file:///etc/passwd"}), "metadata_endpoint", id="a file"),
        pytest.param(document({**PUBLISHED, "jwks_uri": "http://idp.example/"}), "metadata_endpoint", id="plain http"),
        pytest.param(truncated(b"{}"), "provider_answer", id="truncated"),
        pytest.param(broken_chunk(b"{}"), "provider_answer", id="broken chunk"),
        pytest.param(bad_checksum(b"{}"), "provider_answer", id="bad checksum"),
        pytest.param(endless_chunks(), "provider_answer", id="endless"),
        pytest.param(bomb(64), "provider_answer", id="bomb"),
        pytest.param(hang_up(), "provider_unreachable", id="hung up"),
        pytest.param(silent(), "provider_timeout", id="silent"),
    ],
)
@pytest.mark.case("C089", "C091", "C092", "C102")
async def test_a_wrong_answer_is_none_and_never_replaces_a_good_one(verb: Verb, code: str) -> None:
    clock = FakeClock()
    async with published(verb, GOOD, verb, clock=clock) as (_, discovery):
        await refusal(discovery)
        assert discovery.state == State(Condition.FAILING, NOON, code)
        clock.move(1)
        assert await discovery.endpoints() == FOUND
        clock.move(3600)
        assert await discovery.endpoints() == FOUND
        await until(lambda: discovery.state.condition is Condition.FAILING)
        assert discovery.state.code == code
        assert await discovery.endpoints() == FOUND
        assert discovery.metadata == PUBLISHED
        assert discovery.known


@pytest.mark.case("C090")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with faulty_server(GOOD) as elsewhere, published(redirect(elsewhere.url, status)) as (_, discovery):
        await refusal(discovery)
        assert discovery.state.code == "metadata_status"
        assert elsewhere.connections == 0


@pytest.mark.case("C103")
async def test_a_certificate_that_nobody_vouches_for_is_not_taken(tmp_path: Path) -> None:
    async with (
        faulty_server(GOOD, tls=self_signed(tmp_path).serve()) as server,
        discovering(provider_at(f"{server.url}/metadata"), FakeClock()) as discovery,
    ):
        failure = await refusal(discovery)
    assert discovery.state.code == "provider_tls"
    assert failure.detail == "The metadata of okta cannot be had: The certificate of 127.0.0.1 is self-signed."


async def test_all_urls_together_have_the_time_of_one() -> None:
    late = after(0.15, answer(status=404))
    async with (
        faulty_server(late) as server,
        discovering(provider_at(*(f"{server.url}/{n}" for n in range(5))), FakeClock()) as discovery,
    ):
        await refusal(discovery)
        assert discovery.state.code == "provider_timeout"
        assert len(server.received) == 2


# Many who ask at once.


@pytest.mark.case("C105")
async def test_five_hundred_who_ask_at_once_are_one_request() -> None:
    async with published(after(0.05, GOOD)) as (server, discovery):
        assert set(await asyncio.gather(*(discovery.endpoints() for _ in range(500)))) == {FOUND}
    assert len(server.received) == 1


@pytest.mark.case("C105", "C106")
async def test_a_failure_reaches_all_who_wait_and_is_not_kept() -> None:
    clock = FakeClock()
    async with published(after(0.05, hang_up()), GOOD, clock=clock) as (server, discovery):
        asked = await asyncio.gather(*(discovery.endpoints() for _ in range(500)), return_exceptions=True)
        assert {(type(failure), getattr(failure, "code", "")) for failure in asked} == {
            (Unavailable, "provider_metadata")
        }
        assert len(server.received) == 1
        clock.move(1)
        assert await discovery.endpoints() == FOUND


@pytest.mark.case("C106")
async def test_one_who_gives_up_does_not_fail_the_others() -> None:
    async with published(after(0.05, GOOD)) as (server, discovery):
        leaves, stays = (asyncio.ensure_future(discovery.endpoints()) for _ in range(2))
        await server.until_received(1)
        leaves.cancel()
        assert await stays == FOUND
        assert leaves.cancelled()


@pytest.mark.case("C106")
async def test_two_providers_fail_each_on_its_own() -> None:
    async with published(after(0.05, hang_up())) as (_, sick), published(after(0.1, GOOD)) as (_, well):
        failure, found = await asyncio.gather(sick.endpoints(), well.endpoints(), return_exceptions=True)
    assert isinstance(failure, Unavailable)
    assert found == FOUND


async def test_a_provider_that_fails_is_asked_once_a_second_at_most() -> None:
    clock = FakeClock()
    async with published(hang_up(), clock=clock) as (server, discovery):
        for _ in range(10):
            assert (await refusal(discovery)).retry_after == 1
        assert len(server.received) == 1
        clock.move(0.999)
        await refusal(discovery)
        assert len(server.received) == 1
        clock.move(0.001)
        await refusal(discovery)
        assert len(server.received) == 2


# Time.


async def test_the_metadata_is_refreshed_by_the_hour_and_nobody_waits_for_it() -> None:
    clock = FakeClock()
    moved = document({**PUBLISHED, "jwks_uri": "https://idp.example/new"})
    async with published(GOOD, after(0.05, moved), clock=clock) as (server, discovery):
        await discovery.endpoints()
        clock.move(3599.9)
        await discovery.endpoints()
        assert len(server.received) == 1
        clock.move(0.1)
        assert await discovery.endpoints() == FOUND
        await until(lambda: discovery.metadata != PUBLISHED)
        assert (await discovery.endpoints()).jwks == "https://idp.example/new"
    assert len(server.received) == 2


async def test_a_refresh_that_failed_is_tried_again_after_an_hour() -> None:
    clock = FakeClock()
    async with published(GOOD, html(503), GOOD, clock=clock) as (server, discovery):
        await discovery.endpoints()
        clock.move(3600)
        await discovery.endpoints()
        await until(lambda: discovery.state == State(Condition.FAILING, NOON + 3600, "metadata_status"))
        clock.move(3599)
        await discovery.endpoints()
        assert len(server.received) == 2
        clock.move(1)
        await discovery.endpoints()
        await until(lambda: discovery.state == State(Condition.GOOD, NOON + 7200))


async def test_the_state_names_the_beginning_of_a_failure_and_its_last_reason() -> None:
    clock = FakeClock()
    async with published(hang_up(), html(), GOOD, clock=clock) as (_, discovery):
        assert discovery.state == State(Condition.NEVER, NOON)
        await refusal(discovery)
        assert discovery.state == State(Condition.FAILING, NOON, "provider_unreachable")
        clock.move(10)
        await refusal(discovery)
        assert discovery.state == State(Condition.FAILING, NOON, "metadata_malformed")
        clock.move(10)
        await discovery.endpoints()
        assert discovery.state == State(Condition.GOOD, NOON + 20)


# A provider that is away.


@pytest.mark.case("C087", "C284")
async def test_a_provider_that_was_away_is_found_again_without_being_asked_for() -> None:
    clock = FakeClock()
    async with faulty_server(GOOD) as server:
        await server.stop()
        async with discovering(provider_at(f"{server.url}/metadata"), clock, pauses=(0.01,)) as discovery:
            await until(lambda: discovery.state.condition is Condition.FAILING)
            assert not discovery.known
            await server.start()
            clock.move(1)
            await until(lambda: discovery.known)
            assert discovery.state.condition is Condition.GOOD
            assert await discovery.endpoints() == FOUND
            clock.move(1)
            await asyncio.sleep(0.03)
    assert len(server.received) == 1


@pytest.mark.case("C087")
async def test_the_pauses_of_the_background_are_those_that_were_given() -> None:
    clock = FakeClock()
    async with (
        faulty_server(hang_up()) as server,
        discovering(provider_at(server.url), clock, pauses=(0.01, 60)) as discovery,
    ):
        await until(lambda: discovery.state.condition is Condition.FAILING)
        clock.move(1)
        await server.until_received(2)
        clock.move(1)
        await asyncio.sleep(0.05)
    assert len(server.received) == 2


@pytest.mark.case("C127")
async def test_a_provider_that_refuses_connections_is_a_quick_failure() -> None:
    with refusing_port() as port:
        async with discovering(provider_at(f"http://127.0.0.1:{port}/a"), FakeClock()) as discovery:
            await refusal(discovery)
    assert discovery.state.code == "provider_unreachable"


async def test_closing_its_tasks_ends_the_search() -> None:
    before = len(asyncio.all_tasks())
    async with published(silent()) as (server, _):
        await server.until_received(1)
    assert len(asyncio.all_tasks()) == before


async def test_a_failure_is_logged_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    with caplog.at_level(logging.INFO, logger="gateway.providers.discovery"):
        async with published(hang_up(), hang_up(), GOOD, clock=clock) as (_, discovery):
            for _ in range(2):
                await refusal(discovery)
                clock.move(1)
            await discovery.endpoints()
    assert caplog.messages == [
        "provider okta: its metadata cannot be had: 127.0.0.1 closed the connection without an answer. "
        "(provider_unreachable)",
        "provider okta: its metadata is known",
    ]
