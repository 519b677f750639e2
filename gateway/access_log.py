"""The access log: one JSON line per exchange, written in batches beside the requests.

A line says who ended the exchange (`flag`) and whose fault it was (`fault`), never the credential or the query.
"""

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from gateway.exchange import Exchange, Flag
from gateway.log_sink import Sink
from gateway.logs import redact
from gateway.policy import Headers
from gateway.ports import Counter
from gateway.tasks import Tasks

log = logging.getLogger(__name__)

LONGEST = 512
"""Characters of a value; what comes after is cut."""
MOST_WAITING = 10_000
"""Exchanges that wait for the sink; more are dropped and counted."""
BATCH = 256
"""Exchanges that are written without waiting for more."""
EVERY = 0.05
"""Seconds in which exchanges are gathered to be written together."""
LAST = 2.0
"""Seconds that the end of the process waits for the last lines."""

_FAULTS = {
    Flag.NONE: "",
    Flag.BAD_REQUEST: "caller",
    Flag.NO_ROUTE: "caller",
    Flag.DENIED: "caller",
    Flag.UNAVAILABLE: "gateway",
    Flag.FAILED: "gateway",
    Flag.SHED: "gateway",
    Flag.UPSTREAM_CONNECT: "upstream",
    Flag.UPSTREAM_TIMEOUT: "upstream",
    Flag.UPSTREAM_RESET: "upstream",
    Flag.UPSTREAM_PROTOCOL: "upstream",
    Flag.UPSTREAM_EJECTED: "upstream",
    Flag.CALLER_LEFT: "caller",
    Flag.CALLER_SLOW: "caller",
    Flag.TOKEN_ENDED: "caller",
    Flag.DRAINED: "gateway",
}


def fault(exchange: Exchange) -> str:
    """Whose fault it was that the exchange did not go well: caller, gateway, provider or upstream; empty if it did."""
    if exchange.flag is Flag.UNAVAILABLE and (exchange.provider or exchange.code.startswith("provider_")):
        return "provider"
    if exchange.flag is Flag.NONE and exchange.upstream_status >= 500:
        return "upstream"
    return _FAULTS[exchange.flag]


class Lines:
    """Makes an exchange's line. `subject_key` keys the digest of subjects.

    With a key per start of the process a person's requests can be told from another's within one run, and nobody who
    reads the log can find out whose they are by trying names. Workers are given one key.
    """

    def __init__(self, subject_key: bytes) -> None:
        self._key = subject_key
        self._digest = lru_cache(maxsize=1024)(self._hash)
        self._second = -1
        self._moment = ""

    def line(self, it: Exchange) -> str:
        """One JSON object and the end of the line, in ASCII."""
        # Written out, and not as a dictionary for json.dumps: that takes three times as long, for every request.
        return (
            f'{{"ts":"{self._timestamp(it.received_at)}","level":"info","msg":"access",'
            f'"request_id":{_text(it.request_id)},"trace_id":{_text(it.trace_id)},"caller_ip":{_known(it.caller_ip)},'
            f'"method":{_input(it.method)},"scheme":{_known(it.scheme)},"host":{_input(it.host)},"path":{_text(redact(it.path))},'
            f'"route":{_known(it.route)},"api":{_known(it.api)},"upstream":{_known(it.upstream)},"status":{it.status:d},'
            f'"upstream_status":{it.upstream_status:d},"bytes_in":{it.bytes_in:d},"bytes_out":{it.bytes_out:d},'
            f'"duration_ms":{it.duration * 1000:.3f},"upstream_ms":{it.upstream_seconds * 1000:.3f},'
            f'"decision_ms":{it.decision_seconds * 1000:.3f},"result":{_known(it.result)},"code":{_known(it.code)},'
            f'"flag":"{it.flag}","fault":"{fault(it)}","provider":{_known(it.provider)},'
            f'"client_id":{_input(it.client_id)},"subject_hash":"{self._digest(it.provider, it.subject)}",'
            f'{_notes(it.notes)},"would_refuse":{_reported(it.reported)},"retries":{it.retries:d},"user_agent":{_input(it.user_agent)}}}\n'
        )

    def _timestamp(self, seconds: float) -> str:
        second = int(seconds)
        if second != self._second:
            self._second = second
            self._moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._moment}.{int(seconds % 1 * 1000):03d}Z"

    def _hash(self, provider: str, subject: str) -> str:
        if not subject:
            return ""
        # The provider belongs to it: subjects of two providers may be spelled alike.
        both = f"{provider}\0{subject}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(both, digest_size=8, key=self._key).hexdigest()


class AccessLog:
    """Takes exchanges at once and writes their lines later. Where the sink is slower than the requests, the requests
    win: what does not fit is dropped and counted.
    """

    def __init__(self, lines: Lines, sink: Sink, dropped: Counter) -> None:
        self._lines = lines
        self._sink = sink
        self._dropped = dropped
        self._waiting: list[Exchange] = []
        self._some = asyncio.Event()
        self._many = asyncio.Event()
        self._ends = False
        self._tasks = Tasks()
        self._writing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write; on the event loop, after any fork."""
        self._sink.start()
        self._writing = self._tasks.start(self._write_batches())

    def write(self, exchange: Exchange) -> None:
        """Have the line of a finished exchange written soon. Never waits, never raises."""
        waiting = self._waiting
        if len(waiting) >= MOST_WAITING:
            self._dropped.inc()
            return
        waiting.append(exchange)
        if len(waiting) == 1:
            self._some.set()
        elif len(waiting) == BATCH:
            self._many.set()

    def reopen(self) -> None:
        """Open the path anew before the next line, as after a rotation."""
        self._sink.reopen()

    async def close(self) -> None:
        """Write what waits, for as long as two seconds; what is left then is dropped and counted."""
        self._ends = True
        self._some.set()
        self._many.set()
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=LAST)
        await self._tasks.close()
        self._dropped.inc(len(self._waiting))
        self._sink.close()

    async def _write_batches(self) -> None:
        while not self._ends or self._waiting:
            await self._some.wait()
            await _at_most(EVERY, self._many)
            await self._write_batch()

    async def _write_batch(self) -> None:
        batch, self._waiting = self._waiting, []
        if not self._ends:
            self._some.clear()
            self._many.clear()
        written = False
        try:
            written = await self._sink.write("".join(map(self._lines.line, batch)).encode())
        except Exception:  # one exchange that cannot be told must not silence all that follow
            log.exception("lines of the access log were lost")
        finally:
            if not written:
                self._dropped.inc(len(batch))


async def _at_most(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


_quote: Callable[[str], str] = json.encoder.encode_basestring_ascii


def _text(value: str) -> str:
    """As a JSON string in ASCII: control characters, and what changes the direction of a terminal's text, escaped."""
    if not value.isascii():
        # aiohttp keeps undecodable bytes as lone surrogates, which are not text and break readers of JSON.
        value = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return _quote(value[:LONGEST])


@lru_cache(maxsize=1024)
def _known(value: str) -> str:
    """What comes again and again, as a JSON string."""
    return _text(value)


@lru_cache(maxsize=1024)
def _input(value: str) -> str:
    """What a caller or a provider wrote, as a JSON string: somebody may put a credential where none belongs."""
    return _text(redact(value))


@lru_cache(maxsize=1024)
def _notes(notes: Headers) -> str:
    """What policies noted: `cache` under its own name, where lookups are counted by it; the rest together."""
    noted = dict(notes)
    cache = noted.pop("cache", "")
    rest = ",".join(f"{_text(name)}:{_text(value)}" for name, value in noted.items())
    return f'"cache":{_text(cache)},"notes":{{{rest}}}'


@lru_cache(maxsize=1024)
def _reported(would_refuse: Headers) -> str:
    return f"[{','.join(_text(f'{policy}: {code}') for policy, code in would_refuse)}]"
