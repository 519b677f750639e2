"""The page for those who come from Mule: its table of statuses is tried."""

from typing import Any

import pytest

from gateway.policy import Deny, Policy, Unavailable
from gateway.ports import Reply
from tests.docs.pages import DOCS, rows
from tests.fakes import json_reply, reply, request
from tests.policies.token_enforcement.fake_provider import DOWN, OPAQUE, Stage, active, staged

PAGE = DOCS / "migrating-from-mule.md"
STATUSES = rows(PAGE, "Statuses")
ANSWERS: dict[str, tuple[Reply | Unavailable, dict[str, Any]]] = {
    "token expired, revoked or otherwise refused": (json_reply({"active": False}), {}),
    "scopes missing": (json_reply(active(scope="orders.list")), {}),
    "no contract": (json_reply(active()), {"contract": "required"}),
    "provider unreachable, slow, or refusing us": (DOWN, {}),
    "provider's answer cannot be read": (reply(b"<html>", media_type="text/html"), {}),
}
"""What the provider answers, and what else the route asks for."""
HEADERS = {
    "no token, or a header that is not `Bearer`": [("Authorization", "Basic YTpi")],
    "two tokens": [("Authorization", "Bearer one"), ("Authorization", "Bearer two")],
}


async def _status(stage: Stage, route: Policy, row: str) -> int:
    try:
        if row in HEADERS:
            decision = route.decide(request(headers=HEADERS[row]))
        else:
            decision = await stage.decide(route, OPAQUE)
    except Unavailable:
        return 503
    assert isinstance(decision, Deny)
    return decision.status


def test_every_row_is_tried() -> None:
    assert {row[0] for row in STATUSES} == ANSWERS.keys() | HEADERS.keys()


@pytest.mark.parametrize("row", STATUSES, ids=lambda row: row[0])
@pytest.mark.parametrize(("compatibility", "column"), [("mule", 1), (None, 2)])
async def test_a_request_is_answered_with_the_status_of_the_table(
    row: list[str], compatibility: str | None, column: int
) -> None:
    answer, options = ANSWERS.get(row[0], (DOWN, {}))
    async with staged() as stage:
        stage.idp.answers(answer)
        route = await stage.route(scopes=("orders.read",), compatibility=compatibility, **options)
        assert str(await _status(stage, route, row[0])) == row[column][:3]
