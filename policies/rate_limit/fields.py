"""The header fields that tell a caller what is left. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from gateway.policy import Headers
from policies.rate_limit.windows import Left, Window

Style: TypeAlias = Literal["ratelimit", "x-ratelimit", "both", "off"]
Fields: TypeAlias = Callable[[Sequence[Left]], Headers]


def ratelimit(left: Sequence[Left]) -> Headers:
    """RateLimit-Policy with every limit, and RateLimit with the one that ends first
    (draft-ietf-httpapi-ratelimit-headers-10, 3 and 4).
    """
    tightest = min(left, key=_share)
    told = f'"{tightest.window.name}";r={tightest.remaining};t={tightest.whole_seconds}'
    return ("RateLimit-Policy", ", ".join(_policy(each.window) for each in left)), ("RateLimit", told)


def x_ratelimit(left: Sequence[Left]) -> Headers:
    """What the gateway that this one replaces sends: the limit that ends first, its reset in milliseconds."""
    tightest = min(left, key=_share)
    return (
        ("X-RateLimit-Limit", str(tightest.window.requests)),
        ("X-RateLimit-Remaining", str(tightest.remaining)),
        ("X-RateLimit-Reset", str(max(0, round(tightest.resets_in * 1000)))),
    )


STYLES: Mapping[Style, Fields] = {
    "ratelimit": ratelimit,
    "x-ratelimit": x_ratelimit,
    "both": lambda left: (*ratelimit(left), *x_ratelimit(left)),
    "off": lambda left: (),
}


def _policy(window: Window) -> str:
    return f'"{window.name}";q={window.requests};w={window.seconds}'


def _share(left: Left) -> float:
    """How much of a limit is left, as a part of it."""
    return left.remaining / left.window.requests
