"""Whether a server is there: each way in which it can be out of reach, and what to do about it."""

import asyncio
import ssl
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.doctor.certificates import DAY, Certificate, expiry
from gateway.doctor.connections import Connected, Fault, Place, Unreachable, Way, connect
from gateway.doctor.provider import code_of
from gateway.doctor.reachability import told
from tests.certificates import Authority, Pair, self_signed
from tests.doctor.examining import described, examined, found, settings
from tests.fakes import FakeClock
from tests.faulty_server import black_hole, faulty_server, html, refusing_port

QUICK = {"connect_timeout": 0.2, "timeout": 0.5}


async def reachable(url: str, **transport: object) -> tuple[str, str, str]:
    report = await examined(settings(described(url, transport={**QUICK, **transport})))
    return found(report, "reachable")


async def served_with(pair: Pair, host: str = "127.0.0.1", **transport: object) -> tuple[str, str, str]:
    async with faulty_server(html(404), tls=pair.serve()) as server:
        return await reachable(f"https://{host}:{server.port}", **transport)


async def test_a_port_that_refuses() -> None:
    with refusing_port() as port:
        assert await reachable(f"http://127.0.0.1:{port}") == (
            "failure",
            f"127.0.0.1:{port} refuses connections (provider_unreachable).",
            "Start the server, or correct host and port.",
        )


async def test_a_port_that_does_not_answer() -> None:
    with black_hole() as port:
        assert await reachable(f"http://127.0.0.1:{port}") == (
            "failure",
            f"127.0.0.1:{port} did not answer within 0.2 s; the connection was under way (provider_timeout).",
            "Open the way in the firewalls, or write a longer transport.connect_timeout.",
        )


async def test_a_name_that_nobody_knows() -> None:
    # A label cannot be empty: this one is refused before anybody is asked.
    assert await reachable("https://idp..example") == (
        "failure",
        "The name idp..example cannot be resolved (provider_unreachable).",
        "Correct the host, or let the DNS of this machine know it.",
    )


async def test_a_self_signed_certificate(tmp_path: Path) -> None:
    result, seen, advice = await served_with(self_signed(tmp_path))
    assert (result, seen.partition(" is ")[2]) == ("failure", "self-signed (provider_tls).")
    assert advice == "Write transport.ca_file: the path of that certificate in PEM."


async def test_a_certificate_of_an_unknown_authority(tmp_path: Path) -> None:
    result, seen, advice = await served_with(Authority(tmp_path).issue())
    assert result == "failure"
    assert "comes from an authority that is not trusted: CN=Test authority" in seen
    assert advice == "Write transport.ca_file: the path of the authority's certificate in PEM."


async def test_a_certificate_that_is_not_of_the_authority_in_the_bundle(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue()
    _, _, advice = await served_with(pair, ca_file=str(Authority(tmp_path).file))
    assert advice == "Add the authority's certificate in PEM to the file of transport.ca_file."


async def test_a_certificate_that_has_expired(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    result, seen, advice = await served_with(authority.issue_expired(), ca_file=str(authority.file))
    assert (result, seen.partition(" has ")[2]) == ("failure", "expired (provider_tls).")
    assert advice == "Have the server's certificate renewed."


async def test_a_certificate_for_another_host(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    result, seen, advice = await served_with(authority.issue("sso.example.com"), ca_file=str(authority.file))
    assert (result, seen.partition(" is ")[2]) == ("failure", "for another host: sso.example.com (provider_tls).")
    assert advice == "Write a host that the certificate names, or have it issued for this one."


async def test_a_server_that_speaks_no_tls() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        result, seen, advice = await reachable(f"https://127.0.0.1:{port}")
    assert (result, seen) == ("failure", f"127.0.0.1:{port} does not speak TLS (provider_tls).")
    assert advice == "Correct the port, or switch TLS on at the server."


async def test_a_certificate_that_is_trusted_is_told_with_its_days(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue()
    async with faulty_server(html(404), tls=pair.serve()) as server:
        options = described(server.url, transport={"ca_file": str(authority.file)})
        now = await examined(settings(options))
        earlier = await examined(settings(options), FakeClock(SystemClock().time() - 20 * DAY))
    assert found(now, "reachable") == ("ok", f"127.0.0.1:{server.port} takes connections (TLSv1.3).", "")
    assert found(now, "certificate") == (
        "warning",
        "The certificate of 127.0.0.1 expires in 0 days.",
        "Have it renewed, before connections to it fail.",
    )
    assert found(earlier, "certificate") == ("ok", "The certificate of 127.0.0.1 expires in 20 days.", "")


def test_a_certificate_is_worth_a_warning_when_less_than_fourteen_days_are_left() -> None:
    certificate = Certificate(expires_at=14 * DAY, names=(), issuer="")
    assert expiry(certificate, 0, "It", "Renew it.").result == "ok"
    assert expiry(certificate, 1, "It", "Renew it.").result == "warning"
    assert expiry(certificate, 14 * DAY, "It", "Renew it.").result == "warning"
    assert expiry(certificate, 14 * DAY + 1, "It", "Renew it.").seen == "It expired 1 day ago."


@pytest.mark.parametrize(
    ("host", "covered"),
    [("api.example.com", True), ("a.example.org", True), ("a.b.example.org", False), ("example.org", False)],
)
def test_a_certificate_covers_its_names_and_one_label_for_a_star(host: str, covered: bool) -> None:
    certificate = Certificate(expires_at=0, names=("api.example.com", "*.example.org"), issuer="")
    assert certificate.covers(host) is covered


async def test_a_certificate_file_of_ours_that_is_none(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("no certificate")
    report = await examined(settings(described("https://127.0.0.1:1", transport={"ca_file": str(rubbish)})))
    assert found(report, "files") == (
        "failure",
        "transport.ca_file holds no certificates in PEM; the gateway would not start with it.",
        "Correct the files under transport.",
    )


async def test_a_key_of_ours_that_is_not_the_certificates(tmp_path: Path) -> None:
    one, other = self_signed(tmp_path), self_signed(tmp_path)
    transport = {"certificate_file": str(one.certificate), "key_file": str(other.key)}
    report = await examined(settings(described("https://127.0.0.1:1", transport=transport)))
    assert found(report, "files")[1].startswith("transport.key_file is not the key of certificate_file;")


async def tunnelling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A proxy for one connection."""
    target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].decode()
    host, _, port = target.rpartition(":")
    there, onwards = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Here you are\r\n\r\n")

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(65_536):
            sink.write(piece)
        sink.close()

    await asyncio.gather(copy(reader, onwards), copy(there, writer), return_exceptions=True)


def way(tls: ssl.SSLContext, proxy: int) -> Way:
    return Way(timeout=2, tls=tls, proxy=f"http://127.0.0.1:{proxy}")


async def test_a_server_is_reached_through_the_proxy(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = ssl.create_default_context(cafile=authority.file)
    async with (
        faulty_server(html(), tls=authority.issue().serve()) as server,
        await asyncio.start_server(tunnelling, "127.0.0.1", 0) as proxy,
    ):
        through = way(tls, proxy.sockets[0].getsockname()[1])
        connected = await connect(Place("127.0.0.1", server.port, True), through)
        await server.cut()
    assert connected == Connected(protocol="TLSv1.3", certificate=connected.certificate)
    assert connected.certificate is not None


async def test_a_proxy_that_refuses_is_told_apart_from_the_server() -> None:
    place = Place("sso.example.com", 443, True)
    async with faulty_server(html(403)) as proxy:
        through = way(ssl.create_default_context(), proxy.port)
        with pytest.raises(Unreachable) as caught:
            await connect(place, through)
    assert told(caught.value, place, through, "transport") == (
        "The proxy on the way to sso.example.com:443 cannot be used; the proxy failed.",
        "Correct transport.proxy, or let the proxy allow CONNECT sso.example.com:443.",
    )


def test_every_fault_has_a_code_and_its_words() -> None:
    place, through = Place("sso.example.com", 443, True), way(ssl.create_default_context(), 1)
    words = {fault: told(Unreachable(fault, "the connection"), place, through, "transport") for fault in Fault}
    assert len(set(words.values())) == len(Fault)
    assert {code_of(fault) for fault in Fault} == {"provider_unreachable", "provider_timeout", "provider_tls"}
    assert words[Fault.NETWORK] == (
        "sso.example.com:443 cannot be reached; the connection broke off.",
        "Look at routes and firewalls.",
    )
    assert words[Fault.TLS] == (
        "The TLS handshake with sso.example.com:443 failed.",
        "If the server asks for a certificate, write transport.certificate_file and transport.key_file.",
    )


async def test_a_proxy_that_is_not_there() -> None:
    with refusing_port() as port:
        seen, advice = (await reachable("https://sso.example.com", proxy=f"http://127.0.0.1:{port}"))[1:]
    assert seen == (
        "The proxy on the way to sso.example.com:443 cannot be used; the connection failed (provider_unreachable)."
    )
    assert advice == "Correct transport.proxy, or let the proxy allow CONNECT sso.example.com:443."
