"""The page about writing a policy: its blocks are run as a reader would run them."""

import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.clients import Directory
from gateway.plugins import build_policy, find_policy
from gateway.policy import Allow, Deny, Policy, Principal, Unavailable
from gateway.services import Services
from gateway.tasks import Tasks
from tests.docs.pages import CHECKOUT, DOCS, Block, all_blocks, blocks
from tests.fakes import NOON, FakeClock, FakeFetch, FakeMetrics, FakeSharing, decided, reply, request

PAGE = DOCS / "writing-a-policy.md"
SMALLEST, DECISION, WORLD, TEST = (block for block in blocks(PAGE) if block.language == "python")
URL = "https://lists.example.com/blocked"
MOBILE = Principal(provider="okta", client_id="mobile", subject="alice", scopes=frozenset(), claims={}, tier="gold")


def run(block: Block) -> dict[str, Any]:
    """What the block defines."""
    defined: dict[str, Any] = {"__name__": "the_page"}
    exec(compile(block.text, block.place, "exec"), defined)
    return defined


def test_no_other_page_has_python_that_nobody_runs() -> None:
    assert {block.page for block in all_blocks("python")} == {"docs/writing-a-policy.md"}


def test_the_smallest_policy_is_the_one_that_is_installed_but_for_its_docstrings_and_checks() -> None:
    shown = build_policy(run(SMALLEST)["OpeningHours"], {"opens": 7})
    installed = build_policy(find_policy("opening-hours"), {"opens": 7})
    for hour in range(24):
        facts = request(received_at=NOON + hour * 3600)
        assert type(shown.decide(facts)) is type(installed.decide(facts))


def test_the_entry_point_is_the_one_of_the_project() -> None:
    (block,) = all_blocks("toml")
    shown = tomllib.loads(block.text)["project"]["entry-points"]["tokenward.policies"]
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert shown.items() <= project["entry-points"]["tokenward.policies"].items()


def test_the_policy_about_tiers_tells_the_upstream_the_tier() -> None:
    policy = build_policy(run(DECISION)["Tiers"], {})
    assert policy.decide(request(principal=MOBILE)).set_headers == (("X-Tier", "gold"),)
    assert policy.decide(request()).code == "tier_not_served"
    assert policy.identity_headers == {"X-Tier"}


@asynccontextmanager
async def opened(fetch: FakeFetch, metrics: FakeMetrics) -> AsyncIterator[Policy]:
    policy = build_policy(run(WORLD)["BlockList"], {"url": URL})
    services = Services(
        route="orders",
        api="orders",
        clock=FakeClock(),
        metrics=metrics,
        tasks=Tasks(),
        open_fetch=fetch.open,
        share=FakeSharing(),
        directory=Directory(),
    )
    async with policy.open(services) as it:
        yield it


@pytest.mark.parametrize(("status", "kind"), [(404, Allow), (200, Deny)])
async def test_the_policy_that_asks_does_what_its_server_says(status: int, kind: type) -> None:
    fetch, metrics = FakeFetch(), FakeMetrics()
    fetch.answers[f"{URL}/mobile"] = reply(b"", status)
    async with opened(fetch, metrics) as policy:
        assert isinstance(await decided(policy, request(principal=MOBILE)), kind)
        assert isinstance(policy.decide(request()), Allow)
    assert metrics["blocked_clients", "route=orders"].value == (kind is Deny)


@pytest.mark.parametrize("answer", [reply(b"", 500), Unavailable("it is away", code="provider_unreachable")])
async def test_the_policy_that_asks_is_unavailable_when_its_server_is(answer: Any) -> None:
    fetch = FakeFetch()
    fetch.answers[f"{URL}/mobile"] = answer
    async with opened(fetch, FakeMetrics()) as policy:
        with pytest.raises(Unavailable):
            await decided(policy, request(principal=MOBILE))


def test_the_test_of_the_page_passes() -> None:
    run(TEST)["test_it_opens_at_the_very_hour"]()
