"""`Fetch` on aiohttp: one request to a server that we ask, and its whole answer within a time and a size."""

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import aiohttp
from aiohttp import hdrs
from yarl import URL

from gateway.client_tls import http_tls
from gateway.policy import Headers, Unavailable
from gateway.ports import Fetch, Reply
from gateway.providers import Transport

OUR_HEADERS = {"User-Agent": "tokenward", "Accept-Encoding": "identity"}
READ_BYTES = 65_536
"""As much of a body as waits in memory before it is read."""
IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
FORM = "application/x-www-form-urlencoded"

# zlib's names for formats: 31 is gzip; 15 is zlib, which RFC 9110, 8.4.1.2 calls deflate; -15 is the bare deflate
# that "some non-conformant implementations send" under the same name.
GZIP, ZLIB, BARE_DEFLATE = 31, 15, -15

# X509_V_ERR_… of OpenSSL, as `SSLCertVerificationError.verify_code` has them.
DISTRUST = {
    10: "has expired",
    18: "is self-signed",
    19: "comes from an authority that is not trusted",
    20: "comes from an authority that is not trusted",
    62: "is for another host",
    64: "is for another host",
}

# The first that fits counts. The host comes from the configuration or from verified metadata.
FAULTS: tuple[tuple[type[BaseException], str, str], ...] = (
    (aiohttp.ConnectionTimeoutError, "provider_timeout", "{host} could not be reached in time."),
    (TimeoutError, "provider_timeout", "{host} did not answer in time."),
    (aiohttp.ClientConnectorDNSError, "provider_unreachable", "The name {host} cannot be resolved."),
    (aiohttp.ClientProxyConnectionError, "provider_unreachable", "The proxy on the way to {host} cannot be reached."),
    (aiohttp.ClientHttpProxyError, "provider_unreachable", "The proxy on the way to {host} refused."),
    (aiohttp.ClientConnectorError, "provider_unreachable", "{host} cannot be reached."),
    (aiohttp.ClientConnectionError, "provider_unreachable", "{host} closed the connection without an answer."),
    (aiohttp.InvalidURL, "provider_unreachable", "What was to be asked is not the URL of a web server."),
    (aiohttp.NonHttpUrlClientError, "provider_unreachable", "What was to be asked is not the URL of a web server."),
    (UnicodeError, "provider_unreachable", "What was to be asked is not the URL of a web server."),
    (aiohttp.ClientError, "provider_answer", "The answer of {host} is broken."),
)


@asynccontextmanager
async def open_fetch(transport: Transport) -> AsyncIterator[Fetch]:
    """A `Fetch` with connections of its own, reached as `transport` says; they are closed at the end of the block.

    No redirect is followed, no cookie kept, the environment (proxies, netrc) not read, and certificates are always
    verified. A body is at most `transport.max_bytes` long, decoded as well as encoded. Raises OSError, of which
    ssl.SSLError is one, when a file of the transport cannot be read or used.
    """
    files = (transport.ca_file, transport.certificate_file, transport.key_file)
    tls = await asyncio.to_thread(http_tls, *files)
    async with _open_session(transport, tls, pooled=True) as pooled, _open_session(transport, tls, pooled=False) as new:
        yield _Fetcher(transport, pooled, new)


@dataclass(slots=True)
class _Question:
    """A request, and whether it last went out on a connection that had been used before."""

    method: str
    url: URL
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    reused: bool = False

    @property
    def may_be_repeated(self) -> bool:
        """Whether a server may receive it twice.

        RFC 9110, 9.2.2: not automatically, unless there are "some means to know that the request semantics are
        actually idempotent". Forms are introspections, revocations and token requests. A JSON document may be a
        registration, and there would be two.
        """
        if self.method in IDEMPOTENT:
            return True
        return any(name.lower() == "content-type" and value.startswith(FORM) for name, value in self.headers)


class _Broken(Exception):
    """The connection ended before there was an answer."""

    def __init__(self, error: aiohttp.ClientConnectionError) -> None:
        super().__init__()
        self.error = error
        # aiohttp puts the half of a head that it received in place of the message.
        self.before_any_byte = isinstance(getattr(error, "message", ""), str)


class _Unusable(Exception):
    """The answer arrived, and is nothing for us; the text follows the name of the host."""


class _Fetcher:
    """`pooled` keeps connections; on `new`, each question has a connection of its own."""

    def __init__(self, transport: Transport, pooled: aiohttp.ClientSession, new: aiohttp.ClientSession) -> None:
        self._transport = transport
        self._pooled = pooled
        self._new = new

    async def __call__(self, method: str, url: str, *, headers: Headers = (), body: bytes = b"") -> Reply:
        host = ""
        try:
            question = _Question(method, _parse(url), headers, body)
            host = question.url.host or ""
            async with asyncio.timeout(self._transport.timeout):
                return await self._ask_twice(question)
        except (aiohttp.ClientError, _Broken, _Unusable, TimeoutError, UnicodeError) as error:
            # What aiohttp raises may show the URL and our headers: neither belongs in a log, not even as a cause.
            raise _unavailable(error, host) from None

    async def _ask_twice(self, question: _Question) -> Reply:
        try:
            return await self._ask(self._pooled, question)
        except _Broken as broken:
            if not (question.reused and broken.before_any_byte and question.may_be_repeated):
                raise
        except aiohttp.ClientConnectorError as error:
            if isinstance(error, aiohttp.ClientSSLError):
                raise
        # The second try does not use the pool: the other connections in there may be just as dead.
        return await self._ask(self._new, question)

    async def _ask(self, session: aiohttp.ClientSession, question: _Question) -> Reply:
        asking = session.request(
            question.method,
            question.url,
            headers=question.headers,
            data=question.body or None,
            allow_redirects=False,
            trace_request_ctx=question,
        )
        # The end of this block closes the connection of an answer that was not read to its end: the rest of it must
        # never be the answer to another question.
        async with asking as response:
            received = await _read(response, self._transport.max_bytes)
            coding = response.headers.get(hdrs.CONTENT_ENCODING, "")
            return Reply(response.status, response.headers, _decode(received, coding, self._transport.max_bytes))


def _parse(url: str) -> URL:
    try:
        return URL(url, encoded=True)
    except ValueError:
        raise aiohttp.InvalidURL(url) from None


def _open_session(transport: Transport, tls: ssl.SSLContext, *, pooled: bool) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        ssl=tls,
        force_close=not pooled,
        limit=0,  # Those who ask say how many of them ask at once.
        # Were it not named, installing aiodns would change how names are resolved.
        resolver=aiohttp.ThreadedResolver(),
    )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, connect=transport.connect_timeout),
        headers=OUR_HEADERS,
        proxy=transport.proxy,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        read_bufsize=READ_BYTES,
        trace_configs=[_tracing()],
        middlewares=(_ask_once,),
    )


def _tracing() -> aiohttp.TraceConfig:
    """Tells a question that its connection had been used before."""

    async def reused(_: object, trace: SimpleNamespace, __: object) -> None:
        trace.trace_request_ctx.reused = True

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(reused)
    return tracing


async def _ask_once(request: aiohttp.ClientRequest, ask: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from a second try of its own, which knows neither our rules nor our pool."""
    try:
        return await ask(request)
    except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError):
        raise
    except aiohttp.ClientConnectionError as error:
        raise _Broken(error) from error


async def _read(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > max_bytes:
            raise _Unusable("sent more than we accept")
    return bytes(body)


def _decode(body: bytes, coding: str, max_bytes: int) -> bytes:
    """The body without its content coding. We asked for none, and some servers do not listen."""
    match coding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _inflate(body, GZIP, max_bytes)
        case "deflate":
            # RFC 1950, 2.2: the low half of the first byte is 8 in the zlib format.
            return _inflate(body, ZLIB if body[:1] and body[0] & 0x0F == 8 else BARE_DEFLATE, max_bytes)
        case _:
            raise _Unusable("sent a content coding that we did not ask for")


def _inflate(body: bytes, wbits: int, max_bytes: int) -> bytes:
    if not body:
        return body
    inflater = zlib.decompressobj(wbits)
    try:
        decoded = inflater.decompress(body, max_bytes + 1)
    except zlib.error:
        raise _Unusable("sent a compressed body that is broken") from None
    if len(decoded) > max_bytes:
        raise _Unusable("sent more than we accept")
    if not inflater.eof or inflater.unused_data:
        raise _Unusable("sent a compressed body that is broken")
    return decoded


def _unavailable(error: BaseException, host: str) -> Unavailable:
    if isinstance(error, _Unusable):
        return Unavailable(f"{host} {error}.", code="provider_answer")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return Unavailable(f"The certificate of {host} {_distrust(error)}.", code="provider_tls")
    foreign = error.error if isinstance(error, _Broken) else error
    if isinstance(foreign.__cause__, ssl.SSLError):
        # Not only while connecting: with TLS 1.3 a server refuses our certificate after the handshake.
        return Unavailable(f"TLS with {host} failed.", code="provider_tls")
    code, sentence = next((code, sentence) for kind, code, sentence in FAULTS if isinstance(foreign, kind))
    return Unavailable(sentence.format(host=host), code=code)


def _distrust(error: aiohttp.ClientConnectorCertificateError) -> str:
    return DISTRUST.get(getattr(error.certificate_error, "verify_code", 0), "is not trusted")
