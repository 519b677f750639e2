"""Sockets that listen, and TLS for those who call."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from gateway.listeners import CannotListen, bind, bound_address, tls_context
from gateway.settings.front import TlsSettings
from gateway.settings.grammar import Address
from tests.certificates import Authority, Pair
from tests.gateways import configuration, served
from tests.servers import recording_upstream, request

LOOPBACK = Address("127.0.0.1", 0)


def test_each_address_gets_a_socket_that_listens() -> None:
    sockets = bind([LOOPBACK, Address("localhost", 0)])
    assert len({bound_address(each) for each in sockets}) == 2
    for each in sockets:
        socket.create_connection(bound_address(each)).close()
        each.close()


def test_ipv6_is_listened_on_where_it_is_written() -> None:
    (listening,) = bind([Address("::1", 0)])
    with listening, socket.create_connection(bound_address(listening)) as connection:
        assert connection.family is socket.AF_INET6


def test_a_port_that_is_taken_is_told_with_the_option_to_change() -> None:
    (taken,) = bind([LOOPBACK])
    with taken:
        host, port = bound_address(taken)
        with pytest.raises(CannotListen) as told:
            bind([LOOPBACK, Address(host, port)], "admin.listen")
    assert str(told.value) == (
        f"cannot listen on {host}:{port}: address already in use; write another address under admin.listen"
    )


def test_an_address_that_is_not_ours_is_told() -> None:
    with pytest.raises(CannotListen, match=r"cannot listen on 192\.0\.2\.1:0: .+; write another"):
        bind([Address("192.0.2.1", 0)])


def test_of_several_addresses_none_stays_bound_where_one_cannot_be() -> None:
    (free,) = bind([LOOPBACK])
    address = Address(*bound_address(free))
    free.close()
    with pytest.raises(CannotListen):
        bind([address, Address("192.0.2.1", 0)])
    (again,) = bind([address])
    again.close()


def test_a_port_is_free_again_at_once() -> None:
    (first,) = bind([LOOPBACK])
    address = Address(*bound_address(first))
    connection = socket.create_connection(bound_address(first))
    first.close()
    connection.close()
    (second,) = bind([address])
    second.close()


# TLS


def test_without_tls_there_is_no_context() -> None:
    assert tls_context(None) is None


def test_a_certificate_that_does_not_fit_its_key_is_an_error(tmp_path: Path) -> None:
    one, other = (Authority(tmp_path).issue() for _ in range(2))
    with pytest.raises(ssl.SSLError):
        tls_context(TlsSettings(certificate_file=str(one.certificate), key_file=str(other.key)))


def tls_of(pair: Pair, client_ca: Path | None = None) -> dict[str, str]:
    files = {"certificate_file": str(pair.certificate), "key_file": str(pair.key)}
    return files if client_ca is None else {**files, "client_ca_file": str(client_ca)}


async def status(tls: dict[str, str], client: ssl.SSLContext) -> tuple[int, str | None, str]:
    """What a gateway with that TLS answers: the status, the TLS version, and the scheme that the upstream is told.

    Raises ssl.SSLError or ConnectionError where it does not take the caller.
    """
    async with (
        recording_upstream() as upstream,
        served(configuration("http://127.0.0.1:9", upstream.url, tls=tls)) as it,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port, ssl=client)
        try:
            writer.write(request("GET", "/public"))
            line = await reader.readline()
            if not line:
                raise ConnectionError("nothing was answered")
            version = writer.get_extra_info("ssl_object").version()
            return int(line.split()[1]), version, upstream.last.header("x-forwarded-proto")[0]
        finally:
            writer.transport.abort()


async def test_callers_are_answered_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client = ssl.create_default_context(cafile=authority.file)
    assert await status(tls_of(authority.issue()), client) == (200, "TLSv1.3", "https")


def test_old_versions_of_tls_are_not_spoken(tmp_path: Path) -> None:
    tls = tls_context(TlsSettings(**tls_of(Authority(tmp_path).issue())))
    assert tls is not None
    assert tls.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_only_callers_with_a_certificate_are_served_where_one_is_required(tmp_path: Path) -> None:
    authority, callers, strangers = (Authority(tmp_path) for _ in range(3))
    tls = tls_of(authority.issue(), client_ca=callers.file)
    client = ssl.create_default_context(cafile=authority.file)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await status(tls, client)
    stranger = strangers.issue("caller")
    client.load_cert_chain(stranger.certificate, stranger.key)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await status(tls, client)
    known = callers.issue("caller")
    client.load_cert_chain(known.certificate, known.key)
    assert (await status(tls, client))[0] == 200


def test_an_encrypted_key_is_an_error_and_never_asked_for_at_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError):
        tls_context(TlsSettings.model_validate(tls_of(Authority(tmp_path).issue().locked())))
