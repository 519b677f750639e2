"""Questions to one provider, by the same `Fetch` that the gateway asks with; each answer with its times."""

import json
import re
from dataclasses import dataclass

from gateway.policy import Headers, Unavailable
from gateway.ports import Clock, Fetch, Reply

JSON: Headers = (("Accept", "application/json"),)
CODE = re.compile(r"[a-z_]{1,40}")
"""What an OAuth error code looks like; anything else is not repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An answer. Times in seconds since the epoch."""

    reply: Reply
    asked_at: float
    heard_at: float
    seconds: float
    """How long it took, on a clock that never goes back."""

    @property
    def status(self) -> int:
        return self.reply.status

    @property
    def document(self) -> dict[str, object] | None:
        """The JSON object in the body, if there is one."""
        try:
            document = json.loads(self.reply.body.decode())
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None

    @property
    def error(self) -> str:
        """The OAuth error code (RFC 6749, 5.2); empty where there is none."""
        error = (self.document or {}).get("error")
        return error if isinstance(error, str) and CODE.fullmatch(error) else ""

    @property
    def outcome(self) -> str:
        """Status and error code, for a sentence."""
        return f"{self.status} {self.error}".strip()


def told(failed: Unavailable) -> str:
    """Why there was no answer, with the code that callers get meanwhile."""
    return f"{failed.detail.removesuffix('.')} ({failed.code})."


class Asking:
    """Asks one provider, and keeps what it answered."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self.heard: list[Heard] = []
        """All answers so far."""

    @property
    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.time()

    async def __call__(self, method: str, url: str, headers: Headers = JSON, body: bytes = b"") -> Heard:
        """One answer, whatever it says. Raises `Unavailable` when there is none."""
        asked_at, began = self._clock.time(), self._clock.monotonic()
        reply = await self._fetch(method, url, headers=headers, body=body)
        seconds = self._clock.monotonic() - began
        heard = Heard(reply=reply, asked_at=asked_at, heard_at=self._clock.time(), seconds=seconds)
        self.heard.append(heard)
        return heard
