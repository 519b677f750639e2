"""The policies of a route, in their order, come to one decision."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.chain import Chain, Explained, Step
from gateway.conditions import condition
from gateway.policy import Allow, Decision, Deny, Finding, Policy, Principal, Request, Unavailable
from tests.fakes import decided, request

ALICE = Principal(provider="idp", client_id="mobile", subject="alice", scopes=frozenset(), claims={})
BOB = Principal(provider="idp", client_id="batch", subject="bob", scopes=frozenset(), claims={})
NO = Deny(403, "closed", "This API is closed.")


@dataclass
class Says:
    """A policy that always says the same, at once; and the requests it was asked about."""

    outcome: Decision | Exception | None
    asked: list[Request] = field(default_factory=list)

    def decide(self, request: Request) -> Decision:
        self.asked.append(request)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return cast(Decision, self.outcome)


@dataclass
class Asks(Says):
    """The same, after a wait."""

    def decide(self, request: Request) -> Awaitable[Decision]:  # type: ignore[override]  # the other half of the union
        return self._later(request)

    async def _later(self, request: Request) -> Decision:
        await asyncio.sleep(0)
        return Says.decide(self, request)


def chain(*policies: Policy, **changes: Any) -> Chain:
    return Chain(tuple(Step(name=f"policy-{index}", policy=policy, **changes) for index, policy in enumerate(policies)))


both_kinds = pytest.mark.parametrize("kind", [Says, Asks])


async def test_an_empty_chain_allows() -> None:
    assert chain().decide(request()) == Allow()


async def test_policies_that_know_are_answered_without_an_awaitable() -> None:
    assert isinstance(chain(Says(Allow()), Says(Allow())).decide(request()), Allow)


@both_kinds
async def test_the_first_refusal_ends_it(kind: type[Says]) -> None:
    never = Says(Allow())
    assert await decided(chain(Says(Allow()), kind(NO), never), request()) == NO
    assert never.asked == []


@both_kinds
async def test_a_policy_that_cannot_decide_never_lets_the_request_through(kind: type[Says]) -> None:
    with pytest.raises(Unavailable):
        await decided(chain(Says(Allow()), kind(Unavailable("idp is down")), Says(Allow())), request())


@both_kinds
async def test_a_policy_with_a_bug_never_lets_the_request_through(kind: type[Says]) -> None:
    with pytest.raises(ZeroDivisionError):
        await decided(chain(kind(ZeroDivisionError()), Says(Allow())), request())


@both_kinds
@pytest.mark.parametrize("report_only", [False, True])
async def test_a_policy_that_answers_none_never_lets_the_request_through(kind: type[Says], report_only: bool) -> None:
    with pytest.raises(TypeError):
        await decided(chain(kind(None), Says(Allow()), report_only=report_only), request())


@pytest.mark.parametrize("answer", [True, "allow", (Allow(),), 1])
async def test_what_is_no_decision_never_counts_as_one(answer: object) -> None:
    with pytest.raises(TypeError):
        await decided(chain(Says(cast(Decision, answer))), request())


# --- what one policy hands on to the next ---


@both_kinds
async def test_a_principal_is_known_to_the_policies_that_follow(kind: type[Says]) -> None:
    follows = Says(Allow())
    decision = await decided(chain(kind(Allow(principal=ALICE)), follows), request())
    assert follows.asked[0].principal == ALICE
    assert isinstance(decision, Allow)
    assert decision.principal == ALICE


async def test_the_last_policy_that_names_a_principal_counts() -> None:
    policies = Says(Allow(principal=ALICE)), Says(Allow(principal=BOB)), Says(Allow())
    decision = await decided(chain(*policies), request())
    assert isinstance(decision, Allow)
    assert decision.principal == BOB


async def test_policies_before_a_wait_and_after_it_are_asked_in_order() -> None:
    order: list[str] = []

    @dataclass
    class Notes:
        name: str
        waits: bool

        def decide(self, request: Request) -> Decision | Awaitable[Decision]:
            return self._later() if self.waits else self._now()

        def _now(self) -> Decision:
            order.append(self.name)
            return Allow(set_headers=((f"X-{self.name}", "1"),))

        async def _later(self) -> Decision:
            await asyncio.sleep(0)
            return self._now()

    decision = await decided(chain(Notes("a", False), Notes("b", True), Notes("c", False), Notes("d", True)), request())
    assert order == ["a", "b", "c", "d"]
    assert isinstance(decision, Allow)
    assert decision.set_headers == (("X-a", "1"), ("X-b", "1"), ("X-c", "1"), ("X-d", "1"))


# --- two Allows ---


async def test_what_two_policies_allow_is_the_changes_of_both_and_the_shorter_validity() -> None:
    first = Allow(
        set_headers=(("X-A", "1"),),
        drop_headers=frozenset({"authorization"}),
        drop_parameters=frozenset({"access_token"}),
        answer_headers=(("RateLimit-Limit", "10"),),
        valid_until=200.0,
        notes=(("cache", "hit"),),
    )
    second = Allow(
        set_headers=(("X-B", "2"),),
        drop_headers=frozenset({"cookie"}),
        drop_parameters=frozenset({"token"}),
        answer_headers=(("RateLimit-Remaining", "9"),),
        valid_until=100.0,
        notes=(("quota", "gold"),),
    )
    assert await decided(chain(Says(first), Says(second)), request()) == Allow(
        set_headers=(("X-A", "1"), ("X-B", "2")),
        drop_headers=frozenset({"authorization", "cookie"}),
        drop_parameters=frozenset({"access_token", "token"}),
        answer_headers=(("RateLimit-Limit", "10"), ("RateLimit-Remaining", "9")),
        valid_until=100.0,
        notes=(("cache", "hit"), ("quota", "gold")),
    )


@pytest.mark.parametrize("ends", [(100.0, 200.0), (200.0, 100.0)])
async def test_the_shorter_validity_counts_whoever_names_it(ends: tuple[float, float]) -> None:
    first, second = (Says(Allow(valid_until=end)) for end in ends)
    decision = await decided(chain(first, second), request())
    assert isinstance(decision, Allow)
    assert decision.valid_until == 100.0


async def test_a_header_that_two_policies_set_has_the_value_of_the_later_whatever_its_case() -> None:
    first, second = Allow(set_headers=(("X-User", "a"), ("X-Other", "b"))), Allow(set_headers=(("x-user", "c"),))
    decision = await decided(chain(Says(first), Says(second)), request())
    assert isinstance(decision, Allow)
    assert decision.set_headers == (("X-Other", "b"), ("x-user", "c"))


async def test_one_policy_may_set_a_header_twice() -> None:
    twice = (("Link", "a"), ("Link", "b"))
    decision = await decided(chain(Says(Allow()), Says(Allow(set_headers=twice))), request())
    assert isinstance(decision, Allow)
    assert decision.set_headers == twice


# --- conditions ---


async def test_a_policy_is_not_asked_about_what_it_does_not_apply_to() -> None:
    policy = Says(NO)
    conditional = chain(policy, when=condition(methods=["DELETE"]))
    assert await decided(conditional, request(method="GET")) == Allow()
    assert policy.asked == []
    assert await decided(conditional, request(method="DELETE")) == NO


# --- report only ---


@both_kinds
async def test_a_report_only_refusal_lets_the_request_through_and_is_reported(kind: type[Says]) -> None:
    decision = await decided(chain(kind(NO), report_only=True), request())
    assert decision == Allow(reported=(("policy-0", "closed"),))


@both_kinds
async def test_a_report_only_failure_lets_the_request_through_and_is_reported(kind: type[Says]) -> None:
    failure = Unavailable("idp is down", code="provider_unreachable")
    decision = await decided(chain(kind(failure), report_only=True), request())
    assert decision == Allow(reported=(("policy-0", "provider_unreachable"),))


async def test_what_a_report_only_policy_allows_takes_effect() -> None:
    assert await decided(chain(Says(Allow(principal=ALICE)), report_only=True), request()) == Allow(principal=ALICE)


@both_kinds
async def test_a_refusal_after_a_report_carries_the_report(kind: type[Says]) -> None:
    steps = (
        Step(name="trial", policy=Says(Deny(401, "token_expired", "The token has expired.")), report_only=True),
        Step(name="hours", policy=kind(NO)),
    )
    decision = await decided(Chain(steps), request())
    assert decision == Deny(403, "closed", "This API is closed.", reported=(("trial", "token_expired"),))


async def test_all_reports_are_kept_in_order_beside_what_is_allowed() -> None:
    steps = (
        Step(name="first", policy=Says(NO), report_only=True),
        Step(name="token", policy=Says(Allow(principal=ALICE))),
        Step(name="last", policy=Says(Deny(429, "quota", "Too many.")), report_only=True),
    )
    decision = await decided(Chain(steps), request())
    assert decision == Allow(principal=ALICE, reported=(("first", "closed"), ("last", "quota")))


OUTCOMES = st.sampled_from([Allow(), Allow(principal=ALICE), NO, Unavailable("down")])
STEPS = st.lists(st.tuples(OUTCOMES, st.booleans(), st.booleans()), max_size=6)


@given(steps=STEPS)
def test_a_request_passes_only_if_no_policy_that_counts_stands_in_its_way(
    steps: Sequence[tuple[Decision | Unavailable, bool, bool]],
) -> None:
    """Whatever waits and whatever only reports: allowed means that each policy with a say allowed."""
    built = Chain(
        tuple(
            Step(name=str(index), policy=(Asks if waits else Says)(outcome), report_only=report_only)
            for index, (outcome, waits, report_only) in enumerate(steps)
        )
    )
    try:
        passed = isinstance(asyncio.run(decided(built, request())), Allow)
    except Unavailable:
        passed = False
    assert passed == all(isinstance(outcome, Allow) or report_only for outcome, _, report_only in steps)


# --- what the gateway asks of a chain beside decisions ---


def test_a_chain_reads_the_form_where_one_of_its_policies_does() -> None:
    @dataclass
    class Reads(Says):
        reads_form: bool = True

    assert not chain(Says(NO)).reads_form
    assert chain(Says(NO), Reads(NO)).reads_form


def test_a_chain_knows_the_identity_headers_of_all_its_policies() -> None:
    @dataclass
    class Sets(Says):
        identity_headers: frozenset[str] = frozenset()

    policies = Sets(NO, identity_headers=frozenset({"X-A"})), Says(NO), Sets(NO, identity_headers=frozenset({"X-B-*"}))
    assert chain(*policies).identity_headers == {"X-A", "X-B-*"}


# --- explain ---


async def test_explain_goes_on_after_a_refusal_and_says_what_does_not_apply() -> None:
    steps = (
        Step(name="closed", policy=Says(NO)),
        Step(name="deletes", policy=Says(NO), when=condition(methods=["DELETE"])),
        Step(name="waits", policy=Asks(Allow())),
    )
    assert await Chain(steps).explain(request()) == [
        Explained(steps[0], [Finding("decision", False, "403 closed: This API is closed.")]),
        Explained(steps[1], [Finding("when", None, "does not apply to this method and path")]),
        Explained(steps[2], [Finding("decision", True, "allows")]),
    ]


async def test_a_policy_that_explains_itself_is_given_the_claims() -> None:
    class Explains(Says):
        async def explain(self, request: Request, claims: Mapping[str, object] | None) -> Sequence[Finding]:
            return [Finding("claims", None, repr(claims))]

    (explained,) = await chain(Explains(NO)).explain(request(), {"sub": "alice"})
    assert explained.findings == [Finding("claims", None, "{'sub': 'alice'}")]
