"""The store: whether it can be had, is up to date, opens with the keys, and its audit log is as it was written."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway.clients.store import Unusable
from gateway.clients.store.faults import reason
from gateway.clients.store.inspection import Inspected, inspect
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.version import HEAD, UPGRADE
from gateway.doctor.findings import Examined, Finding, failure, ok, warning
from gateway.doctor.shown import foreign, plural
from gateway.policy import Unavailable
from gateway.ports import Clock

DATABASE = "database"
SEALS = "seals"
MIGRATION = "migration"
TO_DO = {
    "invalid_url": "Correct store.url.",
    "weak_key": "Write another key first under store.encryption_keys.",
    "wrong_key": "Write that key under store.encryption_keys as well, or correct store.url.",
    "newer_schema": "Run the release that migrated it, or restore the backup from before.",
    "no_driver": "Install it: pip install 'tokenward[postgres]'",
}


async def examine_store(options: StoreOptions, clock: Clock) -> Examined:
    """All there is to say of it. Nothing in it is changed."""
    try:
        findings = tuple(_judged(await inspect(options, clock), options))
    except Unusable as unusable:
        check = SEALS if unusable.code in ("weak_key", "wrong_key") else DATABASE
        advice = TO_DO.get(unusable.code, "Correct the options under store.")
        findings = (failure(check, f"{unusable.detail.removesuffix('.')}.", advice),)
    except Unavailable as failed:
        seen = f"{foreign(reason(failed)).removesuffix('.')}."
        findings = (failure(DATABASE, seen, "Start the database, or correct store.url."),)
    return Examined(findings=findings, secrets=frozenset(_secrets(options)))


def _secrets(options: StoreOptions) -> set[str]:
    url = options.url.get_secret_value()
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        password = ""
    keys = {key.get_secret_value() for key in options.encryption_keys}
    return (keys | {password, unquote(password)}) - {""}


def _judged(found: Inspected, options: StoreOptions) -> Iterator[Finding]:
    if not found.is_there:
        yield _to_be_made(Path(found.place))
    elif found.is_due:
        yield _due(found, options)
    else:
        yield ok(DATABASE, f"It can be had, and its tables are of version {found.version}.")
        yield _sealed(found)
        yield _audit(found)


def _to_be_made(file: Path) -> Finding:
    folder = file.absolute().parent
    if folder.is_dir() and os.access(folder, os.W_OK):
        return ok(DATABASE, f"{foreign(file)} is not there yet; the gateway makes it.")
    seen = f"{foreign(file)} is not there, and cannot be made there."
    return failure(DATABASE, seen, "Make the folder, writable for the gateway's user, or correct store.url.")


def _due(found: Inspected, options: StoreOptions) -> Finding:
    has = "no tables" if found.version is None else f"version {foreign(found.version)} of the tables"
    seen = f"The database has {has}, and this release needs version {HEAD}"
    if not options.migrate:
        return failure(MIGRATION, f"{seen}; the gateway would not start.", f"Run `{UPGRADE}`, or set migrate: true.")
    if found.version is None:
        return ok(MIGRATION, f"{seen}; the gateway makes them when it starts.")
    return warning(MIGRATION, f"{seen}; the gateway migrates it when it starts.", "Make a backup before that.")


def _sealed(found: Inspected) -> Finding:
    count = plural(found.sealed, "registration")
    if found.unreadable:
        seen = f"{found.unreadable} of {count} do not open with any of the keys: they cannot be managed any more."
        return failure(SEALS, seen, "Write the key that sealed them under store.encryption_keys, after the first.")
    if found.outdated:
        seen = f"{found.outdated} of {count} are sealed with another key than the first."
        return warning(SEALS, seen, "Run `tokenward store reseal` before that key is taken away.")
    return ok(SEALS, f"What is sealed ({count}) opens, with the first key.")


def _audit(found: Inspected) -> Finding:
    if found.broken_at is None:
        return ok(
            "audit log", f"It is as it was written ({plural(found.entries, 'entry').replace('entrys', 'entries')})."
        )
    seen = f"Entry {found.broken_at} is missing, was changed, or was put in: from there on, the log proves nothing."
    return failure("audit log", seen, "Find out who writes to the database; compare the log with a backup.")
