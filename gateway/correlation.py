"""What ties the traces of one request together: its id, and the W3C trace context."""

import re
from typing import NamedTuple

TRACE_DIGITS = 48
"""Random digits that `follow` takes."""
ID_DIGITS = 19
"""Random digits that `new_request_id` takes."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")

# RFC 9562, 4.1: of the digit behind them, the two bits in front are 10.
_VARIANTS = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


class Trace(NamedTuple):
    """The request's place in a distributed trace (W3C Trace Context, 3.2). A tuple: one is made for each request."""

    trace_id: str
    span_id: str
    flags: str
    continued: bool
    """Whether the caller began it; only then does its `tracestate` mean anything."""

    @property
    def traceparent(self) -> str:
        """The header for the next hop, whose parent we are."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def new_request_id(now: float, digits: str) -> str:
    """An id that sorts by time: a UUID of version 7 (RFC 9562, 5.7) of `now` in seconds and random hex digits."""
    time = f"{int(now * 1000) & 0xFFFF_FFFF_FFFF:012x}"
    return f"{time[:8]}-{time[8:]}-7{digits[:3]}-{_VARIANTS[digits[3]]}{digits[4:7]}-{digits[7:19]}"


def is_request_id(value: str) -> bool:
    """Whether an id that somebody else made may be taken over into headers and logs."""
    return _REQUEST_ID.fullmatch(value) is not None


def follow(traceparent: str, digits: str) -> Trace:
    """The caller's trace continued, or a new one when it sent none that is valid; of random hex digits."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    # W3C Trace Context, 3.2.2.3: "all bytes as zero is considered an invalid value".
    if found and found[1].strip("0") and found[2].strip("0"):
        return Trace(found[1], digits[:16], found[3], True)
    return Trace(digits[16:48], digits[:16], "00", False)
