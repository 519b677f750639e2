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

_LINE = (
    '{"ts":"%s","level":"info","msg":"access","request_id":%s,"trace_id":%s,%s,"path":%s,%s,"bytes_in":%d,"bytes_out":%d,'
    '"duration_ms":%.3f,"upstream_ms":%.3f,"decision_ms":%.3f,%s,%s,%s,"retries":%d,"user_agent":%s}\n'
)
_MOMENT = "%s.%03dZ"
_NONE = Flag.NONE
_FAULTS = {
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
    flag = exchange.flag
    if flag is _NONE:
        return "upstream" if exchange.upstream_status >= 500 else ""
    if flag is Flag.UNAVAILABLE and (exchange.provider or exchange.code.startswith("provider_")):
        return "provider"
    return _FAULTS[flag]


class Lines:
    """Makes an exchange's line. `subject_key` keys the digest of subjects.

    With a key per start of the process a person's requests can be told from another's within one run, and nobody who
    reads the log can find out whose they are by trying names. Workers are given one key.
    """

    def __init__(self, subject_key: bytes) -> None:
        self._key = subject_key
        self._whose = lru_cache(maxsize=1024)(self._principal)
        self._second = -1
        self._moment = ""

    def line(self, it: Exchange) -> str:
        """One JSON object and the end of the line, in ASCII."""
        flag = "" if it.flag is _NONE else it.flag  # an enumeration's member is slow to find in a cache
        # Filled in, and not a dictionary for json.dumps: that takes four times as long, for every request. What is the
        # same for one request after the other is remembered together.
        return _LINE % (
            self._timestamp(it.received_at),
            _text(it.request_id),
            _text(it.trace_id),
            _asked(it.caller_ip, it.method, it.scheme, it.host),
            _path(it.path),
            _served(it.route, it.api, it.upstream, it.status, it.upstream_status),
            it.bytes_in,
            it.bytes_out,
            it.duration * 1000,
            it.upstream_seconds * 1000,
            it.decision_seconds * 1000,
            _judged(it.result, it.code, flag, fault(it)),
            self._whose(it.provider, it.client_id, it.subject),
            _noted(it.notes, it.reported),
            it.retries,
            _input(it.user_agent),
        )

    def _timestamp(self, seconds: float) -> str:
        second = int(seconds)
        if second != self._second:
            self._second = second
            self._moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return _MOMENT % (self._moment, int((seconds - second) * 1000))

    def _principal(self, provider: str, client_id: str, subject: str) -> str:
        digest = self._hash(provider, subject)
        return f'"provider":{_text(provider)},"client_id":{_redacted(client_id)},"subject_hash":"{digest}"'

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


def _redacted(value: str) -> str:
    """What a caller or a provider wrote, as a JSON string: somebody may put a credential where none belongs."""
    return _text(redact(value))


_input = lru_cache(maxsize=1024)(_redacted)
_path = lru_cache(maxsize=1024)(_redacted)
"""A cache of its own: where each path is another, it would push all else out."""


@lru_cache(maxsize=1024)
def _asked(caller_ip: str, method: str, scheme: str, host: str) -> str:
    return (
        f'"caller_ip":{_text(caller_ip)},"method":{_redacted(method)},"scheme":{_text(scheme)},"host":{_redacted(host)}'
    )


@lru_cache(maxsize=1024)
def _served(route: str, api: str, upstream: str, status: int, upstream_status: int) -> str:
    return (
        f'"route":{_text(route)},"api":{_text(api)},"upstream":{_text(upstream)},"status":{status:d},'
        f'"upstream_status":{upstream_status:d}'
    )


@lru_cache(maxsize=1024)
def _judged(result: str, code: str, flag: str, fault: str) -> str:
    return f'"result":{_text(result)},"code":{_text(code)},"flag":"{flag}","fault":"{fault}"'


@lru_cache(maxsize=1024)
def _noted(notes: Headers, reported: Headers) -> str:
    """What policies noted: `cache` under its own name, where lookups are counted by it; the rest together."""
    noted = dict(notes)
    cache = noted.pop("cache", "")
    rest = ",".join(f"{_text(name)}:{_text(value)}" for name, value in noted.items())
    refused = ",".join(_text(f"{policy}: {code}") for policy, code in reported)
    return f'"cache":{_text(cache)},"notes":{{{rest}}},"would_refuse":[{refused}]'
