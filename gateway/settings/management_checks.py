"""Cross checks of client management: its parts need each other, and its secrets are secrets."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from gateway.clients.store import Unusable
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import check_key
from gateway.clients.store.urls import SqliteFile, parse_url
from gateway.settings.management import Management
from gateway.settings.mistakes import Path, Wrong
from gateway.settings.providers import secret_of
from gateway.settings.urls import provider_url_fault

MAKE_ONE = "`tokenward store key` makes one"


def check_store(store: StoreOptions) -> Iterator[Wrong]:
    """What is wrong with how the store is reached and sealed; paths start at it."""
    try:
        place = parse_url(store.url)
    except Unusable:
        yield Wrong(("url",), "is no database; write sqlite:///tokenward.db or postgresql://user:password@host/name")
    else:
        if isinstance(place, SqliteFile) and place.path.is_dir():
            yield Wrong(("url",), "is a folder; write the file as well, as in sqlite:///tokenward.db")
    if not store.encryption_keys:
        yield Wrong(("encryption_keys",), f"is empty; write at least one key. {MAKE_ONE}")
    for index, key in enumerate(store.encryption_keys):
        try:
            check_key(secret_of(key))
        except Unusable:
            text = "is no key of 32 random octets in base64url"
            yield Wrong(("encryption_keys", index), f"{text}. {MAKE_ONE}")
    yield from _positive((), store)


def check_management(management: Management) -> Iterator[Wrong]:
    """What is wrong with client management; paths start at it."""
    yield from _positive(("bounds",), management.bounds)
    yield from _positive(("reconcile",), management.reconcile)
    for name in ("mail", "webhook"):
        section = getattr(management.notices, name)
        if section is not None:
            yield from _positive(("notices", name), section)
    webhook = management.notices.webhook
    fault = None if webhook is None else provider_url_fault(webhook.url)
    if fault is not None:
        yield Wrong(("notices", "webhook", "url"), fault)


def _positive(path: Path, section: Any) -> Iterator[Wrong]:
    for each in fields(section):
        value = getattr(section, each.name)
        if isinstance(value, int | float) and not isinstance(value, bool) and value <= 0:
            yield Wrong((*path, each.name), "must be greater than 0")
