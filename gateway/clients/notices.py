"""What people are told when something happens to an application or a contract. Pure."""

import unicodedata
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

Audience: TypeAlias = Literal["owners", "developer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that people want to hear of. It holds no secret."""

    id: str
    """The same at every try: whoever receives it twice can tell."""
    verb: str
    """As in the audit log: `contract.requested`, `contract.approved`, …"""
    at: float
    """Seconds since the epoch."""
    provider: str = ""
    application: str = ""
    """Its name."""
    client: str = ""
    """Our id of it."""
    agreement: str | None = None
    api: str | None = None
    tier: str | None = None
    reason: str = ""
    """In the words of whoever asked or decided."""
    asked_by: str = ""
    """The developer's name."""
    audience: Audience = "owners"
    """Who is to do something now, or wants to know."""
    email: str = field(default="", repr=False)
    """The developer's address, if any."""


class Undeliverable(Exception):
    """It was refused for good: another try would end in the same way."""


class Channel(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str: ...

    @property
    def attempts(self) -> int: ...

    async def send(self, notice: Notice, /) -> None:
        """Raises `Unavailable` when it may work later, and `Undeliverable` when it will not."""


def one_line(text: str, longest: int = 200) -> str:
    """The text without what could end a header or a log line, or turn its direction around; cut at `longest`."""
    plain = "".join(" " if unicodedata.category(each) in {"Cc", "Zl", "Zp"} else each for each in text)
    shown = " ".join("".join(each for each in plain if unicodedata.category(each) not in {"Cf", "Cs"}).split())
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
