"""The enforcement itself: a credential, a fact about it, the rules, a decision. Reads like RFC 6750."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.clients import Contract, Directory
from gateway.policy import Allow, Decision, Deny, Finding, Headers, Principal, Request, Unavailable
from gateway.ports import Counter, Metrics
from policies.token_enforcement import bearer, explanation
from policies.token_enforcement.claims import Token
from policies.token_enforcement.credential import (
    MALFORMED,
    Credential,
    Unusable,
    cookies_without,
    find_credential,
)
from policies.token_enforcement.facts import Active, Rejected
from policies.token_enforcement.identity import AGW_PREFIX, headers_of
from policies.token_enforcement.options import Sources
from policies.token_enforcement.rules import Rules, judge
from policies.token_enforcement.signature import Invalid, peek
from policies.token_enforcement.verifier import Known, Verifier, Wish

MAX_LENGTH = 8192
"""Octets of a token; above it nothing is hashed, decoded or sent."""

NOTES: Mapping[str, Headers] = {cache: (("cache", cache),) for cache in ("hit", "miss", "stale", "negative")}

NO_CONTRACT = bearer.forbidden("client_without_contract", "The token's client has no contract for this API.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A provider that the route accepts, and what the route asks of its tokens."""

    verifier: Verifier
    rules: Rules
    wish: Wish
    wishes: Mapping[str, Wish]
    """By method, where a method asks for fresher facts than the others."""

    provider: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "provider", self.verifier.provider.name)

    def recall(self, credential: Credential, request: Request) -> Known | None:
        """What is in memory, as far as the request's method lets it be believed."""
        wish = self.wishes.get(request.method, self.wish)
        return self.verifier.recall(credential, self.verifier.key(credential), wish, request.received_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the options of one route come to: everything that can be computed before the first request."""

    api: str
    realm: str
    sources: Sources
    judges: tuple[Judge, ...]
    contract_required: bool
    identity: Mapping[str, str]
    agw: bool
    forward_authorization: bool


class Enforcer:
    """An opened token enforcement. What is in memory is decided at once; only a miss returns an awaitable."""

    def __init__(self, plan: Plan, directory: Directory, metrics: Metrics) -> None:
        self._plan = plan
        self._sole = plan.judges[0] if len(plan.judges) == 1 else None
        self._directory = directory
        self._metrics = metrics
        self._counters: dict[tuple[str, str, str], Counter] = {}
        self._places: dict[str | None, object] = {}
        """By the tier of a contract: where a token's `Allow` is remembered."""
        self._blocked = bearer.invalid_token(plan.realm, "client_blocked", "The token's client was deleted.")
        self._missing = bearer.no_credential(plan.realm)
        self._dropped_headers = _dropped_headers(plan)
        self._dropped_parameters = frozenset(
            name for name in (plan.sources.query, plan.sources.form) if name is not None
        )
        self.reads_form = plan.sources.form is not None
        self.identity_headers = frozenset(plan.identity) | ({f"{AGW_PREFIX}*"} if plan.agw else frozenset())

    def decide(self, request: Request) -> Decision | Awaitable[Decision]:
        """The decision about the request's credential. Raises `Unavailable`, or its awaitable does."""
        credential = find_credential(request, self._plan.sources)
        if not isinstance(credential, Credential):
            return self._without_token(credential)
        if len(credential.value) > MAX_LENGTH:
            return self._too_long()
        judge_, known = self._recall(credential, request)
        if known is None:
            return self._ask(credential, request)
        return self._judged(judge_, known, request)

    async def explain(self, request: Request, claims: Mapping[str, object] | None) -> Sequence[Finding]:
        """Each check and how it comes out. With `claims`, as if the provider had answered them for the token."""
        credential = find_credential(request, self._plan.sources)
        if not isinstance(credential, Credential):
            return [_refused(self._without_token(credential))]
        if len(credential.value) > MAX_LENGTH:
            return [_refused(self._too_long())]
        if not credential.is_well_formed:
            return [_refused(self._without_token(MALFORMED))]
        found = Finding("credential", True, repr(credential))
        if claims is None:
            judge_, known = await self._find(credential, request)
            return [found, *self._explained(judge_, known.fact, request)]
        judge_ = self._plan.judges[0]
        fact = judge_.verifier.supposed(claims, request.received_at)
        return [found, *self._explained(judge_, fact, request, "supposed to be introspected by ")]

    def _explained(
        self, judge_: Judge, fact: Active | Rejected, request: Request, supposed: str = ""
    ) -> Sequence[Finding]:
        provider = judge_.provider
        if isinstance(fact, Rejected):
            return [Finding("token", False, f"401 {fact.code}: {fact.detail} ({supposed}provider {provider})")]
        verified = supposed or ("introspected by " if fact.token.type is None else "signature checked by ")
        contract = self.contract(provider, fact.token)
        return [
            Finding("token", True, f"{verified}provider {provider}"),
            *explanation.of_rules(fact.token, judge_.rules, request.received_at),
            *explanation.of_client(fact.token, blocked=self._is_blocked(provider, fact.token)),
            explanation.of_contract(fact.token, contract, required=self._plan.contract_required),
            explanation.of_identity(headers_of(fact.token, self._plan.identity, agw=self._plan.agw)),
        ]

    def _without_token(self, credential: Unusable | None) -> Deny:
        if credential is None:
            return self._refuse("", self._missing)
        return self._refuse("", bearer.invalid_request(self._plan.realm, credential.code, credential.detail))

    def _too_long(self) -> Deny:
        return self._refuse("", bearer.invalid_token(self._plan.realm, "token_too_long", "The token is too long."))

    def _recall(self, credential: Credential, request: Request) -> tuple[Judge, Known | None]:
        """What is in memory. Of several providers, one that stands for the token outweighs those that do not."""
        if self._sole is not None:
            return self._sole, self._sole.recall(credential, request)
        judge_, known = self._plan.judges[0], None
        for judge_ in self._answerable(credential):
            remembered = judge_.recall(credential, request)
            if remembered is None or isinstance(remembered.fact, Active):
                return judge_, remembered
            known = remembered
        return judge_, known or _of_nobody(request)

    async def _ask(self, credential: Credential, request: Request) -> Decision:
        if not credential.is_well_formed:
            return self._without_token(MALFORMED)
        judge_, known = await self._find(credential, request)
        return self._judged(judge_, known, request)

    async def _find(self, credential: Credential, request: Request) -> tuple[Judge, Known]:
        """Ask the providers in turn until one stands for the token. One that cannot answer leaves it open."""
        failure: Unavailable | None = None
        judge_, known = self._plan.judges[0], None
        for judge_ in self._answerable(credential):
            verifier, wish = judge_.verifier, judge_.wishes.get(request.method, judge_.wish)
            key = verifier.key(credential)
            try:
                known = verifier.recall(credential, key, wish, request.received_at) or await verifier.verify(
                    credential, key, wish
                )
            except Unavailable as error:
                failure = error
                continue
            if isinstance(known.fact, Active):
                return judge_, known
        if failure is not None:
            raise failure
        return judge_, known or _of_nobody(request)

    def _answerable(self, credential: Credential) -> Sequence[Judge]:
        """The providers to ask: by the issuer that a JWT names among several, else all in their order.

        The claim is not verified yet: it chooses among configured providers, and nothing else.
        """
        judges = self._plan.judges
        if len(judges) == 1 or not credential.looks_like_jwt:
            return judges
        unverified = peek(credential.value)
        if isinstance(unverified, Invalid) or unverified.issuer is None:
            return judges
        return [judge_ for judge_ in judges if judge_.verifier.provider.issuer == unverified.issuer]

    def _judged(self, judge_: Judge, known: Known, request: Request) -> Decision:
        """The rules run on every hit: what is kept is what the provider said, never what we made of it."""
        provider, fact = judge_.provider, known.fact
        if isinstance(fact, Rejected):
            refusal = bearer.invalid_token(self._plan.realm, fact.code, fact.detail)
            return self._refuse(provider, replace(refusal, notes=NOTES[known.cache]))
        refused = judge(fact.token, judge_.rules, request.received_at)
        if refused is not None:
            return self._refuse_token(provider, known, fact.token, refused)
        # Asked of the directory each time, and never kept: contracts come and go while a token stays in memory.
        if self._is_blocked(provider, fact.token):
            return self._refuse_token(provider, known, fact.token, self._blocked)
        contract = self.contract(provider, fact.token)
        if contract is None and self._plan.contract_required:
            return self._refuse_token(provider, known, fact.token, NO_CONTRACT)
        self._count(provider, "allow", "")
        return self._allowed(judge_, known, fact, contract, request)

    def _is_blocked(self, provider: str, token: Token) -> bool:
        """Whether the token's client was deleted here, whatever its provider says."""
        return token.client_id is not None and self._directory.is_blocked(provider, token.client_id)

    def contract(self, provider: str, token: Token) -> Contract | None:
        """The contract of the token's client for the route's API."""
        if token.client_id is None:
            return None
        return self._directory.contract(provider, token.client_id, self._plan.api)

    def _allowed(self, judge_: Judge, known: Known, fact: Active, contract: Contract | None, request: Request) -> Allow:
        tier = None if contract is None else contract.tier
        place = self._places.get(tier)
        if place is None:
            place = self._places[tier] = object()
        allow = fact.rendered(place) or fact.render(place, self._rendered(judge_, fact.token, tier))
        if known.cache != "hit":
            allow = replace(allow, notes=NOTES[known.cache])
        if self._plan.sources.cookie is None:
            return allow
        left = cookies_without(request, self._plan.sources.cookie)
        return replace(allow, set_headers=(*allow.set_headers, ("Cookie", left))) if left else allow

    def _rendered(self, judge_: Judge, token: Token, tier: str | None) -> Allow:
        """What an allowed request with this token comes to: computed once for a token, and true as long as it is."""
        principal = Principal(
            provider=judge_.provider,
            client_id=token.client_id,
            subject=token.subject,
            scopes=token.scopes,
            claims=token.claims,
            tier=tier,
        )
        allow = Allow(
            principal=principal,
            set_headers=headers_of(token, self._plan.identity, agw=self._plan.agw),
            drop_headers=self._dropped_headers,
            drop_parameters=self._dropped_parameters,
            notes=NOTES["hit"],
        )
        if token.expires_at is None:
            return allow
        return replace(allow, valid_until=token.expires_at + judge_.rules.leeway)

    def _refuse_token(self, provider: str, known: Known, token: Token, deny: Deny) -> Deny:
        """Refuse a token that the provider stands for: whose it is, is known."""
        whose = Principal(
            provider=provider, client_id=token.client_id, subject=token.subject, scopes=token.scopes, claims={}
        )
        return self._refuse(provider, replace(deny, notes=NOTES[known.cache], principal=whose))

    def _refuse(self, provider: str, deny: Deny) -> Deny:
        self._count(provider, "deny", deny.code)
        return deny

    def _count(self, provider: str, result: str, reason: str) -> None:
        key = (provider, result, reason)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._metrics.counter(
                "token_checks", "Tokens judged.", provider=provider, result=result, reason=reason
            )
        counter.inc()


def _of_nobody(request: Request) -> Known:
    """What is known of a token that comes from none of the route's providers."""
    refused = Rejected("token_issuer_refused", "The token comes from another issuer.", request.received_at)
    return Known(refused, "miss")


def _refused(deny: Deny) -> Finding:
    return Finding("credential", False, f"{deny.status} {deny.code}: {deny.detail}")


def _dropped_headers(plan: Plan) -> frozenset[str]:
    """The credential ends here: an upstream that received it could use it elsewhere."""
    sources = plan.sources
    names = [sources.header]
    if sources.authorization and not plan.forward_authorization:
        names.append("authorization")
    if sources.cookie is not None:
        names.append("cookie")
    return frozenset(name.lower() for name in names if name is not None)
