"""Clocks that differ, and answers that take long. No I/O."""

from email.utils import parsedate_to_datetime

from gateway.doctor.asking import Heard
from gateway.doctor.findings import Finding, failure, ok, skipped, warning

CLOCK = "clock"
FAR_OFF = 60.0
"""Seconds by which clocks may never differ: no leeway may be larger."""
SLOW = 0.5
"""Seconds in which an introspection should be done."""


def judge_clock(heard: list[Heard], leeway: float) -> Finding:
    """The provider's clock against ours, by the last Date: introspections come last, and from no cache."""
    ahead = [seconds for each in heard if (seconds := seconds_ahead(each)) is not None]
    if not ahead:
        advice = "Compare the clocks by hand: tokens that seem to come from the future are refused."
        return skipped(CLOCK, "No answer has a Date.", advice)
    return judge_skew(ahead[-1], leeway)


def seconds_ahead(heard: Heard) -> float | None:
    """By how much the provider's clock is ahead of ours at least; negative where it is behind."""
    try:
        # RFC 9111, 5.1: a cache says by Age how long ago the Date was true.
        age = float(heard.reply.headers.get("Age", 0))
        date = parsedate_to_datetime(heard.reply.headers["Date"]).timestamp() + age
    except (KeyError, ValueError, TypeError):
        return None
    # A Date is a whole second that was cut off, made at any time between question and answer.
    if date > heard.heard_at:
        return date - heard.heard_at
    return min(0.0, date + 1 - heard.asked_at)


def judge_skew(ahead: float, leeway: float) -> Finding:
    """`ahead` and `leeway` in seconds; the leeway is the smallest one that a route has."""
    off = abs(ahead)
    seen = f"The provider's clock is {off:.0f} s {'ahead of' if ahead > 0 else 'behind'} ours"
    if off > FAR_OFF:
        return failure(CLOCK, f"{seen}; no leeway is that large.", "Set both clocks by NTP.")
    if off > leeway:
        advice = f"Set both clocks by NTP; until then write leeway: {min(int(off) + 1, int(FAR_OFF))} for its routes."
        return warning(CLOCK, f"{seen}, and the smallest leeway of its routes is {leeway:g} s.", advice)
    return ok(CLOCK, f"{seen}; the smallest leeway of its routes is {leeway:g} s." if off else "It agrees with ours.")


def judge_answer_time(seconds: float, timeout: float) -> Finding:
    """How long an introspection took, against what a caller should wait and what the gateway waits."""
    seen = f"An introspection took {seconds * 1000:.0f} ms; the timeout is {timeout:g} s."
    if seconds <= min(SLOW, timeout / 3):
        return ok("answer time", seen)
    advice = "Look for what is slow there; each token that is not in memory waits that long."
    if seconds > timeout / 3:
        advice = f"{advice} Or write a longer transport.timeout."
    return warning("answer time", seen, advice)
