"""Asking a server: what arrives there, what comes back, and how every fault of it ends."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from mmap import mmap
from pathlib import Path
from time import monotonic

import pytest
from cryptography.hazmat.primitives import serialization

from gateway.fetch import open_fetch
from gateway.policy import Headers, Unavailable
from gateway.ports import Fetch, Reply
from gateway.providers import Transport
from tests.certificates import Authority, self_signed
from tests.faulty_server import (
    MEBIBYTE,
    FaultyServer,
    Verb,
    after,
    answer,
    bad_checksum,
    black_hole,
    bomb,
    broken_chunk,
    broken_head,
    document,
    dripping,
    endless_chunks,
    faulty_server,
    gzipped,
    half_a_head,
    hang_up,
    html,
    huge,
    overlong,
    redirect,
    refusing_port,
    reset,
    silent,
    truncated,
)

TRANSPORT = Transport(connect_timeout=1.0, timeout=5.0, max_bytes=262_144)
HASTY = Transport(connect_timeout=0.1, timeout=0.2)
FORM: Headers = (("Content-Type", "application/x-www-form-urlencoded"), ("Authorization", "Basic c2VjcmV0"))
ASKING = b"token=very-secret"


@asynccontextmanager
async def asking(*script: Verb, transport: Transport = TRANSPORT) -> AsyncIterator[tuple[FaultyServer, Fetch]]:
    async with faulty_server(*script) as server, open_fetch(transport) as fetch:
        yield server, fetch


async def refusal(fetch: Fetch, url: str) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        await fetch("POST", url, headers=FORM, body=ASKING)
    return caught.value


# What the server receives.


async def test_the_request_arrives_as_it_was_given() -> None:
    async with asking(document({"active": True})) as (server, fetch):
        reply = await fetch("POST", f"{server.url}/introspect?a=%2F%7E", headers=FORM, body=ASKING)
    [received] = server.received
    assert (received.method, received.target) == ("POST", "/introspect?a=%2F%7E")
    assert received.form == {"token": "very-secret"}
    assert received.header("Authorization") == "Basic c2VjcmV0"
    assert (reply.status, reply.body, reply.media_type) == (200, b'{"active": true}', "application/json")
    assert reply.headers["content-type"] == "application/json"


async def test_no_content_coding_is_asked_for_and_no_library_named() -> None:
    async with asking(answer()) as (server, fetch):
        await fetch("GET", server.url)
    [received] = server.received
    assert received.header("Accept-Encoding") == "identity"
    assert received.header("User-Agent") == "tokenward"


async def test_a_cookie_does_not_come_back() -> None:
    async with asking(answer(headers=("Set-Cookie: session=1; Path=/",))) as (server, fetch):
        await fetch("GET", server.url)
        await fetch("GET", server.url)
    assert [received.header("Cookie") for received in server.received] == [None, None]


async def test_a_connection_is_used_again() -> None:
    async with asking(answer(b"{}")) as (server, fetch):
        await fetch("GET", server.url)
        await fetch("POST", server.url, headers=FORM, body=ASKING)
    assert server.connections == 1


async def test_every_status_is_an_answer() -> None:
    async with asking(html(500), answer(status=401)) as (server, fetch):
        assert (await fetch("GET", server.url)).status == 500
        assert (await fetch("GET", server.url)).status == 401


@pytest.mark.case("C090", "C126")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    async with (
        faulty_server(answer()) as collector,
        asking(redirect(f"{collector.url}/collect", status)) as (server, fetch),
    ):
        reply = await fetch("POST", server.url, headers=FORM, body=ASKING)
    assert reply.status == status
    assert collector.connections == 0


# The environment.


@pytest.mark.case("C142")
async def test_neither_proxies_nor_passwords_of_the_environment_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login mallory password from-netrc\n")
    async with faulty_server(answer()) as proxy, faulty_server(answer()) as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        async with open_fetch(TRANSPORT) as fetch:
            await fetch("GET", server.url)
    assert proxy.connections == 0
    assert server.received[0].header("Authorization") is None


@pytest.mark.case("C142")
async def test_the_configured_proxy_is_used() -> None:
    async with faulty_server(answer(b"by proxy")) as proxy:
        transport = replace(TRANSPORT, proxy=proxy.url.replace("//", "//gateway:pass@"))
        async with open_fetch(transport) as fetch:
            reply = await fetch("GET", "http://idp.example/keys")
    [received] = proxy.received
    assert reply.body == b"by proxy"
    assert received.target == "http://idp.example/keys"
    assert received.header("Proxy-Authorization") == "Basic Z2F0ZXdheTpwYXNz"


async def test_a_proxy_that_refuses_is_not_the_providers_answer() -> None:
    async with faulty_server(answer(status=407)) as proxy, open_fetch(replace(TRANSPORT, proxy=proxy.url)) as fetch:
        error = await refusal(fetch, "https://idp.example/introspect")
    assert (error.code, error.detail) == ("provider_unreachable", "The proxy on the way to idp.example refused.")
    assert [received.target for received in proxy.received] == ["idp.example:443"]


async def test_a_proxy_that_is_down_is_named_as_the_fault() -> None:
    with refusing_port() as port:
        async with open_fetch(replace(TRANSPORT, proxy=f"http://127.0.0.1:{port}")) as fetch:
            error = await refusal(fetch, "https://idp.example/introspect")
    assert error.detail == "The proxy on the way to idp.example cannot be reached."


# Connecting.


@pytest.mark.case("C127")
async def test_a_refused_connection_ends_at_once() -> None:
    begun = monotonic()
    with refusing_port() as port:
        async with open_fetch(TRANSPORT) as fetch:
            error = await refusal(fetch, f"http://127.0.0.1:{port}/")
    assert (error.code, error.detail) == ("provider_unreachable", "127.0.0.1 cannot be reached.")
    assert monotonic() - begun < 1


@pytest.mark.case("C127")
async def test_a_name_that_does_not_exist_ends_at_once() -> None:
    async with open_fetch(TRANSPORT) as fetch:
        error = await refusal(fetch, "https://idp.invalid/introspect")
    assert error.code in {"provider_unreachable", "provider_timeout"}
    assert "idp.invalid" in error.detail


@pytest.mark.case("C127")
async def test_a_server_that_drops_every_packet_ends_with_the_connect_timeout() -> None:
    begun = monotonic()
    with black_hole() as port:
        async with open_fetch(replace(TRANSPORT, connect_timeout=0.2)) as fetch:
            error = await refusal(fetch, f"http://127.0.0.1:{port}/")
    assert (error.code, error.detail) == ("provider_timeout", "127.0.0.1 could not be reached in time.")
    assert 0.2 <= monotonic() - begun < 1


@pytest.mark.case("C127")
async def test_a_server_that_was_restarting_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    connect, refused = loop.sock_connect, 0

    async def refuse_once(*arguments: object) -> None:
        nonlocal refused
        if refused == 0:
            refused += 1
            raise ConnectionRefusedError(111, "Connection refused")
        await connect(*arguments)  # type: ignore[arg-type] # whatever the loop's own takes

    monkeypatch.setattr(loop, "sock_connect", refuse_once)
    async with asking(answer(b"{}")) as (server, fetch):
        assert (await fetch("POST", server.url, headers=FORM, body=ASKING)).status == 200
    assert (refused, len(server.received)) == (1, 1)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/", "data:,x", "http://", "/keys", "http://[", ""]
)
@pytest.mark.case("C091")
async def test_nothing_but_a_web_server_is_asked(url: str) -> None:
    async with open_fetch(TRANSPORT) as fetch:
        error = await refusal(fetch, url)
    assert error.code == "provider_unreachable"


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a..example", "ü.example"])
async def test_a_name_that_cannot_be_asked_for_is_no_crash(host: str) -> None:
    async with open_fetch(TRANSPORT) as fetch:
        error = await refusal(fetch, f"https://{host}/")
    assert error.code == "provider_unreachable"


# Time.


@pytest.mark.parametrize(
    "verb", [silent(), after(0.5, answer()), dripping(b"x" * 100, 0.05)], ids=["silent", "late", "drip"]
)
async def test_the_time_covers_the_whole_answer(verb: Verb) -> None:
    begun = monotonic()
    async with asking(verb, transport=HASTY) as (server, fetch):
        error = await refusal(fetch, server.url)
        assert monotonic() - begun < 1
        await server.until_all_left()
    assert (error.code, error.detail) == ("provider_timeout", "127.0.0.1 did not answer in time.")


async def test_a_server_that_never_finishes_the_tls_handshake_ends_with_the_connect_timeout() -> None:
    async with asking(silent(), transport=HASTY) as (server, fetch):
        error = await refusal(fetch, server.url.replace("http:", "https:"))
    assert error.code == "provider_timeout"


async def test_both_tries_together_have_the_time_of_one() -> None:
    begun = monotonic()
    async with asking(answer(b"{}"), hang_up(), silent(), transport=HASTY) as (server, fetch):
        await fetch("GET", server.url)
        error = await refusal(fetch, server.url)
        assert len(server.received) == 3
    assert error.code == "provider_timeout"
    assert monotonic() - begun < 1


@pytest.mark.case("C139")
async def test_whoever_gives_up_closes_the_connection() -> None:
    async with asking(silent(), answer(b"{}")) as (server, fetch):
        asked = asyncio.ensure_future(fetch("POST", server.url, headers=FORM, body=ASKING))
        await server.until_received(1)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await server.until_all_left()
        assert (await fetch("GET", server.url)).body == b"{}"
    assert [received.connection for received in server.received] == [1, 2]


@pytest.mark.case("C139")
async def test_an_answer_that_nobody_waited_for_reaches_nobody_else() -> None:
    async with asking(dripping(b'{"active":true}', 0.01), answer(b'{"active":false}')) as (server, fetch):
        asked = asyncio.ensure_future(fetch("POST", server.url, headers=FORM, body=ASKING))
        await server.until_received(1)
        asked.cancel()
        await asyncio.wait([asked])
        assert (await fetch("GET", server.url)).body == b'{"active":false}'
    assert server.connections == 2


async def test_closing_leaves_no_connection_and_no_task() -> None:
    before = len(asyncio.all_tasks())
    async with faulty_server(answer(b"{}")) as server:
        async with open_fetch(TRANSPORT) as fetch:
            await asyncio.gather(*(fetch("GET", server.url) for _ in range(5)))
        await server.until_all_left()
        assert len(asyncio.all_tasks()) == before


# Connections that turned out to be dead.


@pytest.mark.case("C130")
@pytest.mark.parametrize("dead", [hang_up(), reset()], ids=["closed", "reset"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_pooled_connection_that_turns_out_dead_is_replaced_without_a_word(dead: Verb, method: str) -> None:
    async with asking(answer(b"1"), dead, answer(b"2")) as (server, fetch):
        await fetch("GET", server.url)
        reply = await fetch(method, server.url, headers=FORM, body=ASKING)
    assert reply.body == b"2"
    assert [received.connection for received in server.received] == [1, 1, 2]
    assert server.received[1].body == server.received[2].body == ASKING


@pytest.mark.case("C130")
async def test_connections_that_the_server_closed_while_idle_are_not_noticed_by_anybody() -> None:
    async with asking(after(0.02, answer(b"{}"))) as (server, fetch):
        await asyncio.gather(*(fetch("GET", server.url) for _ in range(4)))
        await server.cut()
        replies = await asyncio.gather(*(fetch("POST", server.url, headers=FORM, body=ASKING) for _ in range(4)))
    assert [reply.status for reply in replies] == [200] * 4


@pytest.mark.case("C130")
async def test_the_second_try_does_not_take_the_next_dead_connection() -> None:
    well = after(0.02, answer(b"{}"))
    async with asking(well, well, hang_up(), well) as (server, fetch):
        await asyncio.gather(fetch("GET", server.url), fetch("GET", server.url))
        assert (await fetch("POST", server.url, headers=FORM, body=ASKING)).status == 200
    assert server.received[-1].connection == 3


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_there_is_no_third_try(method: str) -> None:
    async with asking(answer(), hang_up()) as (server, fetch):
        await fetch("GET", server.url)
        with pytest.raises(Unavailable) as caught:
            await fetch(method, server.url, headers=FORM, body=ASKING)
    assert caught.value.code == "provider_unreachable"
    assert len(server.received) == 1 + 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_new_connection_that_breaks_is_not_tried_again(method: str) -> None:
    async with asking(hang_up()) as (server, fetch):
        with pytest.raises(Unavailable) as caught:
            await fetch(method, server.url, headers=FORM, body=ASKING)
    assert caught.value.detail == "127.0.0.1 closed the connection without an answer."
    assert len(server.received) == 1


async def test_half_a_head_is_an_answer_that_began_and_is_not_asked_for_again() -> None:
    async with asking(answer(), half_a_head(), answer()) as (server, fetch):
        await fetch("GET", server.url)
        await refusal(fetch, server.url)
    assert len(server.received) == 2


async def test_a_document_is_not_sent_twice_because_it_may_be_a_registration() -> None:
    async with asking(answer(), hang_up(), answer(status=201)) as (server, fetch):
        await fetch("GET", server.url)
        with pytest.raises(Unavailable):
            await fetch("POST", server.url, headers=(("Content-Type", "application/json"),), body=b"{}")
    assert len(server.received) == 2


# Broken answers.


@pytest.mark.parametrize(
    "verb",
    [truncated(b'{"active": true}'), broken_chunk(b'{"active": true}'), broken_head(), bad_checksum(b"{}")],
    ids=["truncated", "broken chunk", "not HTTP", "bad checksum"],
)
async def test_a_broken_answer_is_no_answer(verb: Verb) -> None:
    async with asking(verb, answer(b"{}")) as (server, fetch):
        error = await refusal(fetch, server.url)
        assert error.code == "provider_answer"
        assert (await fetch("GET", server.url)).status == 200


async def test_what_follows_the_announced_length_is_not_the_next_answer() -> None:
    smuggled = b'{}HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"active":true}'
    async with asking(overlong(smuggled), answer(b'{"active":false}')) as (server, fetch):
        assert (await fetch("GET", server.url)).body == b"{}"
        assert (await fetch("GET", server.url)).body == b'{"active":false}'


@pytest.mark.case("C124")
@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
async def test_a_coding_that_nobody_asked_for_is_no_answer(coding: str) -> None:
    async with asking(answer(b"{}", headers=(f"Content-Encoding: {coding}",))) as (server, fetch):
        error = await refusal(fetch, server.url)
    assert error.detail == "127.0.0.1 sent a content coding that we did not ask for."


async def test_gzip_and_deflate_are_understood_all_the_same() -> None:
    async with asking(gzipped(b"{}"), bomb(0, "deflate"), gzipped(b"")) as (server, fetch):
        assert [(await fetch("GET", server.url)).body for _ in range(3)] == [b"{}", b"", b""]


@pytest.mark.parametrize("body", [b"\x1f\x8b\x08", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00", b"plain"])
async def test_a_compressed_body_that_ends_early_or_is_none_is_no_answer(body: bytes) -> None:
    async with asking(answer(body, headers=("Content-Encoding: gzip",))) as (server, fetch):
        assert (await refusal(fetch, server.url)).code == "provider_answer"


# Too much.


@contextmanager
def growing_less_than(mebibytes: int) -> Iterator[None]:
    """The peak of this process's resident memory stays within that much of what it was."""
    Path("/proc/self/clear_refs").write_text("5")  # The peak is set back to what is resident now.
    before = _peak()
    yield
    assert _peak() - before < mebibytes * MEBIBYTE


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def test_the_measure_of_memory_measures() -> None:
    # Mapped anew: what the process had freed before would not make it grow.
    with pytest.raises(AssertionError), growing_less_than(10), mmap(-1, 20 * MEBIBYTE) as grown:
        grown.write(b"x" * len(grown))


@pytest.mark.case("C123")
async def test_a_body_is_cut_over_tls_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    transport = replace(TRANSPORT, ca_file=str(authority.file))
    async with (
        faulty_server(endless_chunks(), tls=authority.issue().serve()) as server,
        open_fetch(transport) as fetch,
    ):
        assert (await refusal(fetch, server.url)).code == "provider_answer"
        await server.until_all_left()


@pytest.mark.case("C123")
@pytest.mark.parametrize("verb", [huge(50 * MEBIBYTE), endless_chunks()], ids=["50 MiB", "endless"])
async def test_a_body_is_cut_at_the_cap_and_its_connection_closed(verb: Verb) -> None:
    async with asking(verb, answer(b"{}")) as (server, fetch):
        with growing_less_than(10):
            error = await refusal(fetch, server.url)
            await server.until_all_left()
        assert (await fetch("GET", server.url)).body == b"{}"
    assert (error.code, error.detail) == ("provider_answer", "127.0.0.1 sent more than we accept.")
    assert [received.connection for received in server.received] == [1, 2]


@pytest.mark.case("C123")
async def test_the_cap_is_the_last_size_that_passes() -> None:
    async with asking(huge(1000), huge(1001), transport=replace(TRANSPORT, max_bytes=1000)) as (server, fetch):
        assert len((await fetch("GET", server.url)).body) == 1000
        assert (await refusal(fetch, server.url)).code == "provider_answer"


@pytest.mark.case("C102", "C124")
@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_the_cap_counts_decoded_bytes(coding: str) -> None:
    verb = bomb(64, coding)
    async with asking(verb) as (server, fetch):
        with growing_less_than(10):
            error = await refusal(fetch, server.url)
    assert error.detail == "127.0.0.1 sent more than we accept."


@pytest.mark.case("C124")
async def test_the_cap_of_decoded_bytes_is_the_last_size_that_passes() -> None:
    fitting = replace(TRANSPORT, max_bytes=1000)
    async with asking(gzipped(b"x" * 1000), gzipped(b"x" * 1001), transport=fitting) as (server, fetch):
        assert len((await fetch("GET", server.url)).body) == 1000
        assert (await refusal(fetch, server.url)).code == "provider_answer"


# TLS.


async def _ask_with(transport: Transport, tls: ssl.SSLContext) -> Reply:
    async with faulty_server(answer(b"{}"), tls=tls) as server, open_fetch(transport) as fetch:
        return await fetch("POST", server.url, headers=FORM, body=ASKING)


async def test_our_own_authority_is_trusted(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    transport = replace(TRANSPORT, ca_file=str(authority.file))
    assert (await _ask_with(transport, authority.issue().serve())).body == b"{}"


@pytest.mark.case("C103")
async def test_a_certificate_that_is_wrong_in_any_way_ends_before_the_request(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path)
    ways = {
        "is self-signed": self_signed(tmp_path),
        "has expired": authority.issue_expired(),
        "is for another host": authority.issue("idp.example"),
        "comes from an authority that is not trusted": stranger.issue(),
    }
    async with open_fetch(replace(TRANSPORT, ca_file=str(authority.file))) as fetch:
        for way, pair in ways.items():
            async with faulty_server(answer(b"{}"), tls=pair.serve()) as server:
                error = await refusal(fetch, server.url)
            assert (error.code, error.detail) == ("provider_tls", f"The certificate of 127.0.0.1 {way}.")
            assert server.received == []


@pytest.mark.case("C103")
async def test_certificates_are_verified_where_nothing_is_configured(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        await _ask_with(Transport(), Authority(tmp_path).issue().serve())
    assert caught.value.code == "provider_tls"


async def test_a_server_that_speaks_no_tls_is_not_asked_in_the_clear() -> None:
    received = bytearray()

    async def answer_in_the_clear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.read(65_536))
        writer.write(b"HTTP/1.1 400 The plain HTTP request was sent to HTTPS port\r\n\r\n")
        writer.close()

    async with (
        await asyncio.start_server(answer_in_the_clear, "127.0.0.1", 0) as server,
        open_fetch(TRANSPORT) as fetch,
    ):
        error = await refusal(fetch, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert (error.code, error.detail) == ("provider_tls", "TLS with 127.0.0.1 failed.")
    assert ASKING not in received


async def test_our_certificate_is_shown_to_a_server_that_wants_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours = authority.issue("gateway")
    transport = replace(
        TRANSPORT,
        ca_file=str(authority.file),
        certificate_file=str(ours.certificate),
        key_file=str(ours.key),
    )
    assert (await _ask_with(transport, authority.issue().serve(client_ca=authority.file))).status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_misses_our_certificate_is_a_fault_of_tls(version: ssl.TLSVersion, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = authority.issue().serve(client_ca=authority.file)
    tls.maximum_version = version
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refused = asyncio.ensure_future(asyncio.to_thread(_refuse_without_certificate, listener, tls))
        async with open_fetch(replace(TRANSPORT, ca_file=str(authority.file))) as fetch:
            error = await refusal(fetch, f"https://127.0.0.1:{listener.getsockname()[1]}/")
        await refused
    assert error.code == "provider_tls"


def _refuse_without_certificate(listener: socket.socket, tls: ssl.SSLContext) -> None:
    """Send the alert, and close only when it was read: with TLS 1.3 a reset could overtake it."""
    accepted, _ = listener.accept()
    with tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as connection:
        with suppress(ssl.SSLError):
            connection.do_handshake()
        with suppress(OSError):
            while connection.read():
                pass


async def test_a_file_that_cannot_be_used_is_an_error_of_the_system(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for transport in (
        replace(TRANSPORT, ca_file=str(tmp_path / "missing.pem")),
        replace(TRANSPORT, ca_file=str(empty)),
        replace(TRANSPORT, certificate_file=str(empty)),
    ):
        with pytest.raises(OSError, match=r".+"):
            async with open_fetch(transport):
                pass


async def test_an_encrypted_key_is_an_error_and_not_a_question_at_the_terminal(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("gateway")
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"passphrase")
    pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    transport = replace(TRANSPORT, certificate_file=str(pair.certificate), key_file=str(pair.key))
    with pytest.raises(ssl.SSLError):
        async with open_fetch(transport):
            pass


# Secrecy.


@pytest.mark.case("C307")
async def test_what_is_raised_shows_nothing_of_what_was_asked() -> None:
    script = (hang_up(), broken_head(), truncated(b"very-secret"), endless_chunks(), answer(b"", status=200))
    async with asking(*script) as (server, fetch):
        url = server.url.replace("//", "//user:very-secret@") + "/path-secret?query-secret=1"
        for _ in range(len(script) - 1):
            with pytest.raises(Unavailable) as caught:
                await fetch("POST", url, headers=FORM[:1], body=ASKING)
            error = caught.value
            assert "secret" not in f"{error!r} {error} {error.detail}"
            assert error.__cause__ is None
            assert error.__suppress_context__
