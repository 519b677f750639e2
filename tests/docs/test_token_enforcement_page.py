"""The page about token enforcement: its tables are compared with the options, and what they promise is tried."""

import json
from collections.abc import Callable, Coroutine
from dataclasses import MISSING, fields
from typing import Any, TypeAlias

import pytest

from gateway.policy import Allow, Policy, Unavailable
from gateway.providers import Order
from policies.token_enforcement import TokenEnforcement
from policies.token_enforcement.enforcer import MAX_LENGTH
from policies.token_enforcement.identity import encode
from policies.token_enforcement.options import ClaimRule, Patience, Sources
from policies.token_enforcement.rules import CHECKS
from policies.token_enforcement.signature import ASYMMETRIC
from tests.docs.pages import CODE, DOCS, code, rows, section, sentences, tables
from tests.fakes import json_reply
from tests.policies.token_enforcement.fake_provider import DOWN, OPAQUE, Stage, active, jwt, staged

PAGE = DOCS / "token-enforcement.md"
TABLES = {"Options": TokenEnforcement, "Sources": Sources, "Rules about claims": ClaimRule, "Memory": Patience}
IN_WORDS = {"see below", "all that are asymmetric", "needed"}
"""Defaults that are another table, or too long for a cell."""


def defaults(kind: type) -> dict[str, str]:
    """The options of a dataclass with their defaults as YAML writes them."""
    made = {
        each.name: each.default_factory() if callable(each.default_factory) else each.default for each in fields(kind)
    }
    return {name: "needed" if value is MISSING else yaml_of(value) for name, value in made.items()}


def yaml_of(value: object) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    return plain if isinstance(plain, str) else json.dumps(plain, default=repr)


@pytest.mark.parametrize("heading", TABLES)
def test_the_page_names_every_option_with_its_default(heading: str) -> None:
    said = {code(row[0]): row[1] for row in tables(PAGE, heading)[0]}
    true = defaults(TABLES[heading])
    assert list(said) == list(true)
    assert {name: code(default) for name, default in said.items() if default not in IN_WORDS} == {
        name: true[name] for name, default in said.items() if default not in IN_WORDS
    }


def test_the_page_names_the_algorithms_and_the_longest_token() -> None:
    (row,) = (row for row in rows(PAGE, "Options") if code(row[0]) == "algorithms")
    assert ", ".join(sorted(ASYMMETRIC)) in row[2]
    assert f"more than {MAX_LENGTH} characters" in sentences(PAGE)


def test_the_page_names_every_order() -> None:
    assert [code(row[0]) for row in rows(PAGE, "Orders")] == [str(order) for order in Order]


def test_the_page_has_the_rules_in_the_order_in_which_they_are_asked() -> None:
    listed = [
        line.split("|")[1].strip() for line in section(PAGE, "How a token is judged").splitlines() if "| " in line
    ]
    assert [name for name in listed if name not in ("rule", "---")][-len(CHECKS) :] == [name for _, name in CHECKS]


@pytest.mark.parametrize(("claim", "header"), [(code(row[0]), code(row[1])) for row in rows(PAGE, "Identity headers")])
def test_the_page_shows_claims_as_they_are_encoded(claim: str, header: str) -> None:
    assert encode(json.loads(claim)) == header


# What a token meets while introspection is down. Each scene makes the situation of one row, and gives the token.

Scene: TypeAlias = Callable[[Stage, Policy], Coroutine[Any, Any, str]]
LONG_AGO = 600.0
PATIENCE = Patience(stale_if_error=120)


async def seen_young(stage: Stage, route: Policy) -> str:
    return await _seen(stage, route, jwt(), age=30)


async def opaque_seen_stale(stage: Stage, route: Policy) -> str:
    return await _seen(stage, route, OPAQUE, age=90)


async def opaque_seen_old(stage: Stage, route: Policy) -> str:
    return await _seen(stage, route, OPAQUE, age=LONG_AGO)


async def opaque_inactive(stage: Stage, route: Policy) -> str:
    return await _seen(stage, route, OPAQUE, age=LONG_AGO, good=False)


async def jwt_inactive(stage: Stage, route: Policy) -> str:
    return await _seen(stage, route, jwt(), age=LONG_AGO, good=False)


async def jwt_unseen(stage: Stage, route: Policy) -> str:
    await _keys_are_known(stage, route)
    stage.idp.answers(DOWN)
    return jwt()


async def opaque_unseen(stage: Stage, route: Policy) -> str:
    stage.idp.answers(DOWN)
    return OPAQUE


async def refused_us(stage: Stage, route: Policy) -> str:
    await _keys_are_known(stage, route)
    stage.idp.answers(json_reply({"error": "invalid_client"}, status=401))
    return jwt()


async def no_keys(stage: Stage, route: Policy) -> str:
    stage.idp.hides_keys()
    stage.idp.answers(DOWN)
    return jwt()


SCENES: dict[str, Scene] = {
    "seen active, younger than `max_age`": seen_young,
    "an opaque one, seen active, older, within `stale_if_error`": opaque_seen_stale,
    "an opaque one, seen active, older than that": opaque_seen_old,
    "an opaque one, seen inactive, however long ago": opaque_inactive,
    "a JWT that was seen inactive, however long ago": jwt_inactive,
    "a JWT that was never seen": jwt_unseen,
    "an opaque one that was never seen": opaque_unseen,
    "a JWT, while the provider refuses *us*": refused_us,
    "a JWT that was never seen, and no keys": no_keys,
}
OUTAGE = "When the provider does not answer"


async def _seen(stage: Stage, route: Policy, token: str, *, age: float, good: bool = True) -> str:
    stage.idp.says[token] = active() if good else {"active": False}
    await _outcome(stage, route, token)
    stage.clock.move(age)
    stage.idp.answers(DOWN)
    return token


async def _keys_are_known(stage: Stage, route: Policy) -> None:
    """Another token was checked by keys, or the provider's keys were fetched ahead."""
    other = jwt(sub="bob")
    stage.idp.says[other] = active()
    await _outcome(stage, route, other)


async def _outcome(stage: Stage, route: Policy, token: str) -> str:
    """As the table has it."""
    try:
        decision = await stage.decide(route, token)
    except Unavailable:
        return "503"
    return "allowed" if isinstance(decision, Allow) else f"{decision.status} `{decision.code}`"


def test_every_row_about_an_outage_is_tried() -> None:
    assert [row[0] for row in rows(PAGE, OUTAGE)] == list(SCENES)


@pytest.mark.parametrize("row", rows(PAGE, OUTAGE), ids=lambda row: row[0])
@pytest.mark.parametrize("column", range(1, 5))
async def test_a_token_meets_what_the_page_says_while_introspection_is_down(row: list[str], column: int) -> None:
    order = Order(CODE.findall(PAGE.read_text().split(OUTAGE, 1)[1])[column - 1])
    async with staged() as stage:
        route = await stage.route(order=order, cache=PATIENCE)
        token = await SCENES[row[0]](stage, route)
        assert await _outcome(stage, route, token) == row[column]


@pytest.mark.case("C136")
async def test_a_jwt_that_keys_let_in_is_counted() -> None:
    async with staged() as stage:
        route = await stage.route()
        assert await _outcome(stage, route, await jwt_unseen(stage, route)) == "allowed"
        assert stage.metrics["token_fallbacks", "provider=idp"].value == 1
