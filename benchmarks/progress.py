"""What is going on, and how long it will take."""

import sys
import time
from dataclasses import dataclass, field


def to_go(planned: float, done: float, elapsed: float) -> float:
    """Seconds until the end: what is planned and not done, as fast as the plan has been kept until now."""
    return (planned - done) * (elapsed / done if done else 1.0)


def clock(seconds: float) -> str:
    """As minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


@dataclass(slots=True)
class Progress:
    """Says it on stderr. `planned` are the seconds that all steps should take."""

    planned: float
    done: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """One line about what is done now or was found."""
        left = clock(to_go(self.planned, self.done, time.monotonic() - self.began))
        sys.stderr.write(f"[{left} to go] {text}\n")
        sys.stderr.flush()

    def finished(self, planned: float) -> None:
        """A step for which so many seconds were planned."""
        self.done += planned
