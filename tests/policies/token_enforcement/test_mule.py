"""The answers of the policy that this one replaces."""

import json
from typing import Any

import pytest

from gateway.policy import Allow, Deny, Finding
from gateway.ports import Reply
from gateway.providers import Limits, Order
from policies.token_enforcement import TokenEnforcement
from policies.token_enforcement.mule import Mule
from policies.token_enforcement.options import Sources
from tests.fakes import json_reply, reply, request
from tests.policies.token_enforcement.fake_provider import DOWN, OPAQUE, Stage, active, staged


async def answer(stage: Stage, token: str | None = OPAQUE, *, headers: Any = (), **options: Any) -> tuple[int, str]:
    """Status and error text of the refusal."""
    route = await stage.route(compatibility="mule", **options)
    decision = await stage.decide(route, token, headers=headers)
    assert isinstance(decision, Deny)
    assert decision.body is not None
    document = json.loads(decision.body)
    assert list(document) == ["error"]
    assert ("Content-Type", "application/json; charset=UTF-8") in decision.headers
    challenges = [value for name, value in decision.headers if name == "WWW-Authenticate"]
    assert challenges == (['Bearer realm="OpenId Client Realm"'] if decision.status == 401 else [])
    return decision.status, document["error"]


async def test_it_is_switched_on_by_its_option_only() -> None:
    async with staged() as stage:
        assert isinstance(await stage.route(compatibility="mule"), Mule)
        assert not isinstance(await stage.route(), Mule)


async def test_what_is_allowed_is_the_same() -> None:
    async with staged() as stage:
        stage.idp.says[OPAQUE] = active()
        plain = await stage.decide(await stage.route(), OPAQUE)
        assert isinstance(plain, Allow)
        later = await stage.decide(await stage.route(compatibility="mule"), OPAQUE)
        assert isinstance(later, Allow)
        assert later.principal == plain.principal


@pytest.mark.parametrize("headers", [[], [("Authorization", "Basic YTpi")]])
async def test_a_missing_token_is_a_400(headers: list[tuple[str, str]]) -> None:
    async with staged() as stage:
        assert await answer(stage, None, headers=headers) == (400, "Access token was not provided")


async def test_a_token_presented_wrongly_is_a_400() -> None:
    async with staged() as stage:
        assert await answer(stage, "a b") == (400, "Authorization header is invalid")


async def test_a_revoked_token_is_a_401() -> None:
    async with staged() as stage:
        assert await answer(stage) == (401, "Token has been revoked.")


async def test_an_expired_token_is_a_401() -> None:
    async with staged() as stage:
        stage.idp.says[OPAQUE] = active(exp=1)
        assert await answer(stage) == (401, "Token has expired.")


async def test_a_bad_token_of_any_other_kind_is_a_401() -> None:
    async with staged() as stage:
        stage.idp.says[OPAQUE] = active(aud="other")
        assert await answer(stage, audience=("ours",)) == (401, "Token validation failed")


async def test_a_missing_scope_is_a_403() -> None:
    async with staged() as stage:
        stage.idp.says[OPAQUE] = active(scope="other")
        assert await answer(stage, scopes=("orders.read",)) == (403, "The required scopes are not authorized")


async def test_a_client_without_a_contract_is_a_403() -> None:
    async with staged() as stage:
        stage.idp.says[OPAQUE] = active()
        assert await answer(stage, contract="required") == (403, "Invalid client application")


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (json_reply({}, 500), (401, "Unauthorized")),
        (json_reply({}, 401), (401, "Unauthorized")),
        (reply(b"<html>", media_type="text/html"), (500, "Unexpected error processing Authentication Server response")),
        (reply(b"{"), (500, "Unexpected error processing Authentication Server response")),
    ],
)
async def test_an_outage_looks_as_it_did(failure: Reply, expected: tuple[int, str]) -> None:
    async with staged() as stage:
        stage.idp.answers(failure)
        assert await answer(stage) == expected


async def test_an_outage_that_is_known_at_once_looks_the_same() -> None:
    async with staged(limits=Limits(failures=1)) as stage:
        stage.idp.answers(DOWN)
        assert await answer(stage, order=Order.INTROSPECT_ONLY) == (401, "Unauthorized")
        assert await answer(stage, order=Order.INTROSPECT_ONLY) == (401, "Unauthorized")


async def test_what_the_gateway_asks_of_an_enforcement_it_answers_too() -> None:
    async with staged() as stage:
        options: dict[str, Any] = {"sources": Sources(form="access_token"), "identity_headers": {"X-Id": "client_id"}}
        route = await stage.route(compatibility="mule", **options)
        assert isinstance(route, Mule)
        assert route.reads_form
        assert route.identity_headers == {"X-Id"}
        assert (await route.explain(request(), None))[0] == Finding(
            "credential", False, "401 credential_missing: This API needs a bearer token."
        )


async def test_codes_stay_ours_for_logs_and_metrics() -> None:
    async with staged() as stage:
        decision = await stage.decide(await stage.route(compatibility="mule"), OPAQUE)
        assert isinstance(decision, Deny)
        assert (decision.code, decision.notes) == ("token_inactive", (("cache", "miss"),))


def test_it_is_no_mode_of_anything_else() -> None:
    assert TokenEnforcement(provider="idp").compatibility is None
