"""What a provider says of an active token: what counts as it is, and what to write where it does not.

Each judgement is held against the one that the enforcement of tokens makes of the same answer.
"""

from typing import Any

import pytest

from gateway.doctor.claims import judge_claims
from gateway.doctor.demands import Wanted, all_demands
from gateway.doctor.findings import Finding
from gateway.providers import Provider
from policies.token_enforcement.claims import from_introspection
from policies.token_enforcement.signature import Invalid
from tests.doctor.examining import ACTIVE, described, settings

ISSUER = "https://idp.example"


def wanted(dialect: dict[str, Any] | None = None, route: dict[str, Any] | None = None) -> Wanted:
    configuration = settings(described(ISSUER, dialect=dialect or {}), route)
    return Wanted(configuration.provider("idp"), all_demands(configuration))


def answer(**claims: Any) -> dict[str, Any]:
    """The usual answer with these claims; `None` takes one out."""
    return {name: value for name, value in {**ACTIVE, **claims}.items() if value is not None}


def judged(check: str, claims: dict[str, Any], demanded: Wanted | None = None) -> tuple[str, str, str]:
    (finding,) = [each for each in judge_claims(claims, demanded or wanted()) if each.check == check]
    return finding.result.value, finding.seen, finding.advice


def worst(claims: dict[str, Any], demanded: Wanted) -> set[str]:
    return {finding.result.value for finding in judge_claims(claims, demanded)}


def is_refused(claims: dict[str, Any], provider: Provider) -> bool:
    return isinstance(from_introspection(claims, provider.dialect), Invalid)


def test_an_answer_as_the_gateway_wants_it() -> None:
    findings: list[Finding] = list(judge_claims(answer(iss=ISSUER), wanted()))
    assert {(each.check, each.result.value, each.seen) for each in findings} == {
        ("token_type", "ok", "token_type is Bearer."),
        ("client_id", "ok", "client_id names the client."),
        ("scope", "ok", "scope holds words: read."),
        ("aud", "ok", "The answer has no aud, and no route asks for one."),
        ("iss", "ok", "It is the configured issuer."),
    }


@pytest.mark.parametrize(
    "claims",
    [
        answer(token_type=None),
        answer(token_type="refresh_token"),
        answer(token_type=7),
        answer(token_type="DPoP"),
        answer(client_id=7),
        answer(scope={"read": True}),
        answer(aud={"a": 1}),
        answer(aud=["a", 1]),
        answer(exp="4000000000"),
        answer(iat=True),
    ],
)
def test_what_the_enforcement_refuses_is_a_failure_here(claims: dict[str, Any]) -> None:
    demanded = wanted()
    assert is_refused(claims, demanded.provider)
    assert "failure" in worst(claims, demanded)


@pytest.mark.parametrize("claims", [answer(), answer(aud="a"), answer(aud=["a"]), answer(exp=4e9), answer(scope=None)])
def test_what_the_enforcement_takes_is_no_failure_here(claims: dict[str, Any]) -> None:
    demanded = wanted()
    assert not is_refused(claims, demanded.provider)
    assert "failure" not in worst(claims, demanded)


def test_no_token_type() -> None:
    assert judged("token_type", answer(token_type=None)) == (
        "failure",
        "The answer has no token_type; every token would be refused.",
        "Write dialect.requires_token_type: false; refresh tokens may pass for access tokens then, so that each route "
        "should name its audience.",
    )


def test_what_is_written_about_a_missing_token_type_helps() -> None:
    demanded = wanted({"requires_token_type": False})
    assert judged("token_type", answer(token_type=None), demanded)[1] == (
        "The answer has no token_type, and none is required."
    )
    assert not is_refused(answer(token_type=None), demanded.provider)


def test_another_token_type() -> None:
    assert judged("token_type", answer(token_type="Access")) == (
        "failure",
        "token_type is Access, which is no access token here.",
        "If that is an access token, write dialect.access_token_types: [access, bearer]",
    )
    assert not is_refused(answer(token_type="Access"), wanted({"access_token_types": ["access", "bearer"]}).provider)


def test_a_token_type_that_is_no_text() -> None:
    assert judged("token_type", answer(token_type=7)) == (
        "failure",
        "token_type is no text; every token would be refused (token_malformed).",
        "Let the provider spell it as RFC 7662, 2.2 says; for JWTs, dialect.order: keys_only helps until then.",
    )


def test_tokens_that_are_bound_to_their_senders() -> None:
    assert judged("token_type", answer(token_type="DPoP")) == (
        "failure",
        "Tokens are bound to their senders (DPoP), and would be refused.",
        "Let the provider issue bearer tokens to those who call through this gateway.",
    )


def test_a_token_that_is_bound_to_our_client() -> None:
    assert judged("cnf", answer(cnf={"x5t#S256": "…"})) == (
        "warning",
        "The token is bound to our client (cnf). Callers' tokens that are bound would be refused.",
        "Let the provider issue unbound tokens to those who call through this gateway.",
    )


def test_a_client_that_another_claim_names() -> None:
    assert judged("client_id", answer(client_id=None, cid="gateway")) == (
        "failure",
        "No claim of the dialect is there; cid is.",
        "Write dialect.client_id: [cid, client_id, azp]",
    )
    demanded = wanted({"client_id": ["cid", "client_id", "azp"]})
    assert judged("client_id", answer(client_id=None, cid="gateway"), demanded)[1] == "cid names the client."


def test_a_claim_that_names_something_else_than_the_client() -> None:
    assert judged("client_id", answer(client_id="0oa1", azp="gateway")) == (
        "failure",
        "client_id is not the client that the token was minted for; azp is.",
        "Write dialect.client_id: [azp, client_id]",
    )


def test_a_client_that_only_the_subject_names_is_not_told_to_be_there() -> None:
    assert judged("client_id", answer(client_id=None, sub="gateway")) == (
        "warning",
        "No claim of the dialect is there; claims: active, exp, scope, sub, token_type.",
        "Let the provider name the client, for contracts, logs and identity headers.",
    )


def test_a_client_that_nobody_names_where_contracts_are_required() -> None:
    demanded = wanted(route={"contract": "required"})
    result, _, advice = judged("client_id", answer(client_id=None), demanded)
    assert (result, advice) == (
        "failure",
        "Let the provider name the client; until then the route orders would refuse every token.",
    )


def test_a_client_id_that_is_no_text() -> None:
    assert judged("client_id", answer(client_id=7))[:2] == (
        "failure",
        "client_id is no text; every token would be refused (token_malformed).",
    )


def test_scopes_under_another_name() -> None:
    assert judged("scope", answer(scope=None, scp="read")) == (
        "failure",
        "The answer has no scope, but scp.",
        "Write dialect.scope: [scp, scope]",
    )


@pytest.mark.parametrize(("scopes", "result"), [(["read"], "failure"), ([], "warning")])
def test_scopes_in_a_list_grant_nothing(scopes: list[str], result: str) -> None:
    demanded = wanted(route={"scopes": scopes})
    assert judged("scope", answer(scope=["read"]), demanded) == (
        result,
        "scope is a list, and in an introspection answer a list grants nothing (RFC 7662, 2.2).",
        "Let the provider write scopes as words between spaces; or, for JWTs, write dialect.order: keys_first",
    )
    token = from_introspection(answer(scope=["read"]), demanded.provider.dialect)
    assert not isinstance(token, Invalid)
    assert token.scopes == frozenset()


def test_scopes_that_are_neither_words_nor_a_list() -> None:
    assert judged("scope", answer(scope=7)) == (
        "failure",
        "scope is neither words nor a list; every token would be refused.",
        "Let the provider write scopes as words between spaces.",
    )


def test_a_client_of_ours_without_scopes() -> None:
    assert judged("scope", answer(scope=None)) == ("ok", "The token has no scopes, and no route asks for any.", "")
    assert judged("scope", answer(scope=None), wanted(route={"scopes": ["read"]})) == (
        "ok",
        "The token has no scopes. Routes ask for read: callers' tokens must have them.",
        "",
    )


def test_no_audience_where_a_route_asks_for_one() -> None:
    assert judged("aud", answer(), wanted(route={"audience": ["https://api.example"]})) == (
        "warning",
        "The answer has no aud, and the route orders would refuse such tokens.",
        "Let the provider name the API in `aud` of its tokens (Keycloak: an audience mapper); callers may have to ask "
        "for it (`resource` or `audience`).",
    )


def test_an_audience_is_told_beside_those_that_routes_ask_for() -> None:
    demanded = wanted(route={"audience": ["https://api.example"]})
    assert judged("aud", answer(aud=["read", "write"]), demanded)[:2] == (
        "ok",
        "It is read, write; routes ask for https://api.example.",
    )
    assert judged("aud", answer(aud="read"))[1] == "It is read; no route asks for one."


def test_an_audience_of_another_form() -> None:
    assert judged("aud", answer(aud=7)) == (
        "failure",
        "aud is neither a text nor a list of texts; every token would be refused (token_malformed).",
        "Let the provider spell it as RFC 7662, 2.2 says; for JWTs, dialect.order: keys_only helps until then.",
    )


def test_tokens_of_another_issuer() -> None:
    assert judged("iss", answer(iss=f"{ISSUER}/")) == (
        "failure",
        f"Tokens name the issuer {ISSUER}/, not {ISSUER}; every one would be refused.",
        f"If that is the provider you mean, write issuer: {ISSUER}/",
    )


def test_a_token_that_does_not_say_when_it_expires() -> None:
    assert judged("exp", answer(exp=None)) == (
        "warning",
        "The answer does not say when the token expires.",
        "Let the provider say when a token expires, or write a small cache.max_age_without_exp.",
    )


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_a_date_that_is_no_number(name: str) -> None:
    assert judged(name, answer(**{name: "4000000000"}))[1] == (
        f"{name} is no number of seconds; every token would be refused (token_malformed)."
    )


def test_what_a_provider_says_cannot_move_the_cursor_of_a_terminal() -> None:
    _, seen, _ = judged("token_type", answer(token_type="\x1b[2J\nok  everything is well"))
    assert seen == "token_type is ?[2J?ok  everything is well, which is no access token here."
    assert judged("scope", answer(scope="a" * 500))[1] == f"scope holds words: {'a' * 120}…."
