"""A flood of JWTs that name keys nobody has, while good ones go on."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count

from benchmarks.callers import Stream, callers, count_of, quantile, repeatedly, request
from benchmarks.scenarios import Check
from benchmarks.testbed import Gateway, Testbed
from benchmarks.tokens import read_tokens
from benchmarks.trials import Figures, Trial

SECONDS = 5.0
FLOODERS = 16
GOOD_CALLERS = 4
PAUSE = 0.002
PATH = "/jwt/1k"


async def _unknown(tokens: list[str], first: int) -> AsyncIterator[bytes]:
    for number in count(first, FLOODERS):
        yield request(PATH, tokens[number % len(tokens)])


async def key_flood(bed: Testbed, gateway: Gateway, _: str) -> Figures:
    """Good traffic alone, then with the flood; the provider counts who asks for its keys."""
    good = request(PATH, bed.token(Check.RS256))
    unknown = read_tokens(bed.folder, "unknown")
    calm, meanwhile, flood = Stream(), Stream(), Stream()
    await _for(SECONDS / 2, gateway, calm, good, None, [])
    bed.provider.calls()
    await _for(SECONDS, gateway, meanwhile, good, flood, unknown)
    return {
        "fetches": bed.provider.calls().jwks,
        "flood": len(flood.outcomes) / SECONDS,
        "flood_let_in": count_of(flood.outcomes, 200),
        "calm_p99": quantile(calm.outcomes, 0.99),
        "p99": quantile(meanwhile.outcomes, 0.99),
        "wrong": len(meanwhile.outcomes) - count_of(meanwhile.outcomes, 200),
    }


async def _for(
    seconds: float, gateway: Gateway, good: Stream, sent: bytes, flood: Stream | None, unknown: list[str]
) -> None:
    async with callers(gateway.port, GOOD_CALLERS + FLOODERS) as busy, asyncio.TaskGroup() as group:
        for caller in busy[:GOOD_CALLERS]:
            group.create_task(good.keep_asking(caller, repeatedly(sent, every=PAUSE)))
        if flood is not None:
            for number, caller in enumerate(busy[GOOD_CALLERS:]):
                group.create_task(flood.keep_asking(caller, _unknown(unknown, number)))
        await asyncio.sleep(seconds)
        good.enough = True
        if flood is not None:
            flood.enough = True


KEY_FLOOD = Trial(
    name="keyflood",
    title="JWTs that name 5,000 unknown keys, beside good ones",
    check=Check.RS256,
    measures={
        "fetches": "JWKS fetches in 5 s",
        "flood": "bad tokens a second",
        "flood_let_in": "bad tokens let in",
        "calm_p99": "good ones before: p99, ms",
        "p99": "good ones during: p99, ms",
        "wrong": "good ones refused",
    },
    run=key_flood,
    seconds=SECONDS * 1.5,
    needs_keys=True,
)
