"""What is known of a credential: from memory, from the provider, or by its keys; and what an outage changes."""

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from gateway.policy import Allow, Decision, Deny, Policy, Unavailable
from gateway.ports import Reply
from gateway.providers import Dialect, Limits, Order
from gateway.providers.status import ProviderState
from gateway.tasks import Tasks
from policies.token_enforcement.options import Patience
from tests.fakes import json_reply, reply, request
from tests.policies.token_enforcement.fake_provider import (
    DOWN,
    INTROSPECTION,
    JWKS,
    OPAQUE,
    PROVIDER,
    SIGNER,
    FakeProvider,
    Stage,
    active,
    forged,
    jwt,
    staged,
)
from tests.policies.token_enforcement.signing import ec_signer, rsa_signer

NO_CACHE = Patience(max_age=0)


async def outcome(stage: Stage, route: Policy, token: str, **facts: Any) -> str:
    """A for allowed, D for denied with 401, U for undecided."""
    try:
        decision = await stage.decide(route, token, **facts)
    except Unavailable:
        return "U"
    if isinstance(decision, Allow):
        return "A"
    assert decision.status == 401
    return "D"


def cache_note(decision: Decision) -> str:
    """Where the fact of the decision came from."""
    return dict(decision.notes)["cache"]


# --- the table: what is decided, whatever the provider does and whatever is known ---

PROVIDER_STATES: dict[str, Reply | Unavailable | None] = {
    "says_active": None,
    "says_inactive": json_reply({"active": False}),
    "does_not_introspect_such": json_reply({"error": "unsupported_token_type"}, 400),
    "refuses_us_401": json_reply({"error": "invalid_client"}, 401),
    "refuses_us_403": json_reply({"error": "access_denied"}, 403),
    "refuses_us_400": json_reply({"error": "invalid_request"}, 400),
    "is_down": DOWN,
}
TOKENS = {"good JWT": jwt(), "forged JWT": forged(jwt()), "opaque": OPAQUE}
KNOWN = ("nothing", "active", "inactive", "active, long ago", "inactive, long ago")
"""What the provider said of the token before; long ago is beyond the maximum ages."""

# Read: an outage is U where nobody can say, never D; and A only where the keys may stand in. What was once inactive
# stays D for as long as the provider does not say otherwise. A provider that refuses us is not replaced by its keys.
TABLE = """
                                                  good JWT    forged JWT  opaque
introspect_then_keys  says_active                 A A D A A   A A D A A   A A D A A
introspect_then_keys  says_inactive               D A D D D   D A D D D   D A D D D
introspect_then_keys  does_not_introspect_such    A A D A A   D A D D D   D A D D D
introspect_then_keys  refuses_us_401              U A D U D   U A D U D   U A D U D
introspect_then_keys  refuses_us_403              U A D U D   U A D U D   U A D U D
introspect_then_keys  refuses_us_400              U A D U D   U A D U D   U A D U D
introspect_then_keys  is_down                     A A D A D   D A D U D   U A D U D
introspect_only       says_active                 A A D A A   A A D A A   A A D A A
introspect_only       says_inactive               D A D D D   D A D D D   D A D D D
introspect_only       does_not_introspect_such    D A D D D   D A D D D   D A D D D
introspect_only       refuses_us_401              U A D U D   U A D U D   U A D U D
introspect_only       refuses_us_403              U A D U D   U A D U D   U A D U D
introspect_only       refuses_us_400              U A D U D   U A D U D   U A D U D
introspect_only       is_down                     U A D U D   U A D U D   U A D U D
keys_first            says_active                 A A A A A   D D D D D   A A D A A
keys_first            says_inactive               A A A A A   D D D D D   D A D D D
keys_first            does_not_introspect_such    A A A A A   D D D D D   D A D D D
keys_first            refuses_us_401              A A A A A   D D D D D   U A D U D
keys_first            refuses_us_403              A A A A A   D D D D D   U A D U D
keys_first            refuses_us_400              A A A A A   D D D D D   U A D U D
keys_first            is_down                     A A A A A   D D D D D   U A D U D
keys_only             says_active                 A A A A A   D D D D D   D D D D D
keys_only             says_inactive               A A A A A   D D D D D   D D D D D
keys_only             does_not_introspect_such    A A A A A   D D D D D   D D D D D
keys_only             refuses_us_401              A A A A A   D D D D D   D D D D D
keys_only             refuses_us_403              A A A A A   D D D D D   D D D D D
keys_only             refuses_us_400              A A A A A   D D D D D   D D D D D
keys_only             is_down                     A A A A A   D D D D D   D D D D D
"""


def cells() -> Iterator[Any]:
    for line in TABLE.strip().splitlines()[1:]:
        order, state, *letters = line.split()
        for index, (token, known) in enumerate((token, known) for token in TOKENS for known in KNOWN):
            yield pytest.param(Order(order), state, token, known, letters[index], id=f"{order}-{state}-{token}-{known}")


@pytest.mark.case("C107", "C108", "C117", "C118", "C133", "C134", "C135", "C136")
@pytest.mark.parametrize(("order", "state", "token", "known", "expected"), list(cells()))
async def test_what_is_decided(order: Order, state: str, token: str, known: str, expected: str) -> None:
    presented = TOKENS[token]
    async with staged() as stage:
        await remember(stage, presented, known)
        route = await stage.route(order=order)
        answer = PROVIDER_STATES[state]
        stage.idp.says[presented] = active()
        if answer is not None:
            stage.idp.answers(answer)
        assert await outcome(stage, route, presented) == expected


async def remember(stage: Stage, token: str, known: str) -> None:
    """Let another route learn it from the provider."""
    if known == "nothing":
        return
    if known.startswith("active"):
        stage.idp.says[token] = active()
    await outcome(stage, await stage.route(order=Order.INTROSPECT_ONLY), token)
    if known.endswith("long ago"):
        stage.clock.move(120)


WITHOUT_KEYS = """
                                                  good JWT    opaque
introspect_then_keys  says_active                 A           A
introspect_then_keys  says_inactive               D           D
introspect_then_keys  does_not_introspect_such    U           D
introspect_then_keys  is_down                     U           U
keys_first            says_active                 A           A
keys_first            says_inactive               D           D
keys_first            does_not_introspect_such    U           D
keys_first            is_down                     U           U
keys_only             says_active                 U           D
keys_only             is_down                     U           D
"""


def cells_without_keys() -> Iterator[Any]:
    for line in WITHOUT_KEYS.strip().splitlines()[1:]:
        order, state, *letters = line.split()
        for token, expected in zip(["good JWT", "opaque"], letters, strict=True):
            yield pytest.param(Order(order), state, token, expected, id=f"{order}-{state}-{token}")


@pytest.mark.case("C087", "C133")
@pytest.mark.parametrize(("order", "state", "token", "expected"), list(cells_without_keys()))
async def test_what_is_decided_while_the_keys_are_not_to_be_had(
    order: Order, state: str, token: str, expected: str
) -> None:
    async with staged() as stage:
        stage.idp.hides_keys()
        stage.idp.says[TOKENS[token]] = active()
        answer = PROVIDER_STATES[state]
        if answer is not None:
            stage.idp.answers(answer)
        assert await outcome(stage, await stage.route(order=order), TOKENS[token]) == expected


# --- memory ---


@pytest.mark.case("C107")
async def test_a_second_request_is_decided_from_memory_and_at_once() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.says[OPAQUE] = active()
        assert cache_note(await stage.decide(route, OPAQUE)) == "miss"
        decision = route.decide(request(OPAQUE))
        assert isinstance(decision, Allow)
        assert cache_note(decision) == "hit"
        assert stage.idp.introspections == 1


@pytest.mark.case("C108")
async def test_a_rejection_is_remembered_for_its_time_and_no_longer() -> None:
    async with staged() as stage:
        route = await stage.route(cache=Patience(negative_age=10))
        await stage.decide(route, OPAQUE)
        stage.idp.says[OPAQUE] = active()
        stage.clock.move(9.999)
        assert cache_note(await stage.decide(route, OPAQUE)) == "negative"
        stage.clock.move(0.001)
        assert isinstance(await stage.decide(route, OPAQUE), Allow)


@pytest.mark.case("C151")
async def test_a_revoked_token_is_denied_once_the_maximum_age_is_over() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.says[OPAQUE] = active()
        await stage.decide(route, OPAQUE)
        del stage.idp.says[OPAQUE]
        stage.clock.move(60)
        assert isinstance(await stage.decide(route, OPAQUE), Deny)


@pytest.mark.case("C147")
async def test_two_routes_may_want_different_freshness_from_one_entry() -> None:
    async with staged() as stage:
        patient, impatient = await stage.route(), await stage.route(cache=Patience(max_age=5))
        stage.idp.says[OPAQUE] = active()
        await stage.decide(patient, OPAQUE)
        stage.clock.move(5)
        assert cache_note(await stage.decide(patient, OPAQUE)) == "hit"
        assert cache_note(await stage.decide(impatient, OPAQUE)) == "miss"
        assert cache_note(await stage.decide(impatient, OPAQUE)) == "hit"


@pytest.mark.case("C164")
@pytest.mark.parametrize("said", [active(), {"active": False}])
async def test_a_maximum_age_of_zero_asks_each_time(said: dict[str, object]) -> None:
    async with staged() as stage:
        route = await stage.route(cache=NO_CACHE)
        stage.idp.says[OPAQUE] = said
        for _ in range(3):
            await stage.decide(route, OPAQUE)
        stage.clock.step(-30)
        await stage.decide(route, OPAQUE)
        assert stage.idp.introspections == 4


@pytest.mark.case("C156")
@pytest.mark.parametrize(
    "failure",
    [
        DOWN,
        json_reply({"active": True}, 500),
        json_reply({"error": "invalid_client"}, 401),
        json_reply(["active"]),
        json_reply({"active": True}, media_type="text/html"),
    ],
    ids=["unreachable", "500", "401", "no object", "html"],
)
async def test_a_failure_is_never_kept_as_an_answer(failure: Reply | Unavailable) -> None:
    async with staged() as stage:
        route = await stage.route(order=Order.INTROSPECT_ONLY)
        stage.idp.says[OPAQUE] = active()
        stage.idp.answers(failure)
        assert await outcome(stage, route, OPAQUE) == "U"
        stage.idp.recovers()
        assert await outcome(stage, route, OPAQUE) == "A"


@pytest.mark.case("C149")
async def test_two_clients_at_one_provider_have_memories_of_their_own() -> None:
    assert PROVIDER.introspection is not None
    idp = FakeProvider()
    idp.says[OPAQUE] = active()
    other = replace(PROVIDER.introspection, client_id="another")
    async with staged(idp) as ours, staged(idp, introspection=other) as theirs:
        theirs.sharing = ours.sharing
        await ours.decide(await ours.route(), OPAQUE)
        await theirs.decide(await theirs.route(), OPAQUE)
        assert len(ours.sharing.opened) == 2
        assert idp.introspections == 2


@pytest.mark.case("C160")
@pytest.mark.parametrize("token", [jwt(), OPAQUE, "invented"])
async def test_no_credential_can_be_read_from_the_memory(token: str) -> None:
    async with staged() as stage:
        stage.idp.says[token] = active()
        await stage.decide(await stage.route(), token)
        await stage.decide(await stage.route(order=Order.KEYS_ONLY), token)
        remembered = [text for shelf in (stage.verifier._told, stage.verifier._verified) for text in texts(shelf)]
        assert remembered
        assert not [text for text in remembered if token in text or token[-12:] in text]


def texts(root: object) -> Iterator[str]:
    """Every string and byte string that an object holds, however deep."""
    seen: set[int] = set()
    left = [root]
    while left:
        thing = left.pop()
        if id(thing) in seen or isinstance(thing, type | ModuleType) or callable(thing):
            continue
        seen.add(id(thing))
        if isinstance(thing, str):
            yield thing
        elif isinstance(thing, bytes):
            yield thing.decode("latin-1")
        left.extend(gc.get_referents(thing))


# --- one question for all who wait ---


@pytest.mark.case("C154")
async def test_a_thousand_first_requests_make_one_introspection() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.says[OPAQUE] = active()
        decisions = await asyncio.gather(*(stage.decide(route, OPAQUE) for _ in range(1000)))
        assert all(isinstance(decision, Allow) for decision in decisions)
        assert stage.idp.introspections == 1


@pytest.mark.case("C154", "C156")
async def test_a_thousand_first_requests_hear_of_one_failure() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.answers(DOWN)
        outcomes = await asyncio.gather(*(outcome(stage, route, OPAQUE) for _ in range(1000)))
        assert set(outcomes) == {"U"}
        assert stage.idp.introspections == 1


@pytest.mark.case("C139")
async def test_a_first_caller_that_leaves_fails_nobody() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.says[OPAQUE] = active()
        stage.idp.fetch.hold()
        tasks = Tasks()
        first, second = (tasks.start(stage.decide(route, OPAQUE)) for _ in range(2))
        await stage.idp.fetch.until_asked(INTROSPECTION, 1)
        first.cancel()
        stage.idp.fetch.release()
        assert isinstance(await second, Allow)
        assert first.cancelled()
        assert stage.idp.introspections == 1


async def test_who_wants_it_fresh_does_not_join_an_older_question() -> None:
    async with staged() as stage:
        route = await stage.route(freshness={"DELETE": 0})
        stage.idp.says[OPAQUE] = active()
        stage.idp.fetch.hold()
        tasks = Tasks()
        reading = tasks.start(stage.decide(route, OPAQUE))
        await stage.idp.fetch.until_asked(INTROSPECTION, 1)
        deleting = tasks.start(stage.decide(route, OPAQUE, method="DELETE"))
        await stage.idp.fetch.until_asked(INTROSPECTION, 2)
        stage.idp.fetch.release()
        assert isinstance(await reading, Allow)
        assert isinstance(await deleting, Allow)


async def test_a_method_that_wants_fresh_facts_asks_and_the_others_do_not() -> None:
    async with staged() as stage:
        route = await stage.route(freshness={"DELETE": 0, "PUT": 10})
        stage.idp.says[OPAQUE] = active()
        await stage.decide(route, OPAQUE)
        stage.clock.move(9.999)
        assert cache_note(await stage.decide(route, OPAQUE, method="PUT")) == "hit"
        stage.clock.move(0.001)
        assert cache_note(await stage.decide(route, OPAQUE, method="GET")) == "hit"
        assert cache_note(await stage.decide(route, OPAQUE, method="PUT")) == "miss"
        assert cache_note(await stage.decide(route, OPAQUE, method="DELETE")) == "miss"
        assert cache_note(await stage.decide(route, OPAQUE, method="DELETE")) == "miss"


@pytest.mark.case("C135", "C279")
async def test_a_no_that_a_fresh_question_brought_counts_for_all_though_the_clock_was_set_back() -> None:
    async with staged() as stage:
        route = await stage.route(freshness={"DELETE": 0})
        stage.idp.says[OPAQUE] = active()
        await stage.decide(route, OPAQUE)
        del stage.idp.says[OPAQUE]
        stage.clock.step(-30)
        assert isinstance(await stage.decide(route, OPAQUE, method="DELETE"), Deny)
        assert isinstance(await stage.decide(route, OPAQUE, method="GET"), Deny)


# --- refresh ahead ---


async def test_a_token_in_use_is_asked_for_again_before_its_time_is_over_and_nobody_waits() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.says[OPAQUE] = active()
        await stage.decide(route, OPAQUE)
        stage.clock.move(47.999)
        await stage.decide(route, OPAQUE)
        assert stage.idp.introspections == 1
        stage.clock.move(0.001)
        assert cache_note(await stage.decide(route, OPAQUE)) == "hit"
        await stage.idp.fetch.until_asked(INTROSPECTION, 2)
        stage.clock.move(59.999)
        assert cache_note(await stage.decide(route, OPAQUE)) == "hit"


async def test_a_token_that_a_refresh_says_the_same_of_is_allowed_by_the_same_object() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.says[OPAQUE] = active(scope="orders.read orders.write", aud=["a", "b"], roles=["x", "y"])
        await stage.decide(route, OPAQUE)
        before = await stage.decide(route, OPAQUE)
        for times in (2, 3):
            stage.clock.move(50)
            assert await stage.decide(route, OPAQUE) is before
            await stage.idp.fetch.until_asked(INTROSPECTION, times)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert await stage.decide(route, OPAQUE) is before
        assert stage.idp.introspections == 3


async def test_however_many_use_a_token_it_is_refreshed_once() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.says[OPAQUE] = active()
        await stage.decide(route, OPAQUE)
        stage.clock.move(50)
        stage.idp.fetch.hold()
        for _ in range(100):
            assert cache_note(await stage.decide(route, OPAQUE)) == "hit"
        stage.idp.fetch.release()
        await asyncio.sleep(0)
        assert stage.idp.introspections == 2


async def test_a_token_that_was_revoked_meanwhile_is_denied_as_soon_as_the_refresh_says_so() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.says[OPAQUE] = active()
        await stage.decide(route, OPAQUE)
        del stage.idp.says[OPAQUE]
        stage.clock.move(50)
        await stage.decide(route, OPAQUE)
        await stage.idp.fetch.until_asked(INTROSPECTION, 2)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert isinstance(await stage.decide(route, OPAQUE), Deny)


async def test_a_refresh_that_fails_changes_nothing_until_the_time_is_over() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.says[OPAQUE] = active()
        await stage.decide(route, OPAQUE)
        stage.idp.answers(DOWN)
        stage.clock.move(59.999)
        assert await outcome(stage, route, OPAQUE) == "A"
        stage.clock.move(0.001)
        assert await outcome(stage, route, OPAQUE) == "U"


# --- stale if error ---


async def test_what_is_too_old_is_not_believed_in_an_outage_unless_the_route_says_so() -> None:
    async with staged() as stage:
        strict = await stage.route(order=Order.INTROSPECT_ONLY)
        lenient = await stage.route(order=Order.INTROSPECT_ONLY, cache=Patience(stale_if_error=30))
        stage.idp.says[OPAQUE] = active()
        await stage.decide(strict, OPAQUE)
        stage.idp.answers(DOWN)
        stage.clock.move(60)
        assert await outcome(stage, strict, OPAQUE) == "U"
        assert cache_note(await stage.decide(lenient, OPAQUE)) == "stale"


@pytest.mark.parametrize("order", [Order.INTROSPECT_ONLY, Order.INTROSPECT_THEN_KEYS, Order.KEYS_FIRST])
async def test_a_stale_fact_is_believed_for_its_time_and_no_longer(order: Order) -> None:
    async with staged() as stage:
        route = await stage.route(order=order, cache=Patience(stale_if_error=30))
        stage.idp.says[OPAQUE] = active()
        await stage.decide(route, OPAQUE)
        stage.idp.answers(DOWN)
        stage.clock.move(89.999)
        assert await outcome(stage, route, OPAQUE) == "A"
        stage.clock.move(0.001)
        assert await outcome(stage, route, OPAQUE) == "U"


async def test_a_stale_fact_is_not_believed_while_the_provider_answers() -> None:
    async with staged() as stage:
        route = await stage.route(cache=Patience(stale_if_error=30))
        stage.idp.says[OPAQUE] = active()
        await stage.decide(route, OPAQUE)
        del stage.idp.says[OPAQUE]
        stage.clock.move(60)
        assert await outcome(stage, route, OPAQUE) == "D"


async def test_a_method_that_wants_fresh_facts_gets_no_stale_ones() -> None:
    async with staged() as stage:
        route = await stage.route(
            order=Order.INTROSPECT_ONLY, cache=Patience(stale_if_error=300), freshness={"DELETE": 0}
        )
        stage.idp.says[OPAQUE] = active()
        await stage.decide(route, OPAQUE)
        stage.idp.answers(DOWN)
        assert await outcome(stage, route, OPAQUE, method="DELETE") == "U"
        assert await outcome(stage, route, OPAQUE, method="GET") == "A"


@pytest.mark.case("C150")
async def test_a_stale_fact_does_not_outlive_its_token() -> None:
    async with staged() as stage:
        route = await stage.route(order=Order.INTROSPECT_ONLY, cache=Patience(stale_if_error=300), leeway=0)
        stage.idp.says[OPAQUE] = active(exp=stage.clock.time() + 70)
        await stage.decide(route, OPAQUE)
        stage.idp.answers(DOWN)
        stage.clock.move(69.999)
        assert await outcome(stage, route, OPAQUE) == "A"
        stage.clock.move(0.001)
        assert await outcome(stage, route, OPAQUE) == "D"


# --- an outage ---


@pytest.mark.case("C132", "C133")
async def test_a_provider_that_keeps_failing_is_left_alone_and_jwts_are_decided_at_once() -> None:
    async with staged(limits=Limits(failures=2, cool_down=5)) as stage:
        route = await stage.route()
        stage.idp.answers(DOWN)
        for index in range(5):
            assert await outcome(stage, route, jwt(jti=str(index))) == "A"
        assert stage.idp.introspections == 2
        assert stage.metrics["token_fallbacks", "provider=idp"].value == 5


@pytest.mark.case("C132")
async def test_a_provider_that_came_back_is_asked_after_the_cool_down() -> None:
    async with staged(limits=Limits(failures=1, cool_down=5)) as stage:
        route = await stage.route()
        stage.idp.says[OPAQUE] = active()
        stage.idp.answers(DOWN)
        assert await outcome(stage, route, OPAQUE) == "U"
        stage.idp.recovers()
        stage.clock.move(4.999)
        assert await outcome(stage, route, OPAQUE) == "U"
        stage.clock.move(0.001)
        assert await outcome(stage, route, OPAQUE) == "A"


@pytest.mark.case("C135")
async def test_what_was_seen_inactive_stays_denied_for_the_whole_outage_and_not_longer() -> None:
    async with staged(limits=Limits(failures=1, cool_down=5)) as stage:
        route = await stage.route()
        revoked = jwt()
        assert await outcome(stage, route, revoked) == "D"
        stage.idp.answers(DOWN)
        for _ in range(10):
            stage.clock.move(300)
            assert await outcome(stage, route, revoked) == "D"
        stage.idp.recovers()
        stage.idp.says[revoked] = active()
        stage.clock.move(5)
        assert await outcome(stage, route, revoked) == "A"


@pytest.mark.case("C135", "C279")
async def test_what_was_seen_inactive_stays_denied_though_the_clock_is_set_back() -> None:
    async with staged() as stage:
        route = await stage.route()
        token = jwt()
        stage.idp.says[token] = active()
        assert await outcome(stage, route, token) == "A"
        del stage.idp.says[token]
        stage.clock.step(-3600)
        assert await outcome(stage, route, token) == "D"
        stage.idp.answers(DOWN)
        stage.clock.move(60)
        assert await outcome(stage, route, token) == "D"


@pytest.mark.case("C134")
@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_keys_that_checked_the_token_before_do_not_stand_in_for_a_provider_that_refuses_us(status: int) -> None:
    async with staged() as stage:
        token = jwt()
        await stage.decide(await stage.route(order=Order.KEYS_ONLY), token)
        stage.idp.answers(json_reply({}, status))
        assert await outcome(stage, await stage.route(), token) == "U"


@pytest.mark.case("C133")
async def test_that_keys_say_nothing_of_an_opaque_token_is_no_refusal_in_an_outage() -> None:
    async with staged(limits=Limits(failures=1)) as stage:
        assert await outcome(stage, await stage.route(order=Order.KEYS_ONLY), OPAQUE) == "D"
        stage.idp.answers(DOWN)
        route = await stage.route()
        assert await outcome(stage, route, OPAQUE) == "U"
        assert await outcome(stage, route, OPAQUE) == "U"


async def test_a_token_the_provider_once_stood_for_is_not_refused_by_keys_in_an_outage() -> None:
    """Some providers sign tokens with keys that they do not publish."""
    async with staged(limits=Limits(failures=1)) as stage:
        route = await stage.route()
        token = jwt(ec_signer())
        stage.idp.says[token] = active()
        assert await outcome(stage, route, token) == "A"
        stage.idp.answers(DOWN)
        stage.clock.move(60)
        assert await outcome(stage, route, token) == "U"
        assert await outcome(stage, route, token) == "U"


@pytest.mark.case("C137")
async def test_the_rules_are_the_same_when_keys_stand_in() -> None:
    async with staged() as stage:
        route = await stage.route(audience=("https://api",), scopes=("orders.read",))
        stage.idp.answers(DOWN)
        assert await outcome(stage, route, jwt(aud="https://api")) == "A"
        assert await outcome(stage, route, jwt(aud="https://other")) == "D"
        assert await outcome(stage, route, jwt()) == "D"
        assert await outcome(stage, route, jwt(aud="https://api", exp=int(stage.clock.time()) - 6)) == "D"
        assert await outcome(stage, route, jwt(aud="https://api", iss="https://other")) == "D"
        assert await outcome(stage, route, jwt(aud="https://api", header={"typ": "JWT"})) == "D"
        decision = await stage.decide(route, jwt(aud="https://api", scope="orders.write"))
        assert isinstance(decision, Deny)
        assert decision.status == 403


# --- providers that do not introspect JWTs ---


@pytest.mark.parametrize("order", [Order.INTROSPECT_THEN_KEYS, Order.KEYS_FIRST, Order.KEYS_ONLY])
async def test_a_dialect_without_introspection_of_jwts_checks_them_by_keys_and_remembers(order: Order) -> None:
    async with staged(dialect=Dialect(introspects_jwts=False)) as stage:
        route = await stage.route(order=order)
        assert cache_note(await stage.decide(route, jwt())) == "miss"
        assert cache_note(await stage.decide(route, jwt())) == "hit"
        assert stage.idp.introspections == 0


async def test_a_dialect_without_introspection_of_jwts_still_introspects_other_tokens() -> None:
    async with staged(dialect=Dialect(introspects_jwts=False)) as stage:
        stage.idp.says[OPAQUE] = active()
        assert await outcome(stage, await stage.route(), OPAQUE) == "A"


async def test_that_a_provider_does_not_introspect_a_jwt_is_remembered_with_what_the_keys_said() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.answers(json_reply({"error": "unsupported_token_type"}, 400))
        assert cache_note(await stage.decide(route, jwt())) == "miss"
        assert cache_note(await stage.decide(route, jwt())) == "hit"
        assert stage.idp.introspections == 1


# --- the rest of it ---


async def test_the_keys_are_there_before_the_first_outage() -> None:
    async with staged() as stage:
        route = await stage.route()
        await stage.idp.fetch.until_asked(JWKS, 1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        stage.idp.hides_keys()
        stage.idp.answers(DOWN)
        assert await outcome(stage, route, jwt()) == "A"


async def test_purging_forgets_the_tokens_of_one_client_or_all() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.says |= {"a": active(client_id="mobile"), "b": active(client_id="batch")}
        await stage.decide(route, "a")
        await stage.decide(route, "b")
        assert await stage.verifier.purge("mobile") == 1
        assert cache_note(await stage.decide(route, "a")) == "miss"
        assert cache_note(await stage.decide(route, "b")) == "hit"
        assert await stage.verifier.purge() == 2


async def test_a_purge_that_nobody_waits_for_comes_to_its_end() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.says |= {"a": active(client_id="mobile"), "b": active(client_id="batch")}
        for token in ("a", "b"):
            await stage.decide(route, token)
        tasks = Tasks()
        purging = tasks.start(stage.verifier.purge("mobile"))
        await asyncio.sleep(0)
        assert len(stage.verifier._told) == 2
        purging.cancel()
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(stage.verifier._told) == 1
        await tasks.close()


async def test_a_yes_that_was_asked_for_before_a_purge_is_not_kept() -> None:
    async with staged() as stage:
        route = await stage.route()
        stage.idp.says[OPAQUE] = active()
        stage.idp.fetch.hold()
        tasks = Tasks()
        waiting = tasks.start(stage.decide(route, OPAQUE))
        await stage.idp.fetch.until_asked(INTROSPECTION, 1)
        stage.clock.move(0.1)
        await stage.verifier.purge("mobile")
        stage.idp.fetch.release()
        await waiting
        stage.clock.move(0.1)
        await stage.decide(route, OPAQUE)
        assert stage.idp.introspections == 2


@pytest.mark.parametrize(
    ("known", "result"),
    [("nothing", "miss"), ("active", "hit"), ("inactive", "negative"), ("active, long ago", "miss")],
)
async def test_each_look_up_is_counted_once(known: str, result: str) -> None:
    async with staged() as stage:
        await remember(stage, OPAQUE, known)
        before = {series: entry.value for series, entry in stage.metrics.series.items()}
        stage.idp.says[OPAQUE] = active()
        await stage.decide(await stage.route(), OPAQUE)
        grown = [
            series[2].removeprefix("result=")
            for series, entry in stage.metrics.series.items()
            if series[0] == "token_cache_lookups" and entry.value > before.get(series, 0)
        ]
        assert grown == [result]


async def test_a_key_that_is_rotated_in_is_good_for_the_first_token_that_it_signs() -> None:
    async with staged() as stage:
        route = await stage.route(order=Order.KEYS_ONLY)
        assert await outcome(stage, route, jwt()) == "A"
        new = rsa_signer(kid="rsa-2")
        stage.idp.publishes(SIGNER, new)
        assert await outcome(stage, route, jwt(new)) == "A"


@pytest.mark.parametrize("answer", [DOWN, reply(b"", 401)], ids=["does not answer", "refuses us"])
async def test_a_provider_that_is_no_use_is_said_to_fail_since_it_was(answer: Reply | Unavailable) -> None:
    async with staged() as stage:
        route = await stage.route()
        assert stage.verifier.status().state is ProviderState.READY
        stage.idp.answers(answer)
        await outcome(stage, route, OPAQUE)
        since = stage.clock.time()
        stage.clock.move(3)
        await outcome(stage, route, OPAQUE)
        status = stage.verifier.status()
        assert (status.name, status.state, status.since) == ("idp", ProviderState.FAILING, since)
        stage.idp.recovers()
        await outcome(stage, route, OPAQUE)
        assert stage.verifier.status().state is ProviderState.READY
