"""What the gateway itself answers."""

import json

import pytest

from gateway import answers
from gateway.answers import Answer, refuse
from gateway.policy import Deny, Unavailable

DENY = Deny(
    403, "insufficient_scope", "The token lacks a scope.", (("WWW-Authenticate", "Bearer"),), error="insufficient_scope"
)


def answer(deny: Deny, *, method: str = "GET") -> Answer:
    return refuse(deny, request_id="id-1", base="urn:tokenward:problem:", method=method)


def test_a_refusal_is_a_problem_document() -> None:
    assert json.loads(answer(DENY).body) == {
        "type": "urn:tokenward:problem:insufficient-scope",
        "title": "Forbidden",
        "status": 403,
        "detail": "The token lacks a scope.",
        "code": "insufficient_scope",
        "instance": "id-1",
        "error": "insufficient_scope",
    }


def test_error_is_named_only_where_a_credential_was_presented() -> None:
    assert "error" not in json.loads(answer(Deny(401, "token_missing", "No token was sent.")).body)


def test_a_refusal_says_its_type_its_length_and_its_request() -> None:
    given = answer(DENY)
    assert dict(given.headers) == {
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(given.body)),
        "WWW-Authenticate": "Bearer",
        "X-Request-Id": "id-1",
        "Cache-Control": "no-store",
    }


def test_head_gets_the_headers_of_the_document_and_not_the_document() -> None:
    assert answer(DENY, method="HEAD") == Answer(403, answer(DENY).headers, b"")


@pytest.mark.parametrize(("status", "stored"), [(401, False), (403, False), (503, False), (404, True), (502, True)])
def test_what_depends_on_the_caller_is_not_stored(status: int, stored: bool) -> None:
    assert ("Cache-Control" not in dict(answer(Deny(status, "c", "d")).headers)) is stored


def test_a_policy_may_say_how_its_refusal_is_stored() -> None:
    headers = answer(Deny(401, "c", "d", (("cache-control", "private"),))).headers
    assert [value for name, value in headers if name.lower() == "cache-control"] == ["private"]


def test_a_body_of_the_policys_own_takes_the_place_of_the_document() -> None:
    given = answer(Deny(403, "c", "d", (("Content-Type", "text/xml"),), body=b"<no/>"))
    assert given.body == b"<no/>"
    assert [value for name, value in given.headers if name == "Content-Type"] == ["text/xml"]
    assert ("Content-Length", "5") in given.headers


def test_a_failure_to_decide_is_worth_another_try() -> None:
    deny = answers.unavailable(Unavailable("idp.internal is down.", code="provider_down", retry_after=3))
    assert (deny.status, deny.code, deny.headers) == (503, "provider_down", (("Retry-After", "3"),))


@pytest.mark.case("C312")
def test_a_caller_is_not_told_what_is_behind_us() -> None:
    deny = answers.unavailable(Unavailable("idp.internal is down.", code="provider_down"))
    assert "idp.internal" not in deny.detail


def test_a_method_that_is_refused_learns_which_are_not() -> None:
    assert answers.method_not_allowed({"POST", "GET"}).headers == (("Allow", "GET, POST"),)
    assert answers.method_not_allowed(()).headers == (("Allow", ""),)


def test_a_status_without_a_registered_name_has_a_title_too() -> None:
    assert json.loads(answer(Deny(499, "c", "d")).body)["title"] == "Refused"
