"""The rate limit itself: whose request, which limits, room or none, a decision."""

from collections.abc import Awaitable, Mapping, Sequence

from gateway.policy import Allow, Decision, Deny, Finding, Request, Unavailable, place_of
from policies.rate_limit.counters import Counts, Taken
from policies.rate_limit.fields import Fields
from policies.rate_limit.windows import Left, Window, key_of

UNLIMITED = Allow()


class Limiter:
    """An opened rate limit. Counters in memory decide at once; those in Redis return an awaitable."""

    def __init__(
        self,
        *,
        api: str,
        tiers: Mapping[str, tuple[Window, ...]],
        without: str | None,
        counts: Counts,
        fields: Fields,
    ) -> None:
        self._api = api
        self._tiers = tiers
        self._without = without
        self._counts = counts
        self._fields = fields

    def decide(self, request: Request) -> Decision | Awaitable[Decision]:
        """Room in every window of the tier, or 429. Raises `Unavailable` for a tier that nobody described."""
        windows, key = self._windows(request), self._key(request)
        if not windows:
            return UNLIMITED
        taken = self._counts.take(windows, key, request.received_at)
        return self._decided(taken) if isinstance(taken, list | Left) else self._later(taken)

    async def explain(self, request: Request, claims: Mapping[str, object] | None) -> Sequence[Finding]:
        """What is left of each limit. Nothing is counted."""
        if request.principal is None and self._without is None:
            return [Finding("limit", None, "that of the client's tier; nothing is counted here")]
        windows = self._windows(request)
        if not windows:
            return [Finding("limit", None, "no limit holds for this request")]
        left = self._counts.left(windows, self._key(request), request.received_at)
        return [_finding(each) for each in (left if isinstance(left, list) else await left)]

    def _windows(self, request: Request) -> tuple[Window, ...]:
        principal = request.principal
        tier = (None if principal is None else principal.tier) or self._without
        if tier is None:
            return ()
        try:
            return self._tiers[tier]
        except KeyError:
            # A contract may outlive the description of its tier: nobody knows its limits, so nobody may go on.
            raise Unavailable("The tier of this client is not described.", code="tier_unknown") from None

    def _key(self, request: Request) -> tuple[str, ...]:
        principal = request.principal
        if principal is None or principal.client_id is None:
            return key_of("", self._api, place_of(request.caller_ip))
        return key_of(principal.provider, self._api, principal.client_id)

    async def _later(self, taken: Awaitable[Taken]) -> Decision:
        return self._decided(await taken)

    def _decided(self, taken: Taken) -> Decision:
        if isinstance(taken, Left):
            shown = self._fields([taken]) if taken.window.visible else ()
            return Deny(
                429,
                "rate_limited",
                "The limit of requests is reached.",
                (("Retry-After", str(max(1, taken.whole_seconds))), *shown),
            )
        visible = [left for left in taken if left.window.visible]
        return Allow(answer_headers=self._fields(visible)) if visible else UNLIMITED


def _finding(left: Left) -> Finding:
    window = left.window
    told = f"{left.remaining} of {window.requests} in {window.seconds} s left"
    return Finding("limit", left.remaining > 0, f"{window.name}: {told}")
