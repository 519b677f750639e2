"""The enforcement as a whole: a request in, a decision out."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clients import Contract, Directory, Register
from gateway.policy import Allow, Decision, Deny, Policy, Principal, Unavailable
from gateway.providers import Endpoints, Limits, Order
from policies.token_enforcement import TokenEnforcement
from policies.token_enforcement.enforcer import MAX_LENGTH, Enforcer
from policies.token_enforcement.options import ClaimRule, Patience, Sources
from tests.fakes import NOON, Asked, FakeFetch, decided, json_reply, reply, request
from tests.policies.token_enforcement.fake_provider import (
    DOWN,
    INTROSPECTION,
    ISSUER,
    OPAQUE,
    PROVIDER,
    FakeProvider,
    Stage,
    active,
    jwt,
    staged,
)
from tests.policies.token_enforcement.signing import document, ec_signer, encoded

DIRECTORY = Directory([Contract(provider="idp", client_id="mobile", api="orders", tier="gold")])


@asynccontextmanager
async def route(said: Mapping[str, object] | None = None, **options: Any) -> AsyncIterator[tuple[Stage, Policy]]:
    """A route whose provider says this of the opaque token."""
    async with staged(directory=DIRECTORY) as stage:
        if said is not None:
            stage.idp.says[OPAQUE] = said
        yield stage, await stage.route(**options)


async def decision_on(said: Mapping[str, object], **options: Any) -> Decision:
    async with route(said, **options) as (stage, policy):
        return await stage.decide(policy, OPAQUE)


def allowed(decision: Decision) -> Allow:
    assert isinstance(decision, Allow), decision
    return decision


def denied(decision: Decision) -> tuple[int, str]:
    assert isinstance(decision, Deny), decision
    return decision.status, decision.code


# --- hit and miss, one route and another ---

SIGNER = ec_signer()
DATES = st.none() | st.integers(-200, 200).map(lambda offset: NOON + offset) | st.sampled_from(["x", True, 1e300])
WORDS = st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3)
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "active": st.sampled_from([True, True, True, False, None, "true"]),
        "token_type": st.sampled_from(["Bearer", "Bearer", "refresh_token", None]),
        "iss": st.sampled_from([ISSUER, ISSUER, "https://other.example.com", None, 1]),
        "sub": st.sampled_from(["alice", None, 1]),
        "client_id": st.sampled_from(["mobile", "batch", None]),
        "aud": st.none() | st.sampled_from(["a", "b"]) | WORDS,
        "scope": st.none() | WORDS.map(" ".join) | WORDS,
        "exp": DATES,
        "nbf": DATES,
        "iat": DATES,
        "role": st.sampled_from(["admin", ["admin"], None, True]),
        "cnf": st.sampled_from([None, None, {"jkt": "x"}]),
    },
)
OPTIONS = st.fixed_dictionaries(
    {"order": st.sampled_from(list(Order))},
    optional={
        "scopes": WORDS.map(tuple),
        "scopes_match": st.sampled_from(["all", "any"]),
        "audience": WORDS.map(tuple),
        "issuer": st.sampled_from([ISSUER, "https://other.example.com"]),
        "claims": st.sampled_from(
            [(ClaimRule(claim="role", equals="admin"),), (ClaimRule(claim="role", contains="admin"),)]
        ),
        "contract": st.sampled_from(["ignored", "required"]),
        "leeway": st.sampled_from([0, 5, 60]),
        "types": st.sampled_from([("at+jwt",), ("jwt",)]),
        "algorithms": st.sampled_from([("RS256",), ("ES256",)]),
        "identity_headers": st.sampled_from([{"X-Role": "role"}, {"X-Sub": "sub"}]),
        "identity_preset": st.sampled_from([None, "x-agw"]),
        "forward_authorization": st.booleans(),
        "cache": st.builds(Patience, max_age=st.sampled_from([0, 10, 60, 600]), negative_age=st.sampled_from([0, 10])),
    },
)


def token_with(claims: Mapping[str, object]) -> str:
    said = {"iss": ISSUER, "sub": "alice", "client_id": "mobile", **claims}
    return SIGNER.token({name: value for name, value in said.items() if name != "active"})


async def verdict(stage: Stage, policy: Policy, token: str) -> Decision | str:
    """The decision without where its fact came from."""
    try:
        decision = await stage.decide(policy, token)
    except Unavailable as failure:
        return failure.code
    return replace(decision, notes=())


async def verdicts(
    claims: Mapping[str, object], first: Mapping[str, Any], second: Mapping[str, Any], token: str, elapsed: float
) -> tuple[Decision | str, list[Decision | str]]:
    """Of the second route: its verdict fresh, and from what the first route and it itself have left in memory."""
    said = active(exp=None) | dict(claims)
    async with staged(FakeProvider(SIGNER), directory=DIRECTORY) as alone:
        alone.idp.says[token] = said
        alone.clock.step(elapsed)
        fresh = await verdict(alone, await alone.route(**second), token)
    async with staged(FakeProvider(SIGNER), directory=DIRECTORY) as together:
        together.idp.says[token] = said
        await verdict(together, await together.route(**first), token)
        together.clock.step(elapsed)
        policy = await together.route(**second)
        return fresh, [await verdict(together, policy, token) for _ in range(2)]


@pytest.mark.case("C147", "C162", "C137")
@settings(max_examples=300, deadline=None)
@given(
    claims=CLAIMS, first=OPTIONS, second=OPTIONS, opaque=st.booleans(), elapsed=st.floats(min_value=-59, max_value=120)
)
def test_a_verdict_from_memory_is_that_of_a_fresh_verification_whoever_filled_the_memory(
    claims: dict[str, object], first: dict[str, Any], second: dict[str, Any], opaque: bool, elapsed: float
) -> None:
    token = OPAQUE if opaque else token_with(claims)
    fresh, remembered = asyncio.run(verdicts(claims, first, second, token, elapsed))
    assert remembered == [fresh, fresh]


@pytest.mark.case("C137")
@settings(max_examples=300, deadline=None)
@given(claims=CLAIMS, options=OPTIONS)
def test_keys_that_stand_in_for_the_provider_are_never_looser(
    claims: dict[str, object], options: dict[str, Any]
) -> None:
    said = {"iss": ISSUER, "sub": "alice", "client_id": "mobile", **claims, "active": True, "token_type": "Bearer"}
    token = token_with(claims)

    async def both() -> tuple[Decision | str, Decision | str]:
        async with staged(FakeProvider(SIGNER), directory=DIRECTORY) as stage:
            stage.idp.says[token] = said
            by_provider = await verdict(stage, await stage.route(**options | {"order": Order.INTROSPECT_ONLY}), token)
        async with staged(FakeProvider(SIGNER), directory=DIRECTORY) as stage:
            stage.idp.answers(DOWN)
            route = await stage.route(**options | {"order": Order.INTROSPECT_THEN_KEYS})
            return by_provider, await verdict(stage, route, token)

    by_provider, by_keys = asyncio.run(both())
    lists_scopes = isinstance(claims.get("scope"), list)  # A signed list counts; an introspected one grants nothing.
    assert isinstance(by_provider, Allow) or not isinstance(by_keys, Allow) or lists_scopes


# --- refusals before anybody is asked ---


@pytest.mark.case("C001", "C002", "C012", "C015", "C022", "C023")
@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"headers": [("Authorization", "Basic YTpi")]},
        {"headers": [("Authorization", "DPoP abc")]},
        {"headers": [("Cookie", "access_token=abc")]},
        {"headers": [("X-Access-Token", "abc")]},
        {"query": "access_token=abc"},
    ],
)
async def test_a_request_without_a_credential_is_challenged_without_an_error(facts: dict[str, Any]) -> None:
    async with route() as (stage, policy):
        decision = policy.decide(request(**facts))
        assert isinstance(decision, Deny)
        assert denied(decision) == (401, "credential_missing")
        assert decision.headers == (("WWW-Authenticate", 'Bearer realm="tokenward"'),)
        assert stage.idp.introspections == 0


@pytest.mark.case("C004", "C007", "C008", "C009", "C016")
@pytest.mark.parametrize(
    "values",
    [
        ["Bearer"],
        ["Bearer a b"],
        ["Bearer a,b"],
        ["Bearer a;x=1"],
        ["Bearer \udce9"],
        ["Bearer a\udcff"],
        ["Bearer a", "Bearer a"],
        ["Bearer a", "Bearer b"],
    ],
)
async def test_a_credential_presented_wrongly_is_a_400_and_nobody_is_asked(values: list[str]) -> None:
    async with route() as (stage, policy):
        decision = await decided(policy, request(headers=[("Authorization", value) for value in values]))
        assert isinstance(decision, Deny)
        assert (decision.status, decision.error) == (400, "invalid_request")
        assert stage.idp.introspections == 0
        assert len(stage.verifier._told) == 0


@pytest.mark.case("C018", "C060")
async def test_a_token_is_measured_before_anything_else_is_done_with_it() -> None:
    async with route() as (stage, policy):
        longest = "a" * MAX_LENGTH
        stage.idp.says[longest] = active()
        assert isinstance(await stage.decide(policy, longest), Allow)
        refusal = policy.decide(request(longest + "a"))
        assert isinstance(refusal, Deny)
        assert denied(refusal) == (401, "token_too_long")
        assert stage.idp.introspections == 1


# --- what is allowed ---


async def test_an_allowed_request_acts_for_its_principal() -> None:
    said = active(scope="a b")
    allow = allowed(await decision_on(said))
    assert allow.principal == Principal(
        provider="idp",
        client_id="mobile",
        subject="alice",
        scopes=frozenset({"a", "b"}),
        claims=said,
        tier="gold",
    )


@pytest.mark.case("C150")
async def test_a_stream_may_go_on_until_the_token_expires() -> None:
    assert allowed(await decision_on(active(exp=NOON + 60), leeway=5)).valid_until == NOON + 65
    assert allowed(await decision_on(active(exp=None))).valid_until == math.inf


@pytest.mark.case("C045", "C150")
async def test_a_remembered_token_is_denied_the_moment_it_expires() -> None:
    async with route(active(exp=NOON + 30.5), leeway=0) as (stage, policy):
        allowed(await stage.decide(policy, OPAQUE))
        stage.clock.move(30.499)
        allowed(await stage.decide(policy, OPAQUE))
        stage.clock.move(0.001)
        assert denied(await stage.decide(policy, OPAQUE)) == (401, "token_expired")
        assert stage.idp.introspections == 1


@pytest.mark.case("C279")
async def test_a_clock_that_jumps_an_hour_and_back_changes_what_is_expired_and_nothing_else() -> None:
    async with route(active(exp=NOON + 600, nbf=NOON - 600)) as (stage, policy):
        for _ in range(2):
            allowed(await stage.decide(policy, OPAQUE))
            stage.clock.step(3600)
            assert denied(await stage.decide(policy, OPAQUE)) == (401, "token_expired")
            stage.clock.step(-7200)
            assert denied(await stage.decide(policy, OPAQUE)) == (401, "token_not_yet_valid")
            stage.clock.step(3600)


@pytest.mark.case("C279")
async def test_the_clock_may_be_beyond_2038() -> None:
    async with route(active(exp=2**33)) as (stage, policy):
        stage.clock.step(2**32 - NOON)
        allowed(await stage.decide(policy, OPAQUE))


# --- what is forwarded ---


async def test_the_authorization_header_ends_here_unless_the_route_says_otherwise() -> None:
    assert allowed(await decision_on(active())).drop_headers == {"authorization"}
    assert allowed(await decision_on(active(), forward_authorization=True)).drop_headers == frozenset()


@pytest.mark.case("C012")
async def test_the_credential_ends_here_wherever_it_stood() -> None:
    sources = Sources(query="access_token", form="token", cookie="session", header="X-Token")
    async with route(active(), sources=sources) as (_, policy):
        for facts in ({"query": f"access_token={OPAQUE}"}, {"headers": [("X-Token", OPAQUE)]}):
            allow = allowed(await decided(policy, request(**facts)))
            assert allow.drop_headers == {"authorization", "cookie", "x-token"}
            assert allow.drop_parameters == {"access_token", "token"}


async def test_of_cookies_only_the_credential_is_taken_out() -> None:
    async with route(active(), sources=Sources(cookie="session")) as (_, policy):
        for _ in range(2):
            kept = allowed(await decided(policy, request(headers=[("Cookie", f"a=b; session={OPAQUE}; c=d")])))
            assert kept.set_headers == (("Cookie", "a=b; c=d"),)
        alone = allowed(await decided(policy, request(headers=[("Cookie", f"session={OPAQUE}")])))
        assert alone.set_headers == ()
        assert "cookie" in alone.drop_headers


@pytest.mark.case("C058", "C073", "C227")
async def test_claims_become_headers_as_the_route_names_them() -> None:
    names = {"X-Client": "client_id", "X-Name": "name", "X-Missing": "missing"}
    allow = allowed(await decision_on(active(name="a\r\nX-Admin: 1"), identity_headers=names))
    assert allow.set_headers == (("X-Client", "mobile"), ("X-Name", "a%0D%0AX-Admin: 1"))


@pytest.mark.case("C218")
async def test_the_names_of_identity_headers_are_known_to_the_gateway() -> None:
    async with route(identity_headers={"X-Client": "client_id"}, identity_preset="x-agw") as (_, policy):
        assert isinstance(policy, Enforcer)
        assert policy.identity_headers == {"X-Client", "X-AGW-*"}


async def test_two_routes_show_one_token_each_in_its_own_way() -> None:
    async with route(active(), identity_headers={"X-A": "sub"}) as (stage, one):
        other = await stage.route(identity_headers={"X-B": "client_id"})
        for _ in range(2):
            assert allowed(await stage.decide(one, OPAQUE)).set_headers == (("X-A", "alice"),)
            assert allowed(await stage.decide(other, OPAQUE)).set_headers == (("X-B", "mobile"),)


# --- contracts ---


async def test_a_client_needs_a_contract_where_the_route_asks_for_one() -> None:
    allowed(await decision_on(active(), contract="required"))
    assert denied(await decision_on(active(client_id="batch"), contract="required")) == (403, "client_without_contract")
    assert denied(await decision_on(active(client_id=None), contract="required")) == (403, "client_without_contract")


async def test_a_client_without_a_contract_has_no_tier() -> None:
    principal = allowed(await decision_on(active(client_id="batch"))).principal
    assert principal is not None
    assert principal.tier is None


async def test_a_contract_that_comes_changes_and_goes_counts_for_the_next_request_with_a_remembered_token() -> None:
    register = Register()
    register.replace([], [])
    async with staged(directory=Directory(register=register)) as stage:
        stage.idp.says[OPAQUE] = active()
        required, ignored = await stage.route(contract="required"), await stage.route(contract="ignored")
        assert denied(await stage.decide(required, OPAQUE)) == (403, "client_without_contract")
        assert tier_of(await stage.decide(ignored, OPAQUE)) is None
        for tier in ("gold", "silver", None, "gold"):
            register.change(("idp", "mobile"), [contract(tier)], blocked=False)
            for policy in (required, ignored) * 2:
                assert tier_of(policy.decide(request(OPAQUE))) == tier
        register.change(("idp", "mobile"), [], blocked=False)
        assert denied(await stage.decide(required, OPAQUE)) == (403, "client_without_contract")
        assert tier_of(await stage.decide(ignored, OPAQUE)) is None
        assert stage.idp.introspections == 1


async def test_a_token_of_a_client_that_was_deleted_here_counts_for_nothing_although_it_is_remembered() -> None:
    register = Register()
    register.replace([contract("gold")], [])
    async with staged(directory=Directory(register=register)) as stage:
        stage.idp.says[OPAQUE] = active()
        policy = await stage.route()
        allowed(await stage.decide(policy, OPAQUE))
        register.change(("idp", "mobile"), [contract("gold")], blocked=True)
        assert denied(await stage.decide(policy, OPAQUE)) == (401, "client_blocked")
        assert isinstance(policy, Enforcer)
        findings = await policy.explain(request(OPAQUE), None)
        assert [finding.check for finding in findings if finding.passed is False] == ["client"]
        register.change(("idp", "mobile"), [], blocked=False)
        allowed(await stage.decide(policy, OPAQUE))
        assert stage.idp.introspections == 1


async def test_nobody_is_let_in_or_refused_before_the_contracts_have_been_read() -> None:
    async with staged(directory=Directory(register=Register())) as stage:
        stage.idp.says[OPAQUE] = active()
        for policy in (await stage.route(contract="required"), await stage.route()):
            for _ in range(2):
                with pytest.raises(Unavailable) as caught:
                    await stage.decide(policy, OPAQUE)
                assert caught.value.code == "contracts_unknown"


def contract(tier: str | None) -> Contract:
    return Contract(provider="idp", client_id="mobile", api="orders", tier=tier)


def tier_of(decision: object) -> str | None:
    assert isinstance(decision, Allow)
    assert decision.principal is not None
    return decision.principal.tier


# --- several providers ---

OTHER = replace(
    PROVIDER,
    name="other",
    issuer="https://other.example.com",
    endpoints=Endpoints(introspection="https://other.example.com/introspect", jwks="https://other.example.com/keys"),
)


@dataclass
class TwoProviders:
    """A stage with a second provider, which knows other tokens."""

    stage: Stage
    says: dict[str, Mapping[str, object]]

    @property
    def fetch(self) -> FakeFetch:
        return self.stage.idp.fetch

    @property
    def asked(self) -> list[str]:
        """Which providers were asked about a token, in order."""
        names = {INTROSPECTION: "idp", "https://other.example.com/introspect": "other"}
        return [names[asked.url] for asked in self.fetch.asked if asked.url in names]

    async def route(self, *names: str) -> Policy:
        services = replace(self.stage.services, providers={"idp": PROVIDER, "other": OTHER})
        return await self.stage._stack.enter_async_context(TokenEnforcement(providers=names).open(services))


@asynccontextmanager
async def two_providers() -> AsyncIterator[TwoProviders]:
    async with staged() as stage:
        two = TwoProviders(stage, {})
        fetch = stage.idp.fetch

        def introspect(asked: Asked) -> Any:
            return json_reply(two.says.get(asked.form["token"], {"active": False}))

        fetch.answers["https://other.example.com/introspect"] = introspect
        fetch.answers["https://other.example.com/keys"] = reply(document(ec_signer().jwk))
        yield two


def provider_of(decision: Decision) -> str:
    principal = allowed(decision).principal
    assert principal is not None
    return principal.provider


async def test_an_opaque_token_is_asked_of_each_provider_in_turn() -> None:
    async with two_providers() as two:
        policy = await two.route("idp", "other")
        two.says[OPAQUE] = active()
        for _ in range(2):
            assert provider_of(await two.stage.decide(policy, OPAQUE)) == "other"
        assert two.asked == ["idp", "other"]


async def test_a_jwt_is_asked_of_the_provider_that_it_names() -> None:
    async with two_providers() as two:
        policy = await two.route("idp", "other")
        token = jwt(ec_signer(), iss=OTHER.issuer)
        two.says[token] = active()
        assert provider_of(await two.stage.decide(policy, token)) == "other"
        assert two.asked == ["other"]


async def test_a_jwt_in_memory_is_decided_at_once_by_the_provider_that_it_names() -> None:
    async with two_providers() as two:
        policy = await two.route("idp", "other")
        token = jwt(ec_signer(), iss=OTHER.issuer)
        two.says[token] = active()
        await two.stage.decide(policy, token)
        decision = policy.decide(request(token))
        assert isinstance(decision, Allow)
        assert provider_of(decision) == "other"


@pytest.mark.case("C147")
async def test_what_another_route_learned_from_a_provider_that_a_jwt_does_not_name_counts_for_nothing() -> None:
    async with two_providers() as two:
        token = jwt(ec_signer(), iss=OTHER.issuer)
        two.stage.idp.says[token] = active()
        assert provider_of(await two.stage.decide(await two.route("idp"), token)) == "idp"
        assert denied(await two.stage.decide(await two.route("idp", "other"), token)) == (401, "token_inactive")


async def test_a_jwt_that_names_no_provider_of_the_route_is_refused_and_nobody_is_asked() -> None:
    async with two_providers() as two:
        policy = await two.route("idp", "other")
        decision = await two.stage.decide(policy, jwt(iss="https://stranger.example.com"))
        assert denied(decision) == (401, "token_issuer_refused")
        assert two.asked == []


async def test_a_token_that_names_no_issuer_is_asked_of_each() -> None:
    async with two_providers() as two:
        policy = await two.route("idp", "other")
        token = jwt(iss=None)
        two.says[token] = active()
        assert provider_of(await two.stage.decide(policy, token)) == "other"
        assert two.asked == ["idp", "other"]


async def test_while_one_of_the_providers_cannot_answer_a_token_that_the_others_do_not_know_is_not_refused() -> None:
    async with two_providers() as two:
        policy = await two.route("idp", "other")
        two.stage.idp.answers(DOWN)
        with pytest.raises(Unavailable):
            await two.stage.decide(policy, OPAQUE)
        two.says["known"] = active()
        assert provider_of(await two.stage.decide(policy, "known")) == "other"


# --- explain ---


async def lines(
    policy: Policy, token: str | None, claims: Mapping[str, object] | None = None, **facts: Any
) -> list[str]:
    assert isinstance(policy, Enforcer)
    findings = await policy.explain(request(token, **facts), claims)
    return [f"{finding.check}: {finding.passed}" for finding in findings]


async def test_explain_says_how_each_check_comes_out() -> None:
    async with route(active(scope="a"), scopes=("b",)) as (_, policy):
        assert await lines(policy, OPAQUE) == [
            "credential: True",
            "token: True",
            "type and algorithm: True",
            "issuer: True",
            "expiry: True",
            "not before: True",
            "audience: None",
            "claims: None",
            "scopes: False",
            "contract: True",
            "upstream receives: None",
        ]


async def test_explain_of_claims_asks_nobody_and_keeps_nothing() -> None:
    async with route(scopes=("a",)) as (stage, policy):
        found = await lines(policy, OPAQUE, active(scope="a"))
        assert "scopes: True" in found
        assert stage.idp.introspections == 0
        assert len(stage.verifier._told) == 0


async def test_explain_stops_where_there_is_no_token() -> None:
    async with route() as (stage, policy):
        assert await lines(policy, None) == ["credential: False"]
        assert await lines(policy, "a b") == ["credential: False"]
        assert await lines(policy, "a" * (MAX_LENGTH + 1)) == ["credential: False"]
        assert stage.idp.introspections == 0
        assert await lines(policy, OPAQUE) == ["credential: True", "token: False"]


@pytest.mark.case("C307")
async def test_explain_never_shows_the_token() -> None:
    async with route(active()) as (_, policy):
        assert isinstance(policy, Enforcer)
        assert OPAQUE not in repr(await policy.explain(request(OPAQUE), None))


# --- evidence ---


@pytest.mark.case("C311")
async def test_every_decision_is_counted_once_with_its_reason() -> None:
    async with route(active(), scopes=("orders.read",)) as (stage, policy):
        await stage.decide(policy, OPAQUE)
        await stage.decide(policy, OPAQUE)
        await stage.decide(policy, None)
        await stage.decide(policy, "unknown")
        await stage.decide(policy, "a b")
        counted = {
            tuple(label.partition("=")[2] for label in series[1:]): entry.value
            for series, entry in stage.metrics.series.items()
            if series[0] == "token_checks"
        }
        assert counted == {
            ("idp", "", "allow"): 2,
            ("", "credential_missing", "deny"): 1,
            ("idp", "token_inactive", "deny"): 1,
            ("", "credential_malformed", "deny"): 1,
        }


@pytest.mark.case("C265", "C309")
@settings(max_examples=50, deadline=None)
@given(
    tokens=st.lists(st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1), max_size=5),
    claims=st.dictionaries(st.text(), st.text()),
)
def test_no_metric_has_a_label_that_a_caller_could_choose(tokens: list[str], claims: dict[str, str]) -> None:
    async def series() -> set[str]:
        async with staged() as stage:
            policy = await stage.route(scopes=("a",))
            for token in tokens:
                stage.idp.says[token.strip(" ")] = active(
                    **{"active": True, **{f"x-{k}": v for k, v in claims.items()}}
                )
                await stage.decide(policy, token)
            return {label for key in stage.metrics.series for label in key[1:]}

    known = {
        *(f"outcome={outcome}" for outcome in ("active", "inactive", "malformed")),
        *(f"result={result}" for result in ("hit", "negative", "stale", "miss", "success", "failure", "deny", "allow")),
        *(f"reason={code}" for code in ("insufficient_scope", "credential_malformed", "token_inactive")),
        *("provider=idp", "provider=", "target=idp"),
    }
    assert asyncio.run(series()) <= known


@pytest.mark.case("C307")
async def test_no_failure_shows_the_token_or_our_secret() -> None:
    async with staged(limits=Limits(failures=1)) as stage:
        policy = await stage.route(order=Order.INTROSPECT_ONLY)
        for answer in (json_reply({}, 401), json_reply([OPAQUE]), reply(OPAQUE.encode(), 500), DOWN):
            stage.idp.answers(answer)
            with pytest.raises(Unavailable) as caught:
                await stage.decide(policy, OPAQUE)
            shown = f"{caught.value!r} {caught.value.detail} {caught.value.__cause__!r} {caught.value.__context__!r}"
            assert OPAQUE not in shown
            assert "the-secret" not in shown


@pytest.mark.case("C053", "C055", "C056", "C059")
@pytest.mark.parametrize(
    "payload",
    [
        b'{"iss":"%s","exp":1,"exp":1999999999}' % ISSUER.encode(),
        b'{"iss":"%s","exp":1999999999,"scope":"a","scope":"b"}' % ISSUER.encode(),
        b"[]",
        b"null",
        b"",
        b"\xef\xbb\xbf{}",
        json.dumps({"exp": 1999999999}).encode("utf-16"),
        b'{"a":' * 3000,
    ],
    ids=lambda payload: repr(payload[:30]),
)
async def test_a_signed_payload_that_can_be_read_in_two_ways_is_refused(payload: bytes) -> None:
    async with staged(FakeProvider(SIGNER)) as stage:
        policy = await stage.route(order=Order.KEYS_ONLY)
        token = SIGNER.sign(json.dumps(SIGNER.header()).encode(), payload)
        decision = await stage.decide(policy, token[:MAX_LENGTH])
        assert isinstance(decision, Deny)
        assert (decision.status, decision.error) == (401, "invalid_token")


async def test_a_token_whose_first_segment_is_no_header_is_asked_of_the_provider_like_any_other() -> None:
    token = f"ey{encoded(b'x')}.b.c"
    async with staged() as stage:
        stage.idp.says[token] = active()
        allowed(await stage.decide(await stage.route(), token))
