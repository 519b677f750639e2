"""The loads that gateways are put under by wrk, each one a row."""

from dataclasses import dataclass
from enum import StrEnum

OPAQUE_TOKENS = 10_000


class Check(StrEnum):
    """What a gateway must be able to check, so that a scenario makes sense for it."""

    NOTHING = "nothing"
    OPAQUE = "opaque"
    RS256 = "rs256"
    ES256 = "es256"


class Tokens(StrEnum):
    """Which tokens the requests of a load carry."""

    NONE = "none"
    ONE = "one"
    TEN_THOUSAND = "ten thousand"
    NEW = "new"
    """Another one with each request; the gateway has seen none of them."""


PREFIXES = {Check.NOTHING: "/plain", Check.OPAQUE: "/opaque", Check.RS256: "/jwt", Check.ES256: "/jwt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One load. `connections` replaces what was asked for."""

    name: str
    title: str
    check: Check = Check.NOTHING
    tokens: Tokens = Tokens.NONE
    method: str = "GET"
    body: int = 0
    answer: int = 1024
    connections: int | None = None

    @property
    def path(self) -> str:
        """What is asked for, the same behind every gateway."""
        return f"{PREFIXES[self.check]}/{'10m' if self.answer > 1024 else '1k'}"

    @property
    def needs_signed_tokens(self) -> bool:
        """Whether many JWTs must be made before."""
        return self.tokens is Tokens.NEW and self.check in (Check.RS256, Check.ES256)


# In this order within a repetition, in which every gateway is started once: what fills caches comes last.
SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="plain", title="GET 1 KB, no token"),
        Scenario(name="post", title="POST 10 KB, no token", method="POST", body=10_240),
        Scenario(name="dl", title="GET 10 MB, no token", answer=10 << 20, connections=8),
        Scenario(name="opaque1", title="one opaque token, seen before", check=Check.OPAQUE, tokens=Tokens.ONE),
        Scenario(name="rs1", title="one RS256 JWT, seen before", check=Check.RS256, tokens=Tokens.ONE),
        Scenario(name="es1", title="one ES256 JWT, seen before", check=Check.ES256, tokens=Tokens.ONE),
        Scenario(
            name="postopaque",
            title="POST 10 KB, one opaque token, seen before",
            check=Check.OPAQUE,
            tokens=Tokens.ONE,
            method="POST",
            body=10_240,
        ),
        Scenario(name="rsfresh", title="RS256 JWTs, none seen before", check=Check.RS256, tokens=Tokens.NEW),
        Scenario(name="esfresh", title="ES256 JWTs, none seen before", check=Check.ES256, tokens=Tokens.NEW),
        Scenario(name="cold", title="opaque tokens, none seen before", check=Check.OPAQUE, tokens=Tokens.NEW),
        Scenario(
            name="opaque10k",
            title="10,000 opaque tokens in turn, all seen before",
            check=Check.OPAQUE,
            tokens=Tokens.TEN_THOUSAND,
        ),
    )
}
