"""The parts of what a route may say of token enforcement that hold several values each. Pure."""

from dataclasses import dataclass

from policies.token_enforcement.facts import RESTEP, Active, Fact, Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where a credential may stand. Each place but the Authorization header is off unless it is named."""

    authorization: bool = True
    query: str | None = None
    """The query parameter's name. RFC 6750, 2.3 advises against it: URLs end up in logs."""
    form: str | None = None
    """The form field's name, for `application/x-www-form-urlencoded` bodies."""
    cookie: str | None = None
    header: str | None = None
    """A header that holds the bare token."""

    @property
    def are_plain(self) -> bool:
        """Whether there is the Authorization header alone: then a request without a query has been read to the end."""
        return self.query is None and self.form is None and self.cookie is None and self.header is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRule:
    """What a claim must say. Exactly one of `equals`, `one_of` and `contains` is given."""

    claim: str
    """Its name; members of objects by dots, as in `realm_access.roles`."""
    equals: str | int | float | bool | None = None
    one_of: tuple[str | int | float | bool, ...] = ()
    contains: str | int | float | bool | None = None
    """An element of a list, or a word of a string of words."""

    def __post_init__(self) -> None:
        if [self.equals is not None, bool(self.one_of), self.contains is not None].count(True) != 1:
            raise ValueError("write exactly one of equals, one_of and contains")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """For how long a route believes what is known, in seconds. Zero: ask each time."""

    max_age: float = 60.0
    """For whatever is known. The others may be smaller, and count for no more than this."""
    max_age_without_exp: float = 60.0
    """For tokens whose provider does not say when they expire."""
    negative_age: float = 10.0
    """For rejections."""
    stale_if_error: float = 0.0
    """Beyond the maximum age, while the provider cannot answer."""

    def __post_init__(self) -> None:
        for name in ("max_age", "max_age_without_exp", "negative_age", "stale_if_error"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)} s; write 0 to believe nothing, or more")

    def believes(self, fact: Fact, now: float, *, longer: float = 0.0) -> bool:
        """Whether the fact is young enough at `now`, seconds since the epoch."""
        greatest = self.age(fact) + longer
        return greatest > 0 and -RESTEP < now - fact.asked_at < greatest

    def age(self, fact: Fact) -> float:
        """The greatest age at which such a fact is believed."""
        if isinstance(fact, Active):
            # Not by `match`, which takes three times as long, with each request.
            return self.max_age if fact.token.expires_at is not None else min(self.max_age_without_exp, self.max_age)
        return min(self.negative_age, self.max_age) if isinstance(fact, Rejected) else self.max_age
