"""Sessions of browsers, and what may be used once, as rows. No I/O in here."""

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Delete, Insert, Select, delete, false, or_, select

from gateway.clients.store import Session
from gateway.clients.store.dialects import inserting
from gateway.clients.store.tables import sessions, used


def keep(session: Session, sealed: bytes, dialect: str) -> Insert:
    """Keep a session, in place of what was kept under its digest."""
    values = {
        "sealed": sealed,
        "provider": session.provider,
        "subject": session.subject,
        "sid": session.sid,
        "expires_at": session.expires_at,
    }
    statement = inserting(sessions, dialect).values(digest=session.digest, **values)
    return statement.on_conflict_do_update(index_elements=["digest"], set_=values)


def living(digest: bytes, now: float) -> Select[Any]:
    """That session, unless it has expired."""
    return select(sessions).where(sessions.c.digest == digest, sessions.c.expires_at > now)


def end(digest: bytes) -> Delete:
    """Forget that session."""
    return delete(sessions).where(sessions.c.digest == digest)


def end_all(provider: str, subject: str | None, sid: str | None) -> Delete:
    """Forget a person's sessions, or those of one session at the provider. Where both are given, both must fit.

    One of a person whose session at the provider we were not told may be the one that is meant.
    """
    statement = delete(sessions).where(sessions.c.provider == provider)
    if subject is not None:
        statement = statement.where(sessions.c.subject == subject)
    if sid is not None:
        unknown = false() if subject is None else sessions.c.sid.is_(None)
        statement = statement.where(or_(sessions.c.sid == sid, unknown))
    return statement


def use(kind: str, value: str, expires_at: float, now: float, dialect: str) -> Insert:
    """Remember that it was used; no row where it was before, and that has not expired."""
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
    statement = inserting(used, dialect).values(kind=kind, digest=digest, expires_at=expires_at)
    return statement.on_conflict_do_update(
        index_elements=["kind", "digest"], set_={"expires_at": expires_at}, where=used.c.expires_at <= now
    )


def forget_use(kind: str, value: str, expires_at: float) -> Delete:
    """Forget that use, and none that came after it."""
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()
    return delete(used).where(used.c.kind == kind, used.c.digest == digest, used.c.expires_at == expires_at)


def sweep(now: float) -> tuple[Delete, Delete]:
    """Forget what has expired."""
    return delete(sessions).where(sessions.c.expires_at <= now), delete(used).where(used.c.expires_at <= now)


def from_row(row: Mapping[str, Any], contents: bytes) -> Session:
    """The session that a row holds, and what its seal held."""
    return Session(contents=contents, **{name: value for name, value in row.items() if name != "sealed"})
