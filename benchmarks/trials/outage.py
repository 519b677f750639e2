"""The identity provider is down for a while: it says nothing, or is not there at all."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from benchmarks.callers import NO_ANSWER, Outcome, Stream, callers, count_of, quantile, repeatedly, request
from benchmarks.scenarios import Check
from benchmarks.testbed import Gateway, Testbed
from benchmarks.trials import Figures, Trial

CALM = 2.0
DOWN = 8.0
AFTERWARDS = 6.0
"""Seconds before, in and after the outage."""
KNOWN_CALLERS = 8
PAUSE = 0.002
NEW_CALLERS = 4
NEW_PAUSE = 0.02
"""Seconds between two requests of a caller: the provider is what is tried, not the load."""
PATH = "/opaque/1k"


async def _new_tokens(mark: str) -> AsyncIterator[bytes]:
    number = 0
    while True:
        number += 1
        await asyncio.sleep(NEW_PAUSE)
        yield request(PATH, f"ok{mark}new{number}")


async def _outage(
    bed: Testbed, gateway: Gateway, mark: str, down: Callable[[], AbstractAsyncContextManager[None]]
) -> Figures:
    known, new = Stream(), Stream()
    seen = request(PATH, f"ok{mark}known")
    async with callers(gateway.port, KNOWN_CALLERS + NEW_CALLERS) as busy, asyncio.TaskGroup() as group:
        for number, caller in enumerate(busy[:NEW_CALLERS]):
            group.create_task(new.keep_asking(caller, _new_tokens(f"{mark}c{number}")))
        for caller in busy[NEW_CALLERS:]:
            group.create_task(known.keep_asking(caller, repeatedly(seen, every=PAUSE)))
        await asyncio.sleep(CALM)
        async with down():
            went = time.monotonic()
            await asyncio.sleep(DOWN)
            came = time.monotonic()
        await asyncio.sleep(AFTERWARDS)
        known.enough = new.enough = True
    return judge(known.outcomes, new.outcomes, went, came)


def judge(known: Sequence[Outcome], new: Sequence[Outcome], went: float, came: float) -> Figures:
    """The figures of an outage between two times.

    A token that is known must be let in all the time. A new one must not be let in while nobody vouches for it, and its
    caller must not be blamed: 401 and 403 are wrong as well.
    """
    calm = [outcome for outcome in known if outcome.ended < went]
    during = [outcome for outcome in known if outcome.ended > went and outcome.began < came]
    unvouched = [outcome for outcome in new if went < outcome.began and outcome.ended < came]
    recovered = [outcome.ended for outcome in new if outcome.ended > came and outcome.status == 200]
    figures = {
        "calm_p99": quantile(calm, 0.99),
        "p99": quantile(during, 0.99),
        "known_wrong": len(during) - count_of(during, 200),
        "let_in": count_of(unvouched, 200),
        "blamed": count_of(unvouched, 401, 403),
        "no_answer": count_of([outcome for outcome in new if outcome.began > went], NO_ANSWER),
        "new_p99": quantile([outcome for outcome in new if went < outcome.began < came], 0.99),
    }
    return figures | ({"recovery": (min(recovered) - came) * 1e3} if recovered else {})


async def silent(bed: Testbed, gateway: Gateway, mark: str) -> Figures:
    """The provider takes connections, and never answers."""
    return await _outage(bed, gateway, mark, bed.provider.silent)


async def gone(bed: Testbed, gateway: Gateway, mark: str) -> Figures:
    """Nobody listens at the provider's address."""
    return await _outage(bed, gateway, mark, bed.provider.gone)


MEASURES = {
    "calm_p99": "known token, before: p99, ms",
    "p99": "known token, during: p99, ms",
    "known_wrong": "known token: wrong answers",
    "let_in": "new tokens let in unvouched",
    "blamed": "new tokens refused with 401 or 403",
    "no_answer": "new tokens without an answer",
    "new_p99": "new tokens: p99, ms",
    "recovery": "first new token let in after, ms",
}
OUTAGE = Trial(
    name="outage",
    title="the identity provider says nothing for 8 seconds",
    check=Check.OPAQUE,
    measures=MEASURES,
    run=silent,
    seconds=CALM + DOWN + AFTERWARDS,
)
GONE = Trial(
    name="gone",
    title="nobody listens at the identity provider's address for 8 seconds",
    check=Check.OPAQUE,
    measures=MEASURES,
    run=gone,
    seconds=CALM + DOWN + AFTERWARDS,
)
