"""A provider that stands still or dies, and comes back: who is let in meanwhile, and that nobody has to help."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.idp import glewlwyd as glewlwyd_server
from tests.idp import oidc_provider as oidc_provider_server
from tests.idp.demo_provider import Demo
from tests.idp.gateway import ACCEPTED, INACTIVE, Guard, Protect, Section, Verdict, section
from tests.idp.glewlwyd import Glewlwyd
from tests.idp.oidc_provider import OidcProvider
from tests.idp.provider import IdentityProvider

COOL_DOWN = 5.0
"""Seconds for which a provider that kept failing is left alone."""

NO_ANSWER = Verdict(503, "provider_timeout")
LEFT_ALONE = Verdict(503, "provider_resting")


@pytest.fixture
def mortal_oidc_provider(oidc_provider: OidcProvider, tmp_path: Path) -> Iterator[OidcProvider]:
    """An oidc-provider that only one test uses, so that it may be stopped."""
    with oidc_provider_server.start(tmp_path) as provider:
        yield provider


@pytest.fixture
def mortal_glewlwyd(glewlwyd: Glewlwyd, tmp_path: Path) -> Iterator[Glewlwyd]:
    """A glewlwyd that only one test uses, so that it may be killed. What it knows is on disk."""
    with glewlwyd_server.start(tmp_path) as provider:
        yield provider


def impatient(provider: IdentityProvider, **changes: object) -> Section:
    """A provider that is given up after a second."""
    return section(provider, transport={"timeout": 1}, **changes)


@pytest.mark.case("C133")
async def test_a_provider_that_stands_still(mortal_oidc_provider: OidcProvider, protect: Protect) -> None:
    provider = mortal_oidc_provider
    guard = await protect(
        {"idp": impatient(provider, limits={"failures": 100})},
        routes={"/orders": {"cache": {"max_age": 60}}, "/patient": {"cache": {"max_age": 60, "stale_if_error": 240}}},
    )
    known, new, later = (provider.mint() for _ in range(3))
    known_jwt, new_jwt = provider.mint_signed(), provider.mint_signed()
    assert await all_of(guard, [known, known_jwt]) == [ACCEPTED] * 2

    with provider.server.frozen():
        assert await all_of(guard, [known, known_jwt]) == [ACCEPTED] * 2
        assert await all_of(guard, [new, new_jwt]) == [NO_ANSWER, ACCEPTED]
        assert await guard.counted("token_fallbacks") == 1
        guard.clock.move(60)
        assert await all_of(guard, [known, known_jwt]) == [NO_ANSWER, ACCEPTED]
        assert await guard.verdict(known, "/patient") == ACCEPTED
        guard.clock.move(240)
        assert await guard.verdict(known, "/patient") == NO_ANSWER

    assert await all_of(guard, [known, new, known_jwt, new_jwt, later]) == [ACCEPTED] * 5


@pytest.mark.case("C132")
async def test_a_provider_that_keeps_failing_is_left_alone_and_found_again(
    mortal_oidc_provider: OidcProvider, protect: Protect
) -> None:
    provider = mortal_oidc_provider
    idp = impatient(provider, limits={"failures": 3, "cool_down": COOL_DOWN})
    guard = await protect({"idp": idp}, cache={"max_age": 60})
    known, *others = (provider.mint() for _ in range(4))
    assert await guard.verdict(known) == ACCEPTED

    with provider.server.frozen():
        assert await all_of(guard, others) == [NO_ANSWER] * 3
        assert await all_of(guard, others) == [LEFT_ALONE] * 3
        assert await guard.verdict(known) == ACCEPTED
        guard.clock.move(COOL_DOWN)
        assert sorted(await all_of(guard, others)) == [LEFT_ALONE, LEFT_ALONE, NO_ANSWER]

    assert await all_of(guard, others) == [LEFT_ALONE] * 3
    guard.clock.move(COOL_DOWN)
    assert await guard.verdict(others[0]) == ACCEPTED
    assert await all_of(guard, others) == [ACCEPTED] * 3


@pytest.mark.case("C133", "C135", "C136")
@pytest.mark.parametrize("failures", [1, 100], ids=["left alone", "asked each time"])
async def test_a_provider_that_dies(failures: int, mortal_glewlwyd: Glewlwyd, protect: Protect) -> None:
    provider = mortal_glewlwyd
    patience = {"max_age": 60, "negative_age": 10}
    guard = await protect(
        {"idp": section(provider, limits={"failures": failures, "cool_down": COOL_DOWN})},
        routes={
            "/asked": {"order": "introspect_only", "cache": patience},
            "/either": {"order": "introspect_then_keys", "cache": patience},
        },
    )
    known, new, seen_revoked, unseen_revoked = (provider.mint() for _ in range(4))
    for token in (seen_revoked, unseen_revoked):
        provider.revoke(token)
    assert await guard.verdict(known, "/either") == ACCEPTED
    assert await guard.verdict(seen_revoked, "/either") == INACTIVE

    provider.server.kill()
    assert await guard.verdict(known, "/asked") == ACCEPTED
    assert (await guard.verdict(new, "/asked")).status == 503
    assert await guard.verdict(new, "/either") == ACCEPTED
    guard.clock.move(60)
    assert (await guard.verdict(known, "/asked")).status == 503
    assert await guard.verdict(known, "/either") == ACCEPTED
    # What was seen revoked stays refused. What nobody saw revoked is the price of the fallback: each route chooses.
    assert await guard.verdict(seen_revoked, "/either") == INACTIVE
    assert await guard.verdict(unseen_revoked, "/either") == ACCEPTED
    assert (await guard.verdict(unseen_revoked, "/asked")).status == 503
    assert await guard.counted("token_fallbacks") == 3

    with glewlwyd_server.start_again(provider):
        guard.clock.move(60)
        verdicts = {token: await guard.verdict(token, "/asked") for token in (known, new, seen_revoked, unseen_revoked)}
    assert verdicts == {known: ACCEPTED, new: ACCEPTED, seen_revoked: INACTIVE, unseen_revoked: INACTIVE}


@pytest.mark.case("C087")
async def test_a_provider_that_is_dead_when_the_gateway_starts(
    mortal_glewlwyd: Glewlwyd, demo: Demo, protect: Protect
) -> None:
    dead = mortal_glewlwyd
    token = dead.mint()
    dead.server.kill()
    guard = await protect(
        {"dead": section(dead), "alive": section(demo)},
        routes={"/asked": {"provider": "dead"}, "/checked": {"provider": "dead", "order": "keys_only"},
                "/other": {"provider": "alive"}},
    )  # fmt: skip
    for path in ("/asked", "/checked"):
        assert await guard.verdict(token, path) == Verdict(503, "provider_metadata")
    assert await guard.verdict(demo.mint(), "/other") == ACCEPTED
    told = json.loads((await guard.look("/readyz?verbose")).body)
    assert {each["name"]: each["state"] for each in told["providers"]} == {"dead": "failing", "alive": "ready"}

    with glewlwyd_server.start_again(dead):
        guard.clock.move(10)
        assert [await guard.verdict(token, path) for path in ("/asked", "/checked")] == [ACCEPTED] * 2


async def all_of(guard: Guard, tokens: list[str]) -> list[Verdict]:
    """What comes of these tokens when they are brought at once."""
    return await asyncio.gather(*(guard.verdict(token) for token in tokens))
