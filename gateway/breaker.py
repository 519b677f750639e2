"""A circuit breaker: a server that keeps failing is left alone for a while, then asked by one request."""

from enum import Enum

from gateway.ports import Clock


class State(Enum):
    """Closed: ask. Open: do not ask. Probing: one request asks, the others do not."""

    CLOSED = 0
    OPEN = 1
    PROBING = 2


_CLOSED = State.CLOSED
"""Looked up once: through the enumeration it takes as long as a call, with each request."""


class Breaker:
    """Opens after `failures` in a row; after `cool_down` seconds it lets one request through to find out."""

    def __init__(self, clock: Clock, *, failures: int, cool_down: float) -> None:
        self._clock = clock
        self._limit = failures
        self._cool_down = cool_down
        self._failures = 0
        self._probe_at = 0.0
        self.state = State.CLOSED

    @property
    def refuses(self) -> bool:
        """Whether asking now would be refused; looking changes nothing."""
        return self.state is not State.CLOSED and self._clock.monotonic() < self._probe_at

    @property
    def retry_after(self) -> int:
        """Whole seconds until the next probe, at least one."""
        return max(1, round(self._probe_at - self._clock.monotonic()))

    def admit(self) -> bool:
        """Whether this caller may ask; it must then report `succeeded` or `failed`."""
        if self.state is _CLOSED:
            return True
        if self.refuses:
            return False
        self._wait(State.PROBING)  # should the probe never report, another one follows after the cool-down
        return True

    def succeeded(self) -> None:
        """The server answered."""
        self._failures = 0
        self.state = _CLOSED

    def failed(self) -> None:
        """The server did not answer, or not sensibly."""
        self._failures += 1
        if self.state is State.PROBING:
            # The cool-down began with the probe: one that ran into its timeout has waited long enough.
            self.state = State.OPEN
        elif self.state is State.CLOSED and self._failures >= self._limit:
            self._wait(State.OPEN)

    def _wait(self, state: State) -> None:
        self.state = state
        self._probe_at = self._clock.monotonic() + self._cool_down
