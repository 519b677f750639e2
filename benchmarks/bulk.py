"""`python -m benchmarks.bulk --gigabytes 5`: a body up and the same down; exit code 1 if it changes or is kept."""

import argparse
import asyncio
import hashlib
import os
import re
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.soak.world import world

BLOCK = bytes(range(256)) * 4096
MOST = 32.0
"""MB that the gateway may grow by meanwhile."""


def send(connection: socket.socket, size: int) -> str:
    """Send so many bytes; their digest."""
    digest = hashlib.sha256()
    for start in range(0, size, len(BLOCK)):
        piece = BLOCK[: min(len(BLOCK), size - start)]
        digest.update(piece)
        connection.sendall(piece)
    return digest.hexdigest()


def receive(connection: socket.socket, size: int) -> str:
    """Read so many bytes; their digest. Raises ConnectionError where they do not come."""
    digest, left, buffer = hashlib.sha256(), size, memoryview(bytearray(1 << 20))
    while left:
        count = connection.recv_into(buffer, min(left, len(buffer)))
        if not count:
            raise ConnectionResetError(f"{left} bytes are missing")
        digest.update(buffer[:count])
        left -= count
    return digest.hexdigest()


def read_head(connection: socket.socket) -> bytes:
    """Up to the empty line, and not a byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        if not piece:
            raise ConnectionResetError("there is no head")
        head += piece
    return head


def answer(listener: socket.socket, size: int) -> str:
    """Be the upstream of one request: take its body, send the same back; the digest of what came."""
    connection, _ = listener.accept()
    with connection:
        read_head(connection)
        came = receive(connection, size)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        send(connection, size)
        return came


def ask(port: int, size: int) -> tuple[str, str]:
    """Be the caller: the digests of what went and of what came."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"PUT /bulk HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        sent = send(connection, size)
        read_head(connection)
        return sent, receive(connection, size)


def most_memory(pid: int) -> float:
    """MB that a process has had at the most."""
    found = re.search(r"^VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


async def bulk(size: int, **options: Any) -> int:
    """The exit code."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        cores = sorted(os.sched_getaffinity(0))
        async with world(
            str(cores[-1]), routes={"bulk": {"path": "/bulk", "upstream": url, "policies": []}}, **options
        ) as it:
            before, began = most_memory(it.gateway.pid), time.monotonic()
            came, (sent, returned) = await asyncio.gather(
                asyncio.to_thread(answer, listener, size), asyncio.to_thread(ask, it.port, size)
            )
            grown, took = most_memory(it.gateway.pid) - before, time.monotonic() - began
    same = sent == came == returned
    sys.stdout.write(
        f"{size / 1e9:.1f} GB up and down in {took:.0f} s; the digests are {'equal' if same else 'NOT EQUAL'}; "
        f"memory grew by {grown:.1f} MB, and {MOST:.0f} are allowed\n"
    )
    return 0 if same and grown <= MOST else 1


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read them; mistakes, and `--help`, end the program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description="A very large body, both ways.")
    parser.add_argument("--gigabytes", type=float, default=5.0, metavar="N", help="how large (5)")
    parser.add_argument("--ordinary", action="store_true", help="without the express lane")
    return parser.parse_args(arguments)


def main() -> int:
    """Run with the options of the command line."""
    options = parse()
    return asyncio.run(bulk(int(options.gigabytes * 1e9), express=not options.ordinary))


if __name__ == "__main__":
    sys.exit(main())
