"""What `tokenward explain` says is what the gateway does."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from gateway.chain import Explained
from gateway.clock import SystemClock
from gateway.demo.identity_provider import AUDIENCE, DemoProvider, run_identity_provider
from gateway.explain import Explanation, Question, explain
from gateway.explain_words import as_json, as_text
from gateway.settings import Settings, parse
from tests.fakes import NOON
from tests.gateways import Config, configuration, enforcement, served
from tests.servers import recording_upstream

NOBODY = "http://127.0.0.1:9"
TOKEN_OF_8193 = "a" * 8193


@pytest.fixture
async def provider() -> AsyncIterator[DemoProvider]:
    async with run_identity_provider() as provider:
        yield provider


@pytest.fixture
def config(provider: DemoProvider) -> Config:
    config = configuration(provider.issuer, NOBODY)
    enforcement(config)["audience"] = [AUDIENCE]
    return config


def settings(config: Config) -> Settings:
    return parse(json.dumps(config), environment={})


async def ask(config: Config, *headers: tuple[str, str], target: str = "/orders", **question: Any) -> Explanation:
    asked = Question(method=question.pop("method", "GET"), target=target, headers=headers, **question)
    return await explain(settings(config), asked, SystemClock())


def bearing(token: str) -> tuple[str, str]:
    return "Authorization", f"Bearer {token}"


def detail(explanation: Explanation, check: str) -> str:
    """Of that check in the first policy."""
    return next(finding.detail for finding in explanation.policies[0].findings if finding.check == check)


async def test_an_allowed_request_passes_every_check(provider: DemoProvider, config: Config) -> None:
    found = await ask(config, bearing(provider.issue("shop", "orders.read", audience=AUDIENCE)))
    assert (found.outcome, found.summary) == ("allow", "the request is forwarded")
    assert (found.route, found.upstream) == ("orders", f"{NOBODY} /orders")
    assert detail(found, "token") == "introspected by provider idp"
    assert detail(found, "upstream receives") == "X-Client: shop"
    assert all(finding.passed is not False for finding in found.policies[0].findings)


async def test_a_token_that_keys_verified_is_said_to_be(provider: DemoProvider, config: Config) -> None:
    enforcement(config)["order"] = "keys_only"
    token = provider.issue("shop", "orders.read", audience=AUDIENCE, jwt=True)
    found = await ask(config, bearing(token))
    assert detail(found, "token") == "signature checked by provider idp"
    assert found.outcome == "allow"


async def test_every_check_is_told_also_those_behind_the_first_refusal(provider: DemoProvider, config: Config) -> None:
    found = await ask(config, bearing(provider.issue("shop", "nothing", audience="elsewhere")))
    assert found.outcome == "deny"
    assert found.summary.startswith("401 token_audience_refused: the token is meant for [elsewhere]")
    assert detail(found, "scopes").startswith("403 insufficient_scope")


# As the gateway does


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/orders", ()),
        ("GET", "/orders", (bearing("unknown"),)),
        ("GET", "/orders", (bearing("two words"),)),
        ("GET", "/orders", (bearing("a"), bearing("b"))),
        ("GET", "/orders", (bearing(TOKEN_OF_8193),)),
        ("GET", "/orders", (bearing("a" * 8000 + "\xe9"),)),
        ("GET", "/orders?access_token=a", (bearing("a"),)),
        ("GET", "/orders", (("Authorization", "Basic YTpi"),)),
        ("GET", "/orders/../public", ()),
        ("GET", "/nothing", ()),
        ("DELETE", "/public/only-read", ()),
        ("GET", "/public", ()),
    ],
)
async def test_the_refusal_is_the_one_that_the_gateway_answers(
    method: str, target: str, headers: tuple[tuple[str, str], ...], provider: DemoProvider
) -> None:
    async with recording_upstream() as upstream:
        config = configuration(provider.issuer, upstream.url, limits={"header": 20_000})
        config["routes"]["read"] = {"path": "/public/only-read", "methods": ["GET"], "upstream": upstream.url}
        config["routes"]["read"]["policies"] = []
        found = await ask(config, *headers, target=target, method=method)
        async with served(config) as gateway:
            caller = await gateway.caller.raw()
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
            caller.send(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
            reply = await caller.reply()
    if reply.status == 200:
        assert found.outcome == "allow"
    else:
        assert found.summary.startswith(f"{reply.status} {json.loads(reply.body)['code']}: ")


async def test_a_provider_that_is_away_makes_it_unavailable(config: Config) -> None:
    config["providers"]["idp"]["issuer"] = NOBODY
    found = await ask(config, bearing("a"))
    assert found.outcome == "unavailable"
    assert found.summary.startswith("503 provider_metadata")
    assert found.route == "orders"


async def test_a_policy_that_only_reports_refuses_nothing(provider: DemoProvider, config: Config) -> None:
    config["routes"]["orders"]["policies"][0]["report_only"] = True
    found = await ask(config)
    assert found.outcome == "allow"
    assert detail(found, "credential").startswith("401 credential_missing")
    config["providers"]["idp"]["issuer"] = NOBODY
    found = await ask(config, bearing("a"))
    assert found.outcome == "allow"
    assert detail(found, "decision").startswith("503 provider_metadata")


async def test_a_policy_that_does_not_apply_is_told_to_be_skipped(config: Config) -> None:
    config["routes"]["orders"]["policies"][0]["when"] = {"methods": ["POST"]}
    found = await ask(config)
    assert (found.outcome, detail(found, "when")) == ("allow", "does not apply to this method and path")


async def test_the_time_may_be_another(config: Config) -> None:
    config["routes"]["public"]["policies"] = [{"opening-hours": {"opens": 8, "closes": 18}}]
    found = await ask(config, target="/public", at=NOON)
    assert found.outcome == "allow"
    found = await ask(config, target="/public", at=NOON + 12 * 3600)
    assert (found.outcome, found.summary) == ("deny", "403 closed: This API opens at 8:00 UTC.")


async def test_the_method_decides_the_route(config: Config) -> None:
    config["routes"]["orders"]["methods"] = ["GET", "POST"]
    found = await ask(config, method="DELETE")
    assert (found.outcome, found.summary) == ("no_route", "405 method_not_allowed: the route takes GET, POST")


# What is supposed


async def supposing(config: Config, **claims: object) -> Explanation:
    usual = {"client_id": "shop", "scope": "orders.read", "token_type": "Bearer", "exp": NOON + 60, "aud": AUDIENCE}
    said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return await ask(config, bearing("any"), claims=said, at=NOON)


async def test_claims_stand_for_what_nobody_is_asked(provider: DemoProvider, config: Config) -> None:
    found = await supposing(config)
    assert (found.outcome, provider.introspections) == ("allow", 0)
    assert detail(found, "token") == "supposed to be introspected by provider idp"


async def test_claims_that_are_no_access_tokens_are_refused_as_the_supposition_that_they_are(config: Config) -> None:
    found = await supposing(config, token_type="refresh_token")
    assert found.outcome == "deny"
    assert "(supposed to be introspected by provider idp)" in found.summary


async def test_a_token_without_an_issuer_is_said_to_name_none(provider: DemoProvider, config: Config) -> None:
    expected = f"the token names no issuer, expected is {provider.issuer!r}; the provider itself answered for it"
    assert detail(await supposing(config), "issuer") == expected
    enforcement(config)["issuer"] = "https://other"
    found = await supposing(config)
    assert found.summary.startswith("401 token_issuer_refused: the token names no issuer, expected is 'https://other'")


# How it is printed


async def test_no_credential_is_printed(provider: DemoProvider, config: Config) -> None:
    token = provider.issue("shop", "orders.read", audience=AUDIENCE)
    question = Question(method="GET", target="/orders", headers=(bearing(token),))
    found = await explain(settings(config), question, SystemClock())
    for printed in (as_text(question, found), as_json(found), repr(found)):
        assert token not in printed


async def test_the_text_has_a_line_for_each_check(config: Config) -> None:
    question = Question(method="GET", target="/orders?a=b")
    lines = as_text(question, await explain(settings(config), question, SystemClock())).splitlines()
    assert lines == [
        "GET /orders?a=b",
        f"  route orders, upstream {NOBODY} /orders",
        "  token-enforcement",
        "    NO  credential  401 credential_missing: This API needs a bearer token.",
        "deny: 401 credential_missing: This API needs a bearer token.",
    ]


async def test_the_json_holds_the_same(config: Config) -> None:
    printed: Mapping[str, Any] = json.loads(as_json(await ask(config)))
    assert (printed["outcome"], printed["route"]) == ("deny", "orders")
    (policy,) = printed["policies"]
    assert (policy["policy"], policy["report_only"]) == ("token-enforcement", False)
    assert policy["checks"] == [
        {"check": "credential", "passed": False, "detail": "401 credential_missing: This API needs a bearer token."}
    ]


async def test_a_policy_without_findings_is_printed(config: Config) -> None:
    found = await ask(config)
    silent = Explanation(outcome="allow", summary="", policies=(Explained(found.policies[0].step, ()),))
    assert as_text(Question(method="GET", target="/"), silent).splitlines()[1] == "  token-enforcement"
