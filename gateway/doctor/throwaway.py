"""A client that lives for one examination: registered, and deleted again however the examination ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from gateway.clients.client import Metadata, Registered
from gateway.clients.mistakes import Invalid, Refusal
from gateway.clients.registration.registrar import Registrar
from gateway.doctor.asking import told
from gateway.doctor.findings import Finding, Result, failure, ok, warning
from gateway.doctor.shown import foreign
from gateway.policy import Unavailable
from gateway.tasks import Tasks

T = TypeVar("T")

DELETE = "delete"
SOFTWARE_ID = "tokenward-doctor"
TRIES = 2
"""How often its deletion is asked for: a server may fail once."""


async def to_the_end(work: Coroutine[Any, Any, T], tasks: Tasks) -> T:
    """Its result, and never before it has ended: whoever is interrupted waits for it as well."""
    task = tasks.start(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


class Throwaway:
    """At most one client at a time."""

    def __init__(self, registrar: Registrar, tasks: Tasks) -> None:
        self._registrar = registrar
        self._tasks = tasks
        self.registered: Registered | None = None
        """The newest that the provider said of it."""
        self.fate: Finding | None = None
        """What became of it."""

    @property
    def is_left(self) -> bool:
        """Whether it is still there, as far as we know."""
        return self.fate is not None and self.fate.result is not Result.OK

    async def register(self, wish: Metadata) -> Invalid | None:
        """Register it: why the provider does not take it, if so. Raises `Unavailable`.

        The answer is waited for in any case: who gives up before would not know what to delete.
        """
        return await to_the_end(self._register(wish), self._tasks)

    async def end(self) -> None:
        """Delete it, if it is there. Raises nothing; `fate` tells how it went."""
        if self.registered is not None:
            self.fate = await to_the_end(self._delete(self.registered), self._tasks)

    async def _register(self, wish: Metadata) -> Invalid | None:
        try:
            self.registered = await self._registrar.register(wish, SOFTWARE_ID)
        except Invalid as refused:
            return refused
        return None

    async def _delete(self, registered: Registered) -> Finding:
        client_id, why = registered.credentials.client_id, ""
        for _ in range(TRIES):
            try:
                await self._registrar.delete(registered)
            except Unavailable as failed:
                why = told(failed)
            except Refusal as refusal:
                return _unmanageable(client_id, refusal)
            else:
                return ok(DELETE, "It was deleted again.")
        return left_behind(client_id, why)


def left_behind(client_id: str, why: str) -> Finding:
    """It could not be deleted."""
    advice = "Delete that client there by hand: it is of no use."
    return failure(DELETE, f"The client {foreign(client_id)} is still at the provider: {foreign(why)}", advice)


def _unmanageable(client_id: str, refusal: Refusal) -> Finding:
    advice = (
        "Delete that client there by hand, and write registration.delete: false: then nothing is registered to try "
        "things out, and nobody expects deletions."
    )
    return warning(DELETE, f"The client {foreign(client_id)} is still at the provider: {refusal.detail}", advice)
