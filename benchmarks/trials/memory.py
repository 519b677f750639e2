"""What a cached token takes."""

from benchmarks.callers import ask_each, count_of, request
from benchmarks.scenarios import OPAQUE_TOKENS, Check
from benchmarks.testbed import Gateway, Testbed
from benchmarks.tokens import read_tokens
from benchmarks.trials import Figures, Trial

PATH = "/opaque/1k"
WARM = 5_000


async def memory(bed: Testbed, gateway: Gateway, _: str) -> Figures:
    """Start it anew, let it work, and fill its cache."""
    bed.restart(gateway)
    tokens = read_tokens(bed.folder, Check.OPAQUE)
    # Work without new tokens first: what that takes is not for the cache.
    await ask_each(gateway.port, [request(PATH, tokens[0])] * WARM)
    before = gateway.program.memory()
    outcomes = await ask_each(gateway.port, [request(PATH, token) for token in tokens])
    after = gateway.program.memory()
    return {
        "before": before,
        "after": after,
        "token": (after - before) * 1024 * 1024 / OPAQUE_TOKENS,
        "wrong": len(outcomes) - count_of(outcomes, 200),
    }


MEMORY = Trial(
    name="memory",
    title="10,000 tokens in memory",
    check=Check.OPAQUE,
    measures={
        "before": "MB before",
        "after": "MB after",
        "token": "bytes for a token",
        "wrong": "wrong answers",
    },
    run=memory,
    seconds=12,
)
