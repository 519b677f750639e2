"""The machine's clock: the one place that reads it."""

import time


class SystemClock:
    """A `Clock` that tells the machine's time."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()  # noqa: TID251 - this is the one place

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()
