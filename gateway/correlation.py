"""What ties the traces of one request together: its id, and the W3C trace context."""

import re
from dataclasses import dataclass

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Trace:
    """The request's place in a distributed trace (W3C Trace Context, 3.2)."""

    trace_id: str
    span_id: str
    flags: str
    continued: bool
    """Whether the caller began it; only then does its `tracestate` mean anything."""

    @property
    def traceparent(self) -> str:
        """The header for the next hop, whose parent we are."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


def new_request_id(now: float, randomness: bytes) -> str:
    """An id that sorts by time: a UUID of version 7 (RFC 9562, 5.7) made of `now` in seconds and ten random bytes."""
    digits = f"{int(now * 1000) & 0xFFFF_FFFF_FFFF:012x}7{randomness[:2].hex()[1:]}"
    digits += f"{0x80 | randomness[2] & 0x3F:02x}{randomness[3:10].hex()}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_request_id(value: str) -> bool:
    """Whether an id that somebody else made may be taken over into headers and logs."""
    return _REQUEST_ID.fullmatch(value) is not None


def follow(traceparent: str, randomness: bytes) -> Trace:
    """The caller's trace continued, or a new one when it sent none that is valid; takes 24 random bytes."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    # W3C Trace Context, 3.2.2.3: "all bytes as zero is considered an invalid value".
    if found and found[1].strip("0") and found[2].strip("0"):
        return Trace(found[1], randomness[:8].hex(), found[3], continued=True)
    return Trace(randomness[8:24].hex(), randomness[:8].hex(), "00", continued=False)
