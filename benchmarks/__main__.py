"""`python -m benchmarks`: say what is missing, measure the rest, write the results."""

import signal
import sys
from collections.abc import Sequence

from benchmarks.compiled import compile_sources
from benchmarks.options import parse
from benchmarks.peers import Peer, apt_command, chosen, missing_needs
from benchmarks.processes import StartError
from benchmarks.provider import has_lua
from benchmarks.record import read_record
from benchmarks.run import draw_results, measure


def main() -> int:
    """The exit code."""
    options = parse()
    if options.draw:
        draw_results(read_record(options.draw / "data.json"), options.draw)
        return 0
    peers = chosen(options.peers)
    _say_what_is_missing(peers)
    if missing_needs():
        return 1
    # Ending in order is what `finally` is for: these would not run it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        here = [peer for peer in peers if peer.is_here]
        if any(peer.is_compiled for peer in here):
            compile_sources()
        folder = measure(here, options)
    except (StartError, RuntimeError, ValueError) as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("interrupted; nothing was written")
        return 130
    sys.stdout.write((folder / "table.md").read_text())
    _say(f"written to {folder}")
    return 0


def _say_what_is_missing(peers: Sequence[Peer]) -> None:
    absent = [peer for peer in peers if not peer.is_here]
    needs = missing_needs()
    for need in needs:
        _say(f"{need.program} is not here, and nothing can be measured without it")
    for peer in absent:
        _say(f"{peer.title} is not here, and is left out")
    if not has_lua():
        _say("nginx's Lua module is not here: a stub in Python is the identity provider, and a slower one")
    if command := apt_command(needs, absent, lua=has_lua()):
        _say(f"to have all that Debian packages: {command}")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
