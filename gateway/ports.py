"""The outside world, as protocols: what a policy may use without knowing who does it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gateway.policy import Headers


class Clock(Protocol):
    """Where time comes from."""

    def time(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary start."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server of ours to ask (an identity provider) answered, whole and within the size cap."""

    status: int
    headers: Mapping[str, str]
    """Names compare without regard to case."""
    body: bytes = field(repr=False)

    @property
    def media_type(self) -> str:
        """The media type of the body in lower case, without parameters."""
        return self.headers.get("Content-Type", "").split(";", 1)[0].strip().lower()


class Fetch(Protocol):
    """One request to a server we ask, and its whole answer; redirects are not followed.

    Raises `Unavailable` (codes `provider_unreachable`, `provider_timeout`, `provider_tls`, `provider_answer`) when
    there is no answer, or none within the time and size that were configured.
    """

    async def __call__(self, method: str, url: str, *, headers: Headers = (), body: bytes = b"") -> Reply: ...


class Counter(Protocol):
    """A number that only grows."""

    def inc(self, amount: float = 1, /) -> None: ...


class Gauge(Protocol):
    """A number that is set."""

    def set(self, value: float, /) -> None: ...


class Histogram(Protocol):
    """How often values fell where."""

    def observe(self, value: float, /) -> None: ...


class Metrics(Protocol):
    """Series for `/metrics`. Names come without the prefix `tokenward_`; label values come from configuration or a
    closed set, never from a request. The same name and labels give the same series, so that a reload goes on counting.
    """

    def counter(self, name: str, description: str, /, **labels: str) -> Counter: ...

    def gauge(self, name: str, description: str, /, **labels: str) -> Gauge: ...

    def histogram(self, name: str, description: str, /, **labels: str) -> Histogram: ...
