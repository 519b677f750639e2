"""The machine's clock: the one place that reads it."""

import time as machine


class SystemClock:
    """A `Clock` that tells the machine's time."""

    # The functions themselves: a method around each would take longer than they do, several times for each request.
    time = staticmethod(machine.time)  # noqa: TID251 - this is the one place
    """Seconds since the epoch."""
    monotonic = staticmethod(machine.monotonic)
    """Seconds that never go back."""
