"""`python -m benchmarks.growth [TOKENS]`: what a request takes, however many tokens, routes and policies there are.

Microseconds, best of many rounds; what is compared takes turns, so that a machine that drifts, drifts for both.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from benchmarks.inside import ASKS, Inside, inside, token
from gateway.chain import Chain
from gateway.clock import SystemClock
from gateway.router import Route, Router

TOKENS = 1_000_000
FEW = 10
WORKING_SET = 1_000
ROUTES = 10_000
POLICIES = 100
ROUNDS = 60
CALLS = 2_000
PRIME = 611_953


@dataclass(frozen=True, slots=True)
class Subject:
    """Something to be done again and again."""

    name: str
    act: Callable[[], object]


async def main() -> None:
    tokens = int(sys.argv[1]) if len(sys.argv) > 1 else TOKENS
    async with inside() as few, inside() as many, beside(POLICIES) as beside_others:
        for route, count in ((few, FEW), (many, tokens), (beside_others, FEW)):
            await route.learn(range(count))
        chosen = list(spread(tokens, WORKING_SET))
        anywhere = list(spread(tokens, 100_000))
        print_all(
            "decide, token in memory",
            Subject(f"{FEW} tokens in memory", hits(few, range(FEW))),
            Subject(f"{tokens:,} in memory, {FEW} of them in use", hits(many, range(FEW))),
            Subject(f"{tokens:,} in memory, {WORKING_SET:,} of them in use", hits(many, chosen)),
            Subject(f"{tokens:,} in memory, {len(anywhere):,} of them in use", hits(many, anywhere)),
            Subject(f"{FEW} in memory, {POLICIES} policies on other routes", hits(beside_others, range(FEW))),
        )
    print_all("find a route", *(Subject(f"{count:,} routes", found(count)) for count in (FEW, ROUTES)))


@asynccontextmanager
async def beside(policies: int) -> AsyncIterator[Inside]:
    """A route, and as many others whose policies share its provider and have judged the same tokens."""
    async with AsyncExitStack() as stack:
        route = await stack.enter_async_context(inside())
        for number in range(policies):
            other = await stack.enter_async_context(route.another(scopes=(f"orders.{number}",)))
            await other.policy.decide(other.request(token(0), ASKS))  # type: ignore[misc]  # it asks, so it is awaited
        yield route


def spread(tokens: int, count: int) -> Iterator[int]:
    """So many of the tokens, all over them."""
    return (number * PRIME % tokens for number in range(min(tokens, count)))


def hits(route: Inside, numbers: Sequence[int]) -> Callable[[], object]:
    """Decide about requests that bring these tokens in turn."""
    # As many requests for few tokens as for many: it is the tokens that are compared, not the requests.
    count = max(CALLS, len(numbers) // CALLS * CALLS)
    requests = [route.request(token(numbers[index % len(numbers)])) for index in range(count)]
    places = iter(range(0, sys.maxsize, CALLS))

    def act() -> None:
        decide = route.policy.decide
        start = next(places) % len(requests)
        for request in requests[start : start + CALLS]:
            decide(request)

    return act


def found(count: int) -> Callable[[], object]:
    """Find the routes of requests that are spread over all of them."""
    routes: list[Route[None]] = [
        Route(name=f"r{number}", api="a", path=f"/team-{number % 97}/api-{number}/{{id}}", chain=Chain(), upstream=None)
        for number in range(count)
    ]
    router = Router(routes)
    paths = [f"/team-{number % 97}/api-{number}/7/items" for number in range(count)]
    paths = (paths * (CALLS // len(paths) + 1))[:CALLS]

    def act() -> None:
        find = router.find
        for path in paths:
            find("api.example.com", "GET", path)

    return act


def print_all(title: str, *subjects: Subject) -> None:
    """The microseconds of one call each, and the ratio to the first."""
    best = timed([subject.act for subject in subjects])
    sys.stdout.write(f"{title}\n")
    for subject, each in zip(subjects, best, strict=True):
        sys.stdout.write(f"  {each:6.2f} µs  {each / best[0]:5.2f}  {subject.name}\n")


def timed(acts: Sequence[Callable[[], object]]) -> list[float]:
    """The best of the rounds, in microseconds for one call."""
    clock = SystemClock()
    best = [float("inf")] * len(acts)
    for _ in range(ROUNDS):
        for index, act in enumerate(acts):
            began = clock.monotonic()
            act()
            best[index] = min(best[index], (clock.monotonic() - began) / CALLS * 1_000_000)
    return best


if __name__ == "__main__":
    asyncio.run(main())
