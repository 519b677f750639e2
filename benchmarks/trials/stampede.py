"""A stampede: a thousand requests at once with a token that the gateway has not seen."""

from benchmarks.callers import ask_at_once, count_of, quantile, request
from benchmarks.scenarios import Check
from benchmarks.testbed import Gateway, Testbed
from benchmarks.trials import Figures, Trial

CALLERS = 1_000
DELAY = 0.05
"""Seconds that the provider takes to answer."""


async def stampede(bed: Testbed, gateway: Gateway, mark: str) -> Figures:
    """Send them, and ask the provider how often it was asked."""
    bed.provider.calls(delay=DELAY)
    try:
        outcomes = await ask_at_once(gateway.port, request("/opaque/1k", f"ok{mark}stampede"), CALLERS)
    finally:
        asked = bed.provider.calls(delay=0)
    return {
        "calls": asked.introspections,
        "wrong": len(outcomes) - count_of(outcomes, 200),
        "last": quantile(outcomes, 1.0),
    }


STAMPEDE = Trial(
    name="stampede",
    title="1,000 requests at once with one new token, and a provider that takes 50 ms",
    check=Check.OPAQUE,
    measures={"calls": "introspection calls", "wrong": "wrong answers", "last": "last answer after, ms"},
    run=stampede,
    seconds=2,
)
