"""How many files and sockets this process may have open, and what that leaves for connections of callers."""

import resource
import sys

RESERVE = 64
"""Descriptors for everything that is no caller: listeners, providers, the admin port, logs, names to resolve."""


def raise_limit() -> None:
    """Have as many as the system allows us: the lower limit that shells set is for programs that use `select`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def room_for_connections() -> int:
    """Connections of callers that may be open now: each may need one to an upstream before it can be answered."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else max(1, (soft - RESERVE) // 2)
