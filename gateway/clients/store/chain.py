"""The audit log as a chain: each link proves its entry and the link before it. Pure.

Whoever changes, takes out or puts in an entry under the database's nose cannot make the links fit: that takes a key
which the database holds sealed only.
"""

import hashlib
import hmac
import json

from gateway.clients.client import Entry

START = bytes(32)
"""What the first entry follows."""


def link(key: bytes, entry: Entry, before: bytes) -> bytes:
    """Proves that this entry follows that link."""
    facts = [
        entry.number,
        entry.at,
        entry.actor,
        entry.verb,
        entry.client,
        entry.agreement,
        entry.api,
        entry.detail,
        before.hex(),
    ]
    return _mac(key, "entry", facts)


def proof(key: bytes, entries: int, last: bytes) -> bytes:
    """Proves that the chain has so many entries, and that its last link is this."""
    return _mac(key, "chain", [entries, last.hex()])


def is_same(one: bytes, other: bytes) -> bool:
    """Compares in a time that tells nothing."""
    return hmac.compare_digest(one, other)


def _mac(key: bytes, kind: str, facts: list[object]) -> bytes:
    return hmac.digest(key, json.dumps([kind, *facts]).encode(), hashlib.sha256)
