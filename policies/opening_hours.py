"""The smallest complete policy: an API that is open between two hours of the day."""

from dataclasses import dataclass

from gateway.policy import Allow, Decision, Deny, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHours:
    """Allow requests only between two hours of the day, in UTC."""

    opens: int = 8
    """The first hour that is open."""
    closes: int = 18
    """The first hour that is closed again."""

    def __post_init__(self) -> None:
        if not 0 <= self.opens < self.closes <= 24:
            raise ValueError("opens must come before closes, and both lie between 0 and 24")

    def decide(self, request: Request) -> Decision:
        """Allow, or refuse with 403 `closed`."""
        hour = int(request.received_at // 3600 % 24)
        if self.opens <= hour < self.closes:
            return Allow()
        return Deny(403, "closed", f"This API opens at {self.opens}:00 UTC.")
