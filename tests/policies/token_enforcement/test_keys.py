"""A provider's keys: fetched by one owner, kept when it fails, and no more often than they should be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from gateway.policy import Unavailable
from gateway.ports import Reply
from gateway.providers import Endpoints, KeyTimes
from gateway.providers.discovery import Discovery
from gateway.tasks import Tasks
from policies.token_enforcement.keys import Keys
from policies.token_enforcement.signature import Invalid, Verified
from tests.fakes import FakeClock, FakeMetrics, reply
from tests.policies.token_enforcement.fake_provider import DOWN, JWKS, PROVIDER, SIGNER, FakeProvider, jwt
from tests.policies.token_enforcement.signing import document, rsa_signer

NEW = rsa_signer(kid="rsa-2")
TIMES = KeyTimes(refresh_after=300, max_age=3600, cool_down=10)


class Bench:
    """Keys, their clock, and the provider that shows them."""

    def __init__(self, tasks: Tasks, **changes: Any) -> None:
        self.idp = FakeProvider()
        self.clock = FakeClock()
        self.metrics = FakeMetrics()
        provider = replace(PROVIDER, **{"keys": TIMES, **changes})
        fetch = self.idp.fetch
        discovery = Discovery(provider, fetch, self.clock, tasks)
        self.keys = Keys(provider, fetch, discovery, self.clock, tasks, self.metrics)

    async def code(self, token: str) -> str:
        """`good`, the code of the refusal, or the code of the failure."""
        try:
            verified = await self.keys.verify(token)
        except Unavailable as failure:
            return failure.code
        return verified.code if isinstance(verified, Invalid) else "good"


@asynccontextmanager
async def bench(**changes: Any) -> AsyncIterator[Bench]:
    tasks = Tasks()
    try:
        yield Bench(tasks, **changes)
    finally:
        await tasks.close()


async def test_a_token_is_verified_by_the_keys_that_the_provider_shows() -> None:
    async with bench() as b:
        verified = await b.keys.verify(jwt())
        assert isinstance(verified, Verified)
        assert verified.claims["sub"] == "alice"
        (asked,) = b.idp.fetch.asked
        assert (asked.method, asked.url, asked.body) == ("GET", JWKS, b"")
        assert asked.headers == {"Accept": "application/json"}


async def test_a_token_that_no_key_could_verify_is_refused_without_a_fetch() -> None:
    async with bench() as b:
        assert await b.code("opaque") == "token_malformed"
        assert await b.code(jwt(header={"alg": "none"})) == "token_algorithm_refused"
        assert b.idp.key_fetches == 0


@pytest.mark.case("C105")
async def test_five_hundred_first_tokens_make_one_fetch() -> None:
    async with bench() as b:
        codes = await asyncio.gather(*(b.code(jwt(jti=str(index % 5))) for index in range(500)))
        assert set(codes) == {"good"}
        assert b.idp.key_fetches == 1


@pytest.mark.case("C087", "C105")
async def test_when_the_first_fetch_fails_all_who_wait_hear_of_it_and_the_next_one_tries_again() -> None:
    async with bench() as b:
        b.idp.hides_keys()
        codes = await asyncio.gather(*(b.code(jwt()) for _ in range(500)))
        assert set(codes) == {"provider_unreachable"}
        assert b.idp.key_fetches == 1
        b.idp.publishes(SIGNER)
        assert await b.code(jwt()) == "good"


# --- rotation ---


@pytest.mark.case("C082")
async def test_a_key_that_was_rotated_in_is_found_by_the_first_token_that_names_it() -> None:
    async with bench() as b:
        await b.code(jwt())
        b.idp.publishes(SIGNER, NEW)
        assert await b.code(jwt(NEW)) == "good"
        assert await b.code(jwt(NEW)) == "good"
        assert b.idp.key_fetches == 2


@pytest.mark.case("C082")
async def test_over_twenty_rotations_no_token_is_refused_and_each_costs_one_fetch() -> None:
    async with bench() as b:
        await b.code(jwt())
        for rotation in range(20):
            signer = replace(SIGNER, kid=f"rotated-{rotation}")
            b.idp.publishes(SIGNER, signer)
            codes = await asyncio.gather(*(b.code(jwt(signer)) for _ in range(20)))
            assert set(codes) == {"good"}
            assert b.idp.key_fetches == 2 + rotation
            b.clock.move(10)


@pytest.mark.case("C082")
async def test_a_token_that_comes_while_its_key_is_looked_for_waits_for_it() -> None:
    async with bench() as b:
        await b.code(jwt())
        b.idp.publishes(SIGNER, NEW)
        b.idp.fetch.hold()
        tasks = Tasks()
        first = tasks.start(b.code(jwt(NEW)))
        await b.idp.fetch.until_asked(JWKS, 2)
        second = tasks.start(b.code(jwt(NEW)))
        await asyncio.sleep(0)
        b.idp.fetch.release()
        assert (await first, await second) == ("good", "good")
        assert b.idp.key_fetches == 2


@pytest.mark.case("C082")
async def test_a_fetch_that_began_before_the_key_was_shown_is_followed_by_another() -> None:
    async with bench(keys=replace(TIMES, refresh_after=0, cool_down=1000)) as b:
        tasks = Tasks()
        await b.code(jwt())
        shown = {False: document(SIGNER.jwk), True: document(SIGNER.jwk, NEW.jwk)}
        answers = iter([shown[False], shown[True]])
        b.idp.fetch.answers[JWKS] = lambda asked: reply(next(answers))
        b.idp.fetch.hold()
        background = b.keys._flights.lead(None, b.keys._refresh)
        waits = tasks.start(b.code(jwt(NEW)))
        await b.idp.fetch.until_asked(JWKS, 2)
        b.idp.fetch.release()
        await background
        assert await waits == "good"


@pytest.mark.case("C083")
async def test_a_key_that_was_taken_away_is_good_until_the_next_fetch_and_not_after() -> None:
    async with bench() as b:
        await b.code(jwt())
        b.idp.publishes(NEW)
        assert await b.code(jwt()) == "good"
        await b.code(jwt(NEW))
        assert await b.code(jwt()) == "token_key_unknown"


# --- a flood of unknown key ids ---


@pytest.mark.case("C036", "C084")
async def test_a_thousand_invented_key_ids_make_one_fetch_per_cool_down() -> None:
    async with bench() as b:
        await b.code(jwt())
        for cool_down in range(3):
            tokens = [jwt(header={"kid": f"invented-{cool_down}-{index}"}) for index in range(100)]
            codes = [code for _ in range(10) for code in await asyncio.gather(*(b.code(token) for token in tokens))]
            assert set(codes) == {"token_key_unknown"}
            assert b.idp.key_fetches == 2 + cool_down
            b.clock.move(9.999)
            await b.code(tokens[0])
            assert b.idp.key_fetches == 2 + cool_down
            b.clock.move(0.001)
        assert b.metrics["jwks_unknown_key_ids", "provider=idp"].value == 3003


@pytest.mark.case("C036")
@pytest.mark.parametrize(
    "kid", ["../../dev/null", "' or 1=1--", "http://collector.example/", "a\r\nX-Evil: 1", "k" * 300]
)
async def test_a_key_id_names_a_key_and_is_never_part_of_what_we_ask(
    kid: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench() as b:
        assert await b.code(jwt(header={"kid": kid})) in {"token_key_unknown", "token_malformed"}
        assert {asked.url for asked in b.idp.fetch.asked} <= {JWKS}
        assert kid not in caplog.text


@pytest.mark.case("C033", "C034")
@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c"])
async def test_keys_that_a_token_brings_along_are_not_looked_at(member: str) -> None:
    values = {
        "jwk": NEW.jwk,
        "jku": "https://collector.example/keys",
        "x5u": "https://collector.example/x",
        "x5c": ["MIIB"],
    }
    async with bench() as b:
        assert await b.code(jwt(NEW, header={member: values[member], "kid": "rsa-1"})) == "token_signature_invalid"
        assert {asked.url for asked in b.idp.fetch.asked} == {JWKS}


# --- a provider that fails ---

FAILURES = {
    "unreachable": DOWN,
    "500": reply(document(NEW.jwk), 500),
    "404": reply(b"", 404),
    "301": reply(b"", 301),
    "307": reply(b"", 307),
    "html": reply(b"<html>sign in</html>", media_type="text/html"),
    "null": reply(b"null"),
    "array": reply(b"[]"),
    "object": reply(b"{}"),
    "no keys": reply(b'{"keys":[]}'),
    "keys null": reply(b'{"keys":null}'),
    "cut off": reply(document(NEW.jwk)[:-20]),
    "none usable": reply(document({"kty": "RSA", "use": "enc"})),
    "too big": reply(document(NEW.jwk, {"pad": "x" * 300_000})),
}


@pytest.mark.case("C086", "C088", "C089", "C090")
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_the_last_good_keys_survive_any_failure(failure: Reply | Unavailable) -> None:
    async with bench() as b:
        await b.code(jwt())
        b.idp.fetch.answers[JWKS] = failure
        with pytest.raises(Unavailable):
            await b.keys._flights.join(None, b.keys._refresh)
        assert await b.code(jwt()) == "good"
        assert b.metrics["jwks_fetches", "provider=idp", "result=failure"].value == 1


@pytest.mark.case("C086")
async def test_that_a_key_cannot_be_looked_for_is_not_the_caller_s_fault() -> None:
    async with bench() as b:
        await b.code(jwt())
        b.idp.hides_keys()
        assert await b.code(jwt(NEW)) == "provider_unreachable"
        assert await b.code(jwt(NEW)) == "provider_keys"
        assert b.idp.key_fetches == 2
        b.clock.move(10)
        b.idp.publishes(SIGNER, NEW)
        assert await b.code(jwt(NEW)) == "good"


@pytest.mark.case("C086")
async def test_keys_are_trusted_up_to_their_maximum_age_and_not_at_it() -> None:
    async with bench() as b:
        await b.code(jwt())
        b.idp.hides_keys()
        b.clock.move(3599.999)
        assert await b.code(jwt()) == "good"
        b.clock.move(0.001)
        assert await b.code(jwt()) == "provider_unreachable"


@pytest.mark.case("C279")
async def test_a_wall_clock_that_is_set_forward_or_back_changes_nothing_about_keys() -> None:
    async with bench() as b:
        await b.code(jwt())
        b.idp.hides_keys()
        for step in (86_400 * 365, -86_400 * 365):
            b.clock.step(step)
            assert await b.code(jwt()) == "good"


async def test_a_provider_that_publishes_no_keys_is_unavailable() -> None:
    async with bench(endpoints=Endpoints(introspection="https://idp.example.com/introspect")) as b:
        assert await b.code(jwt()) == "provider_metadata"


async def test_keys_are_missing_only_when_they_were_looked_for_in_vain() -> None:
    async with bench() as b:
        assert not b.keys.are_missing
        b.idp.hides_keys()
        await b.code(jwt())
        assert b.keys.are_missing
        b.idp.publishes(SIGNER)
        await b.code(jwt())
        assert not b.keys.are_missing
        b.idp.hides_keys()
        await b.code(jwt(NEW))
        assert not b.keys.are_missing


# --- in the background ---


async def test_keys_are_fetched_at_once_and_again_ahead_of_time() -> None:
    async with bench(keys=replace(TIMES, refresh_after=0)) as b:
        tasks = Tasks()
        tasks.start(b.keys.keep_fresh())
        await b.idp.fetch.until_asked(JWKS, 3)
        await tasks.close()
        assert b.metrics["jwks_last_success_timestamp_seconds", "provider=idp"].value == b.clock.time()


@pytest.mark.case("C086")
async def test_keeping_keys_fresh_goes_on_through_failures() -> None:
    async with bench(keys=replace(TIMES, refresh_after=0, cool_down=0)) as b:
        tasks = Tasks()
        b.idp.hides_keys()
        tasks.start(b.keys.keep_fresh())
        await b.idp.fetch.until_asked(JWKS, 3)
        b.idp.publishes(SIGNER)
        await b.idp.fetch.until_asked(JWKS, b.idp.key_fetches + 2)
        b.idp.hides_keys()
        assert await b.code(jwt()) == "good"
        await tasks.close()


async def test_a_refresh_ahead_does_not_use_up_the_look_for_a_new_key() -> None:
    async with bench(keys=replace(TIMES, cool_down=1000)) as b:
        await b.keys._flights.join(None, b.keys._refresh)
        b.idp.publishes(SIGNER, NEW)
        assert await b.code(jwt(NEW)) == "good"
