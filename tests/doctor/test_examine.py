"""The examination as a whole: nobody waits for others, nothing secret is told, and every fault has its advice."""

import asyncio
import io
import json
import logging
from base64 import b64encode
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.doctor import Report, as_json, as_text, examine
from tests.doctor.examining import ACTIVE, CLIENT, MINTED, SECRET, described, examined, found, provider, settings
from tests.fakes import FakeClock
from tests.faulty_server import Verb, document, faulty_server, html, silent

SPELLINGS = (SECRET, MINTED, b64encode(f"{CLIENT}:{SECRET}".encode()).decode())


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class BrokenClock(FakeClock):
    """Its exception holds what must not be told."""

    def monotonic(self) -> float:
        raise RuntimeError(SECRET)


async def test_providers_that_hang_keep_nobody_waiting_beyond_one_timeout() -> None:
    slow = {"transport": {"timeout": 0.4}}
    async with AsyncExitStack() as stack:
        hanging = [await stack.enter_async_context(faulty_server(silent())) for _ in range(8)]
        good = await stack.enter_async_context(provider())
        providers = {f"slow-{number}": described(server.url, **slow) for number, server in enumerate(hanging)}
        configuration = settings(
            described(good.url), upstream=good.url, providers={**providers, "idp": described(good.url)}
        )
        began = asyncio.get_running_loop().time()
        report = await examined(configuration)
        took = asyncio.get_running_loop().time() - began
    assert found(report, "permission")[0] == "ok"
    assert [found(report, "metadata", f"provider slow-{number}")[0] for number in range(8)] == ["failure"] * 8
    # One after the other, they would take 3.2 s.
    assert took < 2


async def test_findings_come_in_the_order_of_the_configuration() -> None:
    async with provider() as server:
        options = described(server.url)
        report = await examined(
            settings(options, {"contract": "required"}, upstream=server.url, providers={"b": options, "idp": options})
        )
    subjects = list(dict.fromkeys(finding.subject for finding in report.findings))
    assert subjects == ["provider b", "provider idp", "upstream of route orders", "route orders", "listeners"]


async def test_a_terminal_is_told_what_is_under_way() -> None:
    terminal = Terminal()
    async with provider() as server:
        configuration = settings(described(server.url), upstream=server.url)
        await examine(configuration, SystemClock(), terminal)
    assert terminal.getvalue().splitlines() == [
        "checking provider idp …",
        "checking upstream of route orders …",
        "checking listeners …",
    ]


async def test_a_file_is_not_told_what_is_under_way() -> None:
    file = io.StringIO()
    await examine(settings(None), SystemClock(), file)
    assert file.getvalue() == ""


async def test_a_check_that_breaks_takes_no_other_along_and_tells_nothing_of_its_exception() -> None:
    async with provider() as server:
        configuration = settings(described(server.url), upstream=server.url)
        report = await examined(configuration, BrokenClock(SystemClock().time()))
    assert found(report, "examination") == (
        "failure",
        "It broke off with RuntimeError, which is a defect of the gateway.",
        "Report it, with this configuration without its secrets.",
    )
    assert found(report, "reachable", "upstream of route orders")[0] == "ok"


def repeating(**claims: Any) -> Verb:
    """An answer that says back whatever it was sent."""
    echo = " ".join(SPELLINGS)
    names = ("scope", "client_id", "token_type", "aud", "iss", "error", "error_description", *SPELLINGS)
    return document({**dict.fromkeys(names, echo), **claims})


@pytest.mark.parametrize(
    "saying",
    [
        {"about_minted": repeating(active=True)},
        {"about_minted": repeating(active=True, token_type="Bearer")},
        {"about_others": document({"error": SECRET}, status=401)},
        {
            "about_others": html(401),
            "metadata": {"introspection_endpoint_auth_methods_supported": list(SPELLINGS[::2])},
        },
        {"token": document({"error": SECRET}, status=400)},
        {"metadata": {"issuer": f"https://idp.example/{SECRET}"}},
        {"keys": document({"keys": [{"kid": SECRET, "kty": MINTED}]})},
    ],
)
async def test_what_a_provider_says_back_of_our_secrets_is_hidden(
    saying: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with provider(**saying) as server:
        report = await examined(settings(described(server.url), {"audience": ["a"], "scopes": ["read"]}))
    told = as_text(report) + as_json(report) + repr(report) + caplog.text
    assert [spelling for spelling in SPELLINGS if spelling in told] == []


async def test_secrets_go_only_where_the_gateway_sends_them() -> None:
    async with provider() as server, faulty_server(html()) as upstream:
        await examined(settings(described(server.url), upstream=upstream.url))
    holding = {each.target for each in server.received if SECRET in str(each) or each.header("authorization")}
    assert holding == {"/introspect", "/token"}
    assert upstream.received == []


@pytest.mark.parametrize(
    "saying",
    [
        {},
        {"about_others": html()},
        {"about_others": document(ACTIVE)},
        {"about_minted": document({"active": True, "cnf": {}, "exp": "soon", "aud": 1})},
        {"about_minted": document({"active": False})},
        {"token": html(400), "keys": html()},
        {"metadata": {"issuer": "https://other.example"}},
        {"metadata": {"jwks_uri": None, "introspection_endpoint": None}},
    ],
)
async def test_whatever_is_not_well_comes_with_an_advice_and_what_is_well_without(saying: dict[str, Any]) -> None:
    async with provider(**saying) as server:
        report: Report = await examined(settings(described(server.url), {"contract": "required", "audience": ["a"]}))
    assert [finding for finding in report.findings if bool(finding.advice) == (finding.result == "ok")] == []
    assert all(finding.seen.endswith(".") for finding in report.findings)
    assert json.loads(as_json(report))["healthy"] is report.healthy
