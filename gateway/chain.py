"""The policies of a route in their order, and the one decision they come to. Pure."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.conditions import Condition
from gateway.policy import Allow, Decision, Deny, Explains, Finding, Headers, Policy, Principal, Request, Unavailable

_UNCHANGED = Allow()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A policy in its place: its name in the settings, when it applies, and whether it may refuse."""

    name: str
    policy: Policy
    when: Condition | None = None
    report_only: bool = False

    def applies(self, request: Request) -> bool:
        """Whether the policy is asked about this request."""
        return self.when is None or self.when.applies(request.method, request.path)


@dataclass(frozen=True, slots=True)
class Explained:
    """A policy of the chain, and how its checks come out."""

    step: Step
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Chain:
    """Asks each policy in turn; the first refusal ends it. An empty chain allows."""

    steps: tuple[Step, ...] = ()
    reads_form: bool = field(init=False)
    """Whether a policy wants the fields of a form body."""
    identity_headers: frozenset[str] = field(init=False)
    """The names that policies set for the upstream, to be removed from what callers send."""

    def __post_init__(self) -> None:
        policies = [step.policy for step in self.steps]
        object.__setattr__(self, "reads_form", any(getattr(policy, "reads_form", False) for policy in policies))
        names = frozenset(name for policy in policies for name in getattr(policy, "identity_headers", ()))
        object.__setattr__(self, "identity_headers", names)

    def decide(self, request: Request) -> Decision | Awaitable[Decision]:
        """The decision at once, or an awaitable of it when a policy must ask. Raises what a policy raises."""
        return self._from(0, request, None)

    def _from(self, position: int, request: Request, allowed: Allow | None) -> Decision | Awaitable[Decision]:
        for index in range(position, len(self.steps)):
            step = self.steps[index]
            if not step.applies(request):
                continue
            if allowed is not None:
                request = _known(request, allowed.principal)
            try:
                outcome = step.policy.decide(request)
            except Unavailable as failure:
                outcome = _excused(step, failure)
            if not isinstance(outcome, (Allow, Deny)):
                return self._wait(index, outcome, request, allowed)
            decision = _joined(step, allowed, outcome)
            if isinstance(decision, Deny):
                return decision
            allowed = decision
        if allowed is not None:
            return allowed
        return _UNCHANGED if request.principal is None else Allow(principal=request.principal)

    async def _wait(
        self, index: int, outcome: Awaitable[Decision], request: Request, allowed: Allow | None
    ) -> Decision:
        step = self.steps[index]
        if not isinstance(outcome, Awaitable):
            raise _undecided(step)
        try:
            decision = await outcome
        except Unavailable as failure:
            decision = _excused(step, failure)
        decision = _joined(step, allowed, decision)
        if isinstance(decision, Deny):
            return decision
        rest = self._from(index + 1, request, decision)
        return rest if isinstance(rest, (Allow, Deny)) else await rest

    async def explain(self, request: Request, claims: Mapping[str, object] | None = None) -> list[Explained]:
        """How each check of each policy comes out; a refusal does not end it. Raises what a policy raises."""
        return [Explained(step, await _excusing_findings(step, request, claims)) for step in self.steps]


def _joined(step: Step, allowed: Allow | None, outcome: Decision) -> Decision:
    """What was allowed so far, and what one more policy said."""
    # Not by `match`, which takes three times as long, with each request.
    if isinstance(outcome, Allow):
        return outcome if allowed is None else _both(allowed, outcome)
    if isinstance(outcome, Deny):
        if not step.report_only:
            return outcome if allowed is None else _refused(allowed, outcome)
        allowed = allowed or _UNCHANGED
        return replace(allowed, reported=(*allowed.reported, (step.name, outcome.code)))
    raise _undecided(step)


def _undecided(step: Step) -> TypeError:
    """A policy from outside may break its promise, and what is not an Allow must never count as one."""
    return TypeError(f"the policy {step.name} answered with neither Allow nor Deny")


def _refused(allowed: Allow, deny: Deny) -> Deny:
    """The refusal, with what the policies before it found out."""
    return replace(deny, reported=allowed.reported, principal=deny.principal or allowed.principal)


def _both(first: Allow, second: Allow) -> Allow:
    """What two policies allow together: the changes of both, and the shorter validity."""
    return Allow(
        principal=second.principal or first.principal,
        set_headers=_replaced(first.set_headers, second.set_headers),
        drop_headers=first.drop_headers | second.drop_headers,
        drop_parameters=first.drop_parameters | second.drop_parameters,
        answer_headers=_replaced(first.answer_headers, second.answer_headers),
        valid_until=min(first.valid_until, second.valid_until),
        notes=(*first.notes, *second.notes),
        reported=first.reported,
    )


def _replaced(first: Headers, second: Headers) -> Headers:
    """Both, but of a name that both set only the second's."""
    if not first or not second:
        return first or second
    later = {name.lower() for name, _ in second}
    return (*(header for header in first if header[0].lower() not in later), *second)


def _known(request: Request, principal: Principal | None) -> Request:
    """The request as the next policy sees it."""
    if principal is None or principal is request.principal:
        return request
    return replace(request, principal=principal)


def _excused(step: Step, failure: Unavailable) -> Deny:
    """A failure of a report-only policy, as what it would have answered; any other failure goes on."""
    if not step.report_only:
        raise failure
    return Deny(503, failure.code, failure.detail)


async def _excusing_findings(step: Step, request: Request, claims: Mapping[str, object] | None) -> Sequence[Finding]:
    try:
        return await _findings(step, request, claims)
    except Unavailable as failure:
        return [_said(_excused(step, failure))]


async def _findings(step: Step, request: Request, claims: Mapping[str, object] | None) -> Sequence[Finding]:
    if not step.applies(request):
        return [Finding("when", None, "does not apply to this method and path")]
    if isinstance(step.policy, Explains):
        return await step.policy.explain(request, claims)
    outcome = step.policy.decide(request)
    decision = outcome if isinstance(outcome, (Allow, Deny)) else await outcome
    if isinstance(decision, Allow):
        return [Finding("decision", True, "allows")]
    return [_said(decision)]


def _said(deny: Deny) -> Finding:
    return Finding("decision", False, f"{deny.status} {deny.code}: {deny.detail}")
