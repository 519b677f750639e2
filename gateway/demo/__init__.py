"""Everything on one machine: `tokenward demo`."""

import asyncio
from importlib.util import find_spec
from typing import TextIO


class DemoNotInstalled(Exception):
    """What the demo needs is an extra; the text says how to get it."""

    def __init__(self) -> None:
        super().__init__("The demo needs Authlib, which is not installed. Write: pip install 'tokenward[demo]'")


async def run_demo(output: TextIO, *, port: int = 8080, stop: asyncio.Event | None = None) -> None:
    """Start gateway, identity provider and API on loopback, say on `output` what to try, and run until `stop`.

    Without a `stop`, until SIGINT or SIGTERM. A port that is taken is replaced by a free one, and `output` says so.
    Raises DemoNotInstalled.
    """
    if find_spec("authlib") is None:
        raise DemoNotInstalled
    from gateway.demo.running import run

    await run(output, port=port, stop=stop)
