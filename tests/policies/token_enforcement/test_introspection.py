"""What a provider is asked about a token, and how its answer is read."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from gateway.policy import Unavailable
from gateway.ports import Reply
from gateway.providers import ClientAuthentication, ClientCredentials, Endpoints, Limits, Transport
from gateway.providers.discovery import Discovery
from gateway.tasks import Tasks
from policies.token_enforcement.claims import Token
from policies.token_enforcement.credential import Credential
from policies.token_enforcement.facts import Active, Fact, NotIntrospectable, Rejected
from policies.token_enforcement.introspection import SIGNED, Introspection
from policies.token_enforcement.keys import Keys
from tests.fakes import NOON, Asked, FakeClock, FakeMetrics, json_reply, reply
from tests.policies.token_enforcement.fake_provider import (
    DOWN,
    INTROSPECTION,
    ISSUER,
    JWKS,
    OPAQUE,
    PROVIDER,
    SECRET,
    SIGNER,
    FakeProvider,
    active,
    forged,
)
from tests.policies.token_enforcement.signing import Signer, rsa_signer


class Bench:
    """An introspection, its clock, and the provider that it asks."""

    def __init__(self, tasks: Tasks, **changes: Any) -> None:
        self.idp = FakeProvider()
        self.clock = FakeClock()
        self.metrics = FakeMetrics()
        provider = replace(PROVIDER, **changes)
        fetch = self.idp.fetch
        discovery = Discovery(provider, fetch, self.clock, tasks)
        keys = Keys(provider, fetch, discovery, self.clock, tasks, self.metrics)
        self.introspection = Introspection(provider, fetch, discovery, keys, self.clock, self.metrics)

    async def ask(self, token: str = OPAQUE) -> Fact:
        return await self.introspection.ask(Credential(token))

    async def asked(self, token: str = OPAQUE) -> Asked:
        """The one question that was sent about the token."""
        await self.ask(token)
        (asked,) = self.idp.fetch.asked
        return asked

    async def failure(self, token: str = OPAQUE) -> str:
        """The code of the failure that asking must come to."""
        with pytest.raises(Unavailable) as caught:
            await self.ask(token)
        assert caught.value.retry_after >= 1
        return caught.value.code

    def outcomes(self) -> dict[str, float]:
        """How often introspections came to what."""
        name = "introspection_requests"
        return {
            series[1].removeprefix("outcome="): entry.value
            for series, entry in self.metrics.series.items()
            if series[0] == name
        }


@asynccontextmanager
async def bench(**changes: Any) -> AsyncIterator[Bench]:
    tasks = Tasks()
    try:
        yield Bench(tasks, **changes)
    finally:
        await tasks.close()


async def answered(answer: Reply | Unavailable, **changes: Any) -> Fact:
    """What an answer means."""
    async with bench(**changes) as b:
        b.idp.answers(answer)
        return await b.ask()


# --- the question ---


@pytest.mark.case("C107")
async def test_the_question_is_a_form_with_the_token_a_hint_and_our_proof_and_nothing_else() -> None:
    async with bench() as b:
        asked = await b.asked()
        assert (asked.method, asked.url) == ("POST", INTROSPECTION)
        assert asked.body == f"token={OPAQUE}&token_type_hint=access_token".encode()
        assert asked.headers == {
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
            "Authorization": f"Basic {base64.b64encode(f'gateway:{SECRET}'.encode()).decode()}",
        }


@pytest.mark.case("C143")
@pytest.mark.parametrize("token", ["a&client_id=evil", "a=b", "a+b", "a%26b", "a;b", "a b", "a\r\nb", "ä", "a#?/"])
async def test_no_token_adds_a_parameter_to_the_question(token: str) -> None:
    async with bench() as b:
        assert (await b.asked(token)).form == {"token": token, "token_type_hint": "access_token"}


@pytest.mark.case("C143", "C159")
@given(token=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_token_reaches_the_provider_as_it_was_sent(token: str) -> None:
    async def asked() -> Asked:
        async with bench() as b:
            return await b.asked(token)

    fields = parse_qsl(asyncio.run(asked()).body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    assert fields == [("token", token), ("token_type_hint", "access_token")]


@pytest.mark.case("C107")
async def test_a_proof_in_the_form_stands_beside_the_token() -> None:
    posted = ClientCredentials(
        authentication=ClientAuthentication.CLIENT_SECRET_POST, client_id="gateway", client_secret=SecretStr("a&b")
    )
    async with bench(introspection=posted) as b:
        asked = await b.asked()
        assert "Authorization" not in asked.headers
        assert asked.form == {
            "token": OPAQUE,
            "token_type_hint": "access_token",
            "client_id": "gateway",
            "client_secret": "a&b",
        }


async def test_a_provider_without_an_introspection_endpoint_is_unavailable() -> None:
    async with bench(endpoints=Endpoints(jwks=JWKS)) as b:
        assert await b.failure() == "provider_metadata"
        assert b.idp.fetch.asked == []


# --- the answer ---


@pytest.mark.case("C107")
async def test_an_active_token_is_what_the_provider_says_it_is() -> None:
    async with bench() as b:
        b.idp.says[OPAQUE] = active(scope="a b")
        fact = await b.ask()
        assert isinstance(fact, Active)
        assert isinstance(fact.token, Token)
        assert (fact.token.subject, fact.asked_at) == ("alice", NOON)
        assert fact.token.scopes == {"a", "b"}
        assert b.outcomes() == {"active": 1}


@pytest.mark.case("C108")
async def test_an_inactive_token_is_rejected() -> None:
    async with bench() as b:
        assert await b.ask() == Rejected("token_inactive", "The token is not active.", NOON)
        assert b.outcomes() == {"inactive": 1}


@pytest.mark.case("C109")
@pytest.mark.parametrize("value", [None, "true", "false", 1, 0, 1.0, [], [True], {}, {"active": True}])
async def test_what_is_not_true_is_not_active_and_counts_as_malformed(value: object) -> None:
    async with bench() as b:
        b.idp.says[OPAQUE] = active(active=value)
        assert isinstance(await b.ask(), Rejected)
        assert b.outcomes() == {"malformed": 1}


@pytest.mark.case("C109")
async def test_an_answer_that_says_nothing_of_active_is_no_yes() -> None:
    async with bench() as b:
        b.idp.says[OPAQUE] = {"sub": "alice", "token_type": "Bearer"}
        assert isinstance(await b.ask(), Rejected)


@pytest.mark.case("C112")
@pytest.mark.parametrize("exp", ["1795435260", 1e300, 10**399, True, [], {}])
async def test_a_date_that_is_none_rejects_the_token_and_breaks_nothing(exp: object) -> None:
    fact = await answered(json_reply(active(exp=exp)))
    assert isinstance(fact, Rejected)
    assert fact.code == "token_malformed"


@pytest.mark.case("C121")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"active": tru',
        b"[]",
        b'[{"active": true}]',
        b"null",
        b"true",
        b"1",
        b'"active"',
        b'{"active": true} x',
        b'{"active": true}{"active": true}',
        b'{"active": true, "exp": NaN}',
        b'{"active": true, "exp": Infinity}',
        b'{"active": true, "exp": 1e400}',
        b'{"active": false, "active": true}',
        b"\xef\xbb\xbf" + b'{"active": true}',
        '{"active": true}'.encode("utf-16"),
        b'{"active": true, "sub": "\xff"}',
        b'{"active": true, "exp": ' + b"1" * 5000 + b"}",
        b'{"a":' * 100_000,
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_what_is_no_json_object_is_no_answer(body: bytes) -> None:
    async with bench() as b:
        b.idp.answers(reply(body))
        assert await b.failure() == "provider_answer"


@pytest.mark.case("C120", "C141")
@pytest.mark.parametrize("media_type", ["text/html", "text/plain", "", SIGNED, "application/jwt", "application/jsonx"])
async def test_what_does_not_say_that_it_is_json_is_no_answer(media_type: str) -> None:
    async with bench() as b:
        b.idp.answers(json_reply(active(), media_type=media_type))
        assert await b.failure() == "provider_answer"


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON ;x=y"])
async def test_a_parameter_of_the_media_type_does_not_matter(media_type: str) -> None:
    assert isinstance(await answered(json_reply(active(), media_type=media_type)), Active)


@pytest.mark.case("C117")
@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 429, 201, 204, 206])
async def test_an_error_of_the_provider_says_nothing_of_the_token(status: int) -> None:
    async with bench() as b:
        b.idp.answers(json_reply(active(), status))
        assert await b.failure() == "provider_error"
        assert b.outcomes() == {"provider_error": 1}


@pytest.mark.case("C118", "C134")
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 415])
async def test_a_provider_that_refuses_us_says_nothing_of_the_token_and_is_counted_apart(status: int) -> None:
    async with bench() as b:
        b.idp.answers(json_reply({"error": "invalid_client"}, status))
        assert await b.failure() == "provider_refuses_us"
        assert b.outcomes() == {"provider_refuses_us": 1}


@pytest.mark.case("C126")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_no_answer_and_nobody_is_asked_there(status: int) -> None:
    async with bench() as b:
        elsewhere = reply(b"", status)
        b.idp.answers(Reply(status, {**elsewhere.headers, "Location": "https://collector.example/"}, b""))
        assert await b.failure() == "provider_error"
        assert [asked.url for asked in b.idp.fetch.asked] == [INTROSPECTION]


async def test_that_such_tokens_are_not_introspected_is_neither_yes_nor_no() -> None:
    fact = await answered(json_reply({"error": "unsupported_token_type"}, 400))
    assert fact == NotIntrospectable(NOON)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"error": 1}', b'{"error": ["unsupported_token_type"]}'])
async def test_only_the_error_code_itself_says_that_tokens_are_not_introspected(body: bytes) -> None:
    async with bench() as b:
        b.idp.answers(reply(body, 400))
        assert await b.failure() == "provider_refuses_us"


async def test_a_fact_is_as_old_as_its_question() -> None:
    async with bench() as b:
        b.idp.says[OPAQUE] = active()
        b.idp.fetch.hold()
        tasks = Tasks()
        asking = tasks.start(b.ask())
        await b.idp.fetch.until_asked(INTROSPECTION, 1)
        b.clock.move(4)
        b.idp.fetch.release()
        assert (await asking).asked_at == NOON
        assert b.metrics["introspection_duration_seconds", "provider=idp"].observed == [4]


# --- a provider that keeps failing ---


@pytest.mark.case("C132")
async def test_a_provider_that_keeps_failing_is_left_alone_then_asked_by_one() -> None:
    async with bench(limits=Limits(failures=3, cool_down=5)) as b:
        b.idp.answers(DOWN)
        codes = [await b.failure() for _ in range(5)]
        assert codes == ["provider_unreachable"] * 3 + ["provider_resting"] * 2
        assert b.introspection.rests
        assert b.metrics["circuit_open", "target=idp"].value == 1
        b.idp.recovers()
        b.clock.move(5)
        await b.ask()
        assert not b.introspection.rests
        assert b.metrics["circuit_open", "target=idp"].value == 0


@pytest.mark.case("C118", "C132")
async def test_a_provider_that_refuses_us_answers_and_goes_on_being_asked() -> None:
    async with bench(limits=Limits(failures=1)) as b:
        b.idp.answers(json_reply({}, 401))
        assert [await b.failure() for _ in range(3)] == ["provider_refuses_us"] * 3


@pytest.mark.case("C128")
async def test_only_so_many_are_asked_at_once() -> None:
    async with bench(limits=Limits(concurrency=2)) as b:
        b.idp.fetch.hold()
        tasks = Tasks()
        asking = [tasks.start(b.ask(f"token-{index}")) for index in range(5)]
        await b.idp.fetch.until_asked(INTROSPECTION, 2)
        await asyncio.sleep(0)
        assert b.idp.introspections == 2
        b.idp.fetch.release()
        await asyncio.gather(*asking)
        assert b.idp.introspections == 5


@pytest.mark.case("C128")
async def test_waiting_for_a_turn_counts_towards_the_time_that_an_answer_may_take() -> None:
    async with bench(limits=Limits(concurrency=1), transport=Transport(timeout=0.01)) as b:
        b.idp.fetch.hold()
        assert set(await asyncio.gather(b.failure("a"), b.failure("b"))) == {"provider_timeout"}
        assert b.idp.introspections == 1


@pytest.mark.case("C139")
async def test_a_caller_that_leaves_gives_its_turn_back() -> None:
    async with bench(limits=Limits(concurrency=1, failures=1)) as b:
        b.idp.fetch.hold()
        tasks = Tasks()
        leaving = tasks.start(b.ask("a"))
        await b.idp.fetch.until_asked(INTROSPECTION, 1)
        await tasks.close()
        assert leaving.cancelled()
        b.idp.fetch.release()
        await b.ask("b")


# --- signed answers (RFC 9701) ---


def signed_reply(signer: Signer = SIGNER, *, typ: str = "token-introspection+jwt", **changes: object) -> Reply:
    said = {"iss": ISSUER, "aud": "gateway", "iat": int(NOON), "token_introspection": active(), **changes}
    payload = {name: value for name, value in said.items() if value is not None}
    return reply(signer.token(payload, typ=typ).encode(), media_type=SIGNED)


async def test_a_signed_answer_is_asked_for_and_believed() -> None:
    async with bench(signed_introspection=True) as b:
        b.idp.answers(signed_reply())
        assert isinstance(await b.ask(), Active)
        assert b.idp.fetch.asked[0].headers["Accept"] == SIGNED


async def test_a_signed_no_is_a_no() -> None:
    fact = await answered(signed_reply(token_introspection={"active": False}), signed_introspection=True)
    assert isinstance(fact, Rejected)


async def test_an_audience_may_be_a_list_of_us_alone() -> None:
    assert isinstance(await answered(signed_reply(aud=["gateway"]), signed_introspection=True), Active)


async def test_a_signed_answer_may_be_longer_than_a_bearer_token() -> None:
    long = signed_reply(token_introspection=active(groups=["g" * 100] * 100))
    assert isinstance(await answered(long, signed_introspection=True), Active)


UNTRUSTED = {
    "plain JSON": json_reply(active()),
    "JSON by another name": json_reply(active(), media_type=SIGNED),
    "a signature of somebody else": signed_reply(replace(SIGNER, private=rsa_signer(kid="other").private)),
    "a signature that was changed": reply(forged(signed_reply().body.decode()).encode(), media_type=SIGNED),
    "an access token": signed_reply(typ="at+jwt"),
    "an ID token": signed_reply(typ="JWT"),
    "from another issuer": signed_reply(iss="https://other.example.com"),
    "from nobody": signed_reply(iss=None),
    "for another client": signed_reply(aud="other"),
    "for us and another": signed_reply(aud=["gateway", "other"]),
    "for nobody": signed_reply(aud=None),
    "nothing inside": signed_reply(token_introspection=None),
    "a string inside": signed_reply(token_introspection=json.dumps(active())),
    "a list inside": signed_reply(token_introspection=[active()]),
    "as another media type": Reply(200, {"Content-Type": "application/jwt"}, signed_reply().body),
    "not ASCII": reply(b"\xff" + signed_reply().body, media_type=SIGNED),
}


@pytest.mark.parametrize("answer", UNTRUSTED.values(), ids=UNTRUSTED)
async def test_an_answer_that_is_not_signed_for_us_is_no_answer(answer: Reply) -> None:
    async with bench(signed_introspection=True) as b:
        b.idp.answers(answer)
        assert await b.failure() == "provider_answer"


async def test_a_provider_whose_keys_cannot_be_had_gives_no_signed_answer() -> None:
    async with bench(signed_introspection=True) as b:
        b.idp.answers(signed_reply())
        b.idp.hides_keys()
        assert await b.failure() == "provider_unreachable"


async def test_a_provider_without_an_issuer_gives_no_signed_answer() -> None:
    async with bench(signed_introspection=True, issuer=None) as b:
        b.idp.answers(signed_reply(iss=None))
        assert await b.failure() == "provider_answer"
