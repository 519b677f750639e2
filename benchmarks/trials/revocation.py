"""A token is revoked while it is in use, on a route where it is believed for two seconds."""

import asyncio
import time

from benchmarks.callers import Caller, request
from benchmarks.scenarios import Check
from benchmarks.testbed import Gateway, Testbed
from benchmarks.trials import Figures, Trial

USED = (0.3, 0.9, 1.5)
"""For how many seconds a token is in use before: how old the gateway's knowledge is must not be luck."""
EVERY = 0.02
LONGEST = 10.0
"""Seconds after which nobody waits any more."""


async def revocation(bed: Testbed, gateway: Gateway, mark: str) -> Figures:
    """Several tokens, one after the other; the one that worked longest counts."""
    return {"lag": max([await _lag(bed, gateway, f"ok{mark}revoked{used}", used) for used in USED])}


async def _lag(bed: Testbed, gateway: Gateway, token: str, used: float) -> float:
    caller, sent = Caller(gateway.port), request("/short/1k", token)
    revoked = time.monotonic() + used
    try:
        while time.monotonic() < revoked:
            await caller.ask(sent)
            await asyncio.sleep(EVERY)
        bed.provider.calls(revoke=token)
        revoked = time.monotonic()
        while time.monotonic() < revoked + LONGEST:
            outcome = await caller.ask(sent)
            if outcome.status == 401:
                return outcome.ended - revoked
            await asyncio.sleep(EVERY)
        return LONGEST
    finally:
        caller.close()


REVOCATION = Trial(
    name="revocation",
    title="a revoked token in constant use, on a route that believes for 2 s; 10 s is as long as was waited",
    check=Check.OPAQUE,
    measures={"lag": "refused after, s"},
    run=revocation,
    seconds=7,
)
